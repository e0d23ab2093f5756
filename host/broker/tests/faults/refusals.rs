//! Faults instead of an answer, and how long everything says it took.

use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::llm::{LlmError, Message, Part, Role};
use hotcell_broker::provider::faults::{Fault, FaultModel, Faulty};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::tool::ToolCall;

use crate::setup::{Setup, question};
use crate::{TIMEOUT, attempt, faulty, told};

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
