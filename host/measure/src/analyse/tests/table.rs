//! The course's table and its checks.

use super::*;
use crate::findings::Check;

/// A study in which each pattern is right in so many of a hundred tasks.
fn with_success(rights: &[(&str, usize)]) -> Study {
    let mut study = drawn(2, 1, 0);
    let pattern = study.trials[0].clone();
    study.trials.clear();
    study
        .arms
        .retain(|arm| rights.iter().any(|(name, _)| *name == arm.id));
    for (arm, right) in rights {
        for task in 0..100 {
            study.trials.push(Trial {
                arm: (*arm).to_owned(),
                task: format!("{task:03}"),
                set: ["invoice", "transaction"][task % 2].to_owned(),
                right: task < *right,
                spent: Spent {
                    cost_micros: if *arm == "voting" { 5_000 } else { 1_000 },
                    ..Spent::default()
                },
                faults: vec![Fault::default()],
                cascade: Some(Cascade {
                    fault: 0,
                    propagated: if task % 5 == 0 { vec![1, 2] } else { vec![] },
                }),
                ..pattern.clone()
            });
        }
    }
    study
}

const LITERALS: [(&str, usize); 5] = [
    ("sequential", 70),
    ("hierarchical", 80),
    ("iterative", 75),
    ("state_machine", 85),
    ("voting", 90),
];

fn check<'a>(findings: &'a Findings, id: &str) -> &'a Check {
    findings.checks.iter().find(|it| it.id == id).unwrap()
}

#[test]
fn the_table_is_the_courses_and_its_windows_are_fifteen_percent() {
    let findings = analyse(&with_success(&LITERALS)).unwrap();
    // pattern; success and its window in percent; then index, P50, P95, cost
    // each with its window, and calls, as printed.
    let table = [
        (
            "sequential",
            [70.0, 59.5, 80.5],
            [3.2, 2.72, 3.68],
            [12.0, 10.2, 13.8],
            [18.0, 15.3, 20.7],
            [1.0, 0.85, 1.15],
            3.0,
        ),
        (
            "hierarchical",
            [80.0, 68.0, 92.0],
            [1.8, 1.53, 2.07],
            [8.0, 6.8, 9.2],
            [12.0, 10.2, 13.8],
            [1.3, 1.105, 1.495],
            4.0,
        ),
        (
            "iterative",
            [75.0, 63.75, 86.25],
            [1.2, 1.02, 1.38],
            [18.0, 15.3, 20.7],
            [28.0, 23.8, 32.2],
            [2.1, 1.785, 2.415],
            6.3,
        ),
        (
            "state_machine",
            [85.0, 72.25, 97.75],
            [0.4, 0.34, 0.46],
            [10.0, 8.5, 11.5],
            [15.0, 12.75, 17.25],
            [1.1, 0.935, 1.265],
            3.3,
        ),
        (
            "voting",
            [90.0, 76.5, 100.0],
            [0.3, 0.255, 0.345],
            [15.0, 12.75, 17.25],
            [22.0, 18.7, 25.3],
            [5.0, 4.25, 5.75],
            15.0,
        ),
    ];
    let quantities = [
        Quantity::Success,
        Quantity::Epi,
        Quantity::LatencyP50S,
        Quantity::LatencyP95S,
        Quantity::CostMultiplier,
    ];
    let row = |pattern: &str, quantity: Quantity| -> &CourseRow {
        let mut rows = findings.course.iter();
        rows.find(|row| row.pattern == pattern && row.quantity == quantity)
            .unwrap()
    };
    assert_eq!(findings.course.len(), 30);
    for (pattern, success, epi, p50, p95, cost, calls) in table {
        let share = success.map(|percent| percent / 100.0);
        for (quantity, [point, low, high]) in
            quantities.into_iter().zip([share, epi, p50, p95, cost])
        {
            let row = row(pattern, quantity);
            let window = row.window.unwrap();
            for (found, expected) in [(row.point, point), (window.low, low), (window.high, high)] {
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{pattern} {quantity:?}: {found}"
                );
            }
        }
        let row = row(pattern, Quantity::CallsPerTask);
        assert!((row.point - calls).abs() < 1e-12);
        assert_eq!((row.window, row.inside), (None, None));
    }
    // Every literal lies in its own window, and costs 1 and 5.
    let of = |pattern, quantity| row(pattern, quantity).inside;
    for (pattern, _) in LITERALS {
        assert_eq!(of(pattern, Quantity::Success), Some(true), "{pattern}");
        // Two steps of one fault in five.
        let near = pattern == "state_machine";
        assert_eq!(of(pattern, Quantity::Epi), Some(near), "{pattern}");
    }
    assert_eq!(of("sequential", Quantity::CostMultiplier), Some(true));
    assert_eq!(of("voting", Quantity::CostMultiplier), Some(true));
    assert_eq!(of("iterative", Quantity::CostMultiplier), Some(false));
}

#[test]
fn the_first_check_fails_with_the_courses_own_numbers() {
    let findings = analyse(&with_success(&LITERALS)).unwrap();
    let first = check(&findings, "1");
    assert_eq!(first.holds, Some(false));
    assert_eq!(first.measured, "+14.3 % (80.0 % against 70.0 %)");
    assert_eq!(
        first.note.as_deref(),
        Some("the course's own numbers, 80 % and 70 %, give 14.3 %")
    );
    let holds: Vec<_> = findings
        .checks
        .iter()
        .map(|it| (&*it.id, it.acceptance, it.holds))
        .collect();
    let expected = [
        ("1", true, Some(false)),
        ("2", true, Some(true)),
        ("3", true, Some(true)),
        ("4", true, Some(true)),
        ("5", true, Some(true)),
        ("SM4.1 (1)", false, Some(true)),
        ("SM4.1 (3)", false, Some(true)),
        ("SM4.2, 4.7, 4.8 (state machine)", false, Some(false)),
        ("SM4.2, 4.7, 4.8 (voting)", false, Some(true)),
        ("SM4.9", false, Some(true)),
    ];
    assert_eq!(holds, expected);
}

#[test]
fn each_check_can_fail_and_says_what_it_found() {
    type Break = fn(&mut Study);
    let cases: [(&str, Break, &str); 5] = [
        (
            "2",
            |it| {
                it.trials.iter_mut().for_each(|trial| {
                    trial.cascade.as_mut().unwrap().propagated = vec![1];
                })
            },
            "1.00",
        ),
        (
            "3",
            |it| {
                it.trials
                    .iter_mut()
                    .for_each(|trial| trial.spent.cost_micros = 1)
            },
            "+28.6 % (90.0 % against 70.0 %); 1.00 times the money",
        ),
        (
            "4",
            |it| {
                it.trials
                    .iter_mut()
                    .filter(|trial| trial.arm == "iterative")
                    .for_each(|trial| trial.right = true)
            },
            "iterative 100.0 %, outside (75.0 %)",
        ),
        (
            "5",
            |it| it.meta.execution_time_s = 600.0,
            "see `execution_time_s`",
        ),
        (
            "SM4.9",
            |it| {
                it.trials
                    .iter_mut()
                    .filter(|trial| trial.set == "invoice" && trial.arm == "voting")
                    .for_each(|trial| trial.right = false)
            },
            "voting 100.0 %",
        ),
    ];
    for (id, break_it, expected) in cases {
        let mut study = with_success(&LITERALS);
        break_it(&mut study);
        let findings = analyse(&study).unwrap();
        let found = check(&findings, id);
        assert_eq!(found.holds, Some(false), "{id}");
        assert!(
            found.measured.contains(expected),
            "{id}: {}",
            found.measured
        );
    }
}

#[test]
fn a_check_that_nothing_can_decide_says_so_and_is_neither() {
    let mut live = with_success(&LITERALS[..2]);
    live.meta.mode = Mode::Live;
    for trial in &mut live.trials {
        trial.cascade = None;
        trial.faults.clear();
    }
    let findings = analyse(&live).unwrap();
    let cases = [
        ("2", "state_machine was not measured"),
        ("3", "voting was not measured"),
        ("4", "voting was not measured"),
        ("5", "with `live` answers are waited for"),
        ("SM4.2, 4.7, 4.8 (voting)", "voting was not measured"),
    ];
    for (id, expected) in cases {
        let found = check(&findings, id);
        assert_eq!(found.holds, None, "{id}");
        assert!(
            found.measured.contains(expected),
            "{id}: {}",
            found.measured
        );
    }
    // What can be decided is.
    assert_eq!(check(&findings, "1").holds, Some(false));

    let mut twinless = with_success(&LITERALS);
    twinless
        .trials
        .iter_mut()
        .for_each(|trial| trial.cascade = None);
    let findings = analyse(&twinless).unwrap();
    assert_eq!(check(&findings, "2").holds, None);
}

#[test]
fn the_courses_table_says_nothing_of_ones_own_tasks() {
    let mut own = with_success(&LITERALS);
    own.meta.benchmark = Benchmark::Own;
    let findings = analyse(&own).unwrap();
    assert!(findings.course.is_empty() && findings.checks.is_empty());
    assert_eq!(findings.pattern_results.len(), 5);
    for arm in &findings.pattern_results {
        let all = std::iter::once(&arm.overall).chain(arm.sets.values());
        for spread in all.map(|measures| &measures.propagation) {
            assert_eq!(spread.epi_course_code, None);
            assert_eq!(spread.epi_course_lineage, None);
            assert_eq!(spread.epi_pooled, None);
        }
    }
}

#[test]
fn cost_is_a_multiple_of_the_named_baseline_and_the_table_wants_sequential() {
    let mut study = with_success(&LITERALS);
    study.meta.baseline = Some("voting".to_owned());
    let findings = analyse(&study).unwrap();
    let cost = &findings.of_pattern("sequential").unwrap().overall.cost;
    assert!((cost.multiplier.unwrap().value - 0.2).abs() < 1e-12);
    let mut rows = findings.course.iter();
    assert!(rows.all(|row| row.quantity != Quantity::CostMultiplier || row.measured.is_none()));
    assert_eq!(check(&findings, "3").holds, None);
}
