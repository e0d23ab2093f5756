//! A small host to measure: one agent and one model in memory, nothing on disk
//! but what a measurement puts there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::bulkhead::Room;
use hotcell_broker::llm::{
    Answer, Completion, FinishReason, LlmError, LlmProvider, Message, Origin, Part,
};
use hotcell_broker::llm::{Request, Role, Usage};
use hotcell_broker::meter::Meter;
use hotcell_broker::recall::AttemptLog;
use hotcell_broker::{Broker, Caller, Grants, Policy, Price, Route};
use hotcell_runtime::compile::Compiler;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::task::Task;
use hotcell_runtime::{Cells, Plugin, Runtime, Settings};
use hotcell_workflow::engine::{Engine, Record};
use hotcell_workflow::patterns::sequential::Sequential;
use hotcell_workflow::plan::{Body, Call, Pattern, Plan, Step};
use hotcell_workflow::retry::Retry;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::Problem;
use crate::{build, wire};

/// Longer than any measurement: what has no other deadline has this one.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// So many steps have the runs of which a step is measured as a part: what a run
/// costs beside its steps is a tenth then.
pub(crate) const STEPS: u32 = 10;

/// The component to measure: this file, or that of a crate, which is built first.
pub(crate) fn built(path: &Path) -> Result<PathBuf, Problem> {
    match path.is_dir() {
        true => build::build(&[path.to_owned()])?
            .into_values()
            .next()
            .ok_or_else(|| Problem::failed(format!("{} builds nothing", path.display()))),
        false => Ok(path.to_owned()),
    }
}

/// Its bytes.
pub(crate) fn component(path: &Path) -> Result<Vec<u8>, Problem> {
    wire::read_component(&built(path)?)
}

/// Runs a measurement on tokio's threads, as `hotcell run` does.
pub(crate) fn block_on<T>(measure: impl Future<Output = Result<T, String>>) -> Result<T, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?
        .block_on(measure)
        .map_err(Problem::failed)
}

/// A runtime with one agent and one model.
pub(crate) struct Host {
    pub(crate) cells: Cells,
    pub(crate) broker: Broker,
    pub(crate) plugin: Arc<Plugin>,
    _runtime: Runtime,
}

impl Host {
    /// With room for so many agents at once. Limits that are left open are long
    /// enough never to bite.
    pub(crate) fn new(
        bytes: &[u8],
        cells: u32,
        limits: Limits,
        model: Arc<dyn LlmProvider>,
    ) -> Result<Host, String> {
        let settings = Settings {
            cells,
            nested_cells: 1,
            room: Room {
                concurrency: cells,
                queue: 1_000_000,
            },
            // Thousands of agents of one tenant are what is measured.
            tenant_memory_mib: 1 << 20,
            // As everywhere: what compiling takes is not this process's.
            compiler: Compiler::Child(wire::this_program().map_err(|e| e.report.to_string())?),
            ..Settings::default()
        };
        let runtime = Runtime::new(&settings).map_err(|e| e.to_string())?;
        let long = Limits {
            deadline_ms: u64::try_from(LONG.as_millis()).ok(),
            ..Limits::default()
        };
        let plugin = runtime
            .load(bytes, limits.or(long), "{}")
            .map_err(|e| e.to_string())?;
        let mut policy = Policy::default();
        let grants = Grants {
            llm: ["default".to_owned()].into(),
            ..Grants::default()
        };
        policy.plugin.insert(plugin.manifest.name.clone(), grants);
        let route = Route {
            provider: model,
            price: Price::default(),
            timeout: LONG,
            max_output_tokens: None,
        };
        let routes = BTreeMap::from([("default".to_owned(), route)]);
        let broker = Broker::new(policy, routes, Vec::new()).map_err(|e| e.to_string())?;
        Ok(Host {
            cells: runtime.cells(None),
            broker,
            plugin: Arc::new(plugin),
            _runtime: runtime,
        })
    }

    /// The same with the plugin's own limits and a model that answers at once.
    pub(crate) fn quick(bytes: &[u8], cells: u32) -> Result<Host, String> {
        let model = Arc::new(Slow::new(Duration::ZERO));
        Host::new(bytes, cells, Limits::default(), model)
    }

    /// A workflow of so many steps, one after another, in each of which the agent
    /// is asked for a task of this kind.
    pub(crate) fn plan(&self, kind: &str, steps: u32) -> Plan {
        let agent = self.plugin.manifest.name.clone();
        // One try: what is measured is the call.
        let once = Call {
            repairs: 0,
            retry: Retry {
                max: 0,
                ..Retry::default()
            },
            ..Call::new(&agent)
        };
        let step = |number: u32| Step {
            kind: kind.to_owned(),
            body: Body::Call(once.clone()),
            ..Step::agent(&format!("step-{number}"), &agent)
        };
        let pattern = Pattern::Sequential(Sequential::chain((1..=steps).map(step)));
        Plan {
            name: "bench".to_owned(),
            pattern: Arc::new(pattern),
            timeout_ms: u64::try_from(LONG.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// An engine with that workflow.
    pub(crate) fn engine(&self, kind: &str, steps: u32) -> Result<Engine, String> {
        let plan = self.plan(kind, steps);
        let agent = self.plugin.manifest.name.clone();
        let plugins = BTreeMap::from([(agent, Arc::clone(&self.plugin))]);
        let (cells, broker) = (self.cells.clone(), self.broker.clone());
        Engine::new(plan, cells, broker, plugins, "bench".to_owned()).map_err(|e| e.to_string())
    }
}

/// A broker that offers nothing.
pub(crate) fn no_broker() -> Result<Broker, String> {
    Broker::new(Policy::default(), BTreeMap::new(), Vec::new()).map_err(|e| e.to_string())
}

pub(crate) fn record() -> Record {
    Record {
        run: "bench".into(),
        task: "bench".into(),
        input: "{}".into(),
        now_unix_ms: 0,
    }
}

/// The same as a run of its own, which a journal can tell from others.
pub(crate) fn fresh_record() -> Record {
    record_of(&wire::new_id())
}

/// The record of this run.
pub(crate) fn record_of(run: &str) -> Record {
    Record {
        run: run.to_owned(),
        ..record()
    }
}

pub(crate) fn task(kind: &str) -> Task {
    Task {
        id: "bench".to_owned(),
        kind: kind.to_owned(),
        input: "{}".to_owned(),
        previous: None,
        findings: Vec::new(),
        iteration: 1,
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        run: "bench".to_owned(),
        tenant: "bench".to_owned(),
        task: "bench".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: "probe".to_owned(),
        now_unix_ms: 0,
        deadline: Instant::now() + LONG,
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::new(AtomicU32::new(0)),
        depth: 0,
        behalf: Arc::default(),
        parent: None,
        log: AttemptLog::off(),
    }
}

/// A model that nobody asks.
pub(crate) struct NoModel;

#[async_trait]
impl LlmProvider for NoModel {
    fn origin(&self) -> Origin {
        Origin::Simulated
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        Answer::wall(Err(LlmError::Unavailable("there is no model".to_owned())))
    }
}

/// A simulated model that takes the same time for every answer, or none.
pub(crate) struct Slow {
    latency: Duration,
    asked: watch::Sender<usize>,
}

impl Slow {
    pub(crate) fn new(latency: Duration) -> Slow {
        Slow {
            latency,
            asked: watch::Sender::new(0),
        }
    }

    /// Until it has been asked so many times.
    pub(crate) async fn asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        // It cannot be closed: the sender is here.
        drop(asked.wait_for(|asked| *asked >= count).await);
    }
}

#[async_trait]
impl LlmProvider for Slow {
    fn origin(&self) -> Origin {
        Origin::Simulated
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        self.asked.send_modify(|asked| *asked += 1);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        Answer::wall(Ok(Completion {
            message: Message {
                role: Role::Assistant,
                content: vec![Part::Text("simulated".to_owned())],
            },
            finish: FinishReason::Stop,
            usage: Usage::default(),
            usage_estimated: true,
            model: "simulated".to_owned(),
        }))
    }
}
