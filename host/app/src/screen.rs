//! The one place that writes to the terminal. Results go to standard output,
//! everything else to standard error; colours only where there is a terminal.
//! All of it passes the text gate once more here, whoever said it.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use hotcell_broker::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::{GraphicalReportHandler, GraphicalTheme, Report};

use crate::command::Output;

static OUTPUT: OnceLock<Output> = OnceLock::new();

fn output() -> Output {
    OUTPUT.get().copied().unwrap_or_default()
}

/// Remembers what was asked for and sets up how errors look.
pub(crate) fn install(wanted: &Output) {
    let _already_set = OUTPUT.set(*wanted);
    let fancy = std::io::stderr().is_terminal();
    drop(miette::set_hook(Box::new(move |_| {
        let theme = if fancy {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::none()
        };
        Box::new(
            // Terminals wrap; a name broken in two can be neither searched nor copied.
            GraphicalReportHandler::new_themed(theme)
                .with_wrap_lines(false)
                .with_links(false),
        )
    })));
}

/// The command's result. A closed pipe ends it without a word.
pub(crate) fn result(text: &str) {
    let text = text::screen(text, colours());
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// The command's result for programs: JSON text.
pub(crate) fn json(text: &str) {
    result(&text::json(text));
}

/// What is going on, for people.
pub(crate) fn note(text: &str) {
    if !output().quiet {
        line(text);
    }
}

/// What only somebody who asks wants to know.
pub(crate) fn detail(text: &str) {
    if output().verbose {
        line(text);
    }
}

/// A warning that stops nothing.
pub(crate) fn warning(report: impl Into<Report>) {
    if !output().quiet {
        line(&format!("{:?}", report.into()));
    }
}

/// Why the command ends here.
pub(crate) fn problem(report: Report) {
    line(&format!("{report:?}"));
}

/// Whether standard output is a terminal that shows colours.
pub(crate) fn colours() -> bool {
    std::io::stdout().is_terminal() && !output().json
}

/// Whether people watch standard error.
pub(crate) fn watched() -> bool {
    std::io::stderr().is_terminal() && !output().quiet
}

fn line(text: &str) {
    let text = text::screen(text.trim_end(), std::io::stderr().is_terminal());
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// A bar over so many records; invisible where nobody watches.
pub(crate) fn bar(records: usize) -> ProgressBar {
    let target = match watched() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(records as u64), target);
    let template = "{bar:40} {pos}/{len} records, {elapsed_precise}, {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
