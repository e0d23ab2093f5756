use super::made::{USUAL, findings};
use crate::advise::{Budget, Need, Needs, Verdict, advise};
use crate::findings::{Estimate, Findings};
use crate::stats::draw::Draw;

/// Needs and numbers drawn at random.
fn drawn(seed: u64) -> (Findings, Needs) {
    let mut draw = Draw::new(seed, "advise");
    let mut numbers = USUAL;
    for (_, success, times, p95) in &mut numbers {
        *success = draw.below(101) as f64 / 100.0;
        *times = draw.below(500) as f64 / 100.0;
        *p95 = draw.below(3_000) as f64 / 97.0;
    }
    let mut findings = findings(&numbers);
    for arm in &mut findings.pattern_results {
        // Within what can be, whatever was drawn.
        arm.overall.success = arm.overall.success.map(|it| Estimate {
            interval: None,
            ..it
        });
        arm.overall.cost.per_success_usd = None;
        arm.overall.latency.p95_s = arm.overall.latency.p95_s.map(|it| Estimate {
            interval: None,
            ..it
        });
        match draw.below(12) {
            0 => arm.overall.latency.p95_s = None,
            1 => arm.overall.cost.multiplier = None,
            2 => arm.overall.cost.per_task_usd = None,
            _ => {}
        }
    }
    let mut ask = |end: usize, scale: f64| {
        let asked = draw.below(2) == 0;
        let value = draw.below(end) as f64 / scale;
        asked.then_some(value)
    };
    let budget = ask(500, 100.0).map(Budget::Times);
    let needs = Needs {
        budget: budget.or(ask(500, 10_000.0).map(Budget::Usd)),
        latency_s: ask(3_000, 100.0),
        min_success: ask(101, 100.0),
        audit: ask(2, 1.0).is_some(),
        ambiguous: ask(2, 1.0).is_some(),
        rules: ask(2, 1.0).is_some(),
        set: None,
    };
    (findings, needs)
}

/// Whether it meets what is asked, from the numbers alone.
fn meets(findings: &Findings, needs: &Needs, arm: &str) -> bool {
    let of = &findings.of_arm(arm).unwrap().overall;
    let value = |it: Option<Estimate>| it.map(|it| it.value);
    let (p95, success) = (value(of.latency.p95_s), value(of.success));
    let (usd, times) = (value(of.cost.per_task_usd), value(of.cost.multiplier));
    let budget = match needs.budget {
        Some(Budget::Times(most)) => times.is_some_and(|it| it <= most),
        Some(Budget::Usd(most)) => usd.is_some_and(|it| it <= most),
        None => true,
    };
    let latency = needs
        .latency_s
        .is_none_or(|most| p95.is_some_and(|it| it <= most));
    let enough = needs
        .min_success
        .is_none_or(|least| success.is_some_and(|it| it >= least));
    budget && latency && enough
}

#[test]
fn what_is_advised_never_misses_a_need_and_something_is_if_anything_meets_them() {
    let (mut some, mut none, mut relaxed) = (0, 0, 0);
    for seed in 0..4_000 {
        let (findings, needs) = drawn(seed);
        let advice = advise(&findings, &needs).unwrap();
        let any = findings
            .pattern_results
            .iter()
            .any(|arm| meets(&findings, &needs, &arm.arm));
        assert_eq!(advice.chosen.is_some(), any, "seed {seed}");
        for candidate in &advice.ranked {
            let fits = candidate.verdict == Verdict::Fits;
            assert_eq!(
                fits,
                meets(&findings, &needs, &candidate.arm),
                "seed {seed}"
            );
        }
        match &advice.chosen {
            Some(chosen) => {
                some += 1;
                assert!(meets(&findings, &needs, chosen), "seed {seed}: {chosen}");
            }
            None => none += 1,
        }
        for relaxation in &advice.relax {
            relaxed += 1;
            let mut asked = needs.clone();
            for change in &relaxation.changes {
                match (change.need, &mut asked.budget) {
                    (Need::Latency, _) => asked.latency_s = Some(change.to),
                    (Need::MinSuccess, _) => asked.min_success = Some(change.to),
                    (Need::Budget, Some(Budget::Times(it) | Budget::Usd(it))) => *it = change.to,
                    (Need::Budget, None) => panic!("seed {seed}: no budget was asked"),
                }
            }
            assert!(
                meets(&findings, &asked, &relaxation.arm),
                "seed {seed}: {}",
                relaxation.told
            );
        }
    }
    assert!(
        some > 500 && none > 500 && relaxed > 500,
        "{some} {none} {relaxed}"
    );
}
