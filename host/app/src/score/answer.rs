//! Which fields of one answer of the benchmark are right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::same;
use crate::data::suite::Set;

/// Which fields of a benchmark's answer are right, for every field that the gold
/// answer has. A vendor may be written in any case, money may be less than a cent
/// off, and matches are a set, in any order; everything else is exact. What is not
/// there is wrong.
pub(crate) fn right(set: Set, gold: &Map<String, Value>, answer: &Value) -> BTreeMap<String, bool> {
    let field = |(field, gold): (&String, &Value)| {
        let right = answer
            .get(field)
            .is_some_and(|given| match (set, field.as_str()) {
                (Set::Invoice, "correct_vendor") => same(gold, given),
                (Set::Reconciliation, "discrepancy") => same(gold, given),
                (Set::Reconciliation, "matches") => {
                    pairs(gold).is_some_and(|gold| pairs(given) == Some(gold))
                }
                _ => gold == given,
            });
        (field.clone(), right)
    };
    gold.iter().map(field).collect()
}

/// Matches by their two ids; none when it is something else.
fn pairs(matches: &Value) -> Option<BTreeSet<(&str, &str)>> {
    fn pair(pair: &Value) -> Option<(&str, &str)> {
        let id = |key| pair.get(key).and_then(Value::as_str);
        id("bank_id").zip(id("ledger_id"))
    }
    matches.as_array()?.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answers_of_the_benchmark_bend_where_they_may_and_nowhere_else() {
        let matches = |pairs: &[(&str, &str)]| {
            let pair =
                |(bank, ledger): &(&str, &str)| json!({"bank_id": bank, "ledger_id": ledger});
            Value::Array(pairs.iter().map(pair).collect())
        };
        let two = matches(&[("b1", "l1"), ("b2", "l2")]);
        let table = [
            (
                Set::Invoice,
                "correct_vendor",
                json!("Acme"),
                json!("ACME"),
                true,
            ),
            (
                Set::Invoice,
                "correct_vendor",
                json!(null),
                json!(null),
                true,
            ),
            (
                Set::Invoice,
                "correct_vendor",
                json!(null),
                json!(""),
                false,
            ),
            (
                Set::Invoice,
                "reason",
                json!("valid"),
                json!("Valid"),
                false,
            ),
            (Set::Invoice, "is_valid", json!(true), json!("true"), false),
            (
                Set::Transaction,
                "fraud_type",
                json!(null),
                json!(null),
                true,
            ),
            (
                Set::Transaction,
                "fraud_type",
                json!(null),
                json!("none"),
                false,
            ),
            (
                Set::Transaction,
                "expected_action",
                json!("block"),
                json!("BLOCK"),
                false,
            ),
            (
                Set::Reconciliation,
                "discrepancy",
                json!(1.0),
                json!(1),
                true,
            ),
            (
                Set::Reconciliation,
                "discrepancy",
                json!(1.0),
                json!(1.009),
                true,
            ),
            (
                Set::Reconciliation,
                "discrepancy",
                json!(1.0),
                json!(1.01),
                false,
            ),
            (
                Set::Reconciliation,
                "discrepancy",
                json!(1.0),
                json!("1.0"),
                false,
            ),
            (
                Set::Reconciliation,
                "status",
                json!("perfect_match"),
                json!("Perfect_Match"),
                false,
            ),
            (
                Set::Reconciliation,
                "matches",
                two.clone(),
                matches(&[("b2", "l2"), ("b1", "l1")]),
                true,
            ),
            (
                Set::Reconciliation,
                "matches",
                two.clone(),
                matches(&[("b1", "l1"), ("b2", "l2"), ("b3", "l3")]),
                false,
            ),
            (
                Set::Reconciliation,
                "matches",
                two.clone(),
                matches(&[("b1", "l1")]),
                false,
            ),
            (
                Set::Reconciliation,
                "matches",
                two.clone(),
                matches(&[("b1", "l2"), ("b2", "l1")]),
                false,
            ),
            (
                Set::Reconciliation,
                "matches",
                two.clone(),
                json!([["b1", "l1"], ["b2", "l2"]]),
                false,
            ),
            (Set::Reconciliation, "matches", two, json!({}), false),
            (Set::Reconciliation, "matches", json!([]), json!([]), true),
            (
                Set::Reconciliation,
                "matches",
                json!([]),
                json!(null),
                false,
            ),
            (
                Set::Reconciliation,
                "matches",
                json!("?"),
                json!("?"),
                false,
            ),
        ];
        for (set, field, gold, given, expected) in table {
            let gold = Map::from_iter([(field.to_owned(), gold)]);
            let right = right(set, &gold, &json!({field: given, "more": 1}));
            let expected = BTreeMap::from([(field.to_owned(), expected)]);
            assert_eq!(right, expected, "{gold:?} / {given}");
        }
        let gold = Map::from_iter([("fraud_type".to_owned(), json!(null))]);
        for answer in [json!({}), json!(null), json!([])] {
            let right = right(Set::Transaction, &gold, &answer);
            assert_eq!(right.into_values().collect::<Vec<_>>(), [false], "{answer}");
        }
    }
}
