//! Asking another agent of this host to do a part of the work. It runs in a
//! cell of its own, under its own grants, and is paid from the caller's budget.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Denial, Failure, import};

/// One piece of work for another agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The agent's name.
    pub agent: String,
    /// What kind of task it is, in the words of that agent's manifest.
    pub kind: String,
    /// What that agent's input schema asks for, as JSON text.
    pub input: String,
}

impl Request {
    /// Work of this kind for this agent.
    pub fn new(agent: &str, kind: &str, input: &impl Serialize) -> Result<Request, Error> {
        let input = serde_json::to_string(input)
            .map_err(|e| Error::Failed(format!("the input is no JSON: {e}")))?;
        Ok(Request {
            agent: agent.to_owned(),
            kind: kind.to_owned(),
            input,
        })
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Policy says no.
    Denied(Denial),
    /// No agent of that name.
    UnknownAgent,
    /// Agents have asked agents too many levels deep.
    DepthExceeded,
    /// The work could cost more than the run may still spend.
    BudgetExhausted,
    /// That agent's queue is full.
    Saturated,
    /// The agent did not come to an answer, or to one of another type. The text
    /// is for a log.
    Failed(String),
    /// The run was cancelled.
    Cancelled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied(denial) => write!(f, "delegation denied: {denial}"),
            Error::UnknownAgent => f.write_str("delegation: no agent of that name"),
            Error::DepthExceeded => f.write_str("delegation: too many levels deep"),
            Error::BudgetExhausted => f.write_str("delegation: the budget is exhausted"),
            Error::Saturated => f.write_str("delegation: the agent's queue is full"),
            Error::Failed(text) => write!(f, "delegation: failed: {text}"),
            Error::Cancelled => f.write_str("delegation: the run was cancelled"),
        }
    }
}

impl std::error::Error for Error {}

/// A full queue and a failed agent are transient; an unknown agent is
/// permanent; the rest are refusals.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Saturated | Error::Failed(_) => Failure::transient(error),
            Error::UnknownAgent => Failure::permanent(error),
            Error::Denied(_) | Error::DepthExceeded | Error::BudgetExhausted | Error::Cancelled => {
                Failure::refused(error)
            }
        }
    }
}

/// One request; returns the agent's answer.
pub fn ask<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    read(import::delegate(request)?)
}

/// Several requests, run side by side on the host; results in request order.
pub fn ask_all<T: DeserializeOwned>(requests: Vec<Request>) -> Vec<Result<T, Error>> {
    import::delegate_all(requests)
        .into_iter()
        .map(|answer| read(answer?))
        .collect()
}

fn read<T: DeserializeOwned>(answer: String) -> Result<T, Error> {
    serde_json::from_str(&answer).map_err(|e| Error::Failed(format!("the answer: {e}")))
}
