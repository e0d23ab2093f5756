//! A drawing, piece by piece, and what it looks like by day, by night and in print.
//!
//! Places are rounded to a tenth, so that the same findings give the same bytes.

use std::fmt::Write;

use super::text::markup;

/// How charts look. The same in a file of its own and in a page: by classes and
/// without variables, which not every viewer knows. Blue and vermilion can be
/// told apart by nearly everybody, and differ in shape as well.
pub(super) const STYLE: &str = "\
.hc{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;font-size:13px}\
.hc .bg{fill:#fff}.hc text{fill:#1c2430}.hc .t{font-size:15px;font-weight:600}\
.hc .m{fill:#566172;font-size:12px}.hc .w{fill:#a32a00;font-size:12px;font-weight:600}\
.hc .g{stroke:#dfe3e8;stroke-width:1}.hc .z{stroke:#8a94a3;stroke-width:1}\
.hc .a{stroke:#0b5fa5;stroke-width:2}.hc .d{fill:#0b5fa5;stroke:#0b5fa5;stroke-width:1.5}\
.hc .o{fill:#fff;stroke:#0b5fa5;stroke-width:2}.hc .f{fill:none;stroke:#0b5fa5;stroke-width:1.5}\
.hc .b{fill:#f7d9c4}.hc .c{fill:#fff;stroke:#c24a00;stroke-width:1.8}\
.hc .x{stroke:#566172;stroke-width:1.2;stroke-dasharray:4 3}\
.hc .h{fill:#08407a}.hc .e{fill:#f1f3f6}.hc .k{font-size:11px;font-weight:600}\
.hc .i{fill:#fff;font-size:11px;font-weight:600}.hc .l{stroke:#8a94a3;stroke-width:.8}";

/// The same at night. Never on paper.
pub(super) const NIGHT: &str = "\
.hc .bg{fill:#12161c}.hc text{fill:#e8ecf1}.hc .m{fill:#a3adba}.hc .w{fill:#ffb38a}\
.hc .g{stroke:#2c343f}.hc .z{stroke:#7d8896}\
.hc .a{stroke:#56b4e9}.hc .d{fill:#56b4e9;stroke:#56b4e9}.hc .o{fill:#12161c;stroke:#56b4e9}\
.hc .f{stroke:#56b4e9}.hc .b{fill:#4d3320}.hc .c{fill:#12161c;stroke:#f0a35e}\
.hc .x{stroke:#a3adba}.hc .h{fill:#7cc4f5}.hc .e{fill:#1c222b}.hc .i{fill:#0c1016}\
.hc .l{stroke:#7d8896}";

/// How wide a text of this size is, about: a little more than it is.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    let wide = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ',' | ':' | ' ' | '(' | ')' => 0.36,
        'm' | 'w' | 'M' | 'W' | '%' => 0.92,
        c if c.is_ascii_uppercase() => 0.7,
        c if c.is_ascii() => 0.6,
        '–' | '−' | '×' | '…' | '·' => 0.7,
        _ => 1.0,
    };
    text.chars().map(wide).sum::<f64>() * size
}

/// Where a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It begins there.
    Start,
    /// It has its middle there.
    Middle,
    /// It ends there.
    End,
}

/// What is drawn so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    body: String,
}

impl Drawing {
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = if class.is_empty() {
            String::new()
        } else {
            format!(" class=\"{class}\"")
        };
        let (x, y, text) = (at(x), at(y), markup(text));
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\"{class}{anchor}>{text}</text>"
        ));
    }

    pub(super) fn line(&mut self, class: &str, x1: f64, y1: f64, x2: f64, y2: f64) {
        let (x1, y1, x2, y2) = (at(x1), at(y1), at(x2), at(y2));
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        ));
    }

    pub(super) fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let (x, y, width, height) = (at(x), at(y), at(width), at(height));
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
    }

    /// A square of a heat map, from 0 for nothing to 1.
    pub(super) fn heat(&mut self, share: f64, x: f64, y: f64, width: f64, height: f64) {
        let (x, y, width, height) = (at(x), at(y), at(width), at(height));
        let share = format!("{:.2}", share.clamp(0.0, 1.0));
        self.put(format_args!(
            "<rect class=\"h\" fill-opacity=\"{share}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
    }

    pub(super) fn circle(&mut self, class: &str, x: f64, y: f64, radius: f64) {
        let (x, y, radius) = (at(x), at(y), at(radius));
        self.put(format_args!(
            "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>"
        ));
    }

    /// A square on one of its corners.
    pub(super) fn diamond(&mut self, class: &str, x: f64, y: f64, radius: f64) {
        let (left, right) = (at(x - radius), at(x + radius));
        let (top, bottom, x, y) = (at(y - radius), at(y + radius), at(x), at(y));
        self.put(format_args!(
            "<path class=\"{class}\" d=\"M{x} {top}L{right} {y}L{x} {bottom}L{left} {y}Z\"/>"
        ));
    }

    /// From point to point.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut way = String::new();
        for (nth, (x, y)) in points.iter().enumerate() {
            let letter = if nth == 0 { 'M' } else { 'L' };
            let _ = write!(way, "{letter}{} {}", at(*x), at(*y));
        }
        self.put(format_args!("<path class=\"{class}\" d=\"{way}\"/>"));
    }

    /// What follows belongs together, and this is what it says when pointed at.
    pub(super) fn open(&mut self, title: &str) {
        let title = markup(title);
        self.put(format_args!("<g><title>{title}</title>"));
    }

    /// The end of what belongs together.
    pub(super) fn close(&mut self) {
        self.put(format_args!("</g>"));
    }

    fn put(&mut self, piece: std::fmt::Arguments<'_>) {
        let _ = self.body.write_fmt(piece);
        self.body.push('\n');
    }
}

/// A place or a length, to a tenth.
fn at(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0" } else { text }.to_owned()
}

/// A chart that is finished.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Unlike any other chart's of a report; its file's name without `.svg`.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) title: String,
    /// The same as a sentence, for who cannot see it.
    pub(super) what: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) drawing: Drawing,
}

impl Chart {
    /// The file it is in, if it is a file of its own.
    pub(super) fn file(&self) -> String {
        format!("{}.svg", self.id)
    }

    /// As a file of its own, with its looks and its paper.
    pub(super) fn alone(&self) -> String {
        let (width, height) = (at(self.width), at(self.height));
        let size = format!(" width=\"{width}\" height=\"{height}\"");
        let style = format!(
            "<style>{STYLE}@media screen and (prefers-color-scheme:dark){{{NIGHT}}}</style>\n\
             <rect class=\"bg\" width=\"{width}\" height=\"{height}\"/>\n"
        );
        self.draw(&size, &style)
    }

    /// As a part of a page that brings the looks.
    pub(super) fn inline(&self) -> String {
        let size = format!(" style=\"max-width:{}px\"", at(self.width));
        self.draw(&size, "")
    }

    fn draw(&self, size: &str, style: &str) -> String {
        let Chart { id, drawing, .. } = self;
        let (width, height) = (at(self.width), at(self.height));
        let (title, what) = (markup(&self.title), markup(&self.what));
        let body = &drawing.body;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hc\"{size} viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-labelledby=\"{id}-title {id}-what\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-what\">{what}</desc>\n{style}{body}</svg>\n"
        )
    }
}
