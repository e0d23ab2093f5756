//! From which stage faults spread to which, as one map for each arm.

use super::super::name;
use super::super::number::count;
use super::super::svg::{Anchor, Chart, Drawing, width_of};
use super::super::text::short;
use super::{EDGE, Sheet, WIDTH};
use crate::findings::{ArmFindings, CascadeMatrix, Findings};

/// More stages than these are not drawn.
pub(in super::super) const STAGES: usize = 14;

/// How much room the stages' names get, on the left and above.
const NAMES: f64 = 86.0;

/// From which share on the number is in the colour of the paper.
const DARK: f64 = 0.62;

pub(in super::super) fn cascades(findings: &Findings) -> Option<Chart> {
    let some = |arm: &&ArmFindings| {
        let cascades = &arm.overall.propagation.cascades;
        cascades.first.iter().any(|first| *first > 0)
    };
    let arms: Vec<_> = findings.pattern_results.iter().filter(some).collect();
    let stages = arms
        .iter()
        .map(|arm| arm.overall.propagation.cascades.stages.len())
        .max()?;
    let stages = u8::try_from(stages.min(STAGES))
        .map_or(1.0, f64::from)
        .max(1.0);
    let across = if stages > 8.0 { 1 } else { 2 };
    let gap = 26.0;
    let columns = if across == 2 { 2.0 } else { 1.0 };
    let room = (WIDTH - 2.0 * EDGE - gap * (columns - 1.0)) / columns;
    let side = ((room - NAMES - 52.0) / stages).min(40.0);

    let mut sheet = Sheet::new(findings, "How faults spread from stage to stage", WIDTH);
    let said = "Row: stage hit by a trial’s first fault. Column: how often that made a step of \
                the stage wrong.";
    sheet
        .drawing
        .text(EDGE, sheet.y + 10.0, "m", Anchor::Start, said);
    sheet.y += 22.0;
    ramp(&mut sheet.drawing, sheet.y);
    sheet.y += 32.0;
    let mut words = Vec::new();
    for some in arms.chunks(across) {
        let mut x = EDGE;
        let mut high: f64 = 0.0;
        for arm in some {
            high = high.max(map(&mut sheet.drawing, arm, x, sheet.y, side));
            words.push(spoken(arm));
            x += room + gap;
        }
        sheet.y += high + 22.0;
    }
    Some(sheet.finish("cascades", words.join(" ")))
}

/// What the colours mean.
fn ramp(drawing: &mut Drawing, y: f64) {
    let mut x = EDGE;
    for (share, text) in [
        (0.0, "0"),
        (0.25, "25"),
        (0.5, "50"),
        (0.75, "75"),
        (1.0, "100 %"),
    ] {
        drawing.rect("e", x, y, 42.0, 17.0);
        drawing.heat(share, x, y, 42.0, 17.0);
        let class = if share >= DARK { "i" } else { "k" };
        drawing.text(x + 21.0, y + 12.5, class, Anchor::Middle, text);
        x += 43.0;
    }
    drawing.text(
        x + 10.0,
        y + 12.5,
        "m",
        Anchor::Start,
        "framed: the stage that was hit;  –: no fault there;  n: first faults",
    );
}

fn map(drawing: &mut Drawing, arm: &ArmFindings, x: f64, y: f64, side: f64) -> f64 {
    let cascades = &arm.overall.propagation.cascades;
    let stages: Vec<_> = cascades.stages.iter().take(STAGES).collect();
    drawing.text(x, y + 12.0, "t", Anchor::Start, &short(&name::arm(arm), 34));
    let top = y + 44.0;
    let left = x + NAMES;
    let mut at = left;
    for (nth, stage) in stages.iter().enumerate() {
        // Names that would touch stand on two levels.
        let next = nth + 1 < stages.len();
        let room = if next { side * 2.0 - 2.0 } else { side + 16.0 };
        let text = fitted(stage, room);
        let up = if nth % 2 == 0 { 5.0 } else { 18.0 };
        drawing.text(at + side / 2.0, top - up, "m", Anchor::Middle, &text);
        at += side;
    }
    drawing.text(at + 10.0, top - 5.0, "m", Anchor::Start, "n");
    let mut row = top;
    for (from, stage) in stages.iter().enumerate() {
        let base = row + side / 2.0 + 4.0;
        drawing.text(
            left - 8.0,
            base,
            "m",
            Anchor::End,
            &fitted(stage, NAMES - 10.0),
        );
        let mut at = left;
        for (to, other) in stages.iter().enumerate() {
            let share = cascades.share(from, to);
            drawing.open(&cell(cascades, from, to, stage, other));
            drawing.rect("e", at + 0.5, row + 0.5, side - 1.0, side - 1.0);
            match share {
                None => drawing.text(at + side / 2.0, base, "m", Anchor::Middle, "–"),
                Some(share) => {
                    drawing.heat(share, at + 0.5, row + 0.5, side - 1.0, side - 1.0);
                    let class = if share >= DARK { "i" } else { "k" };
                    let text = format!("{:.0}", share * 100.0);
                    if share > 0.0 {
                        drawing.text(at + side / 2.0, base, class, Anchor::Middle, &text);
                    }
                }
            }
            if from == to {
                let (a, b) = (at + 1.0, at + side - 1.0);
                let (c, d) = (row + 1.0, row + side - 1.0);
                drawing.path("f", &[(a, c), (b, c), (b, d), (a, d), (a, c)]);
            }
            drawing.close();
            at += side;
        }
        let first = cascades.first.get(from).copied().unwrap_or_default();
        drawing.text(at + 10.0, base, "m", Anchor::Start, &count(first));
        row += side;
    }
    row - y
}

fn fitted(text: &str, room: f64) -> String {
    let text = name::pattern(text);
    let all = text.chars().count();
    let fits = |most: &usize| width_of(&short(&text, *most), 12.0) <= room;
    let most = (1..=all).rev().find(fits).unwrap_or(1);
    short(&text, most)
}

fn cell(cascades: &CascadeMatrix, from: usize, to: usize, stage: &str, other: &str) -> String {
    let (stage, other) = (name::pattern(stage), name::pattern(other));
    let first = cascades.first.get(from).copied().unwrap_or_default();
    let wrong = cascades
        .wrong
        .get(from)
        .and_then(|row| row.get(to))
        .copied();
    match cascades.share(from, to) {
        None => format!("no first fault at {stage}"),
        Some(_) => {
            let wrong = count(wrong.unwrap_or_default());
            format!(
                "{wrong} of {} first faults at {stage} made {other} wrong",
                count(first)
            )
        }
    }
}

/// A map in words: what spreads most from each stage.
fn spoken(arm: &ArmFindings) -> String {
    let cascades = &arm.overall.propagation.cascades;
    let stages: Vec<_> = cascades.stages.iter().take(STAGES).collect();
    let mut parts = Vec::new();
    for (from, stage) in stages.iter().enumerate() {
        let reached = stages.iter().enumerate().filter_map(|(to, other)| {
            let share = cascades.share(from, to).filter(|share| *share > 0.0)?;
            Some(format!("{} {:.0} %", name::pattern(other), share * 100.0))
        });
        let reached: Vec<_> = reached.collect();
        if !reached.is_empty() {
            parts.push(format!(
                "from {}: {}",
                name::pattern(stage),
                reached.join(", ")
            ));
        }
    }
    let parts = if parts.is_empty() {
        "no fault spread".to_owned()
    } else {
        parts.join("; ")
    };
    format!("{}: {parts}.", name::arm(arm))
}
