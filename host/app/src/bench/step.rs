//! `hotcell bench step`: what a step costs, and an agent that waits for a model.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hotcell_broker::llm::LlmProvider;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::warm_calls;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::host::{self, Blocked, Host, caller, record, task};
use super::sheet::{Figures, Goal, Times, mappings, mib, resident, table, time};
use crate::command::Problem;
use crate::screen;

#[derive(Args)]
pub(crate) struct StepArgs {
    /// An agent that echoes its input for the kind `echo` and asks the model
    /// `default` once for the kind `ask`: a crate's folder or a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many steps are timed
    #[arg(long, value_name = "N", default_value_t = 20_000,
          value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    steps: u32,
    /// How many agents are held in flight, one measurement each
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [500, 5000],
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: Vec<u32>,
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
    in_flight: Vec<InFlight>,
}

#[derive(Serialize)]
struct InFlight {
    agents: u32,
    /// Resident memory of the whole process before the first one started.
    resident_before: u64,
    /// And with all of them blocked on a model call.
    resident_with: u64,
    bytes_per_agent: u64,
    /// Memory mappings of the process with all of them blocked.
    mappings: usize,
}

pub(crate) fn step(args: &StepArgs) -> Result<Step, Problem> {
    let bytes = host::component(&args.plugin)?;
    host::block_on(measure(args, &bytes))
}

async fn measure(args: &StepArgs, bytes: &[u8]) -> Result<Step, String> {
    // Memory first: what the timing leaves behind would count as overhead.
    let mut in_flight = Vec::new();
    for agents in &args.in_flight {
        screen::note(&format!("holding {agents} agents in flight"));
        in_flight.push(hold(bytes, *agents).await?);
    }
    screen::note(&format!("timing {} steps", args.steps));
    let host = Host::new(bytes, 64, Limits::default(), Arc::new(Blocked::default()))?;
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
    let records = (0..count).map(|_| record()).collect();
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
        in_flight,
    })
}

/// Starts so many agents that each ask a model which does not answer, measures,
/// lets it answer, and sees that all of them end well.
async fn hold(bytes: &[u8], agents: u32) -> Result<InFlight, String> {
    let model = Arc::new(Blocked::default());
    let provider = Arc::clone(&model) as Arc<dyn LlmProvider>;
    let host = Host::new(bytes, agents, Limits::default(), provider)?;
    let engine = Arc::new(host.engine("ask")?);
    let resident_before = resident();
    let runs: Vec<_> = (0..agents)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { engine.run(record(), CancellationToken::new()).await })
        })
        .collect();
    model.all_waiting(agents as usize).await;
    let resident_with = resident();
    let mappings = mappings();
    model.release();
    for run in runs {
        let report = run.await.map_err(|error| error.to_string())?;
        // The model's answer is a refusal, which the agent reports as its own.
        if report.error.as_ref().map(|e| e.code.as_str()) != Some("transient") {
            return Err(format!(
                "an agent ended as {}: {:?}",
                report.status, report.error
            ));
        }
    }
    let grown = resident_with.saturating_sub(resident_before);
    Ok(InFlight {
        agents,
        resident_before,
        resident_with,
        bytes_per_agent: grown / u64::from(agents),
        mappings,
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
        let held = self.in_flight.iter().map(|held| {
            [
                held.agents.to_string(),
                format!("{:.1} MiB", mib(held.resident_with)),
                format!("{:.1} MiB", mib(held.resident_before)),
                format!("{:.1} KiB", held.bytes_per_agent as f64 / 1024.0),
                held.mappings.to_string(),
            ]
        });
        let head = [
            "agents blocked on a model call",
            "resident in all",
            "before they started",
            "each",
            "mappings",
        ];
        text.push_str(&table(head, held));
        text
    }

    fn goals(&self) -> Vec<Goal> {
        Vec::new()
    }
}
