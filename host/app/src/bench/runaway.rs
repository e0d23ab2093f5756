//! `hotcell bench runaway`: endless loops, many at once, each with a deadline.
//! How late were they stopped?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotcell_runtime::End;
use hotcell_runtime::manifest::Limits;
use serde::Serialize;
use tokio::time::Instant;

use super::host::{self, Host, NoModel, caller, task};
use super::sheet::{Figures, Goal, Times, table, time};
use crate::command::Problem;
use crate::screen;

/// More fuel than a loop burns before its deadline on any machine.
const FUEL: u64 = 1_000_000_000_000;

/// The goal: how late the 99th of a hundred may be, in milliseconds.
const LATE_MS: f64 = 20.0;

#[derive(Args)]
pub(crate) struct RunawayArgs {
    /// An agent that loops for ever for the kind `spin`: a crate's folder or a
    /// component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many loop at once
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: u32,
    /// How often all of them start again
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// The deadline of each, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    deadline: u64,
}

#[derive(Serialize)]
pub(crate) struct Runaway {
    agents: u32,
    rounds: u32,
    deadline_ms: u64,
    /// How late one loop is stopped with nothing else to do: the baseline.
    alone: Times,
    /// How late each of many at once is stopped.
    together: Times,
}

pub(crate) fn runaway(args: &RunawayArgs) -> Result<Runaway, Problem> {
    let bytes = host::component(&args.plugin)?;
    host::block_on(measure(args, &bytes))
}

async fn measure(args: &RunawayArgs, bytes: &[u8]) -> Result<Runaway, String> {
    let limits = Limits {
        fuel: Some(FUEL),
        deadline_ms: Some(args.deadline),
        ..Limits::default()
    };
    let host = Arc::new(Host::new(bytes, args.agents, limits, Arc::new(NoModel))?);
    let deadline = Duration::from_millis(args.deadline);
    let mut alone = Vec::new();
    screen::note("stopping one loop after another");
    for _ in 0..args.rounds {
        alone.push(late(&host, Instant::now(), deadline).await?);
    }
    let alone = Times::new(alone, None);
    let mut together = Vec::new();
    screen::note(&format!("stopping {} loops at once", args.agents));
    for _ in 0..args.rounds {
        let started = Instant::now();
        let loops: Vec<_> = (0..args.agents)
            .map(|_| {
                let host = Arc::clone(&host);
                let here = Arc::clone(&host);
                here.cells
                    .spawn(async move { late(&host, started, deadline).await })
            })
            .collect();
        for one in loops {
            together.push(one.await.map_err(|error| error.to_string())??);
        }
    }
    Ok(Runaway {
        agents: args.agents,
        rounds: args.rounds,
        deadline_ms: args.deadline,
        together: Times::new(together, Some(&alone)),
        alone,
    })
}

/// Runs one endless loop: how long after its deadline the host had it back. The
/// deadline counts from when it was asked for, whatever it then had to wait for.
async fn late(host: &Host, started: Instant, deadline: Duration) -> Result<Duration, String> {
    let mut caller = caller();
    caller.deadline = started + deadline;
    let end = host
        .cells
        .run(&host.plugin, &host.broker, caller, task("spin"))
        .await;
    let took = started.elapsed();
    match end {
        End::Deadline => Ok(took.saturating_sub(deadline)),
        other => Err(format!("a loop ended as {}: {other:?}", other.code())),
    }
}

impl Figures for Runaway {
    fn render(&self) -> String {
        let row = |name: String, times: &Times| {
            [
                name,
                time(times.p50_ns),
                time(times.p99_ns),
                time(times.max_ns),
                format!("{:.1}", times.ratio),
            ]
        };
        let rows = [
            row("one loop (baseline)".to_owned(), &self.alone),
            row(format!("{} loops at once", self.agents), &self.together),
        ];
        format!(
            "rounds    {}, each loop with a deadline of {} ms\n{}",
            self.rounds,
            self.deadline_ms,
            table(["stopped so late", "P50", "P99", "max", "ratio"], rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        let late = self.together.p99_ns as f64 / 1e6;
        let what = format!("{} loops stopped, lateness P99", self.agents);
        vec![Goal::at_most(what, late, LATE_MS, "ms")]
    }
}
