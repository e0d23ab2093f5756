//! Arms beside one another.

use super::super::chart;
use super::super::name;
use super::super::number::{Unit, chance, count, plain, rate};
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
        "Paired t",
        "Unpaired z",
    ];
    let mut table = Table::new("Success of the first less that of the second", columns);
    for (family, title) in [
        (Family::Patterns, "Patterns"),
        (Family::Single, "Patterns and the agent that works alone"),
    ] {
        let of = findings.pairs.iter().filter(|pair| pair.family == family);
        let rows: Vec<_> = of.map(|pair| row(findings, pair)).collect();
        if !rows.is_empty() {
            table.group(Some(title.to_owned()), rows);
        }
    }
    section.table(table);
    Some(section)
}

fn row(findings: &Findings, pair: &Pair) -> Row {
    let (a, b) = (name::of(findings, &pair.a), name::of(findings, &pair.b));
    let paired = match pair.paired_t {
        Some(it) => Cell::number(format!("{} (p {})", plain(it.t, 2), with_equals(it.p))),
        None => Cell::Absent("no difference that varies"),
    };
    let unpaired = match pair.unpaired {
        Some(it) => Cell::number(format!("{} (p {})", plain(it.z, 2), with_equals(it.p))),
        None => Cell::Absent("all alike"),
    };
    Row::new(
        format!("{a} and {b}"),
        vec![
            Cell::number(count(pair.both)),
            Cell::number(count(pair.only_a)),
            Cell::number(count(pair.only_b)),
            Cell::number(count(pair.neither)),
            Cell::estimate(Unit::Points, pair.difference.as_ref(), "no common trials"),
            Cell::number(chance(pair.mcnemar_p)),
            Cell::number(chance(pair.holm_p)),
            Cell::Is(pair.significant),
            paired,
            unpaired,
        ],
    )
}

fn with_equals(p: f64) -> String {
    let text = chance(p);
    if text.starts_with('<') {
        text
    } else {
        format!("= {text}")
    }
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
    let columns = [
        "Variant",
        "What is special",
        "Success",
        "as it is",
        "Difference",
        "McNemar p",
        "EPI",
        "as it is",
        "Cost",
        "P50",
        "P95",
    ];
    let share = rate(findings.method.confidence);
    let caption = format!(
        "Variants, with {share} intervals; cost, P50 and P95 as multiples of the pattern’s as it is"
    );
    let mut table = Table::new(caption, columns);
    let mut patterns: Vec<&str> = Vec::new();
    for ablation in &findings.ablations {
        if !patterns.contains(&ablation.pattern.as_str()) {
            patterns.push(&ablation.pattern);
        }
    }
    for pattern in patterns {
        let of = findings.ablations.iter().filter(|it| it.pattern == pattern);
        let rows = of.map(|it| variant(findings, it)).collect();
        table.group(Some(name::pattern(pattern)), rows);
    }
    section.table(table);
    Some(section)
}

fn variant(findings: &Findings, of: &Ablation) -> Row {
    let main = findings.of_arm(&of.main);
    let special = name::variant(&of.variant, main.map(|arm| &arm.variant));
    let epi = "no fault followed";
    let ratio = "nothing to compare with";
    Row::new(
        text::short(&of.arm, 60),
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
            Cell::estimate(Unit::Times, of.cost_ratio.as_ref(), ratio),
            Cell::maybe(Unit::Times, of.latency_p50_ratio, ratio),
            Cell::maybe(Unit::Times, of.latency_p95_ratio, ratio),
        ],
    )
}
