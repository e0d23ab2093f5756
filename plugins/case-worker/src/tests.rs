use hotcell_sdk::Finding;
use hotcell_sdk::llm::Part;
use hotcell_sdk::testing::{Host, Ran};

use super::*;

type Result_ = Result<Answer<Value>, Failure>;

fn payment() -> Value {
    json!({
        "transaction_id": "TXN-1", "home_country": "GB", "merchant": "A ``` B",
        "merchant_category": "books", "merchant_country": "FR", "amount": 49.99,
        "timestamp": "2024-01-01T05:59:59Z",
        "user_behavior": {
            "transaction_count_24h": 12, "avg_transaction_amount": 10.0, "account_age_days": 400,
        },
    })
}

fn task(kind: &str) -> Task<Map<String, Value>> {
    let mut task = Task::new("TXN-1", payment().as_object().cloned().unwrap());
    task.kind = kind.to_owned();
    task
}

fn run(host: Host, task: Task<Map<String, Value>>) -> Ran<Result_> {
    host.config(&json!({ "case": "transaction" }))
        .run(|| CaseWorker::run(task))
}

fn said(ran: &Ran<Result_>, message: usize) -> String {
    let text = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let parts = &ran.requests[0].messages[message].content;
    parts.iter().map(text).collect()
}

#[test]
fn a_stage_sees_the_stage_before_and_not_the_record() {
    let before = json!({ "frauds": {
        "stolen_card": "holds", "account_takeover": "far", "synthetic_fraud": "far",
    } });
    let decided = json!({
        "reason": "It was stolen.", "fraud_label": true, "fraud_type": "stolen_card",
        "expected_action": "block",
    });
    let task = task("decide").with_previous(&before);
    let ran = run(Host::new().answer_json(&decided), task);
    assert_eq!(ran.result.as_ref().unwrap().value, decided);
    let prompt = said(&ran, 1);
    assert!(prompt.contains(r#""stolen_card":"holds""#), "{prompt}");
    assert!(!prompt.contains("TXN-1"), "{prompt}");
}

#[test]
fn a_range_asks_once_for_the_form_of_its_last_stage() {
    let recorded = json!({
        "fraud_label": false, "fraud_type": null, "expected_action": "approve",
    });
    let ran = run(Host::new().answer_json(&recorded), task("ingest..record"));
    assert_eq!(ran.result.as_ref().unwrap().value, recorded);
    assert_eq!(ran.requests.len(), 1);
    let system = said(&ran, 0);
    for stage in Stage::ALL {
        assert!(
            system.contains(&format!("Stage `{}`", stage.name())),
            "{system}"
        );
    }
    let schema = format!("{:?}", ran.requests[0].response_format);
    assert!(
        schema.contains("transaction-record-from-record"),
        "{schema}"
    );
}

#[test]
fn an_answer_that_does_not_fit_its_form_is_asked_for_once_more() {
    let wrong = json!({ "fraud_label": false, "expected_action": "approve" });
    let right = json!({
        "fraud_label": false, "fraud_type": null, "expected_action": "approve",
    });
    let host = Host::new().answer_json(&wrong).answer_json(&right);
    let ran = run(host, task("ingest..record"));
    assert_eq!(ran.result.unwrap().value, right);
    let Part::Text(again) = &ran.requests[1].messages[3].content[0] else {
        panic!("no text")
    };
    assert!(again.contains("/fraud_type is missing"), "{again}");
}

#[test]
fn a_planner_gives_each_specialist_what_the_model_took_out_for_it() {
    let given = json!({
        "amount_cents": 4999, "average_cents": 1000, "transaction_count_24h": 12,
    });
    let plan = json!({ "given": { "stolen_card": given } });
    let answer = run(Host::new().answer_json(&plan), task("plan"))
        .result
        .unwrap();
    let expected = Subtask::new("stolen_card", "stolen_card", given);
    assert_eq!(answer.plan, [expected]);
}

#[test]
fn a_critic_sees_record_and_answer_and_gives_a_number() {
    for (accept, score) in [(true, 1.0), (false, 0.0)] {
        let said_it = json!({ "reason": "ä".repeat(500), "accept": accept });
        let task = task("critique").with_previous(&json!({ "fraud_label": true }));
        let ran = run(Host::new().answer_json(&said_it), task);
        let prompt = said(&ran, 1);
        assert!(prompt.contains("TXN-1") && prompt.contains(r#"{"fraud_label":true}"#));
        let value = ran.result.unwrap().value;
        assert_eq!(
            (&value["score"], &value["accept"]),
            (&json!(score), &json!(accept))
        );
        assert_eq!(value["reason"].as_str().unwrap().chars().count(), REASON);
    }
}

#[test]
fn who_begins_again_sees_what_was_said_about_the_first_time() {
    let task = task("ingest..record")
        .with_previous(&json!({ "critique": { "reason": "look at the hour" } }))
        .with_findings(vec![Finding::new("/fraud_type", "odd", "look again")]);
    let recorded = json!({
        "fraud_label": false, "fraud_type": null, "expected_action": "approve",
    });
    let prompt = said(&run(Host::new().answer_json(&recorded), task), 1);
    assert!(
        prompt.contains("look at the hour") && prompt.contains("look again"),
        "{prompt}"
    );
}

#[test]
fn a_kind_that_is_none_is_a_mistake_in_the_workflow() {
    for kind in ["", "guess", "decide..ingest", "ingest..", "stolen"] {
        let ran = run(Host::new(), task(kind));
        let Err(Failure::Permanent(text)) = &ran.result else {
            panic!("{kind}: {:?}", ran.result)
        };
        assert!(text.contains("`critique`"), "{text}");
        assert!(ran.requests.is_empty());
    }
}

#[test]
fn every_form_says_only_what_is_checked() {
    fn walk(form: &Value) {
        let known = [
            "type",
            "enum",
            "required",
            "properties",
            "additionalProperties",
            "items",
            "minItems",
            "description",
        ];
        let Value::Object(form) = form else {
            panic!("{form}")
        };
        for (key, value) in form {
            assert!(known.contains(&key.as_str()), "{key}");
            match key.as_str() {
                "properties" => value.as_object().unwrap().values().for_each(walk),
                "items" => walk(value),
                "additionalProperties" => assert_eq!(*value, Value::Bool(false)),
                _ => {}
            }
        }
    }
    for case in case::CASES {
        let stages = case.stages.iter().map(|part| part.form);
        let aspects = case.aspects.iter().map(|aspect| aspect.form);
        for form in stages.chain(aspects).chain([case.plan.form]) {
            walk(&serde_json::from_str(form).unwrap());
        }
    }
}

#[test]
fn a_form_names_what_does_not_fit() {
    let form = Form::read(
        r#"{ "type": "object", "additionalProperties": false, "required": ["a"], "properties": {
            "a": { "type": "array", "minItems": 1, "items": { "type": ["integer", "null"] } },
            "b": { "enum": ["x", "y"] } } }"#,
    )
    .unwrap();
    for (value, expected) in [
        (json!({ "a": [1, null] }), Ok(())),
        (json!({ "a": [1], "b": "y" }), Ok(())),
        (json!([]), Err("the answer is not of type object")),
        (json!({}), Err("/a is missing")),
        (json!({ "a": [] }), Err("/a has fewer than 1 items")),
        (
            json!({ "a": [1, 2.5] }),
            Err("/a/1 is not of type integer or null"),
        ),
        (
            json!({ "a": [1], "b": "z" }),
            Err(r#"/b is none of "x", "y""#),
        ),
        (json!({ "a": [1], "c": 1 }), Err("/c is not in the form")),
    ] {
        assert_eq!(
            form.check(&value),
            expected.map_err(str::to_owned),
            "{value}"
        );
    }
}
