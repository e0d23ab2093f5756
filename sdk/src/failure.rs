//! Why a plugin has no answer, and what the host's refusals mean for it.
//!
//! A [`Failure`] tells the workflow one thing: whether trying again can help.
//! It is the only error a plugin returns; the errors of the capabilities turn
//! into it with `?`.

use std::fmt;

/// Why a plugin has no answer. The texts are for people and for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The input is not what the plugin works on.
    InvalidInput(String),
    /// Trying again later may help.
    Transient(String),
    /// Trying again will not help.
    Permanent(String),
    /// The host refused something the plugin cannot do without.
    Refused(String),
}

impl Failure {
    /// The input is not what the plugin works on.
    pub fn invalid_input(text: impl fmt::Display) -> Failure {
        Failure::InvalidInput(text.to_string())
    }

    /// Trying again later may help.
    pub fn transient(text: impl fmt::Display) -> Failure {
        Failure::Transient(text.to_string())
    }

    /// Trying again will not help.
    pub fn permanent(text: impl fmt::Display) -> Failure {
        Failure::Permanent(text.to_string())
    }

    /// The host refused something the plugin cannot do without.
    pub fn refused(text: impl fmt::Display) -> Failure {
        Failure::Refused(text.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::InvalidInput(text) => write!(f, "invalid input: {text}"),
            Failure::Transient(text) => write!(f, "transient: {text}"),
            Failure::Permanent(text) => write!(f, "permanent: {text}"),
            Failure::Refused(text) => write!(f, "refused: {text}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Why the host will not do what was asked. Asking again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No policy grants this to the plugin. The text names the resource.
    NotGranted(String),
    /// The grant was for a time that is over.
    Expired,
    /// The grant was taken back while the run was going.
    Revoked,
    /// This host does not offer the capability at all.
    Unavailable,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::NotGranted(what) => write!(f, "`{what}` is not granted"),
            Denial::Expired => f.write_str("the grant has expired"),
            Denial::Revoked => f.write_str("the grant was revoked"),
            Denial::Unavailable => f.write_str("this host does not offer it"),
        }
    }
}

impl std::error::Error for Denial {}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Failure {
        Failure::refused(denial)
    }
}
