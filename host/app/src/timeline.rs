//! One run as a picture: its steps, tries, effects and gates, in the order they
//! happened.

use std::fmt::Write;

use hotcell_broker::meter::{CellUse, Effect};
use hotcell_broker::text;
use hotcell_workflow::engine::{Attempt, Report, Wait};

use crate::report::{count, place, time, usd};

/// The longest text of a finding or an output that is shown.
const SHOWN: usize = 160;

/// The picture, ready to print.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    let cost = report
        .records
        .effects
        .iter()
        .map(|effect| effect.cost_micros)
        .sum();
    let _ = writeln!(
        out,
        "{}: {} in {}{}, {}",
        text::line(&report.task, SHOWN),
        report.status,
        time(report.latency_micros),
        if report.simulated_time() {
            " (simulated clock)"
        } else {
            ""
        },
        usd(cost)
    );
    let mut branches: Vec<Branch> = report.attempts.iter().map(|a| attempt(report, a)).collect();
    branches.push(Branch::leaf(ending(report)));
    draw(&mut out, &branches, "");
    out.trim_end().to_owned()
}

/// A line with what belongs under it.
struct Branch {
    line: String,
    under: Vec<Branch>,
}

impl Branch {
    fn leaf(line: String) -> Branch {
        Branch {
            line,
            under: Vec::new(),
        }
    }
}

fn draw(out: &mut String, branches: &[Branch], indent: &str) {
    for (at, branch) in branches.iter().enumerate() {
        let last = at + 1 == branches.len();
        let (fork, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let _ = writeln!(out, "{indent}{fork}{}", branch.line);
        draw(out, &branch.under, &format!("{indent}{below}"));
    }
}

fn attempt(report: &Report, attempt: &Attempt) -> Branch {
    let mut under = effects(report, &attempt.step, attempt.attempt);
    for (gate, verdict) in &attempt.gates {
        let path = format!("{}/{gate}", attempt.step);
        let mut line = format!("gate {gate}: {verdict}");
        line.push_str(&used(report, &path, attempt.attempt));
        under.push(Branch {
            line,
            under: effects(report, &path, attempt.attempt),
        });
    }
    for finding in &attempt.findings {
        let message = text::line(&finding.message, SHOWN);
        under.push(Branch::leaf(format!(
            "found {} {}: {message}",
            finding.pointer, finding.code
        )));
    }
    let waited = |it: &&Wait| it.step == attempt.step && it.attempt == attempt.attempt;
    for wait in report.waits.iter().filter(waited) {
        let ms = time(wait.ms.saturating_mul(1_000));
        let why = match wait.backoff {
            true => "before the next try",
            false => "at most",
        };
        under.push(Branch::leaf(format!("wait {ms} {why}")));
    }
    let used = used(report, &attempt.step, attempt.attempt);
    let (step, number, outcome) = (&attempt.step, attempt.attempt, &attempt.outcome);
    Branch {
        line: format!("{step}, try {number}: {outcome}{used}"),
        under,
    }
}

fn effects(report: &Report, step: &str, attempt: u32) -> Vec<Branch> {
    let mut effects: Vec<&Effect> = report
        .records
        .effects
        .iter()
        .filter(|effect| effect.step == step && effect.attempt == attempt)
        .collect();
    effects.sort_by_key(|effect| effect.sequence);
    effects
        .into_iter()
        .map(|effect| Branch::leaf(describe(effect)))
        .collect()
}

fn describe(effect: &Effect) -> String {
    let took = time(u64::try_from(effect.took.as_micros()).unwrap_or(u64::MAX));
    let (capability, resource) = (
        effect.capability.name(),
        text::line(&effect.resource, SHOWN),
    );
    let mut line = format!("{capability} {resource}: {}, {took}", effect.outcome);
    if effect.usage.input_tokens > 0 {
        let (input, output) = (effect.usage.input_tokens, effect.usage.output_tokens);
        let _ = write!(
            line,
            ", {input} + {output} tokens, {}",
            usd(effect.cost_micros)
        );
    }
    line
}

/// What the cell of a call used.
fn used(report: &Report, step: &str, attempt: u32) -> String {
    let mut cells = report.records.cells.iter();
    let cell: Option<&CellUse> = cells.find(|c| c.step == step && c.attempt == attempt);
    let describe = |cell: &CellUse| {
        let kib = cell.peak_memory / 1024;
        format!(" ({}, {} fuel, {kib} KiB)", cell.plugin, count(cell.fuel))
    };
    cell.map(describe).unwrap_or_default()
}

fn ending(report: &Report) -> String {
    match (&report.output, &report.error) {
        (Some(output), _) => format!("output {}", text::line(&output.to_string(), SHOWN)),
        (None, Some(error)) => {
            format!(
                "{}{}: {}",
                error.code,
                place(&error.step),
                text::line(&error.message, SHOWN)
            )
        }
        (None, None) => "no output".to_owned(),
    }
}
