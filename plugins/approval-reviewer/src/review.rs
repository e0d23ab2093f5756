//! The review, and what about it can be checked without judging anything.

use serde::{Deserialize, Serialize};

/// What the reviewer decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub(crate) struct Review {
    pub(crate) decision: Decision,
    reason: Reason,
    quote: Option<String>,
}

/// An event of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Approve,
    Reject,
}

impl Decision {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    MeetsPolicy,
    AlreadyOrdered,
    SplitRequest,
    PrivateUse,
    NoPurpose,
    TooFewQuotes,
    NoBudget,
}

/// A review as a model states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    decision: Decision,
    reason: Reason,
    // Without this a quote that was left out would count as none.
    #[serde(deserialize_with = "Option::deserialize")]
    quote: Option<String>,
}

impl TryFrom<Stated> for Review {
    type Error = &'static str;

    fn try_from(stated: Stated) -> Result<Review, &'static str> {
        let Stated {
            decision,
            reason,
            quote,
        } = stated;
        if (decision == Decision::Approve) != (reason == Reason::MeetsPolicy) {
            return Err("`decision` must be `approve` exactly when `reason` is `meets_policy`");
        }
        let needs_quote = matches!(
            reason,
            Reason::AlreadyOrdered | Reason::SplitRequest | Reason::PrivateUse
        );
        if needs_quote && quote.is_none() {
            return Err("this `reason` needs the sentence it rests on as `quote`");
        }
        Ok(Review {
            decision,
            reason,
            quote,
        })
    }
}

impl Review {
    /// What is quoted and does not stand in the text, as a sentence for the model.
    pub(crate) fn made_up(&self, justification: &str) -> Option<String> {
        let quote = self.quote.as_ref()?;
        let made_up = quote.trim().is_empty() || !justification.contains(quote.trim());
        made_up.then(|| format!("`{quote}` does not stand in the justification"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(decision: &str, reason: &str, quote: Value) -> Result<Review, String> {
        let value = json!({ "decision": decision, "reason": reason, "quote": quote });
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    #[test]
    fn who_approves_has_no_reason_to_reject_and_the_reverse() {
        assert!(read("approve", "meets_policy", json!(null)).is_ok());
        assert!(read("reject", "meets_policy", json!(null)).is_err());
        for reason in ["no_purpose", "too_few_quotes", "no_budget"] {
            assert!(read("reject", reason, json!(null)).is_ok(), "{reason}");
            assert!(read("approve", reason, json!(null)).is_err(), "{reason}");
        }
    }

    #[test]
    fn what_somebody_admitted_is_quoted() {
        for reason in ["already_ordered", "split_request", "private_use"] {
            assert!(
                read("reject", reason, json!("It arrived.")).is_ok(),
                "{reason}"
            );
            assert!(read("reject", reason, json!(null)).is_err(), "{reason}");
        }
    }

    #[test]
    fn a_quote_stands_in_the_text_letter_by_letter() {
        let text = "We need it. It has already arrived.";
        for (quote, made_up) in [
            (json!("It has already arrived."), false),
            (json!(" already arrived "), false),
            (json!(null), false),
            (json!("It has arrived."), true),
            (json!(" "), true),
        ] {
            let review = read("reject", "no_purpose", quote.clone()).unwrap();
            assert_eq!(review.made_up(text).is_some(), made_up, "{quote}");
        }
    }
}
