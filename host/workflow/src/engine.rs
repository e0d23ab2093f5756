//! The loop: ask the machine, do what it says, tell it what happened.
//!
//! All waiting is here. A run ends in exactly one report, whatever happens to
//! its plugins; a panic of ours in one run is that run's failure and nobody
//! else's.

mod breakers;
mod report;
mod scene;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use breakers::Breakers;
use futures::FutureExt;
use futures::future::{AbortHandle, Abortable};
use futures::stream::{FuturesUnordered, StreamExt};
use hotcell_runtime::broker::Broker;
use hotcell_runtime::broker::meter::Meter;
use hotcell_runtime::broker::store::Digest;
use hotcell_runtime::task::Output;
use hotcell_runtime::{Cells, Plugin};
use report::Notes;
use scene::Scene;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::breaker::Gauge;
use crate::machine::event::within;
use crate::machine::{self, Action, Event, Fault, Outcome, Path, Run, Stop, What};
use crate::plan::Plan;
use crate::schema::{Schema, SchemaError};

pub use report::{Attempt, Report, Trouble};

/// One record to be worked on.
#[derive(Clone, Debug)]
pub struct Record {
    /// The run's id, a UUIDv7.
    pub run: String,
    /// The record's own id.
    pub task: String,
    /// The record (JSON text).
    pub input: String,
    /// When it starts, milliseconds since 1970-01-01 UTC.
    pub now_unix_ms: u64,
}

/// A plugin with what its manifest promises, compiled.
struct Loaded {
    plugin: Arc<Plugin>,
    input: Schema,
    output: Schema,
}

/// A plan with everything it needs to run.
pub struct Engine {
    plan: Arc<Plan>,
    cells: Cells,
    broker: Broker,
    plugins: BTreeMap<String, Loaded>,
    tenant: String,
    breakers: Breakers,
    /// Answers that fallbacks may look for, and until when they are good.
    kept: Mutex<BTreeMap<String, (Output, u64)>>,
    simulated: bool,
}

impl Engine {
    /// An engine over loaded plugins (by name). Refuses an agent whose schemas
    /// cannot be compiled.
    pub fn new(
        plan: Plan,
        cells: Cells,
        broker: Broker,
        plugins: BTreeMap<String, Arc<Plugin>>,
        tenant: String,
    ) -> Result<Engine, SchemaError> {
        let compile = |(name, plugin): (String, Arc<Plugin>)| {
            let manifest = &plugin.manifest;
            let input = Schema::new(&name, "input", manifest.input_schema.as_deref())?;
            let output = Schema::new(&name, "output", manifest.output_schema.as_deref())?;
            Ok((
                name,
                Loaded {
                    plugin,
                    input,
                    output,
                },
            ))
        };
        let plugins = plugins
            .into_iter()
            .map(compile)
            .collect::<Result<_, SchemaError>>()?;
        Ok(Engine {
            plan: Arc::new(plan),
            cells,
            broker,
            plugins,
            tenant,
            breakers: Breakers::new(),
            kept: Mutex::default(),
            simulated: false,
        })
    }

    /// All models are simulated: waits between tries are not waited, only
    /// counted, like the simulated calls themselves.
    pub fn simulated(self) -> Engine {
        Engine {
            simulated: true,
            ..self
        }
    }

    /// Runs all records, at most `concurrency` at once, and hands each report to
    /// `ended` as it comes. Reports come back in the order of the records. After
    /// a cancellation no new run starts, and those under way end as cancelled.
    pub async fn run_all(
        self: &Arc<Self>,
        records: Vec<Record>,
        concurrency: usize,
        cancel: &CancellationToken,
        mut ended: impl FnMut(&Report),
    ) -> Vec<Report> {
        let workers = concurrency.clamp(1, records.len().max(1));
        let queue = Arc::new(Mutex::new(records.into_iter().enumerate()));
        let (send, mut receive) = mpsc::unbounded_channel();
        for _ in 0..workers {
            let (engine, queue) = (Arc::clone(self), Arc::clone(&queue));
            let (send, cancel) = (send.clone(), cancel.clone());
            self.cells.spawn(async move {
                while !cancel.is_cancelled() {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((at, record)) = next else { break };
                    let names = (record.run.clone(), record.task.clone());
                    let run = AssertUnwindSafe(engine.run(record, cancel.clone())).catch_unwind();
                    let report = run.await.unwrap_or_else(|_| ours(names.0, names.1));
                    if send.send((at, report)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut reports = BTreeMap::new();
        while let Some((at, report)) = receive.recv().await {
            ended(&report);
            reports.insert(at, report);
        }
        reports.into_values().collect()
    }

    /// Runs one record to its end.
    pub async fn run(&self, record: Record, cancel: CancellationToken) -> Report {
        let started = Instant::now();
        let meter = Arc::new(Meter::default());
        let mut notes = Notes::default();
        let scene = Scene {
            engine: self,
            record: &record,
            meter: &meter,
            cancel: &cancel,
            deadline: started + Duration::from_millis(self.plan.timeout_ms),
        };
        let mut run = Run::new(Arc::clone(&self.plan), &record.task, &record.input);
        let seed = seed(&record.task);
        let outcome = scene
            .drive(&mut run, What::Started { seed }, &mut notes)
            .await;
        let wall = started.elapsed();
        let clock = run.clock_micros();
        notes.report(record, outcome, &meter, wall, clock)
    }

    /// What each agent's breaker is, by the agent's name.
    pub fn breakers(&self) -> BTreeMap<String, Gauge> {
        self.breakers.gauges()
    }

    /// What was kept under this name, if it is not too old.
    fn kept(&self, key: &str, now_unix_ms: u64) -> Option<Output> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (output, until) = kept.get(key)?;
        (now_unix_ms < *until).then(|| output.clone())
    }

    fn keep(&self, key: String, output: Output, until_unix_ms: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, (output, until_unix_ms));
    }
}

impl Scene<'_> {
    /// Asks the machine, does what it says, tells it what happened, until the run
    /// is over. What can be done side by side is.
    async fn drive(&self, run: &mut Run, first: What, notes: &mut Notes) -> Outcome {
        let started = Instant::now();
        let mut under_way = FuturesUnordered::new();
        let mut handles: Vec<(Path, AbortHandle)> = Vec::new();
        let mut what = first;
        loop {
            let at_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            notes.event(&what);
            for action in machine::step(run, Event { at_ms, what }) {
                match action {
                    Action::Finish(outcome) => return outcome,
                    Action::Audit(audit) => notes.audit.push(audit),
                    Action::Keep { key, output, ttl_s } => {
                        let until = self
                            .record
                            .now_unix_ms
                            .saturating_add(ttl_s.saturating_mul(1_000));
                        self.engine.keep(key, output, until);
                    }
                    Action::Stop { path } => handles.retain(|(at, handle)| {
                        let stays = !within(at, &path);
                        if !stays {
                            handle.abort();
                        }
                        stays
                    }),
                    action => {
                        let (handle, registration) = AbortHandle::new_pair();
                        if let Some(path) = action.path() {
                            handles.push((path.clone(), handle));
                        }
                        under_way.push(Abortable::new(self.perform(action), registration));
                    }
                }
            }
            handles.retain(|(_, handle)| !handle.is_aborted());
            what = loop {
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => break What::Cancelled,
                    () = tokio::time::sleep_until(self.deadline) => break What::TimedOut,
                    next = under_way.next() => match next {
                        Some(Ok(Some(what))) => break what,
                        Some(_) => {}
                        None => {
                            let fault = Fault::new("host", "the run came to a standstill");
                            return Err(Stop::fault("", fault));
                        }
                    },
                }
            };
        }
    }
}

/// From which waits are drawn: the same for a record in every execution.
fn seed(task: &str) -> u64 {
    Digest::of(task.as_bytes()).first_u64()
}

fn ours(run: String, task: String) -> Report {
    let record = Record {
        run,
        task,
        input: String::new(),
        now_unix_ms: 0,
    };
    let fault = Fault::new("host", "the host failed in this run");
    let outcome = Err(Stop::fault("", fault));
    Notes::default().report(record, outcome, &Meter::default(), Duration::ZERO, 0)
}
