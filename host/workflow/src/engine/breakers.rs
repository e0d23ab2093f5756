//! The breakers of one host: one for each agent, shared by all runs. Steps that ask
//! the same agent with other settings have another one, so that no step has the
//! settings of whichever came first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::breaker::{Admission, Breaker, Gauge, Health, Settings};

/// The breakers, by agent and settings.
pub(super) struct Breakers {
    since: Instant,
    all: Mutex<BTreeMap<Key, Breaker>>,
}

type Key = (String, Settings);

/// A call that was let through. What became of it is told when this goes.
pub(super) struct Telling<'a> {
    breakers: &'a Breakers,
    key: Key,
    admission: Admission,
    /// What became of it; unknown when the call was given up.
    pub(super) health: Health,
}

impl Breakers {
    pub(super) fn new() -> Breakers {
        Breakers {
            since: Instant::now(),
            all: Mutex::default(),
        }
    }

    pub(super) fn admit(&self, agent: &str, settings: Settings) -> Admission {
        let now_ms = self.now_ms();
        self.lock()
            .entry((agent.to_owned(), settings))
            .or_insert_with(|| Breaker::new(settings))
            .admit(now_ms)
    }

    pub(super) fn telling(
        &self,
        agent: &str,
        settings: Settings,
        admission: Admission,
    ) -> Telling<'_> {
        Telling {
            breakers: self,
            key: (agent.to_owned(), settings),
            admission,
            health: Health::Unknown,
        }
    }

    /// What each agent's breaker is; where it has several, the one that lets least
    /// through.
    pub(super) fn gauges(&self) -> BTreeMap<String, Gauge> {
        let mut gauges = BTreeMap::new();
        for ((agent, _), breaker) in self.lock().iter() {
            let gauge = gauges.entry(agent.clone()).or_insert(Gauge::Closed);
            *gauge = match (*gauge, breaker.gauge()) {
                (Gauge::Open, _) | (_, Gauge::Open) => Gauge::Open,
                (Gauge::HalfOpen, _) | (_, Gauge::HalfOpen) => Gauge::HalfOpen,
                (Gauge::Closed, Gauge::Closed) => Gauge::Closed,
            };
        }
        gauges
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Breaker>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let now_ms = self.breakers.now_ms();
        // Which millisecond it is spreads agents of different hosts well enough.
        let draw = now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        if let Some(breaker) = self.breakers.lock().get_mut(&self.key) {
            breaker.ended(self.admission, self.health, now_ms, draw);
        }
    }
}
