//! Accounts that run low, and who hears of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// The parts of a cap, in per cent, that somebody hears of when they are spent.
pub const MARKS: [u64; 3] = [50, 75, 90];

/// Part of an account is spent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Alert {
    /// The line of the policy.
    pub line: String,
    /// How much of it is spent, in per cent: one of [`MARKS`].
    pub percent: u64,
}

/// What was heard so far: one entry for each line and mark, with how many accounts
/// it was. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Alerts(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    counts: BTreeMap<Alert, u64>,
    new: Vec<Alert>,
}

impl Alerts {
    pub(super) fn tell(&self, alerts: Vec<Alert>) {
        if alerts.is_empty() {
            return;
        }
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for alert in alerts {
            // The lines are the policy's, so there are not many.
            let count = heard.counts.entry(alert.clone()).or_default();
            *count = count.saturating_add(1);
            if *count == 1 {
                heard.new.push(alert);
            }
        }
    }

    /// Those that are told for the first time: of a cap that many runs have, the
    /// first run's.
    pub fn take_new(&self) -> Vec<Alert> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut heard.new)
    }

    /// All of them, with how many accounts each was told of.
    pub fn counts(&self) -> Vec<(Alert, u64)> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = heard.counts.iter();
        counts
            .map(|(alert, count)| (alert.clone(), *count))
            .collect()
    }
}
