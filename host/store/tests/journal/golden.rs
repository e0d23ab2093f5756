//! Journals that older versions wrote are read as they were written.
//!
//! `tests/golden` has one journal of each format, as SQL. A change of the tables or
//! of what a hash covers needs a new format, and a file more.

use std::path::Path;

use hotcell_store::Digest;
use hotcell_store::journal::{Entry, Filter, Head, Journal, Record, RunRow, Verified};
use serde_json::json;

use crate::{entries, head, open};

const FORMAT_1: &str = include_str!("../golden/journal-1.sql");

fn fork() -> Head {
    Head {
        parent: Some(("0190-first".to_owned(), 2)),
        ..head("0190-second")
    }
}

fn large() -> Entry {
    let text = "große Rechnung ".repeat(300);
    Entry::new("large", 4_000, &json!({ "$blob": "mine", "text": text }))
}

/// What is in every one of them.
async fn write(journal: &Journal) {
    let log = journal.begin(head("0190-first"));
    log.append(entries(0..2)).await.unwrap();
    log.end("success", vec![large()]).await.unwrap();
    let log = journal.begin(fork());
    log.append(entries(0..2)).await.unwrap();
    log.status("in_doubt", vec![large()]).await.unwrap();
    let key = Digest::of(b"key");
    journal.remember(&key, "kept".to_owned(), 9).await.unwrap();
}

fn read(journal: &Journal) -> Vec<(RunRow, Vec<Record>)> {
    let runs = journal.reader().runs(&Filter::default()).unwrap();
    let whole = |row: RunRow| {
        let records = journal.reader().records(&row.run).unwrap();
        (row, records)
    };
    runs.into_iter().map(whole).collect()
}

#[tokio::test]
async fn a_journal_of_format_1_is_read_as_it_was_written_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute_batch(FORMAT_1).unwrap();
    drop(database);
    let journal = open(dir.path());
    let all = Verified {
        runs: 2,
        records: 6,
    };
    assert_eq!(journal.reader().verify(), Ok(all));
    let cached = journal.cached(&Digest::of(b"key")).await.unwrap().unwrap();
    assert_eq!((cached.value.as_str(), cached.expires_unix_ms), ("kept", 9));

    let now = tempfile::tempdir().unwrap();
    let written_now = open(now.path());
    write(&written_now).await;
    assert_eq!(read(&journal), read(&written_now));
    let (_, records, log) = journal.adopt("0190-s").unwrap();
    assert_eq!(log.end("success", entries([2])).await, Ok(4));
    assert_eq!(journal.adopt("0190-s").unwrap().1[..3], records);
}

/// Whoever changes the tables without a new format hears of it here.
#[tokio::test]
async fn the_tables_of_a_new_journal_are_those_of_the_newest_format() {
    let tables = |path: &Path| -> Vec<String> {
        let database = rusqlite::Connection::open(path).unwrap();
        let mut select = database
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
            .unwrap();
        let tables = select.query_map([], |row| row.get(0)).unwrap();
        tables.map(Result::unwrap).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let golden = dir.path().join("golden.db");
    let database = rusqlite::Connection::open(&golden).unwrap();
    database.execute_batch(FORMAT_1).unwrap();
    assert_eq!(tables(&dir.path().join("journal.db")), tables(&golden));
}
