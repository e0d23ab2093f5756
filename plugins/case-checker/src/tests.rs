use hotcell_sdk::testing::Host;
use hotcell_sdk::{Answer, Task};
use serde_json::json;

use super::*;

mod invoice;
mod reconciliation;

fn judged(case: &str, kind: &str, record: &Value, answer: &Value) -> Result<Verdict, Failure> {
    let object = |value: &Value| value.as_object().cloned().unwrap();
    let mut task = Task::new("T-1", object(record));
    task.kind = kind.to_owned();
    let subject = Subject::new(task, Answer::new(object(answer)));
    let host = Host::new().config(&json!({ "case": case }));
    host.run(|| CaseChecker::check(subject)).result
}

/// Where something was found.
fn found(case: &str, kind: &str, record: &Value, answer: &Value) -> Vec<String> {
    match judged(case, kind, record, answer) {
        Ok(Verdict::Pass) => Vec::new(),
        Ok(Verdict::Repair(findings)) => findings.into_iter().map(|it| it.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

fn payment() -> Value {
    json!({
        "transaction_id": "TXN-1", "home_country": "GB", "merchant_category": "books",
        "merchant_country": "FR", "amount": 49.99, "timestamp": "2024-01-01T05:59:59Z",
        "user_behavior": {
            "transaction_count_24h": 12, "avg_transaction_amount": 10.0, "account_age_days": 400,
        },
    })
}

#[test]
fn what_a_payment_is_said_to_be_is_held_against_the_record() {
    let ingested =
        json!({ "amount": 49.99, "avg_transaction_amount": 10, "account_age_days": 400 });
    assert!(found("transaction", "ingest", &payment(), &ingested).is_empty());
    for (kind, answer, pointer) in [
        ("ingest", json!({ "amount": 49.98 }), "/amount"),
        (
            "ingest",
            json!({ "transaction_count_24h": 11 }),
            "/transaction_count_24h",
        ),
        ("ingest", json!({ "home_country": "FR" }), "/home_country"),
        ("normalise", json!({ "amount_cents": 499 }), "/amount_cents"),
        (
            "ingest..extract",
            json!({ "account_age_days": 40 }),
            "/account_age_days",
        ),
        (
            "enrich",
            json!({ "transaction_id": "TXN-2" }),
            "/transaction_id",
        ),
        (
            "record",
            json!({ "fraud_label": true, "fraud_type": null, "expected_action": "block" }),
            "/fraud_type",
        ),
        (
            "decide",
            json!({ "fraud_label": false, "fraud_type": null, "expected_action": "block" }),
            "/expected_action",
        ),
    ] {
        let found = found("transaction", kind, &payment(), &answer);
        assert!(
            found.contains(&pointer.to_owned()),
            "{kind} {answer}: {found:?}"
        );
    }
}

#[test]
fn conditions_that_rule_each_other_out_are_found() {
    let conditions = |five: &str, twenty: &str, new: &str, old: &str| {
        json!({ "transaction_id": "TXN-1", "conditions": {
            "five_averages": five, "twenty_averages": twenty,
            "new_account": new, "established_account": old,
        } })
    };
    for (answer, expected) in [
        (conditions("met", "met", "missed", "met"), vec![]),
        (conditions("near", "missed", "met", "missed"), vec![]),
        (
            conditions("near", "near", "met", "missed"),
            vec!["/conditions/five_averages"],
        ),
        (
            conditions("met", "met", "near", "near"),
            vec!["/conditions/new_account"],
        ),
    ] {
        let found = found("transaction", "enrich", &payment(), &answer);
        assert_eq!(found, expected, "{answer}");
    }
}

#[test]
fn a_case_that_is_none_is_a_mistake_in_the_workflow() {
    let judged = judged("tax", "ingest", &json!({}), &json!({}));
    let Err(Failure::Permanent(text)) = &judged else {
        panic!("{judged:?}")
    };
    assert!(text.contains("`transaction`"), "{text}");
}
