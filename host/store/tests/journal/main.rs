//! The journal, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod basics;
mod damage;
mod golden;
mod owners;
mod power;
mod retention;

use std::path::Path;

use hotcell_store::journal::{Entry, Head, Journal, Options, Record, Sync};
use serde_json::{Value, json};

fn options() -> Options {
    Options {
        take_over: false,
        sync: Sync::Full,
        owner: "a test".to_owned(),
        now_unix_ms: 1_000,
    }
}

fn open(dir: &Path) -> Journal {
    Journal::open(dir, options()).unwrap()
}

fn head(run: &str) -> Head {
    Head {
        run: run.to_owned(),
        tenant: "acme".to_owned(),
        workflow: "invoices".to_owned(),
        task: "task 7".to_owned(),
        created_unix_ms: 2_000,
        parent: None,
    }
}

fn entry(n: u64) -> Entry {
    Entry::new("thing", 3_000 + n, &json!({ "n": n }))
}

fn entries(numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    numbers.into_iter().map(entry).collect()
}

/// The numbers of records made by [`entry`].
fn numbers(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| {
        let body: Value = serde_json::from_str(&record.body).unwrap();
        body["n"].as_u64().unwrap()
    };
    records.iter().map(number).collect()
}
