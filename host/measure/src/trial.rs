//! What was tried, and what came of it: the record that everything is computed from.
//!
//! A *set* is a kind of task, a *task* one record of it, an *arm* a pattern in
//! one variant, a *trial* one task worked on once by one arm under one seed. The
//! *twin* of a trial is the same trial without its first injected fault.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that was tried in one go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Under which circumstances.
    pub meta: Meta,
    /// The arms, in the order in which reports name them.
    pub arms: Vec<Arm>,
    /// The trials, in any order.
    pub trials: Vec<Trial>,
    /// Arms that could not be finished. Their trials count for nothing: the
    /// tasks that came first are no fair sample.
    #[serde(default)]
    pub failed: Vec<Failed>,
}

/// Under which circumstances a study was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// What was measured; the course's table and checks belong to one of them.
    pub benchmark: Benchmark,
    /// Where answers came from.
    pub mode: Mode,
    /// Whether any answer, time or price was made up by a simulator. Whoever
    /// shows a number of such a study says so beside it.
    pub simulated: bool,
    /// What clock the trials' latencies are by.
    pub clock: Clock,
    /// The model's name.
    pub model: String,
    /// The seeds; each task is tried once under each.
    pub seeds: Vec<u64>,
    /// How many tasks there are, over all sets.
    pub tasks: u64,
    /// How the tasks were chosen.
    pub strategy: String,
    /// The seed the tasks were generated and chosen under; the bootstrap's too.
    pub data_seed: u64,
    /// The logical stages, in order.
    pub stages: Vec<String>,
    /// Name of a fault to its rate.
    #[serde(default)]
    pub fault_rates: BTreeMap<String, f64>,
    /// The one number that was fitted, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
    /// Name of a model to its price.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
    /// What a trial that timed out enters with, in microseconds.
    pub timeout_micros: u64,
    /// The arm that cost and time are multiples of. Without it, the main arm of
    /// the pattern `sequential`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What it was made from: name to digest (plugins, data, workflows).
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// What else a reader must know, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Hotcell's version.
    pub version: String,
    /// When, as RFC 3339. Two studies that differ in this alone are the same.
    pub timestamp: String,
    /// How long it all took on the wall's clock. As with `timestamp`.
    pub execution_time_s: f64,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Benchmark {
    /// The course's 300 tasks and five patterns.
    #[default]
    Agentarch,
    /// Somebody's own tasks.
    Own,
}

/// Where answers came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A solver with injected faults.
    #[default]
    Sim,
    /// A provider, and every call was written down.
    Record,
    /// What was written down.
    Replay,
    /// A provider.
    Live,
}

impl Mode {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Sim => "sim",
            Mode::Record => "record",
            Mode::Replay => "replay",
            Mode::Live => "live",
        }
    }
}

/// What clock a latency is by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Nobody waited: drawn or recorded times, added up along the critical path.
    #[default]
    Virtual,
    /// Somebody waited.
    Wall,
}

/// A number that was fitted, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// Which number.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// To what end and by what means, as a sentence.
    pub how: String,
}

/// Micro-dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For a million input tokens.
    pub input_micros_per_mtok: u64,
    /// For a million output tokens.
    pub output_micros_per_mtok: u64,
}

/// A pattern in one variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name, unlike any other's: `voting`, `voting-rho-0.3`.
    pub id: String,
    /// The pattern: `sequential`, `hierarchical`, `iterative`, `state_machine`,
    /// `voting`, or `single` for the agent that works alone.
    pub pattern: String,
    /// What is special about it.
    pub variant: Variant,
    /// Whether it is a row of the main table; the others are ablations of the
    /// main arm of their pattern.
    pub main: bool,
    /// How long its trials took on the wall's clock. Arms run side by side, so
    /// these do not add up.
    #[serde(default)]
    pub execution_time_s: f64,
}

/// What is special about an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// How much voters share their blind spots: 0 not at all, 1 wholly.
    pub rho: f64,
    /// Whether validators stood between stages; none where a pattern has none.
    pub gates: Option<bool>,
    /// Whether more voters were asked only when the first disagreed.
    pub adaptive: bool,
    /// How many logical stages there were.
    pub stages: u32,
    /// The parts that were switched off: `retry`, `breaker`, ...
    pub without: Vec<String>,
}

/// An arm that could not be finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The arm's name.
    pub arm: String,
    /// Why, as a sentence.
    pub why: String,
}

/// One task, worked on once by one arm under one seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The arm's name.
    pub arm: String,
    /// The kind of task.
    pub set: String,
    /// The task's name within its set.
    pub task: String,
    /// The seed.
    pub seed: u64,
    /// How the run ended, by its name in results: `completed`, `fallback`, ...
    pub status: String,
    /// What it answered, if it did.
    pub answer: Option<Value>,
    /// Whether every scored field of the answer is right.
    pub right: bool,
    /// Scored field to whether it is right.
    pub fields: BTreeMap<String, bool>,
    /// How alike answer and gold are, from 0 to 1: the mean over the fields.
    /// Kept for compatibility; nothing is decided by it.
    pub similarity: f64,
    /// The yes or no of a task that asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// How tools were used; none where the task needs no tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Tools>,
    /// What was done, in an order in which each step comes after its parents.
    pub steps: Vec<Step>,
    /// What was injected, the first one first.
    pub faults: Vec<Fault>,
    /// What the first fault did, by comparison with the twin; none if nothing
    /// was injected, or if there is no twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<Cascade>,
    /// What it took.
    pub spent: Spent,
    /// How long it took, along the critical path; a trial that timed out enters
    /// with the timeout. By the clock that [`Meta`] names, in microseconds.
    pub latency_micros: u64,
    /// What the host itself took of the wall's clock, in microseconds.
    pub host_micros: u64,
}

/// A yes or no, and what it should have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// What is right.
    pub gold: bool,
    /// What was said, if anything was.
    pub said: Option<bool>,
}

/// How a trial used the tools it was offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Whether the right tools were called with the right arguments.
    pub right: bool,
    /// How many calls of tools were asked for.
    pub calls: u32,
    /// How many of those named a tool that was not offered.
    pub unknown: u32,
}

/// One step of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Where in the run. If several steps of a trial share one, they are told
    /// apart by their order.
    pub path: String,
    /// Which logical stage it does.
    pub stage: String,
    /// The steps whose output it saw, as indices of earlier steps. Voters and
    /// specialists side by side are no parents of one another.
    pub parents: Vec<usize>,
    /// `ok`, or the code of what went wrong.
    pub outcome: String,
    /// What it gave on, if anything.
    pub output: Option<Value>,
    /// Whether that is what the stage gives when no fault happens.
    pub right: bool,
    /// Whether a validator passed it.
    pub gated: bool,
    /// Whether it failed and the run went on without it.
    pub isolated: bool,
    /// How often it was tried, repairs included.
    pub tries: u32,
}

/// One injected fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The step it hit, as an index into the trial's steps.
    pub step: usize,
    /// The try of that step, from 1.
    pub attempt: u32,
    /// Which call of that try.
    pub sequence: u32,
    /// Which draw of a call that stands for several stages of work, from 0.
    #[serde(default)]
    pub draw: u32,
    /// `hallucination`, `omission`, ...
    pub kind: String,
    /// The tool whose arguments were hit; none when it was the answer itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Where in the answer, as a JSON pointer; empty for the whole.
    pub pointer: String,
}

/// What one fault did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cascade {
    /// The fault, as an index into the trial's faults: the first one.
    pub fault: usize,
    /// The steps that are wrong because of it, as indices, ascending.
    pub propagated: Vec<usize>,
}

/// What a trial took. Failed and retried calls are billed, so they count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Calls of models, failed ones included.
    pub calls: u64,
    /// Of those, the failed ones.
    pub failed_calls: u64,
    /// Tries after the first, over all steps.
    pub retries: u64,
    /// Repairs asked for by validators.
    pub repairs: u64,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Cells that were made.
    pub cells: u64,
    /// Tokens read by models.
    pub input_tokens: u64,
    /// Tokens written by models.
    pub output_tokens: u64,
    /// Money, in micro-dollars.
    pub cost_micros: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_comes_back_as_it_was_written() {
        let written = r#"{
            "meta": {"benchmark": "agentarch", "mode": "sim", "simulated": true,
                "clock": "virtual", "model": "solver", "seeds": [42], "tasks": 1,
                "strategy": "random", "data_seed": 42, "stages": ["extract"],
                "fault_rates": {"omission": 0.25},
                "fitted": {"name": "scale", "value": 1.5, "how": "by hand"},
                "prices": {"solver": {"input_micros_per_mtok": 1, "output_micros_per_mtok": 2}},
                "timeout_micros": 60000000, "baseline": "sequential",
                "digests": {}, "notes": [], "version": "0.1.0", "timestamp": "", "execution_time_s": 0.5},
            "arms": [{"id": "voting-rho", "pattern": "voting", "main": false, "execution_time_s": 0.5,
                "variant": {"rho": 0.3, "gates": null, "adaptive": false, "stages": 7, "without": []}}],
            "trials": [{"arm": "voting-rho", "set": "transaction", "task": "TXN-1", "seed": 42,
                "status": "completed", "answer": {"fraud_label": true}, "right": false,
                "fields": {"fraud_label": false}, "similarity": 0.5,
                "label": {"gold": false, "said": true},
                "tools": {"right": false, "calls": 2, "unknown": 1},
                "steps": [{"path": "a", "stage": "extract", "parents": [], "outcome": "ok",
                    "output": null, "right": false, "gated": false, "isolated": false, "tries": 1}],
                "faults": [{"step": 0, "attempt": 1, "sequence": 0, "draw": 3, "kind": "omission",
                    "tool": "vendor.find", "pointer": "/x"}],
                "cascade": {"fault": 0, "propagated": []},
                "spent": {"calls": 1, "failed_calls": 0, "retries": 0, "repairs": 0, "tool_calls": 2,
                    "cells": 1, "input_tokens": 10, "output_tokens": 5, "cost_micros": 7},
                "latency_micros": 1500000, "host_micros": 900}],
            "failed": [{"arm": "x", "why": "y"}]
        }"#;
        let study: Study = serde_json::from_str(written).unwrap();
        let again: Value = serde_json::to_value(&study).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(written).unwrap());
    }
}
