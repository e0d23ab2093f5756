//! A small host to measure: one agent and one model in memory, nothing on disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{Answer, LlmError, LlmProvider, Origin, Request};
use hotcell_broker::meter::Meter;
use hotcell_broker::{Broker, Caller, Grants, Policy, Price, Route};
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::task::Task;
use hotcell_runtime::{Cells, Plugin, Runtime, Settings};
use hotcell_workflow::engine::{Engine, Record};
use hotcell_workflow::patterns::sequential::Sequential;
use hotcell_workflow::plan::{Pattern, Plan, Step};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::Problem;
use crate::{build, wire};

/// Longer than any measurement: what has no other deadline has this one.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// The plugin to measure: a component, or a crate that is built first.
pub(crate) fn component(path: &Path) -> Result<Vec<u8>, Problem> {
    let path = match path.is_dir() {
        true => build::build(&[path.to_owned()])?
            .into_values()
            .next()
            .unwrap_or_else(|| path.to_owned()),
        false => path.to_owned(),
    };
    wire::read_component(&path)
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
            leaf_cells: 1,
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

    /// An engine with a workflow of one step, in which the agent is asked for a
    /// task of this kind.
    pub(crate) fn engine(&self, kind: &str) -> Result<Engine, String> {
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

pub(crate) fn record() -> Record {
    Record {
        run: "bench".into(),
        task: "bench".into(),
        input: "{}".into(),
        now_unix_ms: 0,
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
    }
}

/// A model that keeps everybody waiting until it is released.
#[derive(Default)]
pub(crate) struct Blocked {
    waiting: AtomicUsize,
    changed: Notify,
    released: CancellationToken,
}

impl Blocked {
    pub(crate) async fn all_waiting(&self, count: usize) {
        loop {
            let changed = self.changed.notified();
            if self.waiting.load(Ordering::Acquire) >= count {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn release(&self) {
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
