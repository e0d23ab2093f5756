//! Asking a human before doing something that matters. It may take days: the
//! host suspends the run and frees the cell.

use std::fmt;

use serde::Serialize;

use crate::{Denial, Failure, import};

/// What a human is asked to allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// A verb and an object: `pay invoice`.
    pub action: String,
    /// The exact arguments the approval is for, as JSON text.
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

impl Request {
    /// A request for something that cannot be taken back, unless
    /// [`Request::reversible`] says otherwise.
    pub fn new(
        action: impl Into<String>,
        arguments: &impl Serialize,
        reason: impl Into<String>,
    ) -> Result<Request, Failure> {
        Ok(Request {
            action: action.into(),
            arguments: serde_json::to_string(arguments)
                .map_err(|e| Failure::permanent(format!("the arguments are no JSON: {e}")))?,
            reason: reason.into(),
            amount_micros: None,
            irreversible: true,
            classification: None,
        })
    }

    /// It can be taken back.
    pub fn reversible(mut self) -> Request {
        self.irreversible = false;
        self
    }

    /// The money at stake, in micro-dollars.
    pub fn amount_micros(mut self, micros: u64) -> Request {
        self.amount_micros = Some(micros);
        self
    }

    /// How sensitive the data is, in the operator's words.
    pub fn classification(mut self, classification: impl Into<String>) -> Request {
        self.classification = Some(classification.into());
        self
    }

    /// Asks and waits.
    pub fn ask(self) -> Result<Decision, Error> {
        import::approval(self)
    }
}

/// What the human said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Yes or no.
    pub approved: bool,
    /// Who decided.
    pub approver: String,
    /// In the approver's words.
    pub comment: Option<String>,
}

/// Why nobody decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Policy says no.
    Denied(Denial),
    /// Nobody answered in time.
    Expired,
    /// The run was cancelled.
    Cancelled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied(denial) => write!(f, "approval denied: {denial}"),
            Error::Expired => f.write_str("approval: nobody answered in time"),
            Error::Cancelled => f.write_str("approval: the run was cancelled"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::refused(error)
    }
}
