//! `hotcell advise`: which pattern to use, from what was measured.
//!
//! Reads the report of a benchmark and what is asked; the decision is
//! `hotcell-measure`'s. What a report says is a stranger's word: it is bounded,
//! checked, and passes the text gate before it is shown.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::CellAlignment;
use hotcell_broker::text;
use hotcell_measure::Findings;
use hotcell_measure::advise::{Advice, Budget, Candidate, Needs, Verdict, advise as decide};

use crate::command::{Exit, Output, Problem};
use crate::{report, screen};

/// What is decided by unless somebody has a report of their own: the benchmark of
/// this repository, as `examples/07-agentarch` has it.
const MEASURED: &str = include_str!("../../../examples/07-agentarch/report.json");

/// A larger report was not written by a benchmark.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The longest line that is shown.
const LINE: usize = 1_000;

/// The longest name in a table.
const NAME: usize = 80;

#[derive(Args)]
pub(crate) struct AdviseArgs {
    /// What a task may cost on average, right or wrong: a multiple of the baseline's
    /// cost (`1.5x`; the baseline is sequential unless the report has another), or
    /// US dollars (`0.05`)
    #[arg(long, value_name = "X", value_parser = budget)]
    budget: Option<Budget>,
    /// What 19 of 20 tasks may take at most (P95)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    latency: Option<f64>,
    /// The least share of right answers: `0.9` or `90%`
    #[arg(long, value_name = "P", value_parser = share)]
    min_success: Option<f64>,
    /// It has to be shown afterwards what was decided, when and why
    #[arg(long)]
    audit: bool,
    /// The input is ambiguous
    #[arg(long)]
    ambiguous: bool,
    /// There are rules that decide the task
    #[arg(long)]
    rules: bool,
    /// Only tasks of this kind: invoice, transaction, reconciliation, or a set of
    /// your own
    #[arg(long, value_name = "SET")]
    task_type: Option<String>,
    /// The report to decide by, or the folder it is in: what `hotcell bench agentarch
    /// --out DIR` wrote [default: one that is built in]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

pub(crate) fn advise(args: &AdviseArgs, output: Output) -> Result<Exit, Problem> {
    let needs = Needs {
        budget: args.budget,
        latency_s: args.latency,
        min_success: args.min_success,
        audit: args.audit,
        ambiguous: args.ambiguous,
        rules: args.rules,
        set: args.task_type.clone(),
    };
    let (from, bytes) = match &args.from {
        Some(from) => read(from)?,
        None => ("the report that is built in".into(), MEASURED.into()),
    };
    let findings: Findings = serde_json::from_slice(&bytes).map_err(|error| {
        let why = text::line(&error.to_string(), LINE);
        wrong(&from, &format!("is no report of a benchmark: {why}"))
    })?;
    let advice = decide(&findings, &needs).map_err(|error| {
        let why = text::line(&error.to_string(), LINE);
        wrong(&from, &format!("gives no advice: {why}"))
    })?;
    match output.json {
        true => screen::json(&serde_json::to_string(&advice).map_err(Problem::failed)?),
        false => screen::result(&render(&advice, screen::colours())),
    }
    Ok(Exit::Done)
}

/// The report's bytes, and which file they are from.
fn read(from: &Path) -> Result<(PathBuf, Vec<u8>), Problem> {
    let from = match from.is_dir() {
        true => from.join("report.json"),
        false => from.to_owned(),
    };
    let mut bytes = Vec::new();
    // One byte more than may be, to see that there is one.
    File::open(&from)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| wrong(&from, &format!("cannot be read: {error}")))?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(wrong(&from, "is larger than 64 MiB")),
        false => Ok((from, bytes)),
    }
}

/// A report that cannot be used, and what to do.
fn wrong(from: &Path, what: &str) -> Problem {
    let shown = text::line(&from.display().to_string(), LINE);
    let report = miette::miette!(
        help = "`hotcell bench agentarch --out DIR` writes a report; `--from DIR` reads it",
        "`{shown}` {what}"
    );
    Problem::new(Exit::Files, report)
}

fn render(advice: &Advice, colours: bool) -> String {
    let mut lines = Vec::new();
    if advice.simulated {
        let label = "SIMULATED: success, latency and cost were measured with a simulated model";
        lines.push(match colours {
            true => format!("\x1b[1;33m{label}\x1b[0m"),
            false => label.to_owned(),
        });
    }
    lines.push(table(advice));
    let said = |words: &str| text::line(words, LINE);
    lines.push(match &advice.chosen {
        Some(chosen) => format!("use {}", text::line(chosen, NAME)),
        None => "nothing fits".to_owned(),
    });
    let relax = advice.relax.iter().map(|it| &it.told);
    let rules = advice.rules.iter().map(|it| &it.told);
    for told in advice.reasons.iter().chain(relax).chain(rules) {
        lines.push(format!("- {}", said(told)));
    }
    for note in &advice.notes {
        lines.push(format!("note: {}", said(note)));
    }
    lines.join("\n")
}

fn table(advice: &Advice) -> String {
    let mut table = report::table();
    let times = match &advice.baseline {
        Some(baseline) => format!("× {}", text::line(baseline, NAME)),
        None => "cost ×".to_owned(),
    };
    table.set_header([
        "pattern",
        "right (95 % interval)",
        "P95",
        &times,
        "USD/task",
        "USD/success",
        "fits?",
    ]);
    for candidate in &advice.ranked {
        table.add_row(row(candidate, advice.chosen.as_deref()));
    }
    for column in table.column_iter_mut().skip(1).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn row(of: &Candidate, chosen: Option<&str>) -> [String; 7] {
    let none = || "–".to_owned();
    let interval = of.success.interval.map_or_else(String::new, |it| {
        format!(" ({:.1}–{:.1})", it.low * 100.0, it.high * 100.0)
    });
    let fits = match &of.verdict {
        Verdict::Fits if chosen == Some(of.arm.as_str()) => "yes, advised".to_owned(),
        Verdict::Fits => "yes".to_owned(),
        Verdict::Misses(misses) => {
            let misses: Vec<_> = misses.iter().map(|it| it.need.name()).collect();
            format!("no: {}", misses.join(", "))
        }
    };
    [
        text::line(&of.arm, NAME),
        format!("{:.1} %{interval}", of.success.value * 100.0),
        of.p95_s
            .map_or_else(none, |it| format!("{:.1} s", it.value)),
        of.cost_multiplier
            .map_or_else(none, |it| format!("{:.2}", it.value)),
        of.cost_per_task_usd
            .map_or_else(none, |it| format!("{:.6}", it.value)),
        of.cost_per_success_usd
            .map_or_else(none, |it| format!("{:.6}", it.value)),
        fits,
    ]
}

/// A multiple, such as `1.5x`, or US dollars, such as `0.05`.
fn budget(words: &str) -> Result<Budget, String> {
    let budget = match words.strip_suffix(['x', '×']) {
        Some(times) => positive(times).map(Budget::Times),
        None => positive(words).map(Budget::Usd),
    };
    budget.ok_or_else(|| "a multiple such as `1.5x`, or US dollars such as `0.05`".to_owned())
}

/// Seconds, with or without `s`.
fn seconds(words: &str) -> Result<f64, String> {
    let seconds = positive(words.strip_suffix('s').unwrap_or(words));
    seconds.ok_or_else(|| "seconds above 0, such as `5` or `2.5s`".to_owned())
}

/// From 0 to 1, or from 0 to 100 with `%`.
fn share(words: &str) -> Result<f64, String> {
    let share = match words.strip_suffix('%') {
        Some(percent) => number(percent).map(|it| it / 100.0),
        None => number(words),
    };
    let share = share.filter(|it| (0.0..=1.0).contains(it));
    share.ok_or_else(|| "a share from 0 to 1, such as `0.9` or `90%`".to_owned())
}

fn number(words: &str) -> Option<f64> {
    let number: f64 = words.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

fn positive(words: &str) -> Option<f64> {
    number(words).filter(|it| *it > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_that_is_built_in_has_all_patterns_and_every_set() {
        let findings: Findings = serde_json::from_str(MEASURED).unwrap();
        for set in ["invoice", "transaction", "reconciliation"] {
            let needs = Needs {
                set: Some(set.to_owned()),
                ..Needs::default()
            };
            let advice = decide(&findings, &needs).unwrap();
            assert_eq!(advice.ranked.len(), 6, "{set}");
            assert!(advice.chosen.is_some());
        }
    }

    #[test]
    fn a_budget_is_a_multiple_or_dollars() {
        let table = [
            ("1.5x", Some(Budget::Times(1.5))),
            ("2×", Some(Budget::Times(2.0))),
            ("0.05", Some(Budget::Usd(0.05))),
            ("0", None),
            ("-1x", None),
            ("x", None),
            ("infx", None),
            ("nan", None),
            ("5 dollars", None),
        ];
        for (words, expected) in table {
            assert_eq!(budget(words).ok(), expected, "{words}");
        }
    }

    #[test]
    fn a_share_may_be_per_cent_and_seconds_may_say_so() {
        let table = [
            (share("0.9"), Some(0.9)),
            (share("90%"), Some(0.9)),
            (share("1"), Some(1.0)),
            (share("90"), None),
            (share("-0.1"), None),
            (share("101%"), None),
            (seconds("5"), Some(5.0)),
            (seconds("2.5s"), Some(2.5)),
            (seconds("0"), None),
            (seconds("soon"), None),
        ];
        for (given, expected) in table {
            assert_eq!(given.ok(), expected);
        }
    }
}
