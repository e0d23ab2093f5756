//! What a report says, section by section.

mod about;
mod arms;
mod compare;
mod detail;
mod method;
mod propagation;
mod worth;

use super::chart;
use super::name;
use super::number::Unit;
use super::page::{Cell, Row, Section, Table};
use crate::findings::{ArmFindings, Findings, Measures};

/// All sections that there is anything to say in, in their order.
pub(super) fn all(findings: &Findings) -> Vec<Section> {
    let sections = [
        Some(about::about(findings)),
        Some(arms::arms(findings)),
        arms::course(findings),
        worth::worth(findings),
        charts(findings),
        detail::sets(findings),
        compare::pairs(findings),
        detail::labels(findings),
        detail::tools(findings),
        detail::tries(findings),
        propagation::propagation(findings),
        detail::spent(findings),
        compare::ablations(findings),
        method::checks(findings),
        Some(method::method(findings)),
        method::failed(findings),
    ];
    sections.into_iter().flatten().collect()
}

fn charts(findings: &Findings) -> Option<Section> {
    let mut section = Section::new("charts", "Charts");
    section.chart(chart::overview(findings), "");
    section.chart(chart::success(findings), "");
    section.chart(
        chart::epi(findings),
        "How many other steps the first fault of a trial made wrong, by comparison with the same \
         trial without it.",
    );
    let clock = about::clock(findings);
    section.chart(
        chart::latency(findings),
        format!("Along the critical path, by {clock}."),
    );
    section.chart(chart::cost(findings), "");
    section.chart(
        chart::frontier(findings),
        "Higher is better, further left is cheaper. Arms whose name has no room here are in the table.",
    );
    if findings.frontier.len() > 1 {
        let row = |point: &crate::findings::FrontierPoint| {
            Row::new(
                name::of(findings, &point.arm),
                vec![
                    Cell::number(Unit::Usd.value(point.cost_per_task_usd)),
                    Cell::number(Unit::Percent.value(point.success)),
                    Cell::Is(point.efficient),
                ],
            )
        };
        let columns = ["Arm", "Cost per task", "Success", "Not bettered?"];
        let rows = findings.frontier.iter().map(row).collect();
        section.table(
            Table::new("All arms by cost and success, the cheapest first", columns).rows(rows),
        );
    }
    (!section.blocks.is_empty()).then_some(section)
}

/// A row for each main arm.
fn rows(findings: &Findings, cells: impl Fn(&ArmFindings) -> Vec<Cell>) -> Vec<Row> {
    let row = |arm| Row::new(name::arm(arm), cells(arm));
    findings.pattern_results.iter().map(row).collect()
}

/// Why there is no error propagation index.
fn no_epi(of: &Measures) -> &'static str {
    if of.propagation.faults == 0 {
        "no fault injected"
    } else {
        "no twin to compare with"
    }
}

/// Why there is no multiple of the baseline's cost.
fn no_multiple(findings: &Findings) -> &'static str {
    if findings.baseline.is_none() {
        "no baseline"
    } else {
        "the baseline costs nothing"
    }
}

/// US dollars per task, unless nothing was billed.
fn usd_per_task(of: &Measures) -> Cell {
    let cost = of
        .cost
        .per_task_usd
        .as_ref()
        .filter(|_| of.cost.total_micros > 0);
    Cell::estimate(Unit::Usd, cost, "nothing was billed")
}

/// US dollars per task that came out right.
fn usd_per_success(of: &Measures) -> Cell {
    if of.cost.total_micros == 0 {
        return Cell::Absent("nothing was billed");
    }
    Cell::estimate(Unit::Usd, of.cost.per_success_usd.as_ref(), "never right")
}
