//! Arms beside one another: pairs, ablations, and what success costs.

use std::cmp::Ordering;

use super::scope::{Contrast, Contrasted};
use super::{ALPHA, SINGLE, Tried, key};
use crate::findings::{Ablation, ArmFindings, Estimate, Family, Findings, FrontierPoint, Pair};
use crate::stats::compare::{holm, mcnemar, paired_t, unpaired};
use crate::trial::Trial;

/// All main arms, two by two.
pub(super) fn pairs<'a>(tried: &[Tried<'a>]) -> Vec<Contrast<'a>> {
    let main: Vec<usize> = (0..tried.len())
        .filter(|at| tried.get(*at).is_some_and(|tried| tried.arm.main))
        .collect();
    let mut pairs = Vec::new();
    for (nth, a) in main.iter().enumerate() {
        for b in main.iter().skip(nth + 1) {
            pairs.extend(contrast(tried, *a, *b));
        }
    }
    pairs
}

/// Each other arm with the main arm of its pattern.
pub(super) fn ablations<'a>(tried: &[Tried<'a>]) -> Vec<Contrast<'a>> {
    let of = |(at, other): (usize, &Tried<'_>)| {
        let same = |it: &Tried<'_>| it.arm.main && it.arm.pattern == other.arm.pattern;
        contrast(tried, at, tried.iter().position(same)?)
    };
    let others = tried.iter().enumerate().filter(|(_, it)| !it.arm.main);
    others.filter_map(of).collect()
}

fn contrast<'a>(tried: &[Tried<'a>], a: usize, b: usize) -> Option<Contrast<'a>> {
    let (first, second) = (tried.get(a)?, tried.get(b)?);
    // Both are sorted by what a trial is.
    let mut others = second.trials.iter().copied().peekable();
    let mut counterpart = |trial: &'a Trial| {
        while others.next_if(|other| key(other) < key(trial)).is_some() {}
        let other = others.next_if(|other| key(other) == key(trial))?;
        Some((trial, other))
    };
    let trials = first.trials.iter().filter_map(|trial| counterpart(trial));
    Some(Contrast {
        arms: (a, b),
        trials: trials.collect(),
    })
}

/// How often which of two came out right.
#[derive(Clone, Copy, Default)]
struct Counts {
    both: u64,
    only_a: u64,
    only_b: u64,
    neither: u64,
}

impl Counts {
    fn of(contrast: &Contrast<'_>) -> Counts {
        let mut counts = Counts::default();
        for (a, b) in &contrast.trials {
            *match (a.right, b.right) {
                (true, true) => &mut counts.both,
                (true, false) => &mut counts.only_a,
                (false, true) => &mut counts.only_b,
                (false, false) => &mut counts.neither,
            } += 1;
        }
        counts
    }

    fn all(self) -> u64 {
        self.both + self.only_a + self.only_b + self.neither
    }

    fn right(self) -> (u64, u64) {
        (self.both + self.only_a, self.both + self.only_b)
    }
}

/// Tests the pairs, each family adjusted for itself.
pub(super) fn judge_pairs(
    tried: &[Tried<'_>],
    contrasts: &[Contrast<'_>],
    found: &[Contrasted],
) -> Vec<Pair> {
    let each = contrasts.iter().zip(found);
    let mut pairs: Vec<Pair> = each
        .filter_map(|(contrast, found)| pair(tried, contrast, *found))
        .collect();
    for family in [Family::Patterns, Family::Single] {
        let mut members: Vec<&mut Pair> = pairs
            .iter_mut()
            .filter(|pair| pair.family == family)
            .collect();
        let p: Vec<f64> = members.iter().map(|pair| pair.mcnemar_p).collect();
        for (pair, adjusted) in members.iter_mut().zip(holm(&p)) {
            pair.holm_p = adjusted;
            pair.significant = adjusted < ALPHA;
        }
    }
    pairs
}

fn pair(tried: &[Tried<'_>], contrast: &Contrast<'_>, found: Contrasted) -> Option<Pair> {
    let (a, b) = (
        tried.get(contrast.arms.0)?.arm,
        tried.get(contrast.arms.1)?.arm,
    );
    let counts = Counts::of(contrast);
    let (right_a, right_b) = counts.right();
    let differences: Vec<f64> = contrast
        .trials
        .iter()
        .map(|(a, b)| f64::from(i8::from(a.right) - i8::from(b.right)))
        .collect();
    let alone = a.pattern == SINGLE || b.pattern == SINGLE;
    Some(Pair {
        a: a.id.clone(),
        b: b.id.clone(),
        family: if alone {
            Family::Single
        } else {
            Family::Patterns
        },
        trials: counts.all(),
        both: counts.both,
        only_a: counts.only_a,
        only_b: counts.only_b,
        neither: counts.neither,
        difference: found.difference,
        mcnemar_p: mcnemar(counts.only_a, counts.only_b),
        holm_p: 1.0,
        significant: false,
        paired_t: paired_t(&differences),
        unpaired: unpaired((right_a, counts.all()), (right_b, counts.all())),
    })
}

/// Tells what each ablation changes.
pub(super) fn judge_ablations(
    tried: &[Tried<'_>],
    contrasts: &[Contrast<'_>],
    found: &[Contrasted],
    findings: &Findings,
) -> Vec<Ablation> {
    let of = |(contrast, found): (&Contrast<'_>, &Contrasted)| {
        let (arm, main) = (
            tried.get(contrast.arms.0)?.arm,
            tried.get(contrast.arms.1)?.arm,
        );
        let of_arm = &findings.of_arm(&arm.id)?.overall;
        let of_main = &findings.of_arm(&main.id)?.overall;
        let counts = Counts::of(contrast);
        let (right, right_main) = counts.right();
        let share = |right: u64| right as f64 / counts.all().max(1) as f64;
        let ratio = |of: fn(&crate::findings::Latency) -> Option<Estimate>| {
            let (over, under) = (of(&of_arm.latency)?.value, of(&of_main.latency)?.value);
            (under > 0.0).then(|| over / under)
        };
        Some(Ablation {
            arm: arm.id.clone(),
            main: main.id.clone(),
            pattern: arm.pattern.clone(),
            variant: arm.variant.clone(),
            trials: counts.all(),
            success: share(right),
            main_success: share(right_main),
            difference: found.difference,
            mcnemar_p: mcnemar(counts.only_a, counts.only_b),
            epi: of_arm.propagation.epi,
            main_epi: of_main.propagation.epi,
            cost_ratio: found.cost_ratio,
            latency_p50_ratio: ratio(|latency| latency.p50_s),
            latency_p95_ratio: ratio(|latency| latency.p95_s),
        })
    };
    contrasts.iter().zip(found).filter_map(of).collect()
}

/// All arms that are a choice, by cost and success, the cheapest first.
///
/// Another correlation of voters or another number of stages is no choice but
/// another world, so such arms are left out.
pub(super) fn frontier(tried: &[Tried<'_>], findings: &Findings) -> Vec<FrontierPoint> {
    let is_choice = |it: &&Tried<'_>| {
        let same = |main: &&Tried<'_>| main.arm.main && main.arm.pattern == it.arm.pattern;
        let world = |arm: &crate::trial::Arm| (arm.variant.rho.to_bits(), arm.variant.stages);
        let main = tried.iter().find(same);
        it.arm.main || main.is_some_and(|main| world(main.arm) == world(it.arm))
    };
    let point = |it: &Tried<'_>| {
        let found: &ArmFindings = findings.of_arm(&it.arm.id)?;
        Some(FrontierPoint {
            arm: it.arm.id.clone(),
            pattern: it.arm.pattern.clone(),
            main: it.arm.main,
            cost_per_task_usd: found.overall.cost.per_task_usd?.value,
            success: found.overall.success?.value,
            efficient: false,
        })
    };
    let mut points: Vec<_> = tried.iter().filter(is_choice).filter_map(point).collect();
    points.sort_by(|a, b| {
        let cost = a.cost_per_task_usd.total_cmp(&b.cost_per_task_usd);
        cost.then(b.success.total_cmp(&a.success))
            .then(a.arm.cmp(&b.arm))
    });
    let beaten = |it: &FrontierPoint, by: &FrontierPoint| {
        let cheaper = by.cost_per_task_usd.total_cmp(&it.cost_per_task_usd);
        let better = it.success.total_cmp(&by.success);
        cheaper != Ordering::Greater
            && better != Ordering::Greater
            && (cheaper, better) != (Ordering::Equal, Ordering::Equal)
    };
    let efficient: Vec<bool> = points
        .iter()
        .map(|it| !points.iter().any(|by| beaten(it, by)))
        .collect();
    for (point, efficient) in points.iter_mut().zip(efficient) {
        point.efficient = efficient;
    }
    points
}
