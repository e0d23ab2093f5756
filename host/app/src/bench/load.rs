//! `hotcell bench load`: how long until a plugin is ready, compiled and cached,
//! alone and while another tenant sends bombs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use hotcell_runtime::compile::Compiler;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::{LOAD_WITHIN, Runtime, Settings};
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use uuid::Uuid;

use super::host;
use super::sheet::{Figures, Goal, Times, table, time};
use crate::command::Problem;
use crate::{screen, wire};

/// The goals, in milliseconds.
const CACHED_MS: f64 = 5.0;
const GOOD_MS: f64 = 5_000.0;
const HEALTH_MS: f64 = 100.0;

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// A plugin to load: a crate's folder or a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How often it is compiled
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    cold: u32,
    /// How often it is taken from the artefacts
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    cached: u32,
    /// How many bombs another tenant sends at once
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    bombs: u32,
}

#[derive(Serialize)]
pub(crate) struct Load {
    component_bytes: usize,
    bomb_bytes: usize,
    bombs: u32,
    /// Taken from the artefacts: the baseline.
    cached: Times,
    /// Compiled in a child, with nothing else to do.
    cold: Times,
    /// Compiled for one tenant while bombs of another wait and compile.
    beside_bombs: Times,
    /// Until each bomb was ready or refused.
    bomb: Times,
    /// How many bombs ended in each way.
    ends: BTreeMap<String, u32>,
    /// How long a small task waits for its turn on the host's threads, idle.
    health_alone: Times,
    /// And while bombs wait and compile.
    health_beside_bombs: Times,
}

pub(crate) fn load(args: &LoadArgs) -> Result<Load, Problem> {
    let bytes = host::component(&args.plugin)?;
    let artifacts = std::env::temp_dir().join(format!("hotcell-bench-{}", Uuid::new_v4()));
    let measured = host::block_on(measure(args, bytes, &artifacts));
    drop(std::fs::remove_dir_all(&artifacts));
    measured
}

async fn measure(args: &LoadArgs, bytes: Vec<u8>, artifacts: &Path) -> Result<Load, String> {
    let program = wire::this_program().map_err(|error| error.report.to_string())?;
    let runtime = |artifacts: Option<PathBuf>| {
        let settings = Settings {
            cells: 16,
            nested_cells: 1,
            artifacts,
            compiler: Compiler::Child(program.clone()),
            ..Settings::default()
        };
        Runtime::new(&settings).map_err(|error| error.to_string())
    };
    let bytes: Arc<[u8]> = bytes.into();

    screen::note("loading what is cached");
    let keeping = Arc::new(runtime(Some(artifacts.to_owned()))?);
    ready(&keeping, &bytes).await?;
    let mut cached = Vec::new();
    for _ in 0..args.cached {
        cached.push(ready(&keeping, &bytes).await?);
    }
    let cached = Times::new(cached, None);

    screen::note("compiling");
    let runtime = Arc::new(runtime(None)?);
    let mut cold = Vec::new();
    for _ in 0..args.cold {
        cold.push(ready(&runtime, &bytes).await?);
    }

    let bomb = bomb(&bytes);
    let bomb_bytes = bomb.len();
    let health_alone = Times::new(health(|waited| waited < 400).await, None);

    screen::note(&format!("compiling beside {} bombs", args.bombs));
    let busy = Arc::new(AtomicBool::new(true));
    let going_on = Arc::clone(&busy);
    let health = tokio::spawn(health(move |_| going_on.load(Ordering::Relaxed)));
    let thrown: Vec<_> = (0..args.bombs)
        .map(|_| {
            let (runtime, bomb) = (Arc::clone(&runtime), another(&bomb));
            spawn_blocking(move || throw(&runtime, &bomb))
        })
        .collect();
    let mut beside = Vec::new();
    while !thrown.iter().all(|one| one.is_finished()) || beside.is_empty() {
        beside.push(ready(&runtime, &another(&bytes).into()).await?);
    }
    busy.store(false, Ordering::Relaxed);
    let health_busy = health.await.map_err(|error| error.to_string())?;
    let (mut took, mut ends) = (Vec::new(), BTreeMap::new());
    for one in thrown {
        let (time, end) = one.await.map_err(|error| error.to_string())?;
        took.push(time);
        *ends.entry(end.to_owned()).or_insert(0) += 1;
    }
    Ok(Load {
        component_bytes: bytes.len(),
        bomb_bytes,
        bombs: args.bombs,
        cold: Times::new(cold, Some(&cached)),
        beside_bombs: Times::new(beside, Some(&cached)),
        bomb: Times::new(took, Some(&cached)),
        cached,
        ends,
        health_beside_bombs: Times::new(health_busy, Some(&health_alone)),
        health_alone,
    })
}

/// Loads a good plugin, and says how long that took.
async fn ready(runtime: &Arc<Runtime>, bytes: &Arc<[u8]>) -> Result<Duration, String> {
    let (runtime, bytes) = (Arc::clone(runtime), Arc::clone(bytes));
    let load = move || {
        let started = Instant::now();
        let loaded = runtime.load_for("good", &bytes, Limits::default(), "{}");
        loaded.map(|_| started.elapsed())
    };
    let loaded = spawn_blocking(load).await.map_err(|e| e.to_string())?;
    loaded.map_err(|error| format!("{error} ({})", error.code()))
}

/// Sends a bomb, and says how long it took and how it ended.
fn throw(runtime: &Runtime, bomb: &[u8]) -> (Duration, &'static str) {
    let started = Instant::now();
    let end = runtime.load_for("hostile", bomb, Limits::default(), "{}");
    let end = end.map_or_else(|error| error.code(), |_| "ready");
    (started.elapsed(), end)
}

/// A small task every few milliseconds for as long as it should, told how many
/// there were: how long each waited for its turn.
async fn health(going_on: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut waited = Vec::new();
    let mut every = tokio::time::interval(Duration::from_millis(5));
    while going_on(waited.len()) {
        every.tick().await;
        let asked = Instant::now();
        if tokio::spawn(async {}).await.is_ok() {
            waited.push(asked.elapsed());
        }
    }
    waited
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}

/// The same component under another digest.
fn another(component: &[u8]) -> Vec<u8> {
    let custom = [&[5][..], b"nonce", Uuid::new_v4().as_bytes()].concat();
    [component, &section(0, &custom)].concat()
}

/// The plugin with a module in it that takes minutes to compile: functions with
/// as many locals in as many loops as are allowed, and many of them.
fn bomb(plugin: &[u8]) -> Vec<u8> {
    const FUNCTIONS: usize = 200;
    const LOOPS: usize = 60;
    const LOCALS: usize = 1_000;
    // One sort of local, 32-bit numbers; the loops; each local made of the next.
    let locals = [vec![1], leb(LOCALS), vec![0x7f]].concat();
    let step = |at: usize| {
        let next = leb((at + 1) % LOCALS);
        [&[0x20][..], &next, &[0x41, 1, 0x6a, 0x21], &leb(at)].concat()
    };
    let steps = (0..LOCALS).flat_map(step).collect();
    // Each loop goes round again while the first local is not zero.
    let ends = [0x20, 0, 0x0d, 0, 0x0b].repeat(LOOPS);
    let body = [locals, [0x03, 0x40].repeat(LOOPS), steps, ends, vec![0x0b]].concat();
    let function = [leb(body.len()), body].concat();
    let sections = [
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[leb(FUNCTIONS), vec![0; FUNCTIONS]].concat()),
        section(10, &[leb(FUNCTIONS), function.repeat(FUNCTIONS)].concat()),
    ];
    let module = [&b"\0asm\x01\0\0\0"[..], &sections.concat()].concat();
    [plugin, &section(1, &module)].concat()
}

impl Figures for Load {
    fn render(&self) -> String {
        let row = |name: &str, times: &Times| {
            [
                name.to_owned(),
                time(times.p50_ns),
                time(times.p99_ns),
                time(times.max_ns),
                format!("{:.1}", times.ratio),
            ]
        };
        let rows = [
            row("cached (baseline)", &self.cached),
            row("compiled", &self.cold),
            row("compiled beside bombs", &self.beside_bombs),
            row("a bomb ready or refused", &self.bomb),
            row("health, idle (baseline)", &self.health_alone),
            row("health, beside bombs", &self.health_beside_bombs),
        ];
        let ends = self
            .ends
            .iter()
            .map(|(end, count)| format!("{count} × {end}"));
        format!(
            "plugin    {} bytes\nbombs     {} of {} bytes: {}\n{}",
            self.component_bytes,
            self.bombs,
            self.bomb_bytes,
            ends.collect::<Vec<_>>().join(", "),
            table(["ready after", "P50", "P99", "max", "ratio"], rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        let ms = |ns: u64| ns as f64 / 1e6;
        let within = LOAD_WITHIN.as_secs_f64() * 1e3;
        let (beside, bomb) = (self.beside_bombs.max_ns, self.bomb.max_ns);
        let health = self.health_beside_bombs.p99_ns;
        vec![
            Goal::at_most(
                "cached plugin ready, P50",
                ms(self.cached.p50_ns),
                CACHED_MS,
                "ms",
            ),
            Goal::at_most("compiled beside bombs, slowest", ms(beside), GOOD_MS, "ms"),
            Goal::at_most("bomb ready or refused, slowest", ms(bomb), within, "ms"),
            Goal::at_most("health beside bombs, P99", ms(health), HEALTH_MS, "ms"),
        ]
    }
}
