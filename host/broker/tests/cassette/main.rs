//! Calls that are recorded and played again, through the broker.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod files;
#[path = "../setup/mod.rs"]
mod setup;

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{
    Answer, Completion, FinishReason, LlmError, LlmProvider, Message, Origin, Part, Request,
    Response, Role, Took, Usage,
};
use hotcell_broker::provider::capped::{Budget, Capped};
use hotcell_broker::provider::cassette::{Miss, Recorder, Replay};
use hotcell_broker::provider::faults::{FaultModel, Faulty};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::tool::ToolCall;
use hotcell_broker::{Broker, Caller, Denial, Price};
use serde_json::{Value, json};
use setup::{Setup, caller, question};
use tempfile::TempDir;
use tokio::sync::Barrier;

const TIMEOUT: Duration = Duration::from_secs(60);

/// How long the model takes, on a clock that stands still.
const THINKS: Duration = Duration::from_millis(1_500);

/// Does what the question says and counts how often it was asked.
pub(crate) struct World {
    origin: Origin,
    asked: AtomicU32,
    /// What it was asked, in order.
    heard: Mutex<Vec<String>>,
    /// Two who ask `together` wait for one another.
    pair: Barrier,
}

pub(crate) fn world(origin: Origin) -> Arc<World> {
    Arc::new(World {
        origin,
        asked: AtomicU32::new(0),
        heard: Mutex::default(),
        pair: Barrier::new(2),
    })
}

impl World {
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl LlmProvider for World {
    fn origin(&self) -> Origin {
        self.origin
    }

    async fn complete(&self, _: &Broker, _: &Caller, request: &Request) -> Answer {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let Part::Text(said) = &request.messages[0].content[0] else {
            panic!("a question in words");
        };
        self.heard.lock().unwrap().push(said.clone());
        tokio::time::advance(THINKS).await;
        if said == "together" {
            self.pair.wait().await;
        }
        let content = match said.as_str() {
            "slow" => std::future::pending().await,
            "calls" => vec![
                Part::Text("first this".to_owned()),
                Part::Call(ToolCall {
                    id: "1".to_owned(),
                    name: "vendor.find".to_owned(),
                    arguments: r#"{"name":"Acme"}"#.to_owned(),
                }),
            ],
            "json" => vec![Part::Json(r#"{"a":[1,2.50]}"#.to_owned())],
            "odd" => vec![Part::Text("a\u{202e}b\u{1b}[31m\n\"\\⟦é".to_owned())],
            _ if error(said).is_some() => return Answer::wall(Err(error(said).unwrap())),
            "virtual" => {
                let completion = completion(vec![Part::Text("v".to_owned())], number);
                return Answer::new(
                    Ok(completion),
                    Took::Virtual(Duration::from_micros(7_000_123)),
                );
            }
            _ => vec![Part::Text(format!("answer {number} to {said}"))],
        };
        Answer::wall(Ok(completion(content, number)))
    }
}

fn error(said: &str) -> Option<LlmError> {
    Some(match said {
        "busy" => LlmError::RateLimited(Some(70)),
        "busy for ever" => LlmError::RateLimited(None),
        "down" => LlmError::Unavailable("down".to_owned()),
        "late" => LlmError::Timeout,
        "invalid" => LlmError::Invalid("no such thing".to_owned()),
        "long" => LlmError::ContextTooLong,
        "denied" => LlmError::Denied(Denial::Expired),
        "broke" => LlmError::BudgetExhausted,
        _ => return None,
    })
}

fn completion(content: Vec<Part>, number: u32) -> Completion {
    Completion {
        message: Message {
            role: Role::Assistant,
            content,
        },
        finish: FinishReason::Stop,
        usage: Usage {
            input_tokens: 7,
            output_tokens: u64::from(number),
            cached_input_tokens: 3,
            reasoning_tokens: 1,
        },
        usage_estimated: number % 2 == 1,
        model: "world-1".to_owned(),
    }
}

/// What is asked in most tests: all that can come of a call.
const WORDS: [&str; 13] = [
    "first",
    "calls",
    "json",
    "odd",
    "virtual",
    "busy",
    "busy for ever",
    "down",
    "late",
    "invalid",
    "long",
    "denied",
    "slow",
];

/// A folder with one recording.
pub(crate) struct Shelf {
    dir: TempDir,
}

impl Shelf {
    pub(crate) fn new() -> Shelf {
        Shelf {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("calls.jsonl")
    }

    pub(crate) fn file(&self) -> File {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        options.open(self.path()).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    pub(crate) fn record(&self, inner: Arc<dyn LlmProvider>) -> Recorder {
        Recorder::new(inner, self.file(), TIMEOUT).unwrap()
    }

    pub(crate) fn replay(&self) -> Replay {
        Replay::read(self.text().as_bytes()).unwrap()
    }
}

pub(crate) fn setup_of(provider: impl LlmProvider + 'static) -> Setup {
    Setup::new(Arc::new(provider), TIMEOUT)
}

/// All words asked one after another: what was told, and what the meter says.
async fn play(setup: &Setup) -> (Vec<Result<Response, LlmError>>, Value) {
    let mut told = Vec::new();
    for words in WORDS {
        told.push(setup.ask(question(words)).await);
    }
    let mut meter = serde_json::to_value(setup.caller.meter.records()).unwrap();
    for effect in meter["effects"].as_array_mut().unwrap() {
        // On which clock it took so long, and where it comes from: see below.
        let effect = effect.as_object_mut().unwrap();
        effect.remove("origin");
        // Nor whether a call that failed was paid: of a real one nobody knows.
        if effect["outcome"] != "ok" {
            effect.remove("usage_estimated");
        }
        effect.remove("simulated_time");
    }
    (told, meter)
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_is_answered_as_it_was_and_nobody_is_asked() {
    let shelf = Shelf::new();
    let there = world(Origin::Live);
    let plain = play(&Setup::new(world(Origin::Live), TIMEOUT)).await;
    let recorded = play(&setup_of(shelf.record(Arc::clone(&there) as _))).await;
    assert_eq!(recorded, plain, "recording changes nothing");
    assert_eq!(there.asked(), WORDS.len() as u32);

    let replay = shelf.replay();
    assert_eq!((replay.calls(), replay.interrupted()), (WORDS.len(), false));
    let misses = replay.misses();
    let before = tokio::time::Instant::now();
    let replayed = play(&setup_of(replay)).await;
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody waits again");
    assert_eq!(replayed, recorded);
    assert_eq!(misses.so_far().count, 0);
    assert_eq!(there.asked(), WORDS.len() as u32);
}

#[tokio::test(start_paused = true)]
async fn where_answers_come_from_stays_what_it_is() {
    let table = [
        (Origin::Live, Origin::Recorded),
        (Origin::Recorded, Origin::Recorded),
        (Origin::Simulated, Origin::Simulated),
        (Origin::Scripted, Origin::Scripted),
        (Origin::Plugin, Origin::Plugin),
    ];
    for (origin, again) in table {
        let shelf = Shelf::new();
        let recorder = shelf.record(world(origin));
        assert_eq!(recorder.origin(), origin);
        setup_of(recorder).ask(question("first")).await.unwrap();
        let setup = setup_of(shelf.replay());
        setup.ask(question("first")).await.unwrap();
        let effect = setup.caller.meter.records().effects.remove(0);
        assert_eq!(effect.origin, Some(again));
        assert_eq!(effect.took, Duration::from_millis(1_500));
        assert!(effect.simulated_time);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_there_says_what_differs_and_is_counted() {
    let shelf = Shelf::new();
    let setup = setup_of(shelf.record(world(Origin::Live)));
    setup.ask(question("first")).await.unwrap();
    drop(setup);
    type Change = fn(&mut Caller, &mut Request);
    let table: [(Change, Option<&str>); 10] = [
        (|_, _| {}, None),
        (|c, _| c.run = "another".to_owned(), None),
        (
            |c, _| c.task = "t\u{1b}".to_owned(),
            Some("no call 0 of task `t\\u{1b}`, step `step`, attempt 1"),
        ),
        (
            |c, _| c.step = "s".to_owned(),
            Some("no call 0 of task `task`, step `s`, attempt 1"),
        ),
        (
            |c, _| c.attempt = 2,
            Some("no call 0 of task `task`, step `step`, attempt 2"),
        ),
        (
            |c, _| c.sequence = Arc::new(AtomicU32::new(4)),
            Some("no call 4 of task `task`, step `step`, attempt 1"),
        ),
        (
            |_, r| r.messages[0].role = Role::System,
            Some("another request for call 0 of task `task`, step `step`, attempt 1"),
        ),
        (
            |_, r| r.max_tokens = Some(1),
            Some("another request for call 0 of task `task`, step `step`, attempt 1"),
        ),
        (
            |_, r| r.seed = Some(1),
            Some("another request for call 0 of task `task`, step `step`, attempt 1"),
        ),
        (
            |_, r| r.messages.push(r.messages[0].clone()),
            Some("another request for call 0 of task `task`, step `step`, attempt 1"),
        ),
    ];
    for (change, miss) in table {
        let replay = shelf.replay();
        let misses = replay.misses();
        let mut setup = setup_of(replay);
        let mut request = question("first");
        change(&mut setup.caller, &mut request);
        let told = setup.ask(request).await.map(drop);
        let miss = miss.map(|miss| format!("the recording holds {miss}"));
        let expected = miss
            .clone()
            .map_or(Ok(()), |miss| Err(LlmError::Invalid(miss)));
        assert_eq!(told, expected);
        let missed = misses.so_far();
        assert_eq!(missed.count, u64::from(miss.is_some()));
        assert_eq!(missed.first.as_ref().map(Miss::to_string), miss);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_recording_goes_on_and_pays_only_for_what_it_has_not() {
    let shelf = Shelf::new();
    let whole = play(&setup_of(shelf.record(world(Origin::Live)))).await;
    let lines: Vec<String> = shelf
        .text()
        .split_inclusive('\n')
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len(), WORDS.len() + 1);
    for kept in [0, 1, 2, 7, 12, 13] {
        let before = lines[..=kept].concat();
        std::fs::write(shelf.path(), &before).unwrap();
        let there = world(Origin::Live);
        let recorder = shelf.record(Arc::clone(&there) as _);
        assert_eq!((recorder.kept(), recorder.interrupted()), (kept, false));
        let (told, _) = play(&setup_of(recorder)).await;
        let heard = there.heard.lock().unwrap().clone();
        assert_eq!(heard, WORDS[kept..], "only these are asked");
        assert_eq!(told.len(), whole.0.len());
        assert!(shelf.text().starts_with(&before));
        assert_eq!(shelf.text().lines().count(), lines.len());
        let (again, _) = play(&setup_of(shelf.replay())).await;
        assert_eq!(again, told);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_are_told_apart_by_their_number() {
    let shelf = Shelf::new();
    let there = world(Origin::Live);
    let requests = || vec![question("x"); 20];
    let all =
        |setup: Setup| async move { setup.broker.complete_all(&setup.caller, requests()).await };
    let told = all(setup_of(shelf.record(Arc::clone(&there) as _))).await;
    assert_eq!((there.asked(), shelf.replay().calls()), (20, 20));
    assert_eq!(all(setup_of(shelf.replay())).await, told);
    assert_ne!(told[0], told[19]);
}

#[tokio::test(start_paused = true)]
async fn of_two_equal_calls_at_once_the_first_answer_stands() {
    let shelf = Shelf::new();
    let there = world(Origin::Live);
    let recorder: Arc<dyn LlmProvider> = Arc::new(shelf.record(Arc::clone(&there) as _));
    let same = || async {
        let mut setup = Setup::new(Arc::clone(&recorder), TIMEOUT);
        setup.caller = caller();
        setup.ask(question("together")).await.unwrap()
    };
    let (one, other) = tokio::join!(same(), same());
    assert_eq!(there.asked(), 2);
    assert_eq!(one, other);
    assert_eq!(same().await, one);
    assert_eq!(shelf.replay().calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_recorded_and_an_end_by_the_operator_is_not() {
    let shelf = Shelf::new();
    let recorder: Arc<dyn LlmProvider> = Arc::new(shelf.record(world(Origin::Live)));
    let caller_of = |task: &str| Caller {
        task: task.to_owned(),
        ..caller()
    };
    let ask = |caller: Caller, words: &'static str| {
        let mut setup = Setup::new(Arc::clone(&recorder), TIMEOUT);
        setup.caller = caller;
        async move { setup.ask(question(words)).await.map(drop) }
    };
    let late = ask(caller_of("late"), "slow").await;
    assert_eq!(late, Err(LlmError::Timeout));
    let mut hurried = caller_of("hurried");
    hurried.deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    assert_eq!(ask(hurried, "slow").await, Err(LlmError::Timeout));

    let stopped = caller_of("stopped");
    let cancel = stopped.cancel.clone();
    let stop = async {
        tokio::time::advance(TIMEOUT - THINKS - Duration::from_millis(10)).await;
        cancel.cancel();
    };
    let (told, ()) = tokio::join!(ask(stopped, "slow"), stop);
    assert_eq!(told, Err(LlmError::Cancelled));
    // Nobody waits for this one any more, without saying so.
    let dropped = ask(caller_of("dropped"), "slow");
    let waited = tokio::time::timeout(Duration::from_secs(1), dropped).await;
    assert!(waited.is_err());

    let text = shelf.text();
    let recorded: Vec<Value> = text
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let tasks: Vec<_> = recorded.iter().map(|line| &line["task"]).collect();
    assert_eq!(tasks, ["late", "hurried"]);
    let outcomes = [json!({ "error": "timeout" }), json!({ "error": "timeout" })];
    assert!(recorded.iter().map(|line| &line["outcome"]).eq(&outcomes));
    assert_eq!(recorded[0]["took_micros"], 60_000_000);
    assert_eq!(recorded[1]["took_micros"], 2_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_budget_refused_is_asked_when_there_is_more() {
    let shelf = Shelf::new();
    let there = world(Origin::Live);
    for (cap, answered) in [(0, 0), (100_000, 1), (0, 1)] {
        let price = Price {
            input_micros_per_mtok: 1_000_000,
            output_micros_per_mtok: 2_000_000,
        };
        let budget = Budget::new(cap);
        let capped = Capped::new(Arc::clone(&there) as _, price, budget.clone());
        let setup = setup_of(shelf.record(Arc::new(capped)));
        let told = setup.ask(question("first")).await;
        assert_eq!(told.is_ok(), answered == 1, "{cap}");
        assert_eq!(
            (there.asked(), shelf.replay().calls() as u32),
            (answered, answered)
        );
        // What is known costs nothing, whatever is left.
        assert_eq!(budget.spending().refused, u64::from(answered == 0));
    }
}

#[tokio::test]
async fn a_simulation_with_all_its_faults_and_times_is_played_again() {
    let shelf = Shelf::new();
    let faulty = || {
        let script = Scripted::from_jsonl(r#"{"reply":{"json":{"a":1,"b":22,"c":[3,4]}}}"#);
        let model = FaultModel {
            hallucination: 0.4,
            malformed_json: 0.2,
            rate_limited: 0.2,
            timeout: 0.2,
            slow_tail: 0.2,
            slow_tail_factor: 100.0,
            latency_p50_ms: 900,
            latency_p95_ms: 2_000,
            ..FaultModel::default()
        };
        Arc::new(Faulty::new(Arc::new(script.unwrap()), model, 3).unwrap())
    };
    let mut told = Vec::new();
    let providers: [Box<dyn Fn() -> Arc<dyn LlmProvider>>; 3] = [
        Box::new(move || faulty()),
        Box::new(|| Arc::new(shelf.record(faulty()))),
        Box::new(|| Arc::new(shelf.replay())),
    ];
    for provider in providers {
        let setup = Setup::new(provider(), TIMEOUT);
        let answers = setup
            .broker
            .complete_all(&setup.caller, vec![question("x"); 60])
            .await;
        let meter = serde_json::to_value(setup.caller.meter.records()).unwrap();
        told.push((answers, meter));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[1], told[2]);
    assert!(told[0].1.to_string().contains("timeout"));
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_is_not_in_the_file() {
    let shelf = Shelf::new();
    let setup = setup_of(shelf.record(world(Origin::Live)));
    let mut request = question("invalid");
    request.messages[0]
        .content
        .push(Part::Text("sk-1234".to_owned()));
    request.stop.push("sk-5678".to_owned());
    assert!(setup.ask(request).await.is_err());
    let text = shelf.text();
    assert!(
        text.contains("no such thing") && !text.contains("sk-"),
        "{text}"
    );
}
