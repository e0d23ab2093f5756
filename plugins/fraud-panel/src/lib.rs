//! Makes one decision out of what fraud specialists found.
//!
//! Each specialist knows one fraud, so their scores are about different things and
//! a mean of them would mean nothing: one who is sure is enough to block a payment,
//! and one who doubts is enough for somebody to review it. Nobody is outvoted, and
//! weights play no part. It asks no model and reads nothing but the ballots.

mod opinion;

use hotcell_sdk::{Aggregator, Ballot, Decision, Failure};
use serde::Serialize;

use opinion::{Fraud, Opinion, RiskFactors};

/// From here on a specialist is sure.
const SURE: f64 = 0.8;

/// From here on a specialist doubts.
const DOUBT: f64 = 0.4;

struct FraudPanel;

impl Aggregator for FraudPanel {
    fn decide(ballots: Vec<Ballot>) -> Result<Decision, Failure> {
        let opinions: Vec<Opinion> = ballots
            .into_iter()
            .map(Opinion::read)
            .collect::<Result<_, _>>()?;
        let Some(score) = opinions.iter().map(|it| it.score).reduce(f64::max) else {
            return Ok(Decision::NoQuorum);
        };
        let (verdict, confidence) = verdict(&opinions, score);
        let value = serde_json::to_value(verdict).map_err(Failure::permanent)?;
        Ok(Decision::Decided(value, confidence))
    }
}

hotcell_sdk::export!(aggregator: FraudPanel);

/// What becomes of a payment.
#[derive(Serialize)]
struct Verdict {
    fraud_label: bool,
    fraud_type: Option<Fraud>,
    expected_action: &'static str,
    /// The highest of all scores.
    fraud_score: f64,
    risk_factors: RiskFactors,
}

/// The verdict, and how sure those are who bring it about: to block, the surest of
/// those who see a fraud; to review, the surest of those who doubt; to approve, the
/// least sure of all, since any of them could have stopped it.
fn verdict(opinions: &[Opinion], score: f64) -> (Verdict, f64) {
    let from = |threshold: f64| opinions.iter().filter(move |it| it.score >= threshold);
    let surest = |threshold| from(threshold).map(|it| it.confidence).fold(0.0, f64::max);
    let (expected_action, confidence) = if score >= SURE {
        ("block", surest(SURE))
    } else if score >= DOUBT {
        ("review", surest(DOUBT))
    } else {
        let least = opinions.iter().map(|it| it.confidence).fold(1.0, f64::min);
        ("approve", least)
    };
    // Where two frauds hold, the first in the order of their kinds counts.
    let fraud_type = from(SURE).map(|it| it.fraud).min();
    let mut risk_factors = RiskFactors::new();
    for factor in opinions.iter().flat_map(|it| &it.risk_factors) {
        if !risk_factors.contains(factor) {
            risk_factors.push(factor.clone());
        }
    }
    let verdict = Verdict {
        fraud_label: fraud_type.is_some(),
        fraud_type,
        expected_action,
        fraud_score: score,
        risk_factors,
    };
    (verdict, confidence)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ballot(fraud: &str, score: f64, confidence: Option<f64>) -> Ballot {
        Ballot {
            voter: "somebody".to_owned(),
            value: json!({
                "fraud_type": fraud, "fraud_score": score, "risk_factors": ["night", fraud],
                "confidence": 0.0,
            }),
            confidence,
            weight: 1.0,
        }
    }

    fn decided(ballots: Vec<Ballot>) -> (Value, f64) {
        match FraudPanel::decide(ballots) {
            Ok(Decision::Decided(value, confidence)) => (value, confidence),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_who_is_sure_blocks_and_one_who_doubts_has_it_reviewed() {
        type Given<'a> = &'a [(&'a str, f64, f64)];
        let table: [(Given<'_>, &str, Option<&str>, f64); 8] = [
            (&[("stolen_card", 0.1, 0.9)], "approve", None, 0.9),
            (&[("stolen_card", 0.39, 0.9)], "approve", None, 0.9),
            (&[("stolen_card", 0.4, 0.9)], "review", None, 0.9),
            (&[("stolen_card", 0.79, 0.9)], "review", None, 0.9),
            (
                &[("stolen_card", 0.8, 0.9)],
                "block",
                Some("stolen_card"),
                0.9,
            ),
            (
                &[
                    ("stolen_card", 0.1, 1.0),
                    ("account_takeover", 0.0, 0.3),
                    ("synthetic_fraud", 0.9, 0.6),
                ],
                "block",
                Some("synthetic_fraud"),
                0.6,
            ),
            // The first kind counts, whoever is surer and whoever comes first.
            (
                &[("account_takeover", 1.0, 0.9), ("stolen_card", 0.8, 0.2)],
                "block",
                Some("stolen_card"),
                0.9,
            ),
            (
                &[("stolen_card", 0.0, 0.4), ("synthetic_fraud", 0.2, 0.9)],
                "approve",
                None,
                0.4,
            ),
        ];
        for (given, action, fraud, sure) in table {
            let ballots = given
                .iter()
                .map(|(fraud, score, sure)| ballot(fraud, *score, Some(*sure)));
            let (value, confidence) = decided(ballots.collect());
            assert_eq!(value["expected_action"], action, "{given:?}");
            assert_eq!(value["fraud_type"], json!(fraud), "{given:?}");
            assert_eq!(value["fraud_label"], json!(fraud.is_some()), "{given:?}");
            assert!((confidence - sure).abs() < 1e-9, "{given:?}: {confidence}");
        }
    }

    #[test]
    fn the_highest_score_and_every_risk_factor_are_kept_once() {
        let ballots = vec![
            ballot("stolen_card", 0.1, None),
            ballot("synthetic_fraud", 0.5, None),
        ];
        let (value, confidence) = decided(ballots);
        assert_eq!(value["fraud_score"], 0.5);
        let expected = json!(["night", "stolen_card", "synthetic_fraud"]);
        assert_eq!(value["risk_factors"], expected);
        // Who says nothing of it is not taken to be sure.
        assert!(confidence.abs() < 1e-9);
    }

    #[test]
    fn where_nobody_found_anything_nothing_is_decided() {
        assert_eq!(FraudPanel::decide(vec![]), Ok(Decision::NoQuorum));
    }

    #[test]
    fn a_ballot_that_is_no_opinion_is_refused_and_not_left_out() {
        for value in [
            json!(null),
            json!({ "fraud_type": "stolen_card", "risk_factors": [] }),
            json!({ "fraud_type": "witchcraft", "fraud_score": 0.1, "risk_factors": [] }),
            json!({ "fraud_type": "stolen_card", "fraud_score": 1.1, "risk_factors": [] }),
            json!({ "fraud_type": "stolen_card", "fraud_score": -0.1, "risk_factors": [] }),
        ] {
            let mut odd = ballot("stolen_card", 0.1, None);
            odd.value = value.clone();
            let decided = FraudPanel::decide(vec![ballot("stolen_card", 0.1, None), odd]);
            let Err(Failure::InvalidInput(text)) = decided else {
                panic!("{value}: {decided:?}")
            };
            assert!(text.starts_with("the ballot of `somebody`"), "{text}");
        }
    }
}
