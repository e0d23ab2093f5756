//! What came out: every number that a report shows, so that renderers only draw.
//!
//! The JSON report is [`Findings`] as it is, a superset of the course's result
//! file. What was not measured is absent or `null`, never zero.

mod arm;
mod compare;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use arm::{
    CascadeMatrix, Cost, FieldFindings, Histogram, HostTime, KindFindings, LabelFindings, Latency,
    Measures, Pass, Propagation, Reading, SeedFindings, ToolFindings,
};
pub use compare::{
    Ablation, Check, CourseRow, Family, FrontierPoint, Pair, PairedT, Quantity, Targets, Unpaired,
};

use crate::trial::{Failed, Meta, Spent, Variant};

/// The analysed result of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// The main arms, in the study's order. By this name for the course's sake.
    pub pattern_results: Vec<ArmFindings>,
    /// When, as RFC 3339. Differs between equal studies.
    pub timestamp: String,
    /// How many tasks there were, over all sets.
    pub task_count: u64,
    /// The seed the tasks were generated under.
    pub seed: u64,
    /// Under which circumstances. `simulated` in it says whether every number
    /// here has to be labelled so.
    pub meta: Meta,
    /// How the numbers were computed.
    pub method: Method,
    /// The other arms: ablations, other correlations, other numbers of stages.
    pub variants: Vec<ArmFindings>,
    /// Arms of which there is nothing to say, and why.
    pub failed: Vec<Failed>,
    /// The arm that cost is a multiple of, if there is one.
    pub baseline: Option<String>,
    /// Main arms, two by two.
    pub pairs: Vec<Pair>,
    /// Each other arm against the main arm of its pattern.
    pub ablations: Vec<Ablation>,
    /// The course's table beside what was measured; empty for one's own tasks.
    pub course: Vec<CourseRow>,
    /// The acceptance checks, true or false; empty for one's own tasks.
    pub checks: Vec<Check>,
    /// The lines that the course draws in its charts.
    pub targets: Targets,
    /// All arms by cost and success, the cheapest first.
    pub frontier: Vec<FrontierPoint>,
}

impl Findings {
    /// The same without what differs between equal studies: `timestamp`, and
    /// everything whose name begins with `execution_time`. Two studies are equal
    /// exactly if the JSON of this is.
    pub fn comparable(&self) -> Findings {
        let mut same = self.clone();
        same.timestamp.clear();
        same.meta.timestamp.clear();
        same.meta.execution_time_s = 0.0;
        for arm in same
            .pattern_results
            .iter_mut()
            .chain(same.variants.iter_mut())
        {
            arm.execution_time = 0.0;
            let measures = std::iter::once(&mut arm.overall).chain(arm.sets.values_mut());
            for measures in measures {
                measures.latency.execution_time_host = HostTime::default();
            }
        }
        for check in &mut same.checks {
            if check.execution_time_s.take().is_some() {
                check.holds = None;
            }
        }
        same
    }

    /// The main arm of this pattern, if there is anything to say of it.
    pub fn of_pattern(&self, pattern: &str) -> Option<&ArmFindings> {
        let main = &self.pattern_results;
        main.iter().find(|arm| arm.pattern_name == pattern)
    }

    /// The arm of this name, main or not.
    pub fn of_arm(&self, id: &str) -> Option<&ArmFindings> {
        let mut arms = self.pattern_results.iter().chain(&self.variants);
        arms.find(|arm| arm.arm == id)
    }
}

/// How the numbers were computed, so that nobody has to guess.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// How often tasks were drawn anew for an interval.
    pub resamples: u32,
    /// How much of them lies within an interval: 0.95.
    pub confidence: f64,
    /// Below which adjusted p a difference is called significant: 0.05.
    pub alpha: f64,
    /// From which similarity on an answer is right by the fuzzy measure: 0.8.
    pub fuzzy_threshold: f64,
    /// What a reader must know of it, one sentence each.
    pub notes: Vec<String>,
}

/// What came of one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFindings {
    /// The pattern. By this name for the course's sake.
    pub pattern_name: String,
    /// How many tasks it worked on.
    pub task_count: u64,
    /// The numbers that the course's result file has.
    pub metrics: CourseMetrics,
    /// Seconds on the wall's clock. Differs between equal studies.
    pub execution_time: f64,
    /// The arm's name.
    pub arm: String,
    /// What is special about it.
    pub variant: Variant,
    /// Over all sets.
    pub overall: Measures,
    /// Set to the same over its tasks alone.
    pub sets: BTreeMap<String, Measures>,
    /// The same, roughly, for each seed alone.
    pub seeds: Vec<SeedFindings>,
    /// The sample standard deviation of success over seeds, if there are two.
    pub success_stdev_over_seeds: Option<f64>,
    /// What all its trials took together.
    pub spent: Spent,
}

/// The metrics of the course's result file, in its units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseMetrics {
    /// From 0 to 1.
    pub task_success_rate: f64,
    /// By comparison with twins; `null` where there are none.
    pub error_propagation_index: Option<f64>,
    /// Seconds.
    pub latency_p50: f64,
    /// Seconds.
    pub latency_p95: f64,
    /// US dollars, over all trials.
    pub total_cost: f64,
}

/// A number that was measured, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Where it would lie if the same number of tasks were drawn anew, 95 times
    /// of 100. None if fewer than two tasks are behind it, or if all of them
    /// gave the same, of which drawing anew could only say the same.
    pub interval: Option<Interval>,
    /// How many observations are behind it, as a rule trials.
    pub n: u64,
}

/// From here to there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it, its ends included, whatever the last digits
    /// of a division were.
    pub fn holds(self, value: f64) -> bool {
        /// Less than one task of a hundred million.
        const SLACK: f64 = 1e-9;
        self.low - SLACK <= value && value <= self.high + SLACK
    }
}
