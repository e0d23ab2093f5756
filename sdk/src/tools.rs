//! Calling tools: other people's code and services, through the host.
//!
//! For tools that a model chooses, see [`crate::ToolLoop`].

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::tool::{ToolCall, ToolOutput, ToolSpec};
use crate::{Denial, Failure, import};

/// Why a tool gave no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Policy says no.
    Denied(Denial),
    /// No tool of that name.
    Unknown,
    /// The arguments do not meet the tool's input schema; the text says where.
    InvalidArguments(String),
    /// The call could cost more than the run may still spend.
    BudgetExhausted,
    /// Too many calls; ask again after so many milliseconds.
    RateLimited(Option<u32>),
    /// No output within the host's deadline.
    Timeout,
    /// The tool broke. The text is for a log.
    Failed(String),
    /// The run was cancelled.
    Cancelled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied(denial) => write!(f, "tool call denied: {denial}"),
            Error::Unknown => f.write_str("tool call: no tool of that name"),
            Error::InvalidArguments(text) => write!(f, "tool call: invalid arguments: {text}"),
            Error::BudgetExhausted => f.write_str("tool call: the budget is exhausted"),
            Error::RateLimited(Some(ms)) => write!(f, "tool call: rate limited for {ms} ms"),
            Error::RateLimited(None) => f.write_str("tool call: rate limited"),
            Error::Timeout => f.write_str("tool call: no output in time"),
            Error::Failed(text) => write!(f, "tool call: failed: {text}"),
            Error::Cancelled => f.write_str("tool call: the run was cancelled"),
        }
    }
}

impl std::error::Error for Error {}

/// Busy, late and broken are transient; denied, out of budget and cancelled are
/// refused; a call that the tool will never take is permanent.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::RateLimited(_) | Error::Timeout | Error::Failed(_) => Failure::transient(error),
            Error::Denied(_) | Error::BudgetExhausted | Error::Cancelled => Failure::refused(error),
            Error::Unknown | Error::InvalidArguments(_) => Failure::permanent(error),
        }
    }
}

/// The tools this plugin may call, sorted by name.
pub fn list() -> Vec<ToolSpec> {
    import::tools()
}

/// One call with typed arguments and a typed result. A tool that understood and
/// could not do it is [`Error::Failed`].
pub fn call<T: DeserializeOwned>(name: &str, arguments: &impl Serialize) -> Result<T, Error> {
    let output = import::call_tool(request(name, arguments)?)?;
    if output.is_error {
        return Err(Error::Failed(output.content));
    }
    serde_json::from_str(&output.content)
        .map_err(|e| Error::Failed(format!("the output is something else: {e}")))
}

/// Several calls, run side by side on the host; results in call order. Build
/// the calls with [`request`], so that their ids are unique.
pub fn call_all(calls: Vec<ToolCall>) -> Vec<Result<ToolOutput, Error>> {
    import::call_tools(calls)
}

/// A call with a fresh id.
pub fn request(name: &str, arguments: &impl Serialize) -> Result<ToolCall, Error> {
    let arguments = serde_json::to_string(arguments)
        .map_err(|e| Error::InvalidArguments(format!("no JSON: {e}")))?;
    Ok(ToolCall {
        id: next_id(),
        name: name.to_owned(),
        arguments,
    })
}

/// Unique within the attempt and the same on replay: an instance lives for one
/// call and counts from one.
pub(crate) fn next_id() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("call-{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}
