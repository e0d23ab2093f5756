//! Runs are begun, appended to, ended, listed and continued.

use crate::{entries, entry, head, numbers, open};
use hotcell_store::Digest;
use hotcell_store::journal::{
    Asked, Entry, Filter, JournalError, MAX_BODY, MAX_RECORDS, Reader, Verified, ask,
};

#[tokio::test]
async fn what_was_appended_is_read_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = journal.begin(head("a"));
    assert_eq!(journal.reader().runs(&Filter::default()).unwrap(), []);
    assert_eq!(log.append(entries(0..2)).await, Ok(2));
    log.note(entry(2));
    log.note(entry(3));
    assert_eq!(numbers(&journal.reader().records("a").unwrap()), [0, 1]);
    assert_eq!(log.clone().append(entries([4])).await, Ok(5));

    let records = journal.reader().records("a").unwrap();
    assert_eq!(numbers(&records), [0, 1, 2, 3, 4]);
    assert_eq!(records[4].seq, 5);
    assert_eq!(records[4].kind, "thing");
    assert_eq!(records[4].at_unix_ms, 3_004);
    assert_eq!(records[4].body, r#"{"n":4}"#);
    let all = Verified {
        runs: 1,
        records: 5,
    };
    assert_eq!(journal.reader().verify(), Ok(all));
}

#[tokio::test]
async fn a_run_is_listed_with_what_was_said_of_it_last() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let reader = journal.reader();
    let mut fork = head("b");
    fork.parent = Some(("a".to_owned(), 1));
    let (a, b) = (journal.begin(head("a")), journal.begin(fork.clone()));
    a.append(entries([0])).await.unwrap();
    b.append(Vec::new()).await.unwrap();
    let row = reader.run("a").unwrap();
    assert_eq!((row.status.as_str(), row.ended), ("running", false));
    assert_eq!((row.records, row.bytes, row.updated_unix_ms), (1, 7, 3_000));
    assert_eq!((row.tenant.as_str(), row.task.as_str()), ("acme", "task 7"));
    assert_eq!(reader.run("b").unwrap().parent, fork.parent);

    a.status("in_doubt", Vec::new()).await.unwrap();
    b.end("success", entries([5])).await.unwrap();
    let runs = |filter: Filter| -> Vec<String> {
        let runs = reader.runs(&filter).unwrap();
        runs.into_iter().map(|row| row.run).collect()
    };
    let filter = Filter::default;
    assert_eq!(runs(filter()), ["b", "a"]);
    let open = true;
    assert_eq!(runs(Filter { open, ..filter() }), ["a"]);
    let limit = Some(1);
    assert_eq!(runs(Filter { limit, ..filter() }), ["b"]);
    let status = Some("success".to_owned());
    assert_eq!(runs(Filter { status, ..filter() }), ["b"]);
    let workflow = Some("other".to_owned());
    assert!(
        runs(Filter {
            workflow,
            ..filter()
        })
        .is_empty()
    );
}

#[tokio::test]
async fn a_run_is_found_by_how_its_id_begins() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for run in ["0190-aa", "0190-ab", "0191"] {
        journal.begin(head(run)).append(Vec::new()).await.unwrap();
    }
    let find = |id| journal.reader().run(id).map(|row| row.run);
    assert_eq!(find("0191").unwrap(), "0191");
    assert_eq!(find("0190-ab").unwrap(), "0190-ab");
    assert_eq!(find("019").unwrap_err().code(), "storage.ambiguous");
    assert_eq!(find("0190-b").unwrap_err().code(), "storage.unknown");
    assert_eq!(find("").unwrap_err().code(), "storage.unknown");
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = journal.begin(head("a"));
    log.append(entries(0..3)).await.unwrap();
    drop(journal);
    assert_eq!(log.append(Vec::new()).await, Err(JournalError::Closed));

    let journal = open(dir.path());
    let (row, records, log) = journal.adopt("a").unwrap();
    assert_eq!(row.records, 3);
    assert_eq!(numbers(&records), [0, 1, 2]);
    assert_eq!(log.append(entries([3])).await, Ok(4));
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(numbers(&reader.records("a").unwrap()), [0, 1, 2, 3]);
}

#[tokio::test]
async fn what_was_queued_is_written_before_the_journal_closes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = journal.begin(head("a"));
    let appends: Vec<_> = (0..50)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.append(entries([n])).await })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(journal);
    let mut written = 0;
    for append in appends {
        written += u64::from(append.await.unwrap().is_ok());
    }
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.records("a").unwrap().len() as u64, written);
}

#[tokio::test]
async fn a_run_has_one_writer_and_one_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let first = journal.begin(head("a"));
    first.append(entries([0])).await.unwrap();
    let again = journal.begin(head("a")).append(entries([9])).await;
    assert_eq!(again.unwrap_err().code(), "storage.exists");
    let (_, _, second) = journal.adopt("a").unwrap();
    second.append(entries([1])).await.unwrap();
    for _ in 0..2 {
        let stale = first.append(entries([9])).await;
        assert_eq!(stale.unwrap_err().code(), "storage.continued");
    }
    second.append(entries([2])).await.unwrap();
    assert_eq!(numbers(&journal.reader().records("a").unwrap()), [0, 1, 2]);
}

#[tokio::test]
async fn a_record_and_a_run_have_their_limits() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = journal.begin(head("a"));
    let large = Entry::new("large", 0, &"x".repeat(MAX_BODY as usize));
    let refused = log.append(vec![large, entry(0)]).await;
    assert_eq!(refused.unwrap_err().code(), "limit.record");
    assert_eq!(log.append(entries(0..MAX_RECORDS)).await, Ok(MAX_RECORDS));
    let refused = log.append(entries([0])).await;
    assert_eq!(refused.unwrap_err().code(), "limit.history");
    assert_eq!(journal.reader().run("a").unwrap().records, MAX_RECORDS);
    assert_eq!(log.append(Vec::new()).await, Ok(MAX_RECORDS));
}

#[tokio::test]
async fn values_are_kept_under_their_key() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (key, other) = (Digest::of(b"key"), Digest::of(b"other"));
    assert_eq!(journal.cached(&key).await, Ok(None));
    for value in ["old", "new"] {
        journal.remember(&key, value.to_owned(), 9).await.unwrap();
    }
    drop(journal);
    let journal = open(dir.path());
    let cached = journal.cached(&key).await.unwrap().unwrap();
    assert_eq!((cached.value.as_str(), cached.expires_unix_ms), ("new", 9));
    assert_eq!(journal.cached(&other).await, Ok(None));
}

#[tokio::test]
async fn the_owner_takes_what_others_ask() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    assert_eq!(journal.asked().await, Ok(vec![]));
    for run in ["run-b", "run-a"] {
        journal.begin(head(run)).append(Vec::new()).await.unwrap();
    }
    let asked = |run: &str| Asked {
        run: run.to_owned(),
        what: "cancel".to_owned(),
    };
    assert_eq!(ask(dir.path(), "run-b", "cancel"), Ok(asked("run-b")));
    assert_eq!(ask(dir.path(), "run-a", "cancel"), Ok(asked("run-a")));
    assert_eq!(ask(dir.path(), "run-a", "cancel"), Ok(asked("run-a")));
    let unknown = ask(dir.path(), "run-c", "cancel").unwrap_err();
    assert_eq!(unknown.code(), "storage.unknown");
    let both = vec![asked("run-b"), asked("run-a")];
    assert_eq!(journal.asked().await, Ok(both));
    assert_eq!(journal.asked().await, Ok(vec![]));
}
