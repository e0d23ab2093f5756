//! The pure machine: `(Run, Event) -> Vec<Action>`.
//!
//! No clock, no randomness, no waiting, no I/O. The same events give the same
//! actions, live, on resume and on replay. An event that does not fit the run's
//! state, such as the answer of an attempt that is over, changes nothing.

use hotcell_runtime::task::{Finding, Output, Task, Verdict};
use serde::Serialize;

use crate::plan::{Pattern, Plan};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run begins.
    Started,
    /// An agent's attempt ended.
    Answered {
        /// Index of the step.
        step: usize,
        /// Which try, from 1.
        attempt: u32,
        /// How it ended.
        answer: Answer,
    },
    /// A validator looked at an output.
    Judged {
        /// Index of the step.
        step: usize,
        /// Which try was judged.
        attempt: u32,
        /// Index of the gate.
        gate: usize,
        /// What it said; `Err` when the validator itself broke.
        judgement: Result<Verdict, Fault>,
    },
    /// Somebody wants it to end.
    Cancelled,
}

/// How an agent's attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// With an output that is JSON and meets the agent's schema.
    Output(Output),
    /// With an output that does not; the findings say where.
    OffSchema(Vec<Finding>),
    /// Without an output.
    Fault(Fault),
}

/// Why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// A stable word: `trap`, `limit.fuel`, `deadline`, `transient`, …
    pub code: &'static str,
    /// A sentence, through the text gate.
    pub message: String,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask an agent.
    Invoke {
        /// Index of the step.
        step: usize,
        /// Which try, from 1.
        attempt: u32,
        /// What to ask.
        task: Task,
    },
    /// Ask a validator about the output of this try.
    Judge {
        /// Index of the step.
        step: usize,
        /// Which try.
        attempt: u32,
        /// Index of the gate.
        gate: usize,
        /// The task as the agent got it.
        task: Task,
        /// What the agent answered.
        output: Output,
    },
    /// The run is over.
    Finish(Outcome),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With the last step's output.
    Success(Output),
    /// An output did not pass, and there was no try left.
    ValidationFailed {
        /// The step's id.
        step: String,
        /// Who shut the gate: a validator, or `schema`.
        gate: String,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// A step has no output.
    Failure {
        /// The step's path; a validator's path when that broke.
        step: String,
        /// Why.
        fault: Fault,
    },
    /// Somebody ended it.
    Cancelled,
}

impl Outcome {
    /// The status word used in tables and JSON.
    pub fn status(&self) -> &'static str {
        match self {
            Outcome::Success(_) => "success",
            Outcome::ValidationFailed { .. } => "validation_failed",
            Outcome::Failure {
                fault: Fault {
                    code: "deadline", ..
                },
                ..
            } => "timeout",
            Outcome::Failure { .. } => "failure",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// One execution of a plan.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    pub(crate) plan: &'a Plan,
    /// The record's id.
    pub(crate) task: String,
    /// The record (JSON text).
    pub(crate) input: String,
    pub(crate) at: Position,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Position {
    Fresh,
    /// An agent has been asked.
    Asked {
        step: usize,
        attempt: u32,
        task: Task,
    },
    /// A validator has been asked.
    AtGate {
        step: usize,
        attempt: u32,
        gate: usize,
        task: Task,
        output: Output,
    },
    Over,
}

impl Run<'_> {
    /// A run that has not begun.
    pub fn new(plan: &Plan, task: String, input: String) -> Run<'_> {
        Run {
            plan,
            task,
            input,
            at: Position::Fresh,
        }
    }

    pub(crate) fn finish(&mut self, outcome: Outcome) -> Vec<Action> {
        self.at = Position::Over;
        vec![Action::Finish(outcome)]
    }
}

/// What to do now that this happened.
pub fn step(run: &mut Run<'_>, event: Event) -> Vec<Action> {
    match (&run.at, event) {
        (Position::Over, _) => Vec::new(),
        (_, Event::Cancelled) => run.finish(Outcome::Cancelled),
        (_, event) => match &run.plan.pattern {
            Pattern::Sequential(pattern) => pattern.step(run, event),
        },
    }
}
