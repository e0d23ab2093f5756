//! `hotcell bench limits`: guests that run into each limit. How late or how far
//! over did it bite, and what had it cost the host by then?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotcell_broker::meter::{Meter, Records};
use hotcell_broker::{EFFECTS, text};
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::{GUEST_STACK, HOST_OBJECTS, HOSTCALL_BYTES, LOG_BYTES};
use serde::Serialize;
use tokio::time::Instant;

use super::host::{self, Host, LONG, Slow, caller, task};
use super::sheet::{Figures, Goal, Times, cpu_time, nanos, peak_resident, percentile, reset_peak};
use super::sheet::{resident, size, table, time};
use crate::command::Problem;
use crate::report::count;
use crate::screen;

/// The goal: how late a deadline of a busy guest may bite, in milliseconds.
const LATE_MS: f64 = 20.0;

#[derive(Args)]
pub(crate) struct LimitsArgs {
    /// An agent with the behaviours of `tests/guests/probe`: a crate's folder or
    /// a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How often a guest runs into each limit
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
}

#[derive(Serialize)]
pub(crate) struct Bites {
    rounds: u32,
    /// Processor time of a call that runs into nothing: the baseline.
    good_call_cpu: Times,
    limits: Vec<Bite>,
}

/// One limit, run into over and over.
#[derive(Serialize)]
struct Bite {
    limit: &'static str,
    configured: u64,
    unit: Unit,
    /// How each call ended.
    ended: &'static str,
    /// How much more than configured there was, or how late it was; none where
    /// nobody can see it from outside.
    over: Option<Over>,
    /// Processor time of this process for one call, user and system.
    cpu: Times,
    /// The most resident memory that one call added to this process.
    memory: u64,
}

#[derive(Serialize)]
struct Over {
    p50: u64,
    p99: u64,
    max: u64,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Fuel,
    Nanoseconds,
    Bytes,
    Pieces,
}

impl Unit {
    fn show(self, number: u64) -> String {
        match self {
            Unit::Nanoseconds => time(number),
            Unit::Bytes => size(number),
            Unit::Fuel | Unit::Pieces => count(number),
        }
    }
}

/// What is seen of one call from outside.
struct Seen {
    took: Duration,
    records: Records,
}

/// One way to run into a limit.
struct Attack {
    limit: &'static str,
    kind: &'static str,
    limits: Limits,
    configured: u64,
    unit: Unit,
    /// How much there was of what is limited.
    measured: fn(&Seen) -> Option<u64>,
}

/// A deadline long enough to be seen, short enough for a hundred rounds.
const DEADLINE: Duration = Duration::from_millis(50);
const FUEL: u64 = 10_000_000;
const MEMORY_MIB: u32 = 64;

/// More fuel than anything here burns.
const MUCH: Limits = Limits {
    fuel: Some(1_000_000_000_000),
    memory_mib: None,
    deadline_ms: None,
    concurrency: None,
    queue: None,
};

fn attacks() -> Vec<Attack> {
    let short = Limits {
        deadline_ms: u64::try_from(DEADLINE.as_millis()).ok(),
        ..MUCH
    };
    let took = |seen: &Seen| Some(nanos(seen.took));
    let said = |seen: &Seen| {
        let said = seen.records.log.iter();
        Some(said.map(|line| line.text.len() as u64).sum())
    };
    vec![
        Attack {
            limit: "fuel",
            kind: "spin",
            limits: Limits {
                fuel: Some(FUEL),
                ..Limits::default()
            },
            configured: FUEL,
            unit: Unit::Fuel,
            // A trap leaves no count that could be trusted.
            measured: |_| None,
        },
        Attack {
            limit: "deadline, of a loop",
            kind: "spin",
            limits: short,
            configured: nanos(DEADLINE),
            unit: Unit::Nanoseconds,
            measured: took,
        },
        Attack {
            limit: "deadline, waiting for a model",
            kind: "ask",
            limits: short,
            configured: nanos(DEADLINE),
            unit: Unit::Nanoseconds,
            measured: took,
        },
        Attack {
            limit: "memory of a cell",
            kind: "grow",
            limits: Limits {
                memory_mib: Some(MEMORY_MIB),
                ..MUCH
            },
            configured: u64::from(MEMORY_MIB) << 20,
            unit: Unit::Bytes,
            measured: |seen| seen.records.cells.first().map(|cell| cell.peak_memory),
        },
        Attack {
            limit: "guest's stack",
            kind: "recurse",
            limits: MUCH,
            configured: GUEST_STACK as u64,
            unit: Unit::Bytes,
            // What lies on the stack is not counted, only where it ends.
            measured: |_| None,
        },
        Attack {
            limit: "bytes of one host call",
            kind: "big-prompt",
            limits: MUCH,
            configured: HOSTCALL_BYTES as u64,
            unit: Unit::Bytes,
            // Refused before it is copied: nothing of it arrives.
            measured: |_| None,
        },
        Attack {
            limit: "host objects",
            kind: "hold-streams",
            limits: MUCH,
            configured: HOST_OBJECTS as u64,
            unit: Unit::Pieces,
            measured: |seen| Some(seen.records.effects.len() as u64),
        },
        Attack {
            limit: "effects of an attempt",
            kind: "ask-forever",
            limits: MUCH,
            configured: u64::from(EFFECTS),
            unit: Unit::Pieces,
            measured: |seen| Some(seen.records.effects.len() as u64),
        },
        Attack {
            limit: "log of a call",
            kind: "flood-log",
            limits: MUCH,
            configured: LOG_BYTES as u64,
            unit: Unit::Bytes,
            measured: said,
        },
        Attack {
            limit: "one line of text",
            kind: "long-line",
            limits: MUCH,
            configured: text::LINE as u64,
            unit: Unit::Bytes,
            measured: said,
        },
    ]
}

pub(crate) fn limits(args: &LimitsArgs) -> Result<Bites, Problem> {
    let bytes = host::component(&args.plugin)?;
    host::block_on(measure(args, &bytes))
}

async fn measure(args: &LimitsArgs, bytes: &[u8]) -> Result<Bites, String> {
    let good = Attack {
        limit: "none",
        kind: "echo",
        limits: Limits::default(),
        configured: 0,
        unit: Unit::Pieces,
        measured: |_| None,
    };
    let good = bite(args, bytes, &good, None).await?;
    if good.ended != "ok" {
        return Err(format!("a good call ended as {}", good.ended));
    }
    let mut limits = Vec::new();
    for attack in attacks() {
        screen::note(&format!("running into: {}", attack.limit));
        limits.push(bite(args, bytes, &attack, Some(&good.cpu)).await?);
    }
    Ok(Bites {
        rounds: args.rounds,
        good_call_cpu: good.cpu,
        limits,
    })
}

/// Runs into one limit so many times, one after the other.
async fn bite(
    args: &LimitsArgs,
    bytes: &[u8],
    attack: &Attack,
    baseline: Option<&Times>,
) -> Result<Bite, String> {
    let latency = match attack.kind {
        "ask" => LONG,
        _ => Duration::ZERO,
    };
    let host = Host::new(bytes, 1, attack.limits, Arc::new(Slow::new(latency)))?;
    let (mut over, mut cpu, mut memory, mut ended) = (Vec::new(), Vec::new(), 0, None);
    for _ in 0..args.rounds {
        let meter = Arc::new(Meter::default());
        let mut caller = caller();
        caller.meter = Arc::clone(&meter);
        reset_peak();
        let (before, used, started) = (resident(), cpu_time(), Instant::now());
        let task = task(attack.kind);
        let end = host
            .cells
            .run(&host.plugin, &host.broker, caller, task)
            .await;
        let took = started.elapsed();
        cpu.push(cpu_time().saturating_sub(used));
        memory = memory.max(peak_resident().saturating_sub(before));
        if ended.is_some_and(|ended| ended != end.code()) {
            return Err(format!("{}: it ended as {end:?}", attack.limit));
        }
        ended = Some(end.code());
        let records = meter.records();
        if let Some(measured) = (attack.measured)(&Seen { took, records }) {
            over.push(measured.saturating_sub(attack.configured));
        }
    }
    over.sort_unstable();
    Ok(Bite {
        limit: attack.limit,
        configured: attack.configured,
        unit: attack.unit,
        ended: ended.unwrap_or_default(),
        over: (!over.is_empty()).then(|| Over {
            p50: percentile(&over, 50),
            p99: percentile(&over, 99),
            max: percentile(&over, 100),
        }),
        cpu: Times::new(cpu, baseline),
        memory,
    })
}

impl Figures for Bites {
    fn render(&self) -> String {
        let rows = self.limits.iter().map(|bite| {
            let over = |part: fn(&Over) -> u64| {
                let over = bite.over.as_ref().map(part);
                over.map_or_else(|| "–".to_owned(), |over| bite.unit.show(over))
            };
            [
                bite.limit.to_owned(),
                bite.unit.show(bite.configured),
                bite.ended.to_owned(),
                over(|over| over.p50),
                over(|over| over.p99),
                over(|over| over.max),
                time(bite.cpu.p50_ns),
                format!("{:.0}", bite.cpu.ratio),
                size(bite.memory),
            ]
        });
        let head = [
            "limit", "set to", "ended as", "over P50", "P99", "max", "CPU P50", "ratio", "memory",
        ];
        format!(
            "rounds    {} for each limit\nbaseline  a good call takes {} of CPU\n{}",
            self.rounds,
            time(self.good_call_cpu.p50_ns),
            table(head, rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        let late = self.limits.iter().filter(|b| b.unit == Unit::Nanoseconds);
        late.map(|bite| {
            let late = bite.over.as_ref().map_or(0, |over| over.p99) as f64 / 1e6;
            Goal::at_most(format!("{}: late P99", bite.limit), late, LATE_MS, "ms")
        })
        .collect()
    }
}
