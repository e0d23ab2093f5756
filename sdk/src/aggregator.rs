//! The plugin kind that makes one decision out of many votes.

use serde_json::Value;

use crate::Failure;

/// Makes one decision out of many votes.
pub trait Aggregator {
    /// Decides. The ballots come in a stable order.
    fn decide(ballots: Vec<Ballot>) -> Result<Decision, Failure>;
}

/// One vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Ballot {
    /// Who votes.
    pub voter: String,
    /// For what.
    pub value: Value,
    /// How sure the voter is: 0.0 to 1.0.
    pub confidence: Option<f64>,
    /// How much the vote counts.
    pub weight: f64,
}

/// What the votes come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The value and how sure the vote makes it: 0.0 to 1.0.
    Decided(Value, f64),
    /// These values share the first place.
    Tie(Vec<Value>),
    /// Too few valid votes.
    NoQuorum,
}
