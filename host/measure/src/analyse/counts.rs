//! What needs no draws: plain counts over some trials of one arm.

use std::collections::{BTreeMap, BTreeSet};

use crate::cost;
use crate::findings::{
    CascadeMatrix, Cost, HostTime, KindFindings, Latency, Measures, Pass, Propagation,
    SeedFindings, ToolFindings,
};
use crate::matching::THRESHOLD;
use crate::stats::label::labels;
use crate::stats::{histogram, mean, of_sorted, pass, wilson};
use crate::trial::{Meta, Spent, Trial};

/// Into how many bins latencies are put.
const BINS: usize = 20;

/// The measures that are counts; estimates are still missing.
pub(super) fn counted(trials: &[&Trial], meta: &Meta) -> Measures {
    let count = |so: fn(&&&Trial) -> bool| trials.iter().filter(so).count() as u64;
    let mut fields = BTreeMap::new();
    let mut statuses = BTreeMap::new();
    for trial in trials {
        *statuses.entry(trial.status.clone()).or_default() += 1;
        for (field, right) in &trial.fields {
            let found: &mut crate::findings::FieldFindings =
                fields.entry(field.clone()).or_default();
            found.trials += 1;
            found.right += u64::from(*right);
        }
    }
    let similar = count(|trial| similarity(trial) >= THRESHOLD);
    Measures {
        trials: trials.len() as u64,
        tasks: tasks(trials).len() as u64,
        success_wilson: wilson(count(|trial| trial.right), trials.len() as u64),
        fuzzy_success: mean_of(similar, trials),
        fields,
        statuses,
        pass: passes(trials),
        label: labels(trials.iter().filter_map(|trial| trial.label)),
        tools: tools(trials),
        propagation: propagation(trials, meta),
        latency: latency(trials, meta),
        cost: spending(trials),
        ..Measures::default()
    }
}

fn mean_of(sum: u64, trials: &[&Trial]) -> Option<f64> {
    (!trials.is_empty()).then(|| sum as f64 / trials.len() as f64)
}

/// Each task with its right trials and all its trials.
fn tasks<'a>(trials: &[&'a Trial]) -> BTreeMap<(&'a str, &'a str), (u64, u64)> {
    let mut tasks: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for trial in trials {
        let task = tasks
            .entry((trial.set.as_str(), trial.task.as_str()))
            .or_default();
        task.0 += u64::from(trial.right);
        task.1 += 1;
    }
    tasks
}

fn passes(trials: &[&Trial]) -> Vec<Pass> {
    let tasks = tasks(trials);
    let most = tasks.values().map(|(_, trials)| *trials).max();
    let of = |k: u64| {
        let each = tasks
            .values()
            .filter_map(|(right, all)| pass(*right, *all, k));
        let (any, all): (Vec<f64>, Vec<f64>) = each.unzip();
        Some(Pass {
            k,
            tasks: any.len() as u64,
            any: mean(&any)?,
            all: mean(&all)?,
        })
    };
    (1..=most.unwrap_or_default()).filter_map(of).collect()
}

fn tools(trials: &[&Trial]) -> Option<ToolFindings> {
    let used: Vec<_> = trials.iter().filter_map(|trial| trial.tools).collect();
    (!used.is_empty()).then(|| ToolFindings {
        trials: used.len() as u64,
        calls: used.iter().map(|tools| u64::from(tools.calls)).sum(),
        unknown: used.iter().map(|tools| u64::from(tools.unknown)).sum(),
        ..ToolFindings::default()
    })
}

fn propagation(trials: &[&Trial], meta: &Meta) -> Propagation {
    let mut found = Propagation {
        cascades: matrix(trials, meta),
        ..Propagation::default()
    };
    for trial in trials {
        found.faults += trial.faults.len() as u64;
        for fault in &trial.faults {
            let kind: &mut KindFindings = found.kinds.entry(fault.kind.clone()).or_default();
            kind.faults += 1;
        }
        let Some(cascade) = &trial.cascade else {
            found.without_twin += u64::from(!trial.faults.is_empty());
            continue;
        };
        found.traces += 1;
        let Some(fault) = trial.faults.get(cascade.fault) else {
            continue;
        };
        let kind = found.kinds.entry(fault.kind.clone()).or_default();
        kind.first += 1;
        kind.contained += u64::from(cascade.propagated.is_empty());
        kind.propagated += cascade.propagated.len() as u64;
    }
    for kind in found.kinds.values_mut() {
        kind.epi = (kind.first > 0).then(|| kind.propagated as f64 / kind.first as f64);
    }
    found
}

fn matrix(trials: &[&Trial], meta: &Meta) -> CascadeMatrix {
    let mut stages: Vec<String> = Vec::new();
    for stage in &meta.stages {
        if !stages.contains(stage) {
            stages.push(stage.clone());
        }
    }
    let steps = trials.iter().flat_map(|trial| &trial.steps);
    let named: BTreeSet<&String> = steps.map(|step| &step.stage).collect();
    let others: Vec<String> = named
        .into_iter()
        .filter(|stage| !stages.contains(stage))
        .cloned()
        .collect();
    stages.extend(others);
    let at = |trial: &Trial, step: usize| {
        let stage = &trial.steps.get(step)?.stage;
        stages.iter().position(|name| name == stage)
    };

    let mut first = vec![0; stages.len()];
    let mut wrong = vec![vec![0; stages.len()]; stages.len()];
    for trial in trials {
        let Some(cascade) = &trial.cascade else {
            continue;
        };
        let hit = trial.faults.get(cascade.fault);
        let Some(from) = hit.and_then(|fault| at(trial, fault.step)) else {
            continue;
        };
        let reached = cascade
            .propagated
            .iter()
            .filter_map(|step| at(trial, *step));
        let reached: BTreeSet<usize> = reached.collect();
        for (stage, count) in wrong.get_mut(from).into_iter().flatten().enumerate() {
            *count += u64::from(reached.contains(&stage));
        }
        if let Some(count) = first.get_mut(from) {
            *count += 1;
        }
    }
    CascadeMatrix {
        stages,
        first,
        wrong,
    }
}

fn latency(trials: &[&Trial], meta: &Meta) -> Latency {
    let seconds: Vec<f64> = trials.iter().map(|trial| seconds(trial)).collect();
    let late =
        |trial: &&&Trial| meta.timeout_micros > 0 && trial.latency_micros >= meta.timeout_micros;
    let mut host: Vec<f64> = trials
        .iter()
        .map(|trial| trial.host_micros as f64)
        .collect();
    host.sort_unstable_by(f64::total_cmp);
    Latency {
        timed_out: trials.iter().filter(late).count() as u64,
        histogram: histogram(&seconds, BINS).ok(),
        execution_time_host: HostTime {
            p50_micros: of_sorted(&host, 50.0).unwrap_or_default(),
            p95_micros: of_sorted(&host, 95.0).unwrap_or_default(),
            mean_micros: mean(&host).unwrap_or_default(),
        },
        ..Latency::default()
    }
}

/// A trial's latency in seconds.
pub(super) fn seconds(trial: &Trial) -> f64 {
    trial.latency_micros as f64 / 1e6
}

/// A trial's similarity to six digits. What is read back from a file may differ in
/// the last of its seventeen, and who resumes must get the same findings.
pub(super) fn similarity(trial: &Trial) -> f64 {
    (trial.similarity * 1e6).round() / 1e6
}

fn spending(trials: &[&Trial]) -> Cost {
    let spent = spent(trials);
    let per_task = |sum: u64| mean_of(sum, trials).unwrap_or_default();
    Cost {
        total_micros: spent.cost_micros,
        failed_calls_per_task: per_task(spent.failed_calls),
        retries_per_task: per_task(spent.retries),
        repairs_per_task: per_task(spent.repairs),
        tool_calls_per_task: per_task(spent.tool_calls),
        cells_per_task: per_task(spent.cells),
        input_tokens_per_task: per_task(spent.input_tokens),
        output_tokens_per_task: per_task(spent.output_tokens),
        ..Cost::default()
    }
}

/// What trials took together.
pub(super) fn spent(trials: &[&Trial]) -> Spent {
    let each = trials.iter().map(|trial| &trial.spent);
    each.fold(Spent::default(), Spent::and)
}

/// The most important numbers for each seed, in order.
pub(super) fn seeds(trials: &[&Trial]) -> Vec<SeedFindings> {
    let mut seeds: BTreeMap<u64, Vec<&Trial>> = BTreeMap::new();
    for trial in trials {
        seeds.entry(trial.seed).or_default().push(trial);
    }
    seeds
        .into_iter()
        .map(|(seed, trials)| under(seed, &trials))
        .collect()
}

fn under(seed: u64, trials: &[&Trial]) -> SeedFindings {
    let right = trials.iter().filter(|trial| trial.right).count() as u64;
    let mut latencies: Vec<f64> = trials.iter().map(|trial| seconds(trial)).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    let cascades = trials.iter().filter_map(|trial| trial.cascade.as_ref());
    let propagated: Vec<f64> = cascades.map(|it| it.propagated.len() as f64).collect();
    let spent = spent(trials);
    SeedFindings {
        seed,
        trials: trials.len() as u64,
        success: mean_of(right, trials).unwrap_or_default(),
        epi: mean(&propagated),
        latency_p50_s: of_sorted(&latencies, 50.0).unwrap_or_default(),
        latency_p95_s: of_sorted(&latencies, 95.0).unwrap_or_default(),
        cost_per_task_usd: cost::per_task(spent.cost_micros, trials.len() as u64)
            .unwrap_or_default(),
    }
}
