use hotcell_sdk::llm::Part;
use hotcell_sdk::testing::{Host, Ran};
use hotcell_sdk::{Call, Effect, Finding, Function};

use super::*;

mod reconciliation;

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

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn task(kind: &str) -> Task<Map<String, Value>> {
    let mut task = Task::new("TXN-1", object(&payment()));
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
fn a_form_that_does_not_bind_lets_any_answer_pass() {
    let wrong = json!({ "fraud_label": false });
    let host = Host::new().answer_json(&wrong);
    let config = json!({ "case": "transaction", "forms": false });
    let ran = host
        .config(&config)
        .run(|| CaseWorker::run(task("ingest..record")));
    assert_eq!(ran.result.unwrap().value, wrong);
    assert_eq!(ran.requests.len(), 1);
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
    let expected = Subtask::new("stolen-card", "stolen-card", given);
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

/// An invoice task, where the ledger answers every question with an error.
fn invoice(kind: &str, previous: &Value) -> (Host, Task<Map<String, Value>>) {
    let tool = |name: &str| {
        let body = |_: Call<Value>| Err::<Value, _>(Failure::invalid_input("nobody is there"));
        Function::new(name, "Finds.", "{}", body).effect(Effect::ReadOnly)
    };
    let host = Host::new()
        .config(&json!({ "case": "invoice" }))
        .function(tool("vendor.find"))
        .function(tool("invoice.find"));
    let input = json!({ "invoice_id": "INV-1", "vendor": "Acme" });
    let mut task = Task::new("INV-1", object(&input)).with_previous(previous);
    task.kind = kind.to_owned();
    (host, task)
}

#[test]
fn a_model_may_use_the_tools_that_its_part_of_the_work_needs() {
    let record = json!({
        "is_valid": false, "reason": "ocr_error_detected", "correct_vendor": null,
        "approval_route": "auto",
    });
    let enriched = json!({
        "invoice_id": "INV-1", "missing": [], "route_cents": 1, "vendor_known": false,
        "vendor_names": [], "recorded": [],
    });
    let critique = json!({ "reason": "It is right.", "accept": true });
    let vendor = json!({ "misread": true, "correct_vendor": null });
    let duplicate = json!({ "duplicate": false });
    let fields = json!({ "missing": [], "route_cents": 1 });
    let both = &["invoice.find", "vendor.find"][..];
    for (kind, form, tools) in [
        ("enrich", &enriched, both),
        ("ingest..record", &record, both),
        ("critique", &critique, both),
        ("vendor", &vendor, &both[1..]),
        ("duplicate", &duplicate, &both[..1]),
        ("fields", &fields, &[]),
        ("decide..record", &record, &[]),
    ] {
        let (host, task) = invoice(kind, &record);
        let host = match tools {
            [] => host,
            [first, ..] => host.answer_calls(&[(*first, json!({}))]),
        };
        let ran = host.answer_json(form).run(|| CaseWorker::run(task));
        assert!(ran.result.is_ok(), "{kind}: {:?}", ran.result);
        let offered = &ran.requests[0].tools;
        let offered: Vec<_> = offered.iter().map(|spec| &*spec.name).collect();
        assert_eq!(offered, tools, "{kind}");
        // What a tool answered, an error too, is in front of the model.
        let last = format!("{:?}", ran.requests.last().unwrap().messages.last());
        let told = last.contains("nobody is there");
        assert_eq!(told, !tools.is_empty(), "{kind}: {last}");
    }
}

#[test]
fn the_manifest_asks_for_the_tools_that_the_cases_need() {
    let manifest: toml::Table = include_str!("../hotcell.toml").parse().unwrap();
    let requests = manifest["requests"].as_array().unwrap().iter();
    let tools = requests.filter(|it| it["capability"].as_str() == Some("tools"));
    let mut asked: Vec<_> = tools.map(|it| it["resource"].as_str().unwrap()).collect();
    let aspects = case::CASES.iter().flat_map(|case| &case.aspects);
    let aspects = aspects.flat_map(|aspect| aspect.tools);
    let needed = case::CASES.iter().flat_map(|case| case.tools);
    let mut needed: Vec<_> = needed.chain(aspects).copied().collect();
    needed.sort_unstable();
    needed.dedup();
    asked.sort_unstable();
    assert_eq!(asked, needed);
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
