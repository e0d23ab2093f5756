//! A run once more, from the journal alone.
//!
//! Every agent and validator call is executed again in a cell that is served from
//! what the journal has: no model, no tool and no policy is asked. Its answer must
//! be the recorded one, byte for byte, and the machine must ask for the same
//! things in the same order. The first place where that is not so is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotcell_runtime::broker::meter::Meter;
use hotcell_runtime::broker::recall::{AttemptLog, Halt, Known};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::drive::{feed, key};
use super::history::{History, HistoryError};
use super::open::{Asked, Open};
use super::report::{Notes, Report};
use super::scene::Scene;
use super::{Engine, Record};
use crate::machine::{self, Action, Answer, Event, Path, What, status};
use crate::plan::Plan;

/// Ends that depend on the moment and not on the guest: they are taken as they
/// are recorded.
const OF_THE_MOMENT: [&str; 8] = [
    "breaker-open",
    "cancelled",
    "deadline",
    "host",
    "limit.memory",
    "limit.tenant-memory",
    "saturated",
    "limit.depth",
];

/// Why a call is not executed again: what it used is not in the journal.
const UNRECORDED: &str = "it used files, HTTP or more than is recorded";
/// Or this.
const MOMENT: &str = "its end depended on the moment";

/// Where a replay differs from what is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// The step's path.
    pub step: String,
    /// Which try.
    pub attempt: u32,
    /// What the journal has.
    pub recorded: String,
    /// What came out now.
    pub now: String,
}

/// What became of a replay.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// The run's id.
    pub run: String,
    /// The record's id.
    pub task: String,
    /// The status word that the machine came to; none when the run has not ended.
    pub status: Option<&'static str>,
    /// Calls that were executed again.
    pub executed: u64,
    /// Calls that were taken as recorded, by why.
    pub taken: BTreeMap<&'static str, u64>,
    /// Where it differs, if it does.
    pub divergence: Option<Divergence>,
}

/// What a journal tells of a run, as its report: nothing is executed.
pub fn told(plan: &Arc<Plan>, run: &str, history: &History) -> Report {
    let record = record(run, history);
    let meter = Meter::default();
    let mut notes = Notes::default();
    let mut machine = history.begun.run(plan);
    let (_, outcome) = feed(&mut machine, &history.events, &mut notes);
    notes.tell(&history.known, &BTreeSet::new(), &meter);
    let began = history.places.first().map_or(0, |place| place.at_unix_ms);
    let last = history.places.last().map_or(0, |place| place.at_unix_ms);
    let wall = Duration::from_millis(last.saturating_sub(began));
    match outcome {
        Some(outcome) => notes.report(record, outcome, &meter, wall, machine.clock_micros()),
        None => notes.unfinished(record, history.halted.as_ref(), &meter, wall),
    }
}

fn record(run: &str, history: &History) -> Record {
    Record {
        run: run.to_owned(),
        task: history.begun.task.clone(),
        input: history.begun.input.clone(),
        now_unix_ms: history.begun.now_unix_ms,
    }
}

impl Engine {
    /// Executes a run again from what the journal has of it.
    pub async fn replay(&self, run: &str, history: &History) -> Result<Replayed, HistoryError> {
        let record = record(run, history);
        let (meter, cancel) = (Arc::new(Meter::default()), CancellationToken::new());
        let scene = Scene {
            engine: self,
            record: &record,
            meter: &meter,
            cancel: &cancel,
            deadline: Instant::now() + Duration::from_secs(3_600),
        };
        let mut replayed = Replayed {
            run: record.run.clone(),
            task: record.task.clone(),
            status: None,
            executed: 0,
            taken: BTreeMap::new(),
            divergence: None,
        };
        let mut machine = history.begun.run(&self.plan);
        let mut open = Open::default();
        let mut audit = history.audit.iter();
        for (at, event) in history.events.iter().enumerate() {
            let inherited = (at as u64) < history.begun.inherited;
            let asked = open.answered(&event.what);
            match asked {
                Asked::Nothing => {}
                Asked::Missing(path, attempt) => {
                    let now = "nobody was asked".to_owned();
                    replayed.divergence = Some(differs(path, attempt, event, now));
                    return Ok(replayed);
                }
                Asked::Call(_) if inherited => {}
                Asked::Call(action) => {
                    let found = self.again(&scene, history, *action, event).await;
                    match found {
                        Found::Same => replayed.executed += 1,
                        Found::Taken(why) => *replayed.taken.entry(why).or_default() += 1,
                        Found::AsItWas => {}
                        Found::Other(divergence) => {
                            replayed.divergence = Some(divergence);
                            return Ok(replayed);
                        }
                    }
                }
            }
            for action in machine::step(&mut machine, event.clone()) {
                match action {
                    Action::Audit(now) => {
                        let recorded = audit.next();
                        if recorded != Some(&now) {
                            let text = |it: &crate::machine::Audit| json(it);
                            replayed.divergence = Some(Divergence {
                                step: "audit".to_owned(),
                                attempt: 0,
                                recorded: recorded.map_or_else(|| "nothing".to_owned(), text),
                                now: json(&now),
                            });
                            return Ok(replayed);
                        }
                    }
                    Action::Finish(outcome) => {
                        replayed.status = Some(status(&outcome));
                        let recorded = history.ended.as_ref().map(|it| &it.outcome);
                        if recorded != Some(&outcome) {
                            replayed.divergence = Some(Divergence {
                                step: String::new(),
                                attempt: 0,
                                recorded: recorded.map_or_else(|| "no end".to_owned(), json),
                                now: json(&outcome),
                            });
                        }
                        return Ok(replayed);
                    }
                    action => open.add(action),
                }
            }
        }
        Ok(replayed)
    }

    /// Executes one call again.
    async fn again(
        &self,
        scene: &Scene<'_>,
        history: &History,
        action: Action,
        event: &Event,
    ) -> Found {
        // Waits and looks are what they were.
        let (Some((key, _)), Some(path)) = (key(&action), action.path().cloned()) else {
            return Found::AsItWas;
        };
        let attempt = key.1;
        let known = history.known.get(&key);
        let opaque = known.is_some_and(Known::opaque);
        if opaque {
            return Found::Taken(UNRECORDED);
        }
        if of_the_moment(&event.what) {
            return Found::Taken(MOMENT);
        }
        let log = AttemptLog::strict(known.cloned().unwrap_or_default());
        let what = match scene.perform(action, log).await {
            Ok(what) => what,
            Err(Halt::Diverged {
                expected, found, ..
            }) => {
                return Found::Other(Divergence {
                    step: path.to_string(),
                    attempt,
                    recorded: expected,
                    now: found,
                });
            }
            Err(halt) => return Found::Other(differs(path, attempt, event, halt.to_string())),
        };
        let same = match (&what, &event.what) {
            (
                Some(What::Answered { answer: now, .. }),
                What::Answered {
                    answer: recorded, ..
                },
            ) => now == recorded,
            (
                Some(What::Judged { judgement: now, .. }),
                What::Judged {
                    judgement: recorded,
                    ..
                },
            ) => now == recorded,
            _ => false,
        };
        match same {
            true => Found::Same,
            false => {
                let now = what.as_ref().map_or_else(String::new, said);
                Found::Other(differs(path, attempt, event, now))
            }
        }
    }
}

enum Found {
    Same,
    /// A wait or a look: there is nothing to execute.
    AsItWas,
    /// A call that cannot be executed again, and why.
    Taken(&'static str),
    Other(Divergence),
}

fn of_the_moment(what: &What) -> bool {
    let fault = match what {
        What::Answered {
            answer: Answer::Fault(fault),
            ..
        }
        | What::Judged {
            judgement: Err(fault),
            ..
        } => fault,
        _ => return false,
    };
    OF_THE_MOMENT.contains(&&*fault.code)
}

fn differs(path: Path, attempt: u32, event: &Event, now: String) -> Divergence {
    Divergence {
        step: path.to_string(),
        attempt,
        recorded: said(&event.what),
        now,
    }
}

fn said(what: &What) -> String {
    match what {
        What::Answered { answer, .. } => json(answer),
        What::Judged { judgement, .. } => json(judgement),
        what => json(what),
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
