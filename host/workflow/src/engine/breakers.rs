//! The breakers of one host: one for each agent, shared by all runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::breaker::{Admission, Breaker, Gauge, Health, Settings};

/// The breakers, by agent.
pub(super) struct Breakers {
    since: Instant,
    all: Mutex<BTreeMap<String, Breaker>>,
}

/// A call that was let through. What became of it is told when this goes.
pub(super) struct Telling<'a> {
    breakers: &'a Breakers,
    agent: &'a str,
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
        let mut all = self.lock();
        match all.get_mut(agent) {
            Some(breaker) => breaker.admit(now_ms),
            None => all
                .entry(agent.to_owned())
                .or_insert_with(|| Breaker::new(settings))
                .admit(now_ms),
        }
    }

    pub(super) fn telling<'a>(&'a self, agent: &'a str, admission: Admission) -> Telling<'a> {
        Telling {
            breakers: self,
            agent,
            admission,
            health: Health::Unknown,
        }
    }

    /// What each breaker is.
    pub(super) fn gauges(&self) -> BTreeMap<String, Gauge> {
        let all = self.lock();
        all.iter()
            .map(|(agent, breaker)| (agent.clone(), breaker.gauge()))
            .collect()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Breaker>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let now_ms = self.breakers.now_ms();
        // Which millisecond it is spreads agents of different hosts well enough.
        let draw = now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        if let Some(breaker) = self.breakers.lock().get_mut(self.agent) {
            breaker.ended(self.admission, self.health, now_ms, draw);
        }
    }
}
