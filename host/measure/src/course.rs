//! The course's table, as it was printed, and what was measured beside it.
//!
//! Nobody ever measured these numbers, and they contradict one another; nothing
//! here is tuned until they appear. The rows say where they are odd.

pub(crate) mod checks;

use crate::findings::{CourseRow, Estimate, Findings, Interval, Quantity};

/// How far from the course's number is still inside: 15 % of it, either way.
const WINDOW: f64 = 0.15;

/// What the course expects of a pattern.
pub(crate) struct Expected {
    pub(crate) pattern: &'static str,
    pub(crate) success: f64,
    range: (f64, f64),
    epi: f64,
    p50_s: f64,
    p95_s: f64,
    cost: f64,
    calls: f64,
}

/// The course's table.
pub(crate) const EXPECTED: [Expected; 5] = [
    Expected {
        pattern: "sequential",
        success: 0.70,
        range: (0.65, 0.75),
        epi: 3.2,
        p50_s: 12.0,
        p95_s: 18.0,
        cost: 1.0,
        calls: 3.0,
    },
    Expected {
        pattern: "hierarchical",
        success: 0.80,
        range: (0.75, 0.85),
        epi: 1.8,
        p50_s: 8.0,
        p95_s: 12.0,
        cost: 1.3,
        calls: 4.0,
    },
    Expected {
        pattern: "iterative",
        success: 0.75,
        range: (0.70, 0.80),
        epi: 1.2,
        p50_s: 18.0,
        p95_s: 28.0,
        cost: 2.1,
        calls: 6.3,
    },
    Expected {
        pattern: "state_machine",
        success: 0.85,
        range: (0.80, 0.90),
        epi: 0.4,
        p50_s: 10.0,
        p95_s: 15.0,
        cost: 1.1,
        calls: 3.3,
    },
    Expected {
        pattern: "voting",
        success: 0.90,
        range: (0.85, 0.95),
        epi: 0.3,
        p50_s: 15.0,
        p95_s: 22.0,
        cost: 5.0,
        calls: 15.0,
    },
];

/// What is odd about a number.
const NOTES: [(&str, Quantity, &str); 4] = [
    (
        "sequential",
        Quantity::Epi,
        "out of reach with the three calls per task of the same table, whose most is 2",
    ),
    (
        "iterative",
        Quantity::LatencyP95S,
        "the course's notebook 14 says 25",
    ),
    (
        "iterative",
        Quantity::CostMultiplier,
        "does not go with a P95 of 28 s, if rounds come one after the other",
    ),
    (
        "voting",
        Quantity::Epi,
        "by the order-based definition, voters that never saw one another score more than this",
    ),
];

/// From 15 % below a number to 15 % above; a share ends at 1.
pub(crate) fn window(point: f64, quantity: Quantity) -> Option<Interval> {
    let high = point * (1.0 + WINDOW);
    let low = point * (1.0 - WINDOW);
    match quantity {
        Quantity::CallsPerTask => None,
        Quantity::Success => Some(Interval {
            low,
            high: high.min(1.0),
        }),
        _ => Some(Interval { low, high }),
    }
}

/// The course's table beside what was measured, pattern by pattern.
pub(crate) fn rows(findings: &Findings) -> Vec<CourseRow> {
    EXPECTED
        .iter()
        .flat_map(|it| of_pattern(it, findings))
        .collect()
}

fn of_pattern(expected: &Expected, findings: &Findings) -> Vec<CourseRow> {
    let found = findings.of_pattern(expected.pattern);
    let measures = found.map(|found| &found.overall);
    let against_sequential = sequential_is_baseline(findings);
    let cells = [
        (Quantity::Success, expected.success),
        (Quantity::Epi, expected.epi),
        (Quantity::LatencyP50S, expected.p50_s),
        (Quantity::LatencyP95S, expected.p95_s),
        (Quantity::CostMultiplier, expected.cost),
        (Quantity::CallsPerTask, expected.calls),
    ];
    let row = |(quantity, point)| {
        let measured: Option<Estimate> = measures.and_then(|measures| match quantity {
            Quantity::Success => measures.success,
            Quantity::Epi => measures.propagation.epi,
            Quantity::LatencyP50S => measures.latency.p50_s,
            Quantity::LatencyP95S => measures.latency.p95_s,
            Quantity::CostMultiplier => measures.cost.multiplier.filter(|_| against_sequential),
            Quantity::CallsPerTask => measures.cost.calls_per_task,
        });
        let window = window(point, quantity);
        let (low, high) = expected.range;
        let note = NOTES
            .iter()
            .find(|(pattern, of, _)| *pattern == expected.pattern && *of == quantity);
        CourseRow {
            pattern: expected.pattern.to_owned(),
            quantity,
            point,
            range: (quantity == Quantity::Success).then_some(Interval { low, high }),
            window,
            measured,
            inside: window
                .zip(measured)
                .map(|(window, it)| window.holds(it.value)),
            note: note.map(|(_, _, note)| (*note).to_owned()),
        }
    };
    cells.into_iter().map(row).collect()
}

/// Whether cost is a multiple of the sequential pattern's, as it is in the course.
pub(crate) fn sequential_is_baseline(findings: &Findings) -> bool {
    let sequential = findings.of_pattern("sequential").map(|it| &it.arm);
    sequential.is_some() && sequential == findings.baseline.as_ref()
}
