//! What is checked, by case and stage.

mod invoice;
mod reconciliation;
mod transaction;

use hotcell_sdk::{Failure, Finding};
use serde_json::{Map, Value};

use crate::Findings;

/// What is wrong with a stage's answer, given the record.
type Check = fn(&str, &Map<String, Value>, &Map<String, Value>) -> Findings;

const CASES: [(&str, Check); 3] = [
    ("transaction", transaction::check),
    ("invoice", invoice::check),
    ("reconciliation", reconciliation::check),
];

/// The checks of the case of this name.
pub(crate) fn named(name: &str) -> Result<Check, Failure> {
    let found = CASES.iter().find(|(case, _)| *case == name);
    found.map(|(_, check)| *check).ok_or_else(|| {
        let names = CASES.map(|(case, _)| format!("`{case}`")).join(", ");
        Failure::permanent(format!(
            "the config's `case` is `{name}`; it must be one of {names}"
        ))
    })
}

/// A value that is not what the record says.
fn not_in_record(pointer: &str, value: &Value, record: &Value) -> Finding {
    let message = format!("it is {value}, and the record says {record}");
    Finding::new(pointer, "not-in-record", message)
}

/// Fields that cannot both be right.
fn contradiction(pointer: &str, message: &str) -> Finding {
    Finding::new(pointer, "contradiction", message)
}

/// Findings about fields that are copied, by the place in the record.
fn copied(
    answer: &Map<String, Value>,
    record: &Map<String, Value>,
    fields: &[(&str, &[&str])],
) -> Findings {
    let mut findings = Vec::new();
    for (name, place) in fields {
        let mut of_record = Some(record);
        let (last, way) = place.split_last().unwrap_or((name, &[]));
        for part in way {
            of_record = of_record
                .and_then(|at| at.get(*part))
                .and_then(Value::as_object);
        }
        let of_record = of_record.and_then(|at| at.get(*last));
        let (Some(said), Some(of_record)) = (answer.get(*name), of_record) else {
            continue;
        };
        if !same(said, of_record) {
            findings.push(not_in_record(&format!("/{name}"), said, of_record));
        }
    }
    findings
}

/// Whether two values are the same; 5 and 5.0 are.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() < 0.005,
        _ => one == other,
    }
}
