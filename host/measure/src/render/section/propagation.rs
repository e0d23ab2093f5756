//! How far faults spread.

use super::super::chart::{self, STAGES};
use super::super::name;
use super::super::number::{Unit, count};
use super::super::page::{Cell, Row, Section, Table};
use super::{no_epi, rows};
use crate::findings::{ArmFindings, Findings};

/// What each number is.
const DEFINITIONS: [&str; 5] = [
    "EPI, the headline: the trial is run again without its first fault; a step counts if it \
     differs from its twin, is wrong, and saw the faulty step. The mean over trials with a fault.",
    "Course’s code: wrong steps that come after a wrong step, whoever saw what. The mean over all \
     trials, those without a fault included.",
    "The same along lineage: only wrong steps that saw a wrong one. Voters side by side see \
     nothing of one another.",
    "Pooled, the course’s text: wrong steps that saw a wrong one, for each wrong step that saw none.",
    "Contained: the share of first faults that made no other step wrong.",
];

pub(super) fn propagation(findings: &Findings) -> Option<Section> {
    let any = |arm: &ArmFindings| {
        let spread = &arm.overall.propagation;
        spread.faults > 0 || spread.epi_course_code.is_some() || spread.epi_pooled.is_some()
    };
    if !findings.pattern_results.iter().any(any) {
        return None;
    }
    if !name::is_course(findings) {
        let mut section = Section::new("propagation", "Injected faults");
        section.say(
            "How far they spread is not known: of one’s own workflows nobody knows what a step gives \
             without a fault, nor whose output it saw.",
        );
        section.table((0..4).fold(by_kind(findings), |table, _| table.without(2)));
        return Some(section);
    }
    let mut section = Section::new("propagation", "How far faults spread");
    section.say(
        "An error propagation index can be read in several ways, which do not agree. All of them:",
    );
    section.list(DEFINITIONS.map(str::to_owned));
    let cells = |arm: &ArmFindings| {
        let spread = &arm.overall.propagation;
        let none = "no step was recorded";
        vec![
            Cell::number(count(spread.faults)),
            Cell::number(count(spread.traces)),
            Cell::number(count(spread.without_twin)),
            Cell::estimate(Unit::Steps, spread.epi.as_ref(), no_epi(&arm.overall)),
            match spread.reading {
                Some(reading) => Cell::words(reading.name()),
                None => Cell::Absent("no index"),
            },
            Cell::estimate(Unit::Steps, spread.epi_course_code.as_ref(), none),
            Cell::estimate(Unit::Steps, spread.epi_course_lineage.as_ref(), none),
            Cell::estimate(Unit::Steps, spread.epi_pooled.as_ref(), "no wrong step"),
            Cell::estimate(
                Unit::Percent,
                spread.containment.as_ref(),
                no_epi(&arm.overall),
            ),
        ]
    };
    let columns = [
        "Arm",
        "Faults",
        "Trials followed",
        "without twin",
        "EPI",
        "Reading",
        "Course’s code",
        "along lineage",
        "Pooled",
        "Contained",
    ];
    section.table(Table::new("The index by each definition", columns).rows(rows(findings, cells)));
    let most = findings.pattern_results.iter();
    let most = most
        .map(|arm| arm.overall.propagation.cascades.stages.len())
        .max();
    let cut = if most.unwrap_or_default() > STAGES {
        format!("Only the first {STAGES} stages are drawn.")
    } else {
        String::new()
    };
    section.chart(chart::cascades(findings), cut);
    section.table(by_kind(findings));
    Some(section)
}

fn by_kind(findings: &Findings) -> Table {
    let columns = [
        "Fault",
        "Injected",
        "First of its trial",
        "of those contained",
        "Steps made wrong",
        "per first fault",
    ];
    let mut table = Table::new("By kind of fault", columns);
    for arm in &findings.pattern_results {
        let kinds = arm.overall.propagation.kinds.iter();
        let row = |(kind, of): (&String, &crate::findings::KindFindings)| {
            let cells = vec![
                Cell::number(count(of.faults)),
                Cell::number(count(of.first)),
                Cell::number(count(of.contained)),
                Cell::number(count(of.propagated)),
                Cell::maybe(Unit::Steps, of.epi, "never the first"),
            ];
            Row::new(name::pattern(kind), cells)
        };
        let rows: Vec<_> = kinds.map(row).collect();
        if !rows.is_empty() {
            table.group(Some(name::arm(arm)), rows);
        }
    }
    table
}
