//! `hotcell bench density`: thousands of agents in flight, each waiting for a
//! model. What do they hold, and do they wait longer than the model takes?
//!
//! Each number of agents has a process of its own: what an allocator keeps from
//! one would count for the next.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotcell_broker::llm::LlmProvider;
use hotcell_runtime::manifest::Limits;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::host::{self, Host, Slow, record};
use super::sheet::{Figures, Goal, mappings, mib, resident, table};
use crate::command::Problem;
use crate::{screen, wire};

/// The goals: MB resident in all for up to so many agents, and how much longer
/// than the model they may take.
const RESIDENT_MB: [(u32, f64); 2] = [(500, 50.0), (10_000, 450.0)];
const WALL: f64 = 1.25;

#[derive(Args)]
pub(crate) struct DensityArgs {
    /// An agent that asks the model `default` once for the kind `ask`: a crate's
    /// folder or a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many agents are in flight, one measurement each
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [500, 5_000, 10_000],
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: Vec<u32>,
    /// How long the simulated model takes for each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000,
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    latency: u64,
}

#[derive(Serialize)]
pub(crate) struct Density {
    /// The model's; simulated.
    simulated_latency_ms: u64,
    /// Mappings that the kernel allows a process; 0 where it does not say.
    most_mappings: usize,
    in_flight: Vec<InFlight>,
}

/// One number of agents, all at once.
#[derive(Deserialize, Serialize)]
struct InFlight {
    agents: u32,
    /// Resident memory of the whole process before the first one started.
    resident_before: u64,
    /// And with all of them waiting for the model.
    resident_with: u64,
    bytes_per_agent: u64,
    /// Memory mappings of the process before, and with all of them waiting.
    mappings_before: usize,
    mappings: usize,
    /// From the first start to the last answer.
    wall_ms: f64,
    /// Against the model's latency: the baseline.
    ratio: f64,
}

pub(crate) fn density(args: &DensityArgs) -> Result<Density, Problem> {
    let mut in_flight = Vec::new();
    if let [agents] = args.agents.as_slice() {
        let bytes = host::component(&args.plugin)?;
        screen::note(&format!("holding {agents} agents in flight"));
        let latency = Duration::from_millis(args.latency);
        in_flight.push(host::block_on(hold(&bytes, *agents, latency))?);
    } else {
        let plugin = host::built(&args.plugin)?;
        for agents in &args.agents {
            in_flight.extend(in_its_own_process(&plugin, *agents, args.latency)?);
        }
    }
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    Ok(Density {
        simulated_latency_ms: args.latency,
        most_mappings: most.map_or(0, |most| most.trim().parse().unwrap_or(0)),
        in_flight,
    })
}

fn in_its_own_process(plugin: &Path, agents: u32, latency: u64) -> Result<Vec<InFlight>, Problem> {
    #[derive(Deserialize)]
    struct Told {
        in_flight: Vec<InFlight>,
    }
    let output = Command::new(wire::this_program()?)
        .args(["--json", "bench", "density", "--plugin"])
        .arg(plugin)
        .args(["--agents", &agents.to_string()])
        .args(["--latency", &latency.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(Problem::failed)?;
    if !output.status.success() {
        return Err(Problem::failed(format!(
            "with {agents} agents the measurement ended with {}",
            output.status
        )));
    }
    let told: Told = serde_json::from_slice(&output.stdout).map_err(Problem::failed)?;
    Ok(told.in_flight)
}

/// Starts so many agents, looks at the process while all of them wait for the
/// model, and sees that all of them end well.
async fn hold(bytes: &[u8], agents: u32, latency: Duration) -> Result<InFlight, String> {
    let model = Arc::new(Slow::new(latency));
    let provider = Arc::clone(&model) as Arc<dyn LlmProvider>;
    let host = Host::new(bytes, agents, Limits::default(), provider)?;
    let engine = Arc::new(host.engine("ask", 1)?);
    let (resident_before, mappings_before) = (resident(), mappings());
    let started = Instant::now();
    let runs: Vec<_> = (0..agents)
        .map(|_| {
            let engine = Arc::clone(&engine);
            host.cells
                .spawn(async move { engine.run(record(), CancellationToken::new()).await })
        })
        .collect();
    let ended = tokio::spawn(async move {
        for run in runs {
            let report = run.await.map_err(|error| error.to_string())?;
            if report.status != "success" {
                return Err(format!(
                    "an agent ended as {}: {:?}",
                    report.status, report.error
                ));
            }
        }
        Ok(started.elapsed())
    });
    tokio::time::timeout(latency, model.asked(agents as usize))
        .await
        .map_err(|_| {
            format!("{agents} agents were never in flight at once: take a longer `--latency`")
        })?;
    let (resident_with, mappings) = (resident(), mappings());
    let wall = ended.await.map_err(|error| error.to_string())??;
    let grown = resident_with.saturating_sub(resident_before);
    Ok(InFlight {
        agents,
        resident_before,
        resident_with,
        bytes_per_agent: grown / u64::from(agents),
        mappings_before,
        mappings,
        wall_ms: wall.as_secs_f64() * 1e3,
        ratio: wall.as_secs_f64() / latency.as_secs_f64(),
    })
}

impl Figures for Density {
    fn render(&self) -> String {
        let rows = self.in_flight.iter().map(|held| {
            [
                held.agents.to_string(),
                format!("{:.1} MiB", mib(held.resident_with)),
                format!("{:.1} MiB", mib(held.resident_before)),
                format!("{:.1} KiB", held.bytes_per_agent as f64 / 1024.0),
                held.mappings.to_string(),
                format!("{:.2} s", held.wall_ms / 1e3),
                format!("{:.2}", held.ratio),
            ]
        });
        let head = [
            "agents in flight",
            "resident in all",
            "before they started",
            "each",
            "mappings",
            "wall",
            "ratio",
        ];
        format!(
            "model     simulated, {:.2} s for each answer (baseline)\n\
             kernel    allows {} mappings\n{}",
            self.simulated_latency_ms as f64 / 1e3,
            self.most_mappings,
            table(head, rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for held in &self.in_flight {
            let agents = held.agents;
            if let Some((_, most)) = RESIDENT_MB.iter().find(|(count, _)| *count == agents) {
                let what = format!("{agents} agents, resident in all");
                let measured = held.resident_with as f64 / 1e6;
                goals.push(Goal::at_most(what, measured, *most, "MB"));
            }
            let what = format!("{agents} agents, wall against the model's latency");
            goals.push(Goal::at_most(what, held.ratio, WALL, "×"));
        }
        goals
    }
}
