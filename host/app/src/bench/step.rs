//! `hotcell bench step`: what a step costs, against a call on a live instance.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::warm_calls;
use hotcell_workflow::engine::Job;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::host::{self, Host, NoModel, caller, record, task};
use super::sheet::{Figures, Goal, Times, table, time};
use crate::command::Problem;
use crate::screen;

#[derive(Args)]
pub(crate) struct StepArgs {
    /// An agent that echoes its input for the kind `echo`: a crate's folder or a
    /// component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many steps are timed
    #[arg(long, value_name = "N", default_value_t = 20_000,
          value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    steps: u32,
}

#[derive(Serialize)]
pub(crate) struct Step {
    steps: u32,
    /// A call on a live instance: the baseline.
    warm_call: Times,
    /// A call in a fresh cell, without the engine.
    fresh_cell: Times,
    /// A step of the engine: a run of one step in a fresh cell.
    step: Times,
    /// Steps a second when as many run at once as there are processors.
    parallel_steps_per_second: u64,
}

pub(crate) fn step(args: &StepArgs) -> Result<Step, Problem> {
    let bytes = host::component(&args.plugin)?;
    host::block_on(measure(args, &bytes))
}

async fn measure(args: &StepArgs, bytes: &[u8]) -> Result<Step, String> {
    screen::note(&format!("timing {} steps", args.steps));
    let host = Host::new(bytes, 64, Limits::default(), Arc::new(NoModel))?;
    let count = args.steps as usize;
    let warm = warm_calls(&host.plugin, &host.broker, caller(), task("echo"), count).await?;
    let warm = Times::new(warm, None);
    let mut fresh = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        host.cells
            .run(&host.plugin, &host.broker, caller(), task("echo"))
            .await;
        fresh.push(started.elapsed());
    }
    let engine = Arc::new(host.engine("echo")?);
    let mut steps = Vec::with_capacity(count);
    for _ in 0..count {
        let (record, cancel) = (record(), CancellationToken::new());
        let started = Instant::now();
        let report = engine.run(record, cancel).await;
        steps.push(started.elapsed());
        if report.status != "success" {
            return Err(format!(
                "a step ended as {}: {:?}",
                report.status, report.error
            ));
        }
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let records = (0..count).map(|_| Job::Run(record())).collect();
    let started = Instant::now();
    engine
        .run_all(records, processors, &CancellationToken::new(), |_| {})
        .await;
    let parallel = count as f64 / started.elapsed().as_secs_f64();
    Ok(Step {
        steps: args.steps,
        fresh_cell: Times::new(fresh, Some(&warm)),
        step: Times::new(steps, Some(&warm)),
        warm_call: warm,
        parallel_steps_per_second: parallel as u64,
    })
}

impl Figures for Step {
    fn render(&self) -> String {
        let rows = [
            ("warm call (baseline)", &self.warm_call),
            ("call in a fresh cell", &self.fresh_cell),
            ("step of the engine", &self.step),
        ];
        let rows = rows.map(|(name, times)| {
            [
                name.to_owned(),
                time(times.p50_ns),
                time(times.p99_ns),
                format!("{:.1}", times.ratio),
            ]
        });
        let mut text = format!("steps     {}\n", self.steps);
        text.push_str(&table(["", "P50", "P99", "ratio"], rows));
        text.push_str(&format!(
            "in parallel: {} steps a second\n",
            self.parallel_steps_per_second
        ));
        text
    }

    fn goals(&self) -> Vec<Goal> {
        Vec::new()
    }
}
