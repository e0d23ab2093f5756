//! The fault model as a guest meets it: through the broker, around a script.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod content;
mod refusals;
#[path = "../setup/mod.rs"]
mod setup;
mod twins;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::llm::{LlmError, Origin, Part, Request, Response, ResponseFormat};
use hotcell_broker::provider::faults::{Fault, FaultLog, FaultModel, Faulty};
use hotcell_broker::provider::scripted::Scripted;
use serde_json::json;
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
    form("judgement")
}

/// The question with a form of this title.
fn form(title: &str) -> Request {
    let schema = json!({
        "title": title,
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
    let golden = include_str!("golden.txt");
    assert_eq!(lines.join("\n"), golden.trim_end());
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
