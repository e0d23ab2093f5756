//! The loop: ask the machine, do what it says, tell it what happened.
//!
//! All waiting is here. A run ends in exactly one report, whatever happens to
//! its plugins; a panic of ours in one run is that run's failure and nobody
//! else's.

mod breakers;
mod drive;
pub mod history;
mod jobs;
mod open;
pub mod progress;
mod replay;
mod report;
mod scene;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use hotcell_runtime::broker::Broker;
use hotcell_runtime::broker::meter::Meter;
use hotcell_runtime::broker::store::Digest;
use hotcell_runtime::task::Output;
use hotcell_runtime::{Cells, Plugin};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::breaker::Gauge;
use crate::machine::{Fault, Stop};
use crate::plan::Plan;
use crate::schema::{Schema, SchemaError};
use breakers::Breakers;
use progress::{Progress, Teller};
use report::Notes;
use scene::Scene;

pub use jobs::{Durable, Fork, Job};
pub use replay::{Divergence, Replayed, told};
pub use report::{Attempt, Report, Trouble, Wait};

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
    kept: Mutex<BTreeMap<Digest, (String, u64)>>,
    simulated: bool,
    durable: Option<Durable>,
    teller: Teller,
    /// How to end each run that is under way.
    under_way: Mutex<BTreeMap<String, CancellationToken>>,
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
            durable: None,
            teller: Teller::default(),
            under_way: Mutex::default(),
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

    /// Keeps runs in a journal: they survive their host, and can be replayed.
    pub fn durable(self, durable: Durable) -> Engine {
        Engine {
            durable: Some(durable),
            ..self
        }
    }

    /// Tells what runs do.
    pub fn telling(self, teller: Teller) -> Engine {
        Engine { teller, ..self }
    }

    /// Does all jobs, at most `concurrency` at once, and hands each report to
    /// `ended` as it comes. Reports come back in the order of the jobs. After a
    /// cancellation no new run starts, and those under way end as cancelled.
    pub async fn run_all(
        self: &Arc<Self>,
        jobs: Vec<Job>,
        concurrency: usize,
        cancel: &CancellationToken,
        mut ended: impl FnMut(&Report),
    ) -> Vec<Report> {
        let workers = concurrency.clamp(1, jobs.len().max(1));
        let queue = Arc::new(Mutex::new(jobs.into_iter().enumerate()));
        let (send, mut receive) = mpsc::unbounded_channel();
        for _ in 0..workers {
            let (engine, queue) = (Arc::clone(self), Arc::clone(&queue));
            let (send, cancel) = (send.clone(), cancel.clone());
            self.cells.spawn(async move {
                while !cancel.is_cancelled() {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((at, job)) = next else { break };
                    let record = job.record().clone();
                    let run = AssertUnwindSafe(engine.go(job, cancel.child_token())).catch_unwind();
                    let report = run.await.unwrap_or_else(|_| ours(record));
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
        self.go(Job::Run(record), cancel).await
    }

    /// Ends a run that is under way, and one whose turn has not come as soon as it
    /// comes. Says whether it is under way.
    pub fn cancel(&self, run: &str) -> bool {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is = under_way.contains_key(run);
        under_way.entry(run.to_owned()).or_default().cancel();
        is
    }

    /// What each agent's breaker is, by the agent's name: where steps have given it several
    /// settings, the one that lets least through.
    pub fn breakers(&self) -> BTreeMap<String, Gauge> {
        self.breakers.gauges()
    }

    async fn go(&self, job: Job, cancel: CancellationToken) -> Report {
        let started = Instant::now();
        let record = job.record().clone();
        let _listed = Listed::new(self, &record.run, &cancel);
        let meter = Arc::new(Meter::default());
        let mut notes = Notes::default();
        let (mut run, past, book) = match self.open(job) {
            Ok(opened) => opened,
            Err(halt) => return notes.halted(record, &halt, &meter, started.elapsed()),
        };
        self.teller.tell(|| Progress::RunStarted {
            run: record.run.clone(),
            task: record.task.clone(),
            resumed: !past.events.is_empty(),
        });
        let scene = Scene {
            engine: self,
            record: &record,
            meter: &meter,
            cancel: &cancel,
            deadline: started + Duration::from_millis(self.plan.timeout_ms),
        };
        let log = book.as_ref().map(|book| book.log.clone());
        let seed = seed(&record.task);
        let driven = scene.drive(&mut run, &past, book, seed, &mut notes).await;
        let report = match driven {
            Ok(outcome) => {
                let clock = run.clock_micros();
                notes.report(record, outcome, &meter, started.elapsed(), clock)
            }
            Err(halt) => {
                if let (Some(log), Some(durable)) = (log, &self.durable) {
                    durable.halted(&log, &halt).await;
                }
                notes.halted(record, &halt, &meter, started.elapsed())
            }
        };
        self.teller.tell(|| Progress::RunEnded {
            run: report.run.clone(),
            status: report.status.to_owned(),
        });
        report
    }

    /// Under which key an answer is kept: one tenant never sees another's, and a
    /// new version of a plugin does not stand in for the old one.
    fn keep_key(&self, key: &str, agent: Option<&str>) -> Digest {
        let loaded = agent.and_then(|agent| self.plugins.get(agent));
        let digest = loaded.map(|loaded| loaded.plugin.digest.hex());
        let digest = digest.unwrap_or_default();
        Digest::of(format!("{}\n{digest}\n{key}", self.tenant).as_bytes())
    }

    /// What was kept under this key, if it is not too old.
    async fn kept(&self, key: Digest, now_unix_ms: u64) -> Option<Output> {
        let (value, until) = match &self.durable {
            Some(durable) => {
                let cached = durable.journal.cached(&key).await.ok()??;
                (cached.value, cached.expires_unix_ms)
            }
            None => {
                let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.get(&key)?.clone()
            }
        };
        let good = now_unix_ms < until;
        good.then(|| serde_json::from_str(&value).ok()).flatten()
    }

    /// Keeps an answer. That it cannot be kept is no reason to stop.
    async fn keep(&self, key: Digest, output: Output, until_unix_ms: u64) {
        let Ok(value) = serde_json::to_string(&output) else {
            return;
        };
        match &self.durable {
            Some(durable) => drop(durable.journal.remember(&key, value, until_unix_ms).await),
            None => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.insert(key, (value, until_unix_ms));
            }
        }
    }
}

/// A run among those that are under way, while this lives.
struct Listed<'a> {
    engine: &'a Engine,
    run: String,
}

impl<'a> Listed<'a> {
    fn new(engine: &'a Engine, run: &str, cancel: &CancellationToken) -> Listed<'a> {
        let mut all = engine
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(run.to_owned(), cancel.clone());
        if before.is_some_and(|before| before.is_cancelled()) {
            cancel.cancel();
        }
        Listed {
            engine,
            run: run.to_owned(),
        }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let all = self.engine.under_way.lock();
        all.unwrap_or_else(PoisonError::into_inner)
            .remove(&self.run);
    }
}

/// From which waits are drawn: the same for a record in every execution.
fn seed(task: &str) -> u64 {
    Digest::of(task.as_bytes()).first_u64()
}

fn ours(record: Record) -> Report {
    let fault = Fault::new("host", "the host failed in this run");
    let outcome = Err(Stop::fault("", fault));
    Notes::default().report(record, outcome, &Meter::default(), Duration::ZERO, 0)
}
