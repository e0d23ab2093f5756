//! The broker itself: what it refuses, when it stops waiting, what it writes
//! down.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod setup;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{Answer, LlmError, LlmProvider, Origin, Part, Request};
use hotcell_broker::meter::Refusal;
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::tool::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use hotcell_broker::{BATCH, Broker, Caller, Capability, Denial, Grants, Policy};
use setup::{Setup, caller, question};
use tokio::time::{Instant, advance};

const MINUTE: Duration = Duration::from_secs(60);

/// A model that never answers and counts how often it was asked.
#[derive(Default)]
struct Silent {
    asked: AtomicU32,
}

#[async_trait]
impl LlmProvider for Silent {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

fn scripted(lines: &str) -> Setup {
    Setup::new(Arc::new(Scripted::from_jsonl(lines).unwrap()), MINUTE)
}

fn call(name: &str) -> ToolCall {
    ToolCall {
        id: "call-1".to_owned(),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
    }
}

/// Tools that answer with their name, except `slow`, which never does.
struct Echo(Vec<ToolSpec>);

impl Echo {
    fn offering(names: &[&str]) -> Arc<dyn ToolProvider> {
        let spec = |name: &&str| ToolSpec {
            name: (*name).to_owned(),
            description: String::new(),
            input_schema: "{}".to_owned(),
            output_schema: None,
            effect: EffectKind::ReadOnly,
        };
        Arc::new(Echo(names.iter().map(spec).collect()))
    }
}

#[async_trait]
impl ToolProvider for Echo {
    fn specs(&self) -> &[ToolSpec] {
        &self.0
    }

    async fn call(&self, _: &Broker, _: &Caller, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        match call.name.as_str() {
            "slow" => std::future::pending().await,
            "odd" => Err(ToolError::InvalidArguments("odd".to_owned())),
            name => Ok(ToolOutput {
                content: format!("{name:?}"),
                is_error: false,
            }),
        }
    }
}

fn with_tools(granted: &[&str], offered: &[&[&str]]) -> Setup {
    let mut policy = Policy::default();
    let tools = granted.iter().map(|name| (*name).to_owned()).collect();
    policy.plugin.insert(
        "agent".to_owned(),
        Grants {
            tools,
            ..Grants::default()
        },
    );
    let providers = offered.iter().map(|names| Echo::offering(names)).collect();
    let broker = Broker::new(policy, BTreeMap::new(), providers).unwrap();
    Setup {
        broker,
        caller: caller(),
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_before_anything_else_and_recorded() {
    let model = Arc::new(Silent::default());
    let mut setup = Setup::new(Arc::clone(&model) as _, MINUTE);
    setup.caller.plugin = "stranger".to_owned();
    // Nobody without a grant learns which models exist or what is wrong with a
    // request.
    for model in ["default", "nobody"] {
        let request = Request {
            model: model.to_owned(),
            messages: Vec::new(),
            ..question("x")
        };
        let denial = Denial::NotGranted(format!("llm {model}"));
        assert_eq!(
            setup.ask(request).await.unwrap_err(),
            LlmError::Denied(denial)
        );
    }
    let tool = setup.broker.call_tool(&setup.caller, call("nobody")).await;
    let denial = Denial::NotGranted("tools nobody".to_owned());
    assert_eq!(tool.unwrap_err(), ToolError::Denied(denial));

    assert_eq!(model.asked.load(Ordering::Relaxed), 0);
    assert_eq!(setup.caller.sequence.load(Ordering::Relaxed), 0);
    let records = setup.caller.meter.records();
    assert!(records.effects.is_empty());
    let refusal = |capability: Capability, resource: &str| Refusal {
        plugin: "stranger".to_owned(),
        capability,
        resource: resource.to_owned(),
        reason: format!("`{} {resource}` is not granted", capability.name()),
        allow_with: Some(format!(
            "[plugin.stranger] {} = [\"{resource}\"]",
            capability.name()
        )),
    };
    let expected = [
        refusal(Capability::Llm, "default"),
        refusal(Capability::Llm, "nobody"),
        refusal(Capability::Tools, "nobody"),
    ];
    let expected = expected.iter().map(|refusal| (refusal, 1));
    assert!(records.refusals.iter().eq(expected), "{records:?}");
}

#[tokio::test]
async fn a_request_that_means_nothing_is_invalid() {
    let mut policy = Policy::default();
    let grants = Grants {
        llm: ["gone".to_owned()].into(),
        ..Grants::default()
    };
    policy.plugin.insert("agent".to_owned(), grants);
    let broker = Broker::new(policy, BTreeMap::new(), Vec::new()).unwrap();
    let request = Request {
        model: "gone".to_owned(),
        ..question("x")
    };
    let error = broker.complete(&caller(), request).await.unwrap_err();
    assert_eq!(
        error,
        LlmError::Invalid("no model is called `gone`".to_owned())
    );

    let empty = Request {
        messages: Vec::new(),
        ..question("x")
    };
    let error = scripted("").ask(empty).await.unwrap_err();
    assert_eq!(error, LlmError::Invalid("`messages` is empty".to_owned()));
}

#[tokio::test]
async fn an_answer_is_priced_and_written_down() {
    let setup = scripted(
        r#"{"reply":{"text":"x"},"usage":{"input_tokens":10,"output_tokens":4,"cached_input_tokens":9},"latency_ms":250}"#,
    );
    for sequence in 0..2 {
        let response = setup.ask(question("x")).await.unwrap();
        assert_eq!(response.cost_micros, 18);
        let effect = setup.caller.meter.records().effects.remove(sequence);
        assert_eq!(effect.usage, response.completion.usage);
        let who = (effect.plugin.as_str(), effect.step.as_str(), effect.attempt);
        assert_eq!(who, ("agent", "step", 1));
        assert_eq!(effect.sequence as usize, sequence);
        assert_eq!(
            (effect.capability, effect.resource.as_str()),
            (Capability::Llm, "default")
        );
        assert_eq!((effect.outcome, effect.cost_micros), ("ok", 18));
        assert_eq!(effect.origin, Some(Origin::Scripted));
        assert!(!effect.usage_estimated);
    }
    assert_eq!(
        setup.caller.meter.virtual_time(),
        Duration::from_millis(500)
    );
}

#[tokio::test]
async fn a_failed_call_is_written_down_too() {
    let setup = scripted(r#"{"reply":{"error":"rate-limited","retry_after_ms":5}}"#);
    assert_eq!(
        setup.ask(question("x")).await.unwrap_err(),
        LlmError::RateLimited(Some(5))
    );
    let effect = setup.caller.meter.records().effects.remove(0);
    assert_eq!((effect.outcome, effect.cost_micros), ("rate-limited", 0));
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_route_and_attempt_is_the_deadline() {
    for (left, expected) in [
        (2 * MINUTE, MINUTE),
        (MINUTE / 2, MINUTE / 2),
        (Duration::ZERO, Duration::ZERO),
    ] {
        let mut setup = Setup::new(Arc::new(Silent::default()), MINUTE);
        setup.caller.deadline = Instant::now() + left;
        let started = Instant::now();
        assert_eq!(
            setup.ask(question("x")).await.unwrap_err(),
            LlmError::Timeout
        );
        // Tokio's timers tick in milliseconds.
        assert!(started.elapsed() - expected <= Duration::from_millis(1));
        let effect = setup.caller.meter.records().effects.remove(0);
        assert_eq!(
            (effect.outcome, effect.took),
            ("timeout", started.elapsed())
        );
        assert!(!effect.simulated_time);
    }
}

#[tokio::test]
async fn a_simulated_answer_that_took_too_long_is_a_timeout() {
    let setup = scripted(concat!(
        r#"{"reply":{"text":"just in time"},"latency_ms":60000,"times":1}"#,
        "\n",
        r#"{"reply":{"text":"too late"},"latency_ms":60001}"#,
    ));
    setup.ask(question("x")).await.unwrap();
    assert_eq!(
        setup.ask(question("x")).await.unwrap_err(),
        LlmError::Timeout
    );
    let effects = setup.caller.meter.records().effects;
    assert_eq!((effects[1].outcome, effects[1].took), ("timeout", MINUTE));
    // The tokens were spent, whether or not somebody waited for them.
    assert!(effects[1].cost_micros > 0);
    assert!(effects[1].simulated_time);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_waits_for_nobody() {
    let model = Arc::new(Silent::default());
    let setup = Setup::new(Arc::clone(&model) as _, MINUTE);
    let cancel = setup.caller.cancel.clone();
    let later = async {
        advance(Duration::from_secs(1)).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(setup.ask(question("x")), later);
    assert_eq!(result.unwrap_err(), LlmError::Cancelled);
    assert_eq!(
        setup.ask(question("x")).await.unwrap_err(),
        LlmError::Cancelled
    );
    assert_eq!(
        model.asked.load(Ordering::Relaxed),
        1,
        "nobody is asked after the end"
    );
    let effects = setup.caller.meter.records().effects;
    assert_eq!(
        (effects[0].outcome, effects[0].took),
        ("cancelled", Duration::from_secs(1))
    );

    let mut tools = with_tools(&["slow"], &[&["slow"]]);
    tools.caller.cancel = setup.caller.cancel;
    let result = tools.broker.call_tool(&tools.caller, call("slow")).await;
    assert_eq!(result.unwrap_err(), ToolError::Cancelled);
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_questions() {
    let setup = scripted(concat!(
        r#"{"match":{"contains":"a"},"reply":{"text":"A"}}"#,
        "\n",
        r#"{"match":{"contains":"b"},"reply":{"error":"timeout"}}"#,
        "\n",
        r#"{"match":{"contains":"c"},"reply":{"text":"C"}}"#,
    ));
    let requests = ["c", "b", "a"].map(question).to_vec();
    let all = setup.broker.complete_all(&setup.caller, requests).await;
    let texts: Vec<_> = all
        .into_iter()
        .map(|result| result.map(|response| response.completion.message.content))
        .collect();
    let text = |text: &str| Ok(vec![Part::Text(text.to_owned())]);
    assert_eq!(texts, [text("C"), Err(LlmError::Timeout), text("A")]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_any_more_is_still_on_record() {
    let setup = Setup::new(Arc::new(Silent::default()), MINUTE);
    let call = setup.broker.complete(&setup.caller, question("a"));
    assert!(
        tokio::time::timeout(Duration::from_secs(5), call)
            .await
            .is_err()
    );
    let effects = setup.caller.meter.records().effects;
    let told: Vec<_> = effects.iter().map(|e| (e.outcome, e.took)).collect();
    assert_eq!(told, [("cancelled", Duration::from_secs(5))]);
}

#[tokio::test]
async fn no_guest_makes_any_number_of_calls_at_once() {
    let setup = scripted(r#"{"reply":{"text":"x"}}"#);
    for (calls, answered) in [(BATCH, true), (BATCH + 1, false)] {
        let requests = vec![question("a"); calls];
        let all = setup.broker.complete_all(&setup.caller, requests).await;
        assert_eq!(all.len(), calls);
        assert!(
            all.iter().all(|answer| answer.is_ok() == answered),
            "{calls}"
        );
    }
    assert_eq!(setup.caller.meter.records().effects.len(), BATCH);
    let calls = vec![call("a"); BATCH + 1];
    let all = setup.broker.call_tools(&setup.caller, calls).await;
    let refused = |answer: &Result<_, _>| matches!(answer, Err(ToolError::InvalidArguments(_)));
    assert!(all.iter().all(refused));
}

#[tokio::test]
async fn a_plugin_sees_the_tools_it_may_call_and_no_others() {
    let setup = with_tools(&["b", "a", "gone"], &[&["c", "a"], &["b"]]);
    let names = |plugin: &str| -> Vec<String> {
        setup
            .broker
            .tools(plugin)
            .into_iter()
            .map(|spec| spec.name)
            .collect()
    };
    assert_eq!(names("agent"), ["a", "b"]);
    assert!(names("stranger").is_empty());
    let gone = setup.broker.call_tool(&setup.caller, call("gone")).await;
    assert_eq!(gone.unwrap_err(), ToolError::Unknown);
    assert!(
        setup.caller.meter.records().refusals.is_empty(),
        "asking what there is costs nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn tool_calls_are_answered_in_order_and_written_down() {
    let mut setup = with_tools(&["a", "odd", "slow"], &[&["a", "odd", "slow"]]);
    setup.caller.deadline = Instant::now() + MINUTE;
    let calls = ["slow", "a", "odd"].map(call).to_vec();
    let results = setup.broker.call_tools(&setup.caller, calls).await;
    let expected = [
        Err(ToolError::Timeout),
        Ok(ToolOutput {
            content: "\"a\"".to_owned(),
            is_error: false,
        }),
        Err(ToolError::InvalidArguments("odd".to_owned())),
    ];
    assert_eq!(results, expected);
    let mut effects = setup.caller.meter.records().effects;
    effects.sort_by_key(|effect| effect.sequence);
    let written: Vec<_> = effects
        .iter()
        .map(|e| (e.sequence, e.resource.as_str(), e.outcome))
        .collect();
    let expected = [
        (0, "slow", "timeout"),
        (1, "a", "ok"),
        (2, "odd", "invalid-arguments"),
    ];
    assert_eq!(written, expected);
    assert!(
        effects
            .iter()
            .all(|e| e.capability == Capability::Tools && e.origin.is_none())
    );
}

#[test]
fn two_tools_of_one_name_are_refused() {
    let providers = vec![Echo::offering(&["a", "b"]), Echo::offering(&["c", "b"])];
    let error = Broker::new(Policy::default(), BTreeMap::new(), providers)
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "two tools are called `b`");
}

#[test]
fn a_nested_cell_has_its_own_numbers_and_nothing_else() {
    let outer = caller();
    outer.sequence.store(7, Ordering::Relaxed);
    let inner = outer.nested("tool", "step/tool".to_owned());
    assert_eq!(
        (inner.plugin.as_str(), inner.step.as_str()),
        ("tool", "step/tool")
    );
    assert_eq!(inner.sequence.load(Ordering::Relaxed), 0);
    assert_eq!(
        (inner.deadline, inner.attempt),
        (outer.deadline, outer.attempt)
    );
    assert!(Arc::ptr_eq(&inner.meter, &outer.meter));
    outer.cancel.cancel();
    assert!(inner.cancel.is_cancelled());
}
