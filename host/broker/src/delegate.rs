//! Asking another agent, one to one with `wit/capability/delegate.wit`, and the
//! trait behind which one stands.

mod calls;
mod kin;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::control::Barred;
use crate::secrets::carries;
use crate::{Broker, Caller, Denial};

pub(crate) use kin::Kin;
pub use kin::{EVER, LIVE};

/// One piece of work for another agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegateAsk {
    /// The agent's name.
    pub agent: String,
    /// What kind of task it is, in that agent's words.
    pub kind: String,
    /// JSON text that meets that agent's input schema.
    pub input: String,
}

impl DelegateAsk {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let texts = [&self.agent, &self.kind, &self.input].map(String::len);
        texts
            .into_iter()
            .fold(size_of::<DelegateAsk>(), usize::saturating_add)
    }
}

/// Why there is no answer; the guest sees these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DelegateError {
    /// Policy says no.
    #[error("denied: {0}")]
    Denied(Denial),
    /// No agent of that name.
    #[error("unknown agent")]
    UnknownAgent,
    /// Agents have asked agents too many levels deep.
    #[error("depth exceeded")]
    DepthExceeded,
    /// The work could cost more than is left.
    #[error("budget exhausted")]
    BudgetExhausted,
    /// That agent's queue is full, or the run has [`LIVE`] such calls under way.
    #[error("saturated")]
    Saturated,
    /// The agent did not come to an answer.
    #[error("failed: {0}")]
    Failed(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl DelegateError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            DelegateError::Denied(_) => "denied",
            DelegateError::UnknownAgent => "unknown-agent",
            DelegateError::DepthExceeded => "depth-exceeded",
            DelegateError::BudgetExhausted => "budget-exhausted",
            DelegateError::Saturated => "saturated",
            DelegateError::Failed(_) => "failed",
            DelegateError::Cancelled => "cancelled",
        }
    }
}

impl From<Barred> for DelegateError {
    fn from(barred: Barred) -> DelegateError {
        match barred {
            Barred::Budget => DelegateError::BudgetExhausted,
            Barred::Rate(_) => DelegateError::Saturated,
            Barred::Unwritten(why) => DelegateError::Failed(why),
            Barred::Secret(name) => DelegateError::Failed(carries(&name)),
        }
    }
}

/// What the path of an agent begins with that another agent asks.
const BELOW: &str = "/@";

/// The path under which an agent works that is asked in the call of this number:
/// `review/@checker.2`. No step of a workflow is called so.
pub fn path(step: &str, agent: &str, call: u32) -> String {
    format!("{step}{BELOW}{agent}.{call}")
}

/// Who works under a path, if another agent asked it: the agent, and the step of
/// the workflow that all of it is for.
pub fn agent_and_step(path: &str) -> Option<(&str, &str)> {
    let (step, _) = path.split_once(BELOW)?;
    let (_, last) = path.rsplit_once(BELOW)?;
    let (agent, _) = last.rsplit_once('.')?;
    Some((agent, step))
}

/// Whether a path is this one or of an agent that was asked below it.
pub fn is_within(path: &str, step: &str) -> bool {
    let rest = path.strip_prefix(step);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(BELOW))
}

/// An agent that others may ask.
#[async_trait]
pub trait AgentProvider: Send + Sync {
    /// The name by which it is asked.
    fn name(&self) -> &str;

    /// One piece of work, on behalf of `caller`: JSON text.
    async fn ask(
        &self,
        broker: &Broker,
        caller: &Caller,
        ask: &DelegateAsk,
    ) -> Result<String, DelegateError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_who_was_asked_for_which_step() {
        let one = path("review", "checker", 2);
        let two = path(&one, "reader-2", 0);
        assert_eq!(two, "review/@checker.2/@reader-2.0");
        assert_eq!(agent_and_step(&one), Some(("checker", "review")));
        assert_eq!(agent_and_step(&two), Some(("reader-2", "review")));
        let table = [
            ("review", true),
            (&one, true),
            (&two, true),
            ("review/gate", false),
            ("reviews", false),
            ("revie", false),
        ];
        for (path, within) in table {
            assert_eq!(is_within(path, "review"), within, "{path}");
        }
        assert_eq!(agent_and_step("review/gate"), None);
    }
}
