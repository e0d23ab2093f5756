//! `hotcell bench neighbours`: a good agent alone, then while agents of another
//! tenant do their worst. Does it still get its answers, and in time?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use hotcell_broker::Caller;
use hotcell_runtime::manifest::Limits;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::host::{self, Host, LONG, Slow, caller, task};
use super::sheet::{Figures, Goal, Times, table, time};
use crate::command::Problem;
use crate::screen;

/// What hostile agents do, in turn: loop, take memory, flood the log, and wait
/// for a model that does not answer.
const WORST: [&str; 4] = ["spin", "grow", "log-forever", "ask"];

/// A hostile call lasts at most so long; then the agent calls again.
const HOSTILE: Limits = Limits {
    fuel: Some(1_000_000_000_000),
    memory_mib: Some(64),
    deadline_ms: Some(500),
    concurrency: None,
    queue: None,
};

/// The goals: so many times the good agent's own P99 or so much more, whichever
/// is larger; and what a health probe may take.
const TIMES: f64 = 3.0;
const MORE_MS: f64 = 50.0;
const HEALTH_MS: f64 = 100.0;

#[derive(Args)]
pub(crate) struct NeighboursArgs {
    /// An agent with the behaviours of `tests/guests/probe`: a crate's folder or
    /// a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many hostile agents there are, all of one tenant
    #[arg(long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    hostile: u32,
    /// How often a second the good agent is called, whether it has answered or not
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// How long it is called alone, and then with the others
    #[arg(long, value_name = "S", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
}

#[derive(Serialize)]
pub(crate) struct Neighbours {
    hostile: u32,
    rate: u32,
    seconds: u32,
    /// The good agent alone: the baseline.
    alone: Phase,
    /// And with hostile agents.
    crowded: Phase,
    /// How the hostile agents' calls ended.
    hostile_ends: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Phase {
    calls: usize,
    /// Calls of the good agent that did not end well.
    errors: usize,
    /// How long it took to answer, from when it should have been called.
    good: Times,
    /// How long a request over loopback took on the threads that listen.
    health: Times,
}

pub(crate) fn neighbours(args: &NeighboursArgs) -> Result<Neighbours, Problem> {
    let bytes = host::component(&args.plugin)?;
    host::block_on(measure(args, &bytes))
}

async fn measure(args: &NeighboursArgs, bytes: &[u8]) -> Result<Neighbours, String> {
    let places = args.hostile.saturating_add(256);
    let host = Host::new(bytes, places, HOSTILE, Arc::new(Slow::new(LONG)))?;
    let host = Arc::new(host);
    screen::note("calling the good agent alone");
    // Unmeasured: what is only there after the first calls is made now.
    phase(&host, args.rate, 1, None).await?;
    let alone = phase(&host, args.rate, args.seconds, None).await?;
    screen::note(&format!("and with {} hostile agents", args.hostile));
    let stop = CancellationToken::new();
    let ends = Arc::new(Mutex::new(BTreeMap::new()));
    let hostile: Vec<_> = (0..args.hostile)
        .zip(WORST.iter().cycle())
        .map(|(_, kind)| attack(&host, kind, &stop, &ends))
        .collect();
    phase(&host, args.rate, 1, None).await?;
    let crowded = phase(&host, args.rate, args.seconds, Some(&alone)).await?;
    stop.cancel();
    for one in hostile {
        one.await.map_err(|error| error.to_string())?;
    }
    let hostile_ends = std::mem::take(&mut *ends.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Neighbours {
        hostile: args.hostile,
        rate: args.rate,
        seconds: args.seconds,
        alone,
        crowded,
        hostile_ends,
    })
}

/// One hostile agent: calls again and again until it is stopped.
fn attack(
    host: &Arc<Host>,
    kind: &'static str,
    stop: &CancellationToken,
    ends: &Arc<Mutex<BTreeMap<&'static str, u64>>>,
) -> JoinHandle<()> {
    let (host, stop, ends) = (Arc::clone(host), stop.clone(), Arc::clone(ends));
    host.clone().cells.spawn(async move {
        while !stop.is_cancelled() {
            let caller = Caller {
                tenant: "hostile".to_owned(),
                cancel: stop.clone(),
                ..caller()
            };
            let end = host
                .cells
                .run(&host.plugin, &host.broker, caller, task(kind))
                .await;
            let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
            *ends.entry(end.code()).or_default() += 1;
        }
    })
}

/// Calls the good agent at a steady rate, and the health probe beside it.
async fn phase(
    host: &Arc<Host>,
    rate: u32,
    seconds: u32,
    baseline: Option<&Phase>,
) -> Result<Phase, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(b"ok").await);
        }
    });
    let mut every = tokio::time::interval(Duration::from_secs(1) / rate);
    let (mut good, mut health) = (Vec::new(), Vec::new());
    for _ in 0..rate.saturating_mul(seconds) {
        let due = every.tick().await;
        let here = Arc::clone(host);
        good.push(host.cells.spawn(async move {
            let end = here
                .cells
                .run(&here.plugin, &here.broker, caller(), task("echo"))
                .await;
            (due.elapsed(), end.code())
        }));
        health.push(tokio::spawn(async move {
            let asked = Instant::now();
            let mut answer = Vec::new();
            let mut stream = TcpStream::connect(address).await?;
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(asked.elapsed())
        }));
    }
    let (mut took, mut errors) = (Vec::new(), 0);
    for one in good {
        let (time, code) = one.await.map_err(|error| error.to_string())?;
        took.push(time);
        errors += usize::from(code != "ok");
    }
    let mut probed = Vec::new();
    for one in health {
        let one = one.await.map_err(|error| error.to_string())?;
        probed.push(one.map_err(|error| error.to_string())?);
    }
    server.abort();
    Ok(Phase {
        calls: took.len(),
        errors,
        good: Times::new(took, baseline.map(|baseline| &baseline.good)),
        health: Times::new(probed, baseline.map(|baseline| &baseline.health)),
    })
}

impl Figures for Neighbours {
    fn render(&self) -> String {
        let row = |name: &str, times: &Times, errors: String| {
            [
                name.to_owned(),
                time(times.p50_ns),
                time(times.p99_ns),
                time(times.max_ns),
                format!("{:.1}", times.ratio),
                errors,
            ]
        };
        let (alone, crowded) = (&self.alone, &self.crowded);
        let errors = |phase: &Phase| format!("{} of {}", phase.errors, phase.calls);
        let rows = [
            row("good agent alone (baseline)", &alone.good, errors(alone)),
            row("good agent, crowded", &crowded.good, errors(crowded)),
            row("health alone (baseline)", &alone.health, String::new()),
            row("health, crowded", &crowded.health, String::new()),
        ];
        let ends = self.hostile_ends.iter();
        let ends: Vec<_> = ends.map(|(code, n)| format!("{n} {code}")).collect();
        format!(
            "calls     {} a second, {} s alone and {} s with {} hostile agents\n\
             hostile   their calls ended: {}\n{}",
            self.rate,
            self.seconds,
            self.seconds,
            self.hostile,
            ends.join(", "),
            table(["", "P50", "P99", "max", "ratio", "errors"], rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        let ms = |times: &Times| times.p99_ns as f64 / 1e6;
        let (alone, crowded) = (ms(&self.alone.good), ms(&self.crowded.good));
        let most = (alone * TIMES).max(alone + MORE_MS);
        vec![
            Goal::at_most("good agent, crowded: P99", crowded, most, "ms"),
            Goal::at_most(
                "good agent, crowded: errors",
                self.crowded.errors as f64,
                0.0,
                "calls",
            ),
            Goal::at_most(
                "health, crowded: P99",
                ms(&self.crowded.health),
                HEALTH_MS,
                "ms",
            ),
        ]
    }
}
