//! A run as the journal has it. Pure: records in, what happened out.
//!
//! The machine's events are the run: fed to the machine again they bring it to
//! where it was. What attempts did outside is in records of their own
//! ([`hotcell_runtime::broker::recall`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use hotcell_runtime::broker::delegate;
use hotcell_runtime::broker::recall::{BadRecord, Known};
use hotcell_runtime::broker::store::journal::{Entry, Record};
use serde::{Deserialize, Serialize};

use crate::machine::event::within;
use crate::machine::{self, Action, Audit, Event, Outcome, Run, What};
use crate::plan::Plan;

/// The kind of a run's first record.
pub const BEGUN: &str = "run.begun";
/// The kind of an event of the machine.
pub const EVENT: &str = "event";
/// The kind of an auditor's record.
pub const AUDIT: &str = "audit";
/// The kind of a run's last record.
pub const ENDED: &str = "run.ended";
/// The kind of a record that says why a run cannot go on for now.
pub const HALTED: &str = "run.halted";

/// The form of these records. One with a greater number is not read.
const FORMAT: u32 = 1;

/// How a run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// The form of the run's records.
    pub format: u32,
    /// What is run, in the words of whoever made the engine: enough to make it
    /// again.
    pub definition: String,
    /// The record's id.
    pub task: String,
    /// The record (JSON text).
    pub input: String,
    /// The moment of the run.
    pub now_unix_ms: u64,
    /// What a fork gives steps instead of what they would be asked, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub instead: BTreeMap<String, String>,
    /// With which others it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// So many events are another run's, of which this one is a fork.
    #[serde(default)]
    pub inherited: u64,
}

/// Runs that were started together. None of them goes on before all are begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The same for all of them.
    pub id: String,
    /// How many they are.
    pub of: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// The status word.
    pub status: String,
    /// With what.
    pub outcome: Outcome,
}

/// Why a run cannot go on for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halted {
    /// A stable word.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// Where an event is in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its record's place in the run.
    pub seq: u64,
    /// When it was written down, milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: u64,
}

/// All that the journal has of a run.
#[derive(Clone, Debug)]
pub struct History {
    /// How it began.
    pub begun: Begun,
    /// What happened.
    pub events: Vec<Event>,
    /// Where and when each of them was written down.
    pub places: Vec<Place>,
    /// What an auditor reads.
    pub audit: Vec<Audit>,
    /// How it ended, if it did.
    pub ended: Option<Ending>,
    /// Why it cannot go on, if it stopped there last.
    pub halted: Option<Halted>,
    /// What attempts did outside, by step and attempt.
    pub known: BTreeMap<(String, u32), Known>,
}

/// Records that are not a run's.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// One of them cannot be read.
    #[error("record {seq} of kind `{kind}` cannot be read: {why}")]
    Unreadable {
        /// Its place.
        seq: u64,
        /// Its kind.
        kind: String,
        /// Why.
        why: String,
    },
    /// One of an attempt's.
    #[error(transparent)]
    Attempt(#[from] BadRecord),
    /// Written by a newer Hotcell.
    #[error("the run's records have format {0}; this Hotcell reads up to {FORMAT}")]
    Format(u32),
    /// The first record says how a run began.
    #[error("the run has no beginning")]
    NoBeginning,
    /// A fork begins at a step that was reached.
    #[error("the run never came to a step `{0}`")]
    NoStep(String),
}

impl Begun {
    /// The beginning of a run that is nobody's fork.
    pub fn new(definition: String, task: String, input: String, now_unix_ms: u64) -> Begun {
        Begun {
            format: FORMAT,
            definition,
            task,
            input,
            now_unix_ms,
            instead: BTreeMap::new(),
            batch: None,
            inherited: 0,
        }
    }

    pub(super) fn entry(&self, at_unix_ms: u64) -> Entry {
        Entry::new(BEGUN, at_unix_ms, self)
    }

    /// A run of this plan that begins so.
    pub fn run(&self, plan: &Arc<Plan>) -> Run {
        let mut run = Run::new(Arc::clone(plan), &self.task, &self.input);
        for (path, input) in &self.instead {
            run.give_instead(path, input);
        }
        run
    }
}

impl History {
    /// What these records say.
    pub fn of(records: &[Record]) -> Result<History, HistoryError> {
        fn read<'a, T: Deserialize<'a>>(record: &'a Record) -> Result<T, HistoryError> {
            serde_json::from_str(&record.body).map_err(|error| HistoryError::Unreadable {
                seq: record.seq,
                kind: record.kind.clone(),
                why: error.to_string(),
            })
        }
        let first = records.first().filter(|first| first.kind == BEGUN);
        let begun: Begun = read(first.ok_or(HistoryError::NoBeginning)?)?;
        if begun.format > FORMAT {
            return Err(HistoryError::Format(begun.format));
        }
        let mut history = History {
            begun,
            events: Vec::new(),
            places: Vec::new(),
            audit: Vec::new(),
            ended: None,
            halted: None,
            known: Known::sort(records)?,
        };
        for record in records {
            match record.kind.as_str() {
                EVENT => {
                    history.events.push(read(record)?);
                    history.places.push(Place {
                        seq: record.seq,
                        at_unix_ms: record.at_unix_ms,
                    });
                    history.halted = None;
                }
                AUDIT => history.audit.push(read(record)?),
                ENDED => history.ended = Some(read(record)?),
                HALTED => history.halted = Some(read(record)?),
                _ => {}
            }
        }
        Ok(history)
    }

    /// Whether a try has ended: of a step, or of a validator under its path.
    /// What an agent did that another asked has ended with the step that it was for.
    pub fn has_ended(&self, step: &str, attempt: u32) -> bool {
        let step = delegate::agent_and_step(step).map_or(step, |(_, step)| step);
        self.events.iter().any(|event| match &event.what {
            What::Answered {
                path, attempt: of, ..
            } => (&**path, *of) == (step, attempt),
            What::Judged {
                path,
                attempt: of,
                validator,
                ..
            } => {
                let rest = step.strip_prefix(&**path);
                let name = rest.and_then(|rest| rest.strip_prefix('/'));
                *of == attempt && name == Some(validator)
            }
            _ => false,
        })
    }

    /// The events before a step was first asked anything: where a fork begins.
    pub fn before(&self, plan: &Arc<Plan>, step: &str) -> Result<Vec<Event>, HistoryError> {
        let mut run = self.begun.run(plan);
        for (at, event) in self.events.iter().enumerate() {
            let actions = machine::step(&mut run, event.clone());
            let asks = |action: &Action| match action {
                Action::Invoke { path, .. } => within(path, step),
                _ => false,
            };
            if actions.iter().any(asks) {
                return Ok(self.events.iter().take(at + 1).cloned().collect());
            }
        }
        Err(HistoryError::NoStep(step.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records as format 1 writes them. They must be readable for ever: never
    /// change a line, only add some.
    const FORMAT_1: &str = include_str!("../../tests/golden/run-format-1.jsonl");

    fn golden() -> Vec<Record> {
        let lines = FORMAT_1.lines().filter(|line| !line.is_empty());
        lines
            .zip(1..)
            .map(|(line, seq)| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                Record {
                    seq,
                    kind: value["kind"].as_str().unwrap().to_owned(),
                    at_unix_ms: 1_000 + seq,
                    body: value["body"].to_string(),
                }
            })
            .collect()
    }

    #[test]
    fn records_of_format_1_are_still_read_and_written_the_same() {
        let records = golden();
        let history = History::of(&records).unwrap();
        let mut events = history.events.iter();
        let mut audit = history.audit.iter();
        for record in &records {
            let again = match record.kind.as_str() {
                BEGUN => serde_json::to_value(&history.begun),
                EVENT => serde_json::to_value(events.next().unwrap()),
                AUDIT => serde_json::to_value(audit.next().unwrap()),
                ENDED => serde_json::to_value(history.ended.as_ref().unwrap()),
                HALTED => continue,
                other => panic!("{other}"),
            };
            let body: serde_json::Value = serde_json::from_str(&record.body).unwrap();
            assert_eq!(again.unwrap(), body, "{}", record.seq);
        }
        assert_eq!(events.next(), None);
        assert_eq!(history.places.len(), history.events.len());
    }

    #[test]
    fn what_is_no_run_is_said() {
        let mut records = golden();
        assert!(matches!(
            History::of(&records[1..]),
            Err(HistoryError::NoBeginning)
        ));
        assert!(matches!(History::of(&[]), Err(HistoryError::NoBeginning)));
        let body = records[0].body.replace("\"format\":1", "\"format\":2");
        assert_ne!(body, records[0].body);
        records[0].body = body;
        assert!(matches!(
            History::of(&records),
            Err(HistoryError::Format(2))
        ));
        let mut records = golden();
        records[1].body = "{}".to_owned();
        assert!(matches!(
            History::of(&records),
            Err(HistoryError::Unreadable { seq: 2, .. })
        ));
    }

    #[test]
    fn a_fork_begins_before_the_step_was_first_asked() {
        use crate::patterns::sequential::Sequential;
        use crate::plan::{Pattern, Step};
        use crate::story::{Story, says};

        let pattern = Pattern::Sequential(Sequential::chain([
            Step::agent("a", "a"),
            Step::agent("b", "b"),
            Step::agent("c", "c"),
        ]));
        let mut story = Story::begin(pattern.clone(), "{}");
        for id in ["a", "b", "c"] {
            story.answer(id, says("1"));
        }
        let plan = Arc::new(Plan {
            name: "test".to_owned(),
            pattern: Arc::new(pattern),
            timeout_ms: 1,
        });
        let history = History {
            begun: Begun::new(String::new(), "t".to_owned(), "{}".to_owned(), 0),
            places: Vec::new(),
            events: story.events.clone(),
            audit: Vec::new(),
            ended: None,
            halted: None,
            known: BTreeMap::new(),
        };
        let until = |step: &str| history.before(&plan, step).map(|events| events.len());
        assert_eq!(until("a").unwrap(), 1);
        assert_eq!(until("b").unwrap(), 2);
        assert_eq!(until("c").unwrap(), 3);
        assert!(matches!(until("d"), Err(HistoryError::NoStep(_))));
    }
}
