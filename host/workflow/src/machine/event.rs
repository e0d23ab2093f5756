//! What goes into the machine and what comes out of it. Events are written into
//! the journal, so their form is versioned by the journal's records.

use std::borrow::Cow;
use std::sync::Arc;

use hotcell_runtime::task::{Ballot, Decision, Finding, Output, Task, Verdict};
use serde::{Deserialize, Serialize};

use super::outcome::{Outcome, Stop};
use crate::breaker;

/// Where a step is: the ids from the root down, such as `review/voter-a`; the
/// root's is empty. The same live, on resume and on replay.
pub type Path = Arc<str>;

/// Whether a step is this one or below it.
pub fn within(path: &str, root: &str) -> bool {
    match path.strip_prefix(root) {
        Some(rest) => root.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the run began, on the host's clock.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The run begins.
    Started {
        /// From which waits are drawn.
        seed: u64,
    },
    /// A try ended.
    Answered {
        /// Of which step.
        path: Path,
        /// Which try, from 1.
        attempt: u32,
        /// How it ended.
        answer: Answer,
        /// What it took.
        used: Used,
    },
    /// A validator looked at an output.
    Judged {
        /// Of which step.
        path: Path,
        /// Which try was judged.
        attempt: u32,
        /// Index of the gate.
        gate: usize,
        /// Who judged.
        validator: Arc<str>,
        /// What it said; `Err` when the validator itself broke.
        judgement: Result<Verdict, Fault>,
        /// What it took.
        used: Used,
    },
    /// Somebody looked for an earlier answer.
    Looked {
        /// Of which step.
        path: Path,
        /// What was found.
        found: Option<Output>,
    },
    /// A wait is over.
    Elapsed {
        /// Whose.
        path: Path,
        /// Which of its waits.
        timer: u32,
    },
    /// The run's time is up.
    TimedOut,
    /// Somebody wants it to end.
    Cancelled,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// With an output that is JSON and meets the agent's schema.
    Output(Output),
    /// With an output that does not; the findings say where.
    OffSchema(Vec<Finding>),
    /// An aggregator's.
    Decision(Decision),
    /// Without an output.
    Fault(Fault),
}

/// Why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A stable word: `trap`, `limit.fuel`, `deadline`, `transient`, …
    pub code: Cow<'static, str>,
    /// A sentence, through the text gate.
    pub message: String,
    /// What the other side asked to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Fault {
    /// A fault with these words.
    pub fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault {
            code: Cow::Borrowed(code),
            message: message.into(),
            retry_after_ms: None,
        }
    }
}

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Time, in microseconds, simulated time included.
    pub micros: u64,
    /// Money, in micro-dollars.
    pub cost_micros: u64,
    /// Tokens in and out.
    pub tokens: u64,
}

impl std::ops::AddAssign for Used {
    fn add_assign(&mut self, other: Used) {
        self.micros = self.micros.saturating_add(other.micros);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
        self.tokens = self.tokens.saturating_add(other.tokens);
    }
}

/// What a plugin is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// An agent works on a task.
    Run(Task),
    /// An aggregator decides.
    Decide(Vec<Ballot>),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask an agent or an aggregator: [`What::Answered`].
    Invoke {
        /// For which step.
        path: Path,
        /// Which try, from 1.
        attempt: u32,
        /// Whom.
        agent: Arc<str>,
        /// What.
        ask: Ask,
        /// The longest it may take, if that is less than the plugin may take.
        timeout_ms: Option<u64>,
        /// When it is not even tried.
        breaker: breaker::Settings,
    },
    /// Ask a validator about the output of this try: [`What::Judged`].
    Judge {
        /// Of which step.
        path: Path,
        /// Which try.
        attempt: u32,
        /// Index of the gate.
        gate: usize,
        /// Whom.
        validator: Arc<str>,
        /// The task as the agent got it.
        task: Task,
        /// What the agent answered.
        output: Output,
    },
    /// Look for what was answered to the same before: [`What::Looked`].
    Look {
        /// For which step.
        path: Path,
        /// Under which name answers are kept.
        key: String,
        /// Who would have answered; none for a workflow.
        agent: Option<Arc<str>>,
    },
    /// Keep an answer for whoever looks for it later. Nothing comes back.
    Keep {
        /// Under which name.
        key: String,
        /// Who answered; none for a workflow.
        agent: Option<Arc<str>>,
        /// What.
        output: Output,
        /// For how many seconds.
        ttl_s: u64,
    },
    /// Wait: [`What::Elapsed`].
    Wait {
        /// Whose wait.
        path: Path,
        /// Which of its waits.
        timer: u32,
        /// In milliseconds.
        ms: u64,
        /// It lies between two tries.
        backoff: bool,
    },
    /// Give up what is under way for this step and all below it.
    Stop {
        /// Which.
        path: Path,
    },
    /// Write this down.
    Audit(Audit),
    /// The run is over.
    Finish(Outcome),
}

impl Action {
    /// The step that waits for what comes of it; none if nothing does.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Action::Invoke { path, .. }
            | Action::Judge { path, .. }
            | Action::Look { path, .. }
            | Action::Wait { path, .. } => Some(path),
            Action::Keep { .. } | Action::Stop { .. } | Action::Audit(_) | Action::Finish(_) => {
                None
            }
        }
    }
}

/// What an auditor reads: one for each step that ended, one for each transition
/// of a state machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audit {
    /// A step ended.
    Step {
        /// Which.
        path: Path,
        /// Who did it; none for a workflow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<Arc<str>>,
        /// How many tries it took.
        attempts: u32,
        /// `success`, `fallback`, or why there is no output.
        status: Cow<'static, str>,
        /// What stood in for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback: Option<Cow<'static, str>>,
        /// What went wrong, even if something stood in for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trouble: Option<Stop>,
        /// What it took.
        used: Used,
    },
    /// A state machine went on, or was kept from it.
    Transition {
        /// The state machine's path.
        path: Path,
        /// From this state; none at the beginning.
        from: Option<Arc<str>>,
        /// To this one.
        to: Arc<str>,
        /// The rule that says so, or the one that forbids it.
        rule: String,
        /// Whether it went on.
        taken: bool,
    },
}
