//! The broker with a journal: what it answers without asking, what it asks again,
//! and where it stops.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod desk;
mod doubt;
mod records;
mod requests;
#[path = "../setup/mod.rs"]
mod setup;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hotcell_broker::llm::{LlmError, Origin, Part, Request, Role};
use hotcell_broker::provider::faults::{FaultModel, Faulty};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::recall::{AttemptLog, Halt, INTENT, Known, REFUSED, RESULT, Recalled};
use hotcell_broker::store::journal::Record;
use hotcell_broker::tool::{EffectKind, ToolError};
use hotcell_broker::{Broker, Caller, Denial};
use serde_json::{Value, json};

use desk::{Desk, World, broker, call, live, make, nobody, open, ordinary, whole, with};
use setup::{Setup, caller, question};

/// Everything that can happen to a call, alone and together with others.
async fn play(broker: &Broker, caller: &Caller) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut see = |answer: &dyn erased::Json| seen.push(answer.json());
    see(&broker.complete(caller, question("first")).await);
    for (model, messages) in [("other", true), ("gone", true), ("default", false)] {
        let mut request = question("x");
        request.model = model.to_owned();
        request.messages.truncate(usize::from(messages));
        see(&broker.complete(caller, request).await);
    }
    let requests = ["b", "busy", "slow", "c"].map(question).to_vec();
    for answer in broker.complete_all(caller, requests).await {
        see(&answer);
    }
    see(&broker.call_tool(caller, call("pay", "{}")).await);
    let calls = [
        call("find", "{}"),
        call("denied", "{}"),
        call("put", r#"{"say":"busy"}"#),
        call("missing", "{}"),
        call("put", r#"{"say":"slow"}"#),
        call("find", r#"{"again":true}"#),
    ];
    for answer in broker.call_tools(caller, calls.to_vec()).await {
        see(&answer);
    }
    see(&broker.complete(caller, question("last")).await);
    seen
}

/// Answers of both sorts as JSON.
mod erased {
    pub(crate) trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

#[tokio::test]
async fn a_simulated_model_errs_alike_with_a_journal_and_without() {
    let desk = Desk::new();
    let run = desk.begin();
    let mut told = Vec::new();
    for caller in [caller(), live(&run, Known::default())] {
        let script = Scripted::from_jsonl(r#"{"reply":{"json":{"a":1,"b":22,"c":333}}}"#).unwrap();
        let model = FaultModel {
            hallucination: 0.8,
            ..FaultModel::default()
        };
        let faulty = Faulty::new(Arc::new(script), model, 1).unwrap();
        let log = faulty.log();
        let setup = Setup::new(Arc::new(faulty), Duration::from_secs(60));
        let requests = vec![question("x"); 20];
        let answers = setup.broker.complete_all(&caller, requests).await;
        told.push((answers, log.records()));
    }
    assert_eq!(told[0], told[1]);
    let numbers: BTreeSet<_> = told[0].1.iter().map(|fault| fault.sequence).collect();
    assert!(numbers.len() > 10, "{numbers:?}");
}

/// How often somebody is asked in [`play`].
const ASKED: u32 = 11;

#[tokio::test(start_paused = true)]
async fn what_was_done_once_is_answered_and_not_done_again() {
    let mut desk = Desk::new();
    let run = desk.begin();
    let there = ordinary();
    let (broker, first) = (whole(&there), live(&run, Known::default()));
    let without = play(&whole(&ordinary()), &caller()).await;
    let answers = play(&broker, &first).await;
    assert_eq!(answers, without, "a journal changes nothing");
    assert_eq!((there.asked(), first.log.halted()), (ASKED, None));
    let spent = serde_json::to_value(first.meter.records()).unwrap();

    let kinds = |records: &[Record]| {
        let count = |kind| records.iter().filter(|record| record.kind == kind).count();
        [INTENT, RESULT, REFUSED].map(count)
    };
    assert_eq!(kinds(&desk.records()), [11, 11, 5]);
    let run = desk.again();
    let records = desk.records();
    type Again<'a> = (&'a str, Broker, AttemptLog);
    let clock = || Arc::new(|| 9);
    let table: [Again; 3] = [
        (
            "live",
            whole(&there),
            AttemptLog::live(run, clock(), desk.known()),
        ),
        ("strict", whole(&there), AttemptLog::strict(desk.known())),
        (
            "strict, with nobody",
            nobody(),
            AttemptLog::strict(desk.known()),
        ),
    ];
    for (how, broker, log) in table {
        let again = with(log);
        let told = play(&broker, &again).await;
        assert_eq!(again.log.halted(), None, "{how}");
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            serde_json::to_string(&answers).unwrap(),
            "{how}"
        );
        assert_eq!(there.asked(), ASKED, "{how}");
        let sequence = |caller: &Caller| caller.sequence.load(Ordering::Relaxed);
        assert_eq!(sequence(&again), sequence(&first), "{how}");
        // The order in which calls at once ended is not kept; all else is.
        let sorted = |value: &Value| {
            let mut effects = value["effects"].as_array().unwrap().clone();
            effects.sort_by_key(|effect| effect["sequence"].as_u64());
            (effects, value["refusals"].clone())
        };
        let cost = serde_json::to_value(again.meter.records()).unwrap();
        assert_eq!(sorted(&cost), sorted(&spent), "{how}");
        again.log.answered(&again);
        assert_eq!(again.log.halted(), None, "{how}");
    }
    assert_eq!(desk.records(), records, "nothing is written twice");
}

#[tokio::test]
async fn a_run_goes_on_where_its_journal_ends() {
    let mut desk = Desk::new();
    let there = ordinary();
    let first = live(&desk.begin(), Known::default());
    let before = whole(&there).call_tool(&first, call("pay", "{}")).await;
    let run = desk.again();
    let second = live(&run, desk.known());
    let broker = whole(&there);
    assert_eq!(broker.call_tool(&second, call("pay", "{}")).await, before);
    assert_eq!(there.asked(), 1);
    broker.complete(&second, question("new")).await.unwrap();
    assert_eq!((there.asked(), desk.records().len()), (2, 4));
    let numbers: Vec<_> = second.meter.records().effects;
    assert_eq!([numbers[0].sequence, numbers[1].sequence], [0, 1]);
}

#[tokio::test]
async fn another_question_than_the_recorded_one_ends_the_attempt() {
    type Ask = fn(&mut Request);
    let table: [(&str, Ask); 6] = [
        ("words", |r| {
            r.messages[0].content = vec![Part::Text("two\u{1b}".to_owned())]
        }),
        ("speaker", |r| r.messages[0].role = Role::System),
        ("more", |r| r.messages.push(r.messages[0].clone())),
        ("temperature", |r| r.temperature = Some(0.5)),
        ("seed", |r| r.seed = Some(1)),
        ("stop", |r| r.stop.push("x".to_owned())),
    ];
    let desk = Desk::new();
    let there = ordinary();
    let broker = whole(&there);
    let first = live(&desk.begin(), Known::default());
    broker.complete(&first, question("one")).await.unwrap();
    for (what, change) in table {
        let again = with(AttemptLog::strict(desk.known()));
        let mut request = question("one");
        change(&mut request);
        let answer = broker.complete(&again, request).await;
        assert_eq!(answer, Err(LlmError::Cancelled), "{what}");
        let Some(Halt::Diverged {
            expected,
            found,
            call,
            ..
        }) = again.log.halted()
        else {
            panic!("{what}: {:?}", again.log.halted());
        };
        assert_eq!((expected.as_str(), call), ("llm default: one", 0));
        if what == "words" {
            assert_eq!(found, "llm default: two\\u{1b}");
        }
        // Nothing goes on from there, whatever is asked.
        let next = broker.complete(&again, question("one")).await;
        assert_eq!(next, Err(LlmError::Cancelled), "{what}");
        assert!(again.meter.records().effects.is_empty());
    }
    // A tool instead of a model.
    let again = with(AttemptLog::strict(desk.known()));
    broker
        .call_tool(&again, call("pay", "{}"))
        .await
        .unwrap_err();
    assert_eq!(again.log.halted().unwrap().code(), "halted.diverged");
    assert_eq!(there.asked(), 1);
}

#[tokio::test]
async fn less_than_what_is_recorded_is_another_attempt_and_so_is_more() {
    let desk = Desk::new();
    let there = ordinary();
    let broker = whole(&there);
    let first = live(&desk.begin(), Known::default());
    broker.complete(&first, question("one")).await.unwrap();
    broker.complete(&first, question("two")).await.unwrap();

    let less = with(AttemptLog::strict(desk.known()));
    broker.complete(&less, question("one")).await.unwrap();
    less.log.answered(&less);
    let Some(Halt::Diverged {
        expected, found, ..
    }) = less.log.halted()
    else {
        panic!("{:?}", less.log.halted());
    };
    assert_eq!([expected, found], ["llm default: two", "its answer"]);

    let more = with(AttemptLog::strict(desk.known()));
    for said in ["one", "two", "three"] {
        broker.complete(&more, question(said)).await.ok();
    }
    let Some(Halt::Diverged {
        expected, found, ..
    }) = more.log.halted()
    else {
        panic!("{:?}", more.log.halted());
    };
    assert_eq!([expected, found], ["nothing more", "llm default: three"]);
    assert_eq!(there.asked(), 2);
}

#[tokio::test]
async fn a_grant_that_was_taken_away_undoes_nothing_and_allows_nothing_new() {
    let mut desk = Desk::new();
    let there = ordinary();
    let first = live(&desk.begin(), Known::default());
    let paid = whole(&there).call_tool(&first, call("pay", "{}")).await;
    let run = desk.again();
    let narrow = broker(&there, "default", &["find"]);
    let second = live(&run, desk.known());
    assert_eq!(narrow.call_tool(&second, call("pay", "{}")).await, paid);
    let denied = ToolError::Denied(Denial::NotGranted("tools pay".to_owned()));
    let again = narrow.call_tool(&second, call("pay", "{}")).await;
    assert_eq!(again, Err(denied));
    narrow.call_tool(&second, call("find", "{}")).await.unwrap();
    assert_eq!((there.asked(), second.log.halted()), (2, None));
}

#[tokio::test]
async fn without_room_in_the_journal_nobody_is_asked() {
    // Another owner took the journal over.
    let desk = Desk::new();
    let there = ordinary();
    let broker = whole(&there);
    let fenced = live(&desk.begin(), Known::default());
    let other = open(&desk.dir, true);
    broker.complete(&fenced, question("one")).await.unwrap_err();
    assert_eq!(fenced.log.halted().unwrap().code(), "storage.fenced");
    broker
        .call_tool(&fenced, call("pay", "{}"))
        .await
        .unwrap_err();
    assert_eq!(there.asked(), 0);
    assert!(
        fenced.meter.records().effects.is_empty(),
        "nothing was done"
    );
    drop(other);

    // A question that is too large for a record.
    let desk = Desk::new();
    let large = live(&desk.begin(), Known::default());
    let words = "x".repeat(9 << 20);
    broker.complete(&large, question(&words)).await.unwrap_err();
    assert_eq!(large.log.halted().unwrap().code(), "limit.record");
    assert_eq!(there.asked(), 0);
}

#[tokio::test]
async fn an_answer_that_could_not_be_written_is_not_seen() {
    let desk = Desk::new();
    let dir = Arc::clone(&desk.dir);
    // The journal is taken over while the tool is at work.
    let there = Arc::new(World {
        meanwhile: Some(Box::new(move || drop(open(&dir, true)))),
        ..make(Origin::Live, EffectKind::UnsafeToRepeat)
    });
    let caller = live(&desk.begin(), Known::default());
    let broker = whole(&there);
    let answer = broker.call_tool(&caller, call("pay", "{}")).await;
    assert_eq!(answer, Err(ToolError::Cancelled));
    assert_eq!(caller.log.halted().unwrap().code(), "storage.fenced");
    assert_eq!(there.asked(), 1);
    // It was done, so it is in the meter; and in doubt in the journal.
    assert_eq!(caller.meter.records().effects[0].outcome, "ok");
}

#[tokio::test]
async fn a_conversation_grows_by_what_is_new() {
    let bytes = async |turns: usize| {
        let desk = Desk::new();
        let broker = whole(&ordinary());
        let caller = live(&desk.begin(), Known::default());
        let mut request = question("begin");
        for turn in 0..turns {
            let answer = broker.complete(&caller, request.clone()).await.unwrap();
            request.messages.push(answer.completion.message);
            let next = question(&format!("turn {turn} {}", "x".repeat(300)));
            request.messages.extend(next.messages);
        }
        let known = desk.known();
        request.messages.truncate(2 * turns - 1);
        assert_eq!(
            known.request(turns as u32 - 1),
            Some(request),
            "put together again"
        );
        let bytes: usize = desk.records().iter().map(|record| record.body.len()).sum();
        bytes
    };
    let (fifty, hundred) = (bytes(50).await, bytes(100).await);
    assert!(hundred * 2 <= fifty * 5, "{fifty} {hundred}");
}

#[tokio::test]
async fn reads_are_given_again_in_their_order() {
    let desk = Desk::new();
    let run = desk.begin();
    let first = live(&run, Known::default());
    for (what, value) in [("clock", 5_u64), ("clock", u64::MAX), ("dice", 1)] {
        assert_eq!(first.log.recall::<u64>(&first, what), Recalled::New);
        first.log.note(&first, what, &value);
    }
    run.end("done", Vec::new()).await.unwrap();
    let again = with(AttemptLog::strict(desk.known()));
    let read = |what| again.log.recall::<u64>(&again, what);
    assert_eq!(
        [read("clock"), read("clock")],
        [Recalled::Known(5), Recalled::Known(u64::MAX)]
    );
    assert_eq!(read("clock"), Recalled::Halted);
    let told = again.log.halted().unwrap().to_string();
    assert!(
        told.contains("expected `read dice`, found `read clock`"),
        "{told}"
    );

    let again = with(AttemptLog::strict(desk.known()));
    assert_eq!(
        again.log.recall::<String>(&again, "clock"),
        Recalled::Halted
    );
    // What is not known is a divergence in a replay and new otherwise.
    for (log, expected) in [
        (AttemptLog::strict(Known::default()), Recalled::Halted),
        (
            AttemptLog::live(run, Arc::new(|| 9), Known::default()),
            Recalled::New,
        ),
        (AttemptLog::off(), Recalled::New),
    ] {
        let caller = with(log);
        assert_eq!(caller.log.recall::<u64>(&caller, "clock"), expected);
    }
}

#[test]
fn a_nested_cell_is_part_of_the_call_it_is_made_for() {
    let outer = with(AttemptLog::strict(Known::default()));
    let inner = outer.nested("tool", "step/tool".to_owned());
    assert_eq!(inner.log.recall::<u64>(&inner, "clock"), Recalled::New);
    assert_eq!((inner.log.halted(), outer.log.halted()), (None, None));
    assert_eq!(
        json!(format!("{:?} {:?}", outer.log, inner.log)),
        json!("strict off")
    );
}
