//! How a run went, for people and programs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotcell_runtime::broker::meter::{Meter, Records};
use hotcell_runtime::broker::recall::{Halt, Known};
use hotcell_runtime::broker::text;
use hotcell_runtime::task::{Decision, Finding, Verdict};
use serde::Serialize;
use serde_json::Value;

use super::Record;
use super::history::Halted;
use crate::machine::{Action, Answer, Audit, Outcome, Path, Stop, What, status};

/// One try of a step, and what was said about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// The step's path.
    pub step: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// `ok`, `off-schema`, or the fault's code.
    pub outcome: String,
    /// Verdicts by gate: `pass`, `repair`, `reject`, or a fault's code.
    pub gates: Vec<(String, String)>,
    /// What the schema and the gates found.
    pub findings: Vec<Finding>,
    /// What was answered (JSON text), whatever was found about it afterwards. Not
    /// written out with the report: the journal has it.
    #[serde(skip)]
    pub output: Option<String>,
}

/// A wait before something is tried again, or for a state's timeout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// The step's path.
    pub step: String,
    /// The try after which it was; 0 if there was none.
    pub attempt: u32,
    /// In milliseconds.
    pub ms: u64,
    /// Whether it lies between two tries: where all models are simulated such
    /// waits are only counted.
    pub backoff: bool,
}

/// How one run went.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The run's id.
    pub run: String,
    /// The record's id.
    pub task: String,
    /// `success`, `partial_success`, `fallback`, `validation_failed`,
    /// `pending_human_review`, `budget_exceeded`, `timeout`, `failure`,
    /// `cancelled`; of a run that has not ended `running`, `waiting`, `in_doubt`,
    /// `interrupted`, `diverged`.
    pub status: &'static str,
    /// What came out.
    pub output: Option<Value>,
    /// Where and why it ended without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Trouble>,
    /// Every try of every step. Steps stand in the order they were begun, the tries
    /// of one together: where several work side by side, who is done first is
    /// chance.
    pub attempts: Vec<Attempt>,
    /// What was waited for, in the order it began.
    pub waits: Vec<Wait>,
    /// What an auditor reads, in the order it happened.
    pub audit: Vec<Audit>,
    /// Every effect, refusal, cell and log line.
    pub records: Records,
    /// Wall clock of the whole run, in microseconds.
    pub wall_micros: u64,
    /// The longest way through the steps: what the run would have cost in time with
    /// a real provider. Where all models are simulated it is simulated time alone,
    /// the same on every machine; the host's own time is `wall_micros`.
    pub latency_micros: u64,
}

impl Report {
    /// Whether the latency includes time that nobody waited for.
    pub fn simulated_time(&self) -> bool {
        self.records
            .effects
            .iter()
            .any(|effect| effect.simulated_time)
    }
}

/// Where and why a run ended without an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The step's path.
    pub step: String,
    /// A stable word.
    pub code: String,
    /// A sentence, through the text gate.
    pub message: String,
}

impl Trouble {
    fn of(stop: Stop) -> Option<Trouble> {
        let (step, fault) = match stop {
            Stop::Cancelled => return None,
            Stop::Validation {
                step,
                gate,
                findings,
            } => {
                return Some(Trouble {
                    step: format!("{step}/{gate}"),
                    code: "validation_failed".to_owned(),
                    message: sentence(&findings),
                });
            }
            Stop::Fault { step, fault }
            | Stop::Human { step, fault }
            | Stop::Budget { step, fault } => (step, fault),
        };
        Some(Trouble {
            step,
            code: fault.code.into_owned(),
            message: fault.message,
        })
    }
}

/// Findings in one line; their words have been through the text gate.
pub(super) fn sentence(findings: &[Finding]) -> String {
    let said = findings
        .iter()
        .map(|f| format!("{} {}", f.pointer, f.message));
    let said = said.collect::<Vec<_>>().join("; ");
    text::shorten(said.trim(), text::LINE)
}

/// The status of a run that cannot go on for now.
pub(super) fn halt_status(halt: &Halt) -> &'static str {
    match halt {
        Halt::Doubt { .. } => "in_doubt",
        Halt::Waiting { .. } => "waiting",
        Halt::Diverged { .. } => "diverged",
        Halt::Storage { .. } => "interrupted",
    }
}

/// What has been written down during a run.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) attempts: Vec<Attempt>,
    pub(super) waits: Vec<Wait>,
    pub(super) audit: Vec<Audit>,
    /// Who was asked, by step and attempt.
    pub(super) asked: BTreeMap<(String, u32), Arc<str>>,
    /// The first tries in the order they were begun.
    begun: Vec<Path>,
}

impl Notes {
    /// Puts what attempts did before into the meter, except for these.
    pub(super) fn tell(
        &self,
        known: &BTreeMap<(String, u32), Known>,
        except: &BTreeSet<(String, u32)>,
        meter: &Meter,
    ) {
        for (key, known) in known.iter().filter(|(key, _)| !except.contains(*key)) {
            let plugin = self.asked.get(key).map_or("", |plugin| plugin);
            known.tell(plugin, meter);
        }
    }

    /// Writes down that a step begins, or that something is waited for.
    pub(super) fn action(&mut self, action: &Action) {
        match action {
            Action::Invoke {
                path, attempt: 1, ..
            } => self.begun.push(Arc::clone(path)),
            Action::Wait {
                path, ms, backoff, ..
            } => {
                let mut attempts = self.attempts.iter().rev();
                let last = attempts.find(|attempt| *attempt.step == **path);
                self.waits.push(Wait {
                    step: path.to_string(),
                    attempt: last.map_or(0, |attempt| attempt.attempt),
                    ms: *ms,
                    backoff: *backoff,
                });
            }
            _ => {}
        }
    }

    /// Writes down what a try or a gate said.
    pub(super) fn event(&mut self, what: &What) {
        match what {
            What::Answered {
                path,
                attempt,
                answer,
                ..
            } => {
                let (outcome, findings) = match answer {
                    Answer::Output(_) | Answer::Decision(_) => ("ok".to_owned(), Vec::new()),
                    Answer::OffSchema(findings) => ("off-schema".to_owned(), findings.clone()),
                    Answer::Fault(fault) => (fault.code.to_string(), Vec::new()),
                };
                let output = match answer {
                    Answer::Output(output) => Some(output.value.clone()),
                    Answer::Decision(Decision::Decided(value, _)) => Some(value.clone()),
                    Answer::Decision(_) | Answer::OffSchema(_) | Answer::Fault(_) => None,
                };
                self.attempts.push(Attempt {
                    step: path.to_string(),
                    attempt: *attempt,
                    outcome,
                    gates: Vec::new(),
                    findings,
                    output,
                });
            }
            What::Judged {
                path,
                attempt,
                validator,
                judgement,
                ..
            } => {
                let (word, findings) = match judgement {
                    Ok(Verdict::Pass) => ("pass".to_owned(), None),
                    Ok(Verdict::Repair(findings)) => ("repair".to_owned(), Some(findings)),
                    Ok(Verdict::Reject(findings)) => ("reject".to_owned(), Some(findings)),
                    Err(fault) => (fault.code.to_string(), None),
                };
                let mut attempts = self.attempts.iter_mut().rev();
                let judged = |it: &&mut Attempt| *it.step == **path && it.attempt == *attempt;
                if let Some(entry) = attempts.find(judged) {
                    entry.gates.push((validator.to_string(), word));
                    entry
                        .findings
                        .extend(findings.into_iter().flatten().cloned());
                }
            }
            _ => {}
        }
    }

    /// The report of a run that cannot go on for now.
    pub(super) fn halted(
        self,
        record: Record,
        halt: &Halt,
        meter: &Meter,
        wall: Duration,
    ) -> Report {
        let step = match halt {
            Halt::Doubt { step, .. } | Halt::Waiting { step, .. } | Halt::Diverged { step, .. } => {
                step.clone()
            }
            Halt::Storage { .. } => String::new(),
        };
        let trouble = Trouble {
            step,
            code: halt.code().to_owned(),
            message: halt.to_string(),
        };
        let ended = (halt_status(halt), None, Some(trouble));
        self.finish(record, ended, meter, wall, 0)
    }

    /// The report of a run that has not ended.
    pub(super) fn unfinished(
        self,
        record: Record,
        halted: Option<&Halted>,
        meter: &Meter,
        wall: Duration,
    ) -> Report {
        let status = match halted.map(|halted| halted.code.as_str()) {
            Some("halted.in-doubt") => "in_doubt",
            Some("halted.waiting") => "waiting",
            Some("halted.diverged") => "diverged",
            Some(_) => "interrupted",
            None => "running",
        };
        let trouble = halted.map(|halted| Trouble {
            step: String::new(),
            code: halted.code.clone(),
            message: halted.message.clone(),
        });
        self.finish(record, (status, None, trouble), meter, wall, 0)
    }

    /// The report of a run that took so long: on the wall, and on its own clock.
    pub(super) fn report(
        self,
        record: Record,
        outcome: Outcome,
        meter: &Meter,
        wall: Duration,
        clock_micros: u64,
    ) -> Report {
        let status = status(&outcome);
        let (output, error) = match outcome {
            Ok(done) => (serde_json::from_str(&done.output.value).ok(), None),
            Err(stop) => (None, Trouble::of(stop)),
        };
        let ended = (status, output, error);
        self.finish(record, ended, meter, wall, clock_micros)
    }

    fn finish(
        mut self,
        record: Record,
        (status, output, error): (&'static str, Option<Value>, Option<Trouble>),
        meter: &Meter,
        wall: Duration,
        clock_micros: u64,
    ) -> Report {
        let begun: BTreeMap<&str, usize> = (self.begun.iter().enumerate())
            .map(|(at, path)| (&**path, at))
            .collect();
        let place = |it: &Attempt| (begun.get(it.step.as_str()).copied(), it.attempt);
        self.attempts.sort_by_key(place);
        let wall_micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        let records = meter.records();
        let calls = || records.effects.iter().filter(|it| it.origin.is_some());
        let simulated = calls().next().is_some() && calls().all(|it| it.simulated_time);
        let latency_micros = match simulated {
            true => clock_micros,
            false => wall_micros.max(clock_micros),
        };
        Report {
            run: record.run,
            task: record.task,
            status,
            output,
            error,
            attempts: self.attempts,
            waits: self.waits,
            audit: self.audit,
            records,
            wall_micros,
            latency_micros,
        }
    }
}
