//! How many calls are under way at once. Those of this process: whoever waits is
//! woken in the order of coming, and a process that ends leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rules::Rules;
use super::{Barred, Busy, Payer, entry};

#[derive(Default)]
pub(super) struct Gates(Mutex<BTreeMap<String, Arc<Semaphore>>>);

/// Places, until they are dropped.
pub(super) type Permits = Vec<OwnedSemaphorePermit>;

impl Gates {
    /// Takes a place in each, in the order of their names, so that two who need the
    /// same never wait for each other.
    pub(super) async fn enter(&self, rules: &Rules, payer: Payer<'_>) -> Result<Permits, Barred> {
        let mut wanted: Vec<_> = entry::rates(rules, payer)
            .filter_map(|(key, line, rate)| Some((key, line, rate.concurrent?, rate.wait)))
            .collect();
        wanted.sort();
        let mut permits = Vec::with_capacity(wanted.len());
        for (key, line, most, wait) in wanted {
            let gate = self.gate(key, most);
            let entered = match Arc::clone(&gate).try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) if wait.is_zero() => None,
                Err(_) => tokio::time::timeout(wait, gate.acquire_owned())
                    .await
                    .ok()
                    .and_then(Result::ok),
            };
            permits.push(entered.ok_or_else(|| {
                Barred::Rate(Busy {
                    line: format!("{line} concurrent = {most}"),
                    after_ms: None,
                })
            })?);
        }
        Ok(permits)
    }

    fn gate(&self, key: String, most: u32) -> Arc<Semaphore> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let gate = gates
            .entry(key)
            .or_insert_with(|| Arc::new(Semaphore::new(places)));
        Arc::clone(gate)
    }
}
