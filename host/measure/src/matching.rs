//! Whether an answer is right, by the ways the course knows, and how alike two texts are.

mod similar;

use std::collections::BTreeSet;

use serde_json::Value;

pub use similar::{LONGEST, similarity};

/// From which similarity on two texts match, unless said otherwise.
pub const THRESHOLD: f64 = 0.8;

/// Below which difference two numbers match.
pub const TOLERANCE: f64 = 0.01;

/// How an answer is held against what is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Match {
    /// The same JSON.
    Exact,
    /// The same text, whatever the case of its letters.
    CaseInsensitive,
    /// A text at least this similar.
    Fuzzy(f64),
    /// A number less than [`TOLERANCE`] away.
    Numeric,
    /// A list with the same members, in whatever order and however often.
    Set,
}

/// Why answers cannot be held against what is right.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MatchError {
    /// There is no such way.
    #[error(
        "unknown match type `{0}`: it is `exact`, `case_insensitive`, `fuzzy`, `numeric` or `set`"
    )]
    Unknown(String),
    /// A threshold is a share.
    #[error("the threshold `{0}` is not between 0 and 1")]
    Threshold(f64),
    /// Each answer needs its counterpart.
    #[error("there are `{answers}` answers and `{gold}` right ones: they have to be as many")]
    Lengths {
        /// How many answers.
        answers: usize,
        /// How many right ones.
        gold: usize,
    },
    /// Comparing long texts takes more than the square of their length.
    #[error("a text of `{0}` characters is too long to be compared: `{LONGEST}` are the most")]
    TooLong(usize),
}

impl Match {
    /// The way of this name; the threshold matters to `fuzzy` alone.
    ///
    /// # Errors
    /// If there is no such way, or the threshold is not from 0 to 1.
    pub fn named(name: &str, threshold: f64) -> Result<Match, MatchError> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(MatchError::Threshold(threshold));
        }
        match name {
            "exact" => Ok(Match::Exact),
            "case_insensitive" => Ok(Match::CaseInsensitive),
            "fuzzy" => Ok(Match::Fuzzy(threshold)),
            "numeric" => Ok(Match::Numeric),
            "set" => Ok(Match::Set),
            _ => Err(MatchError::Unknown(name.to_owned())),
        }
    }

    /// Whether this answer matches.
    ///
    /// # Errors
    /// If texts are too long to be compared.
    pub fn matches(self, answer: &Value, gold: &Value) -> Result<bool, MatchError> {
        Ok(match self {
            Match::Exact => answer == gold,
            Match::CaseInsensitive => text(answer).to_lowercase() == text(gold).to_lowercase(),
            Match::Fuzzy(threshold) => similarity(&text(answer), &text(gold))? >= threshold,
            Match::Numeric => match (number(answer), number(gold)) {
                (Some(answer), Some(gold)) => (answer - gold).abs() < TOLERANCE,
                _ => false,
            },
            Match::Set => match (members(answer), members(gold)) {
                (Some(answer), Some(gold)) => answer == gold,
                _ => false,
            },
        })
    }
}

/// The members of a list, each as JSON with its keys in order.
fn members(value: &Value) -> Option<BTreeSet<String>> {
    let members = value.as_array()?.iter();
    Some(members.map(|member| ordered(member).to_string()).collect())
}

/// The same with its keys in order, at every depth: whether a map sorts them is up
/// to how it was built.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(ordered).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let field = |(key, value): (&String, &Value)| (key.clone(), ordered(value));
            fields.into_iter().map(field).collect()
        }
        other => other.clone(),
    }
}

/// The share of answers that match; 0 of nothing, as the course has it.
///
/// # Errors
/// If there are not as many answers as right ones, or texts are too long.
pub fn success_rate(answers: &[Value], gold: &[Value], by: Match) -> Result<f64, MatchError> {
    if answers.len() != gold.len() {
        return Err(MatchError::Lengths {
            answers: answers.len(),
            gold: gold.len(),
        });
    }
    let mut right = 0_u32;
    for (answer, gold) in answers.iter().zip(gold) {
        right += u32::from(by.matches(answer, gold)?);
    }
    Ok(f64::from(right) / answers.len().max(1) as f64)
}

/// A value as text: a text is itself, anything else its JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_way_matches_what_it_should() {
        let cases = [
            ("exact", json!({"a": [1, 2]}), json!({"a": [1, 2]}), true),
            ("exact", json!("Acme"), json!("acme"), false),
            ("exact", json!(1), json!("1"), false),
            (
                "case_insensitive",
                json!("ACME Corp"),
                json!("acme corp"),
                true,
            ),
            ("case_insensitive", json!(true), json!("True"), true),
            ("case_insensitive", json!("acme"), json!("acne"), false),
            (
                "fuzzy",
                json!("Acme Corporation"),
                json!("Acme Corporatoin"),
                true,
            ),
            ("fuzzy", json!("Acme"), json!("Globex"), false),
            ("numeric", json!(10.004), json!(10), true),
            ("numeric", json!("10.0"), json!(10), true),
            ("numeric", json!(10.02), json!(10.0), false),
            ("numeric", json!("ten"), json!(10), false),
            ("numeric", json!("NaN"), json!("NaN"), false),
            ("set", json!(["b", "a", "b"]), json!(["a", "b"]), true),
            ("set", json!(["a"]), json!(["a", "b"]), false),
            ("set", json!(["a", "b"]), json!(["a"]), false),
            (
                "set",
                json!([{"x": 1, "y": 2}, 3]),
                json!([3, {"y": 2, "x": 1}]),
                true,
            ),
            ("set", json!("ab"), json!("ab"), false),
        ];
        for (name, answer, gold, expected) in cases {
            let by = Match::named(name, THRESHOLD).unwrap();
            let found = by.matches(&answer, &gold).unwrap();
            assert_eq!(found, expected, "{name}: {answer} and {gold}");
        }
    }

    #[test]
    fn a_threshold_of_one_wants_the_same_text_and_of_zero_takes_any() {
        let of = |threshold| Match::named("fuzzy", threshold).unwrap();
        let (a, b) = (json!("abcd"), json!("abce"));
        assert_eq!(of(1.0).matches(&a, &b), Ok(false));
        assert_eq!(of(1.0).matches(&a, &a), Ok(true));
        assert_eq!(of(0.0).matches(&a, &json!("xyz")), Ok(true));
        assert_eq!(of(0.75).matches(&a, &b), Ok(true));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let unknown = Match::named("soundex", 0.8).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "unknown match type `soundex`: it is `exact`, `case_insensitive`, `fuzzy`, `numeric` or \
             `set`"
        );
        for threshold in [-0.1, 1.1, f64::NAN] {
            let found = Match::named("fuzzy", threshold);
            assert!(
                matches!(found, Err(MatchError::Threshold(_))),
                "{threshold}"
            );
        }
        let lengths = success_rate(&[json!(1)], &[], Match::Exact);
        assert_eq!(
            lengths,
            Err(MatchError::Lengths {
                answers: 1,
                gold: 0
            })
        );
    }

    #[test]
    fn the_rate_is_the_share_of_matches() {
        let answers = [json!("a"), json!("B"), json!("c"), json!("x")];
        let gold = [json!("a"), json!("b"), json!("c"), json!("d")];
        assert_eq!(success_rate(&answers, &gold, Match::Exact), Ok(0.5));
        assert_eq!(
            success_rate(&answers, &gold, Match::CaseInsensitive),
            Ok(0.75)
        );
        assert_eq!(success_rate(&[], &[], Match::Exact), Ok(0.0));
    }
}
