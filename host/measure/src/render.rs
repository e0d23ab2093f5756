//! The report: findings as JSON, Markdown, HTML and charts.
//!
//! Everything here is a function of [`Findings`] alone: it draws what is in them
//! and computes nothing, so that no two forms can disagree. The same findings
//! give the same bytes. Texts in them are other people's: each form escapes them.

mod chart;
mod html;
mod markdown;
mod name;
mod number;
mod page;
mod section;
mod svg;
mod text;

#[cfg(test)]
mod tests;

use crate::findings::Findings;
use crate::trial::Benchmark;

/// What stands beside every number that a simulator has a part in.
pub const SIMULATED: &str =
    "SIMULATED: these figures describe a fault model, not a language model.";

/// The result file: [`Findings`] as they are, a superset of the course's. What is
/// simulated says so in the first note of `meta`, in words as well.
pub fn json(findings: &Findings) -> Result<String, serde_json::Error> {
    let notes = &findings.meta.notes;
    let written = if findings.meta.simulated && !notes.iter().any(|note| note == SIMULATED) {
        let mut labelled = findings.clone();
        labelled.meta.notes.insert(0, SIMULATED.to_owned());
        serde_json::to_string_pretty(&labelled)?
    } else {
        serde_json::to_string_pretty(findings)?
    };
    Ok(text::json(&written) + "\n")
}

/// The report as Markdown, as GitHub understands it. It shows the charts of
/// [`charts`], which are expected beside it.
pub fn markdown(findings: &Findings) -> String {
    markdown::write(&page::page(findings))
}

/// The report as one HTML file that needs no other.
pub fn html(findings: &Findings) -> String {
    html::write(&page::page(findings))
}

/// All charts there is anything to draw in, as SVG files: name and content.
pub fn charts(findings: &Findings) -> Vec<(String, String)> {
    let charts = chart::all(findings);
    let files = charts.iter().map(|chart| (chart.file(), chart.alone()));
    files.collect()
}

/// Success, error propagation, latency and cost side by side; none without arms.
pub fn chart_overview(findings: &Findings) -> Option<String> {
    chart::overview(findings).map(|chart| chart.alone())
}

/// Success with intervals, beside the course's points and windows; none without
/// arms.
pub fn chart_success(findings: &Findings) -> Option<String> {
    chart::success(findings).map(|chart| chart.alone())
}

/// The error propagation index; none if no fault was followed.
pub fn chart_epi(findings: &Findings) -> Option<String> {
    chart::epi(findings).map(|chart| chart.alone())
}

/// The 50th and the 95th percentile of latency; none without arms.
pub fn chart_latency(findings: &Findings) -> Option<String> {
    chart::latency(findings).map(|chart| chart.alone())
}

/// Cost as a multiple of the baseline's, and per success; none if nothing costs
/// anything.
pub fn chart_cost(findings: &Findings) -> Option<String> {
    chart::cost(findings).map(|chart| chart.alone())
}

/// Success per kind of task; none if there is one kind only.
pub fn chart_sets(findings: &Findings) -> Option<String> {
    chart::sets(findings).map(|chart| chart.alone())
}

/// What arms cost against how often they are right; none if nothing costs
/// anything, or with one arm.
pub fn chart_frontier(findings: &Findings) -> Option<String> {
    chart::frontier(findings).map(|chart| chart.alone())
}

/// From which stage faults spread to which; none if no fault was followed.
pub fn chart_cascades(findings: &Findings) -> Option<String> {
    chart::cascades(findings).map(|chart| chart.alone())
}

/// What the other arms gain or lose against the main arm of their pattern; none
/// without any.
pub fn chart_ablations(findings: &Findings) -> Option<String> {
    chart::ablations(findings).map(|chart| chart.alone())
}

fn title(findings: &Findings) -> String {
    match findings.meta.benchmark {
        Benchmark::Agentarch => "Pattern benchmark".to_owned(),
        Benchmark::Own => "Evaluation of own tasks".to_owned(),
    }
}
