//! A report before it has a form: sections of paragraphs, tables and charts.
//!
//! What a report says is said here once; Markdown and HTML only differ in how.
//! Nothing here is escaped yet: each form escapes everything it writes.

use super::number::Unit;
use super::svg::Chart;
use crate::findings::{Estimate, Findings};

/// A report.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
    /// Whether any of its numbers was made up by a simulator.
    pub(super) simulated: bool,
    pub(super) sections: Vec<Section>,
}

/// A part of it with a heading.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// What links name it by.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

impl Section {
    pub(super) fn new(id: &'static str, title: &'static str) -> Section {
        Section {
            id,
            title,
            blocks: Vec::new(),
        }
    }

    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.blocks
            .push(Block::Text(vec![Span::Plain(text.into())]));
    }

    pub(super) fn spans(&mut self, spans: Vec<Span>) {
        self.blocks.push(Block::Text(spans));
    }

    pub(super) fn list(&mut self, items: impl IntoIterator<Item = String>) {
        let items: Vec<_> = items.into_iter().collect();
        if !items.is_empty() {
            self.blocks.push(Block::List(items));
        }
    }

    /// A table, if it has rows.
    pub(super) fn table(&mut self, table: Table) {
        if table.groups.iter().any(|group| !group.rows.is_empty()) {
            self.blocks.push(Block::Table(table));
        }
    }

    pub(super) fn chart(&mut self, chart: Option<Chart>, caption: impl Into<String>) {
        if let Some(chart) = chart {
            let caption = caption.into();
            self.blocks.push(Block::Chart { chart, caption });
        }
    }
}

/// A piece of a section.
#[derive(Clone, Debug)]
pub(super) enum Block {
    /// A paragraph.
    Text(Vec<Span>),
    /// Items, in no order.
    List(Vec<String>),
    /// Something nobody may overlook: its first words, and the rest.
    Notice {
        loud: String,
        rest: String,
    },
    /// To be typed.
    Code(String),
    Table(Table),
    Chart {
        chart: Chart,
        caption: String,
    },
}

/// A piece of a paragraph.
#[derive(Clone, Debug)]
pub(super) enum Span {
    Plain(String),
    Strong(String),
}

/// A table. The first column names the rows.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<String>,
    pub(super) groups: Vec<Group>,
    /// Whether no simulator has a part in it, whatever the study is.
    pub(super) real: bool,
}

impl Table {
    pub(super) fn new<const N: usize>(caption: impl Into<String>, columns: [&str; N]) -> Table {
        Table {
            caption: caption.into(),
            columns: columns.map(str::to_owned).to_vec(),
            groups: Vec::new(),
            real: false,
        }
    }

    /// No simulator has a part in it.
    pub(super) fn real(mut self) -> Table {
        self.real = true;
        self
    }

    /// Whether the column stands on the right: it holds numbers, or nothing.
    pub(super) fn is_right(&self, column: usize) -> bool {
        // The first column names the rows.
        let Some(at) = column.checked_sub(1) else {
            return false;
        };
        let mut rows = self.groups.iter().flat_map(|group| &group.rows);
        !rows.any(|row| matches!(row.cells.get(at), Some(Cell::Words(_))))
    }

    /// Rows that need no heading of their own.
    pub(super) fn rows(mut self, rows: Vec<Row>) -> Table {
        self.group(None, rows);
        self
    }

    /// The same without a column, which is not the first.
    pub(super) fn without(mut self, column: usize) -> Table {
        if column < self.columns.len() {
            self.columns.remove(column);
        }
        let rows = self.groups.iter_mut().flat_map(|group| &mut group.rows);
        for row in rows {
            if let Some(cell) = column.checked_sub(1).filter(|at| *at < row.cells.len()) {
                row.cells.remove(cell);
            }
        }
        self
    }

    pub(super) fn group(&mut self, title: Option<String>, rows: Vec<Row>) {
        self.groups.push(Group { title, rows });
    }
}

/// Rows of a table that belong together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) title: Option<String>,
    pub(super) rows: Vec<Row>,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) head: String,
    pub(super) cells: Vec<Cell>,
}

impl Row {
    pub(super) fn new(head: impl Into<String>, cells: Vec<Cell>) -> Row {
        let head = head.into();
        Row { head, cells }
    }
}

/// A field of a table.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Words.
    Words(String),
    /// A number with its unit.
    Number(String),
    /// A number, its interval, and whether it lies in the course's window.
    Measured {
        value: String,
        interval: Option<String>,
        inside: Option<bool>,
    },
    /// Nothing, and why.
    Absent(&'static str),
    /// Whether something holds that should.
    Holds(bool),
    /// Whether something is so, which is neither good nor bad.
    Is(bool),
}

impl Cell {
    pub(super) fn number(text: impl Into<String>) -> Cell {
        Cell::Number(text.into())
    }

    pub(super) fn words(text: impl Into<String>) -> Cell {
        Cell::Words(text.into())
    }

    /// The number and its interval in one field.
    pub(super) fn estimate(unit: Unit, of: Option<&Estimate>, why: &'static str) -> Cell {
        match of {
            None => Cell::Absent(why),
            Some(of) => Cell::Measured {
                value: unit.value(of.value),
                interval: of.interval.map(|interval| unit.interval(interval)),
                inside: None,
            },
        }
    }

    /// The interval in a field of its own.
    pub(super) fn interval(unit: Unit, of: Option<&Estimate>) -> Cell {
        match of {
            None => Cell::Absent("not measured"),
            Some(of) => match of.interval {
                Some(interval) => Cell::number(unit.interval(interval)),
                None => Cell::Absent("fewer than two tasks, or all alike"),
            },
        }
    }

    /// The value of something that may be absent.
    pub(super) fn maybe(unit: Unit, of: Option<f64>, why: &'static str) -> Cell {
        match of {
            None => Cell::Absent(why),
            Some(value) => Cell::number(unit.value(value)),
        }
    }
}

/// Everything there is to report.
pub(super) fn page(findings: &Findings) -> Page {
    Page {
        title: super::title(findings),
        simulated: findings.meta.simulated,
        sections: super::section::all(findings),
    }
}
