//! Faults of content: what exactly becomes of an answer.

use std::collections::BTreeSet;

use hotcell_broker::llm::{FinishReason, Part};
use hotcell_broker::provider::faults::{Fault, FaultModel};
use hotcell_broker::tool::{EffectKind, ToolCall, ToolSpec};
use serde_json::Value;

use crate::setup::question;
use crate::{ANSWER, asking_for_json, attempt, faulty, json_reply, text, told};

#[tokio::test]
async fn an_answer_that_no_fault_hits_keeps_the_bytes_the_model_wrote() {
    let (setup, _) = faulty(
        r#"{"text":"{ \"a\" : 1.50 }\n"}"#,
        FaultModel::default(),
        42,
    );
    assert_eq!(
        told(setup.ask(asking_for_json()).await),
        "{ \"a\" : 1.50 }\n"
    );
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
