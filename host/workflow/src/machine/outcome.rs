//! How steps and runs end.

use std::borrow::Cow;

use hotcell_runtime::task::{Finding, Output};
use serde::{Deserialize, Serialize};

use super::event::{Fault, Used};

/// How a run ended.
pub type Outcome = Result<Done, Stop>;

/// An output, and how much of it is what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// What came out.
    pub output: Output,
    /// Something optional is missing.
    pub partial: bool,
    /// Something stood in for a step that had no output. Never counted as a
    /// success.
    pub degraded: bool,
}

/// Why there is no output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// An output did not pass, and there was no try left.
    Validation {
        /// The step's path.
        step: String,
        /// Who shut the gate: a validator, or `schema`.
        gate: String,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// A step has no output.
    Fault {
        /// The step's path; a validator's path when that broke.
        step: String,
        /// Why.
        fault: Fault,
    },
    /// A person must decide.
    Human {
        /// The step's path.
        step: String,
        /// Why.
        fault: Fault,
    },
    /// What may be spent is spent.
    Budget {
        /// The step's path.
        step: String,
        /// Why.
        fault: Fault,
    },
    /// Somebody ended it.
    Cancelled,
}

impl Stop {
    /// The fault of a step.
    pub fn fault(step: &str, fault: Fault) -> Stop {
        Stop::Fault {
            step: step.to_owned(),
            fault,
        }
    }

    /// The status word used in tables and JSON.
    pub fn status(&self) -> &'static str {
        match self {
            Stop::Validation { .. } => "validation_failed",
            Stop::Fault { fault, .. } if fault.code == "deadline" => "timeout",
            Stop::Fault { .. } => "failure",
            Stop::Human { .. } => "pending_human_review",
            Stop::Budget { .. } => "budget_exceeded",
            Stop::Cancelled => "cancelled",
        }
    }

    /// The code and the sentence.
    pub fn words(&self) -> (Cow<'static, str>, String) {
        match self {
            Stop::Validation { gate, findings, .. } => {
                let said: Vec<_> = findings
                    .iter()
                    .map(|f| format!("{} {}", f.pointer, f.message))
                    .collect();
                let said = format!("{gate}: {}", said.join("; "));
                (Cow::Borrowed("validation_failed"), said)
            }
            Stop::Fault { fault, .. } | Stop::Human { fault, .. } | Stop::Budget { fault, .. } => {
                (fault.code.clone(), fault.message.clone())
            }
            Stop::Cancelled => (Cow::Borrowed("cancelled"), String::new()),
        }
    }
}

/// The status word of a run, used in tables and JSON.
pub fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(done) if done.degraded => "fallback",
        Ok(done) if done.partial => "partial_success",
        Ok(_) => "success",
        Err(stop) => stop.status(),
    }
}

/// How a step ended, as its workflow sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// All it took, tries that came to nothing included.
    pub(crate) used: Used,
}
