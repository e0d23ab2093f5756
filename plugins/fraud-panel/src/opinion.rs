//! A specialist's ballot, read.

use hotcell_sdk::{Ballot, Failure};
use serde::{Deserialize, Serialize};

/// Words of the specialists.
pub(crate) type RiskFactors = Vec<String>;

/// A fraud, in the order in which they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fraud {
    StolenCard,
    AccountTakeover,
    #[serde(rename = "synthetic_fraud")]
    Synthetic,
}

/// What one specialist found.
pub(crate) struct Opinion {
    /// The fraud that the score is about.
    pub(crate) fraud: Fraud,
    /// From 0.0 to 1.0.
    pub(crate) score: f64,
    pub(crate) risk_factors: RiskFactors,
    /// 0.0 where nothing is said of it.
    pub(crate) confidence: f64,
}

/// A ballot's value, as far as it matters here.
#[derive(Deserialize)]
struct Stated {
    fraud_type: Fraud,
    fraud_score: f64,
    risk_factors: RiskFactors,
}

impl Opinion {
    /// Reads a ballot. One that cannot be read is refused: left out, it could be
    /// the one that stops a payment.
    pub(crate) fn read(ballot: Ballot) -> Result<Opinion, Failure> {
        let Ballot {
            voter,
            value,
            confidence,
            ..
        } = ballot;
        let refused = |why: String| {
            Failure::invalid_input(format!("the ballot of `{voter}` is no use: {why}"))
        };
        let stated: Stated =
            serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
        if !(0.0..=1.0).contains(&stated.fraud_score) {
            let score = stated.fraud_score;
            return Err(refused(format!("`fraud_score` is {score}, not 0.0 to 1.0")));
        }
        Ok(Opinion {
            fraud: stated.fraud_type,
            score: stated.fraud_score,
            risk_factors: stated.risk_factors,
            confidence: confidence.unwrap_or(0.0),
        })
    }
}
