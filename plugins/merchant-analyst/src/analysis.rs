//! What is found about a payment, and the one thing about it that needs no
//! knowledge of the payment: it must not contradict itself.

use serde::{Deserialize, Serialize};

/// What a finished look at a payment comes to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub(crate) struct Analysis {
    /// The fraud that the score is about.
    fraud_type: Fraud,
    risk_factors: Vec<RiskFactor>,
    fraud_score: f64,
    pub(crate) confidence: f64,
}

/// The fraud this agent looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fraud {
    SyntheticFraud,
}

/// A condition of the fraud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RiskFactor {
    NewAccount,
    LargeAmount,
    ResoldGoods,
}

const ALL: [RiskFactor; 3] = [
    RiskFactor::NewAccount,
    RiskFactor::LargeAmount,
    RiskFactor::ResoldGoods,
];

/// An analysis as a model states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    risk_factors: Vec<RiskFactor>,
    fraud_score: f64,
    confidence: f64,
}

impl TryFrom<Stated> for Analysis {
    type Error = &'static str;

    fn try_from(stated: Stated) -> Result<Analysis, &'static str> {
        let Stated {
            risk_factors,
            fraud_score,
            confidence,
        } = stated;
        if ![fraud_score, confidence]
            .iter()
            .all(|it| (0.0..=1.0).contains(it))
        {
            return Err("`fraud_score` and `confidence` must lie between 0.0 and 1.0");
        }
        if ALL.iter().all(|it| risk_factors.contains(it)) != (fraud_score >= 0.8) {
            return Err(
                "`fraud_score` must be 0.8 or more exactly when all risk factors are listed",
            );
        }
        if fraud_score < 0.8 && fraud_score > 0.2 && !(0.4..=0.6).contains(&fraud_score) {
            return Err("a `fraud_score` below 0.8 must be at most 0.2, or between 0.4 and 0.6");
        }
        Ok(Analysis {
            fraud_type: Fraud::SyntheticFraud,
            risk_factors,
            fraud_score,
            confidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_score_has_to_fit_what_it_rests_on() {
        let all = json!(["new_account", "large_amount", "resold_goods"]);
        let some = json!(["new_account", "large_amount"]);
        let contradiction = "`fraud_score` must be 0.8 or more exactly when";
        let between = "a `fraud_score` below 0.8 must be at most 0.2";
        let outside = "`fraud_score` and `confidence` must lie between";
        for (factors, score, confidence, refused) in [
            (&all, 0.8, 1.0, None),
            (&all, 1.0, 0.0, None),
            (&some, 0.2, 0.9, None),
            (&some, 0.4, 0.5, None),
            (&json!([]), 0.6, 0.5, None),
            (&all, 0.79, 0.9, Some(contradiction)),
            (&some, 0.8, 0.9, Some(contradiction)),
            (&some, 0.21, 0.9, Some(between)),
            (&some, 0.39, 0.9, Some(between)),
            (&some, 0.61, 0.9, Some(between)),
            (&all, 9.0, 0.9, Some(outside)),
            (&some, 0.1, -0.1, Some(outside)),
            (&json!(["bad_weather"]), 0.1, 0.9, Some("unknown variant")),
        ] {
            let stated = json!({
                "risk_factors": factors, "fraud_score": score, "confidence": confidence,
            });
            let read = serde_json::from_value::<Analysis>(stated).map_err(|e| e.to_string());
            match refused {
                None => assert!(read.is_ok(), "{factors} {score} {read:?}"),
                Some(why) => assert!(read.unwrap_err().starts_with(why), "{factors} {score}"),
            }
        }
    }

    #[test]
    fn it_says_which_fraud_it_is_about() {
        let stated = json!({ "risk_factors": ["new_account", "large_amount"], "fraud_score": 0.1, "confidence": 1.0 });
        let analysis: Analysis = serde_json::from_value(stated.clone()).unwrap();
        let mut expected: Value = stated;
        expected["fraud_type"] = json!("synthetic_fraud");
        assert_eq!(serde_json::to_value(analysis).unwrap(), expected);
    }
}
