//! What an evaluation came to, in the terminal: what the report has at greater
//! length.

use std::fmt::Write;

use comfy_table::Table;
use hotcell_broker::text;
use hotcell_measure::Findings;
use hotcell_measure::findings::{ArmFindings, Estimate, Measures, Pair};

use super::gates;
use crate::report::{right_align, table};

/// What it all came to, ready to print.
pub(super) fn render(findings: &Findings, colours: bool) -> String {
    let mut text = String::new();
    if findings.meta.simulated {
        let label = "SIMULATED: answers, tokens, cost and latency come from a simulated model";
        let _ = match colours {
            true => writeln!(text, "\x1b[1;33m{label}\x1b[0m"),
            false => writeln!(text, "{label}"),
        };
    }
    let _ = writeln!(text, "{}", overall(findings));
    if let Some(parts) = parts(findings) {
        let _ = writeln!(text, "{parts}");
    }
    for pair in &findings.pairs {
        let _ = writeln!(text, "{}", compared(pair));
    }
    for check in &findings.checks {
        let met = match check.holds {
            Some(true) => "met",
            _ => "NOT MET",
        };
        let measured = gates::measured(check);
        let _ = writeln!(text, "gate {met}: {}; measured: {measured}", check.text);
    }
    for failed in &findings.failed {
        let _ = writeln!(text, "{}: {}", line(&failed.arm), line(&failed.why));
    }
    text.trim_end().to_owned()
}

fn line(text: &str) -> String {
    text::line(text, text::LINE)
}

/// A row for each arm.
fn overall(findings: &Findings) -> Table {
    let arms = &findings.pattern_results;
    let tries = findings.meta.seeds.len();
    let is_labelled = arms.iter().any(|arm| arm.overall.label.is_some());
    let mut table = table();
    let mut head = vec!["workflow".to_owned(), "right".to_owned()];
    head.push("interval".to_owned());
    if tries > 1 {
        head.push(format!("pass@{tries}"));
        head.push(format!("pass^{tries}"));
    }
    if is_labelled {
        head.extend(["balanced", "MCC"].map(str::to_owned));
    }
    head.extend(["P50", "P95", "USD/task", "calls/task"].map(str::to_owned));
    table.set_header(head);
    for arm in arms {
        table.add_row(row(arm, tries, is_labelled));
    }
    right_align(&mut table, 1);
    table
}

fn row(arm: &ArmFindings, tries: usize, is_labelled: bool) -> Vec<String> {
    let all = &arm.overall;
    let interval = gates::success(arm).and_then(|it| it.interval);
    let mut row = vec![line(&arm.arm), right(all)];
    row.push(interval.map_or_else(none, |it| {
        format!("{:.0}–{:.0} %", it.low * 100.0, it.high * 100.0)
    }));
    if tries > 1 {
        let pass = all.pass.iter().find(|pass| pass.k == tries as u64);
        row.push(pass.map_or_else(none, |pass| percent(pass.any)));
        row.push(pass.map_or_else(none, |pass| percent(pass.all)));
    }
    if is_labelled {
        let label = all.label;
        let balanced = label.and_then(|it| it.balanced_accuracy);
        let mcc = label.and_then(|it| it.mcc);
        row.push(balanced.map_or_else(none, percent));
        row.push(mcc.map_or_else(none, |it| format!("{it:.2}")));
    }
    let shown =
        |of: Option<Estimate>, show: fn(f64) -> String| of.map_or_else(none, |it| show(it.value));
    row.push(shown(all.latency.p50_s, |it| format!("{it:.2} s")));
    row.push(shown(all.latency.p95_s, |it| format!("{it:.2} s")));
    row.push(shown(all.cost.per_task_usd, |it| format!("{it:.6}")));
    row.push(shown(all.cost.calls_per_task, |it| format!("{it:.2}")));
    row
}

/// So many of so many.
fn right(of: &Measures) -> String {
    let share = of.success.map_or(0.0, |it| it.value);
    format!("{:.0}/{}", share * of.trials as f64, of.trials)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn none() -> String {
    "–".to_owned()
}

/// How often each field was right, and the tasks of each set; a column for each arm.
fn parts(findings: &Findings) -> Option<Table> {
    let arms = &findings.pattern_results;
    let mut table = table();
    let names = arms.iter().map(|arm| line(&arm.arm));
    let head = std::iter::once("right by".to_owned());
    table.set_header(head.chain(names));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut sets: Vec<&String> = arms.iter().flat_map(|arm| arm.sets.keys()).collect();
    sets.sort();
    sets.dedup();
    if sets.len() > 1 {
        for set in sets {
            let of = arms
                .iter()
                .map(|arm| arm.sets.get(set).map_or_else(none, right));
            let name = std::iter::once(format!("set {}", line(set)));
            rows.push(name.chain(of).collect());
        }
    }
    let fields = arms.iter().flat_map(|arm| arm.overall.fields.keys());
    let mut fields: Vec<&String> = fields.collect();
    fields.sort();
    fields.dedup();
    if fields.len() > 1 {
        for field in fields {
            let count = |arm: &ArmFindings| match arm.overall.fields.get(field) {
                Some(found) => format!("{}/{}", found.right, found.trials),
                None => none(),
            };
            let name = std::iter::once(format!("field {}", line(field)));
            rows.push(name.chain(arms.iter().map(count)).collect());
        }
    }
    if rows.is_empty() {
        return None;
    }
    table.add_rows(rows);
    right_align(&mut table, 1);
    Some(table)
}

/// What one arm is better by than another, and whether that can be chance.
fn compared(pair: &Pair) -> String {
    let points = |it: f64| format!("{:+.1}", it * 100.0);
    let difference = pair.difference.map_or_else(none, |it| {
        let interval = it.interval.map_or_else(String::new, |it| {
            format!(", 95 % interval {} to {}", points(it.low), points(it.high))
        });
        format!("{} points{interval}", points(it.value))
    });
    let told = match pair.significant {
        true => "significant",
        false => "may be chance",
    };
    format!(
        "{} against {}: {difference}; only the first is right on {}, only the second on {}; \
         McNemar p = {:.3}, adjusted {:.3}: {told}",
        line(&pair.a),
        line(&pair.b),
        pair.only_a,
        pair.only_b,
        pair.mcnemar_p,
        pair.holm_p
    )
}
