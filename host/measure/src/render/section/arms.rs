//! The main table, and the course's beside it.

use super::super::name;
use super::super::number::Unit;
use super::super::page::{Cell, Row, Section, Table};
use super::super::text;
use super::{no_epi, no_multiple, rows, usd_per_success};
use crate::findings::{ArmFindings, CourseRow, Findings, Quantity};

/// What the course's table has, in the order in which it is shown.
const QUANTITIES: [(Quantity, Unit); 6] = [
    (Quantity::Success, Unit::Percent),
    (Quantity::Epi, Unit::Steps),
    (Quantity::LatencyP50S, Unit::Seconds),
    (Quantity::LatencyP95S, Unit::Seconds),
    (Quantity::CostMultiplier, Unit::Times),
    (Quantity::CallsPerTask, Unit::PerTask),
];

pub(super) fn arms(findings: &Findings) -> Section {
    let is_course = name::is_course(findings);
    let mut section = Section::new("results", "What came out");
    let marked = |arm: &ArmFindings, quantity, mut cell| {
        let course = find(findings, arm, quantity);
        if let (Cell::Measured { inside, .. }, Some(course)) = (&mut cell, course) {
            *inside = course.inside;
        }
        cell
    };
    let cells = |arm: &ArmFindings| {
        let all = &arm.overall;
        let epi = Cell::estimate(Unit::Steps, all.propagation.epi.as_ref(), no_epi(all));
        let p50 = Cell::estimate(Unit::Seconds, all.latency.p50_s.as_ref(), "no trials");
        let p95 = Cell::estimate(Unit::Seconds, all.latency.p95_s.as_ref(), "no trials");
        let multiple = all.cost.multiplier.as_ref();
        let multiple = Cell::estimate(Unit::Times, multiple, no_multiple(findings));
        let success = Cell::estimate(Unit::Percent, all.success.as_ref(), "no trials");
        vec![
            marked(arm, Quantity::Success, success),
            marked(arm, Quantity::Epi, epi),
            marked(arm, Quantity::LatencyP50S, p50),
            marked(arm, Quantity::LatencyP95S, p95),
            marked(arm, Quantity::CostMultiplier, multiple),
            usd_per_success(all),
        ]
    };
    let share = super::super::number::rate(findings.method.confidence);
    let head = if is_course { "Pattern" } else { "Arm" };
    let columns = [
        head,
        "Success",
        "EPI",
        "P50",
        "P95",
        "Cost",
        "USD per success",
    ];
    let caption = format!("Measured, with {share} intervals");
    if findings.pattern_results.is_empty() {
        section.say("– (no arm was finished)");
    }
    let table = Table::new(caption, columns).rows(rows(findings, cells));
    // Of one's own workflows nobody knows whose output a step saw.
    section.table(if is_course { table } else { table.without(2) });
    let epi = match is_course {
        true => {
            " EPI, the error propagation index: how many other steps the first fault of a trial made \
             wrong, on average."
        }
        false => "",
    };
    section.say(format!(
        "Success: the share of trials with every scored field right.{epi} P50, P95: half of the \
         trials, and 19 of 20, took no longer. Cost: money per task as a multiple of the baseline’s.",
    ));
    if is_course && !findings.course.is_empty() {
        section.say("✓: inside the course’s window of ± 15 %; ✗: outside it.");
    }
    section
}

fn find<'a>(
    findings: &'a Findings,
    arm: &ArmFindings,
    quantity: Quantity,
) -> Option<&'a CourseRow> {
    let mut rows = findings.course.iter();
    rows.find(|row| row.quantity == quantity && row.pattern == arm.pattern_name)
}

pub(super) fn course(findings: &Findings) -> Option<Section> {
    if !name::is_course(findings) || findings.course.is_empty() {
        return None;
    }
    let mut section = Section::new("course", "Beside the course’s table");
    let fitted = match findings.meta.fitted {
        Some(_) => " Apart from the one number named above, nothing was fitted to it.",
        None => "",
    };
    section.say(format!(
        "The course gives these numbers without having measured them. The window is 15 % below to \
         15 % above its number. Being outside is no failure of a pattern.{fitted}"
    ));
    let columns = [
        "Pattern", "Measured", "Interval", "Course", "Window", "Inside?",
    ];
    let mut table = Table::new("Measured, and what the course expects", columns);
    for (quantity, unit) in QUANTITIES {
        let of = findings
            .course
            .iter()
            .filter(|row| row.quantity == quantity);
        let rows: Vec<_> = of.map(|row| self::row(row, unit)).collect();
        if !rows.is_empty() {
            table.group(Some(capital(quantity.label())), rows);
        }
    }
    section.table(table);
    let note = |row: &CourseRow| {
        let note = text::line(row.note.as_deref()?);
        Some(format!(
            "{}, {}: {note}",
            name::pattern(&row.pattern),
            row.quantity.label()
        ))
    };
    section.list(findings.course.iter().filter_map(note));
    Some(section)
}

fn row(of: &CourseRow, unit: Unit) -> Row {
    let measured = of.measured.as_ref();
    let expected = match of.range {
        Some(range) => format!("{} ({})", unit.value(of.point), unit.interval(range)),
        None => unit.value(of.point),
    };
    let inside = match (of.inside, &of.window) {
        (Some(inside), _) => Cell::Is(inside),
        (None, None) => Cell::Absent("no window"),
        (None, Some(_)) => Cell::Absent("not measured"),
    };
    Row::new(
        name::pattern(&of.pattern),
        vec![
            Cell::maybe(unit, measured.map(|it| it.value), "not measured"),
            Cell::interval(unit, measured),
            Cell::number(expected),
            match of.window {
                Some(window) => Cell::number(unit.interval(window)),
                None => Cell::Absent("no window"),
            },
            inside,
        ],
    )
}

/// With a capital at the beginning.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => first.to_uppercase().chain(rest).collect(),
        None => String::new(),
    }
}
