//! Money that calls compete for, as the broker and the guest meet it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use hotcell_broker::ledger::{Alerts, Allowance, Caps, Ledger, Payer, Rules, Worth};
use hotcell_broker::llm::{
    Answer, Completion, FinishReason, LlmError, LlmProvider, Message, Origin, Part, Request,
    ResponseFormat, Role, Usage,
};
use hotcell_broker::meter::Meter;
use hotcell_broker::provider::capped::MAX_TOKENS;
use hotcell_broker::recall::AttemptLog;
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy, Price, Route};
use hotcell_store::books::Books;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const NOON: u64 = 20_000 * 86_400_000 + 43_200_000;

/// A real model: what it says comes when its gate is open.
struct Model {
    gate: Semaphore,
    asked: AtomicU32,
    bound: AtomicU32,
    says: fn() -> Result<Usage, LlmError>,
}

#[async_trait]
impl LlmProvider for Model {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, _: &Broker, _: &Caller, request: &Request) -> Answer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.bound
            .store(request.max_tokens.unwrap_or(0), Ordering::SeqCst);
        drop(self.gate.acquire().await.unwrap());
        let completion = |usage| Completion {
            message: Message {
                role: Role::Assistant,
                content: Vec::new(),
            },
            finish: FinishReason::Stop,
            usage,
            usage_estimated: false,
            model: "m".to_owned(),
        };
        Answer::wall((self.says)().map(completion))
    }
}

/// What [`question`] can cost at most with fifty tokens.
const EACH: u64 = 220;

/// A broker whose runs may spend so much, and somebody who asks it.
struct Desk {
    model: Arc<Model>,
    broker: Broker,
    caller: Caller,
}

/// A micro-dollar for each token.
const PRICE: Price = Price {
    input_micros_per_mtok: 1_000_000,
    output_micros_per_mtok: 1_000_000,
};

fn rules(cap: u64) -> Rules {
    let run = Allowance {
        micros: Some(cap),
        tokens: None,
    };
    Rules {
        tenant: Caps {
            run,
            ..Caps::default()
        },
        ..Rules::default()
    }
}

fn desk(cap: u64, price: Price, open: bool, says: fn() -> Result<Usage, LlmError>) -> Desk {
    let model = Arc::new(Model {
        gate: Semaphore::new(if open { 1_000 } else { 0 }),
        asked: AtomicU32::new(0),
        bound: AtomicU32::new(0),
        says,
    });
    let books = Books::in_memory().unwrap();
    let ledger = Ledger::open(books, rules(cap), NOON, Alerts::default()).unwrap();
    let grants = Grants {
        llm: ["default".to_owned()].into(),
        ..Grants::default()
    };
    let route = Route {
        provider: Arc::clone(&model) as _,
        price,
        timeout: Duration::from_secs(60),
        max_output_tokens: None,
    };
    let parts = Parts {
        policy: Policy {
            plugin: [("agent".to_owned(), grants)].into(),
            ..Policy::default()
        },
        models: BTreeMap::from([("default".to_owned(), route)]),
        ledger: Some(ledger),
        ..Parts::default()
    };
    Desk {
        model,
        broker: Broker::assemble(parts).unwrap(),
        caller: Caller {
            run: "run".to_owned(),
            tenant: "tenant".to_owned(),
            task: "task".to_owned(),
            step: "step".to_owned(),
            attempt: 1,
            plugin: "agent".to_owned(),
            now_unix_ms: 0,
            deadline: Instant::now() + Duration::from_secs(3_600),
            meter: Arc::new(Meter::default()),
            cancel: CancellationToken::new(),
            sequence: Arc::default(),
            depth: 0,
            behalf: Arc::default(),
            parent: None,
            log: AttemptLog::off(),
        },
    }
}

fn question(max_tokens: Option<u32>) -> Request {
    Request {
        model: "default".to_owned(),
        messages: vec![Message {
            role: Role::User,
            content: vec![Part::Text("hello".to_owned())],
        }],
        tools: Vec::new(),
        response_format: ResponseFormat::Text,
        max_tokens,
        temperature: None,
        seed: None,
        stop: Vec::new(),
    }
}

/// What a call can cost at most, at [`PRICE`].
fn most(request: &Request) -> u64 {
    let input = serde_json::to_vec(request).unwrap().len() as u64;
    input + u64::from(request.max_tokens.unwrap())
}

fn tokens(input: u64, output: u64) -> Result<Usage, LlmError> {
    Ok(Usage {
        input_tokens: input,
        output_tokens: output,
        ..Usage::default()
    })
}

#[tokio::test]
async fn b01_of_a_hundred_calls_at_once_ten_are_made_when_the_money_is_for_ten() {
    let each = most(&question(Some(50)));
    let desk = desk(10 * each + each / 2, PRICE, false, || tokens(0, EACH));
    assert_eq!(each, EACH);
    let calls = (0..100).map(|_| desk.broker.complete(&desk.caller, question(Some(50))));
    let open = async {
        tokio::task::yield_now().await;
        desk.model.gate.add_permits(100);
    };
    let (answers, ()) = tokio::join!(join_all(calls), open);
    assert_eq!(desk.model.asked.load(Ordering::SeqCst), 10);
    let made = answers.iter().filter(|it| it.is_ok()).count();
    let refused = answers
        .iter()
        .filter(|it| **it == Err(LlmError::BudgetExhausted));
    assert_eq!((made, refused.count()), (10, 90));
    let left = desk.broker.left_micros(&desk.caller).await;
    assert_eq!(left, Some(each / 2));
    let records = desk.caller.meter.records();
    let refusals: Vec<_> = records.refusals.iter().collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].1, 90);
    let allow = refusals[0].0.allow_with.clone().unwrap();
    assert!(allow.starts_with("[budget] run_usd = 0.00"), "{allow}");
}

#[tokio::test]
async fn calls_that_cost_less_than_they_could_make_room_for_those_that_wait() {
    let each = most(&question(Some(50)));
    let desk = desk(2 * each, PRICE, true, || tokens(1, 1));
    let calls = (0..40).map(|_| desk.broker.complete(&desk.caller, question(Some(50))));
    let answers = join_all(calls).await;
    let made = answers.iter().filter(|it| it.is_ok()).count() as u64;
    // Each costs two; the last that may be made leaves less than one could cost.
    let left = desk.broker.left_micros(&desk.caller).await.unwrap();
    assert_eq!(left, 2 * each - 2 * made);
    assert!(made == 40 || left < each, "{made} made, {left} left");
    assert!(made > 2, "{made}");
}

#[tokio::test]
async fn b02_a_call_that_nobody_waits_for_any_more_is_charged_in_full() {
    let each = most(&question(Some(50)));
    for cancelled in [true, false] {
        let desk = desk(2 * each, PRICE, false, || tokens(1, 1));
        let mut call = Box::pin(desk.broker.complete(&desk.caller, question(Some(50))));
        assert!(futures::poll!(call.as_mut()).is_pending());
        match cancelled {
            true => {
                desk.caller.cancel.cancel();
                assert_eq!(call.await, Err(LlmError::Cancelled));
            }
            false => drop(call),
        }
        tokio::task::yield_now().await;
        let left = desk.broker.left_micros(&desk.caller).await;
        assert_eq!(left, Some(each), "cancelled: {cancelled}");
    }
}

#[tokio::test]
async fn b06_numbers_beyond_all_numbers_are_refused_before_anybody_is_asked() {
    let dear = Price {
        input_micros_per_mtok: u64::MAX,
        output_micros_per_mtok: u64::MAX,
    };
    let desk = desk(u64::MAX - 1, dear, true, || tokens(u64::MAX, u64::MAX));
    let answer = desk.broker.complete(&desk.caller, question(Some(u32::MAX)));
    assert_eq!(answer.await, Err(LlmError::BudgetExhausted));
    assert_eq!(desk.model.asked.load(Ordering::SeqCst), 0);
    // A price that fits, and a provider that lies: no call after that one.
    let desk = self::desk(1_000_000, PRICE, true, || tokens(u64::MAX, u64::MAX));
    let first = desk.broker.complete(&desk.caller, question(None)).await;
    assert_eq!(first.unwrap().cost_micros, u64::MAX);
    assert_eq!(desk.model.bound.load(Ordering::SeqCst), MAX_TOKENS);
    let second = desk.broker.complete(&desk.caller, question(None)).await;
    assert_eq!(second, Err(LlmError::BudgetExhausted));
}

#[tokio::test]
async fn b10_each_attempt_is_paid_and_nobody_but_the_caller_repeats_one() {
    let each = most(&question(Some(50)));
    type Ends = fn() -> Result<Usage, LlmError>;
    let table: [(Ends, u32); 2] = [
        // Nobody knows what it billed, so all of it counts.
        (|| Err(LlmError::Unavailable("gone".to_owned())), 3),
        // A provider that is busy bills nothing.
        (|| Err(LlmError::RateLimited(Some(0))), 10),
    ];
    for (says, made) in table {
        let desk = desk(3 * each, PRICE, true, says);
        let mut exhausted = 0;
        for _ in 0..10 {
            let answer = desk.broker.complete(&desk.caller, question(Some(50))).await;
            exhausted += u32::from(answer == Err(LlmError::BudgetExhausted));
        }
        let asked = desk.model.asked.load(Ordering::SeqCst);
        assert_eq!((asked, exhausted), (made, 10 - made));
    }
}

/// Whoever finds this file in its folder is one of the racers over that folder.
const START: &str = "start";

#[tokio::test(flavor = "multi_thread")]
async fn b01_two_processes_on_one_folder_never_spend_more_than_there_is() {
    if Path::new(START).exists() {
        let admitted = race(Path::new(".")).await;
        std::fs::write(
            format!("admitted-{}", std::process::id()),
            admitted.to_string(),
        )
        .unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(START), "").unwrap();
    let racer = || {
        let name = "b01_two_processes_on_one_folder_never_spend_more_than_there_is";
        let mut racer = Command::new(std::env::current_exe().unwrap());
        racer.args([name, "--exact"]).current_dir(dir.path());
        racer.stdout(Stdio::null()).spawn().unwrap()
    };
    let racers = [racer(), racer()];
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }
    let files = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    let counts: Vec<u64> = files
        .filter(|it| it.file_name().to_string_lossy().starts_with("admitted"))
        .map(|it| std::fs::read_to_string(it.path()).unwrap().parse().unwrap())
        .collect();
    assert_eq!((counts.len(), counts.iter().sum()), (2, 10), "{counts:?}");
}

/// A hundred calls for an account with room for ten.
async fn race(dir: &Path) -> u64 {
    let day = Caps {
        day: Allowance {
            micros: Some(1_000),
            tokens: None,
        },
        ..Caps::default()
    };
    let rules = Rules {
        tenant: day,
        ..Rules::default()
    };
    let books = Books::open(dir).unwrap();
    let ledger = Ledger::open(books, rules, NOON, Alerts::default()).unwrap();
    let worth = Worth {
        micros: 100,
        tokens: 0,
    };
    let calls = (0..100).map(|number| {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            let run = format!("{}-{number}", std::process::id());
            let payer = Payer {
                run: &run,
                tenant: "tenant",
                plugin: "agent",
                behalf: &[],
                model: None,
                tool: None,
            };
            match ledger.reserve(payer, worth).await {
                Ok(hold) => hold.settle(worth).await.is_ok(),
                Err(_) => false,
            }
        })
    });
    let made = join_all(calls).await.into_iter().map(Result::unwrap);
    made.filter(|made| *made).count() as u64
}
