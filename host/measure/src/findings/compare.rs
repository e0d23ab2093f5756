//! Arms beside one another, and beside what the course expects.

use serde::{Deserialize, Serialize};

use super::{Estimate, Interval};
use crate::trial::Variant;

/// Two main arms on the same tasks under the same seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// One arm.
    pub a: String,
    /// The other.
    pub b: String,
    /// Which comparisons it is adjusted together with.
    pub family: Family,
    /// Trials that both have.
    pub trials: u64,
    /// Both right.
    pub both: u64,
    /// Only `a` right: McNemar's b.
    pub only_a: u64,
    /// Only `b` right: McNemar's c.
    pub only_b: u64,
    /// Neither right.
    pub neither: u64,
    /// Success of `a` less that of `b`, over the trials that both have.
    pub difference: Option<Estimate>,
    /// Exact, two-sided. It takes the trials for independent; the interval of
    /// `difference` does not.
    pub mcnemar_p: f64,
    /// The same, adjusted by Holm over all pairs of the family.
    pub holm_p: f64,
    /// Whether `holm_p` is below alpha.
    pub significant: bool,
    /// Student's paired test, for compatibility. None without a difference
    /// that varies.
    pub paired_t: Option<PairedT>,
    /// As if they had not worked on the same tasks: what pairing wins. None if
    /// all trials, or none, came out right.
    pub unpaired: Option<Unpaired>,
}

/// Which comparisons are adjusted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Two patterns; five of them make 10 pairs.
    #[default]
    Patterns,
    /// A pattern and the agent that works alone.
    Single,
}

/// Student's paired test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedT {
    /// The statistic.
    pub t: f64,
    /// Degrees of freedom.
    pub df: u64,
    /// Two-sided.
    pub p: f64,
}

/// The test of two shares that are taken for independent, pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpaired {
    /// The statistic.
    pub z: f64,
    /// Two-sided.
    pub p: f64,
}

/// An arm that is not of the main table, against the main arm of its pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ablation {
    /// The arm.
    pub arm: String,
    /// The main arm of its pattern.
    pub main: String,
    /// Their pattern.
    pub pattern: String,
    /// What is special about the arm.
    pub variant: Variant,
    /// Trials that both have.
    pub trials: u64,
    /// The arm's success over those.
    pub success: f64,
    /// The main arm's.
    pub main_success: f64,
    /// The arm's less the main arm's: below 0 if what is missing was worth
    /// something.
    pub difference: Option<Estimate>,
    /// Exact, two-sided, not adjusted: an ablation describes.
    pub mcnemar_p: f64,
    /// The arm's error propagation index, over all its trials.
    pub epi: Option<Estimate>,
    /// The main arm's.
    pub main_epi: Option<Estimate>,
    /// Cost per task as a multiple of the main arm's.
    pub cost_ratio: Option<Estimate>,
    /// The median latency as a multiple of the main arm's.
    pub latency_p50_ratio: Option<f64>,
    /// The 95th percentile as a multiple of the main arm's.
    pub latency_p95_ratio: Option<f64>,
}

/// One cell of the course's table, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseRow {
    /// The pattern.
    pub pattern: String,
    /// What is compared.
    pub quantity: Quantity,
    /// The course's number.
    pub point: f64,
    /// The range that it gives beside the number, for success.
    pub range: Option<Interval>,
    /// 15 % below to 15 % above the number; none for calls, which have no window.
    pub window: Option<Interval>,
    /// What was measured, if it was.
    pub measured: Option<Estimate>,
    /// Whether that lies in the window; none if either is missing.
    pub inside: Option<bool>,
    /// What is odd about the course's number.
    pub note: Option<String>,
}

/// A column of the course's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Success, from 0 to 1.
    Success,
    /// The error propagation index, by comparison with twins.
    Epi,
    /// The median latency in seconds.
    LatencyP50S,
    /// The 95th percentile in seconds.
    LatencyP95S,
    /// Cost per task as a multiple of the sequential pattern's.
    CostMultiplier,
    /// Calls of models per task.
    CallsPerTask,
}

impl Quantity {
    /// What to call it, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Quantity::Success => "success",
            Quantity::Epi => "error propagation index",
            Quantity::LatencyP50S => "P50 latency (s)",
            Quantity::LatencyP95S => "P95 latency (s)",
            Quantity::CostMultiplier => "cost (× sequential)",
            Quantity::CallsPerTask => "model calls per task",
        }
    }
}

/// Something the course says holds, and whether it does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// `1` to `5` are the acceptance checks; the others are named as in the
    /// course's tests.
    pub id: String,
    /// Whether it is one of the five.
    pub acceptance: bool,
    /// What should hold.
    pub text: String,
    /// Whether it does. None only where there is nothing to decide it by.
    pub holds: Option<bool>,
    /// What was measured, or why there is nothing to decide it by.
    pub measured: String,
    /// What is odd about the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The seconds that a check of time is about. Differs between equal studies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_time_s: Option<f64>,
}

/// The lines that the course draws in its charts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Success should be at least this.
    pub success: f64,
    /// The error propagation index should be below this.
    pub epi: f64,
    /// The median latency should be below this, in seconds.
    pub latency_p50_s: f64,
    /// The cost multiplier should be below this.
    pub cost_multiplier: f64,
}

impl Default for Targets {
    /// The course's.
    fn default() -> Targets {
        Targets {
            success: 0.85,
            epi: 1.0,
            latency_p50_s: 10.0,
            cost_multiplier: 2.0,
        }
    }
}

/// An arm by what it costs and how often it is right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontierPoint {
    /// The arm.
    pub arm: String,
    /// Its pattern.
    pub pattern: String,
    /// Whether it is a row of the main table.
    pub main: bool,
    /// US dollars per task.
    pub cost_per_task_usd: f64,
    /// From 0 to 1.
    pub success: f64,
    /// Whether no arm is right at least as often for no more money, and better
    /// in one of the two.
    pub efficient: bool,
}
