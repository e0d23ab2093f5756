//! How many answers are right. Pure: gold and answers in, counts out.
//!
//! Only counts leave this module, so two runs can be compared exactly; what is
//! shown as a percentage is divided where it is shown. An answer that is not
//! there is wrong in every field.

use std::collections::BTreeMap;

use hotcell_measure::stats;
use serde_json::{Map, Value};

pub(crate) mod answer;

/// The right answers by record id. Every one of them has every field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gold {
    fields: Vec<String>,
    records: BTreeMap<String, Answer>,
}

#[derive(Clone, Debug, PartialEq)]
struct Answer {
    fields: Map<String, Value>,
    group: Option<String>,
}

/// Why a text is no set of right answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoldError {
    /// Not an object of objects.
    #[error("the gold file must be a JSON object from record id to an object")]
    Shape(#[source] serde_json::Error),
    /// An answer that lacks a field which is scored or grouped by.
    #[error("the gold answer of `{id}` has no field `{field}`")]
    Field {
        /// Whose answer.
        id: String,
        /// Which field.
        field: String,
    },
}

impl Gold {
    /// The gold answers of a file's text, of which these fields count.
    pub(crate) fn parse(
        text: &str,
        fields: &[String],
        group_by: Option<&str>,
    ) -> Result<Gold, GoldError> {
        let all: BTreeMap<String, Map<String, Value>> =
            serde_json::from_str(text).map_err(GoldError::Shape)?;
        let mut records = BTreeMap::new();
        for (id, answer) in all {
            let needed = fields.iter().map(String::as_str).chain(group_by);
            if let Some(field) = needed
                .into_iter()
                .find(|field| !answer.contains_key(*field))
            {
                let field = field.to_owned();
                return Err(GoldError::Field { id, field });
            }
            let group = group_by
                .and_then(|field| answer.get(field))
                .map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
            records.insert(
                id,
                Answer {
                    fields: answer,
                    group,
                },
            );
        }
        Ok(Gold {
            fields: fields.to_vec(),
            records,
        })
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// The right ones.
    pub(crate) right: u64,
    /// All.
    pub(crate) of: u64,
}

impl Count {
    fn add(&mut self, right: bool) {
        self.right += u64::from(right);
        self.of += 1;
    }
}

/// Counts over some records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Right in every field.
    pub(crate) joint: Count,
    /// Right in one field, in the order the fields were given.
    pub(crate) per_field: Vec<(String, Count)>,
}

/// How many answers are right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// Over all records.
    pub(crate) all: Tally,
    /// Over the records of each group; empty when nothing is grouped.
    pub(crate) per_group: BTreeMap<String, Tally>,
    /// Records that have no gold answer, in order: they are not counted.
    pub(crate) without_gold: Vec<String>,
}

/// Scores the answers of the records that were run. A record that came to no
/// answer is given as none, not left out.
pub(crate) fn score<'a>(
    gold: &Gold,
    outcomes: impl IntoIterator<Item = (&'a str, Option<&'a Value>)>,
) -> Score {
    let empty = Tally {
        joint: Count::default(),
        per_field: gold
            .fields
            .iter()
            .map(|field| (field.clone(), Count::default()))
            .collect(),
    };
    let mut score = Score {
        all: empty.clone(),
        ..Score::default()
    };
    for (id, answer) in outcomes {
        let Some(right) = gold.records.get(id) else {
            score.without_gold.push(id.to_owned());
            continue;
        };
        add(&mut score.all, right, answer);
        if let Some(group) = &right.group {
            let group = score
                .per_group
                .entry(group.clone())
                .or_insert_with(|| empty.clone());
            add(group, right, answer);
        }
    }
    score.without_gold.sort();
    score
}

fn add(tally: &mut Tally, gold: &Answer, answer: Option<&Value>) {
    let mut all = true;
    for (field, count) in &mut tally.per_field {
        let given = answer.and_then(|answer| answer.get(field.as_str()));
        let right = gold
            .fields
            .get(field)
            .zip(given)
            .is_some_and(|(gold, given)| same(gold, given));
        count.add(right);
        all &= right;
    }
    tally.joint.add(all);
}

/// Texts whatever their case, numbers less than a cent apart, anything else
/// exactly.
fn same(gold: &Value, given: &Value) -> bool {
    // A whole cent must count as different even where binary fractions put the
    // difference a hair below 0.01.
    const CENT: f64 = 0.01 - 1e-6;
    match (gold, given) {
        (Value::String(gold), Value::String(given)) => gold.to_lowercase() == given.to_lowercase(),
        (Value::Number(gold), Value::Number(given)) => match (gold.as_f64(), given.as_f64()) {
            (Some(gold), Some(given)) => (gold - given).abs() < CENT,
            _ => gold == given,
        },
        _ => gold == given,
    }
}

/// The 95 per cent Wilson score interval of a rate, from 0.0 to 1.0. Of nothing at
/// all nothing is known: 0.0 to 1.0.
pub(crate) fn wilson(count: Count) -> (f64, f64) {
    let interval = stats::wilson(count.right, count.of);
    interval.map_or((0.0, 1.0), |it| (it.low, it.high))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gold(fields: &[&str], group_by: Option<&str>) -> Gold {
        let text = json!({
            "a": {"ok": true, "vendor": "Acme", "amount": 10.5, "fault": "none"},
            "b": {"ok": false, "vendor": null, "amount": 7, "fault": "ocr"},
            "c": {"ok": true, "vendor": "Bolt", "amount": 1, "fault": "none"},
        });
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        Gold::parse(&text.to_string(), &fields, group_by).unwrap()
    }

    fn count(right: u64, of: u64) -> Count {
        Count { right, of }
    }

    #[test]
    fn texts_ignore_case_numbers_a_fraction_of_a_cent_and_nothing_else_bends() {
        let table = [
            (json!("Acme"), json!("ACME"), true),
            (json!("Ärmel"), json!("äRMEL"), true),
            (json!("Acme"), json!("Acme "), false),
            (json!(10), json!(10.0), true),
            (json!(10.0), json!(10.009), true),
            (json!(10.0), json!(10.01), false),
            (json!(1000.0), json!(1000.01), false),
            (json!(1000.01), json!(1000.0), false),
            (json!(49999.99), json!(50000.0), false),
            (json!(10), json!("10"), false),
            (json!(true), json!(true), true),
            (json!(true), json!("true"), false),
            (json!(true), json!(1), false),
            (json!(null), json!(null), true),
            (json!(null), json!(""), false),
            (json!(["a"]), json!(["a"]), true),
            (json!(["a"]), json!(["A"]), false),
        ];
        for (gold, given, expected) in table {
            assert_eq!(same(&gold, &given), expected, "{gold} / {given}");
        }
    }

    #[test]
    fn an_answer_counts_for_each_field_and_for_all_at_once() {
        let gold = gold(&["ok", "vendor", "amount"], Some("fault"));
        let (a, b) = (
            json!({"ok": true, "vendor": "acme", "amount": 10.5, "more": 1}),
            json!({"ok": false, "vendor": "Acme", "amount": 7}),
        );
        let score = score(
            &gold,
            [
                ("a", Some(&a)),
                ("b", Some(&b)),
                ("c", None),
                ("z", Some(&a)),
            ],
        );
        let tally = |joint, ok, vendor, amount| Tally {
            joint,
            per_field: vec![
                ("ok".to_owned(), ok),
                ("vendor".to_owned(), vendor),
                ("amount".to_owned(), amount),
            ],
        };
        let groups = [
            (
                "none".to_owned(),
                tally(count(1, 2), count(1, 2), count(1, 2), count(1, 2)),
            ),
            (
                "ocr".to_owned(),
                tally(count(0, 1), count(1, 1), count(0, 1), count(1, 1)),
            ),
        ];
        let expected = Score {
            all: tally(count(1, 3), count(2, 3), count(1, 3), count(2, 3)),
            per_group: groups.into(),
            without_gold: vec!["z".to_owned()],
        };
        assert_eq!(score, expected);
    }

    #[test]
    fn no_answer_is_wrong_even_where_the_gold_is_null() {
        let gold = gold(&["vendor"], None);
        for answer in [
            None,
            Some(json!({})),
            Some(json!(null)),
            Some(json!(["vendor"])),
        ] {
            let score = score(&gold, [("b", answer.as_ref())]);
            assert_eq!(score.all.joint, count(0, 1), "{answer:?}");
            assert!(score.per_group.is_empty());
        }
    }

    #[test]
    fn records_that_were_not_run_are_not_counted() {
        let gold = gold(&["ok"], None);
        let answer = json!({"ok": true});
        assert_eq!(score(&gold, [("c", Some(&answer))]).all.joint, count(1, 1));
        assert_eq!(score(&gold, []).all.joint, count(0, 0));
    }

    #[test]
    fn gold_that_lacks_a_field_is_refused() {
        let fields = ["ok".to_owned()];
        let refused = |text: &str, group_by| {
            Gold::parse(text, &fields, group_by)
                .unwrap_err()
                .to_string()
        };
        let shape = "the gold file must be a JSON object from record id to an object";
        assert_eq!(refused("[]", None), shape);
        assert_eq!(refused("{\"a\": 1}", None), shape);
        let text = "{\"a\": {\"ok\": 1}, \"b\": {}}";
        assert_eq!(
            refused(text, None),
            "the gold answer of `b` has no field `ok`"
        );
        let text = "{\"a\": {\"ok\": 1}}";
        assert_eq!(
            refused(text, Some("g")),
            "the gold answer of `a` has no field `g`"
        );
    }

    #[test]
    fn the_wilson_interval_is_that_of_the_tables() {
        let table = [
            (70, 100, 0.6042, 0.7811),
            (210, 300, 0.6459, 0.7491),
            (0, 10, 0.0, 0.2775),
            (10, 10, 0.7225, 1.0),
            (0, 0, 0.0, 1.0),
        ];
        for (right, of, low, high) in table {
            let (from, to) = wilson(count(right, of));
            assert!(
                (from - low).abs() < 5e-5 && (to - high).abs() < 5e-5,
                "{right}/{of}: {from} {to}"
            );
        }
    }
}
