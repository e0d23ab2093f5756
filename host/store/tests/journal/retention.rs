//! Old runs are forgotten, and what others need is kept.

use std::fs;

use hotcell_store::Digest;
use hotcell_store::journal::{Entry, Filter, Prune, Pruned, Verified};

use crate::{entries, head, open};

fn large(text: &str) -> Entry {
    Entry::new("large", 3_000, &text.repeat(5_000))
}

#[tokio::test]
async fn a_large_string_is_stored_once_and_read_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let text = "ü\"x".repeat(500_000);
    let body = serde_json::to_string(&text).unwrap();
    for run in ["a", "b", "c", "d"] {
        let log = journal.begin(head(run));
        log.append(vec![Entry::new("large", 1, &text)])
            .await
            .unwrap();
        assert_eq!(journal.reader().records(run).unwrap()[0].body, body);
        assert_eq!(journal.reader().run(run).unwrap().bytes, body.len() as u64);
    }
    drop(journal);
    let length = fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(length < 2 * body.len() as u64, "{length}");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_all_that_only_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut fork = head("fork");
    fork.parent = Some(("parent".to_owned(), 1));
    // Each run's name, how it ends and what is in it.
    for (head, end, entry) in [
        (head("old"), Some("success"), large("old")),
        (head("kept"), Some("failure"), large("kept")),
        (head("open"), None, large("shared")),
        (head("parent"), Some("success"), large("parent")),
        (fork, None, large("fork")),
        (head("sharing"), Some("success"), large("shared")),
        (head("young"), Some("success"), Entry::new("x", 9_000, &1)),
    ] {
        let log = journal.begin(head);
        match end {
            Some(status) => log.end(status, vec![entry]).await.unwrap(),
            None => log.append(vec![entry]).await.unwrap(),
        };
    }
    let keys = [Digest::of(b"past"), Digest::of(b"now")];
    for (key, expires) in keys.iter().zip([4_999, 5_000]) {
        let value = "value".to_owned();
        journal.remember(key, value, expires).await.unwrap();
    }
    let prune = Prune {
        ended_before_unix_ms: 9_000,
        keep: vec!["failure".to_owned()],
        now_unix_ms: 5_000,
    };
    let forgotten = Pruned {
        runs: 2,
        records: 2,
        blobs: 1,
        cached: 1,
    };
    assert_eq!(journal.prune(prune.clone()).await, Ok(forgotten));
    assert_eq!(journal.prune(prune).await, Ok(Pruned::default()));

    let runs = journal.reader().runs(&Filter::default()).unwrap();
    let runs: Vec<_> = runs.iter().map(|row| row.run.as_str()).collect();
    assert_eq!(runs, ["young", "fork", "parent", "open", "kept"]);
    let (runs, records) = (5, 5);
    assert_eq!(journal.reader().verify(), Ok(Verified { runs, records }));
    assert_eq!(journal.cached(&keys[0]).await, Ok(None));
    assert!(journal.cached(&keys[1]).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_forgotten_gives_its_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 0..20 {
        let log = journal.begin(head(&format!("run {n}")));
        log.end("success", entries(0..1_000)).await.unwrap();
    }
    let prune = Prune {
        ended_before_unix_ms: u64::MAX,
        keep: Vec::new(),
        now_unix_ms: 0,
    };
    let length = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
    let before = length("journal.db") + length("journal.db-wal");
    let pruned = journal.prune(prune).await.unwrap();
    assert_eq!((pruned.runs, pruned.records), (20, 20_000));
    let after = length("journal.db") + length("journal.db-wal");
    assert!(after * 10 < before, "{before} bytes, then {after}");
    let (runs, records) = (0, 0);
    assert_eq!(journal.reader().verify(), Ok(Verified { runs, records }));
}
