//! Answers that stand for many stages of work, and wrong tools.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_broker::llm::Part;
use hotcell_broker::provider::faults::{Fault, FaultModel, Injected};
use hotcell_broker::tool::{EffectKind, ToolCall, ToolError, ToolSpec};
use serde_json::Value;

use crate::{ANSWER, attempt, faulty, form, json_reply, told};

const STAGES: u32 = 7;

/// Rates at which seven stages meet many faults, and the work of the form `whole`.
fn model(stages: u32) -> FaultModel {
    FaultModel {
        hallucination: 0.3,
        flip: 0.2,
        omission: 0.2,
        malformed_json: 0.1,
        work: [("whole".to_owned(), stages)].into(),
        ..FaultModel::default()
    }
}

/// What was injected into an answer for each of so many tasks, and the answers.
async fn run(
    model: FaultModel,
    title: &str,
    tasks: u32,
) -> (Vec<Injected>, BTreeMap<String, String>) {
    let (setup, log) = faulty(&json_reply(), model, 11);
    let mut answers = BTreeMap::new();
    for n in 0..tasks {
        let task = format!("t-{n:04}");
        let answer = told(attempt(&setup, &task, 1).ask(form(title)).await);
        answers.insert(task, answer);
    }
    (log.records(), answers)
}

#[tokio::test]
async fn an_answer_that_stands_for_seven_stages_errs_like_seven() {
    const TASKS: u32 = 2000;
    let (injected, _) = run(model(STAGES), "whole", TASKS).await;
    for (fault, rate, stages) in [
        (Fault::Hallucination, 0.3, STAGES),
        (Fault::Omission, 0.2, STAGES),
        (Fault::MalformedJson, 0.1, 1),
    ] {
        let mut by_stage = BTreeMap::new();
        for entry in injected.iter().filter(|entry| entry.fault == fault) {
            *by_stage.entry(entry.stage).or_insert(0) += 1;
        }
        assert_eq!(by_stage.len() as u32, stages, "{fault:?}");
        let expected = f64::from(TASKS) * rate;
        for (stage, count) in by_stage {
            let off = (f64::from(count) - expected).abs();
            let margin = 4.0 * (expected * (1.0 - rate)).sqrt();
            assert!(off < margin, "{fault:?} {stage}: {count}, not {expected}");
        }
    }
    let unharmed = |stages: i32| 0.7_f64.powi(stages);
    let mut met = BTreeSet::new();
    for entry in &injected {
        if entry.fault == Fault::Hallucination {
            met.insert(&entry.task);
        }
    }
    let share = 1.0 - met.len() as f64 / f64::from(TASKS);
    assert!((share - unharmed(7)).abs() < 0.03, "{share}");
}

#[tokio::test]
async fn the_first_stage_draws_what_an_answer_without_stages_draws() {
    let (alone, _) = run(model(1), "whole", 300).await;
    let (unnamed, _) = run(model(STAGES), "other", 300).await;
    assert_eq!(alone, unnamed);
    let (all, _) = run(model(STAGES), "whole", 300).await;
    let first: Vec<_> = all.iter().filter(|entry| entry.stage == 0).collect();
    assert_eq!(first, alone.iter().collect::<Vec<_>>());
    assert!(all.len() > 4 * alone.len());
}

#[tokio::test]
async fn no_stage_makes_right_what_another_made_wrong() {
    let everything = FaultModel {
        hallucination: 1.0,
        flip: 1.0,
        work: [("whole".to_owned(), 64)].into(),
        ..FaultModel::default()
    };
    let (injected, answers) = run(everything, "whole", 100).await;
    let right: Value = serde_json::from_str(ANSWER).unwrap();
    for (task, answer) in answers {
        let wrong: Value = serde_json::from_str(&answer).unwrap();
        let of_task: Vec<_> = injected.iter().filter(|e| e.task == task).collect();
        let places: BTreeSet<_> = of_task.iter().map(|entry| &entry.pointer).collect();
        assert_eq!(places.len(), of_task.len(), "a place was hit twice");
        assert_eq!(places.len(), 7, "all there are");
        for place in places {
            assert_ne!(wrong.pointer(place), right.pointer(place), "{place}");
        }
    }
}

#[tokio::test]
async fn what_is_taken_out_is_gone_and_the_rest_stays_in_its_place() {
    let omissions = FaultModel {
        omission: 1.0,
        work: [("whole".to_owned(), 3)].into(),
        ..FaultModel::default()
    };
    let (setup, log) = faulty(r#"{"json":[0,1,2,3,4,5,6,7]}"#, omissions, 5);
    for n in 0..100 {
        let task = format!("t-{n}");
        let answer = told(attempt(&setup, &task, 1).ask(form("whole")).await);
        let left: Vec<usize> = serde_json::from_str(&answer).unwrap();
        let gone: Vec<usize> = log
            .take(&task)
            .iter()
            .map(|entry| entry.pointer.trim_start_matches('/').parse().unwrap())
            .collect();
        assert_eq!(gone.iter().collect::<BTreeSet<_>>().len(), 3);
        let expected: Vec<_> = (0..8).filter(|n| !gone.contains(n)).collect();
        assert_eq!(left, expected, "{gone:?} are gone");
    }
    assert!(log.records().is_empty());
}

#[tokio::test]
async fn nothing_is_taken_out_of_what_is_gone() {
    let omissions = FaultModel {
        omission: 1.0,
        work: [("whole".to_owned(), 64)].into(),
        ..FaultModel::default()
    };
    let (setup, log) = faulty(r#"{"json":{"a":{"b":[1,2]},"ab":3}}"#, omissions, 5);
    for n in 0..50 {
        let task = format!("t-{n}");
        let answer = told(attempt(&setup, &task, 1).ask(form("whole")).await);
        assert_eq!(answer, "{}");
        let gone: Vec<String> = log.take(&task).into_iter().map(|e| e.pointer).collect();
        for (at, place) in gone.iter().enumerate() {
            let mut before = gone.iter().take(at);
            let inside = before.any(|outer| format!("{place}/").starts_with(&format!("{outer}/")));
            assert!(!inside, "{place} of {gone:?}");
        }
    }
}

#[tokio::test]
async fn a_scale_multiplies_what_answers_say_wrong_and_nothing_else() {
    let scaled = |scale| FaultModel {
        scale,
        rate_limited: 0.1,
        ..model(1)
    };
    let count = |injected: &[Injected], fault| {
        injected.iter().filter(|entry| entry.fault == fault).count() as f64
    };
    let (once, _) = run(scaled(1.0), "whole", 2000).await;
    let (twice, _) = run(scaled(2.0), "whole", 2000).await;
    for fault in [
        Fault::Hallucination,
        Fault::Flip,
        Fault::Omission,
        Fault::MalformedJson,
    ] {
        let ratio = count(&twice, fault) / count(&once, fault);
        assert!((1.7..2.3).contains(&ratio), "{fault:?}: {ratio}");
    }
    let limited = |injected| count(injected, Fault::RateLimited);
    assert_eq!(limited(&once), limited(&twice));
    let (none, _) = run(scaled(0.0), "whole", 200).await;
    assert!(none.iter().all(|entry| entry.fault == Fault::RateLimited));
    let (all, _) = run(scaled(1e300), "whole", 200).await;
    let answered = 200.0 - limited(&all);
    assert_eq!(count(&all, Fault::Hallucination), answered);
}

fn tool(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        input_schema: "{}".to_owned(),
        output_schema: None,
        effect: EffectKind::ReadOnly,
    }
}

#[tokio::test]
async fn a_wrong_tool_is_one_that_was_not_offered_and_calling_it_is_refused() {
    let wrong_tool = FaultModel {
        wrong_tool: 1.0,
        work: [("whole".to_owned(), STAGES)].into(),
        ..FaultModel::default()
    };
    let reply = r#"{"tool_calls":[{"name":"vendor.find","arguments":{"name":"Acme"}}]}"#;
    let (setup, log) = faulty(reply, wrong_tool, 3);
    let mut names = BTreeSet::new();
    for n in 0..60 {
        let task = format!("t-{n}");
        let mut request = form("whole");
        request.tools = ["vendor.find", "vendor.lookup", "vendor.get"]
            .map(tool)
            .into();
        let one = attempt(&setup, &task, 1);
        let answer = one.ask(request).await.unwrap().completion.message.content;
        let [Part::Call(call)] = answer.as_slice() else {
            panic!("{answer:?}");
        };
        assert_eq!(call.arguments, r#"{"name":"Acme"}"#);
        let refused = one.broker.call_tool(&one.caller, call.clone()).await;
        assert!(matches!(refused, Err(ToolError::Denied(_))), "{refused:?}");
        names.insert(call.name.clone());
        let logged = log.take(&task);
        assert_eq!(logged.len(), 1);
        let entry = &logged[0];
        assert_eq!((entry.fault, entry.stage), (Fault::WrongTool, 0));
        assert_eq!(entry.tool.as_deref(), Some("vendor.find"));
    }
    let likely = ["check", "fetch", "list", "query", "search"];
    let likely: BTreeSet<_> = likely.map(|word| format!("vendor.{word}")).into();
    assert_eq!(names, likely);
}

#[tokio::test]
async fn an_answer_that_calls_no_tool_calls_no_wrong_one() {
    let wrong_tool = FaultModel {
        wrong_tool: 1.0,
        ..FaultModel::default()
    };
    let (injected, answers) = run(wrong_tool, "whole", 20).await;
    assert_eq!(injected, []);
    assert!(answers.values().all(|answer| answer == ANSWER));
}

#[tokio::test]
async fn asking_for_a_tool_is_one_stage_of_work_whatever_the_form() {
    let arguments = FaultModel {
        hallucination: 1.0,
        work: [("whole".to_owned(), STAGES)].into(),
        ..FaultModel::default()
    };
    let reply = r#"{"tool_calls":[{"name":"vendor.find","arguments":{"a":1,"b":2,"c":3}}]}"#;
    let (setup, log) = faulty(reply, arguments, 3);
    let answer = setup.ask(form("whole")).await.unwrap();
    let hit = log.records();
    assert_eq!((hit.len(), hit[0].stage), (1, 0));
    let parts = answer.completion.message.content;
    assert!(
        matches!(&parts[..], [Part::Call(ToolCall { arguments, .. })] if arguments != r#"{"a":1,"b":2,"c":3}"#)
    );
}
