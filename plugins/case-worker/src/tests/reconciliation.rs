//! Statements and ledgers.

use super::*;

fn run(host: Host, kind: &str, input: &Value) -> Ran<Result_> {
    let mut task = Task::new("REC-1", input.as_object().cloned().unwrap());
    task.kind = kind.to_owned();
    host.config(&json!({ "case": "reconciliation" }))
        .run(|| CaseWorker::run(task))
}

fn lines() -> Value {
    let entry = json!({
        "id": "L1", "day": 60, "cents": 1040, "account": "5000-93", "document": null,
        "words": "acme",
    });
    json!({ "bank": [], "ledger": [entry] })
}

#[test]
fn a_plan_hands_each_group_to_its_specialist() {
    let plan = json!({ "given": { "first": lines(), "second": lines() } });
    let record = json!({ "bank_transactions": [], "ledger_entries": [] });
    let ran = run(Host::new().answer_json(&plan), "plan", &record);
    let subtask = |name: &str| Subtask::new(name, name, lines());
    assert_eq!(
        ran.result.unwrap().plan,
        [subtask("first"), subtask("second")]
    );
}

#[test]
fn each_specialist_answers_with_what_checking_answers_with() {
    let checked = json!({
        "matches": [], "duplicates": [], "open": [{ "id": "L1", "cents": 1040 }],
    });
    for name in ["first", "second", "third"] {
        let ran = run(Host::new().answer_json(&checked), name, &lines());
        let schema = format!("{:?}", ran.requests[0].response_format);
        let title = format!("reconciliation-{name}-from-normalise");
        assert!(schema.contains(&title), "{schema}");
        assert_eq!(ran.result.unwrap().value, checked);
    }
}
