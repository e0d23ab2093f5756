//! `hotcell bench compute`: the same computing natively and in a cell, with each
//! meter on and off. What do the sandbox and its meters cost?

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hotcell_runtime::{Meters, Rig};
use serde::Serialize;
use tokio::time::Instant;

use super::host::{self, caller, task};
use super::sheet::{Figures, Goal, nanos, percentile, table, time};
use crate::command::Problem;
use crate::screen;

#[path = "../../../../tests/guests/kernels/src/compute.rs"]
mod kernels;

#[derive(Args)]
pub(crate) struct ComputeArgs {
    /// The agent that computes: a crate's folder or a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/kernels")]
    plugin: PathBuf,
    /// How often each kernel is computed in one call
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// How often each call is made; the median counts
    #[arg(long, value_name = "N", default_value_t = 9,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,
}

/// Which meters are on, and what that is called. The last is how guests run.
const VARIANTS: [(&str, Meters); 6] = [
    ("no meter", meters(false, false, false)),
    ("NaN", meters(false, false, true)),
    ("epoch", meters(false, true, false)),
    ("fuel", meters(true, false, false)),
    ("fuel, epoch", meters(true, true, false)),
    ("all three", meters(true, true, true)),
];

const fn meters(fuel: bool, epoch: bool, one_nan: bool) -> Meters {
    Meters {
        fuel,
        epoch,
        one_nan,
    }
}

#[derive(Serialize)]
pub(crate) struct Compute {
    rounds: u32,
    repeat: u32,
    kernels: Vec<Kernel>,
}

#[derive(Serialize)]
struct Kernel {
    name: &'static str,
    /// One round natively, median: the baseline.
    native_ns: u64,
    in_a_cell: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    meters: &'static str,
    /// One round, median.
    ns: u64,
    /// Against native.
    ratio: f64,
}

pub(crate) fn compute(args: &ComputeArgs) -> Result<Compute, Problem> {
    let bytes = host::component(&args.plugin)?;
    host::block_on(measure(args, &bytes))
}

async fn measure(args: &ComputeArgs, bytes: &[u8]) -> Result<Compute, String> {
    let rigs = VARIANTS.map(|(name, meters)| {
        screen::note(&format!("compiling with {name}"));
        Rig::new(bytes, meters).map(|rig| (name, rig))
    });
    let rigs: Vec<_> = rigs.into_iter().collect::<Result<_, _>>()?;
    let mut kernels = Vec::new();
    for name in kernels::KERNELS {
        screen::note(&format!("computing {name}"));
        let native = |rounds| {
            let calls = 0..args.repeat;
            let calls = calls.map(|_| {
                let started = Instant::now();
                let sum = kernels::run(name, rounds);
                std::hint::black_box(sum);
                started.elapsed()
            });
            calls.collect()
        };
        let native_ns = one_round(native(args.rounds), native(0), args.rounds);
        let mut in_a_cell = Vec::new();
        for (meters, rig) in &rigs {
            let all = call(rig, name, args.rounds, args.repeat).await?;
            let none = call(rig, name, 0, args.repeat).await?;
            let ns = one_round(all, none, args.rounds);
            in_a_cell.push(Cell {
                meters,
                ns,
                ratio: ns as f64 / native_ns.max(1) as f64,
            });
        }
        kernels.push(Kernel {
            name,
            native_ns,
            in_a_cell,
        });
    }
    Ok(Compute {
        rounds: args.rounds,
        repeat: args.repeat,
        kernels,
    })
}

/// Calls the agent on a live instance, and sees that it computed the same.
async fn call(rig: &Rig, kernel: &str, rounds: u32, repeat: u32) -> Result<Vec<Duration>, String> {
    let mut task = task(kernel);
    task.input = serde_json::json!({"kernel": kernel, "rounds": rounds}).to_string();
    let (took, output) = rig
        .calls(&host::no_broker()?, caller(), task, repeat)
        .await?;
    let sum = kernels::run(kernel, rounds).unwrap_or_default();
    let right = serde_json::json!({"sum": sum.to_string()});
    match serde_json::from_str::<serde_json::Value>(&output) {
        Ok(answer) if answer == right => Ok(took),
        _ => Err(format!("{kernel}: the cell computed {output}, not {right}")),
    }
}

/// What a round takes, without what making its input takes.
fn one_round(all: Vec<Duration>, none: Vec<Duration>, rounds: u32) -> u64 {
    let median = |times: Vec<Duration>| {
        let mut times: Vec<_> = times.into_iter().map(nanos).collect();
        times.sort_unstable();
        percentile(&times, 50)
    };
    median(all).saturating_sub(median(none)) / u64::from(rounds)
}

impl Figures for Compute {
    fn render(&self) -> String {
        let rows = self.kernels.iter().map(|kernel| {
            let ratio = |at: usize| {
                let cell = kernel.in_a_cell.get(at);
                cell.map_or_else(String::new, |cell| format!("{:.2}", cell.ratio))
            };
            [
                kernel.name.to_owned(),
                time(kernel.native_ns),
                ratio(0),
                ratio(1),
                ratio(2),
                ratio(3),
                ratio(4),
                ratio(5),
            ]
        });
        let [a, b, c, d, e, f] = VARIANTS.map(|(name, _)| name);
        format!(
            "rounds    {} in a call, medians of {} calls; times native (baseline) in a cell, by \
             meters\n{}",
            self.rounds,
            self.repeat,
            table(["", "native", a, b, c, d, e, f], rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_computes_what_the_standard_says() {
        // The rest of the digest is not looked at.
        assert_eq!(super::kernels::sha256(b"abc"), 0xba78_16bf_8f01_cfea);
    }
}
