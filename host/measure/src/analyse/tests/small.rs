//! Studies small enough to count by hand.

use super::*;

/// A trial of a task that was right or not, for so much money.
fn trial(arm: &str, task: &str, seed: u64, right: bool, cost_micros: u64) -> Trial {
    Trial {
        arm: arm.to_owned(),
        set: "invoice".to_owned(),
        task: task.to_owned(),
        seed,
        status: "completed".to_owned(),
        right,
        similarity: if right { 1.0 } else { 0.5 },
        spent: Spent {
            calls: 2,
            cost_micros,
            ..Spent::default()
        },
        latency_micros: 1_000_000,
        ..Trial::default()
    }
}

fn study(arms: &[(&str, bool)], trials: Vec<Trial>) -> Study {
    let arm = |(id, main): &(&str, bool)| arm_of(id, id.split('-').next().unwrap(), *main);
    Study {
        meta: Meta {
            tasks: 4,
            stages: ["a", "b", "c"].map(str::to_owned).to_vec(),
            timeout_micros: 60_000_000,
            ..Meta::default()
        },
        arms: arms.iter().map(arm).collect(),
        trials,
        failed: Vec::new(),
    }
}

fn value(estimate: Option<crate::findings::Estimate>) -> f64 {
    estimate.unwrap().value
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-12
}

#[test]
fn success_money_and_tries_are_counted_right() {
    let outcomes = [
        ("1", [true, true]),
        ("2", [true, false]),
        ("3", [false, false]),
        ("4", [true, true]),
    ];
    let mut trials = Vec::new();
    for (task, rights) in outcomes {
        for (seed, right) in rights.into_iter().enumerate() {
            trials.push(trial("sequential", task, seed as u64, right, 1_000));
            trials.push(trial("voting", task, seed as u64, true, 5_000));
            trials.push(trial("single", task, seed as u64, false, 500));
        }
    }
    let arms = [("sequential", true), ("voting", true), ("single", true)];
    let found = analyse(&study(&arms, trials)).unwrap();
    let sequential = &found.of_pattern("sequential").unwrap();
    let overall = &sequential.overall;
    assert_eq!((overall.trials, overall.tasks), (8, 4));
    assert!(close(value(overall.success), 5.0 / 8.0));
    assert_eq!(overall.success.unwrap().n, 8);
    let wilson = overall.success_wilson.unwrap();
    assert!((wilson.low - crate::stats::wilson(5, 8).unwrap().low).abs() < 1e-9);
    assert!(close(value(overall.similarity), 6.5 / 8.0));
    assert_eq!(overall.fuzzy_success, Some(5.0 / 8.0));
    assert_eq!((overall.label, overall.tools), (None, None));
    let pass: Vec<_> = overall
        .pass
        .iter()
        .map(|it| (it.k, it.tasks, it.any, it.all))
        .collect();
    assert_eq!(pass, [(1, 4, 0.625, 0.625), (2, 4, 0.75, 0.5)]);
    assert_eq!(overall.cost.total_micros, 8_000);
    assert!(close(value(overall.cost.per_task_usd), 0.001));
    assert!(close(value(overall.cost.per_success_usd), 0.008 / 5.0));
    assert!(close(sequential.metrics.total_cost, 0.008));
    let by_seed: Vec<_> = sequential
        .seeds
        .iter()
        .map(|it| (it.seed, it.success))
        .collect();
    assert_eq!(by_seed, [(0, 0.75), (1, 0.5)]);
    let stdev = sequential.success_stdev_over_seeds.unwrap();
    assert!(close(stdev, 0.125 * f64::sqrt(2.0)));

    let cost = |name| &found.of_pattern(name).unwrap().overall.cost;
    assert_eq!(found.baseline.as_deref(), Some("sequential"));
    assert!(close(value(cost("voting").multiplier), 5.0));
    assert!(close(value(cost("single").multiplier), 0.5));
    assert_eq!(cost("single").per_success_usd, None);
    assert_eq!(
        found.of_pattern("single").unwrap().success_stdev_over_seeds,
        Some(0.0)
    );
}

#[test]
fn right_with_the_wrong_tools_is_no_strict_success() {
    let tools = |right, unknown| {
        Some(Tools {
            right,
            calls: 2,
            unknown,
        })
    };
    let cases = [
        ("1", true, tools(true, 0)),
        ("2", true, tools(false, 1)),
        ("3", false, tools(true, 0)),
        ("4", true, None),
    ];
    let trials = cases.map(|(task, right, tools)| Trial {
        tools,
        ..trial("sequential", task, 1, right, 1)
    });
    let found = analyse(&study(&[("sequential", true)], trials.to_vec())).unwrap();
    let overall = &found.pattern_results[0].overall;
    assert!(close(value(overall.success), 0.75));
    assert!(close(value(overall.strict), 0.5));
    let tools = overall.tools.unwrap();
    assert_eq!((tools.trials, tools.calls, tools.unknown), (3, 6, 1));
    assert!(close(value(tools.right), 2.0 / 3.0));
    assert!(close(value(tools.hallucination_rate), 1.0 / 6.0));
    assert_eq!(tools.hallucination_rate.unwrap().n, 6);
}

/// A trial of three steps, `F` wrong, whose first fault hit step `hit`.
fn spread(task: &str, steps: &str, hit: Option<usize>, reached: &[usize]) -> Trial {
    let names = ["a", "b", "c"];
    let steps = steps.chars().enumerate().map(|(at, kind)| {
        let parents: Vec<usize> = at.checked_sub(1).into_iter().collect();
        step(names[at], &parents, kind != 'F')
    });
    let fault = |step| Fault {
        step,
        kind: if step == 0 { "omission" } else { "timeout" }.to_owned(),
        ..Fault::default()
    };
    Trial {
        steps: steps.collect(),
        faults: hit.map(fault).into_iter().collect(),
        cascade: hit.map(|_| Cascade {
            fault: 0,
            propagated: reached.to_vec(),
        }),
        ..trial("sequential", task, 1, false, 1)
    }
}

#[test]
fn faults_are_followed_from_stage_to_stage() {
    let mut alone = spread("5", "ooF", Some(2), &[]);
    alone.cascade = None;
    let trials = vec![
        spread("1", "FFF", Some(0), &[1, 2]),
        spread("2", "FoF", Some(0), &[2]),
        spread("3", "oFo", Some(1), &[]),
        spread("4", "ooo", None, &[]),
        alone,
    ];
    let found = analyse(&study(&[("sequential", true)], trials)).unwrap();
    let spread = &found.pattern_results[0].overall.propagation;
    assert_eq!(
        (spread.faults, spread.traces, spread.without_twin),
        (4, 3, 1)
    );
    assert!(close(value(spread.epi), 1.0));
    assert_eq!(spread.epi.unwrap().n, 3);
    assert_eq!(spread.reading.unwrap().name(), "good");
    assert!(close(value(spread.containment), 1.0 / 3.0));
    // In order: 2 in the first trace, 1 in the second, over five of them.
    assert!(close(value(spread.epi_course_code), 3.0 / 5.0));
    // The third step of the second trace saw a right one.
    assert!(close(value(spread.epi_course_lineage), 2.0 / 5.0));
    // Roots: one each but two in the second trace, and none in the fourth.
    assert!(close(value(spread.epi_pooled), 2.0 / 5.0));
    let kinds: Vec<_> = spread
        .kinds
        .iter()
        .map(|(kind, it)| {
            (
                &**kind,
                it.faults,
                it.first,
                it.contained,
                it.propagated,
                it.epi,
            )
        })
        .collect();
    let expected = [
        ("omission", 2, 2, 0, 3, Some(1.5)),
        ("timeout", 2, 1, 1, 0, Some(0.0)),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(spread.cascades.stages, ["a", "b", "c"]);
    assert_eq!(spread.cascades.first, [2, 1, 0]);
    assert_eq!(spread.cascades.wrong, [[0, 1, 2], [0, 0, 0], [0, 0, 0]]);
    assert_eq!(spread.cascades.share(0, 1), Some(0.5));
    assert_eq!(spread.cascades.share(2, 0), None);
    assert_eq!(
        found.pattern_results[0].metrics.error_propagation_index,
        Some(1.0)
    );
}

#[test]
fn without_faults_there_is_no_index_and_no_zero() {
    let trials = vec![spread("1", "ooo", None, &[]), spread("2", "ooo", None, &[])];
    let found = analyse(&study(&[("sequential", true)], trials)).unwrap();
    let spread = &found.pattern_results[0].overall.propagation;
    assert_eq!(
        (spread.epi, spread.reading, spread.containment),
        (None, None, None)
    );
    assert_eq!(spread.epi_pooled, None);
    assert!(close(value(spread.epi_course_code), 0.0));
    assert_eq!(
        found.pattern_results[0].metrics.error_propagation_index,
        None
    );
}

#[test]
fn a_trial_that_timed_out_counts_with_the_timeout() {
    let latencies = [1, 2, 3, 4, 5, 6, 7, 8, 9, 60];
    let trials = latencies.map(|seconds| Trial {
        latency_micros: seconds * 1_000_000,
        ..trial("sequential", &seconds.to_string(), 1, true, 1)
    });
    let found = analyse(&study(&[("sequential", true)], trials.to_vec())).unwrap();
    let latency = &found.pattern_results[0].overall.latency;
    assert_eq!(latency.timed_out, 1);
    assert!(close(value(latency.p50_s), 5.5));
    assert!(close(value(latency.p95_s), 9.0 + 0.55 * 51.0));
    let histogram = latency.histogram.as_ref().unwrap();
    assert_eq!(histogram.edges_s.len(), histogram.counts.len() + 1);
    assert_eq!(histogram.counts.iter().sum::<u64>(), 10);
}

#[test]
fn pairs_are_compared_task_by_task_and_adjusted_within_their_family() {
    let mut trials = Vec::new();
    for task in 0..20 {
        let name = task.to_string();
        trials.push(trial("sequential", &name, 1, task < 8, 1));
        trials.push(trial("voting", &name, 1, task < 18, 1));
        trials.push(trial("iterative", &name, 1, task % 2 == 0, 1));
        trials.push(trial("single", &name, 1, task < 7, 1));
    }
    // One that only one of them has is compared with nothing.
    trials.push(trial("voting", "00", 1, true, 1));
    let arms = ["sequential", "voting", "iterative", "single"].map(|arm| (arm, true));
    let found = analyse(&study(&arms, trials)).unwrap();
    let pair = |a: &str, b: &str| -> &Pair {
        found
            .pairs
            .iter()
            .find(|it| it.a == a && it.b == b)
            .unwrap()
    };
    assert_eq!(found.pairs.len(), 6);
    let first = pair("sequential", "voting");
    assert_eq!((first.trials, first.both, first.only_a), (20, 8, 0));
    assert_eq!((first.only_b, first.neither), (10, 2));
    assert!(close(value(first.difference), -0.5));
    let interval = first.difference.unwrap().interval.unwrap();
    assert!(interval.low < -0.5 && interval.high > -0.5 && interval.high < 0.0);
    // 2 / 2^10, three pairs of patterns, this one the most striking.
    assert!((first.mcnemar_p - 2.0 / 1024.0).abs() < 1e-9);
    assert!((first.holm_p - 6.0 / 1024.0).abs() < 1e-9);
    assert!(first.significant && first.family == Family::Patterns);
    assert!(first.paired_t.unwrap().t < 0.0 && first.unpaired.unwrap().z < 0.0);
    let second = pair("sequential", "iterative");
    assert!(!second.significant);
    // One discordant pair; three comparisons with the single agent.
    let single = pair("sequential", "single");
    assert_eq!(
        (single.family, single.only_a, single.only_b),
        (Family::Single, 1, 0)
    );
    assert!(close(single.holm_p, 1.0));
    // 2 / 2^11, and three comparisons with the single agent.
    let striking = pair("voting", "single");
    assert!((striking.holm_p - 6.0 / 2048.0).abs() < 1e-9 && striking.significant);
}

#[test]
fn an_ablation_is_held_against_the_main_arm_of_its_pattern() {
    let mut trials = Vec::new();
    for task in 0..10 {
        let name = task.to_string();
        trials.push(trial("voting", &name, 1, task < 9, 5_000));
        let less = trial("voting-no-retry", &name, 1, task < 6, 2_500);
        trials.push(Trial {
            latency_micros: 3_000_000,
            ..less
        });
        trials.push(trial("sequential", &name, 1, task < 5, 1_000));
    }
    let arms = [
        ("voting", true),
        ("voting-no-retry", false),
        ("sequential", true),
    ];
    let found = analyse(&study(&arms, trials)).unwrap();
    assert_eq!(found.pattern_results.len(), 2);
    assert_eq!(found.variants.len(), 1);
    let ablation = &found.ablations[0];
    assert_eq!(
        (&*ablation.arm, &*ablation.main),
        ("voting-no-retry", "voting")
    );
    assert!(close(ablation.success, 0.6) && close(ablation.main_success, 0.9));
    assert!(close(value(ablation.difference), -0.3));
    assert!(ablation.difference.unwrap().interval.is_some());
    assert!(close(value(ablation.cost_ratio), 0.5));
    assert_eq!(ablation.latency_p50_ratio, Some(3.0));
    assert!(close(ablation.mcnemar_p, 0.25));
    assert_eq!(found.ablations.len(), 1);
    assert_eq!(found.pairs.len(), 1);
}

#[test]
fn what_is_dearer_and_no_better_is_not_efficient() {
    // arm, main, right of 10, money, correlation, whether it pays
    let cases = [
        ("sequential", true, 5, 1_000, 0.0, Some(true)),
        ("hierarchical", true, 5, 1_300, 0.0, Some(false)),
        ("iterative", true, 4, 2_000, 0.0, Some(false)),
        ("voting", true, 9, 5_000, 0.0, Some(true)),
        ("voting-adaptive", false, 8, 3_000, 0.0, Some(true)),
        // Another world, and no choice.
        ("voting-correlated", false, 10, 1, 0.6, None),
    ];
    let (mut trials, mut arms) = (Vec::new(), Vec::new());
    for (arm, main, right, cost, _, _) in cases {
        arms.push((arm, main));
        for task in 0..10 {
            trials.push(trial(arm, &task.to_string(), 1, task < right, cost));
        }
    }
    let mut study = study(&arms, trials);
    for (arm, case) in study.arms.iter_mut().zip(cases) {
        arm.variant.rho = case.4;
    }
    let found = analyse(&study).unwrap();
    for (arm, _, _, _, _, efficient) in cases {
        let point = found.frontier.iter().find(|point| point.arm == arm);
        assert_eq!(point.map(|point| point.efficient), efficient, "{arm}");
    }
    let costs: Vec<_> = found
        .frontier
        .iter()
        .map(|it| it.cost_per_task_usd)
        .collect();
    assert!(costs.is_sorted(), "{costs:?}");
}
