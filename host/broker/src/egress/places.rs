//! How many requests are under way at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hotcell_store::guard::Guard;

use crate::Caller;

/// Who counts together: a tenant, and a plugin in a run of one.
type Key = (String, Option<(String, String)>);

/// Counts requests under way.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<BTreeMap<Key, u32>>,
}

/// A request under way. Its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    keys: [Key; 2],
}

impl Places {
    /// A place for one more request; none when the agent or its tenant has as
    /// many as it may.
    pub(super) fn take(
        self: &Arc<Places>,
        caller: &Caller,
        per_agent: u32,
        per_tenant: u32,
    ) -> Option<Place> {
        let agent = (caller.run.clone(), caller.plugin.clone());
        let keys = [
            (caller.tenant.clone(), Some(agent)),
            (caller.tenant.clone(), None),
        ];
        let mut taken = self.lock();
        let free = |(key, most): (&Key, u32)| taken.get(key).copied().unwrap_or(0) < most;
        let enough = keys.iter().zip([per_agent, per_tenant]).all(free);
        if !enough && Guard::EgressConnections.on() {
            return None;
        }
        for key in &keys {
            *taken.entry(key.clone()).or_default() += 1;
        }
        drop(taken);
        let places = Arc::clone(self);
        Some(Place { places, keys })
    }

    /// A poisoned lock only means that another thread panicked between two
    /// numbers; a place too many taken is the worst of it.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        for key in &self.keys {
            let left = taken.get_mut(key).map(|count| {
                *count = count.saturating_sub(1);
                *count
            });
            if left == Some(0) {
                taken.remove(key);
            }
        }
    }
}
