//! A cap on what calls cost, as the broker and the guest meet it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod setup;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use hotcell_broker::llm::{
    Answer, Completion, FinishReason, LlmError, LlmProvider, Message, Origin, Part, Request,
    Response, ResponseFormat, Role, Usage,
};
use hotcell_broker::provider::capped::{Budget, Capped, MAX_TOKENS, Spending};
use hotcell_broker::tool::{EffectKind, ToolSpec};
use hotcell_broker::{Broker, Caller, Price};
use setup::{Setup, question};
use tokio::sync::Notify;

const TIMEOUT: Duration = Duration::from_secs(60);

/// The price of [`Setup`]: a micro-dollar for an input token, two for an output
/// token.
const PRICE: Price = Price {
    input_micros_per_mtok: 1_000_000,
    output_micros_per_mtok: 2_000_000,
};

/// Does what the question says: bills so many output tokens, or fails.
struct Meter {
    origin: Origin,
    /// Whoever asks waits until this is told, if there is one.
    gate: Option<Notify>,
    asked: AtomicU64,
    limits: Mutex<Vec<Option<u32>>>,
}

fn meter(origin: Origin) -> Arc<Meter> {
    with_gate(origin, None)
}

/// One that answers when its gate is opened.
fn gated(origin: Origin) -> Arc<Meter> {
    with_gate(origin, Some(Notify::new()))
}

fn with_gate(origin: Origin, gate: Option<Notify>) -> Arc<Meter> {
    Arc::new(Meter {
        origin,
        gate,
        asked: AtomicU64::new(0),
        limits: Mutex::default(),
    })
}

#[async_trait]
impl LlmProvider for Meter {
    fn origin(&self) -> Origin {
        self.origin
    }

    async fn complete(&self, _: &Broker, _: &Caller, request: &Request) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.limits.lock().unwrap().push(request.max_tokens);
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        let Part::Text(said) = &request.messages[0].content[0] else {
            panic!("a question in words");
        };
        let error = match said.as_str() {
            "slow" => std::future::pending().await,
            "late" => LlmError::Timeout,
            "down" => LlmError::Unavailable("down".to_owned()),
            "busy" => LlmError::RateLimited(None),
            "invalid" => LlmError::Invalid("no".to_owned()),
            "long" => LlmError::ContextTooLong,
            tokens => return Answer::wall(Ok(completion(tokens.parse().unwrap()))),
        };
        Answer::wall(Err(error))
    }
}

impl Meter {
    fn open(&self) {
        self.gate.as_ref().unwrap().notify_waiters();
    }
}

fn completion(output_tokens: u64) -> Completion {
    Completion {
        message: Message {
            role: Role::Assistant,
            content: vec![Part::Text("x".to_owned())],
        },
        finish: FinishReason::Stop,
        usage: Usage {
            output_tokens,
            ..Usage::default()
        },
        usage_estimated: false,
        model: "meter".to_owned(),
    }
}

fn capped(provider: Arc<Meter>, cap: u64) -> (Setup, Budget) {
    let budget = Budget::new(cap);
    let capped = Capped::new(provider, PRICE, budget.clone());
    (Setup::new(Arc::new(capped), TIMEOUT), budget)
}

/// A question that may cost a hundred output tokens, and what is set aside for it.
fn hundred(words: &str) -> (Request, u64) {
    let request = Request {
        max_tokens: Some(100),
        ..question(words)
    };
    let bytes = serde_json::to_string(&request).unwrap().len() as u64;
    (request, bytes + 200)
}

fn spending(cap: u64, spent: u64, unclear: u64, reserved: u64, refused: u64) -> Spending {
    Spending {
        cap,
        spent,
        unclear,
        reserved,
        refused,
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_calls_at_once_only_as_many_are_made_as_could_be_paid() {
    let meter = gated(Origin::Live);
    let (request, most) = hundred("30");
    let cap = 10 * most + most / 2;
    let (setup, budget) = capped(Arc::clone(&meter), cap);
    let ask = || async {
        let (answers, ()) = tokio::join!(
            join_all((0..100).map(|_| setup.ask(request.clone()))),
            async {
                let now = budget.spending();
                assert!(now.spent + now.reserved <= cap, "{now:?}");
                meter.open();
            }
        );
        let made = answers.iter().filter(|answer| answer.is_ok()).count();
        let refused =
            |answer: &Result<Response, LlmError>| *answer == Err(LlmError::BudgetExhausted);
        assert_eq!(made + answers.iter().filter(|a| refused(a)).count(), 100);
        made as u64
    };
    assert_eq!(ask().await, 10);
    assert_eq!(budget.spending(), spending(cap, 600, 0, 0, 90));
    // Each cost 60 of what was set aside, so most of it is there again.
    let mut made = 10;
    for _ in 0..100 {
        made += ask().await;
    }
    let spent = budget.spending().spent;
    assert_eq!(
        (spent, meter.asked.load(Ordering::Relaxed)),
        (made * 60, made)
    );
    assert!(spent <= cap && spent + most > cap, "{spent} of {cap}");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_settled_at_its_bill() {
    use Origin::{Live, Plugin, Scripted, Simulated};
    // What the provider does, what is billed, and whether that is unclear.
    let table: [(&str, Origin, u64, bool); 13] = [
        ("30", Live, 60, false),
        ("30", Simulated, 60, false),
        ("0", Live, 0, false),
        ("busy", Live, 0, false),
        ("invalid", Live, 0, false),
        ("long", Live, 0, false),
        ("down", Live, 0, true),
        ("late", Live, 0, true),
        ("slow", Live, 0, true),
        ("slow", Simulated, 0, false),
        ("down", Scripted, 0, false),
        ("late", Plugin, 0, false),
        ("100", Live, 200, false),
    ];
    for (words, origin, spent, unclear) in table {
        let (request, most) = hundred(words);
        let meter = gated(origin);
        let (setup, budget) = capped(Arc::clone(&meter), 100_000);
        let under_way = async {
            let reserved = budget.spending().reserved;
            meter.open();
            reserved
        };
        let (answer, reserved) = tokio::join!(setup.ask(request), under_way);
        assert_eq!(reserved, most, "{words}");
        let unclear = if unclear { most } else { 0 };
        let now = budget.spending();
        assert_eq!(
            now,
            spending(100_000, spent, unclear, 0, 0),
            "{words} {origin:?}"
        );
        let billed = answer.map_or(0, |answer| answer.cost_micros);
        assert_eq!(billed, spent, "{words}: the meter says the same");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_may_have_been_billed() {
    let (request, most) = hundred("30");
    let (setup, budget) = capped(gated(Origin::Live), 100_000);
    let cancel = async {
        setup.caller.cancel.cancel();
    };
    let (answer, ()) = tokio::join!(setup.ask(request), cancel);
    assert_eq!(answer, Err(LlmError::Cancelled));
    assert_eq!(budget.spending(), spending(100_000, 0, most, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_billed_is_not_spent_again() {
    let (request, most) = hundred("late");
    let (setup, budget) = capped(meter(Origin::Live), 2 * most - 1);
    assert_eq!(setup.ask(request.clone()).await, Err(LlmError::Timeout));
    assert_eq!(setup.ask(request).await, Err(LlmError::BudgetExhausted));
    assert_eq!(budget.spending(), spending(2 * most - 1, 0, most, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_limit_gets_one_and_the_provider_is_told() {
    let meter = meter(Origin::Live);
    let (setup, budget) = capped(Arc::clone(&meter), 100_000);
    setup.ask(question("1")).await.unwrap();
    setup.ask(hundred("1").0).await.unwrap();
    assert_eq!(*meter.limits.lock().unwrap(), [Some(MAX_TOKENS), Some(100)]);

    // The default alone is more than this.
    let (setup, budget_of_little) = capped(Arc::clone(&meter), 2 * u64::from(MAX_TOKENS));
    let refused = setup.ask(question("1")).await;
    assert_eq!(refused, Err(LlmError::BudgetExhausted));
    assert_eq!(budget_of_little.spending().refused, 1);
    assert_eq!(budget.spending().refused, 0);
    assert_eq!(meter.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_sent_is_set_aside_for() {
    type Longer = fn(&mut Request, String);
    let table: [(&str, Longer); 4] = [
        ("words", |r, text| {
            r.messages[0].content.push(Part::Text(text))
        }),
        ("a schema", |r, text| {
            r.response_format = ResponseFormat::JsonSchema(format!("{{\"title\":\"{text}\"}}"))
        }),
        ("a stop", |r, text| r.stop.push(text)),
        ("a tool", |r, text| {
            r.tools.push(ToolSpec {
                name: "t".to_owned(),
                description: text,
                input_schema: "{}".to_owned(),
                output_schema: None,
                effect: EffectKind::ReadOnly,
            });
        }),
    ];
    let (plain, most) = hundred("1");
    for (what, longer) in table {
        let (setup, budget) = capped(meter(Origin::Live), most + 2_000);
        setup.ask(plain.clone()).await.unwrap();
        let mut request = plain.clone();
        longer(&mut request, "x".repeat(2_000));
        assert_eq!(
            setup.ask(request).await,
            Err(LlmError::BudgetExhausted),
            "{what}"
        );
        assert_eq!(budget.spending().refused, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_budget_pays_for_many_models_each_at_its_price() {
    let budget = Budget::new(1_000);
    let dear = Price {
        output_micros_per_mtok: 9_000_000,
        ..Price::default()
    };
    let cheap = Price {
        output_micros_per_mtok: 1_000_000,
        ..Price::default()
    };
    let model = |price| {
        let capped = Capped::new(meter(Origin::Live), price, budget.clone());
        Setup::new(Arc::new(capped), TIMEOUT)
    };
    let (dear, cheap, free) = (model(dear), model(cheap), model(Price::default()));
    dear.ask(hundred("100").0).await.unwrap();
    assert_eq!(
        dear.ask(hundred("1").0).await,
        Err(LlmError::BudgetExhausted)
    );
    cheap.ask(hundred("50").0).await.unwrap();
    assert_eq!(
        cheap.ask(hundred("50").0).await,
        Err(LlmError::BudgetExhausted)
    );
    free.ask(hundred("100").0).await.unwrap();
    assert_eq!(budget.spending(), spending(1_000, 950, 0, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_bills_too_much_is_stopped_after_that_call() {
    let (_, most) = hundred("1000");
    let (setup, budget) = capped(meter(Origin::Live), most);
    setup.ask(hundred("1000").0).await.unwrap();
    assert_eq!(budget.spending(), spending(most, 2_000, 0, 0, 0));
    assert_eq!(
        setup.ask(hundred("1").0).await,
        Err(LlmError::BudgetExhausted)
    );
}

#[tokio::test(start_paused = true)]
async fn where_an_answer_comes_from_stays_what_it_is() {
    let (setup, _) = capped(meter(Origin::Simulated), 100_000);
    let effect = |setup: &Setup| setup.caller.meter.records().effects.remove(0);
    setup.ask(hundred("1").0).await.unwrap();
    assert_eq!(effect(&setup).origin, Some(Origin::Simulated));
}
