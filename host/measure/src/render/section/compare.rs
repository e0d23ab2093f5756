//! Arms beside one another.

use super::super::chart;
use super::super::name;
use super::super::number::{Unit, chance, count, p, plain, rate};
use super::super::page::{Cell, Row, Section, Table};
use super::super::text;
use crate::findings::{Ablation, Family, Findings, Pair};

pub(super) fn pairs(findings: &Findings) -> Option<Section> {
    if findings.pairs.is_empty() {
        return None;
    }
    let mut section = Section::new("pairs", "Two by two");
    section.say(format!(
        "Each pair worked on the same tasks under the same seeds, so only trials that one got right and the \
         other did not tell them apart. McNemar’s exact test on those, adjusted by Holm within each \
         group; a difference is called significant below {}. The paired t and the unpaired z are for \
         comparison only.",
        findings.method.alpha
    ));
    let columns = [
        "Pair",
        "Both right",
        "Only first",
        "Only second",
        "Neither",
        "Difference",
        "McNemar p",
        "Holm p",
        "Significant?",
    ];
    let caption = "Success of the first less that of the second";
    section.table(families(findings, Table::new(caption, columns), tested));
    let columns = ["Pair", "Paired t", "Unpaired z"];
    let caption = "The same pairs by other tests, for comparison only";
    section.table(families(findings, Table::new(caption, columns), otherwise));
    Some(section)
}

/// The pairs, each family of comparisons by itself.
fn families(findings: &Findings, mut table: Table, cells: fn(&Pair) -> Vec<Cell>) -> Table {
    for (family, title) in [
        (Family::Patterns, "Patterns"),
        (Family::Single, "Patterns and the agent that works alone"),
    ] {
        let of = findings.pairs.iter().filter(|pair| pair.family == family);
        let row = |pair: &Pair| {
            let (a, b) = (name::of(findings, &pair.a), name::of(findings, &pair.b));
            Row::new(format!("{a} and {b}"), cells(pair))
        };
        let rows: Vec<_> = of.map(row).collect();
        if !rows.is_empty() {
            table.group(Some(title.to_owned()), rows);
        }
    }
    table
}

fn tested(pair: &Pair) -> Vec<Cell> {
    vec![
        Cell::number(count(pair.both)),
        Cell::number(count(pair.only_a)),
        Cell::number(count(pair.only_b)),
        Cell::number(count(pair.neither)),
        Cell::estimate(Unit::Points, pair.difference.as_ref(), "no common trials"),
        Cell::number(chance(pair.mcnemar_p)),
        Cell::number(chance(pair.holm_p)),
        Cell::Is(pair.significant),
    ]
}

fn otherwise(pair: &Pair) -> Vec<Cell> {
    let paired = match pair.paired_t {
        Some(it) => {
            let (t, df) = (plain(it.t, 2), count(it.df));
            Cell::number(format!("{t} ({df} degrees of freedom, {})", p(it.p)))
        }
        None => Cell::Absent("no difference that varies"),
    };
    let unpaired = match pair.unpaired {
        Some(it) => Cell::number(format!("{} ({})", plain(it.z, 2), p(it.p))),
        None => Cell::Absent("all alike"),
    };
    vec![paired, unpaired]
}

pub(super) fn ablations(findings: &Findings) -> Option<Section> {
    if findings.ablations.is_empty() {
        return None;
    }
    let mut section = Section::new("ablations", "What each part is worth");
    section.say(
        "Each variant beside the pattern as it is, on the same tasks under the same seeds: gates and other \
         parts switched off, voters that share more of their blind spots (ρ, from 0 not at all to 1 \
         wholly), voters asked only as needed instead of a fixed number, fewer stages. The p are not \
         adjusted: these comparisons describe.",
    );
    section.chart(chart::ablations(findings), "");
    let share = rate(findings.method.confidence);
    let columns = [
        "Variant",
        "What is special",
        "Success",
        "as it is",
        "Difference",
        "McNemar p",
        "EPI",
        "as it is",
    ];
    let caption = format!("How well variants do, with {share} intervals");
    section.table(patterns(findings, Table::new(caption, columns), |it| {
        success(findings, it)
    }));
    let columns = ["Variant", "Cost", "P50", "P95"];
    let caption = "What variants take, as multiples of the pattern’s as it is";
    section.table(patterns(findings, Table::new(caption, columns), taken));
    Some(section)
}

/// The ablations, those of each pattern by themselves.
fn patterns(
    findings: &Findings,
    mut table: Table,
    cells: impl Fn(&Ablation) -> Vec<Cell>,
) -> Table {
    let mut patterns: Vec<&str> = Vec::new();
    for ablation in &findings.ablations {
        if !patterns.contains(&ablation.pattern.as_str()) {
            patterns.push(&ablation.pattern);
        }
    }
    for pattern in patterns {
        let of = findings.ablations.iter().filter(|it| it.pattern == pattern);
        let row = |it: &Ablation| Row::new(text::short(&it.arm, 60), cells(it));
        table.group(Some(name::pattern(pattern)), of.map(row).collect());
    }
    table
}

fn success(findings: &Findings, of: &Ablation) -> Vec<Cell> {
    let main = findings.of_arm(&of.main);
    let special = name::variant(&of.variant, main.map(|arm| &arm.variant));
    let epi = "no fault followed";
    vec![
        match special {
            Some(words) => Cell::words(words),
            None => Cell::Absent("nothing that is named"),
        },
        Cell::number(Unit::Percent.value(of.success)),
        Cell::number(Unit::Percent.value(of.main_success)),
        Cell::estimate(Unit::Points, of.difference.as_ref(), "no common trials"),
        Cell::number(chance(of.mcnemar_p)),
        Cell::estimate(Unit::Steps, of.epi.as_ref(), epi),
        Cell::maybe(Unit::Steps, of.main_epi.map(|it| it.value), epi),
    ]
}

fn taken(of: &Ablation) -> Vec<Cell> {
    let none = "nothing to compare with";
    vec![
        Cell::estimate(Unit::Times, of.cost_ratio.as_ref(), none),
        Cell::maybe(Unit::Times, of.latency_p50_ratio, none),
        Cell::maybe(Unit::Times, of.latency_p95_ratio, none),
    ]
}
