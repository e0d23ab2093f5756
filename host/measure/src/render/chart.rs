//! The charts. Each has its numbers beside its marks, and no two marks differ in
//! colour alone.

mod ablations;
mod cascades;
mod frontier;
mod measures;
mod panel;
mod scale;

use super::svg::{Anchor, Chart, Drawing, width_of};
use crate::findings::Findings;

pub(super) use ablations::ablations;
pub(super) use cascades::{STAGES, cascades};
pub(super) use frontier::frontier;
pub(super) use measures::{cost, epi, kinds, latency, overview, sets, success};

/// How wide a chart is, unless it has to be wider.
const WIDTH: f64 = 760.0;

/// The room on its left and right.
const EDGE: f64 = 12.0;

/// All there is anything to draw in.
pub(super) fn all(findings: &Findings) -> Vec<Chart> {
    let charts = [
        overview(findings),
        success(findings),
        epi(findings),
        latency(findings),
        cost(findings),
        sets(findings),
        frontier(findings),
        cascades(findings),
        ablations(findings),
    ];
    charts.into_iter().flatten().collect()
}

/// A chart that is being drawn, from top to bottom.
struct Sheet {
    drawing: Drawing,
    width: f64,
    /// Where the next thing begins.
    y: f64,
    title: String,
}

impl Sheet {
    /// With its title, and with what nobody may overlook.
    fn new(findings: &Findings, title: &str, width: f64) -> Sheet {
        let mut drawing = Drawing::default();
        drawing.text(EDGE, 24.0, "t", Anchor::Start, title);
        let mut y = 36.0;
        if findings.meta.simulated {
            let label = "SIMULATED: a fault model, not a language model";
            drawing.text(EDGE, 43.0, "w", Anchor::Start, label);
            y = 54.0;
        }
        Sheet {
            drawing,
            width,
            y,
            title: title.to_owned(),
        }
    }

    /// What the marks mean, in as many lines as that takes.
    fn legend(&mut self, keys: &[(Key, String)]) {
        let mut x = EDGE;
        let mut y = self.y + 10.0;
        for (key, text) in keys {
            let wide = 26.0 + width_of(text, 12.0) + 14.0;
            if x + wide > self.width && x > EDGE {
                x = EDGE;
                y += 19.0;
            }
            let draw = &mut self.drawing;
            match key {
                Key::Dot => {
                    draw.line("a", x, y - 4.0, x + 18.0, y - 4.0);
                    draw.circle("d", x + 9.0, y - 4.0, 4.5);
                }
                Key::Square => {
                    draw.line("a", x, y - 4.0, x + 18.0, y - 4.0);
                    draw.rect("o", x + 5.0, y - 8.0, 8.0, 8.0);
                }
                Key::Ring => draw.circle("o", x + 9.0, y - 4.0, 4.0),
                Key::Point => draw.diamond("c", x + 9.0, y - 4.0, 6.0),
                Key::Window => draw.rect("b", x, y - 11.0, 18.0, 14.0),
                Key::Target => draw.line("x", x + 9.0, y - 12.0, x + 9.0, y + 4.0),
                Key::Way => draw.line("f", x, y - 4.0, x + 18.0, y - 4.0),
            }
            draw.text(x + 25.0, y, "m", Anchor::Start, text);
            x += wide;
        }
        self.y = y + 14.0;
    }

    fn finish(self, id: &'static str, what: String) -> Chart {
        Chart {
            id,
            title: self.title,
            what,
            width: self.width,
            height: self.y + 8.0,
            drawing: self.drawing,
        }
    }
}

/// What a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// What was measured.
    Dot,
    /// The second thing that was measured.
    Square,
    /// An arm that is not of the main table.
    Ring,
    /// The course's number.
    Point,
    /// What the course would accept.
    Window,
    /// Where the course wants to be.
    Target,
    /// What joins points.
    Way,
}
