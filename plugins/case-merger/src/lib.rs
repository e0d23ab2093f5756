//! Puts the parts of an answer together that specialists have found.
//!
//! Each says another part, so nobody is outvoted: fields stand beside each other,
//! items of lists one after the other. Where two say something about the same field
//! the first counts, in the order of the plan.

use hotcell_sdk::{Aggregator, Ballot, Decision, Failure};
use serde_json::Value;

struct CaseMerger;

impl Aggregator for CaseMerger {
    fn decide(ballots: Vec<Ballot>) -> Result<Decision, Failure> {
        // As sure as the least sure of them: each part is needed.
        let confidence = ballots.iter().filter_map(|ballot| ballot.confidence);
        let confidence = confidence.fold(1.0, f64::min);
        let parts = ballots.into_iter().map(|ballot| ballot.value);
        Ok(match parts.reduce(merged) {
            Some(whole) => Decision::Decided(whole, confidence),
            None => Decision::NoQuorum,
        })
    }
}

hotcell_sdk::export!(aggregator: CaseMerger);

/// Two parts as one.
fn merged(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut whole), Value::Object(part)) => {
            for (name, value) in part {
                let value = match whole.remove(&name) {
                    Some(before) => merged(before, value),
                    None => value,
                };
                whole.insert(name, value);
            }
            Value::Object(whole)
        }
        (Value::Array(mut whole), Value::Array(part)) => {
            whole.extend(part);
            Value::Array(whole)
        }
        (first, _) => first,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ballot(value: Value, confidence: Option<f64>) -> Ballot {
        Ballot {
            voter: "somebody".to_owned(),
            value,
            confidence,
            weight: 1.0,
        }
    }

    #[test]
    fn parts_stand_beside_and_behind_each_other() {
        for (parts, whole) in [
            (
                vec![json!({ "a": 1 }), json!({ "b": 2 })],
                json!({ "a": 1, "b": 2 }),
            ),
            (
                vec![
                    json!({ "f": { "a": 1 } }),
                    json!({ "f": { "b": 2 } }),
                    json!({ "f": {} }),
                ],
                json!({ "f": { "a": 1, "b": 2 } }),
            ),
            (
                vec![json!({ "l": [1] }), json!({ "l": [2, 1] })],
                json!({ "l": [1, 2, 1] }),
            ),
            (
                vec![json!({ "a": 1 }), json!({ "a": 2 })],
                json!({ "a": 1 }),
            ),
            (
                vec![json!({ "a": [1] }), json!({ "a": 2 })],
                json!({ "a": [1] }),
            ),
            (vec![json!({ "a": 1 })], json!({ "a": 1 })),
        ] {
            let ballots = parts.into_iter().map(|part| ballot(part, None)).collect();
            let decided = CaseMerger::decide(ballots);
            assert_eq!(decided, Ok(Decision::Decided(whole, 1.0)));
        }
    }

    #[test]
    fn the_whole_is_as_sure_as_its_least_sure_part() {
        let sure = [Some(0.9), None, Some(0.4)];
        let ballots = sure.map(|it| ballot(json!({}), it)).to_vec();
        let decided = CaseMerger::decide(ballots);
        assert_eq!(decided, Ok(Decision::Decided(json!({}), 0.4)));
    }

    #[test]
    fn out_of_nothing_comes_nothing() {
        assert_eq!(CaseMerger::decide(Vec::new()), Ok(Decision::NoQuorum));
    }
}
