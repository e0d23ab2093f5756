//! What was injected, for reports: without it nobody could tell a fault of the
//! model from a fault of the agent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// More items than the model takes.
    ContextOverflow,
    /// The provider was busy.
    RateLimited,
    /// The provider was down.
    Unavailable,
    /// No answer came.
    Timeout,
    /// The answer took long.
    SlowTail,
    /// A value was replaced.
    Hallucination,
    /// A value changed to another allowed one.
    Flip,
    /// A field or an element was taken out.
    Omission,
    /// The text does not parse.
    MalformedJson,
}

impl Fault {
    /// The word used in reports. Draws are keyed by it as well: whoever changes
    /// it changes every simulated result.
    pub fn name(self) -> &'static str {
        match self {
            Fault::ContextOverflow => "context-overflow",
            Fault::RateLimited => "rate-limited",
            Fault::Unavailable => "unavailable",
            Fault::Timeout => "timeout",
            Fault::SlowTail => "slow-tail",
            Fault::Hallucination => "hallucination",
            Fault::Flip => "flip",
            Fault::Omission => "omission",
            Fault::MalformedJson => "malformed-json",
        }
    }
}

/// One injected fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Injected {
    /// The record that was being worked on.
    pub task: String,
    /// The step's path.
    pub step: String,
    /// The try of the step, from 1.
    pub attempt: u32,
    /// Which call of that attempt; the same number as the effect's.
    pub sequence: u32,
    /// What happened.
    pub fault: Fault,
    /// The tool whose arguments were hit; none when it was the answer itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Where, as a JSON pointer; empty for the whole.
    pub pointer: String,
}

/// A handle on the faults a provider injects. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct FaultLog {
    injected: Arc<Mutex<Vec<Injected>>>,
}

impl FaultLog {
    /// All of them so far, sorted by where they happened and not by when, so
    /// that equal runs give equal logs.
    pub fn records(&self) -> Vec<Injected> {
        let mut records = self.lock().clone();
        records.sort();
        records
    }

    /// How many there were of each kind.
    pub fn counts(&self) -> BTreeMap<Fault, usize> {
        let mut counts = BTreeMap::new();
        for injected in self.lock().iter() {
            *counts.entry(injected.fault).or_default() += 1;
        }
        counts
    }

    pub(super) fn push(&self, injected: Injected) {
        self.lock().push(injected);
    }

    /// A poisoned lock only means that another thread panicked between two
    /// pushes; the records are still whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Injected>> {
        self.injected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_called_the_same_everywhere() {
        for fault in [
            Fault::ContextOverflow,
            Fault::RateLimited,
            Fault::Unavailable,
            Fault::Timeout,
            Fault::SlowTail,
            Fault::Hallucination,
            Fault::Flip,
            Fault::Omission,
            Fault::MalformedJson,
        ] {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
    }

    #[test]
    fn the_log_does_not_depend_on_who_was_first() {
        let injected = |task: &str, attempt, fault| Injected {
            task: task.into(),
            step: "s".into(),
            attempt,
            sequence: 0,
            fault,
            tool: None,
            pointer: String::new(),
        };
        let records = [
            injected("a", 1, Fault::Timeout),
            injected("a", 2, Fault::Flip),
            injected("b", 1, Fault::Timeout),
        ];
        let (forwards, backwards) = (FaultLog::default(), FaultLog::default());
        records.iter().for_each(|r| forwards.push(r.clone()));
        records.iter().rev().for_each(|r| backwards.push(r.clone()));
        assert_eq!(forwards.records(), records);
        assert_eq!(backwards.records(), records);
        let counts = [(Fault::Timeout, 2), (Fault::Flip, 1)];
        assert_eq!(forwards.counts(), BTreeMap::from(counts));
    }
}
