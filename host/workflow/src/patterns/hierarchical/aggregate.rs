//! One answer out of many. Pure, and the same in whatever order they came: they
//! are looked at in the order of the plan.

use std::sync::Arc;

use hotcell_runtime::task::Output;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::plan::Step;

/// Where in a mean's results the risk factors stand.
const RISK_FACTORS: &str = "/risk_factors";

/// How one answer is made out of many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The mean of a number: `score`, its mean over all results that have it;
    /// `over`, whether that is greater (not equal); `count`, how many have it;
    /// `average_confidence` of these (`null` if none of them says);
    /// `risk_factors`, each one once, if any of them has such a list.
    Mean {
        /// JSON pointer to the number.
        field: String,
        /// The threshold.
        over: f64,
    },
    /// Every item of all lists, once, where it comes first.
    Union {
        /// JSON pointer to the list; empty for the whole.
        field: String,
    },
    /// What more than half of the results say.
    Majority {
        /// JSON pointer to what is compared; empty for the whole.
        field: String,
    },
    /// The first result in the order of the plan.
    First,
    /// An aggregator's decision over all results.
    Plugin(Arc<Step>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// Too few results say anything.
    NoQuorum(String),
    /// Nothing is said by more than half.
    Tie(String),
}

impl Aggregate {
    /// One answer, out of at least so many. A [`Aggregate::Plugin`] is asked, and
    /// has none of its own.
    pub(super) fn of(&self, results: &[&Output], least: usize) -> Result<Output, Nothing> {
        let values: Vec<(&Output, Value)> = results
            .iter()
            .filter_map(|it| Some((*it, serde_json::from_str(&it.value).ok()?)))
            .collect();
        match self {
            Aggregate::Mean { field, over } => mean(&values, field, *over, least),
            Aggregate::Union { field } => union(&values, field, least),
            Aggregate::Majority { field } => majority(&values, field, least),
            Aggregate::First | Aggregate::Plugin(_) => {
                let first = results.first().map(|it| (*it).clone());
                first.ok_or_else(|| Nothing::NoQuorum("there is no result".to_owned()))
            }
        }
    }
}

fn enough(count: usize, least: usize, what: &str, field: &str) -> Result<(), Nothing> {
    if count >= least.max(1) {
        return Ok(());
    }
    Err(Nothing::NoQuorum(format!(
        "{count} results have {what} at `{field}`, and {least} must"
    )))
}

fn mean(
    values: &[(&Output, Value)],
    field: &str,
    over: f64,
    least: usize,
) -> Result<Output, Nothing> {
    let scored: Vec<(&Output, &Value, f64)> = values
        .iter()
        .filter_map(|(output, value)| Some((*output, value, value.pointer(field)?.as_f64()?)))
        .collect();
    enough(scored.len(), least, "a number", field)?;
    let scores: Vec<f64> = scored.iter().map(|(.., score)| *score).collect();
    let score = average(&scores).unwrap_or_default();
    // What the agent says of its answer, or what the answer says of itself.
    let sure: Vec<f64> = scored
        .iter()
        .filter_map(|(output, value, _)| {
            let own = value.pointer("/confidence").and_then(Value::as_f64);
            let sure = output.confidence.or(own);
            sure.filter(|sure| (0.0..=1.0).contains(sure))
        })
        .collect();
    let confidence = average(&sure);
    let lists = scored
        .iter()
        .filter_map(|(_, value, _)| value.pointer(RISK_FACTORS)?.as_array());
    let mut lists = lists.peekable();
    let factors = lists.peek().is_some().then(|| distinct(lists.flatten()));
    let mut value = Map::new();
    value.insert("score".to_owned(), json!(score));
    value.insert("over".to_owned(), json!(score > over));
    value.insert("count".to_owned(), json!(scored.len()));
    value.insert("average_confidence".to_owned(), json!(confidence));
    if let Some(factors) = factors {
        value.insert("risk_factors".to_owned(), Value::Array(factors));
    }
    Ok(answer(Value::Object(value), confidence))
}

fn average(all: &[f64]) -> Option<f64> {
    let len = all.len() as f64;
    let mean = match all.iter().sum::<f64>() {
        sum if sum.is_finite() => sum / len,
        // Numbers so large that their sum is none.
        _ => all.iter().map(|it| it / len).sum(),
    };
    (!all.is_empty()).then_some(mean)
}

fn union(values: &[(&Output, Value)], field: &str, least: usize) -> Result<Output, Nothing> {
    let lists = values
        .iter()
        .filter_map(|(_, value)| value.pointer(field)?.as_array());
    let lists: Vec<&Vec<Value>> = lists.collect();
    enough(lists.len(), least, "a list", field)?;
    let all = distinct(lists.into_iter().flatten());
    Ok(answer(named(field, Value::Array(all)), None))
}

fn majority(values: &[(&Output, Value)], field: &str, least: usize) -> Result<Output, Nothing> {
    let said: Vec<&Value> = values
        .iter()
        .filter_map(|(_, value)| value.pointer(field))
        .collect();
    enough(said.len(), least, "a value", field)?;
    let votes = |value: &Value| said.iter().filter(|other| **other == value).count();
    let winner = said.iter().find(|value| votes(value) * 2 > said.len());
    let Some(winner) = winner else {
        return Err(Nothing::Tie(format!(
            "no value at `{field}` has more than half of {} results",
            said.len()
        )));
    };
    let share = votes(winner) as f64 / said.len() as f64;
    Ok(answer(named(field, (*winner).clone()), Some(share)))
}

/// The value itself when it is about the whole, else under its field's last name.
fn named(field: &str, value: Value) -> Value {
    let Some((_, last)) = field.rsplit_once('/') else {
        return value;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    Value::Object(Map::from_iter([(last, value)]))
}

fn distinct<'a>(all: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let mut distinct: Vec<Value> = Vec::new();
    for value in all {
        if !distinct.contains(value) {
            distinct.push(value.clone());
        }
    }
    distinct
}

fn answer(value: Value, confidence: Option<f64>) -> Output {
    Output {
        value: value.to_string(),
        confidence,
        ..Output::default()
    }
}
