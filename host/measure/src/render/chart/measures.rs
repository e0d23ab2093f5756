//! The four metrics, over all tasks and per kind of task.

use super::super::name;
use super::super::number::Unit;
use super::super::svg::Chart;
use super::panel::{Lane, Panel, Place, Row};
use super::{EDGE, Key, Sheet, WIDTH};
use crate::findings::{ArmFindings, Estimate, Findings, Measures, Quantity};

/// How much room the arms' names get.
const LABELS: f64 = 126.0;

/// How much room numbers with their intervals get.
const VALUES: f64 = 232.0;

/// One number of an arm: what it is, where it is, and why it may be missing.
struct Metric {
    what: &'static str,
    unit: Unit,
    quantity: Option<Quantity>,
    of: fn(&Measures) -> Option<Estimate>,
    why: &'static str,
}

const SUCCESS: Metric = Metric {
    what: "success",
    unit: Unit::Percent,
    quantity: Some(Quantity::Success),
    of: |measures| measures.success,
    why: "no trials",
};

const EPI: Metric = Metric {
    what: "error propagation index",
    unit: Unit::Steps,
    quantity: Some(Quantity::Epi),
    of: |measures| measures.propagation.epi,
    why: "no fault followed",
};

const P50: Metric = Metric {
    what: "P50",
    unit: Unit::Seconds,
    quantity: Some(Quantity::LatencyP50S),
    of: |measures| measures.latency.p50_s,
    why: "no trials",
};

const P95: Metric = Metric {
    what: "P95",
    unit: Unit::Seconds,
    quantity: Some(Quantity::LatencyP95S),
    of: |measures| measures.latency.p95_s,
    why: "no trials",
};

const MULTIPLIER: Metric = Metric {
    what: "cost",
    unit: Unit::Times,
    quantity: Some(Quantity::CostMultiplier),
    of: |measures| measures.cost.multiplier,
    why: "no baseline that costs",
};

const PER_SUCCESS: Metric = Metric {
    what: "cost per success",
    unit: Unit::Usd,
    quantity: None,
    of: |measures| {
        measures
            .cost
            .per_success_usd
            .filter(|_| measures.cost.total_micros > 0)
    },
    why: "no success, or no cost",
};

impl Metric {
    fn lane(&self, findings: &Findings, arm: &ArmFindings, measures: &Measures) -> Lane {
        let course = findings
            .course
            .iter()
            .find(|row| Some(row.quantity) == self.quantity && row.pattern == arm.pattern_name);
        Lane {
            what: self.what,
            estimate: (self.of)(measures),
            course: course.cloned(),
            square: false,
            why: self.why,
        }
    }
}

/// A row for each main arm, a lane for each metric; none if all are empty.
fn panel(findings: &Findings, metrics: &[Metric], title: Option<&str>) -> Option<Panel> {
    let row = |arm: &ArmFindings| {
        let lane = |(nth, metric): (usize, &Metric)| Lane {
            square: nth > 0,
            ..metric.lane(findings, arm, &arm.overall)
        };
        Row {
            label: name::arm(arm),
            lanes: metrics.iter().enumerate().map(lane).collect(),
        }
    };
    let rows: Vec<_> = findings.pattern_results.iter().map(row).collect();
    let mut lanes = rows.iter().flat_map(|row| &row.lanes);
    if !lanes.any(|lane| lane.estimate.is_some()) {
        return None;
    }
    let unit = metrics.first()?.unit;
    Some(Panel {
        title: title.map(str::to_owned),
        unit,
        rows,
        target: None,
        zero: unit != Unit::Percent,
        beside: Vec::new(),
    })
}

/// What the marks of such panels mean.
fn keys(findings: &Findings, target: Option<String>) -> Vec<(Key, String)> {
    let mut keys = vec![(Key::Dot, format!("measured, {}", interval_name(findings)))];
    if name::is_course(findings) && !findings.course.is_empty() {
        keys.push((Key::Point, "course’s number".to_owned()));
        keys.push((Key::Window, "course’s window (± 15 %)".to_owned()));
        keys.extend(target.map(|text| (Key::Target, format!("its target: {text}"))));
    }
    keys
}

fn interval_name(findings: &Findings) -> String {
    let share = super::super::number::rate(findings.method.confidence);
    format!("{share} interval")
}

fn place(y: f64) -> Place {
    Place {
        x: EDGE,
        y,
        labels: LABELS,
        plot: WIDTH - 2.0 * EDGE - LABELS - VALUES - 12.0,
        values: VALUES,
    }
}

fn single(
    findings: &Findings,
    id: &'static str,
    title: &str,
    metrics: &[Metric],
    target: Option<(f64, String)>,
) -> Option<Chart> {
    let mut panel = panel(findings, metrics, None)?;
    let mut words = None;
    if let Some((at, text)) = target
        && name::is_course(findings)
    {
        panel.target = Some(at);
        words = Some(text);
    }
    let mut sheet = Sheet::new(findings, title, WIDTH);
    let mut keys = keys(findings, words);
    if let [first, second] = metrics {
        let interval = interval_name(findings);
        keys.insert(1, (Key::Square, format!("{}, {interval}", second.what)));
        if let Some(key) = keys.first_mut() {
            key.1 = format!("{}, {interval}", first.what);
        }
    }
    sheet.legend(&keys);
    sheet.y += panel.draw(&mut sheet.drawing, place(sheet.y));
    Some(sheet.finish(id, panel.spoken()))
}

pub(in super::super) fn success(findings: &Findings) -> Option<Chart> {
    let target = findings.targets.success;
    let words = format!("at least {}", Unit::Percent.value(target));
    let title = "Success: tasks with every scored field right";
    single(
        findings,
        "success",
        title,
        &[SUCCESS],
        Some((target, words)),
    )
}

pub(in super::super) fn epi(findings: &Findings) -> Option<Chart> {
    let target = findings.targets.epi;
    let words = format!("below {}", Unit::Steps.value(target));
    let title = "Error propagation index: steps made wrong by a trial’s first fault";
    single(findings, "epi", title, &[EPI], Some((target, words)))
}

pub(in super::super) fn latency(findings: &Findings) -> Option<Chart> {
    let target = findings.targets.latency_p50_s;
    let words = format!("P50 below {}", Unit::Seconds.value(target));
    let title = "Latency: half of the trials (P50) and 19 of 20 (P95) took no longer";
    single(
        findings,
        "latency",
        title,
        &[P50, P95],
        Some((target, words)),
    )
}

pub(in super::super) fn cost(findings: &Findings) -> Option<Chart> {
    let base = findings.baseline.as_deref();
    let base = base.map_or_else(String::new, |base| name::of(findings, base));
    let title = format!("Cost of a task, as a multiple of {base}");
    let mut multiple = panel(findings, &[MULTIPLIER], Some(&title));
    let usd = panel(
        findings,
        &[PER_SUCCESS],
        Some("US dollars for each success"),
    );
    let mut words = None;
    if let Some(panel) = &mut multiple
        && name::is_course(findings)
    {
        let target = findings.targets.cost_multiplier;
        panel.target = Some(target);
        words = Some(format!("below {}", Unit::Times.value(target)));
    }
    let panels: Vec<_> = [multiple, usd].into_iter().flatten().collect();
    if panels.is_empty() {
        return None;
    }
    let mut sheet = Sheet::new(findings, "Cost: failed and retried calls are billed", WIDTH);
    sheet.legend(&keys(findings, words));
    for panel in &panels {
        sheet.y += panel.draw(&mut sheet.drawing, place(sheet.y)) + 6.0;
    }
    let said: Vec<_> = panels.iter().map(Panel::spoken).collect();
    Some(sheet.finish("cost", said.join(" ")))
}

/// The course's four panels.
pub(in super::super) fn overview(findings: &Findings) -> Option<Chart> {
    let panels = [
        panel(findings, &[SUCCESS], Some("Success")),
        panel(findings, &[EPI], Some("Error propagation index")),
        panel(findings, &[P50], Some("Median latency (P50)")),
        panel(
            findings,
            &[MULTIPLIER],
            Some("Cost, as a multiple of the baseline"),
        ),
    ];
    let panels: Vec<_> = panels.into_iter().flatten().collect();
    if panels.is_empty() {
        return None;
    }
    let (width, gap) = (900.0, 28.0);
    let title = if name::is_course(findings) {
        "What each pattern buys and costs"
    } else {
        "What each arm buys and costs"
    };
    let mut sheet = Sheet::new(findings, title, width);
    sheet.legend(&keys(findings, None));
    let half = (width - 2.0 * EDGE - gap) / 2.0;
    for pair in panels.chunks(2) {
        let mut high: f64 = 0.0;
        let mut x = EDGE;
        for panel in pair {
            let place = Place {
                x,
                y: sheet.y,
                labels: 110.0,
                plot: half - 110.0 - 74.0,
                values: 62.0,
            };
            high = high.max(panel.draw(&mut sheet.drawing, place));
            x += half + gap;
        }
        sheet.y += high + 10.0;
    }
    let said: Vec<_> = panels.iter().map(Panel::spoken).collect();
    Some(sheet.finish("overview", said.join(" ")))
}

/// The kinds of task of all main arms, by name.
pub(in super::super) fn kinds(findings: &Findings) -> Vec<&str> {
    let arms = findings.pattern_results.iter();
    let mut kinds: Vec<_> = arms
        .flat_map(|arm| arm.sets.keys())
        .map(String::as_str)
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Success per kind of task, all on one scale.
pub(in super::super) fn sets(findings: &Findings) -> Option<Chart> {
    let kinds = kinds(findings);
    if kinds.len() < 2 {
        return None;
    }
    let metric = Metric {
        quantity: None,
        ..SUCCESS
    };
    let panel = |kind: &&str| {
        let row = |arm: &ArmFindings| Row {
            label: name::arm(arm),
            lanes: vec![match arm.sets.get(*kind) {
                Some(measures) => metric.lane(findings, arm, measures),
                None => Lane {
                    estimate: None,
                    ..metric.lane(findings, arm, &arm.overall)
                },
            }],
        };
        Panel {
            title: Some(name::pattern(kind)),
            unit: Unit::Percent,
            rows: findings.pattern_results.iter().map(row).collect(),
            target: None,
            zero: false,
            beside: Vec::new(),
        }
    };
    let mut panels: Vec<_> = kinds.iter().map(panel).collect();
    let all: Vec<_> = panels.iter().flat_map(Panel::numbers).collect();
    for panel in &mut panels {
        panel.beside.clone_from(&all);
    }
    let mut sheet = Sheet::new(findings, "Success per kind of task", WIDTH);
    let interval = interval_name(findings);
    sheet.legend(&[(Key::Dot, format!("measured, {interval}"))]);
    for some in panels.chunks(3) {
        let mut high: f64 = 0.0;
        let mut x = EDGE;
        for (nth, panel) in some.iter().enumerate() {
            let labels = if nth == 0 { LABELS } else { 0.0 };
            let plot = (WIDTH - 2.0 * EDGE - LABELS) / 3.0 - 68.0;
            let place = Place {
                x,
                y: sheet.y,
                labels,
                plot,
                values: 52.0,
            };
            high = high.max(panel.draw(&mut sheet.drawing, place));
            x += labels + plot + 68.0;
        }
        sheet.y += high + 10.0;
    }
    let said = panels.iter().map(|panel| {
        let title = panel.title.as_deref().unwrap_or_default();
        format!("{title}: {}", panel.spoken())
    });
    let said: Vec<_> = said.collect();
    Some(sheet.finish("sets", said.join(" ")))
}
