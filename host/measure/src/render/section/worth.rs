//! What each pattern buys, what it costs, and how sure that is: one paragraph each.

use super::super::name;
use super::super::number::{Unit, p, plain, rate};
use super::super::page::{Section, Span};
use crate::findings::{ArmFindings, Estimate, Family, Findings, Interval, Pair};

pub(super) fn worth(findings: &Findings) -> Option<Section> {
    if findings.pattern_results.is_empty() {
        return None;
    }
    let title = "What each buys, what it costs, how sure that is";
    let mut section = Section::new("worth", title);
    let base = findings
        .baseline
        .as_deref()
        .and_then(|base| findings.of_arm(base));
    for arm in &findings.pattern_results {
        let mut words = Vec::new();
        let base = base.filter(|base| base.arm != arm.arm);
        words.extend(buys(findings, arm, base));
        words.extend(costs(arm, base));
        words.extend(spreads(arm));
        let head = Span::Strong(format!("{}:", name::arm(arm)));
        section.spans(vec![head, Span::Plain(words.join(" "))]);
    }
    Some(section)
}

fn buys(findings: &Findings, arm: &ArmFindings, base: Option<&ArmFindings>) -> Vec<String> {
    let Some(success) = &arm.overall.success else {
        return vec!["nothing was tried.".to_owned()];
    };
    let share = rate(findings.method.confidence);
    let interval = match success.interval {
        Some(interval) => format!(" ({share} interval {})", Unit::Percent.interval(interval)),
        None => " (no interval: fewer than two tasks, or all alike)".to_owned(),
    };
    let trials = super::super::number::counted(arm.overall.trials, "trial");
    let mut words = vec![format!(
        "{} of {trials} came out right{interval}.",
        Unit::Percent.value(success.value)
    )];
    let Some(base) = base else { return words };
    let pair = findings.pairs.iter().find(|pair| {
        (pair.a == arm.arm && pair.b == base.arm) || (pair.a == base.arm && pair.b == arm.arm)
    });
    if let Some((pair, difference)) = pair.and_then(|pair| Some((pair, pair.difference?))) {
        words.push(against(findings, arm, base, pair, difference));
    }
    words
}

/// The difference to the baseline, and whether it may be chance.
fn against(
    findings: &Findings,
    arm: &ArmFindings,
    base: &ArmFindings,
    pair: &Pair,
    difference: Estimate,
) -> String {
    let difference = if pair.a == arm.arm {
        difference
    } else {
        turned(difference)
    };
    let interval = match difference.interval {
        Some(interval) => format!("{}; ", Unit::Points.interval(interval)),
        None => String::new(),
    };
    let family = match pair.family {
        Family::Patterns => "Holm over all pairs of patterns",
        Family::Single => "Holm over all comparisons with the single agent",
    };
    let sure = if pair.significant {
        "more than chance would explain"
    } else {
        "which may be chance"
    };
    format!(
        "Against {}: {} ({interval}{} after {family}), {sure} at the {} level.",
        name::arm(base),
        Unit::Points.value(difference.value),
        p(pair.holm_p),
        rate(findings.method.alpha)
    )
}

/// The same from the other side.
fn turned(of: Estimate) -> Estimate {
    Estimate {
        value: -of.value,
        interval: of.interval.map(|it| Interval {
            low: -it.high,
            high: -it.low,
        }),
        n: of.n,
    }
}

fn costs(arm: &ArmFindings, base: Option<&ArmFindings>) -> Vec<String> {
    let (cost, latency) = (&arm.overall.cost, &arm.overall.latency);
    let mut words = Vec::new();
    let multiple = cost.multiplier.filter(|_| base.is_some());
    let usd = cost.per_success_usd.filter(|_| cost.total_micros > 0);
    let usd = usd.map(|it| format!("{} for each success", Unit::Usd.estimate(&it)));
    match (multiple, usd) {
        (Some(multiple), usd) => {
            let base = base.map(name::arm).unwrap_or_default();
            let usd = usd.map(|usd| format!(", {usd}")).unwrap_or_default();
            words.push(format!(
                "It costs {} what {base} does{usd}.",
                Unit::Times.estimate(&multiple)
            ));
        }
        (None, Some(usd)) => words.push(format!("It costs {usd}.")),
        (None, None) if cost.total_micros == 0 => words.push("Nothing was billed.".to_owned()),
        (None, None) => words.push("It was never right, so a success has no price.".to_owned()),
    }
    if let (Some(p50), Some(p95)) = (latency.p50_s, latency.p95_s) {
        let beside = |of: fn(&ArmFindings) -> Option<Estimate>| {
            let it = of(base?)?;
            Some(format!(
                " ({}: {})",
                name::arm(base?),
                Unit::Seconds.value(it.value)
            ))
        };
        let half = beside(|base| base.overall.latency.p50_s).unwrap_or_default();
        let most = beside(|base| base.overall.latency.p95_s).unwrap_or_default();
        words.push(format!(
            "Half of the trials took no longer than {}{half}, 19 of 20 no longer than {}{most}.",
            Unit::Seconds.value(p50.value),
            Unit::Seconds.value(p95.value)
        ));
    }
    let calls = cost.calls_per_task.map(|calls| plain(calls.value, 2));
    if let Some(calls) = calls {
        words.push(format!(
            "That is {calls} model calls for a task, failed ones included."
        ));
    }
    words
}

fn spreads(arm: &ArmFindings) -> Vec<String> {
    let spread = &arm.overall.propagation;
    let Some(epi) = &spread.epi else {
        return match spread.faults {
            0 => vec!["No fault was injected, so how far faults spread is not known.".to_owned()],
            _ => vec![
                "There is no twin to compare with, so how far faults spread is not known."
                    .to_owned(),
            ],
        };
    };
    let reading = match spread.reading {
        Some(reading) => format!(", “{}” in the course’s words", reading.name()),
        None => String::new(),
    };
    let mut words = vec![format!(
        "The first fault of a trial made {} other steps wrong{reading}.",
        Unit::Steps.estimate(epi)
    )];
    if let Some(contained) = &spread.containment {
        let share = Unit::Percent.estimate(contained);
        words.push(format!("{share} of first faults stayed where they were."));
    }
    words
}
