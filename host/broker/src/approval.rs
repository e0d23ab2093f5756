//! Asking a human. The types are one to one with `wit/capability/approval.wit`.
//!
//! What is asked waits in the books, where any process of the host finds it. An
//! answer is bound to the exact call that asked: to the digest of its arguments, the
//! plugin's component, the run, the step and the tenant. It is used once, is good
//! for a time and, unless the operator says otherwise, is not the word of who
//! started the run.

mod ask;
mod bound;
pub mod queue;
mod risk;
mod shown;

use serde::{Deserialize, Serialize};

use crate::Denial;

pub use bound::{Bound, Invalid, canonical};
pub use risk::{MOST, Risk, risk};
pub use shown::{Shown, shown};

/// What a human is asked to allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalAsk {
    /// A verb and an object: `pay invoice`.
    pub action: String,
    /// The exact arguments, as JSON text.
    pub arguments: String,
    /// Why the agent wants it.
    pub reason: String,
    /// The money at stake, in micro-dollars.
    pub amount_micros: Option<u64>,
    /// True when it cannot be taken back.
    pub irreversible: bool,
    /// How sensitive the data is, in the operator's words.
    pub classification: Option<String>,
}

/// What the human said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecision {
    /// Whether it may be done.
    pub approved: bool,
    /// Who decided.
    pub approver: String,
    /// Why.
    pub comment: Option<String>,
}

/// Why nobody decided; the guest sees these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalError {
    /// Policy says no.
    #[error("denied: {0}")]
    Denied(Denial),
    /// Nobody answered in time.
    #[error("expired")]
    Expired,
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl ApprovalError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            ApprovalError::Denied(_) => "denied",
            ApprovalError::Expired => "expired",
            ApprovalError::Cancelled => "cancelled",
        }
    }
}
