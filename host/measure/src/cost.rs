//! What calls cost: prices, and money per task and per task that came out right.
//!
//! Money is whole micro-dollars, rounded up once for each call, so that no call
//! of a priced model that used a token is free. A model without a price is an
//! error, never free.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::trial::Price;

/// The longest price file that is read: 1 MiB.
pub const LONGEST: usize = 1 << 20;

/// Name of a model to its price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices(BTreeMap<String, Price>);

/// Why a cost is not known.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// Nobody said what this model costs.
    #[error("there is no price for the model `{0}`")]
    Unknown(String),
    /// The text is not a list of prices.
    #[error("the prices cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The text is too long to be read.
    #[error("the prices are `{0}` bytes long: `{LONGEST}` are the most")]
    TooLong(usize),
}

/// One call of a model, in the course's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRecord {
    /// The call's name.
    pub call_id: String,
    /// The model.
    pub model: String,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

impl Price {
    /// What a call costs in micro-dollars, rounded up over both parts.
    pub fn of(self, input_tokens: u64, output_tokens: u64) -> u64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = part(input_tokens, self.input_micros_per_mtok)
            .saturating_add(part(output_tokens, self.output_micros_per_mtok));
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl Prices {
    /// The course's: dollars for a thousand tokens, read and written, of
    /// `gpt-4` 0.03 and 0.06, `gpt-4-turbo` 0.01 and 0.03, `gpt-3.5-turbo`
    /// 0.0015 and 0.002.
    pub fn course() -> Prices {
        let price = |model: &str, input, output| {
            let price = Price {
                input_micros_per_mtok: input,
                output_micros_per_mtok: output,
            };
            (model.to_owned(), price)
        };
        Prices(BTreeMap::from([
            price("gpt-4", 30_000_000, 60_000_000),
            price("gpt-4-turbo", 10_000_000, 30_000_000),
            price("gpt-3.5-turbo", 1_500_000, 2_000_000),
        ]))
    }

    /// Prices from a file: a JSON object of models, each with
    /// `input_micros_per_mtok` and `output_micros_per_mtok`.
    ///
    /// # Errors
    /// If it is too long or something else.
    pub fn parse(json: &str) -> Result<Prices, PriceError> {
        if json.len() > LONGEST {
            return Err(PriceError::TooLong(json.len()));
        }
        serde_json::from_str(json).map_err(PriceError::Unreadable)
    }

    /// These and those; where both name a model, those count.
    #[must_use]
    pub fn with(mut self, those: Prices) -> Prices {
        self.0.extend(those.0);
        self
    }

    /// Each model with its price.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Price)> {
        self.0.iter().map(|(model, price)| (model.as_str(), *price))
    }

    /// What a model costs.
    ///
    /// # Errors
    /// If nobody said it.
    pub fn of(&self, model: &str) -> Result<Price, PriceError> {
        let price = self.0.get(model).copied();
        price.ok_or_else(|| PriceError::Unknown(model.to_owned()))
    }

    /// What calls cost together, in micro-dollars.
    ///
    /// # Errors
    /// If one of their models has no price.
    pub fn total(&self, calls: &[CallRecord]) -> Result<u64, PriceError> {
        calls.iter().try_fold(0_u64, |total, call| {
            let price = self.of(&call.model)?;
            Ok(total.saturating_add(price.of(call.prompt_tokens, call.completion_tokens)))
        })
    }
}

/// Micro-dollars as dollars.
pub fn usd(micros: f64) -> f64 {
    micros / 1e6
}

/// Dollars per task; none without tasks.
pub fn per_task(total_micros: u64, tasks: u64) -> Option<f64> {
    (tasks > 0).then(|| usd(total_micros as f64) / tasks as f64)
}

/// Dollars per task that came out right, the wrong ones paid for as well; none
/// if none did.
pub fn per_success(total_micros: u64, right: u64) -> Option<f64> {
    per_task(total_micros, right)
}

/// A cost per task as a multiple of another's; none if that is nothing.
pub fn multiplier(per_task: f64, baseline: f64) -> Option<f64> {
    (baseline > 0.0).then(|| per_task / baseline)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(model: &str, prompt_tokens: u64, completion_tokens: u64) -> CallRecord {
        CallRecord {
            call_id: "1".to_owned(),
            model: model.to_owned(),
            prompt_tokens,
            completion_tokens,
        }
    }

    #[test]
    fn a_thousand_tokens_cost_what_the_course_says() {
        let prices = Prices::course();
        // micro-dollars for a thousand tokens read, and written
        let cases = [
            ("gpt-4", 30_000, 60_000),
            ("gpt-4-turbo", 10_000, 30_000),
            ("gpt-3.5-turbo", 1_500, 2_000),
        ];
        for (model, input, output) in cases {
            assert_eq!(prices.total(&[call(model, 1000, 0)]).unwrap(), input);
            assert_eq!(prices.total(&[call(model, 0, 1000)]).unwrap(), output);
        }
        let calls = [call("gpt-4", 1000, 500), call("gpt-3.5-turbo", 2000, 1000)];
        assert_eq!(prices.total(&calls).unwrap(), 60_000 + 5_000);
        assert_eq!(prices.total(&[]).unwrap(), 0);
    }

    #[test]
    fn a_call_is_rounded_up_once_and_never_free() {
        let price = Price {
            input_micros_per_mtok: 1_500_000,
            output_micros_per_mtok: 2_000_000,
        };
        assert_eq!(price.of(1, 0), 2);
        // 1.5 and 2 are 3.5, not 2 and 2.
        assert_eq!(price.of(1, 1), 4);
        assert_eq!(price.of(0, 0), 0);
        assert_eq!(price.of(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_model_without_a_price_is_an_error() {
        let error = Prices::course().total(&[call("gpt-5", 1, 1)]).unwrap_err();
        assert_eq!(error.to_string(), "there is no price for the model `gpt-5`");
    }

    #[test]
    fn a_file_adds_prices_and_replaces_some() {
        let file = r#"{"gpt-4": {"input_micros_per_mtok": 1, "output_micros_per_mtok": 2},
            "mine": {"input_micros_per_mtok": 3, "output_micros_per_mtok": 4}}"#;
        let prices = Prices::course().with(Prices::parse(file).unwrap());
        assert_eq!(prices.of("gpt-4").unwrap().output_micros_per_mtok, 2);
        assert_eq!(prices.of("mine").unwrap().input_micros_per_mtok, 3);
        assert_eq!(prices.iter().count(), 4);
        for bad in [
            "[]",
            "{\"a\": {}}",
            "{\"a\": {\"input\": 1}}",
            "",
            "{\"a\": -1}",
        ] {
            assert!(
                matches!(Prices::parse(bad), Err(PriceError::Unreadable(_))),
                "{bad}"
            );
        }
        let long = " ".repeat(LONGEST + 1);
        assert!(matches!(Prices::parse(&long), Err(PriceError::TooLong(_))));
    }

    #[test]
    fn money_is_shared_among_tasks_and_among_right_ones() {
        assert_eq!(per_task(6_000_000, 300), Some(0.02));
        assert_eq!(per_success(6_000_000, 200), Some(0.03));
        assert_eq!((per_task(1, 0), per_success(1, 0)), (None, None));
        assert_eq!(multiplier(0.1, 0.02), Some(5.0));
        assert_eq!(multiplier(0.1, 0.0), None);
    }
}
