//! Tool calls as the broker sees them, one to one with `wit/capability/tools.wit`,
//! and the trait behind which a tool stands.

pub mod credential;
pub mod http;
pub mod mcp;
pub mod registry;
pub mod schema;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Broker, Caller, Denial};
pub use registry::UnusableTool;

/// What a crash between call and result means. The stricter is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectKind {
    /// Changes nothing.
    ReadOnly,
    /// May be repeated with the same call id.
    Idempotent,
    /// Must not be repeated without asking.
    UnsafeToRepeat,
}

/// What a tool offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Such as `invoice.find`.
    pub name: String,
    /// For the model.
    pub description: String,
    /// JSON Schema of the arguments (JSON text).
    pub input_schema: String,
    /// JSON Schema of the content (JSON text).
    pub output_schema: Option<String>,
    /// What may be done after a crash.
    pub effect: EffectKind,
}

impl ToolSpec {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let output = self.output_schema.as_ref().map_or(0, String::len);
        let texts = [&self.name, &self.description, &self.input_schema].map(String::len);
        texts
            .into_iter()
            .fold(size_of::<ToolSpec>() + output, usize::saturating_add)
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Chosen by the caller; the idempotency key.
    pub id: String,
    /// A name from the specs.
    pub name: String,
    /// A JSON object as text.
    pub arguments: String,
}

impl ToolCall {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let texts = [&self.id, &self.name, &self.arguments].map(String::len);
        texts
            .into_iter()
            .fold(size_of::<ToolCall>(), usize::saturating_add)
    }
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// JSON text.
    pub content: String,
    /// True when the tool understood and could not.
    pub is_error: bool,
}

/// Why a tool gave no output; the guest sees these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolError {
    /// Policy says no.
    #[error("denied: {0}")]
    Denied(Denial),
    /// No tool of that name.
    #[error("unknown tool")]
    Unknown,
    /// The arguments do not meet the schema.
    #[error("invalid arguments: {0}")]
    InvalidArguments(String),
    /// The call could cost more than is left.
    #[error("budget exhausted")]
    BudgetExhausted,
    /// Too many calls.
    #[error("rate limited")]
    RateLimited(Option<u32>),
    /// No output within the deadline.
    #[error("timeout")]
    Timeout,
    /// The tool broke.
    #[error("failed: {0}")]
    Failed(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl ToolError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            ToolError::Denied(_) => "denied",
            ToolError::Unknown => "unknown",
            ToolError::InvalidArguments(_) => "invalid-arguments",
            ToolError::BudgetExhausted => "budget-exhausted",
            ToolError::RateLimited(_) => "rate-limited",
            ToolError::Timeout => "timeout",
            ToolError::Failed(_) => "failed",
            ToolError::Cancelled => "cancelled",
        }
    }
}

/// Somebody who does what a tool promises.
#[async_trait]
pub trait ToolProvider: Send + Sync {
    /// What is offered.
    fn specs(&self) -> &[ToolSpec];

    /// One call, its name already found in the specs.
    async fn call(
        &self,
        broker: &Broker,
        caller: &Caller,
        call: &ToolCall,
    ) -> Result<ToolOutput, ToolError>;
}
