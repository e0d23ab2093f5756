//! The fault model as a guest meets it: through the broker, around a script.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod setup;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::llm::{
    FinishReason, LlmError, Message, Origin, Part, Request, Response, ResponseFormat, Role,
};
use hotcell_broker::provider::faults::{Fault, FaultLog, FaultModel, Faulty};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::tool::{EffectKind, ToolCall, ToolSpec};
use serde_json::{Value, json};
use setup::{Setup, caller, question};

const ANSWER: &str = r#"{"vendor":"Acme GmbH","amount":1234.56,"date":"2024-03-01","paid":true,"route":"auto","lines":[{"quantity":2},{"quantity":3}],"note":null}"#;

const TIMEOUT: Duration = Duration::from_secs(60);

fn faulty(reply: &str, model: FaultModel, seed: u64) -> (Setup, FaultLog) {
    let script = Scripted::from_jsonl(&format!("{{\"reply\":{reply}}}")).unwrap();
    let faulty = Faulty::new(Arc::new(script), model, seed).unwrap();
    let log = faulty.log();
    (Setup::new(Arc::new(faulty), TIMEOUT), log)
}

fn json_reply() -> String {
    format!("{{\"json\":{ANSWER}}}")
}

fn asking_for_json() -> Request {
    let schema = json!({
        "type": "object",
        "properties": { "route": { "enum": ["auto", "manager", "finance"] } },
    });
    Request {
        response_format: ResponseFormat::JsonSchema(schema.to_string()),
        ..question("judge")
    }
}

/// A fresh attempt of a task.
fn attempt(setup: &Setup, task: &str, attempt: u32) -> Setup {
    let mut fresh = setup.clone();
    fresh.caller = caller();
    fresh.caller.task = task.to_owned();
    fresh.caller.attempt = attempt;
    fresh
}

fn text(response: &Response) -> &str {
    match response.completion.message.content.as_slice() {
        [Part::Text(text)] => text,
        other => panic!("not one text: {other:?}"),
    }
}

/// The answer, or the error's code, in one text.
fn told(result: Result<Response, LlmError>) -> String {
    result.map_or_else(
        |error| error.code().to_owned(),
        |response| text(&response).to_owned(),
    )
}

fn everything() -> FaultModel {
    FaultModel {
        hallucination: 0.3,
        flip: 0.2,
        omission: 0.2,
        malformed_json: 0.2,
        rate_limited: 0.1,
        unavailable: 0.1,
        timeout: 0.1,
        slow_tail: 0.2,
        latency_p50_ms: 4000,
        latency_p95_ms: 6000,
        ..FaultModel::default()
    }
}

#[tokio::test]
async fn without_rates_nothing_happens() {
    let (setup, log) = faulty(&json_reply(), FaultModel::default(), 42);
    for n in 0..1000 {
        let one = attempt(&setup, &format!("t-{n}"), 1);
        assert_eq!(told(one.ask(asking_for_json()).await), ANSWER);
        let effect = one.caller.meter.records().effects.remove(0);
        assert_eq!(
            (effect.origin, effect.took),
            (Some(Origin::Simulated), Duration::ZERO)
        );
        assert!(effect.simulated_time);
    }
    assert!(log.records().is_empty());
}

#[tokio::test]
async fn equal_runs_are_equal_whatever_the_order() {
    let tasks: Vec<(String, u32)> = (0..200)
        .flat_map(|n| [(format!("t-{n}"), 1), (format!("t-{n}"), 2)])
        .collect();
    let mut runs = Vec::new();
    for backwards in [false, true] {
        let (setup, log) = faulty(&json_reply(), everything(), 42);
        let mut order = tasks.clone();
        if backwards {
            order.reverse();
        }
        let mut told_each = Vec::new();
        for (task, number) in order {
            let one = attempt(&setup, &task, number);
            let answer = told(one.ask(asking_for_json()).await);
            let took = one.caller.meter.records().effects[0].took;
            told_each.push((task, number, answer, took));
        }
        told_each.sort();
        runs.push((told_each, log.records()));
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].1.len() > 200, "the model hardly injected anything");

    let (setup, other_seed) = faulty(&json_reply(), everything(), 43);
    for (task, number) in &tasks {
        let _told = attempt(&setup, task, *number).ask(asking_for_json()).await;
    }
    assert_ne!(other_seed.records(), runs[0].1);
}

#[tokio::test]
async fn questions_asked_at_once_get_what_they_would_get_one_by_one() {
    let (setup, log) = faulty(&json_reply(), everything(), 7);
    let one_by_one = attempt(&setup, "t", 1);
    let mut expected = Vec::new();
    for _ in 0..50 {
        expected.push(told(one_by_one.ask(asking_for_json()).await));
    }
    let logged = log.records();
    let at_once = attempt(&setup, "t", 1);
    let requests = vec![asking_for_json(); 50];
    let all = at_once.broker.complete_all(&at_once.caller, requests).await;
    assert_eq!(all.into_iter().map(told).collect::<Vec<_>>(), expected);
    assert!(
        expected.iter().collect::<BTreeSet<_>>().len() > 5,
        "equal questions fared equally"
    );
    let twice: Vec<_> = logged
        .iter()
        .flat_map(|entry| [entry.clone(), entry.clone()])
        .collect();
    assert_eq!(log.records(), twice);
}

#[tokio::test]
async fn a_second_attempt_at_an_equal_question_fares_differently() {
    let model = FaultModel {
        flip: 0.5,
        ..FaultModel::default()
    };
    let (setup, _) = faulty(r#"{"json":{"valid":true}}"#, model, 1);
    let mut answers = BTreeSet::new();
    for number in 1..20 {
        answers.insert(told(
            attempt(&setup, "t", number).ask(asking_for_json()).await,
        ));
    }
    let both = ["{\"valid\":false}", "{\"valid\":true}"];
    assert_eq!(answers.iter().collect::<Vec<_>>(), both);
}

#[tokio::test]
async fn rates_are_what_they_say() {
    const CALLS: u32 = 10_000;
    let (setup, log) = faulty(&json_reply(), everything(), 42);
    for n in 0..CALLS {
        let _told = attempt(&setup, &format!("t-{n}"), 1)
            .ask(asking_for_json())
            .await;
    }
    let counts = log.counts();
    // A later refusal is seen only where no earlier one came first, and faults of
    // content only in answers that came.
    let answered = 0.9 * 0.9 * 0.9;
    for (fault, rate) in [
        (Fault::RateLimited, 0.1),
        (Fault::Unavailable, 0.1 * 0.9),
        (Fault::Timeout, 0.1 * 0.9 * 0.9),
        (Fault::SlowTail, 0.2 * (1.0 - 0.1 * 0.9 * 0.9)),
        (Fault::Hallucination, 0.3 * answered),
        (Fault::Flip, 0.2 * answered),
        (Fault::Omission, 0.2 * answered),
        (Fault::MalformedJson, 0.2 * answered),
    ] {
        let (count, expected) = (counts[&fault] as f64, f64::from(CALLS) * rate);
        let margin = 4.0 * (expected * (1.0 - rate)).sqrt();
        assert!(
            (count - expected).abs() < margin,
            "{fault:?}: {count}, not {expected}"
        );
    }
}

#[tokio::test]
async fn results_are_what_they_were_on_the_first_day() {
    let (setup, log) = faulty(&json_reply(), everything(), 2024);
    let mut lines = Vec::new();
    for n in 0..24 {
        let one = attempt(&setup, &format!("INV-2024-{n:03}"), 1);
        let answer = told(one.ask(asking_for_json()).await);
        let took = one.caller.meter.records().effects[0].took.as_millis();
        lines.push(format!("{n:03} {took} {answer}"));
    }
    for entry in log.records() {
        let fault = entry.fault.name();
        let line = format!("{} {fault} {}", &entry.task[9..], entry.pointer);
        lines.push(line.trim_end().to_owned());
    }
    let golden = include_str!("faults/golden.txt");
    assert_eq!(lines.join("\n"), golden.trim_end());
}

#[tokio::test]
async fn a_hallucination_changes_one_value_and_says_which() {
    let model = FaultModel {
        hallucination: 1.0,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(&json_reply(), model, 3);
    let right: Value = serde_json::from_str(ANSWER).unwrap();
    let mut places = BTreeSet::new();
    for n in 0..200 {
        let task = format!("t-{n}");
        let response = attempt(&setup, &task, 1)
            .ask(asking_for_json())
            .await
            .unwrap();
        let mut wrong: Value = serde_json::from_str(text(&response)).unwrap();
        let records = log.records();
        let entry = records.iter().find(|entry| entry.task == task).unwrap();
        let place = wrong.pointer_mut(&entry.pointer).unwrap();
        if entry.pointer == "/route" {
            assert!(*place == "manager" || *place == "finance", "{place}");
        }
        assert_ne!(place, right.pointer(&entry.pointer).unwrap());
        *place = right.pointer(&entry.pointer).unwrap().clone();
        assert_eq!(wrong, right, "only one value is wrong");
        places.insert(entry.pointer.clone());
    }
    let all = [
        "/amount",
        "/date",
        "/lines/0/quantity",
        "/lines/1/quantity",
        "/paid",
        "/route",
        "/vendor",
    ];
    assert_eq!(places.iter().collect::<Vec<_>>(), all);
}

#[tokio::test]
async fn a_flip_hits_what_has_another_side_and_never_undoes_a_hallucination() {
    let model = FaultModel {
        flip: 1.0,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(&json_reply(), model, 3);
    for n in 0..100 {
        let _told = attempt(&setup, &format!("t-{n}"), 1)
            .ask(asking_for_json())
            .await;
    }
    let places: BTreeSet<_> = log
        .records()
        .into_iter()
        .map(|entry| entry.pointer)
        .collect();
    assert_eq!(places.iter().collect::<Vec<_>>(), ["/paid", "/route"]);

    let model = FaultModel {
        hallucination: 1.0,
        flip: 1.0,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(r#"{"json":true}"#, model, 3);
    assert_eq!(told(setup.ask(question("x")).await), "false");
    assert_eq!(
        log.counts().into_iter().collect::<Vec<_>>(),
        [(Fault::Hallucination, 1)]
    );
}

#[tokio::test]
async fn an_omission_takes_one_thing_out() {
    let model = FaultModel {
        omission: 1.0,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(&json_reply(), model, 3);
    let size = |value: &Value| value.to_string().len();
    let right: Value = serde_json::from_str(ANSWER).unwrap();
    for n in 0..100 {
        let response = attempt(&setup, &format!("t-{n}"), 1)
            .ask(asking_for_json())
            .await
            .unwrap();
        let left: Value = serde_json::from_str(text(&response)).unwrap();
        assert!(size(&left) < size(&right));
    }
    let places: BTreeSet<_> = log
        .records()
        .into_iter()
        .map(|entry| entry.pointer)
        .collect();
    for place in [
        "/vendor",
        "/note",
        "/lines",
        "/lines/1",
        "/lines/0/quantity",
    ] {
        assert!(places.contains(place), "{place} was never taken out");
    }
}

#[tokio::test]
async fn a_malformed_answer_does_not_parse_and_is_billed() {
    let model = FaultModel {
        malformed_json: 1.0,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(&json_reply(), model, 3);
    for n in 0..100 {
        let one = attempt(&setup, &format!("t-{n}"), 1);
        let response = one.ask(asking_for_json()).await.unwrap();
        assert!(serde_json::from_str::<Value>(text(&response)).is_err());
        assert!(response.cost_micros > 0);
        assert_eq!(one.caller.meter.records().effects[0].outcome, "ok");
    }
    assert_eq!(log.counts()[&Fault::MalformedJson], 100);
}

#[tokio::test]
async fn prose_passes_unharmed_and_is_not_logged() {
    let model = FaultModel {
        hallucination: 1.0,
        flip: 1.0,
        omission: 1.0,
        malformed_json: 1.0,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(r#"{"text":"It is 42 {sic}."}"#, model, 3);
    assert_eq!(told(setup.ask(question("x")).await), "It is 42 {sic}.");
    assert!(log.records().is_empty());
}

#[tokio::test]
async fn arguments_of_tool_calls_are_hit_but_still_parse() {
    let model = FaultModel {
        hallucination: 1.0,
        malformed_json: 1.0,
        ..FaultModel::default()
    };
    let reply = r#"{"tool_calls":[{"name":"vendor.find","arguments":{"kind":"near"}}]}"#;
    let (setup, log) = faulty(reply, model, 3);
    let mut request = question("x");
    request.tools.push(ToolSpec {
        name: "vendor.find".to_owned(),
        description: String::new(),
        input_schema: r#"{"properties":{"kind":{"enum":["near","exact"]}}}"#.to_owned(),
        output_schema: None,
        effect: EffectKind::ReadOnly,
    });
    let answer = setup.ask(request).await.unwrap().completion;
    let call = ToolCall {
        id: "call-1".to_owned(),
        name: "vendor.find".to_owned(),
        arguments: "{\"kind\":\"exact\"}".to_owned(),
    };
    assert_eq!(answer.message.content, [Part::Call(call)]);
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    let records = log.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].tool.as_deref(), Some("vendor.find"));
    assert_eq!(records[0].pointer, "/kind");
}

#[tokio::test]
async fn refusals_come_before_the_provider_is_asked() {
    let unavailable = LlmError::Unavailable("the provider failed (HTTP 503)".to_owned());
    let none = FaultModel {
        retry_after_ms: 1500,
        ..FaultModel::default()
    };
    let table = [
        (
            FaultModel {
                rate_limited: 1.0,
                unavailable: 1.0,
                timeout: 1.0,
                ..none.clone()
            },
            LlmError::RateLimited(Some(1500)),
            Fault::RateLimited,
        ),
        (
            FaultModel {
                unavailable: 1.0,
                timeout: 1.0,
                ..none.clone()
            },
            unavailable,
            Fault::Unavailable,
        ),
        (
            FaultModel {
                timeout: 1.0,
                ..none
            },
            LlmError::Timeout,
            Fault::Timeout,
        ),
    ];
    for (model, error, fault) in table {
        let script = Scripted::from_jsonl("{\"reply\":{\"text\":\"x\"},\"times\":1}").unwrap();
        let script = Arc::new(script);
        let faulty = Faulty::new(Arc::clone(&script) as _, model, 1).unwrap();
        let log = faulty.log();
        let setup = Setup::new(Arc::new(faulty), TIMEOUT);
        assert_eq!(setup.ask(question("x")).await.unwrap_err(), error);
        assert_eq!(log.counts().into_iter().collect::<Vec<_>>(), [(fault, 1)]);
        let effect = setup.caller.meter.records().effects.remove(0);
        assert_eq!((effect.outcome, effect.cost_micros), (error.code(), 0));
        let took = if fault == Fault::Timeout {
            TIMEOUT
        } else {
            Duration::ZERO
        };
        assert_eq!((effect.took, effect.simulated_time), (took, true));
        let untouched = Setup::new(script, TIMEOUT);
        assert_eq!(
            told(untouched.ask(question("x")).await),
            "x",
            "the script was not used"
        );
    }
}

#[tokio::test]
async fn a_slow_tail_can_run_into_the_deadline() {
    let model = FaultModel {
        slow_tail: 1.0,
        slow_tail_factor: 4.0,
        latency_p50_ms: 10_000,
        latency_p95_ms: 10_000,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(r#"{"text":"x"}"#, model.clone(), 1);
    setup.ask(question("x")).await.unwrap();
    let took = |setup: &Setup| setup.caller.meter.records().effects[0].took;
    assert_eq!(took(&setup), Duration::from_secs(40));
    assert_eq!(log.counts()[&Fault::SlowTail], 1);

    let (setup, _) = faulty(
        r#"{"text":"x"}"#,
        FaultModel {
            slow_tail_factor: 7.0,
            ..model
        },
        1,
    );
    assert_eq!(
        setup.ask(question("x")).await.unwrap_err(),
        LlmError::Timeout
    );
    assert_eq!(took(&setup), TIMEOUT);
}

#[tokio::test]
async fn a_simulated_provider_inside_adds_its_own_time_and_its_own_failures() {
    let script = r#"{"reply":{"error":"invalid"},"latency_ms":500}"#;
    let model = FaultModel {
        hallucination: 1.0,
        latency_p50_ms: 100,
        latency_p95_ms: 100,
        ..FaultModel::default()
    };
    let inner = Arc::new(Scripted::from_jsonl(script).unwrap());
    let setup = Setup::new(Arc::new(Faulty::new(inner, model, 1).unwrap()), TIMEOUT);
    assert_eq!(
        setup.ask(question("x")).await.unwrap_err().code(),
        "invalid"
    );
    assert_eq!(
        setup.caller.meter.records().effects[0].took,
        Duration::from_millis(600)
    );
}

#[tokio::test]
async fn too_many_items_anywhere_in_the_conversation_are_too_much() {
    let model = FaultModel {
        context_items: 3,
        ..FaultModel::default()
    };
    let (setup, log) = faulty(r#"{"text":"x"}"#, model, 1);
    let call = |arguments: &str| {
        Part::Call(ToolCall {
            id: "c".to_owned(),
            name: "t".to_owned(),
            arguments: arguments.to_owned(),
        })
    };
    let table = [
        (Part::Json("[1,2,3]".to_owned()), None),
        (Part::Text("it is [1,2,3,4]".to_owned()), None),
        (
            Part::Text("[1,2,3,4]".to_owned()),
            Some("/messages/1/content/0"),
        ),
        (
            Part::Json("{\"a\":[1,2,3,4]}".to_owned()),
            Some("/messages/1/content/0/a"),
        ),
        (
            call("{\"a\":[[1,2,3,4]]}"),
            Some("/messages/1/content/0/a/0"),
        ),
        (
            Part::CallResult("c".to_owned(), "[1,2,3,4]".to_owned()),
            Some("/messages/1/content/0"),
        ),
    ];
    for (n, (part, pointer)) in table.into_iter().enumerate() {
        let mut request = question("x");
        request.messages.push(Message {
            role: Role::Assistant,
            content: vec![part],
        });
        let task = format!("t-{n}");
        let result = attempt(&setup, &task, 1).ask(request).await;
        assert_eq!(
            result.err(),
            pointer.map(|_| LlmError::ContextTooLong),
            "{task}"
        );
        let records = log.records();
        let entry = records.iter().find(|entry| entry.task == task);
        assert_eq!(entry.map(|entry| entry.pointer.as_str()), pointer);
    }
    assert_eq!(log.counts()[&Fault::ContextOverflow], 4);
}

/// How often both, and how often one, of two voters on a task are wrong.
async fn voters(correlation: f64, same_question: bool) -> (u32, u32) {
    let model = FaultModel {
        hallucination: 0.3,
        correlation,
        ..FaultModel::default()
    };
    let (setup, _) = faulty(r#"{"json":{"n":5}}"#, model, 9);
    let (mut both, mut one) = (0, 0);
    for n in 0..4000 {
        let mut wrong = Vec::new();
        for step in ["vote/0", "vote/1"] {
            let mut voter = attempt(&setup, &format!("t-{n}"), 1);
            voter.caller.step = step.to_owned();
            let words = if same_question { "x" } else { step };
            let answer = told(voter.ask(question(words)).await);
            if answer != "{\"n\":5}" {
                wrong.push(answer);
            }
        }
        both += u32::from(wrong.len() == 2);
        one += wrong.len() as u32;
        if correlation == 1.0 && same_question && wrong.len() == 2 {
            assert_eq!(
                wrong[0], wrong[1],
                "a shared blind spot sees the same wrong thing"
            );
        }
    }
    (both, one)
}

#[tokio::test]
async fn voters_share_a_blind_spot_as_far_as_the_correlation_says() {
    // Of 8000 votes 30 % are wrong whatever the correlation r; of 4000 pairs both
    // are wrong in a share of r * 0.3 + (1 - r) * 0.09.
    for (correlation, same_question, pairs) in [
        (0.0, true, 360.0),
        (0.3, true, 612.0),
        (0.6, true, 864.0),
        (1.0, true, 1200.0),
        (1.0, false, 360.0),
    ] {
        let (both, one) = voters(correlation, same_question).await;
        assert!(
            (f64::from(one) - 2400.0).abs() < 200.0,
            "{one} wrong votes at {correlation}"
        );
        let off = (f64::from(both) - pairs).abs();
        assert!(
            off < 120.0,
            "{both} wrong pairs at {correlation}, not {pairs}"
        );
    }
}

#[test]
fn a_model_that_cannot_be_is_refused() {
    let script = Arc::new(Scripted::from_jsonl("").unwrap());
    let model = FaultModel {
        omission: 1.5,
        ..FaultModel::default()
    };
    let error = Faulty::new(script, model, 1).err().unwrap();
    assert_eq!(error.to_string(), "`omission` is not a rate from 0 to 1");
}
