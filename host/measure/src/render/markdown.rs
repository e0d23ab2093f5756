//! A page as Markdown, as GitHub understands it.

use super::page::{Block, Cell, Page, Row, Span, Table};
use super::text::markdown as safe;

pub(super) fn write(page: &Page) -> String {
    let mut out = format!("# {}\n", safe(&page.title));
    for section in &page.sections {
        out += &format!("\n## {}\n", safe(section.title));
        for block in &section.blocks {
            out.push('\n');
            put(block, page, &mut out);
        }
    }
    out
}

fn put(block: &Block, page: &Page, out: &mut String) {
    match block {
        Block::Text(spans) => {
            let text: Vec<_> = spans.iter().map(span).collect();
            *out += &format!("{}\n", text.join(" "));
        }
        Block::List(items) => {
            for item in items {
                *out += &format!("- {}\n", safe(item));
            }
        }
        Block::Notice { loud, rest } => {
            *out += &format!("> **{}**\n> {}\n", safe(loud), safe(rest));
        }
        Block::Code(code) => *out += &format!("```sh\n{}\n```\n", code.replace('`', "'")),
        Block::Table(table) => put_table(table, page, out),
        Block::Chart { chart, caption } => {
            *out += &format!("![{}]({})\n", safe(&chart.title), chart.file());
            if !caption.is_empty() {
                *out += &format!("\n{}\n", safe(caption));
            }
        }
    }
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => safe(text),
        Span::Strong(text) => format!("**{}**", safe(text)),
    }
}

fn put_table(table: &Table, page: &Page, out: &mut String) {
    let label = if page.simulated && !table.real {
        " (SIMULATED)"
    } else {
        ""
    };
    *out += &format!("**{}**{label}\n\n", safe(&table.caption));
    let names: Vec<_> = table.columns.iter().map(|name| safe(name)).collect();
    *out += &format!("| {} |\n|", names.join(" | "));
    for column in 0..table.columns.len() {
        *out += if table.is_right(column) {
            "---:|"
        } else {
            "---|"
        };
    }
    out.push('\n');
    for group in &table.groups {
        if let Some(title) = &group.title {
            let gaps = " |".repeat(table.columns.len().saturating_sub(1));
            *out += &format!("| **{}** |{gaps}\n", safe(title));
        }
        for row in &group.rows {
            put_row(row, out);
        }
    }
}

fn put_row(row: &Row, out: &mut String) {
    *out += &format!("| {} |", safe(&row.head));
    for cell in &row.cells {
        *out += &format!(" {} |", self::cell(cell));
    }
    out.push('\n');
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Words(text) | Cell::Number(text) => safe_cell(text),
        Cell::Measured {
            value,
            interval,
            inside,
        } => {
            let interval = interval
                .as_ref()
                .map(|it| format!(" ({it})"))
                .unwrap_or_default();
            let mark = match inside {
                Some(true) => " ✓",
                Some(false) => " ✗",
                None => "",
            };
            safe_cell(&format!("{value}{interval}{mark}"))
        }
        Cell::Absent(why) => format!("– ({})", safe(why)),
        Cell::Holds(true) => "✓ true".to_owned(),
        Cell::Holds(false) => "**✗ false**".to_owned(),
        Cell::Is(true) => "yes".to_owned(),
        Cell::Is(false) => "no".to_owned(),
    }
}

/// In a cell nothing begins a line, so a sign or a number needs no help there.
fn safe_cell(text: &str) -> String {
    match text.strip_prefix('+') {
        Some(rest) => format!("+{}", safe(rest)),
        None => safe(text),
    }
}
