//! Findings made by hand, with numbers that are easy to tell apart.

use std::collections::BTreeMap;

use crate::findings::{ArmFindings, Cost, Estimate, Findings, Interval, Latency, Measures, Pair};
use crate::trial::{Meta, Variant};

/// Success, cost as a multiple of the sequential pattern's, P95 in seconds.
pub(super) type Numbers = (&'static str, f64, f64, f64);

/// Voting and iterative cannot be told apart, everything else can.
pub(super) const USUAL: [Numbers; 6] = [
    ("single", 0.65, 0.4, 6.0),
    ("sequential", 0.70, 1.0, 18.0),
    ("hierarchical", 0.80, 1.3, 4.5),
    ("iterative", 0.93, 2.1, 28.0),
    ("state_machine", 0.90, 1.1, 15.0),
    ("voting", 0.94, 5.0, 22.0),
];

/// A difference below is called not significant.
const SIGNIFICANT: f64 = 0.02;

pub(super) const TRIALS: u64 = 2_400;

pub(super) fn usual() -> Findings {
    findings(&USUAL)
}

pub(super) fn findings(numbers: &[Numbers]) -> Findings {
    let mut findings = Findings {
        pattern_results: numbers.iter().map(arm).collect(),
        baseline: Some("sequential".to_owned()),
        meta: Meta {
            simulated: true,
            ..Meta::default()
        },
        ..Findings::default()
    };
    for (at, a) in numbers.iter().enumerate() {
        let others = numbers.iter().skip(at + 1);
        findings.pairs.extend(others.map(|b| pair(a, b)));
    }
    findings
}

fn pair(a: &Numbers, b: &Numbers) -> Pair {
    let difference = a.1 - b.1;
    let significant = difference.abs() > SIGNIFICANT;
    let only = |share: f64| 100 + (share.max(0.0) * TRIALS as f64) as u64;
    Pair {
        a: a.0.to_owned(),
        b: b.0.to_owned(),
        trials: TRIALS,
        only_a: only(difference),
        only_b: only(-difference),
        difference: Some(around(difference, 0.015)),
        holm_p: if significant { 0.000_01 } else { 0.43 },
        significant,
        ..Pair::default()
    }
}

pub(super) fn arm(numbers: &Numbers) -> ArmFindings {
    let name = numbers.0.to_owned();
    ArmFindings {
        pattern_name: name.clone(),
        arm: name,
        variant: Variant {
            stages: 7,
            ..Variant::default()
        },
        overall: measures(numbers.1, numbers.2, numbers.3),
        sets: BTreeMap::new(),
        ..ArmFindings::default()
    }
}

pub(super) fn measures(success: f64, times: f64, p95: f64) -> Measures {
    Measures {
        trials: TRIALS,
        tasks: 300,
        success: Some(around(success, 0.01)),
        latency: Latency {
            p95_s: Some(around(p95, 0.2)),
            ..Latency::default()
        },
        cost: Cost {
            per_task_usd: Some(around(times * 0.01, times * 0.000_1)),
            per_success_usd: Some(around(times * 0.01 / success, 0.000_01)),
            multiplier: Some(around(times, times * 0.01)),
            ..Cost::default()
        },
        ..Measures::default()
    }
}

pub(super) fn around(value: f64, by: f64) -> Estimate {
    Estimate {
        value,
        interval: Some(Interval {
            low: value - by,
            high: value + by,
        }),
        n: TRIALS,
    }
}
