//! Asking another agent, one to one with `wit/capability/delegate.wit`, and the
//! trait behind which one stands.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Broker, Caller, Denial};

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
    /// That agent's queue is full.
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
