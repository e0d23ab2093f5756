//! What the course demands, how the numbers were computed, and what is missing.

use super::super::name;
use super::super::number::{Unit, count, rate};
use super::super::page::{Cell, Row, Section, Table};
use super::super::text;
use crate::findings::{Check, Findings};

pub(super) fn checks(findings: &Findings) -> Option<Section> {
    if findings.checks.is_empty() {
        return None;
    }
    if !name::is_course(findings) {
        let mut section = Section::new("checks", "Gates");
        section.say(
            "What was asked of every arm. A gate is judged by the number; where its interval \
             straddles the gate, chance alone could decide it.",
        );
        let columns = ["Gate", "What should hold", "Holds?", "Measured", "Remark"];
        let rows = findings.checks.iter().map(check).collect();
        section.table(Table::new("Gates", columns).rows(rows));
        return Some(section);
    }
    let mut section = Section::new("checks", "The course’s checks");
    section.say(
        "What the course says must hold, with a plain true or false. A check that fails is left \
         failing: the course never ran its benchmark, and its numbers contradict one another in \
         places. Check 1 fails with the course’s own numbers: 80 % is 14.3 % more than 70 %, and \
         the check asks for 15 % to 25 %.",
    );
    let columns = ["Check", "What should hold", "Holds?", "Measured", "Remark"];
    for (acceptance, caption) in [
        (true, "Acceptance checks 1 to 5"),
        (false, "Further checks, named as in the course’s tests"),
    ] {
        let of = findings
            .checks
            .iter()
            .filter(|check| check.acceptance == acceptance);
        section.table(Table::new(caption, columns).rows(of.map(check).collect()));
    }
    Some(section)
}

fn check(of: &Check) -> Row {
    // The seconds are what was measured; what else is said of them is where to look.
    let measured = match (of.execution_time_s, of.holds) {
        (Some(seconds), Some(_)) => Unit::Seconds.value(seconds),
        _ => text::line(&of.measured),
    };
    Row::new(
        text::short(&of.id, 60),
        vec![
            Cell::words(text::line(&of.text)),
            match of.holds {
                Some(holds) => Cell::Holds(holds),
                None => Cell::Absent("nothing to decide it by"),
            },
            Cell::words(measured),
            Cell::words(of.note.as_deref().map(text::line).unwrap_or_default()),
        ],
    )
}

pub(super) fn method(findings: &Findings) -> Section {
    let method = &findings.method;
    let mut section = Section::new("method", "How the numbers were computed");
    let mut items = Vec::new();
    if method.resamples > 0 {
        items.push(format!(
            "Each interval holds {} of {} draws.",
            rate(method.confidence),
            count(method.resamples.into())
        ));
    }
    items.extend(method.notes.iter().map(|note| text::line(note)));
    section.list(items);
    let row = |(name, digest): (&String, &String)| {
        Row::new(
            text::short(name, 80),
            vec![Cell::words(text::short(digest, 100))],
        )
    };
    let rows = findings.meta.digests.iter().map(row).collect();
    section.table(
        Table::new("What it was made from", ["What", "Digest"])
            .rows(rows)
            .real(),
    );
    section
}

pub(super) fn failed(findings: &Findings) -> Option<Section> {
    if findings.failed.is_empty() {
        return None;
    }
    let mut section = Section::new("failed", "Arms that failed");
    section.say(
        "These could not be finished. What they had tried until then counts for nothing: it is no \
         fair sample.",
    );
    let row = |failed: &crate::trial::Failed| {
        Row::new(
            text::short(&failed.arm, 80),
            vec![Cell::words(text::line(&failed.why))],
        )
    };
    let rows = findings.failed.iter().map(row).collect();
    section.table(
        Table::new("Arms without a result", ["Arm", "Why"])
            .rows(rows)
            .real(),
    );
    Some(section)
}
