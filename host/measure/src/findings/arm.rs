//! What is measured of one arm, over all tasks or those of one set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Estimate, Interval};

/// Everything measured over some trials of one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// How many trials.
    pub trials: u64,
    /// How many tasks they are of.
    pub tasks: u64,
    /// The share of trials that got every scored field right.
    pub success: Option<Estimate>,
    /// Wilson's interval for it. It takes trials of one task for independent,
    /// which those under several seeds are not quite; the one in `success` does not.
    pub success_wilson: Option<Interval>,
    /// The share that also called the right tools with the right arguments. The
    /// same as `success` where no task needs tools.
    pub strict: Option<Estimate>,
    /// How alike answers and gold are, from 0 to 1.
    pub similarity: Option<Estimate>,
    /// The share of trials whose similarity is 0.8 or more: the course's fuzzy
    /// success.
    pub fuzzy_success: Option<f64>,
    /// Scored field to how often it was right.
    pub fields: BTreeMap<String, FieldFindings>,
    /// How runs ended, to how often.
    pub statuses: BTreeMap<String, u64>,
    /// Success if each task may be tried k times, for k from 1 to the number of seeds.
    pub pass: Vec<Pass>,
    /// How well yes was told from no; none without such tasks.
    pub label: Option<LabelFindings>,
    /// How tools were used; none without tasks that need them.
    pub tools: Option<ToolFindings>,
    /// How far faults spread.
    pub propagation: Propagation,
    /// How long trials took; all zero without trials.
    pub latency: Latency,
    /// What trials cost; all zero without trials.
    pub cost: Cost,
}

/// How often one scored field was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFindings {
    /// How often right.
    pub right: u64,
    /// Of how many trials.
    pub trials: u64,
}

/// Success with k tries, estimated from all seeds without bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// How many tries.
    pub k: u64,
    /// How many tasks have at least as many trials.
    pub tasks: u64,
    /// The chance that at least one is right (pass@k).
    pub any: f64,
    /// The chance that all are right (pass^k).
    pub all: f64,
}

/// How well yes was told from no. *Positive* is yes, for instance fraud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelFindings {
    /// Yes, and said so.
    pub true_positives: u64,
    /// No, and said so.
    pub true_negatives: u64,
    /// No, and yes was said.
    pub false_positives: u64,
    /// Yes, and no was said.
    pub false_negatives: u64,
    /// Nothing was said, where yes was right.
    pub silent_positives: u64,
    /// Nothing was said, where no was right.
    pub silent_negatives: u64,
    /// The mean of the shares found among yes and among no; silence finds
    /// nothing. None if there was no yes, or no no.
    pub balanced_accuracy: Option<f64>,
    /// Matthews' correlation coefficient, silence counted as the wrong answer.
    /// None where it is undefined: a row or a column of the table is empty.
    pub mcc: Option<f64>,
    /// What always saying no would score, as plain accuracy.
    pub always_no: f64,
}

/// How tools were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolFindings {
    /// How many trials need tools.
    pub trials: u64,
    /// The share of those with the right tools and the right arguments.
    pub right: Option<Estimate>,
    /// Calls asked for.
    pub calls: u64,
    /// Of those, calls of tools that were not offered.
    pub unknown: u64,
    /// The share of unknown ones among calls; none without a call.
    pub hallucination_rate: Option<Estimate>,
}

/// How far faults spread, by four definitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Propagation {
    /// Injected faults, over all trials.
    pub faults: u64,
    /// Trials with at least one whose cascade is known.
    pub traces: u64,
    /// Trials with at least one, and nothing to compare them with. They are
    /// missing in `epi` and `containment`.
    pub without_twin: u64,
    /// The headline: steps that are wrong because of the first fault, by
    /// comparison with the twin, as a mean over `traces`.
    pub epi: Option<Estimate>,
    /// What the course calls such a number.
    pub reading: Option<Reading>,
    /// As the course's code has it: wrong steps that come after a wrong step,
    /// whoever saw what, as a mean over all trials.
    pub epi_course_code: Option<Estimate>,
    /// The same along lineage: wrong steps that saw a wrong one.
    pub epi_course_lineage: Option<Estimate>,
    /// As the course's text has it: wrong steps that saw a wrong one for each
    /// that saw none, over all trials. None without a wrong step.
    pub epi_pooled: Option<Estimate>,
    /// The share of first faults that made no other step wrong.
    pub containment: Option<Estimate>,
    /// The same by kind of fault.
    pub kinds: BTreeMap<String, KindFindings>,
    /// From which stage to which.
    pub cascades: CascadeMatrix,
}

/// What the course calls an error propagation index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Below 0.5.
    Excellent,
    /// From 0.5 to below 1.5.
    Good,
    /// From 1.5 to 3.
    Moderate,
    /// Above 3.
    Poor,
}

impl Reading {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Reading::Excellent => "excellent",
            Reading::Good => "good",
            Reading::Moderate => "moderate",
            Reading::Poor => "poor",
        }
    }
}

/// What faults of one kind did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindFindings {
    /// How many were injected.
    pub faults: u64,
    /// Of those, first ones of their trial, whose cascade is known.
    pub first: u64,
    /// Of the first ones, those that made no other step wrong.
    pub contained: u64,
    /// Steps that are wrong because of the first ones.
    pub propagated: u64,
    /// `propagated` for each of `first`; none if that is 0.
    pub epi: Option<f64>,
}

/// From which stage faults spread to which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadeMatrix {
    /// The stages, in the study's order; stages it does not list come last.
    pub stages: Vec<String>,
    /// Per stage: first faults that hit it.
    pub first: Vec<u64>,
    /// Per stage hit, per stage: of those faults, how many made a step of that
    /// stage wrong. The step that was hit does not count.
    pub wrong: Vec<Vec<u64>>,
}

impl CascadeMatrix {
    /// How often a fault at stage `from` makes stage `to` wrong, from 0 to 1;
    /// none if no fault hit `from`.
    pub fn share(&self, from: usize, to: usize) -> Option<f64> {
        let first = *self.first.get(from)?;
        let wrong = *self.wrong.get(from)?.get(to)?;
        (first > 0).then(|| wrong as f64 / first as f64)
    }
}

/// How long trials took, by the clock that the study names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half of the trials took no longer. Seconds.
    pub p50_s: Option<Estimate>,
    /// Of 20 trials, 19 took no longer. Seconds.
    pub p95_s: Option<Estimate>,
    /// On average. Seconds.
    pub mean_s: Option<Estimate>,
    /// Trials that took the study's timeout or more.
    pub timed_out: u64,
    /// All of them in bins of equal width.
    pub histogram: Option<Histogram>,
    /// What the host itself took, on the wall's clock. Differs between equal
    /// studies.
    pub execution_time_host: HostTime,
}

/// How many values fell into which bin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Where bins begin and end, one more than there are bins. Seconds.
    pub edges_s: Vec<f64>,
    /// Per bin. The last bin has its upper edge, the others have not.
    pub counts: Vec<u64>,
}

/// What the host itself took for a trial, on the wall's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostTime {
    /// Half of the trials took no longer. Microseconds.
    pub p50_micros: f64,
    /// Of 20 trials, 19 took no longer. Microseconds.
    pub p95_micros: f64,
    /// On average. Microseconds.
    pub mean_micros: f64,
}

/// What trials cost. *Per task* means for each trial: a task worked on once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// All of them together, in micro-dollars.
    pub total_micros: u64,
    /// US dollars per task.
    pub per_task_usd: Option<Estimate>,
    /// US dollars per task that came out right, the wrong ones paid for as well.
    /// None if none came out right. Its interval is over the draws with a right
    /// one.
    pub per_success_usd: Option<Estimate>,
    /// Cost per task as a multiple of the baseline's. None without a baseline,
    /// or if that costs nothing.
    pub multiplier: Option<Estimate>,
    /// Calls of models per task, failed ones included.
    pub calls_per_task: Option<Estimate>,
    /// Of those, the failed ones.
    pub failed_calls_per_task: f64,
    /// Tries after the first, per task.
    pub retries_per_task: f64,
    /// Repairs asked for by validators, per task.
    pub repairs_per_task: f64,
    /// Calls of tools per task.
    pub tool_calls_per_task: f64,
    /// Cells per task.
    pub cells_per_task: f64,
    /// Tokens per task, read and written.
    pub tokens_per_task: Option<Estimate>,
    /// Of those, the ones read.
    pub input_tokens_per_task: f64,
    /// Of those, the ones written.
    pub output_tokens_per_task: f64,
}

/// The most important numbers under one seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedFindings {
    /// The seed.
    pub seed: u64,
    /// How many trials.
    pub trials: u64,
    /// The share of right ones.
    pub success: f64,
    /// By comparison with twins, as in [`Propagation`].
    pub epi: Option<f64>,
    /// Seconds.
    pub latency_p50_s: f64,
    /// Seconds.
    pub latency_p95_s: f64,
    /// US dollars per task.
    pub cost_per_task_usd: f64,
}
