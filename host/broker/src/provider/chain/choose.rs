//! Which model of several is asked first. Pure.

use crate::llm::{FinishReason, LlmError, Part, Request, ResponseFormat};

/// When a model is asked first. By default: always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Up to so many tokens of prompt, estimated.
    pub max_prompt_tokens: Option<u64>,
    /// Not for requests that offer tools.
    pub without_tools: bool,
    /// Only while the run may still spend so many micro-dollars. A run without a
    /// budget may.
    pub least_budget_micros: Option<u64>,
}

/// What is known of a request before anybody is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) prompt_tokens: u64,
    pub(super) tools: bool,
    /// What may still be spent, if there is a bound.
    pub(super) budget_micros: Option<u64>,
}

impl When {
    fn holds(self, facts: Facts) -> bool {
        let short = self
            .max_prompt_tokens
            .is_none_or(|most| facts.prompt_tokens <= most);
        let paid = match (self.least_budget_micros, facts.budget_micros) {
            (Some(least), Some(left)) => left >= least,
            _ => true,
        };
        short && paid && !(self.without_tools && facts.tools)
    }
}

/// The first of these that is for such a request; the last when none is.
pub(super) fn choose(tiers: &[When], facts: Facts) -> usize {
    let fits = tiers.iter().position(|when| when.holds(facts));
    fits.unwrap_or(tiers.len().saturating_sub(1))
}

/// Whether another model is asked after this error. What is wrong with the request
/// is wrong with it everywhere; a prompt that is too long for one may fit another.
pub(super) fn goes_on(error: &LlmError) -> bool {
    match error {
        LlmError::Unavailable(_)
        | LlmError::RateLimited(_)
        | LlmError::Timeout
        | LlmError::ContextTooLong
        | LlmError::BudgetExhausted => true,
        LlmError::Denied(_) | LlmError::Invalid(_) | LlmError::Cancelled => false,
    }
}

/// Whether an answer is of use: it is whole, no filter cut in, and where JSON was
/// asked for there is some.
pub(super) fn serves(request: &Request, finish: FinishReason, said: &[Part]) -> bool {
    let whole = !matches!(finish, FinishReason::Length | FinishReason::ContentFilter);
    let calls = said.iter().any(|part| matches!(part, Part::Call(_)));
    let json = match request.response_format {
        ResponseFormat::Text => true,
        ResponseFormat::JsonObject | ResponseFormat::JsonSchema(_) => {
            let object = |text: &str| {
                serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text).is_ok()
            };
            said.iter()
                .any(|part| matches!(part, Part::Text(text) | Part::Json(text) if object(text)))
        }
    };
    whole && (calls || json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tier_that_is_for_a_request_is_chosen() {
        let small = When {
            max_prompt_tokens: Some(100),
            without_tools: true,
            ..When::default()
        };
        let large = When {
            least_budget_micros: Some(1_000),
            ..When::default()
        };
        let tiers = [small, large, When::default()];
        let table = [
            (50, false, None, 0),
            (100, false, None, 0),
            (101, false, None, 1),
            (50, true, None, 1),
            (500, true, Some(1_000), 1),
            (500, true, Some(999), 2),
        ];
        for (prompt_tokens, tools, budget_micros, expected) in table {
            let facts = Facts {
                prompt_tokens,
                tools,
                budget_micros,
            };
            assert_eq!(choose(&tiers, facts), expected, "{facts:?}");
        }
        let facts = Facts {
            prompt_tokens: 101,
            tools: false,
            budget_micros: None,
        };
        assert_eq!(choose(&[small, small], facts), 1, "none fits: the last");
    }

    #[test]
    fn what_is_wrong_with_the_request_is_not_asked_elsewhere() {
        use crate::Denial;
        let table = [
            (LlmError::Unavailable(String::new()), true),
            (LlmError::RateLimited(None), true),
            (LlmError::Timeout, true),
            (LlmError::ContextTooLong, true),
            (LlmError::BudgetExhausted, true),
            (LlmError::Denied(Denial::Expired), false),
            (LlmError::Invalid(String::new()), false),
            (LlmError::Cancelled, false),
        ];
        for (error, expected) in table {
            assert_eq!(goes_on(&error), expected, "{error}");
        }
    }
}
