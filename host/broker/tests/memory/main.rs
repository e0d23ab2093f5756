//! Values that plugins keep, as the broker keeps them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

#[path = "../setup/mod.rs"]
mod setup;

mod doubt;
mod rules;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hotcell_broker::memory::{Entry, MemoryAccess, MemoryAsk, MemoryError, MemoryGrant};
use hotcell_broker::store::books::Books;
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy};

/// The plugin `agent` may write `notes` with these bounds, and `reader` read them.
fn policy(grant: MemoryGrant) -> Policy {
    let read = MemoryGrant::new(&grant.namespace, MemoryAccess::Read);
    let grants = |grant| Grants {
        memory: vec![grant],
        ..Grants::default()
    };
    let plugin = [("agent", grant), ("reader", read)];
    Policy {
        plugin: plugin
            .map(|(name, grant)| (name.to_owned(), grants(grant)))
            .into(),
        ..Policy::default()
    }
}

fn notes() -> MemoryGrant {
    MemoryGrant::new("notes", MemoryAccess::Write)
}

/// A broker with books and a clock that stands until it is moved.
struct Desk {
    broker: Broker,
    clock: Arc<AtomicU64>,
    caller: Caller,
}

impl Desk {
    fn new(policy: Policy, books: Books) -> Desk {
        let clock = Arc::new(AtomicU64::new(1_000));
        let shown = Arc::clone(&clock);
        let parts = Parts {
            policy,
            books: Some(books),
            clock: Some(Arc::new(move || shown.load(Ordering::Relaxed))),
            ..Parts::default()
        };
        Desk {
            broker: Broker::assemble(parts).unwrap(),
            clock,
            caller: setup::caller(),
        }
    }

    fn with(grant: MemoryGrant) -> Desk {
        Desk::new(policy(grant), Books::in_memory().unwrap())
    }

    fn at(&self, seconds: u64) {
        self.clock.store(seconds * 1_000, Ordering::Relaxed);
    }

    async fn set(&self, key: &str, value: &str, expected: Option<u64>) -> Result<u64, MemoryError> {
        let ask = set(key, value, expected);
        self.broker.memory_change(&self.caller, ask).await
    }

    async fn delete(&self, key: &str) -> Result<u64, MemoryError> {
        let ask = MemoryAsk::Delete {
            namespace: "notes".to_owned(),
            key: key.to_owned(),
        };
        self.broker.memory_change(&self.caller, ask).await
    }

    async fn get(&self, key: &str) -> Option<Entry> {
        let got = self
            .broker
            .memory_get(&self.caller, "notes", key.to_owned())
            .await;
        got.unwrap()
    }

    async fn keys(&self, prefix: &str, limit: u32) -> Vec<String> {
        let keys = self
            .broker
            .memory_keys(&self.caller, "notes", prefix.to_owned(), limit)
            .await;
        keys.unwrap()
    }
}

fn set(key: &str, value: &str, expected: Option<u64>) -> MemoryAsk {
    MemoryAsk::Set {
        namespace: "notes".to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
        expected,
    }
}
