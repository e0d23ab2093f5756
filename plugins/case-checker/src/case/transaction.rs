//! A card payment.

use serde_json::{Map, Value, json};

use super::{contradiction, copied, not_in_record};
use crate::Findings;

/// Fields that a stage copies, and where the record has them.
const INGESTED: [(&str, &[&str]); 9] = [
    ("transaction_id", &["transaction_id"]),
    ("amount", &["amount"]),
    ("timestamp", &["timestamp"]),
    ("home_country", &["home_country"]),
    ("merchant_country", &["merchant_country"]),
    ("merchant_category", &["merchant_category"]),
    (
        "avg_transaction_amount",
        &["user_behavior", "avg_transaction_amount"],
    ),
    (
        "transaction_count_24h",
        &["user_behavior", "transaction_count_24h"],
    ),
    ("account_age_days", &["user_behavior", "account_age_days"]),
];

const KEPT: [(&str, &[&str]); 4] = [
    ("transaction_id", &["transaction_id"]),
    (
        "transaction_count_24h",
        &["user_behavior", "transaction_count_24h"],
    ),
    ("account_age_days", &["user_behavior", "account_age_days"]),
    ("category", &["merchant_category"]),
];

pub(super) fn check(
    stage: &str,
    record: &Map<String, Value>,
    answer: &Map<String, Value>,
) -> Findings {
    match stage {
        "ingest" => copied(answer, record, &INGESTED),
        "normalise" | "extract" => {
            let mut findings = copied(answer, record, &KEPT);
            findings.extend(amount(record, answer));
            findings
        }
        "enrich" => {
            let mut findings = copied(answer, record, &KEPT);
            findings.extend(conditions(answer));
            findings
        }
        "decide" | "record" => decision(answer),
        _ => Vec::new(),
    }
}

/// An amount in cents that is not the record's.
fn amount(record: &Map<String, Value>, answer: &Map<String, Value>) -> Findings {
    let of_record = record.get("amount").and_then(Value::as_f64);
    let said = answer.get("amount_cents").and_then(Value::as_i64);
    match of_record.zip(said) {
        Some((amount, cents)) if (amount * 100.0).round() as i64 != cents => {
            let amount = json!((amount * 100.0).round() as i64);
            vec![not_in_record("/amount_cents", &json!(cents), &amount)]
        }
        _ => Vec::new(),
    }
}

/// Conditions of which one follows from another, or rules it out.
fn conditions(answer: &Map<String, Value>) -> Findings {
    let mark = |name: &str| answer.get("conditions")?.get(name)?.as_str();
    let mut findings = Vec::new();
    if mark("twenty_averages") != Some("missed") && mark("five_averages") != Some("met") {
        let text = "who is near or above twenty averages is above five";
        findings.push(contradiction("/conditions/five_averages", text));
    }
    if mark("new_account") != Some("missed") && mark("established_account") != Some("missed") {
        let text = "no account is new and established";
        findings.push(contradiction("/conditions/new_account", text));
    }
    findings
}

/// A label, a type and an action that do not belong together.
fn decision(answer: &Map<String, Value>) -> Findings {
    let is_fraud = answer.get("fraud_label") == Some(&Value::Bool(true));
    let has_type = answer.get("fraud_type").is_some_and(Value::is_string);
    let blocks = answer.get("expected_action").and_then(Value::as_str) == Some("block");
    let mut findings = Vec::new();
    if has_type != is_fraud {
        let text = "there is a type exactly when it is a fraud";
        findings.push(contradiction("/fraud_type", text));
    }
    if blocks != is_fraud {
        let text = "a payment is blocked exactly when it is a fraud";
        findings.push(contradiction("/expected_action", text));
    }
    findings
}
