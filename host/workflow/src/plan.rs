//! A checked workflow: everything the machine needs, and nothing it has to look
//! up.

use crate::patterns::sequential::Sequential;

/// A workflow that may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The workflow's name.
    pub name: String,
    /// How its agents work together.
    pub pattern: Pattern,
}

/// How agents work together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One after the other.
    Sequential(Sequential),
}

/// One agent call with what surrounds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unique in the workflow; the step's path.
    pub id: String,
    /// Which agent.
    pub agent: String,
    /// What the agent is told the task is.
    pub kind: String,
    /// Validators that must pass its output, in order.
    pub gates: Vec<String>,
    /// How many more tries the agent gets after findings: 0 to 3.
    pub repairs: u32,
}
