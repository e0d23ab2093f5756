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
    /// A tool was called that was not offered.
    WrongTool,
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
            Fault::WrongTool => "wrong-tool",
            Fault::MalformedJson => "malformed-json",
        }
    }
}

/// One injected fault. Its task, step, attempt, sequence, kind and stage are
/// those of no other.
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
    /// Which stage of the work that the answer stands for drew it, from 0; 0 for
    /// what is drawn once for each call.
    pub stage: u32,
    /// The tool whose arguments were hit or whose name was replaced; none when it
    /// was the answer itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Where, as a JSON pointer into what the provider gave; empty for the whole.
    pub pointer: String,
}

impl Injected {
    /// Whether this is that fault: the same draw, whatever it hit.
    pub(super) fn is(&self, other: &Injected) -> bool {
        let of = |it: &Injected| (it.attempt, it.sequence, it.fault, it.stage);
        of(self) == of(other) && self.step == other.step && self.task == other.task
    }
}

/// A handle on the faults a provider injects. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct FaultLog {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    by_task: BTreeMap<String, Vec<Injected>>,
    counts: BTreeMap<Fault, usize>,
}

impl FaultLog {
    /// All that have not been taken, sorted by where they happened and not by
    /// when, so that equal runs give equal logs.
    pub fn records(&self) -> Vec<Injected> {
        let mut records: Vec<Injected> = self.lock().by_task.values().flatten().cloned().collect();
        records.sort();
        records
    }

    /// Those of one task, sorted in the same way.
    pub fn of(&self, task: &str) -> Vec<Injected> {
        let mut records = self.lock().by_task.get(task).cloned().unwrap_or_default();
        records.sort();
        records
    }

    /// The same, and forgets them. Whoever works on many tasks takes each when it
    /// is done, or the log grows with the number of tasks.
    pub fn take(&self, task: &str) -> Vec<Injected> {
        let mut records = self.lock().by_task.remove(task).unwrap_or_default();
        records.sort();
        records
    }

    /// How many there were of each kind, taken ones included.
    pub fn counts(&self) -> BTreeMap<Fault, usize> {
        self.lock().counts.clone()
    }

    pub(super) fn push(&self, injected: Injected) {
        let mut kept = self.lock();
        *kept.counts.entry(injected.fault).or_default() += 1;
        let of_task = kept.by_task.entry(injected.task.clone()).or_default();
        of_task.push(injected);
    }

    /// A poisoned lock only means that another thread panicked between two
    /// pushes; the records are still whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
            Fault::WrongTool,
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
            stage: 0,
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

        assert_eq!(backwards.of("a"), records[..2]);
        assert_eq!(backwards.take("a"), records[..2]);
        assert_eq!(backwards.of("a"), []);
        assert_eq!(backwards.take("a"), []);
        assert_eq!(backwards.records(), records[2..]);
        assert_eq!(backwards.counts(), BTreeMap::from(counts));
    }
}
