//! The course's acceptance checks, true or false. A check that fails is told as failing.

use super::{EXPECTED, sequential_is_baseline, window};
use crate::findings::{Check, Findings, Interval, Quantity};
use crate::trial::Mode;

/// The course's limit for a run whose answers are there already, in seconds.
const LIMIT_S: f64 = 600.0;

/// What a check found: whether it holds, and what was measured or is missing.
type Verdict = (Option<bool>, String);

/// All checks: the five, and those of the course's tests.
pub(crate) fn checks(findings: &Findings) -> Vec<Check> {
    let check = |id: &str, text: &str, (holds, measured): Verdict| Check {
        id: id.to_owned(),
        acceptance: id.len() == 1,
        text: text.to_owned(),
        holds,
        measured,
        ..Check::default()
    };
    let literals = "the course's own numbers, 80 % and 70 %, give 14.3 %";
    vec![
        Check {
            note: Some(literals.to_owned()),
            ..check(
                "1",
                "hierarchical is right 15 % to 25 % more often than sequential",
                more_often(findings, "hierarchical", (0.15, 0.25)),
            )
        },
        check(
            "2",
            "the error propagation index of the state machine is below 0.5",
            contained(findings),
        ),
        check(
            "3",
            "voting is right 25 % to 35 % more often than sequential, for 4.25 to 5.75 times the money",
            both(
                more_often(findings, "voting", (0.25, 0.35)),
                dearer(findings, "voting", (4.25, 5.75)),
            ),
        ),
        check(
            "4",
            "the success of every pattern is within 15 % of the course's number",
            all_near(findings),
        ),
        Check {
            execution_time_s: Some(findings.meta.execution_time_s),
            ..check(
                "5",
                "it took less than 10 minutes, with answers that were there already",
                in_time(findings),
            )
        },
        check(
            "SM4.1 (1)",
            "check 1 with wider limits: 12.75 % to 28.75 %",
            more_often(findings, "hierarchical", (0.1275, 0.2875)),
        ),
        check(
            "SM4.1 (3)",
            "check 3 with wider limits: 21.25 % to 40.25 %",
            more_often(findings, "voting", (0.2125, 0.4025)),
        ),
        check(
            "SM4.2, 4.7, 4.8 (state machine)",
            "the state machine is right in 90 % of each set",
            each_set(findings, "state_machine", 0.90),
        ),
        check(
            "SM4.2, 4.7, 4.8 (voting)",
            "voting is right in 85 % of each set",
            each_set(findings, "voting", 0.85),
        ),
        check(
            "SM4.9",
            "no pattern is more than 15 % less often right in its worst set than in its best",
            even(findings),
        ),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn missing(what: &str) -> Verdict {
    (None, format!("{what} was not measured"))
}

fn success(findings: &Findings, pattern: &str) -> Option<f64> {
    Some(findings.of_pattern(pattern)?.overall.success?.value)
}

/// Whether a pattern is right more often than sequential, within these limits.
fn more_often(findings: &Findings, pattern: &str, (low, high): (f64, f64)) -> Verdict {
    let Some(ours) = success(findings, pattern) else {
        return missing(pattern);
    };
    let Some(theirs) = success(findings, "sequential") else {
        return missing("sequential");
    };
    if theirs <= 0.0 {
        return (None, "sequential was never right".to_owned());
    }
    let more = ours / theirs - 1.0;
    let (ours, theirs) = (percent(ours), percent(theirs));
    let measured = format!("{:+.1} % ({ours} against {theirs})", more * 100.0);
    (Some(Interval { low, high }.holds(more)), measured)
}

fn dearer(findings: &Findings, pattern: &str, (low, high): (f64, f64)) -> Verdict {
    let found = findings.of_pattern(pattern);
    let multiplier = found.and_then(|found| found.overall.cost.multiplier);
    match multiplier.filter(|_| sequential_is_baseline(findings)) {
        Some(it) => (
            Some(Interval { low, high }.holds(it.value)),
            format!("{:.2} times the money", it.value),
        ),
        None => missing(&format!("what {pattern} costs against sequential")),
    }
}

fn both(one: Verdict, other: Verdict) -> Verdict {
    let holds = match (one.0, other.0) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    };
    (holds, format!("{}; {}", one.1, other.1))
}

fn contained(findings: &Findings) -> Verdict {
    let Some(found) = findings.of_pattern("state_machine") else {
        return missing("state_machine");
    };
    match found.overall.propagation.epi {
        Some(epi) => (Some(epi.value < 0.5), format!("{:.2}", epi.value)),
        None => (
            None,
            "no injected fault has a twin to compare with, which only `sim` has".to_owned(),
        ),
    }
}

fn all_near(findings: &Findings) -> Verdict {
    let mut holds = Some(true);
    let mut told = Vec::new();
    for expected in &EXPECTED {
        let Some(found) = success(findings, expected.pattern) else {
            holds = holds.filter(|holds| !holds);
            told.push(format!("{} was not measured", expected.pattern));
            continue;
        };
        let near = window(expected.success, Quantity::Success).is_some_and(|it| it.holds(found));
        let (pattern, point) = (expected.pattern, percent(expected.success));
        let word = if near { "inside" } else { "outside" };
        told.push(format!("{pattern} {}, {word} ({point})", percent(found)));
        if !near {
            holds = Some(false);
        }
    }
    (holds, told.join("; "))
}

fn in_time(findings: &Findings) -> Verdict {
    match findings.meta.mode {
        Mode::Sim | Mode::Replay => (
            Some(findings.meta.execution_time_s < LIMIT_S),
            "see `execution_time_s`".to_owned(),
        ),
        Mode::Record | Mode::Live => (
            None,
            format!(
                "with `{}` answers are waited for",
                findings.meta.mode.name()
            ),
        ),
    }
}

fn of_sets(findings: &Findings, pattern: &str) -> Vec<(String, f64)> {
    let found = findings.of_pattern(pattern);
    let sets = found.into_iter().flat_map(|found| &found.sets);
    sets.filter_map(|(set, measures)| Some((set.clone(), measures.success?.value)))
        .collect()
}

fn each_set(findings: &Findings, pattern: &str, least: f64) -> Verdict {
    let sets = of_sets(findings, pattern);
    if sets.is_empty() {
        return missing(pattern);
    }
    let told = sets
        .iter()
        .map(|(set, found)| format!("{set} {}", percent(*found)));
    let told: Vec<_> = told.collect();
    let holds = sets.iter().all(|(_, found)| *found >= least);
    (Some(holds), told.join("; "))
}

fn even(findings: &Findings) -> Verdict {
    let (mut holds, mut told) = (None, Vec::new());
    for expected in &EXPECTED {
        let sets = of_sets(findings, expected.pattern);
        let worst = sets
            .iter()
            .map(|(_, found)| *found)
            .fold(f64::INFINITY, f64::min);
        let best = sets.iter().map(|(_, found)| *found).fold(0.0, f64::max);
        if sets.len() < 2 || best <= 0.0 {
            told.push(format!("{} was not measured", expected.pattern));
            continue;
        }
        let less = (best - worst) / best;
        holds = Some(holds.unwrap_or(true) && less <= 0.15);
        told.push(format!("{} {}", expected.pattern, percent(less)));
    }
    (holds, told.join("; "))
}
