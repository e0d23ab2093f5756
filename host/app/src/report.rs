//! The results as people read them.

use std::fmt::Write;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use hotcell_broker::ledger::{Funds, Standing};
use hotcell_broker::provider::capped::Spending;
use hotcell_broker::provider::chain::ChainCounts;
use hotcell_broker::text;

use crate::results::{Results, ScoreResult, TallyResult};

/// Tables are at most so wide, whatever the terminal: a report reads the same in
/// a file.
const WIDTH: u16 = 120;

/// So many different errors are shown; the rest is in the JSON.
const ERRORS: usize = 10;

/// The longest text of an error that is shown; the rest is in the JSON.
const SHOWN: usize = 160;

/// So many different refusals, likewise.
const REFUSALS: usize = 20;

/// The whole report, ready to print.
pub(crate) fn render(results: &Results, colours: bool) -> String {
    let mut text = String::new();
    head(&mut text, results, colours);
    if let Some(score) = &results.score {
        section(&mut text, score_table(score));
    }
    section(&mut text, plugin_table(results));
    trouble(&mut text, results);
    text.trim_end().to_owned()
}

fn head(text: &mut String, results: &Results, colours: bool) {
    let totals = &results.totals;
    if results.simulated {
        let label = "SIMULATED: answers, tokens, cost and latency come from a simulated model";
        let line = if colours {
            format!("\x1b[1;33m{label}\x1b[0m")
        } else {
            label.to_owned()
        };
        let _ = writeln!(text, "{line}");
    }
    let mut table = table();
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    let ends = [
        ("success", totals.success),
        ("partial success", totals.partial_success),
        ("fallback", totals.fallback),
        ("validation failed", totals.validation_failed),
        ("pending human review", totals.pending_human_review),
        ("budget exceeded", totals.budget_exceeded),
        ("timeout", totals.timeout),
        ("failure", totals.failure),
        ("cancelled", totals.cancelled),
        ("running", totals.running),
        ("waiting", totals.waiting),
        ("in doubt", totals.in_doubt),
        ("interrupted", totals.interrupted),
        ("diverged", totals.diverged),
        ("unreadable", results.bad_records.len() as u64),
    ];
    let ends = ends
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{n} {name}"));
    row("workflow", results.workflow.clone());
    row(
        "records",
        format!(
            "{}: {}",
            totals.records,
            ends.collect::<Vec<_>>().join(", ")
        ),
    );
    for model in &results.models {
        row("model", format!("{} = {}", model.alias, model.what));
        let faults = model.faults.iter().map(|(name, n)| format!("{n} {name}"));
        if !model.faults.is_empty() {
            row("injected faults", faults.collect::<Vec<_>>().join(", "));
        }
        if let Some(budget) = &model.budget {
            row("budget", spent(budget));
        }
        if let Some(told) = model.chain.and_then(instead) {
            row("instead", told);
        }
        if let Some(missed) = &model.missed {
            row(
                "not recorded",
                format!("{} calls; {}", missed.count, missed.first),
            );
        }
    }
    let latency = &results.latency;
    let clock = if latency.simulated {
        " (simulated clock)"
    } else {
        ""
    };
    row(
        "latency per record",
        format!(
            "P50 {}, P95 {}{clock}",
            time(latency.p50_micros),
            time(latency.p95_micros)
        ),
    );
    row(
        "on this machine",
        format!(
            "P50 {}, P95 {} per record, {} in all, {} at once",
            time(latency.host_p50_micros),
            time(latency.host_p95_micros),
            time(totals.wall_micros),
            totals.concurrency
        ),
    );
    row(
        "calls",
        format!(
            "{} LLM ({} failed), {} tool, {}{} repairs, {} retries, {} cells",
            totals.llm_calls,
            totals.llm_errors,
            totals.tool_calls,
            match totals.http_requests {
                0 => String::new(),
                requests => format!("{requests} HTTP, "),
            },
            totals.repairs,
            totals.retries,
            totals.cells
        ),
    );
    let estimated = if totals.tokens_estimated {
        " (estimated)"
    } else {
        ""
    };
    row(
        "tokens",
        format!(
            "{} in, {} out{estimated}",
            totals.input_tokens, totals.output_tokens
        ),
    );
    row("cost", usd(totals.cost_micros));
    for account in &results.budgets.accounts {
        row("budget", standing(account));
    }
    section(text, table);
}

fn score_table(score: &ScoreResult) -> Table {
    let mut table = table();
    let group = score.grouped_by.clone().unwrap_or_default();
    let fields = score.all.fields.iter().map(|(field, _)| field.clone());
    table.set_header(
        [group, "right".to_owned(), "95 % interval".to_owned()]
            .into_iter()
            .chain(fields),
    );
    let row = |name: &str, tally: &TallyResult| {
        let (low, high) = tally.interval;
        let rate = format!("{:.0}–{:.0} %", low * 100.0, high * 100.0);
        let fields = tally.fields.iter().map(|(_, right)| right.to_string());
        let joint = format!("{}/{}", tally.right, tally.of);
        [name.to_owned(), joint, rate]
            .into_iter()
            .chain(fields)
            .collect::<Vec<_>>()
    };
    for (name, tally) in &score.groups {
        table.add_row(row(name, tally));
    }
    table.add_row(row("all", &score.all));
    right_align(&mut table, 1);
    table
}

fn plugin_table(results: &Results) -> Table {
    let mut table = table();
    table.set_header([
        "plugin",
        "kind",
        "digest",
        "calls",
        "time P50",
        "fuel P50",
        "fuel max",
        "peak memory",
        "ends",
    ]);
    for plugin in &results.plugins {
        let ends = plugin.ends.iter().map(|(end, n)| format!("{n} {end}"));
        let ends = ends.collect::<Vec<_>>().join(", ");
        table.add_row([
            plugin.name.clone(),
            plugin.kind.to_string(),
            plugin.digest.short(),
            plugin.calls.to_string(),
            time(plugin.wall_p50_micros),
            count(plugin.fuel_p50),
            count(plugin.fuel_max),
            format!("{} KiB", plugin.peak_memory / 1024),
            if plugin.calls == 0 {
                "not called".to_owned()
            } else if ends.is_empty() {
                "all ok".to_owned()
            } else {
                ends
            },
        ]);
    }
    // A name broken in two can be neither searched nor copied.
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    for column in 3..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Where something went wrong, to be read after what it was: nowhere in
/// particular when the workflow as a whole did.
pub(crate) fn place(step: &str) -> String {
    match step {
        "" => String::new(),
        step => format!(" in {step}"),
    }
}

fn trouble(text: &mut String, results: &Results) {
    for (r, count) in results.refusals.iter().take(REFUSALS) {
        let _ = writeln!(text, "refused {count} times: {}: {}", r.plugin, r.reason);
        if let Some(line) = &r.allow_with {
            let _ = writeln!(text, "  policy.toml would allow it with: {line}");
        }
    }
    if results.refusals.len() > REFUSALS {
        let more = results.refusals.len() - REFUSALS;
        let _ = writeln!(text, "and {more} other refusals");
    }
    for passed in &results.budgets.alerts {
        let (alert, accounts) = (&passed.alert, passed.accounts);
        let _ = writeln!(
            text,
            "{} % spent, {accounts} times: {}",
            alert.percent, alert.line
        );
    }
    for stopped in &results.stopped {
        let _ = writeln!(
            text,
            "stopped {} times: {}: {}",
            stopped.count, stopped.plugin, stopped.end
        );
    }
    if results.refusals.is_empty() && results.stopped.is_empty() {
        let _ = writeln!(text, "refusals and traps: none");
    }
    for error in results.errors.iter().take(ERRORS) {
        let message = text::shorten(&error.message, SHOWN);
        let place = place(&error.step);
        let _ = writeln!(text, "{} × {}{place}: {message}", error.count, error.code);
    }
    if results.errors.len() > ERRORS {
        let _ = writeln!(text, "and {} other errors", results.errors.len() - ERRORS);
    }
    for plugin in results.plugins.iter().filter(|p| p.log_dropped > 0) {
        let (name, lines) = (&plugin.name, plugin.log_dropped);
        let _ = writeln!(
            text,
            "{name} said too much: {lines} lines of its log were dropped"
        );
    }
    for bad in &results.bad_records {
        let _ = writeln!(text, "record {} was not run: {}", bad.index, bad.why);
    }
    if let Some(score) = &results.score
        && !score.without_gold.is_empty()
    {
        let _ = writeln!(
            text,
            "{} records have no gold answer",
            score.without_gold.len()
        );
    }
}

/// A table as all of ours look.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    table
}

pub(crate) fn right_align(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn section(text: &mut String, table: Table) {
    let _ = writeln!(text, "{table}");
}

/// What was answered otherwise than by asking the model, if anything was.
fn instead(counts: ChainCounts) -> Option<String> {
    let saved = usd(counts.saved_micros);
    let known = format!("answered as before, {saved} saved");
    let shortened = format!("shortened by {} tokens in all", counts.shortened_tokens);
    let told = [
        (counts.known, known.as_str()),
        (counts.backup, "by another model"),
        (counts.similar, "as a similar question"),
        (counts.safe_default, "with `safe_default`"),
        (counts.shortened, shortened.as_str()),
    ];
    let told = told.iter().filter(|(n, _)| *n > 0);
    let told: Vec<_> = told.map(|(n, how)| format!("{n} {how}")).collect();
    let calls = counts.calls;
    (!told.is_empty()).then(|| format!("of {calls} calls: {}", told.join("; ")))
}

/// How an account of the policy stands, in words.
fn standing(account: &Standing) -> String {
    let shown = |amount| match account.funds {
        Funds::Usd => usd(amount),
        Funds::Tokens => format!("{amount} tokens"),
    };
    let mut text = format!("{}: {} spent", account.line, shown(account.spent));
    if account.reserved > 0 {
        text += &format!(", {} set aside", shown(account.reserved));
    }
    if account.beyond > 0 {
        text += &format!(", {} of it more than was allowed", shown(account.beyond));
    }
    text
}

/// How a budget stands, in words.
fn spent(budget: &Spending) -> String {
    let mut text = format!("{} of {} spent", usd(budget.spent), usd(budget.cap));
    if budget.unclear > 0 {
        text += &format!(", {} more perhaps", usd(budget.unclear));
    }
    if budget.refused > 0 {
        text += &format!("; {} calls refused", budget.refused);
    }
    text
}

/// Micro-dollars as dollars, exactly.
pub(crate) fn usd(micros: u64) -> String {
    format!("{}.{:06} USD", micros / 1_000_000, micros % 1_000_000)
}

/// A time a person can compare: three digits or so.
pub(crate) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

/// A large number a person can compare.
pub(crate) fn count(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..10_000_000 => format!("{} k", number / 1_000),
        _ => format!("{} M", number / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_to_the_last_micro_dollar() {
        assert_eq!(usd(0), "0.000000 USD");
        assert_eq!(usd(1_234_567), "1.234567 USD");
    }

    #[test]
    fn times_and_counts_keep_about_three_digits() {
        assert_eq!(
            [time(999), time(1_500), time(2_345_678)],
            ["999 µs", "1.5 ms", "2.35 s"]
        );
        assert_eq!(
            [count(9_999), count(123_456), count(12_345_678)],
            ["9999", "123 k", "12 M"]
        );
    }
}
