//! The plugin kind that judges what an agent answered.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Answer, Failure, Task};

/// Judges what an agent answered.
pub trait Validator {
    /// What the agent worked on.
    type Input: DeserializeOwned;
    /// What the agent answered. Take [`serde_json::Value`] to judge answers of
    /// any shape: one that does not parse is a failure, not a verdict.
    type Output: DeserializeOwned;

    /// Judges one answer. A failure is no verdict: the gate stays shut.
    fn check(subject: Subject<Self::Input, Self::Output>) -> Result<Verdict, Failure>;
}

/// What a validator judges.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Subject<I, O> {
    /// The task as the agent got it.
    pub task: Task<I>,
    /// What the agent answered.
    pub output: Answer<O>,
}

impl<I, O> Subject<I, O> {
    /// A subject, for tests.
    pub fn new(task: Task<I>, output: Answer<O>) -> Subject<I, O> {
        Subject { task, output }
    }
}

/// A validator's judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Pass,
    /// Not good; the agent may try once more with these findings.
    Repair(Vec<Finding>),
    /// Not good, and another try is no use.
    Reject(Vec<Finding>),
}

impl Verdict {
    /// [`Verdict::Pass`] when nothing was found, else [`Verdict::Repair`].
    pub fn of(findings: Vec<Finding>) -> Verdict {
        if findings.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Repair(findings)
        }
    }
}

/// Something a validator found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// JSON pointer (RFC 6901) into the output's value; empty for the whole.
    pub pointer: String,
    /// A stable word for programs: `unknown-vendor`.
    pub code: String,
    /// A sentence for people and models.
    pub message: String,
}

impl Finding {
    /// Something found at a place.
    pub fn new(
        pointer: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            pointer: pointer.into(),
            code: code.into(),
            message: message.into(),
        }
    }
}
