//! What arms cost against how often they are right.

use super::super::name;
use super::super::number::Unit;
use super::super::svg::{Anchor, Chart, width_of};
use super::super::text::short;
use super::panel::label;
use super::scale::{Bounds, Scale};
use super::{EDGE, Key, Sheet, WIDTH};
use crate::findings::{Findings, FrontierPoint};

/// How high the plot is.
const HIGH: f64 = 330.0;

/// A piece of paper that is taken: from left to right, from top to bottom.
#[derive(Clone, Copy, Debug)]
struct Taken {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Taken {
    fn around(x: f64, y: f64, radius: f64) -> Taken {
        Taken {
            left: x - radius,
            right: x + radius,
            top: y - radius,
            bottom: y + radius,
        }
    }

    fn meets(&self, other: &Taken) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

pub(in super::super) fn frontier(findings: &Findings) -> Option<Chart> {
    let points = &findings.frontier;
    let costs: Vec<_> = points.iter().map(|point| point.cost_per_task_usd).collect();
    if points.len() < 2 || costs.iter().all(|cost| *cost <= 0.0) {
        return None;
    }
    let mut sheet = Sheet::new(
        findings,
        "Cost and success: which arm to take for what money",
        WIDTH,
    );
    let mut keys = vec![(Key::Dot, "pattern".to_owned())];
    if points.iter().any(|point| !point.main) {
        keys.push((Key::Ring, "variant of a pattern".to_owned()));
    }
    keys.push((
        Key::Way,
        "no other arm is better in one and as good in the other".to_owned(),
    ));
    sheet.legend(&keys);

    let top = sheet.y + 8.0;
    let bottom = top + HIGH;
    let (left, right) = (EDGE + 46.0, WIDTH - EDGE - 16.0);
    let zero = Bounds {
        least: Some(0.0),
        most: None,
        zero: true,
    };
    let share = Bounds {
        least: Some(0.0),
        most: Some(1.0),
        zero: false,
    };
    let across = Scale::over(&costs, zero, 6.0).on(left, right);
    let rates: Vec<_> = points.iter().map(|point| point.success).collect();
    let up = Scale::over(&rates, share, 5.0).on(bottom - 8.0, top + 8.0);
    let draw = &mut sheet.drawing;
    for tick in &across.ticks {
        let x = across.place(*tick);
        draw.line("g", x, top, x, bottom);
        let text = label(Unit::Coefficient, *tick, &across.ticks);
        draw.text(x, bottom + 17.0, "m", Anchor::Middle, &text);
    }
    for tick in &up.ticks {
        let y = up.place(*tick);
        draw.line("g", left, y, right, y);
        let text = label(Unit::Percent, *tick, &up.ticks);
        draw.text(left - 6.0, y + 4.0, "m", Anchor::End, &text);
    }
    draw.text(
        right,
        bottom + 36.0,
        "m",
        Anchor::End,
        "US dollars per task",
    );
    draw.text(left + 4.0, top + 2.0, "m", Anchor::Start, "success");

    let place = |point: &FrontierPoint| {
        (
            across.place(point.cost_per_task_usd),
            up.place(point.success),
        )
    };
    let best: Vec<_> = points
        .iter()
        .filter(|point| point.efficient)
        .map(&place)
        .collect();
    if best.len() > 1 {
        draw.path("f", &best);
    }
    let mut taken: Vec<_> = points
        .iter()
        .map(|point| {
            let (x, y) = place(point);
            Taken::around(x, y, 5.0)
        })
        .collect();
    // No name on the way between the best.
    for pair in best.windows(2) {
        let [(x1, y1), (x2, y2)] = pair else { continue };
        let parts = (0_u8..=24).map(|part| f64::from(part) / 24.0);
        taken.extend(parts.map(|by| Taken::around(x1 + (x2 - x1) * by, y1 + (y2 - y1) * by, 3.0)));
    }
    for point in points {
        let (x, y) = place(point);
        draw.open(&said(findings, point));
        if point.main {
            draw.circle("d", x, y, 5.0);
        } else {
            draw.circle("o", x, y, 4.0);
        }
        draw.close();
    }
    // The patterns first, then the best, then whatever has room.
    let mut order: Vec<_> = points.iter().collect();
    order.sort_by_key(|point| (!point.main, !point.efficient));
    let page = (left, right, top, bottom);
    for point in order {
        let text = short(&name::of(findings, &point.arm), 30);
        let (x, y) = place(point);
        if let Some((at, space)) = free(&text, (x, y), page, &taken) {
            taken.push(space);
            let class = if point.main { "" } else { "m" };
            draw.text(at.0, at.1, class, Anchor::Start, &text);
            let far = (at.1 - 4.0 - y).abs() > 20.0;
            if far {
                let edge = if at.1 > y { at.1 - 12.0 } else { at.1 + 2.0 };
                let foot = x.clamp(space.left, space.right);
                draw.line("l", x, if at.1 > y { y + 6.0 } else { y - 6.0 }, foot, edge);
            }
        }
    }
    sheet.y = bottom + 40.0;
    let said: Vec<_> = points.iter().map(|point| said(findings, point)).collect();
    Some(sheet.finish("frontier", said.join(". ") + "."))
}

/// The first place near a point where its name covers nothing.
fn free(
    text: &str,
    (x, y): (f64, f64),
    (left, right, top, bottom): (f64, f64, f64, f64),
    taken: &[Taken],
) -> Option<((f64, f64), Taken)> {
    let wide = width_of(text, 13.0);
    let beside = [(x + 9.0, y + 4.5), (x - 9.0 - wide, y + 4.5)];
    let heights = [-9.0, 18.0, -24.0, 33.0, -39.0, 48.0];
    let shifts = [x - wide / 2.0, x - 6.0, x + 6.0 - wide];
    let around = heights
        .into_iter()
        .flat_map(|by| shifts.map(|at| (at, y + by)));
    let mut places = beside.into_iter().chain(around);
    places.find_map(|(at, base)| {
        let space = Taken {
            left: at - 2.0,
            right: at + wide + 2.0,
            top: base - 11.0,
            bottom: base + 4.0,
        };
        let inside = space.left > left
            && space.right < right + 10.0
            && space.top > top
            && space.bottom < bottom;
        let clear = inside && !taken.iter().any(|other| other.meets(&space));
        clear.then_some(((at, base), space))
    })
}

fn said(findings: &Findings, point: &FrontierPoint) -> String {
    format!(
        "{}: {} right, {} per task{}",
        name::of(findings, &point.arm),
        Unit::Percent.value(point.success),
        Unit::Usd.value(point.cost_per_task_usd),
        if point.efficient {
            ", not bettered"
        } else {
            ""
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_covers_no_other_and_stays_on_the_page() {
        let page = (0.0, 400.0, 0.0, 300.0);
        let mut taken = vec![Taken::around(390.0, 150.0, 5.0)];
        let mut named = 0;
        for _ in 0..40 {
            if let Some((_, space)) = free("state machine", (390.0, 150.0), page, &taken) {
                assert!(!taken.iter().any(|other| other.meets(&space)));
                assert!(space.right < 410.0);
                taken.push(space);
                named += 1;
            }
        }
        assert!((3..40).contains(&named), "{named}");
    }
}
