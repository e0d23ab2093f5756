//! Why a model call has no answer, and what that means for the plugin.

use std::fmt;

use crate::{Denial, Failure};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Policy says no.
    Denied(Denial),
    /// The call could cost more than the run may still spend.
    BudgetExhausted,
    /// The provider is busy; it may say after how many milliseconds to ask
    /// again.
    RateLimited(Option<u32>),
    /// The provider is down or answered nonsense. The text is for a log.
    Unavailable(String),
    /// No answer within the host's deadline.
    Timeout,
    /// The request cannot be served as it is. The text says what to change.
    Invalid(String),
    /// More input than the model takes.
    ContextTooLong,
    /// The run was cancelled.
    Cancelled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied(denial) => write!(f, "model call denied: {denial}"),
            Error::BudgetExhausted => f.write_str("model call: the budget is exhausted"),
            Error::RateLimited(Some(ms)) => write!(f, "model call: rate limited for {ms} ms"),
            Error::RateLimited(None) => f.write_str("model call: rate limited"),
            Error::Unavailable(text) => write!(f, "model call: unavailable: {text}"),
            Error::Timeout => f.write_str("model call: no answer in time"),
            Error::Invalid(text) => write!(f, "model call: invalid request: {text}"),
            Error::ContextTooLong => f.write_str("model call: more input than the model takes"),
            Error::Cancelled => f.write_str("model call: the run was cancelled"),
        }
    }
}

impl std::error::Error for Error {}

/// Busy, down and late are transient; denied, out of budget and cancelled are
/// refused; a request that the model will never take is permanent.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::RateLimited(_) | Error::Unavailable(_) | Error::Timeout => {
                Failure::transient(error)
            }
            Error::Denied(_) | Error::BudgetExhausted | Error::Cancelled => Failure::refused(error),
            Error::Invalid(_) | Error::ContextTooLong => Failure::permanent(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whether_trying_again_can_help() {
        let denied = Error::Denied(Denial::NotGranted("llm default".into()));
        for (error, kind) in [
            (Error::RateLimited(Some(5)), "transient"),
            (Error::Unavailable("down".into()), "transient"),
            (Error::Timeout, "transient"),
            (denied, "refused"),
            (Error::BudgetExhausted, "refused"),
            (Error::Cancelled, "refused"),
            (Error::Invalid("no messages".into()), "permanent"),
            (Error::ContextTooLong, "permanent"),
        ] {
            let text = Failure::from(error).to_string();
            assert!(text.starts_with(kind), "{text}");
        }
    }
}
