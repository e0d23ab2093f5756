//! What runs did, for programs that watch many: spans and metrics with the names
//! that OpenTelemetry has for them, over OTLP or as a page for Prometheus.
//!
//! Durations, counts and names leave; what was asked, answered or said never does.
//! Every name is an operator's or an author's word, passes the text gate and is
//! one of at most [`sample::NAMES`] for its label; the rest are `other`.

mod otlp;
mod page;
mod sample;
mod spans;

use std::path::PathBuf;

use clap::Args;
use hotcell_workflow::engine::Report;

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, all};
use crate::manifest::Checked;
use crate::manifest::host::Provider;
use crate::screen;
use crate::state::State;
use sample::{Names, Samples};

#[derive(Args)]
pub(crate) struct MetricsArgs {
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// `hotcell metrics`: what all runs that are kept add up to, as Prometheus reads it.
pub(crate) fn metrics(args: &MetricsArgs, output: Output) -> Result<Exit, Problem> {
    let state = State::at(args.state.as_deref());
    let mut samples = Samples::default();
    if state.exists() {
        let reader = state.read()?;
        for row in all(&state, &reader)? {
            let kept = Kept::read(&state, &reader, row)?;
            let names = Names::of_workflow(&kept.row.workflow);
            samples.add(&kept.report(), &names);
        }
    }
    let page = page::render(&samples).map_err(Problem::failed)?;
    match output.json {
        true => screen::json(&serde_json::json!({ "openmetrics": page }).to_string()),
        false => screen::result(page.trim_end()),
    }
    Ok(Exit::Done)
}

/// Tells a collector about runs that have ended, if the host file names one. What
/// does not arrive is told and costs the run nothing.
pub(crate) fn export(checked: &Checked, reports: &[Report]) {
    let Some(collector) = &checked.host.telemetry else {
        return;
    };
    let mut names = Names::of_workflow(&checked.workflow.plan.name);
    for (alias, model) in &checked.host.models {
        if let Provider::Remote { model, .. } = &model.provider {
            names.models.insert(alias.clone(), model.clone());
        }
    }
    let mut samples = Samples::default();
    let mut traces = Vec::new();
    for report in reports {
        samples.add(report, &names);
        traces.push(spans::of(report, &names));
    }
    if let Err(why) = otlp::send(collector, traces, samples) {
        screen::note(&format!("`{collector}` did not take the telemetry: {why}"));
    }
}
