//! Writes of which the journal does not say what came.

use std::sync::Arc;

use hotcell_broker::Caller;
use hotcell_broker::recall::{AttemptLog, Known, RESULT};
use hotcell_broker::store::books::Books;
use hotcell_broker::store::journal::{Head, Journal, Options, RunLog, Sync};

use super::{Desk, notes, policy, set, setup};

fn begin(journal: &Journal, run: &str) -> RunLog {
    journal.begin(Head {
        run: run.to_owned(),
        tenant: "tenant".to_owned(),
        workflow: "w".to_owned(),
        task: "task".to_owned(),
        created_unix_ms: 1,
        parent: None,
    })
}

fn caller(run: &str, log: AttemptLog) -> Caller {
    Caller {
        run: run.to_owned(),
        log,
        ..setup::caller()
    }
}

#[tokio::test]
async fn a_write_in_doubt_is_recognised_and_not_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        take_over: false,
        sync: Sync::Off,
        owner: "a test".to_owned(),
        now_unix_ms: 1,
    };
    let journal = Journal::open(dir.path(), options).unwrap();
    let books = Books::in_memory().unwrap();
    let mut desk = Desk::new(policy(notes()), books);
    let log = begin(&journal, "run");
    desk.caller = caller(
        "run",
        AttemptLog::live(log, Arc::new(|| 9), Known::default()),
    );
    assert_eq!(desk.set("k", "1", Some(0)).await, Ok(1));
    assert_eq!(desk.set("k", "2", Some(1)).await, Ok(2));
    let other = Desk {
        broker: desk.broker.clone(),
        clock: desk.clock.clone(),
        caller: setup::caller(),
    };
    assert_eq!(other.set("k", "3", None).await, Ok(3));

    // The same attempt once more, without the last result: it was lost in a crash.
    let mut records = journal.reader().records("run").unwrap();
    let last = records.pop().unwrap();
    assert_eq!(last.kind, RESULT);
    let known = Known::sort(&records).unwrap().pop_first().unwrap().1;
    let log = begin(&journal, "again");
    desk.caller = caller("run", AttemptLog::live(log, Arc::new(|| 9), known));
    assert_eq!(desk.set("k", "1", Some(0)).await, Ok(1));
    assert_eq!(desk.set("k", "2", Some(1)).await, Ok(2));
    assert_eq!(desk.caller.log.halted(), None);
    assert_eq!(desk.get("k").await.unwrap().value, "3");
    // What comes after it is done, and was not before.
    assert_eq!(desk.delete("k").await, Ok(3));
    let ask = set("k", "4", Some(0));
    assert_eq!(desk.broker.memory_change(&desk.caller, ask).await, Ok(4));
}
