//! Dots with their intervals, one row for each arm.

use super::super::number::Unit;
use super::super::svg::{Anchor, Drawing, width_of};
use super::super::text::short;
use super::scale::{Bounds, Scale};
use crate::findings::{CourseRow, Estimate};

/// How high a lane is.
const LANE: f64 = 27.0;

/// A chart of rows on one scale.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) title: Option<String>,
    pub(super) unit: Unit,
    pub(super) rows: Vec<Row>,
    /// Where the course wants to be.
    pub(super) target: Option<f64>,
    /// Whether the numbers mean nothing without the zero.
    pub(super) zero: bool,
    /// Numbers of other panels, which are to be on the same scale.
    pub(super) beside: Vec<f64>,
}

/// What a row is of, and its lanes from above.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) lanes: Vec<Lane>,
}

/// One number of a row.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) what: &'static str,
    pub(super) estimate: Option<Estimate>,
    pub(super) course: Option<CourseRow>,
    pub(super) square: bool,
    /// Why there is none, if there is none.
    pub(super) why: &'static str,
}

/// Where a panel is, and how its width is shared out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) labels: f64,
    pub(super) plot: f64,
    /// For the numbers as text: with their intervals if there is room for that.
    pub(super) values: f64,
}

impl Panel {
    /// All numbers that have to be on the scale.
    pub(super) fn numbers(&self) -> Vec<f64> {
        let mut numbers: Vec<_> = self.target.into_iter().collect();
        for lane in self.rows.iter().flat_map(|row| &row.lanes) {
            if let Some(estimate) = &lane.estimate {
                numbers.push(estimate.value);
                numbers.extend(estimate.interval.iter().flat_map(|i| [i.low, i.high]));
            }
            if let Some(course) = &lane.course {
                numbers.push(course.point);
                numbers.extend(course.window.iter().flat_map(|i| [i.low, i.high]));
            }
        }
        numbers
    }

    /// Draws it and says how high it is.
    pub(super) fn draw(&self, drawing: &mut Drawing, place: Place) -> f64 {
        let mut top = place.y;
        if let Some(title) = &self.title {
            let room = place.labels + place.plot + place.values;
            let title = short(title, fitting(title, room));
            drawing.text(place.x, top + 14.0, "k", Anchor::Start, &title);
            top += 22.0;
        }
        let scale = self.scale(place);
        let heights = self.rows.iter().map(height);
        let bottom = top + heights.sum::<f64>() + 4.0;
        let mut free_from = f64::NEG_INFINITY;
        for tick in &scale.ticks {
            let x = scale.place(*tick);
            let is_zero = tick.abs() < 1e-9 && self.unit == Unit::Points;
            drawing.line(if is_zero { "z" } else { "g" }, x, top, x, bottom);
            let text = label(self.unit, *tick, &scale.ticks);
            let half = width_of(&text, 12.0) / 2.0;
            if x - half > free_from {
                drawing.text(x, bottom + 16.0, "m", Anchor::Middle, &text);
                free_from = x + half + 2.0;
            }
        }
        if let Some(target) = self.target {
            let x = scale.place(target);
            drawing.line("x", x, top, x, bottom);
        }
        let mut y = top + 4.0;
        for row in &self.rows {
            self.row(drawing, place, &scale, row, y);
            y += height(row);
        }
        bottom + 24.0 - place.y
    }

    fn scale(&self, place: Place) -> Scale {
        let mut numbers = self.numbers();
        numbers.extend(&self.beside);
        let bounds = Bounds {
            least: (self.unit != Unit::Points).then_some(0.0),
            most: (self.unit == Unit::Percent).then_some(1.0),
            zero: self.zero,
        };
        let want = if place.plot < 300.0 { 3.0 } else { 5.0 };
        let from = place.x + place.labels;
        Scale::over(&numbers, bounds, want).on(from, from + place.plot)
    }

    fn row(&self, drawing: &mut Drawing, place: Place, scale: &Scale, row: &Row, top: f64) {
        let middle = top + (height(row) - 4.0) / 2.0;
        if place.labels > 0.0 {
            let most = fitting(&row.label, place.labels - 12.0);
            let name = short(&row.label, most);
            let x = place.x + place.labels - 12.0;
            drawing.text(x, middle + 4.5, "", Anchor::End, &name);
        }
        let mut y = top + LANE / 2.0 - 2.0;
        for lane in &row.lanes {
            self.lane(drawing, place, scale, (row, lane), y);
            y += LANE - 5.0;
        }
    }

    fn lane(
        &self,
        drawing: &mut Drawing,
        place: Place,
        scale: &Scale,
        (row, lane): (&Row, &Lane),
        y: f64,
    ) {
        drawing.open(&self.said(row, lane));
        if let Some(course) = &lane.course {
            if let Some(window) = course.window {
                let (from, to) = (scale.place(window.low), scale.place(window.high));
                drawing.rect("b", from, y - 8.0, (to - from).max(1.0), 16.0);
            }
            drawing.diamond("c", scale.place(course.point), y, 6.5);
        }
        let values = place.x + place.labels + place.plot + 12.0;
        match &lane.estimate {
            None => {
                let text = if place.values > 100.0 {
                    format!("– {}", lane.why)
                } else {
                    "–".to_owned()
                };
                drawing.text(values, y + 4.5, "m", Anchor::Start, &text);
            }
            Some(estimate) => {
                if let Some(interval) = estimate.interval {
                    let (from, to) = (scale.place(interval.low), scale.place(interval.high));
                    drawing.line("a", from, y, to, y);
                    // Ends that the dot would swallow only make it look like a square.
                    if to - from > 11.0 {
                        drawing.line("a", from, y - 4.0, from, y + 4.0);
                        drawing.line("a", to, y - 4.0, to, y + 4.0);
                    }
                }
                let x = scale.place(estimate.value);
                if lane.square {
                    drawing.rect("o", x - 4.0, y - 4.0, 8.0, 8.0);
                } else {
                    drawing.circle("d", x, y, 4.0);
                }
                let text = self.number(estimate, place.values);
                drawing.text(values, y + 4.5, "", Anchor::Start, &text);
            }
        }
        drawing.close();
    }

    /// The number, with as much of its interval as there is room for.
    fn number(&self, of: &Estimate, room: f64) -> String {
        let full = self.unit.estimate(of);
        let bare = of.interval.map(|interval| {
            let (low, high) = (self.unit.bare(interval.low), self.unit.bare(interval.high));
            format!("{} ({low} to {high})", self.unit.value(of.value))
        });
        let texts = [Some(full), bare].into_iter().flatten();
        let fits = |text: &String| width_of(text, 13.0) <= room;
        let mut texts = texts.filter(fits);
        texts.next().unwrap_or_else(|| self.unit.value(of.value))
    }

    /// A row in words.
    fn said(&self, row: &Row, lane: &Lane) -> String {
        let measured = match &lane.estimate {
            Some(estimate) => self.unit.estimate(estimate),
            None => format!("– ({})", lane.why),
        };
        let mut said = format!("{}: {} {measured}", row.label, lane.what);
        if let Some(course) = &lane.course {
            said += &format!("; course {}", self.unit.value(course.point));
            if let Some(window) = course.window {
                said += &format!(", window {}", self.unit.interval(window));
            }
        }
        said
    }

    /// All of it in words.
    pub(super) fn spoken(&self) -> String {
        let lanes = |row| {
            let row: &Row = row;
            row.lanes
                .iter()
                .map(|lane| self.said(row, lane))
                .collect::<Vec<_>>()
        };
        let rows: Vec<_> = self.rows.iter().flat_map(lanes).collect();
        rows.join(". ") + "."
    }
}

fn height(row: &Row) -> f64 {
    let more = row.lanes.len().saturating_sub(1);
    let more = u16::try_from(more).map_or(0.0, f64::from);
    LANE + more * (LANE - 5.0) + if more > 0.0 { 6.0 } else { 0.0 }
}

/// How many of its characters fit.
fn fitting(text: &str, room: f64) -> usize {
    let fits = |most: &usize| width_of(&short(text, *most), 13.0) <= room;
    let all = text.chars().count();
    (1..=all).rev().find(fits).unwrap_or(1)
}

/// A line's number: with as few digits as tell it from its neighbours.
pub(super) fn label(unit: Unit, tick: f64, ticks: &[f64]) -> String {
    let by = if matches!(unit, Unit::Percent | Unit::Points) {
        100.0
    } else {
        1.0
    };
    let step = match ticks {
        [first, second, ..] => (second - first) * by,
        _ => 1.0,
    };
    let mut digits = 0;
    let mut size = 1.0;
    while step < size * 0.999 && digits < 7 {
        size /= 10.0;
        digits += 1;
    }
    let text = super::super::number::plain(tick * by, digits);
    match unit {
        Unit::Points if tick > 1e-9 => format!("+{text}"),
        Unit::Points => text,
        _ => format!("{text}{}", unit.suffix(tick)),
    }
}
