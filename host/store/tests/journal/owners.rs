//! One owner at a time, and what an owner finds.

use std::fs;
use std::path::Path;

use hotcell_store::Digest;
use hotcell_store::journal::{Filter, Journal, JournalError, Options, Reader};

use crate::{entries, head, open, options};

fn take_over(dir: &Path, owner: &str) -> Journal {
    let options = Options {
        take_over: true,
        owner: owner.to_owned(),
        ..options()
    };
    Journal::open(dir, options).unwrap()
}

#[track_caller]
fn refused(dir: &Path) -> JournalError {
    Journal::open(dir, options()).err().unwrap()
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let error = refused(dir.path());
    assert_eq!(error.code(), "storage.locked");
    assert!(error.to_string().contains("a test"), "{error}");
    drop(journal);
    open(dir.path());
}

#[tokio::test]
async fn an_owner_that_was_replaced_writes_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let log = first.begin(head("a"));
    log.append(entries([0])).await.unwrap();
    let second = take_over(dir.path(), "the second");
    for _ in 0..2 {
        assert_eq!(log.append(entries([1])).await, Err(JournalError::Fenced));
    }
    let new = first.begin(head("b")).append(entries([1])).await;
    assert_eq!(new, Err(JournalError::Fenced));
    let (row, _, log) = second.adopt("a").unwrap();
    assert_eq!(row.records, 1);
    log.append(entries([1])).await.unwrap();

    // The first one's end does not make room for a third.
    let second_is_there = |error: JournalError| {
        assert!(error.to_string().contains("the second"), "{error}");
    };
    second_is_there(refused(dir.path()));
    drop(first);
    second_is_there(refused(dir.path()));
    log.append(entries([2])).await.unwrap();
    drop(second);
    let third = open(dir.path());
    assert_eq!(third.reader().verify().unwrap().records, 3);
}

#[tokio::test]
async fn taking_over_from_nobody_is_opening() {
    let dir = tempfile::tempdir().unwrap();
    let journal = take_over(dir.path(), "the only one");
    journal.begin(head("a")).append(entries([0])).await.unwrap();
    assert_eq!(refused(dir.path()).code(), "storage.locked");
}

#[tokio::test]
async fn others_read_while_the_owner_writes_and_after_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Reader::open(dir.path()).err().unwrap();
    assert_eq!(missing.code(), "storage.failed");
    let journal = open(dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    let log = journal.begin(head("a"));
    for n in 0..5 {
        log.append(entries([n])).await.unwrap();
        assert_eq!(reader.run("a").unwrap().records, n + 1);
    }
    drop(journal);
    assert_eq!(reader.verify().unwrap().records, 5);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.verify().unwrap().records, 5);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_of_the_process_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("new/journal");
    let journal = open(&dir);
    journal.begin(head("a")).append(entries([0])).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 5);
}

/// Changes the database behind the journal's back.
fn alter(dir: &Path, sql: &str) {
    let database = rusqlite::Connection::open(dir.join("journal.db")).unwrap();
    database.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_newer_format_and_a_foreign_database_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    alter(dir.path(), "PRAGMA user_version = 9");
    let newer = JournalError::Version { found: 9, known: 1 };
    assert_eq!(refused(dir.path()), newer);
    assert_eq!(Reader::open(dir.path()).err(), Some(newer));
    alter(dir.path(), "PRAGMA application_id = 7");
    assert_eq!(refused(dir.path()).code(), "storage.corrupt");
}

#[tokio::test]
async fn a_change_behind_the_journals_back_is_found_where_it_was_made() {
    // What is done, and the record at which it is found; none is the journal itself.
    for (sql, seq) in [
        (
            "UPDATE records SET body = '{\"n\":7}' WHERE seq = 3",
            Some(3),
        ),
        ("UPDATE records SET kind = 'other' WHERE seq = 1", Some(1)),
        ("UPDATE records SET at = at + 1 WHERE seq = 5", Some(5)),
        ("DELETE FROM records WHERE seq = 2", Some(2)),
        ("DELETE FROM records WHERE seq = 5", Some(5)),
        (
            "INSERT INTO records SELECT 99, run, 6, kind, at, body, hash FROM records WHERE seq = 5",
            Some(6),
        ),
        (
            "UPDATE records SET seq = 9 WHERE seq = 2; UPDATE records SET seq = 2 WHERE seq = 3; \
             UPDATE records SET seq = 3 WHERE seq = 9",
            Some(2),
        ),
        ("UPDATE runs SET tenant = 'other'", Some(0)),
        ("UPDATE runs SET task = 'other'", Some(0)),
        ("UPDATE runs SET status = 'other'", Some(0)),
        ("UPDATE runs SET ended = 1", Some(0)),
        ("UPDATE runs SET parent = 'a', parent_seq = 1", Some(0)),
        ("UPDATE runs SET records = 4", Some(0)),
        ("DELETE FROM runs", None),
        ("UPDATE owner SET runs = 0", None),
        ("UPDATE owner SET batch = batch - 1", None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let log = journal.begin(head("a"));
        log.append(entries(0..5)).await.unwrap();
        drop(journal);
        alter(dir.path(), sql);
        let verify = Reader::open(dir.path()).and_then(|reader| reader.verify());
        match (verify.unwrap_err(), seq) {
            (JournalError::Damaged(_), None) => {}
            (JournalError::Corrupt { run, seq, .. }, Some(at)) => {
                assert_eq!((run.as_str(), seq), ("a", at), "{sql}");
                let records = Reader::open(dir.path()).unwrap().records("a");
                assert_eq!(records.unwrap_err().code(), "storage.corrupt");
            }
            (error, _) => panic!("{sql}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn a_run_that_is_gone_is_missed_by_who_lists_and_who_looks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for run in ["a", "b"] {
        journal.begin(head(run)).append(Vec::new()).await.unwrap();
    }
    drop(journal);
    alter(dir.path(), "DELETE FROM runs WHERE run = 'a'");
    let reader = Reader::open(dir.path()).unwrap();
    let listed = reader.runs(&Filter::default()).unwrap_err();
    assert_eq!(listed.code(), "storage.corrupt");
    assert_eq!(reader.run("a").unwrap_err().code(), "storage.corrupt");
    assert_eq!(reader.run("b").unwrap().run, "b");
}

#[tokio::test]
async fn a_kept_value_that_was_altered_is_absent() {
    for sql in [
        "UPDATE cache SET value = 'other'",
        "UPDATE cache SET expires = expires + 1",
        "UPDATE cache SET value = CAST(x'ff' AS TEXT)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let key = Digest::of(b"key");
        journal.remember(&key, "value".to_owned(), 9).await.unwrap();
        drop(journal);
        alter(dir.path(), sql);
        assert_eq!(open(dir.path()).cached(&key).await, Ok(None), "{sql}");
    }
}

#[tokio::test]
async fn a_database_that_is_older_than_what_was_noted_has_lost_commits() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = journal.begin(head("a"));
    log.append(entries([0])).await.unwrap();
    drop(journal);
    let path = dir.path().join("journal.db");
    let old = fs::read(&path).unwrap();
    let journal = open(dir.path());
    let (_, _, log) = journal.adopt("a").unwrap();
    for n in 0..3 {
        log.append(entries([n])).await.unwrap();
    }
    drop(journal);
    fs::write(&path, old).unwrap();
    // Being opened is a commit as well.
    let lost = JournalError::Lost { batches: 4 };
    for _ in 0..2 {
        assert_eq!(refused(dir.path()), lost);
        assert_eq!(Reader::open(dir.path()).err(), Some(lost.clone()));
    }
    // Somebody decides to go on without them.
    fs::remove_file(dir.path().join("journal.head")).unwrap();
    assert_eq!(open(dir.path()).reader().verify().unwrap().records, 1);
}
