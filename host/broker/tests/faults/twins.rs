//! The same run again without one of its faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::llm::{LlmError, Part};
use hotcell_broker::provider::faults::{Fault, FaultLog, FaultModel, Faulty, Injected};
use hotcell_broker::provider::scripted::Scripted;
use serde_json::Value;

use crate::setup::Setup;
use crate::{ANSWER, TIMEOUT, asking_for_json, attempt, everything, json_reply, told};

fn sparing(model: FaultModel, spared: Vec<Injected>) -> (Setup, FaultLog) {
    let script = format!("{{\"reply\":{}}}", json_reply());
    let script = Scripted::from_jsonl(&script).unwrap();
    let faulty = Faulty::new(Arc::new(script), model, 42).unwrap();
    let faulty = faulty.sparing(spared);
    let log = faulty.log();
    (Setup::new(Arc::new(faulty), TIMEOUT), log)
}

/// Each task with two attempts: the answers, how long they took, and the faults.
async fn run(
    model: FaultModel,
    spared: Vec<Injected>,
) -> (BTreeMap<(String, u32), (String, Duration)>, FaultLog) {
    let (setup, log) = sparing(model, spared);
    let mut told_each = BTreeMap::new();
    for n in 0..300 {
        for number in [1, 2] {
            let task = format!("t-{n:03}");
            let one = attempt(&setup, &task, number);
            let answer = told(one.ask(asking_for_json()).await);
            let took = one.caller.meter.records().effects[0].took;
            told_each.insert((task, number), (answer, took));
        }
    }
    (told_each, log)
}

/// Faults of content only, several in each answer.
fn content() -> FaultModel {
    FaultModel {
        hallucination: 0.6,
        flip: 0.4,
        omission: 0.5,
        work: [("judgement".to_owned(), 5)].into(),
        ..FaultModel::default()
    }
}

#[tokio::test]
async fn a_fault_that_is_spared_does_not_happen_and_all_others_do() {
    let (answers, log) = run(content(), Vec::new()).await;
    let mut kinds = BTreeMap::new();
    for n in 0..300 {
        let task = format!("t-{n:03}");
        let faults = log.of(&task);
        // Another one each time, so that all kinds have their turn.
        let Some(spared) = faults.get(n % faults.len().max(1)).cloned() else {
            continue;
        };
        *kinds.entry(spared.fault).or_insert(0) += 1;
        let (setup, twin) = sparing(content(), vec![spared.clone()]);
        for number in [1, 2] {
            let answer = told(attempt(&setup, &task, number).ask(asking_for_json()).await);
            let first = &answers[&(task.clone(), number)].0;
            if number != spared.attempt {
                assert_eq!(&answer, first);
            } else {
                let omitted = |e: &Injected| e.fault == Fault::Omission && e.attempt == number;
                let mut omitted = faults.iter().filter(|e| omitted(e) && **e != spared);
                let hidden = omitted.any(|e| spared.pointer.starts_with(&e.pointer));
                assert_eq!(&answer == first, hidden, "{spared:?}");
            }
        }
        let mut others = faults;
        others.retain(|entry| *entry != spared);
        assert_eq!(twin.records(), others);
    }
    let all = [Fault::Hallucination, Fault::Flip, Fault::Omission];
    assert!(all.iter().all(|fault| kinds[fault] > 20), "{kinds:?}");
}

#[tokio::test]
async fn a_run_without_any_of_its_faults_is_the_run_of_a_model_without_faults() {
    let spoilt = FaultModel {
        rate_limited: 0.0,
        unavailable: 0.0,
        timeout: 0.0,
        ..everything()
    };
    let (_, log) = run(spoilt.clone(), Vec::new()).await;
    assert!(log.counts()[&Fault::MalformedJson] > 50);
    let (answers, twin) = run(spoilt, log.records()).await;
    assert!(twin.records().is_empty());
    let (_, took) = run(
        FaultModel {
            latency_p50_ms: 4000,
            latency_p95_ms: 6000,
            ..FaultModel::default()
        },
        Vec::new(),
    )
    .await;
    assert!(took.records().is_empty());
    assert!(answers.values().all(|(answer, _)| answer == ANSWER));
}

#[tokio::test]
async fn a_call_that_is_not_refused_meets_what_was_drawn_for_its_answer() {
    let busy = FaultModel {
        rate_limited: 0.4,
        unavailable: 0.4,
        timeout: 0.4,
        slow_tail: 0.5,
        hallucination: 0.5,
        latency_p50_ms: 1000,
        latency_p95_ms: 1000,
        ..FaultModel::default()
    };
    let (answers, log) = run(busy.clone(), Vec::new()).await;
    let calm = FaultModel {
        rate_limited: 0.0,
        unavailable: 0.0,
        timeout: 0.0,
        ..busy.clone()
    };
    let (calm, calm_log) = run(calm, Vec::new()).await;
    // One fault after another is taken back until none of these is left.
    let refusals = [Fault::RateLimited, Fault::Unavailable, Fault::Timeout];
    let mut spared: Vec<Injected> = Vec::new();
    let (mut told, mut injected) = (answers, log.records());
    for round in 0..3 {
        let refused = injected.iter().filter(|e| refusals.contains(&e.fault));
        let before = spared.len();
        spared.extend(refused.cloned());
        assert!(spared.len() > before, "round {round} had nothing to spare");
        let (twins, log) = run(busy.clone(), spared.clone()).await;
        assert_ne!(told, twins);
        (told, injected) = (twins, log.records());
    }
    assert_eq!((told, injected), (calm, calm_log.records()));
}

#[tokio::test]
async fn a_request_that_was_too_long_is_answered_when_that_is_spared() {
    let short = FaultModel {
        context_items: 1,
        ..FaultModel::default()
    };
    let (setup, log) = sparing(short.clone(), Vec::new());
    let mut request = asking_for_json();
    request.messages[0].content = vec![Part::Json("[1,2]".to_owned())];
    let refused = setup.ask(request.clone()).await;
    assert_eq!(refused, Err(LlmError::ContextTooLong));
    let (setup, log) = sparing(short, log.records());
    assert_eq!(told(setup.ask(request).await), ANSWER);
    assert!(log.records().is_empty());
}

#[tokio::test]
async fn a_slow_answer_that_is_spared_takes_as_long_as_it_was_drawn() {
    let slow = FaultModel {
        slow_tail: 0.5,
        latency_p50_ms: 1000,
        latency_p95_ms: 1000,
        ..FaultModel::default()
    };
    let (_, log) = run(slow.clone(), Vec::new()).await;
    let (answers, _) = run(slow, log.records()).await;
    let second = Duration::from_secs(1);
    assert!(answers.values().all(|(_, took)| *took == second));
}

#[tokio::test]
async fn a_fault_is_spared_only_where_it_happened() {
    let always = FaultModel {
        hallucination: 1.0,
        ..FaultModel::default()
    };
    let (_, log) = run(always.clone(), Vec::new()).await;
    let here = log.of("t-000").remove(0);
    type Elsewhere = fn(&mut Injected);
    let table: [(&str, Elsewhere, bool); 8] = [
        ("itself", |_| {}, true),
        ("whatever it hit", |e| e.pointer.push('x'), true),
        ("task", |e| e.task = "t-001".to_owned(), false),
        ("step", |e| e.step.push('x'), false),
        ("attempt", |e| e.attempt = 3, false),
        ("sequence", |e| e.sequence = 9, false),
        ("fault", |e| e.fault = Fault::Flip, false),
        ("stage", |e| e.stage = 1, false),
    ];
    for (what, change, spares) in table {
        let mut other = here.clone();
        change(&mut other);
        let (setup, log) = sparing(always.clone(), vec![other]);
        let one = attempt(&setup, "t-000", 1);
        let answer: Value = serde_json::from_str(&told(one.ask(asking_for_json()).await)).unwrap();
        let right: Value = serde_json::from_str(ANSWER).unwrap();
        assert_eq!(answer == right, spares, "{what}");
        assert_eq!(log.records().is_empty(), spares, "{what}");
    }
}
