//! Findings made by hand: numbers as they might be, and none computed.

mod compare;

use std::collections::BTreeMap;

use compare::{checks, course, pairs};

use crate::findings::{
    Ablation, ArmFindings, CascadeMatrix, Cost, Estimate, FieldFindings, Findings, FrontierPoint,
    HostTime, Interval, KindFindings, LabelFindings, Latency, Measures, Method, Pass, Propagation,
    Reading, SeedFindings, ToolFindings,
};
use crate::trial::{Benchmark, Failed, Fitted, Meta, Mode, Price, Variant};

const STAGES: [&str; 7] = [
    "ingest",
    "normalise",
    "extract",
    "enrich",
    "check",
    "decide",
    "record",
];

pub(super) fn estimate(value: f64, half: f64) -> Option<Estimate> {
    Some(Estimate {
        value,
        interval: Some(Interval {
            low: value - half,
            high: value + half,
        }),
        n: 2400,
    })
}

/// Name, success, EPI, P50, P95, cost, model calls.
const ARMS: [(&str, [f64; 6]); 6] = [
    ("sequential", [0.702, 3.18, 12.1, 18.4, 1.0, 7.2]),
    ("hierarchical", [0.781, 1.92, 8.3, 13.1, 1.31, 8.4]),
    ("iterative", [0.744, 1.31, 20.3, 41.2, 1.83, 12.9]),
    ("state_machine", [0.883, 0.48, 12.8, 20.7, 1.09, 7.9]),
    ("voting", [0.836, 0.21, 15.6, 22.1, 5.02, 36.1]),
    ("single", [0.611, 0.0, 9.7, 15.2, 0.74, 4.1]),
];

fn cascades(strength: f64) -> CascadeMatrix {
    let size = STAGES.len();
    let first = vec![120, 96, 141, 88, 0, 102, 41];
    let share = |from: usize, to: usize| {
        let far = to.saturating_sub(from) as f64;
        if to > from {
            strength * 0.93_f64.powf(far)
        } else {
            0.0
        }
    };
    let wrong = |from: usize, to: usize| (share(from, to) * first[from] as f64) as u64;
    CascadeMatrix {
        stages: STAGES.map(str::to_owned).to_vec(),
        wrong: (0..size)
            .map(|from| (0..size).map(|to| wrong(from, to)).collect())
            .collect(),
        first,
    }
}

fn measures(numbers: &[f64; 6], trials: u64) -> Measures {
    let [success, epi, p50, p95, multiple, calls] = *numbers;
    let kind = |faults, first, contained, propagated| KindFindings {
        faults,
        first,
        contained,
        propagated,
        epi: (first > 0).then(|| propagated as f64 / first as f64),
    };
    Measures {
        trials,
        tasks: trials / 8,
        success: estimate(success, 0.019),
        success_wilson: Some(Interval {
            low: success - 0.018,
            high: success + 0.018,
        }),
        strict: estimate(success - 0.031, 0.02),
        similarity: estimate(0.93, 0.01),
        fuzzy_success: Some(0.91),
        fields: BTreeMap::new(),
        statuses: [("completed".to_owned(), 2311), ("fallback".to_owned(), 89)].into(),
        pass: (1..=8)
            .map(|k| Pass {
                k,
                tasks: trials / 8,
                any: 1.0 - (1.0 - success).powf(k as f64 / 2.0 + 0.5),
                all: success.powf(k as f64 / 2.0 + 0.5),
            })
            .collect(),
        label: Some(LabelFindings {
            true_positives: 61,
            true_negatives: 690,
            false_positives: 22,
            false_negatives: 17,
            silent_positives: 2,
            silent_negatives: 8,
            balanced_accuracy: Some(0.861),
            mcc: Some(0.702),
            always_no: 0.9,
        }),
        tools: Some(ToolFindings {
            trials: 1600,
            right: estimate(0.94, 0.012),
            calls: 5120,
            unknown: 31,
            hallucination_rate: estimate(0.00605, 0.002),
        }),
        propagation: Propagation {
            faults: 1022,
            traces: 588,
            without_twin: 0,
            epi: estimate(epi, 0.11),
            reading: Some(if epi < 0.5 {
                Reading::Excellent
            } else {
                Reading::Moderate
            }),
            epi_course_code: estimate(epi * 0.32, 0.03),
            epi_course_lineage: estimate(epi * 0.3, 0.03),
            epi_pooled: estimate(epi * 1.1, 0.1),
            containment: estimate(0.9 - epi * 0.2, 0.02),
            kinds: [
                ("hallucination".to_owned(), kind(410, 240, 66, 733)),
                ("malformed_json".to_owned(), kind(88, 0, 0, 0)),
                ("timeout".to_owned(), kind(102, 71, 70, 2)),
            ]
            .into(),
            cascades: cascades(epi / 3.3),
        },
        latency: Latency {
            p50_s: estimate(p50, 0.3),
            p95_s: estimate(p95, 0.9),
            mean_s: estimate(p50 * 1.1, 0.3),
            timed_out: 3,
            histogram: None,
            execution_time_host: HostTime {
                p50_micros: 812.0,
                p95_micros: 2210.5,
                mean_micros: 960.2,
            },
        },
        cost: Cost {
            total_micros: (multiple * 21_000_000.0) as u64,
            per_task_usd: estimate(multiple * 0.00883, 0.0002),
            per_success_usd: estimate(multiple * 0.00883 / success, 0.0003),
            multiplier: estimate(multiple, 0.021),
            calls_per_task: estimate(calls, 0.05),
            failed_calls_per_task: 0.21,
            retries_per_task: 0.18,
            repairs_per_task: 0.05,
            tool_calls_per_task: 3.2,
            cells_per_task: calls,
            input_tokens_per_task: 4100.0 * multiple,
            output_tokens_per_task: 810.0 * multiple,
            tokens_per_task: estimate(4910.0 * multiple, 30.0),
        },
    }
}

fn arm(id: &str, pattern: &str, variant: Variant, numbers: &[f64; 6]) -> ArmFindings {
    let set = |name: &str, by: f64, fields: [&str; 2]| {
        let mut own = *numbers;
        own[0] = (own[0] + by).min(0.98);
        let mut of = measures(&own, 800);
        let field = |right| FieldFindings { right, trials: 800 };
        of.fields = [
            (fields[0].to_owned(), field(700)),
            (fields[1].to_owned(), field(655)),
        ]
        .into();
        (name.to_owned(), of)
    };
    let seed = |seed: u64| SeedFindings {
        seed,
        trials: 300,
        success: numbers[0] + seed as f64 / 1000.0 - 0.045,
        ..SeedFindings::default()
    };
    ArmFindings {
        pattern_name: pattern.to_owned(),
        task_count: 300,
        execution_time: 7.25,
        arm: id.to_owned(),
        variant,
        overall: measures(numbers, 2400),
        sets: [
            set("invoice", 0.04, ["approval_route", "is_valid"]),
            set(
                "reconciliation",
                -0.07,
                ["expected_matches", "reconciliation_status"],
            ),
            set("transaction", 0.03, ["expected_action", "fraud_label"]),
        ]
        .into(),
        seeds: (42..50).map(seed).collect(),
        success_stdev_over_seeds: Some(0.0113),
        ..ArmFindings::default()
    }
}

fn variant(pattern: &str) -> Variant {
    Variant {
        stages: 7,
        gates: (pattern == "state_machine").then_some(true),
        ..Variant::default()
    }
}

/// Ablations: arm, pattern, what is special, success, cost against the main arm.
fn specials() -> Vec<(&'static str, &'static str, Variant, f64, f64)> {
    let without = |pattern: &str, part: &str| Variant {
        without: vec![part.to_owned()],
        ..variant(pattern)
    };
    let rho = |rho| Variant {
        rho,
        ..variant("voting")
    };
    let gates = Variant {
        gates: Some(false),
        ..variant("state_machine")
    };
    let adaptive = Variant {
        adaptive: true,
        ..variant("voting")
    };
    let short = Variant {
        stages: 3,
        ..variant("sequential")
    };
    vec![
        ("sequential-stages-3", "sequential", short, 0.821, 0.46),
        (
            "sequential-without-retry",
            "sequential",
            without("sequential", "retry"),
            0.603,
            0.95,
        ),
        (
            "state_machine-without-gates",
            "state_machine",
            gates,
            0.711,
            0.93,
        ),
        (
            "state_machine-without-breaker",
            "state_machine",
            without("state_machine", "breaker"),
            0.881,
            1.01,
        ),
        ("voting-rho-0.3", "voting", rho(0.3), 0.801, 1.0),
        ("voting-rho-0.6", "voting", rho(0.6), 0.752, 1.0),
        ("voting-adaptive", "voting", adaptive, 0.832, 0.66),
    ]
}

/// What the course's benchmark might give.
pub(super) fn agentarch() -> Findings {
    let main = |(id, numbers): &(&str, [f64; 6])| arm(id, id, variant(id), numbers);
    let mut pattern_results: Vec<_> = ARMS.iter().map(main).collect();
    // The agent that works alone has one step: no fault of it has where to go.
    let single = &mut pattern_results[5].overall;
    single.propagation = Propagation::default();
    single.latency.execution_time_host = HostTime::default();
    let of = |pattern: &str| ARMS.iter().find(|(id, _)| *id == pattern).unwrap().1;
    let mut variants = Vec::new();
    let mut ablations = Vec::new();
    let mut frontier = Vec::new();
    let point = |arm: &str, pattern: &str, main, multiple: f64, success| FrontierPoint {
        arm: arm.to_owned(),
        pattern: pattern.to_owned(),
        main,
        cost_per_task_usd: multiple * 0.00883,
        success,
        efficient: ["sequential-stages-3", "state_machine"].contains(&arm),
    };
    for (id, pattern, variant, success, cost) in specials() {
        let mut numbers = of(pattern);
        frontier.push(point(id, pattern, false, numbers[4] * cost, success));
        ablations.push(Ablation {
            arm: id.to_owned(),
            main: pattern.to_owned(),
            pattern: pattern.to_owned(),
            variant: variant.clone(),
            trials: 2400,
            success,
            main_success: numbers[0],
            difference: estimate(success - numbers[0], 0.016),
            mcnemar_p: 0.000_01,
            epi: estimate(numbers[1] * 1.2, 0.1),
            main_epi: estimate(numbers[1], 0.1),
            cost_ratio: estimate(cost, 0.01),
            latency_p50_ratio: Some(1.02),
            latency_p95_ratio: Some(0.97),
        });
        numbers[0] = success;
        variants.push(arm(id, pattern, variant, &numbers));
    }
    frontier.extend(
        ARMS.iter()
            .map(|(id, it)| point(id, id, true, it[4], it[0])),
    );
    frontier.sort_by(|a, b| a.cost_per_task_usd.total_cmp(&b.cost_per_task_usd));
    Findings {
        pattern_results,
        timestamp: "2026-11-21T12:00:00Z".to_owned(),
        task_count: 300,
        seed: 42,
        meta: Meta {
            simulated: true,
            model: "solver".to_owned(),
            seeds: (42..50).collect(),
            tasks: 300,
            strategy: "random".to_owned(),
            data_seed: 42,
            stages: STAGES.map(str::to_owned).to_vec(),
            fault_rates: [
                ("hallucination".to_owned(), 0.021),
                ("malformed_json".to_owned(), 0.0125),
                ("timeout".to_owned(), 0.004),
            ]
            .into(),
            fitted: Some(Fitted {
                name: "base rate".to_owned(),
                value: 0.0496,
                how: "Chosen so that the sequential pattern is right in about 70 % of trials."
                    .to_owned(),
            }),
            prices: [(
                "solver".to_owned(),
                Price {
                    input_micros_per_mtok: 1_500_000,
                    output_micros_per_mtok: 2_000_000,
                },
            )]
            .into(),
            timeout_micros: 60_000_000,
            digests: [("plugins/invoice".to_owned(), "sha256:0f1e2d".to_owned())].into(),
            notes: vec!["The voters’ shared blind spot is ρ = 0 in the main table.".to_owned()],
            version: "0.1.0".to_owned(),
            execution_time_s: 8.4,
            ..Meta::default()
        },
        method: method(),
        variants,
        failed: vec![Failed {
            arm: "iterative-without-cache".to_owned(),
            why: "the plugin `critic` could not be loaded".to_owned(),
        }],
        baseline: Some("sequential".to_owned()),
        pairs: pairs(),
        ablations,
        course: course(),
        checks: checks(),
        targets: Default::default(),
        frontier,
    }
}

fn method() -> Method {
    Method {
        resamples: 10_000,
        confidence: 0.95,
        alpha: 0.05,
        fuzzy_threshold: 0.8,
        notes: vec!["Percentiles are interpolated linearly.".to_owned()],
    }
}

/// What somebody's own tasks might give: one arm, no faults, no price, no label.
pub(super) fn own() -> Findings {
    let mut only = Measures {
        trials: 24,
        tasks: 24,
        success: estimate(0.875, 0.12),
        statuses: [("completed".to_owned(), 24)].into(),
        pass: vec![Pass {
            k: 1,
            tasks: 24,
            any: 0.875,
            all: 0.875,
        }],
        ..Measures::default()
    };
    only.latency.p50_s = estimate(0.412, 0.05);
    only.latency.p95_s = estimate(1.31, 0.4);
    let set = only.clone();
    Findings {
        pattern_results: vec![ArmFindings {
            pattern_name: "support-triage".to_owned(),
            arm: "support-triage".to_owned(),
            task_count: 24,
            overall: only,
            sets: [("tickets".to_owned(), set)].into(),
            ..ArmFindings::default()
        }],
        task_count: 24,
        meta: Meta {
            benchmark: Benchmark::Own,
            mode: Mode::Live,
            model: "some-model".to_owned(),
            seeds: vec![7],
            tasks: 24,
            timeout_micros: 60_000_000,
            ..Meta::default()
        },
        method: method(),
        ..Findings::default()
    }
}
