//! What came of it, written and told: the report in all its forms, a table for the
//! screen, and whether a second run came to the same.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use hotcell_measure::findings::{Estimate, Findings, Interval};
use hotcell_measure::render;
use hotcell_store::Digest;

use crate::command::{Exit, Output, Problem};
use crate::{findings, screen};

/// SHA-256 over everything that does not differ between equal studies.
pub(super) fn digest(findings: &Findings) -> Result<Digest, Problem> {
    let text = serde_json::to_string(&findings.comparable()).map_err(Problem::failed)?;
    Ok(Digest::of(text.as_bytes()))
}

/// Writes the report into a folder and says what is in it.
pub(super) fn report(findings: &Findings, folder: &Path, output: Output) -> Result<(), Problem> {
    let json = findings::report(findings, folder)?;
    match output.json {
        true => screen::json(&json),
        false => screen::result(&shown(findings, folder)?),
    }
    Ok(())
}

/// The table for the screen.
fn shown(findings: &Findings, folder: &Path) -> Result<String, Problem> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "arm",
        "success",
        "95 % interval",
        "EPI",
        "P50",
        "P95",
        "cost",
        "calls",
        "USD per success",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for arm in findings.pattern_results.iter().chain(&findings.variants) {
        let of = &arm.overall;
        let number = |it: Option<Estimate>, unit: &str| match it {
            Some(it) => format!("{:.2}{unit}", it.value),
            None => "–".to_owned(),
        };
        let (success, interval) = match of.success {
            Some(it) => (
                format!("{:.1} %", it.value * 100.0),
                it.interval.map(per_cent),
            ),
            None => ("–".to_owned(), None),
        };
        let dollars = of.cost.per_success_usd.map(|it| format!("{:.4}", it.value));
        table.add_row([
            arm.arm.clone(),
            success,
            interval.unwrap_or_else(|| "–".to_owned()),
            number(of.propagation.epi, ""),
            number(of.latency.p50_s, " s"),
            number(of.latency.p95_s, " s"),
            number(of.cost.multiplier, " ×"),
            number(of.cost.calls_per_task, ""),
            dollars.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    let mut lines = Vec::new();
    if findings.meta.simulated {
        lines.push(render::SIMULATED.to_owned());
    }
    lines.push(table.to_string());
    for failed in &findings.failed {
        lines.push(format!(
            "the arm {} came to nothing: {}",
            failed.arm, failed.why
        ));
    }
    for check in &findings.checks {
        let holds = check
            .holds
            .map_or("not to be said", |it| if it { "true" } else { "false" });
        lines.push(format!("check {}: {holds}: {}", check.id, check.text));
    }
    lines.push(format!("digest {}", digest(findings)?));
    lines.push(format!("report: {}", folder.join("report.html").display()));
    Ok(lines.join("\n"))
}

fn per_cent(interval: Interval) -> String {
    format!("{:.1}–{:.1} %", interval.low * 100.0, interval.high * 100.0)
}

/// Compares with the report of before.
pub(super) fn verify(findings: &Findings, folder: &Path) -> Result<Exit, Problem> {
    let path = folder.join(findings::JSON);
    let shown = path.display();
    let files = |why: String| {
        let help = "run the same command without `--verify` first";
        Problem::new(
            Exit::Files,
            miette::miette!(help = help, "`{shown}`: {why}"),
        )
    };
    let text = std::fs::read_to_string(&path).map_err(|error| files(error.to_string()))?;
    let before: Findings = serde_json::from_str(&text).map_err(|error| files(error.to_string()))?;
    // What the report says in words about a simulation is not in the findings.
    let again = render::json(findings).map_err(Problem::failed)?;
    let again: Findings = serde_json::from_str(&again).map_err(Problem::failed)?;
    let (before, again) = (digest(&before)?, digest(&again)?);
    match before == again {
        true => {
            screen::result(&format!("the same, byte for byte: {again}"));
            Ok(Exit::Done)
        }
        false => {
            screen::result(&format!("not the same: {before} before, {again} now"));
            Ok(Exit::Diverged)
        }
    }
}
