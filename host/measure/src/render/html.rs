//! A page as one HTML file that needs no other: no script, no font, no picture.

use super::page::{Block, Cell, Page, Row, Section, Span, Table};
use super::svg::{NIGHT, STYLE};
use super::text::markup;

/// How a page looks. Paper is always white; a chart or a row is never torn in two.
const PAGE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2430;--soft:#566172;--line:#dfe3e8;--head:#f4f6f8;\
--link:#0b5fa5;--good:#1a6b3c;--bad:#a32a00;--warn:#fff4ec;--edge:#c24a00}\
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}\
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}\
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}\
h1{font-size:2rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1.35rem;line-height:1.3;margin:3rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}\
p,ul{max-width:46rem;margin:.6rem 0}li{margin:.25rem 0}a{color:var(--link)}\
nav{margin:1rem 0 0}nav ul{list-style:none;margin:0;padding:0;max-width:none;display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;font-size:.9rem}\
.notice{margin:1.25rem 0;padding:.9rem 1.1rem;border:2px solid var(--edge);border-left-width:10px;background:var(--warn);max-width:none}\
.notice strong{display:block;font-size:1.1rem}.notice p{margin:.3rem 0 0}\
pre{margin:.75rem 0;padding:.75rem 1rem;overflow-x:auto;background:var(--head);border:1px solid var(--line);font:.875rem/1.5 ui-monospace,Consolas,'DejaVu Sans Mono',monospace}\
.wide{overflow-x:auto;margin:1.25rem 0 1.75rem}\
table{border-collapse:collapse;font-size:.84rem;line-height:1.35;font-variant-numeric:tabular-nums}\
caption{caption-side:top;white-space:nowrap;text-align:left;font-weight:600;font-size:.95rem;padding:0 0 .5rem}\
.sim{display:inline-block;margin-left:.5rem;padding:0 .4rem;border:1px solid var(--edge);color:var(--bad);font-size:.7rem;font-weight:600;letter-spacing:.03em;vertical-align:.1em}\
th,td{padding:.38rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}\
thead th{background:var(--head);font-weight:600;vertical-align:bottom}tbody th{font-weight:500;white-space:nowrap}\
.n{text-align:right}td.n{white-space:nowrap}th.group{font-weight:600;padding-top:.9rem;background:none}\
.i{display:block;color:var(--soft);font-size:.92em}.u{color:var(--soft);white-space:normal}\
.yes{color:var(--good);font-weight:600;white-space:nowrap}.no{color:var(--bad);font-weight:600;white-space:nowrap}\
figure{margin:1.5rem 0 2rem;overflow-x:auto}figure svg{display:block;width:100%;min-width:34rem;height:auto}\
figcaption{color:var(--soft);font-size:.88rem;max-width:46rem;margin-top:.25rem}";

/// By night, on screens only.
const DARK: &str = "\
:root{--paper:#12161c;--ink:#e8ecf1;--soft:#a3adba;--line:#2c343f;--head:#1a2029;--link:#7cc4f5;\
--good:#6fce97;--bad:#ffb38a;--warn:#2a1d14;--edge:#f0a35e}";

/// On paper: A4, smaller, and nothing torn.
const PRINT: &str = "\
@page{size:A4;margin:16mm 14mm}:root{color-scheme:light}\
body{font-size:10pt}main{max-width:none;padding:0}nav{display:none}h1{font-size:18pt}h2{font-size:13pt;margin:1.4rem 0 .5rem;break-after:avoid}\
p,ul,figcaption{max-width:none}.wide,figure{overflow:visible}.wide{margin:.7rem 0 1rem}table{font-size:8.2pt;max-width:100%}\
th,td{padding:.22rem .4rem}thead{display:table-header-group}tr,tbody,.notice,pre,figure{break-inside:avoid}\
caption,th.group{break-after:avoid}figure svg{min-width:0;max-width:165mm!important}pre{white-space:pre-wrap}a{color:inherit;text-decoration:none}\
.notice,thead th,.hc{-webkit-print-color-adjust:exact;print-color-adjust:exact}";

/// What stays in one line with the number before it.
const UNITS: [&str; 8] = ["%", "×", "s", "ms", "USD", "points", "point", "trials"];

/// Escaped, and no number torn from its unit.
fn safe(text: &str) -> String {
    let text = markup(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = text
            .get(at + 1..)
            .filter(|_| c == ' ' && before.is_ascii_digit());
        let word = rest.and_then(|rest| rest.split([' ', ')', ',', ';', '.', ':']).next());
        let is_unit = word.is_some_and(|word| UNITS.contains(&word));
        out.push(if is_unit { '\u{a0}' } else { c });
        before = c;
    }
    out
}

pub(super) fn write(page: &Page) -> String {
    let title = safe(&page.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title} – Hotcell</title>\n<style>{PAGE}{STYLE}\
         @media screen and (prefers-color-scheme:dark){{{DARK}{NIGHT}}}@media print{{{PRINT}}}</style>\n\
         </head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    out += "<nav aria-label=\"Sections\"><ul>\n";
    for section in &page.sections {
        let (id, title) = (section.id, safe(section.title));
        out += &format!("<li><a href=\"#{id}\">{title}</a></li>\n");
    }
    out += "</ul></nav>\n";
    for section in &page.sections {
        put_section(section, page, &mut out);
    }
    out += "</main>\n</body>\n</html>\n";
    out
}

fn put_section(section: &Section, page: &Page, out: &mut String) {
    let (id, title) = (section.id, safe(section.title));
    *out += &format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-head\">\n<h2 id=\"{id}-head\">{title}</h2>\n"
    );
    for block in &section.blocks {
        put(block, page, out);
    }
    *out += "</section>\n";
}

fn put(block: &Block, page: &Page, out: &mut String) {
    match block {
        Block::Text(spans) => {
            let text: Vec<_> = spans.iter().map(span).collect();
            *out += &format!("<p>{}</p>\n", text.join(" "));
        }
        Block::List(items) => {
            *out += "<ul>\n";
            for item in items {
                *out += &format!("<li>{}</li>\n", safe(item));
            }
            *out += "</ul>\n";
        }
        Block::Notice { loud, rest } => {
            let (loud, rest) = (safe(loud), safe(rest));
            *out += &format!(
                "<div class=\"notice\" role=\"note\"><strong>{loud}</strong><p>{rest}</p></div>\n"
            );
        }
        Block::Code(code) => *out += &format!("<pre><code>{}</code></pre>\n", safe(code)),
        Block::Table(table) => put_table(table, page, out),
        Block::Chart { chart, caption } => {
            *out += &format!("<figure>\n{}", chart.inline());
            if !caption.is_empty() {
                *out += &format!("<figcaption>{}</figcaption>\n", safe(caption));
            }
            *out += "</figure>\n";
        }
    }
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => safe(text),
        Span::Strong(text) => format!("<strong>{}</strong>", safe(text)),
    }
}

fn put_table(table: &Table, page: &Page, out: &mut String) {
    let label = if page.simulated && !table.real {
        "<span class=\"sim\">SIMULATED</span>"
    } else {
        ""
    };
    let caption = safe(&table.caption);
    *out += &format!(
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n<table>\n<caption>{caption}{label}</caption>\n<thead><tr>"
    );
    for (nth, column) in table.columns.iter().enumerate() {
        let class = if table.is_right(nth) {
            " class=\"n\""
        } else {
            ""
        };
        *out += &format!("<th scope=\"col\"{class}>{}</th>", safe(column));
    }
    *out += "</tr></thead>\n";
    for group in &table.groups {
        *out += "<tbody>\n";
        if let Some(title) = &group.title {
            let (over, title) = (table.columns.len(), safe(title));
            *out += &format!(
                "<tr><th class=\"group\" scope=\"rowgroup\" colspan=\"{over}\">{title}</th></tr>\n"
            );
        }
        for row in &group.rows {
            put_row(row, table, out);
        }
        *out += "</tbody>\n";
    }
    *out += "</table>\n</div>\n";
}

fn put_row(row: &Row, table: &Table, out: &mut String) {
    *out += &format!("<tr><th scope=\"row\">{}</th>", safe(&row.head));
    for (nth, cell) in row.cells.iter().enumerate() {
        let class = if table.is_right(nth + 1) {
            " class=\"n\""
        } else {
            ""
        };
        *out += &format!("<td{class}>{}</td>", self::cell(cell));
    }
    *out += "</tr>\n";
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Words(text) | Cell::Number(text) => safe(text),
        Cell::Measured {
            value,
            interval,
            inside,
        } => {
            let interval = interval
                .as_ref()
                .map(|it| format!("<span class=\"i\">{}</span>", safe(it)));
            let mark = match inside {
                Some(true) => "<span class=\"yes\">✓</span>&#160;",
                Some(false) => "<span class=\"no\">✗</span>&#160;",
                None => "",
            };
            format!("{mark}{}{}", safe(value), interval.unwrap_or_default())
        }
        Cell::Absent(why) => format!("–<span class=\"i u\">{}</span>", safe(why)),
        Cell::Holds(true) => "<span class=\"yes\">✓ true</span>".to_owned(),
        Cell::Holds(false) => "<span class=\"no\">✗ false</span>".to_owned(),
        Cell::Is(true) => "yes".to_owned(),
        Cell::Is(false) => "no".to_owned(),
    }
}
