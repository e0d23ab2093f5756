//! A checked workflow: everything the machine needs, and nothing it has to look
//! up. It is written into the journal with each run, so that a run is resumed
//! and replayed as it was begun.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::breaker;
use crate::patterns::hierarchical::Hierarchical;
use crate::patterns::iterative::Iterative;
use crate::patterns::sequential::Sequential;
use crate::patterns::state_machine::StateMachine;
use crate::patterns::voting::Voting;
use crate::retry::Retry;

/// The longest a whole run may take unless the workflow says otherwise: 60 s,
/// the course's task timeout. Time in which no host was up does not count.
pub const RUN_TIMEOUT_MS: u64 = 60_000;

/// How often one agent may be asked the very same thing in one place of a
/// workflow: the third time the step is stopped, for the answer will not change.
/// Rounds of an iterative workflow do not count, they have a limit of their own.
pub const LOOP_LIMIT: u32 = 3;

/// How deep workflows may stand inside of each other.
pub const NESTING: usize = 8;

/// A workflow that may be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The workflow's name.
    pub name: String,
    /// How its agents work together.
    pub pattern: Arc<Pattern>,
    /// The longest one run may take, in milliseconds.
    pub timeout_ms: u64,
}

/// How agents work together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// One after the other.
    Sequential(Sequential),
    /// A planner, specialists side by side, and one answer out of theirs.
    Hierarchical(Hierarchical),
    /// Round by round, until the answer is good enough.
    Iterative(Iterative),
    /// From state to state.
    StateMachine(StateMachine),
    /// Several are asked the same.
    Voting(Voting),
}

/// A piece of work with what surrounds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique among its siblings; part of the step's path.
    pub id: String,
    /// What the one who does it is told the task is.
    pub kind: String,
    /// Who does it.
    pub body: Body,
    /// Whether the workflow goes on without it.
    pub optional: bool,
    /// What to do instead when it has no output, in this order.
    pub fallback: Vec<Fallback>,
}

/// Who does a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// An agent or an aggregator.
    Call(Call),
    /// A workflow of its own.
    Workflow(Arc<Pattern>),
}

/// One call of a plugin with what is done when it does not go well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Which plugin.
    pub agent: Arc<str>,
    /// Validators that must pass its output, in order.
    pub gates: Vec<Arc<str>>,
    /// How many more tries the agent gets after findings: 0 to 3.
    pub repairs: u32,
    /// What is tried again, and when.
    pub retry: Retry,
    /// When it is not even tried.
    pub breaker: breaker::Settings,
    /// The longest one try may take, in milliseconds, if shorter than what the
    /// plugin may take anyway.
    pub timeout_ms: Option<u64>,
}

/// What to do instead of a step that has no output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// What the same step answered to the same task before, if that is no older
    /// than so many seconds.
    Cache {
        /// In seconds.
        ttl_s: u64,
    },
    /// Something simpler.
    Step(Arc<Step>),
    /// This value.
    Default(Value),
    /// Nothing: the output is `null`.
    Skip,
    /// A person must look at it: the run ends there.
    Human,
}

impl Step {
    /// A step that asks this agent, with the defaults.
    pub fn agent(id: &str, agent: &str) -> Step {
        Step {
            id: id.to_owned(),
            kind: id.to_owned(),
            body: Body::Call(Call::new(agent)),
            optional: false,
            fallback: Vec::new(),
        }
    }

    /// A step that is a workflow.
    pub fn workflow(id: &str, pattern: Pattern) -> Step {
        Step {
            body: Body::Workflow(Arc::new(pattern)),
            ..Step::agent(id, "")
        }
    }
}

impl Call {
    /// A call with the defaults: no gates, one repair, three retries, a breaker.
    pub fn new(agent: &str) -> Call {
        Call {
            agent: agent.into(),
            gates: Vec::new(),
            repairs: 1,
            retry: Retry::default(),
            breaker: breaker::Settings::default(),
            timeout_ms: None,
        }
    }
}
