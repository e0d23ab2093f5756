//! `hotcell bench`: the host's own speed and memory, measured here and now.
//!
//! Every figure stands beside a baseline of the same run, because machines
//! differ and are noisy: compare the ratios.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use clap::{Args, Subcommand};
use hotcell_broker::llm::{Answer, LlmError, LlmProvider, Origin, Request};
use hotcell_broker::meter::Meter;
use hotcell_broker::{Broker, Caller, Grants, Policy, Price, Route};
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::task::Task;
use hotcell_runtime::{Cells, Plugin, Runtime, Settings, warm_calls};
use hotcell_workflow::engine::{Engine, Record};
use hotcell_workflow::patterns::sequential::Sequential;
use hotcell_workflow::plan::{Pattern, Plan, Step};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Exit, Output, Problem};
use crate::{build, screen, wire};

#[derive(Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One step of the sequential engine, and agents blocked on a model call
    Step(StepArgs),
}

#[derive(Args)]
struct StepArgs {
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

pub(crate) fn bench(args: &BenchArgs, output: Output) -> Result<Exit, Problem> {
    let What::Step(args) = &args.what;
    let path = match args.plugin.is_dir() {
        true => build::build(std::slice::from_ref(&args.plugin))?
            .into_values()
            .next()
            .unwrap_or_else(|| args.plugin.clone()),
        false => args.plugin.clone(),
    };
    let bytes = wire::read_component(&path)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    let figures = tokio
        .block_on(measure(args, &bytes))
        .map_err(Problem::failed)?;
    screen::result(&match output.json {
        true => serde_json::to_string_pretty(&figures).map_err(Problem::failed)?,
        false => render(&figures),
    });
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Figures {
    machine: String,
    build: &'static str,
    command: String,
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
struct Times {
    p50_ns: u64,
    p99_ns: u64,
    /// Median against the warm call's.
    ratio: f64,
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

async fn measure(args: &StepArgs, bytes: &[u8]) -> Result<Figures, String> {
    // Memory first: what the timing leaves behind would count as overhead.
    let mut in_flight = Vec::new();
    for agents in &args.in_flight {
        screen::note(&format!("holding {agents} agents in flight"));
        in_flight.push(hold(bytes, *agents).await?);
    }
    screen::note(&format!("timing {} steps", args.steps));
    let bench = Bench::new(bytes, 64, Arc::new(Blocked::default()))?;
    let count = args.steps as usize;
    let warm = warm_calls(&bench.plugin, &bench.broker, caller(), task("echo"), count).await?;
    let warm = Times::new(warm, None);
    let mut fresh = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        bench
            .cells
            .run(&bench.plugin, &bench.broker, caller(), task("echo"))
            .await;
        fresh.push(started.elapsed());
    }
    let engine = Arc::new(bench.engine("echo")?);
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
    Ok(Figures {
        machine: machine(),
        build: if cfg!(debug_assertions) {
            "debug: use --release to quote"
        } else {
            "release"
        },
        command: std::env::args().collect::<Vec<_>>().join(" "),
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
    let bench = Bench::new(bytes, agents, Arc::clone(&model) as Arc<dyn LlmProvider>)?;
    let engine = Arc::new(bench.engine("ask")?);
    let resident_before = resident();
    let runs: Vec<_> = (0..agents)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { engine.run(record(), CancellationToken::new()).await })
        })
        .collect();
    model.all_waiting(agents as usize).await;
    let resident_with = resident();
    let mappings =
        std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
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

/// A model that keeps everybody waiting until it is released.
#[derive(Default)]
struct Blocked {
    waiting: AtomicUsize,
    changed: Notify,
    released: CancellationToken,
}

impl Blocked {
    async fn all_waiting(&self, count: usize) {
        loop {
            let changed = self.changed.notified();
            if self.waiting.load(Ordering::Acquire) >= count {
                return;
            }
            changed.await;
        }
    }

    fn release(&self) {
        self.released.cancel();
    }
}

#[async_trait]
impl LlmProvider for Blocked {
    fn origin(&self) -> Origin {
        Origin::Scripted
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        self.waiting.fetch_add(1, Ordering::Release);
        self.changed.notify_waiters();
        self.released.cancelled().await;
        Answer::wall(Err(LlmError::RateLimited(None)))
    }
}

/// A runtime with one agent and one model, nothing on disk.
struct Bench {
    cells: Cells,
    broker: Broker,
    plugin: Arc<Plugin>,
    _runtime: Runtime,
}

impl Bench {
    fn new(bytes: &[u8], cells: u32, model: Arc<dyn LlmProvider>) -> Result<Bench, String> {
        let settings = Settings {
            cells,
            leaf_cells: 1,
            ..Settings::default()
        };
        let runtime = Runtime::new(&settings).map_err(|e| e.to_string())?;
        let limits = Limits {
            deadline_ms: Some(600_000),
            ..Limits::default()
        };
        let plugin = runtime
            .load(bytes, limits, "{}")
            .map_err(|e| e.to_string())?;
        let mut policy = Policy::default();
        let grants = Grants {
            llm: ["default".to_owned()].into(),
            ..Grants::default()
        };
        policy.plugin.insert(plugin.manifest.name.clone(), grants);
        let timeout = Duration::from_secs(600);
        let route = Route {
            provider: model,
            price: Price::default(),
            timeout,
        };
        let routes = BTreeMap::from([("default".to_owned(), route)]);
        let broker = Broker::new(policy, routes, Vec::new()).map_err(|e| e.to_string())?;
        Ok(Bench {
            cells: runtime.cells(None),
            broker,
            plugin: Arc::new(plugin),
            _runtime: runtime,
        })
    }

    fn engine(&self, kind: &str) -> Result<Engine, String> {
        let agent = self.plugin.manifest.name.clone();
        let step = Step {
            id: "step".to_owned(),
            agent: agent.clone(),
            kind: kind.to_owned(),
            gates: Vec::new(),
            repairs: 0,
        };
        let pattern = Pattern::Sequential(Sequential { steps: vec![step] });
        let plan = Plan {
            name: "bench".to_owned(),
            pattern,
        };
        let plugins = BTreeMap::from([(agent, Arc::clone(&self.plugin))]);
        let (cells, broker) = (self.cells.clone(), self.broker.clone());
        Engine::new(plan, cells, broker, plugins, "bench".to_owned()).map_err(|e| e.to_string())
    }
}

fn record() -> Record {
    Record {
        run: "bench".into(),
        task: "bench".into(),
        input: "{}".into(),
        now_unix_ms: 0,
    }
}

fn task(kind: &str) -> Task {
    Task {
        id: "bench".to_owned(),
        kind: kind.to_owned(),
        input: "{}".to_owned(),
        previous: None,
        findings: Vec::new(),
        iteration: 1,
    }
}

fn caller() -> Caller {
    Caller {
        run: "bench".to_owned(),
        tenant: "bench".to_owned(),
        task: "bench".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: "probe".to_owned(),
        now_unix_ms: 0,
        deadline: Instant::now() + Duration::from_secs(600),
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::new(AtomicU32::new(0)),
    }
}

impl Times {
    fn new(mut times: Vec<Duration>, baseline: Option<&Times>) -> Times {
        times.sort_unstable();
        let at = |part: usize| {
            let index = (times.len() * part / 100).min(times.len().saturating_sub(1));
            let time = times.get(index).map_or(0, Duration::as_nanos);
            u64::try_from(time).unwrap_or(u64::MAX)
        };
        let p50_ns = at(50);
        let ratio = baseline.map_or(1.0, |baseline| {
            p50_ns as f64 / baseline.p50_ns.max(1) as f64
        });
        Times {
            p50_ns,
            p99_ns: at(99),
            ratio,
        }
    }
}

/// Resident memory of this process in bytes; 0 where it cannot be read.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{processors} × {model}, {}", std::env::consts::OS)
}

fn render(figures: &Figures) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("machine   {}", figures.machine));
    line(format!("build     {}", figures.build));
    line(format!("command   {}", figures.command));
    line(format!("steps     {}", figures.steps));
    line(format!(
        "{:<22}{:>10}{:>10}{:>8}",
        "", "P50", "P99", "ratio"
    ));
    let rows = [
        ("warm call (baseline)", &figures.warm_call),
        ("call in a fresh cell", &figures.fresh_cell),
        ("step of the engine", &figures.step),
    ];
    for (name, times) in rows {
        let micros = |ns: u64| format!("{:.1} µs", ns as f64 / 1e3);
        let (p50, p99) = (micros(times.p50_ns), micros(times.p99_ns));
        line(format!("{name:<22}{p50:>10}{p99:>10}{:>8.1}", times.ratio));
    }
    line(format!(
        "in parallel           {} steps a second",
        figures.parallel_steps_per_second
    ));
    for held in &figures.in_flight {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        line(format!(
            "{} agents blocked on a model call: {:.1} MiB resident in all ({:.1} before), {:.1} KiB \
             each, {} mappings",
            held.agents,
            mib(held.resident_with),
            mib(held.resident_before),
            held.bytes_per_agent as f64 / 1024.0,
            held.mappings
        ));
    }
    out.trim_end().to_owned()
}
