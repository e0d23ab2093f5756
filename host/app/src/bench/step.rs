//! `hotcell bench step`: what a step costs, against a call on a live instance; and
//! what it costs that it survives a loss of power, against the disk alone.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::warm_calls;
use hotcell_workflow::engine::Job;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::durable::{expect, kept};
use super::host::{self, Host, NoModel, STEPS, caller, record, task};
use super::sheet::{Figures, Goal, Times, table, time};
use crate::command::Problem;
use crate::screen;

/// So many durable steps are timed at most: each waits for the disk.
const DURABLE: u32 = 2_000;

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
    /// The disk of the durable steps: a folder on it [default: the user's folder
    /// for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Serialize)]
pub(crate) struct Step {
    steps: u32,
    file_system: String,
    /// A call on a live instance: the baseline.
    warm_call: Times,
    /// A call in a fresh cell, without the engine.
    fresh_cell: Times,
    /// A step of the engine: a run of one step in a fresh cell.
    step: Times,
    /// A step that survives a loss of power: a tenth of a run of ten, one run at a
    /// time.
    durable_step: Times,
    /// Until four kibibytes are on the disk, at the end of a file: what a durable
    /// step waits for.
    sync: Times,
    /// And in its middle.
    sync_in_place: Times,
    /// Steps a second when as many run at once as there are processors.
    parallel_steps_per_second: u64,
}

pub(crate) fn step(args: &StepArgs) -> Result<Step, Problem> {
    let bytes = host::component(&args.plugin)?;
    let disk = Disk::new(args.state.as_deref())?;
    host::block_on(measure(args, &bytes, &disk))
}

async fn measure(args: &StepArgs, bytes: &[u8], disk: &Disk) -> Result<Step, String> {
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
    let engine = Arc::new(host.engine("echo", 1)?);
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
    let journal = disk.durable("step")?;
    let durable = kept(host.engine("echo", STEPS)?, &journal);
    let mut durable_steps = Vec::new();
    for _ in 0..args.steps.min(DURABLE) / STEPS {
        let started = Instant::now();
        expect(&durable, host::fresh_record()).await?;
        durable_steps.push(started.elapsed() / STEPS);
    }
    let [sync, in_place] = disk.syncs()?.map(|times| Times::new(times, Some(&warm)));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let records = (0..count).map(|_| Job::Run(record())).collect();
    let started = Instant::now();
    engine
        .run_all(records, processors, &CancellationToken::new(), |_| {})
        .await;
    let parallel = count as f64 / started.elapsed().as_secs_f64();
    Ok(Step {
        steps: args.steps,
        file_system: disk.file_system(),
        durable_step: Times::new(durable_steps, Some(&warm)),
        sync,
        sync_in_place: in_place,
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
            ("durable step", &self.durable_step),
            ("the disk alone", &self.sync),
            ("the same in place", &self.sync_in_place),
        ];
        let rows = rows.map(|(name, times)| {
            [
                name.to_owned(),
                time(times.p50_ns),
                time(times.p99_ns),
                format!("{:.1}", times.ratio),
            ]
        });
        let mut text = format!("steps     {}\ndisk      {}\n", self.steps, self.file_system);
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
