//! From a study to its findings.

mod check;
mod compare;
mod counts;
mod scope;

use std::collections::{BTreeMap, BTreeSet};

pub use check::Flaw;
use serde_json::{Number, Value};

use crate::findings::{ArmFindings, CourseMetrics, Findings, Measures, Method, Targets};
use crate::matching::THRESHOLD;
use crate::stats::bootstrap::CONFIDENCE;
use crate::trial::{Arm, Benchmark, Failed, Spent, Study, Trial};
use crate::{cost, course};

/// How often tasks are drawn anew for each interval.
pub const DRAWS: u32 = 10_000;

/// Below which adjusted p a difference is called significant.
pub const ALPHA: f64 = 0.05;

/// The pattern that cost is a multiple of unless a study says otherwise.
const BASELINE: &str = "sequential";

/// The pattern of the agent that works alone.
const SINGLE: &str = "single";

/// An arm with its trials, sorted by set, task and seed.
struct Tried<'a> {
    arm: &'a Arm,
    trials: Vec<&'a Trial>,
}

/// Computes everything that there is to say about a study.
///
/// # Errors
/// If the study contradicts itself: see [`Flaw`].
pub fn analyse(study: &Study) -> Result<Findings, Flaw> {
    with_draws(study, DRAWS)
}

fn with_draws(study: &Study, draws: u32) -> Result<Findings, Flaw> {
    check::check(study)?;
    let (tried, failed) = tried(study);
    let baseline = baseline(study, &tried);
    let pairs = compare::pairs(&tried);
    let ablations = compare::ablations(&tried);
    let together = scope::Together {
        meta: &study.meta,
        baseline,
        draws,
    };

    let all = together.measure(&tried, None, &[&pairs[..], &ablations[..]].concat());
    let sets: BTreeSet<&str> = trials(&tried).map(|trial| trial.set.as_str()).collect();
    let mut of_sets: Vec<BTreeMap<String, Measures>> = vec![BTreeMap::new(); tried.len()];
    for set in sets {
        let measured = together.measure(&tried, Some(set), &[]).measures;
        for (sets, measures) in of_sets.iter_mut().zip(measured) {
            if measures.trials > 0 {
                sets.insert(set.to_owned(), measures);
            }
        }
    }

    let mut findings = Findings {
        timestamp: study.meta.timestamp.clone(),
        task_count: study.meta.tasks,
        seed: study.meta.data_seed,
        meta: study.meta.clone(),
        method: method(draws),
        failed,
        baseline: baseline
            .and_then(|at| tried.get(at))
            .map(|it| it.arm.id.clone()),
        targets: Targets::default(),
        ..Findings::default()
    };
    for ((tried, overall), sets) in tried.iter().zip(all.measures).zip(of_sets) {
        let found = arm(tried, overall, sets);
        match tried.arm.main {
            true => findings.pattern_results.push(found),
            false => findings.variants.push(found),
        }
    }
    let (of_pairs, of_ablations) = all.contrasts.split_at(pairs.len().min(all.contrasts.len()));
    findings.pairs = compare::judge_pairs(&tried, &pairs, of_pairs);
    findings.ablations = compare::judge_ablations(&tried, &ablations, of_ablations, &findings);
    findings.frontier = compare::frontier(&tried, &findings);
    if study.meta.benchmark == Benchmark::Agentarch {
        findings.course = course::rows(&findings);
        findings.checks = course::checks::checks(&findings);
    }
    rounded(&findings)
}

/// The same with every number to twelve significant digits, and none finer than
/// 1e-20: what is beyond is the noise of divisions. A report that is read back is
/// then the one that was written, to the last digit.
fn rounded(findings: &Findings) -> Result<Findings, Flaw> {
    let mut value = serde_json::to_value(findings).map_err(|_| Flaw::NotFinite)?;
    round(&mut value);
    serde_json::from_value(value).map_err(|_| Flaw::NotFinite)
}

fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let exact = number.as_f64().unwrap_or_default();
            let told = match exact.abs() {
                1e-9.. => format!("{exact:.11e}"),
                _ => format!("{exact:.20}"),
            };
            if let Some(rounded) = told.parse().ok().and_then(Number::from_f64) {
                *number = rounded;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(round),
        Value::Object(members) => members.values_mut().for_each(round),
        _ => {}
    }
}

/// The arms that have something to say, and why the others have not.
fn tried(study: &Study) -> (Vec<Tried<'_>>, Vec<Failed>) {
    let mut of_arm: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in &study.trials {
        of_arm.entry(&trial.arm).or_default().push(trial);
    }
    let mut failed = study.failed.clone();
    let mut tried = Vec::new();
    for arm in &study.arms {
        if failed.iter().any(|it| it.arm == arm.id) {
            continue;
        }
        match of_arm.remove(arm.id.as_str()) {
            Some(mut trials) => {
                trials.sort_by(|a, b| key(a).cmp(&key(b)));
                tried.push(Tried { arm, trials });
            }
            None => failed.push(Failed {
                arm: arm.id.clone(),
                why: "it has no trials".to_owned(),
            }),
        }
    }
    (tried, failed)
}

/// What a trial is, whatever the arm. Nothing is alike in two trials of one arm.
fn key(trial: &Trial) -> (&str, &str, u64) {
    (&trial.set, &trial.task, trial.seed)
}

fn trials<'a>(tried: &'a [Tried<'_>]) -> impl Iterator<Item = &'a Trial> {
    tried.iter().flat_map(|tried| tried.trials.iter().copied())
}

/// Which of these arms cost is a multiple of.
fn baseline(study: &Study, tried: &[Tried<'_>]) -> Option<usize> {
    tried.iter().position(|tried| match &study.meta.baseline {
        Some(named) => tried.arm.id == *named,
        None => tried.arm.main && tried.arm.pattern == BASELINE,
    })
}

fn arm(tried: &Tried<'_>, overall: Measures, sets: BTreeMap<String, Measures>) -> ArmFindings {
    let spent = counts::spent(&tried.trials);
    let seeds = counts::seeds(&tried.trials);
    let value = |estimate: Option<crate::findings::Estimate>| estimate.map(|it| it.value);
    let metrics = CourseMetrics {
        task_success_rate: value(overall.success).unwrap_or_default(),
        error_propagation_index: value(overall.propagation.epi),
        latency_p50: value(overall.latency.p50_s).unwrap_or_default(),
        latency_p95: value(overall.latency.p95_s).unwrap_or_default(),
        total_cost: cost::usd(spent.cost_micros as f64),
    };
    let successes: Vec<f64> = seeds.iter().map(|seed| seed.success).collect();
    ArmFindings {
        pattern_name: tried.arm.pattern.clone(),
        task_count: overall.tasks,
        metrics,
        execution_time: tried.arm.execution_time_s,
        arm: tried.arm.id.clone(),
        variant: tried.arm.variant.clone(),
        overall,
        sets,
        success_stdev_over_seeds: crate::stats::stdev(&successes),
        seeds,
        spent,
    }
}

fn method(draws: u32) -> Method {
    let notes = [
        "An interval is a percentile bootstrap over tasks: each draw takes as many tasks as there \
         are, with replacement, and with a task all its seeds; the same tasks for all arms.",
        "There is no interval where fewer than two tasks stand behind a number, or where all draws \
         gave the same.",
        "Wilson's interval and McNemar's test take trials for independent; trials of one task \
         under several seeds are not quite.",
        "Pairs are tested by McNemar's exact test, two-sided, and adjusted by Holm over all pairs \
         of patterns; comparisons with the single agent are a family of their own.",
        "The error propagation index counts the steps that are wrong because of the first \
         injected fault, by comparison with the same trial without it.",
        "Failed and retried calls are billed, and a trial that timed out enters with the timeout.",
        "The strict share asks for the right tools with the right arguments as well; it, the \
         chances of k tries and the share of calls of unknown tools follow arXiv 2509.10769, a \
         different benchmark of the same name.",
    ];
    Method {
        resamples: draws,
        confidence: CONFIDENCE,
        alpha: ALPHA,
        fuzzy_threshold: THRESHOLD,
        notes: notes.map(str::to_owned).to_vec(),
    }
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn and(self, other: &Spent) -> Spent {
        let sum = u64::saturating_add;
        Spent {
            calls: sum(self.calls, other.calls),
            failed_calls: sum(self.failed_calls, other.failed_calls),
            retries: sum(self.retries, other.retries),
            repairs: sum(self.repairs, other.repairs),
            tool_calls: sum(self.tool_calls, other.tool_calls),
            cells: sum(self.cells, other.cells),
            input_tokens: sum(self.input_tokens, other.input_tokens),
            output_tokens: sum(self.output_tokens, other.output_tokens),
            cost_micros: sum(self.cost_micros, other.cost_micros),
        }
    }
}

#[cfg(test)]
mod tests;
