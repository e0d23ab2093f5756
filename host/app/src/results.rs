//! What a run over many records came to: one structure for the table, for
//! `--json` and for `--out`.

mod money;
mod totals;

use std::collections::BTreeMap;
use std::time::Duration;

use hotcell_broker::Capability;
use hotcell_broker::llm::Origin;
use hotcell_broker::meter::Refusals;
use hotcell_broker::provider::capped::{Budget, Spending};
use hotcell_broker::provider::cassette::Misses;
use hotcell_broker::provider::chain::{ChainCounts, ChainLog};
use hotcell_runtime::manifest::Kind;
use hotcell_store::Digest;
use hotcell_workflow::engine::{Attempt, Report, Trouble};
use serde::Serialize;
use serde_json::Value;

use crate::manifest::Checked;
use crate::manifest::records::{BadRecord, Records};
use crate::score::{self, Count, Gold, Tally};
use crate::wire::Assembly;

pub(crate) use money::Money;
pub(crate) use totals::Totals;

/// What the results are made from, beside the reports.
pub(crate) struct Facts<'a> {
    pub(crate) checked: &'a Checked,
    pub(crate) assembly: &'a Assembly,
    pub(crate) records: &'a Records,
    pub(crate) gold: Option<&'a Gold>,
    pub(crate) wall: Duration,
    pub(crate) concurrency: usize,
}

#[derive(Serialize)]
pub(crate) struct Results {
    /// Changes when a reader would have to.
    pub(crate) format: &'static str,
    pub(crate) hotcell: &'static str,
    pub(crate) workflow: String,
    /// True when any answer came from a simulation. Shown wherever results are.
    pub(crate) simulated: bool,
    pub(crate) models: Vec<ModelResult>,
    pub(crate) totals: Totals,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<ScoreResult>,
    pub(crate) latency: Latency,
    pub(crate) plugins: Vec<PluginResult>,
    /// How what the policy allows to be spent stands.
    #[serde(skip_serializing_if = "Money::is_empty")]
    pub(crate) budgets: Money,
    pub(crate) refusals: Refusals,
    /// Plugin calls that a limit, a trap or the clock ended.
    pub(crate) stopped: Vec<Stopped>,
    /// Why runs ended without success, most frequent first.
    pub(crate) errors: Vec<ErrorResult>,
    pub(crate) bad_records: Vec<BadResult>,
    /// SHA-256 over task, status and output of every run, in record order: equal
    /// for equal results, whatever the concurrency.
    pub(crate) outcome_digest: Digest,
    pub(crate) tasks: Vec<TaskResult>,
}

#[derive(Serialize)]
pub(crate) struct ModelResult {
    pub(crate) alias: String,
    pub(crate) what: String,
    pub(crate) origin: Origin,
    pub(crate) calls: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cost_micros: u64,
    /// Injected faults by name, for simulations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) faults: BTreeMap<String, u64>,
    /// What its calls may cost and what they did, where there is a cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Spending>,
    /// What a recording was asked and does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missed: Option<MissedResult>,
    /// What answered instead of it, and what was remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chain: Option<ChainCounts>,
}

#[derive(Serialize)]
pub(crate) struct MissedResult {
    pub(crate) count: u64,
    /// The first of them, in words.
    pub(crate) first: String,
}

#[derive(Serialize)]
pub(crate) struct ScoreResult {
    pub(crate) all: TallyResult,
    pub(crate) groups: BTreeMap<String, TallyResult>,
    /// Which gold field groups them.
    pub(crate) grouped_by: Option<String>,
    pub(crate) without_gold: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct TallyResult {
    pub(crate) right: u64,
    pub(crate) of: u64,
    /// Wilson 95 % interval of the rate.
    pub(crate) interval: (f64, f64),
    /// Right answers by field.
    pub(crate) fields: Vec<(String, u64)>,
}

#[derive(Serialize)]
pub(crate) struct Latency {
    /// Per record, on the clock of `simulated`.
    pub(crate) p50_micros: u64,
    pub(crate) p95_micros: u64,
    /// True when latencies include simulated model time that nobody waited for.
    pub(crate) simulated: bool,
    /// Per record, on the wall clock of this machine.
    pub(crate) host_p50_micros: u64,
    pub(crate) host_p95_micros: u64,
}

#[derive(Serialize)]
pub(crate) struct PluginResult {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) digest: Digest,
    pub(crate) calls: u64,
    pub(crate) fuel_p50: u64,
    pub(crate) fuel_max: u64,
    pub(crate) peak_memory: u64,
    pub(crate) wall_p50_micros: u64,
    /// Ends other than `ok`.
    pub(crate) ends: BTreeMap<String, u64>,
    /// Lines of its log that were dropped, because it said too much.
    pub(crate) log_dropped: u64,
}

#[derive(Serialize)]
pub(crate) struct Stopped {
    pub(crate) plugin: String,
    pub(crate) end: String,
    pub(crate) count: u64,
}

#[derive(Serialize)]
pub(crate) struct ErrorResult {
    pub(crate) step: String,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) count: u64,
}

#[derive(Serialize)]
pub(crate) struct BadResult {
    pub(crate) index: usize,
    pub(crate) why: String,
}

#[derive(Serialize)]
pub(crate) struct TaskResult {
    pub(crate) task: String,
    pub(crate) run: String,
    pub(crate) status: &'static str,
    pub(crate) output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Trouble>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) llm_calls: u64,
    pub(crate) tool_calls: u64,
    pub(crate) cost_micros: u64,
    pub(crate) latency_micros: u64,
    pub(crate) wall_micros: u64,
}

/// The ends of a plugin call that the host brought about.
fn is_stop(end: &str) -> bool {
    end.starts_with("limit.") || matches!(end, "trap" | "deadline" | "host")
}

impl Results {
    /// Adds everything up. Pure.
    pub(crate) fn new(facts: &Facts<'_>, reports: &[Report]) -> Results {
        let mut totals = Totals {
            records: (facts.records.good.len() + facts.records.bad.len()) as u64,
            concurrency: facts.concurrency,
            compiled: facts.assembly.compiled,
            wall_micros: micros(facts.wall),
            ..Totals::default()
        };
        for report in reports {
            totals.add(report);
        }
        let models = models(facts, reports);
        let simulated = models
            .iter()
            .any(|m| m.origin == Origin::Simulated && m.calls > 0);
        let latency = latency(reports, reports.iter().any(Report::simulated_time));
        Results {
            format: "hotcell.results/1",
            hotcell: env!("CARGO_PKG_VERSION"),
            workflow: facts.checked.workflow.plan.name.clone(),
            simulated,
            models,
            score: facts.gold.map(|gold| scored(facts, gold, reports)),
            latency,
            plugins: plugins(facts, reports),
            budgets: Money::new(facts),
            refusals: refusals(reports),
            stopped: stopped(reports),
            errors: errors(reports),
            bad_records: facts.records.bad.iter().map(bad).collect(),
            outcome_digest: outcome_digest(reports),
            tasks: reports.iter().map(task).collect(),
            totals,
        }
    }
}

fn bad(record: &BadRecord) -> BadResult {
    BadResult {
        index: record.index,
        why: record.why.clone(),
    }
}

fn models(facts: &Facts<'_>, reports: &[Report]) -> Vec<ModelResult> {
    let model = |model: &crate::wire::ModelInUse| {
        let effects = reports.iter().flat_map(|r| &r.records.effects);
        let mine = effects.filter(|e| e.capability == Capability::Llm && e.resource == model.alias);
        let mut result = ModelResult {
            alias: model.alias.clone(),
            what: model.what.clone(),
            origin: model.origin,
            calls: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost_micros: 0,
            faults: BTreeMap::new(),
            budget: model.budget.as_ref().map(Budget::spending),
            missed: model.misses.as_ref().and_then(missed),
            chain: model.chain.as_ref().map(ChainLog::counts),
        };
        for effect in mine {
            result.calls += 1;
            result.input_tokens += effect.usage.input_tokens;
            result.output_tokens += effect.usage.output_tokens;
            result.cost_micros += effect.cost_micros;
        }
        if let Some(log) = &model.faults {
            let counts = log.counts().into_iter();
            result.faults = counts
                .map(|(f, n)| (f.name().to_owned(), n as u64))
                .collect();
        }
        result
    };
    facts.assembly.models.iter().map(model).collect()
}

fn missed(misses: &Misses) -> Option<MissedResult> {
    let missed = misses.so_far();
    Some(MissedResult {
        count: missed.count,
        first: missed.first?.to_string(),
    })
}

fn scored(facts: &Facts<'_>, gold: &Gold, reports: &[Report]) -> ScoreResult {
    let outcomes = reports.iter().map(|r| (r.task.as_str(), r.output.as_ref()));
    let score = score::score(gold, outcomes);
    let tally = |tally: Tally| TallyResult {
        right: tally.joint.right,
        of: tally.joint.of,
        interval: score::wilson(tally.joint),
        fields: tally
            .per_field
            .into_iter()
            .map(|(f, Count { right, .. })| (f, right))
            .collect(),
    };
    let spec = facts.checked.workflow.score.as_ref();
    ScoreResult {
        all: tally(score.all),
        groups: score
            .per_group
            .into_iter()
            .map(|(name, t)| (name, tally(t)))
            .collect(),
        grouped_by: spec.and_then(|spec| spec.group_by.clone()),
        without_gold: score.without_gold,
    }
}

fn latency(reports: &[Report], simulated: bool) -> Latency {
    let of = |f: fn(&Report) -> u64| reports.iter().map(f).collect::<Vec<_>>();
    let (latency, wall) = (of(|r| r.latency_micros), of(|r| r.wall_micros));
    Latency {
        p50_micros: percentile(latency.clone(), 50),
        p95_micros: percentile(latency, 95),
        simulated,
        host_p50_micros: percentile(wall.clone(), 50),
        host_p95_micros: percentile(wall, 95),
    }
}

fn plugins(facts: &Facts<'_>, reports: &[Report]) -> Vec<PluginResult> {
    let plugin = |plugin: &std::sync::Arc<hotcell_runtime::Plugin>| {
        let name = &plugin.manifest.name;
        let cells = reports.iter().flat_map(|r| &r.records.cells);
        let cells: Vec<_> = cells.filter(|cell| cell.plugin == *name).collect();
        let fuel: Vec<u64> = cells.iter().map(|cell| cell.fuel).collect();
        let mut ends = BTreeMap::new();
        for cell in cells.iter().filter(|cell| cell.outcome != "ok") {
            *ends.entry(cell.outcome.to_owned()).or_default() += 1;
        }
        PluginResult {
            name: name.clone(),
            kind: plugin.manifest.kind,
            digest: plugin.digest,
            calls: cells.len() as u64,
            fuel_max: fuel.iter().copied().max().unwrap_or(0),
            fuel_p50: percentile(fuel, 50),
            peak_memory: cells.iter().map(|cell| cell.peak_memory).max().unwrap_or(0),
            wall_p50_micros: percentile(cells.iter().map(|c| micros(c.wall)).collect(), 50),
            ends,
            log_dropped: cells.iter().map(|cell| cell.log_dropped).sum(),
        }
    };
    facts.assembly.plugins.iter().map(plugin).collect()
}

fn refusals(reports: &[Report]) -> Refusals {
    let mut all = Refusals::default();
    let each = reports.iter().flat_map(|r| r.records.refusals.iter());
    for (refusal, count) in each {
        all.add(refusal.clone(), count);
    }
    all
}

fn stopped(reports: &[Report]) -> Vec<Stopped> {
    let cells = reports
        .iter()
        .flat_map(|r| &r.records.cells)
        .filter(|c| is_stop(c.outcome));
    let ends = counted(cells.map(|cell| (cell.plugin.clone(), cell.outcome.to_owned())));
    ends.into_iter()
        .map(|((plugin, end), count)| Stopped { plugin, end, count })
        .collect()
}

fn errors(reports: &[Report]) -> Vec<ErrorResult> {
    let troubles = reports.iter().filter_map(|report| report.error.clone());
    let alike = troubles.map(|t| (t.step, t.code, t.message));
    let error = |((step, code, message), count)| ErrorResult {
        step,
        code,
        message,
        count,
    };
    let mut errors: Vec<_> = counted(alike).into_iter().map(error).collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    errors
}

fn task(report: &Report) -> TaskResult {
    let calls = |capability: Capability| {
        report
            .records
            .effects
            .iter()
            .filter(|e| e.capability == capability)
            .count() as u64
    };
    TaskResult {
        task: report.task.clone(),
        run: report.run.clone(),
        status: report.status,
        output: report.output.clone(),
        error: report.error.clone(),
        attempts: report.attempts.clone(),
        llm_calls: calls(Capability::Llm),
        tool_calls: calls(Capability::Tools),
        cost_micros: report.records.effects.iter().map(|e| e.cost_micros).sum(),
        latency_micros: report.latency_micros,
        wall_micros: report.wall_micros,
    }
}

fn outcome_digest(reports: &[Report]) -> Digest {
    let line = |r: &Report| {
        let output = r.output.as_ref().map(Value::to_string).unwrap_or_default();
        format!("{}\t{}\t{output}\n", r.task, r.status)
    };
    Digest::of(reports.iter().map(line).collect::<String>().as_bytes())
}

fn counted<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// Percentile by linear interpolation between closest ranks: rank (n−1)·p/100,
/// as numpy does by default; 0 for no values.
pub(crate) fn percentile(mut values: Vec<u64>, percent: u64) -> u64 {
    values.sort_unstable();
    let Some(last) = values.len().checked_sub(1) else {
        return 0;
    };
    let rank = last as u64 * percent;
    let (low, part) = ((rank / 100) as usize, rank % 100);
    let at = |index: usize| values.get(index.min(last)).copied().unwrap_or(0);
    let (a, b) = (at(low), at(low + 1));
    a + ((u128::from(b - a) * u128::from(part)) / 100) as u64
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_interpolated() {
        let tens: Vec<u64> = (1..=10).map(|n| n * 100).collect();
        assert_eq!(percentile(tens.clone(), 50), 550);
        assert_eq!(percentile(tens.clone(), 95), 955);
        assert_eq!(
            (percentile(tens.clone(), 0), percentile(tens, 100)),
            (100, 1000)
        );
        assert_eq!(
            (percentile(Vec::new(), 50), percentile(vec![7], 95)),
            (0, 7)
        );
    }
}
