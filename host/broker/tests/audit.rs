//! What is written down of effects and refusals, and that nothing is done that is
//! not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod setup;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::audit::{Facts, Trail, erase, open, open_case};
use hotcell_broker::llm::{Answer, LlmError, LlmProvider, Origin, Request};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::store::audit::{Audit, FILE, verify};
use hotcell_broker::store::books::Books;
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy, Price, Route};
use serde_json::Value;
use setup::{caller, question};
use tempfile::TempDir;

/// A broker that writes down what it does.
struct Desk {
    dir: TempDir,
    broker: Broker,
    caller: Caller,
}

impl Desk {
    fn new(provider: impl FnOnce(PathBuf) -> Arc<dyn LlmProvider>) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let books = Books::open(dir.path()).unwrap();
        let folder = dir.path().join("audit");
        let audit = Audit::open(&folder).unwrap();
        let facts = Facts {
            workflow: "invoices".to_owned(),
            user: "maria".to_owned(),
            policy: "sha256:policy".to_owned(),
            agents: BTreeMap::from([("agent".to_owned(), "sha256:agent".to_owned())]),
            models: BTreeMap::from([("default".to_owned(), "a script".to_owned())]),
        };
        let clock = Arc::new(|| 1_700_000_000_000);
        let route = Route {
            provider: provider(folder),
            price: Price {
                input_micros_per_mtok: 1_000_000,
                output_micros_per_mtok: 1_000_000,
            },
            timeout: Duration::from_secs(60),
            max_output_tokens: None,
        };
        let mut policy = Policy::default();
        let grants = Grants {
            llm: ["default".to_owned()].into(),
            ..Grants::default()
        };
        policy.plugin.insert("agent".to_owned(), grants);
        let parts = Parts {
            policy,
            models: BTreeMap::from([("default".to_owned(), route)]),
            books: Some(books.clone()),
            audit: Some(Trail::new(audit, books, clock, facts)),
            ..Parts::default()
        };
        Desk {
            dir,
            broker: Broker::assemble(parts).unwrap(),
            caller: caller(),
        }
    }

    fn scripted(answer: &str) -> Desk {
        let line = format!("{}\n", serde_json::json!({ "reply": { "text": answer } }));
        Desk::new(|_| Arc::new(Scripted::from_jsonl(&line).unwrap()))
    }

    /// All records, when everything queued is written.
    fn records(self) -> (TempDir, Vec<Value>) {
        drop((self.broker, self.caller));
        let records = read(&self.dir.path().join("audit"));
        (self.dir, records)
    }
}

fn read(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(FILE)).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A model that looks whether it is written down that it is asked.
struct Watchful {
    folder: PathBuf,
    asked: Arc<AtomicU32>,
    answers: bool,
}

#[async_trait]
impl LlmProvider for Watchful {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) as usize;
        let records = read(&self.folder);
        let decided = records.iter().filter(|it| it["kind"] == "decision");
        assert_eq!(decided.count(), asked + 1);
        if !self.answers {
            std::future::pending::<()>().await;
        }
        Answer::wall(Err(LlmError::Timeout))
    }
}

fn watched(answers: bool) -> (Desk, Arc<AtomicU32>) {
    let asked = Arc::<AtomicU32>::default();
    let count = Arc::clone(&asked);
    let desk = Desk::new(|folder| {
        Arc::new(Watchful {
            folder,
            asked: count,
            answers,
        })
    });
    (desk, asked)
}

#[tokio::test]
async fn an_effect_is_written_down_before_it_is_done_and_after() {
    let (desk, asked) = watched(true);
    let answer = desk.broker.complete(&desk.caller, question("hello"));
    assert_eq!(answer.await.unwrap_err(), LlmError::Timeout);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let (_dir, records) = desk.records();
    let [decision, effect] = records.as_slice() else {
        panic!("{records:?}");
    };
    for record in [decision, effect] {
        let table = [
            ("workflow_id", "invoices"),
            ("run_id", "run"),
            ("case", "task"),
            ("tenant", "tenant"),
            ("user", "maria"),
            ("agent_name", "agent"),
            ("agent_digest", "sha256:agent"),
            ("step_id", "step"),
            ("capability", "llm"),
            ("resource", "default"),
            ("model", "a script"),
            ("policy", "sha256:policy"),
            ("retention", "operations"),
        ];
        for (key, value) in table {
            assert_eq!(record[key], value, "{key} of {record}");
        }
        assert_eq!(record["timestamp_ms"], 1_700_000_000_000_u64);
        assert_eq!(
            (&record["attempt"], &record["sequence"]),
            (&1.into(), &0.into())
        );
        assert!(
            record["input_hash"]
                .as_str()
                .unwrap()
                .starts_with("hmac-sha256:")
        );
    }
    assert_eq!(
        (&decision["kind"], &decision["decision"]),
        (&"decision".into(), &"allowed".into())
    );
    assert_eq!(
        (&effect["kind"], &effect["outcome"]),
        (&"effect".into(), &"timeout".into())
    );
    assert_eq!(effect["cost_micros"], 0);
    assert!(effect["output_hash"].is_string() && effect["duration_ms"].is_u64());
}

#[tokio::test]
async fn an_effect_that_nobody_waits_for_any_more_is_one_of_which_nothing_is_known() {
    let (desk, asked) = watched(false);
    let mut call = Box::pin(desk.broker.complete(&desk.caller, question("hello")));
    while asked.load(Ordering::SeqCst) == 0 {
        assert!(futures::poll!(&mut call).is_pending());
        tokio::task::yield_now().await;
    }
    drop(call);
    let (_dir, records) = desk.records();
    assert_eq!(records.last().unwrap()["outcome"], "unknown");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let (desk, asked) = watched(true);
    let folder = desk.dir.path().join("audit");
    fs::remove_file(folder.join(FILE)).unwrap();
    fs::create_dir(folder.join(FILE)).unwrap();
    let refused = desk.broker.complete(&desk.caller, question("hello")).await;
    let Err(LlmError::Unavailable(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.starts_with("audit.unavailable: "), "{why}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn refusals_are_written_down_and_fill_no_disk() {
    let desk = Desk::scripted("never");
    for _ in 0..10_000 {
        let mut request = question("hello");
        request.model = "other".to_owned();
        assert!(desk.broker.complete(&desk.caller, request).await.is_err());
    }
    let (_dir, records) = desk.records();
    assert_eq!(records.len(), 14);
    let last = records.last().unwrap();
    assert_eq!(
        (&last["decision"], &last["count"]),
        (&"refused".into(), &8192.into())
    );
    assert_eq!(
        (&last["resource"], &last["retention"]),
        (&"other".into(), &"security".into())
    );
}

#[tokio::test]
async fn what_is_somebodys_is_sealed_and_gone_when_the_key_of_its_case_is() {
    let desk = Desk::scripted("Reach Jo at jo@mail.example");
    let asked = question("Erika Mustermann pays with 4111 1111 1111 1111");
    desk.broker.complete(&desk.caller, asked).await.unwrap();
    let (dir, records) = desk.records();
    let folder = dir.path().join("audit");
    let text = fs::read_to_string(folder.join(FILE)).unwrap();
    for word in ["Mustermann", "4111", "jo@mail", "Reach"] {
        assert!(!text.contains(word), "{word}");
    }
    let kinds: Vec<&Value> = records.iter().map(|it| &it["pii"]).collect();
    assert_eq!(*kinds[0], serde_json::json!(["card"]));
    assert_eq!(*kinds[1], serde_json::json!(["card", "email"]));
    let books = Books::open(dir.path()).unwrap();
    let key = open_case(&books, "tenant", "task").unwrap();
    let input = open(&records[0], key.as_ref()).unwrap();
    let input = input.text.unwrap();
    assert!(input.contains("Mustermann pays with [card]"), "{input}");
    let output = open(&records[1], key.as_ref()).unwrap().text.unwrap();
    assert!(output.contains("Reach Jo at [email]"), "{output}");
    // A key opens its own case alone.
    assert!(open_case(&books, "tenant", "other").unwrap().is_none());
    assert!(erase(&books, "tenant", "task").unwrap());
    assert!(!erase(&books, "tenant", "task").unwrap());
    let key = open_case(&books, "tenant", "task").unwrap();
    assert_eq!(open(&records[0], key.as_ref()).unwrap().text, None);
    let verified = verify(&folder, None).unwrap().unwrap();
    assert_eq!(verified.head.seq, 2);
}
