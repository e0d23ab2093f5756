//! What the other arms gain or lose against the main arm of their pattern.

use super::super::name;
use super::super::number::{Unit, rate};
use super::super::svg::Chart;
use super::super::text::short;
use super::panel::{Lane, Panel, Place, Row};
use super::{EDGE, Key, Sheet, WIDTH};
use crate::findings::{Ablation, Findings};

pub(in super::super) fn ablations(findings: &Findings) -> Option<Chart> {
    let mut patterns: Vec<&str> = Vec::new();
    for ablation in &findings.ablations {
        if !patterns.contains(&ablation.pattern.as_str()) {
            patterns.push(&ablation.pattern);
        }
    }
    let row = |ablation: &Ablation| Row {
        label: special(findings, ablation),
        lanes: vec![Lane {
            what: "success",
            estimate: ablation.difference,
            course: None,
            square: false,
            why: "no common trials",
        }],
    };
    let panel = |pattern: &&str| {
        let of = findings
            .ablations
            .iter()
            .filter(|it| it.pattern == *pattern);
        Panel {
            title: Some(name::pattern(pattern)),
            unit: Unit::Points,
            rows: of.map(row).collect(),
            target: None,
            zero: true,
            beside: Vec::new(),
        }
    };
    let mut panels: Vec<_> = patterns.iter().map(panel).collect();
    if panels.is_empty() {
        return None;
    }
    let all: Vec<_> = panels.iter().flat_map(Panel::numbers).collect();
    for panel in &mut panels {
        panel.beside.clone_from(&all);
    }
    let title = "What each part is worth: success of a variant less that of its pattern";
    let mut sheet = Sheet::new(findings, title, WIDTH);
    let share = rate(findings.method.confidence);
    let words = format!("difference in percentage points, {share} interval; left of 0: worse");
    sheet.legend(&[(Key::Dot, words)]);
    let mut words = Vec::new();
    for panel in &panels {
        let place = Place {
            x: EDGE,
            y: sheet.y,
            labels: 190.0,
            plot: WIDTH - 2.0 * EDGE - 190.0 - 12.0 - 260.0,
            values: 260.0,
        };
        sheet.y += panel.draw(&mut sheet.drawing, place) + 6.0;
        words.push(format!(
            "{}: {}",
            panel.title.as_deref().unwrap_or_default(),
            panel.spoken()
        ));
    }
    Some(sheet.finish("ablations", words.join(" ")))
}

/// What makes the arm special, in words; its name if that is nothing.
fn special(findings: &Findings, ablation: &Ablation) -> String {
    let main = findings.of_arm(&ablation.main).map(|arm| &arm.variant);
    match name::variant(&ablation.variant, main) {
        Some(words) => words,
        None => short(&ablation.arm, 40),
    }
}
