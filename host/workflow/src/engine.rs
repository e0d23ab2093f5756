//! The loop: ask the machine, do what it says, tell it what happened.
//!
//! All waiting is here. A run ends in exactly one report, whatever happens to
//! its plugins; a panic of ours in one run is that run's failure and nobody
//! else's.

mod breakers;
mod drive;
pub mod history;
pub mod progress;
mod replay;
mod report;
mod scene;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::try_join_all;
use hotcell_runtime::broker::Broker;
use hotcell_runtime::broker::meter::Meter;
use hotcell_runtime::broker::recall::{Clock, Halt};
use hotcell_runtime::broker::store::Digest;
use hotcell_runtime::broker::store::journal::{Entry, Head, Journal, JournalError, RunLog};
use hotcell_runtime::task::Output;
use hotcell_runtime::{Cells, Plugin};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::breaker::Gauge;
use crate::machine::{Event, Fault, Run, Stop, What, status};
use crate::plan::Plan;
use crate::schema::{Schema, SchemaError};
use breakers::Breakers;
use drive::{Book, Past, feed};
use history::{AUDIT, Batch, Begun, ENDED, EVENT, Ending, HALTED, Halted, History};
use progress::{Progress, Teller};
use report::Notes;
use scene::Scene;

pub use replay::{Divergence, Replayed, told};
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

/// What is to be done.
#[derive(Clone)]
pub enum Job {
    /// Run this record.
    Run(Record),
    /// Run this record, whose run is in the journal: [`Engine::enlist`].
    Begun(Record, RunLog),
    /// Go on with a run that is in the journal. Of the record only the ids and
    /// the moment count.
    Resume(Record),
    /// Begin another run where one was.
    Fork(Fork),
}

/// Another run that begins where one was.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The new run.
    pub record: Record,
    /// The run it comes from, and its last record that counts.
    pub parent: (String, u64),
    /// What happened until then: [`History::before`].
    pub events: Vec<Event>,
    /// What steps are given instead of what they would be asked, by path.
    pub instead: BTreeMap<String, String>,
}

impl Job {
    fn record(&self) -> &Record {
        match self {
            Job::Run(record) | Job::Begun(record, _) | Job::Resume(record) => record,
            Job::Fork(fork) => &fork.record,
        }
    }
}

/// What makes runs durable.
#[derive(Clone)]
pub struct Durable {
    /// Where they are kept.
    pub journal: Journal,
    /// The clock of records.
    pub clock: Clock,
    /// What is run, in words from which the engine can be made again.
    pub definition: Arc<str>,
}

impl Durable {
    fn begun(&self, record: &Record) -> Begun {
        let (task, input) = (record.task.clone(), record.input.clone());
        Begun::new(self.definition.to_string(), task, input, record.now_unix_ms)
    }

    /// Writes down why a run cannot go on for now, if that can be written.
    async fn halted(&self, log: &RunLog, halt: &Halt) {
        let status = report::halt_status(halt);
        let halted = Halted {
            code: halt.code().to_owned(),
            message: halt.to_string(),
        };
        let entry = Entry::new(HALTED, (self.clock)(), &halted);
        // It is in the report; the run can be resumed all the same.
        drop(log.status(status, vec![entry]).await);
    }
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

    /// Begins these runs in the journal, all at once: from here on they survive
    /// their host, even those whose turn has not come. Without a journal nothing
    /// is written.
    pub async fn enlist(&self, records: Vec<Record>, batch: &str) -> Result<Vec<Job>, Halt> {
        let Some(durable) = &self.durable else {
            return Ok(records.into_iter().map(Job::Run).collect());
        };
        let batch = Batch {
            id: batch.to_owned(),
            of: records.len() as u64,
        };
        let begin = async |record: Record| {
            let mut begun = durable.begun(&record);
            begun.batch = Some(batch.clone());
            let log = durable.journal.begin(self.head(&record, None));
            let entry = begun.entry((durable.clock)());
            log.append(vec![entry]).await.map_err(storage)?;
            Ok(Job::Begun(record, log))
        };
        try_join_all(records.into_iter().map(begin)).await
    }

    /// Runs one record to its end.
    pub async fn run(&self, record: Record, cancel: CancellationToken) -> Report {
        self.go(Job::Run(record), cancel).await
    }

    /// Ends a run that is in the journal and not under way, without going on with
    /// it.
    pub async fn forsake(durable: &Durable, run: &str) -> Result<(), Halt> {
        let (_, records, log) = durable.journal.adopt(run).map_err(storage)?;
        let now = (durable.clock)();
        let at_ms = History::of(&records)
            .ok()
            .and_then(|it| it.events.last().map(|event| event.at_ms));
        let event = Event {
            at_ms: at_ms.unwrap_or_default(),
            what: What::Cancelled,
        };
        let outcome = Err(Stop::Cancelled);
        let status = status(&outcome);
        let ending = Ending {
            status: status.to_owned(),
            outcome,
        };
        let entries = vec![
            Entry::new(EVENT, now, &event),
            Entry::new(ENDED, now, &ending),
        ];
        log.end(status, entries).await.map(drop).map_err(storage)
    }

    /// Ends a run that is under way. Says whether it is.
    pub fn cancel(&self, run: &str) -> bool {
        let under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.get(run).inspect(|it| it.cancel()).is_some()
    }

    /// What each agent's breaker is, by the agent's name.
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

    /// A run at its beginning, or where it was left, and where to write.
    fn open(&self, job: Job) -> Result<(Run, Past, Option<Book<'_>>), Halt> {
        match (job, &self.durable) {
            (Job::Run(record), None) => {
                let run = Run::new(Arc::clone(&self.plan), &record.task, &record.input);
                Ok((run, Past::default(), None))
            }
            (Job::Run(record), Some(durable)) => {
                let begun = durable.begun(&record);
                let run = begun.run(&self.plan);
                let now = (durable.clock)();
                let head = self.head(&record, None);
                let book = Book {
                    durable,
                    log: durable.journal.begin(head),
                    first: vec![begun.entry(now)],
                };
                Ok((run, Past::default(), Some(book)))
            }
            (Job::Begun(record, log), Some(durable)) => {
                let run = durable.begun(&record).run(&self.plan);
                let first = Vec::new();
                let book = Book {
                    durable,
                    log,
                    first,
                };
                Ok((run, Past::default(), Some(book)))
            }
            (Job::Resume(record), Some(durable)) => {
                let (_, records, log) = durable.journal.adopt(&record.run).map_err(storage)?;
                let history = History::of(&records).map_err(|error| Halt::Storage {
                    code: "storage.corrupt",
                    message: error.to_string(),
                })?;
                let run = history.begun.run(&self.plan);
                let past = Past {
                    events: history.events,
                    known: history.known,
                };
                let book = Book {
                    durable,
                    log,
                    first: Vec::new(),
                };
                Ok((run, past, Some(book)))
            }
            (Job::Fork(fork), Some(durable)) => {
                let mut begun = durable.begun(&fork.record);
                begun.instead = fork.instead;
                begun.inherited = fork.events.len() as u64;
                let run = begun.run(&self.plan);
                let now = (durable.clock)();
                let (mut notes, mut again) = (Notes::default(), run.clone());
                feed(&mut again, &fork.events, &mut notes);
                let mut first = vec![begun.entry(now)];
                first.extend(notes.audit.iter().map(|it| Entry::new(AUDIT, now, it)));
                first.extend(fork.events.iter().map(|it| Entry::new(EVENT, now, it)));
                let head = self.head(&fork.record, Some(fork.parent));
                let book = Book {
                    durable,
                    log: durable.journal.begin(head),
                    first,
                };
                let past = Past {
                    events: fork.events,
                    known: BTreeMap::new(),
                };
                Ok((run, past, Some(book)))
            }
            (Job::Begun(..) | Job::Resume(_) | Job::Fork(_), None) => Err(Halt::Storage {
                code: "storage.none",
                message: "there is no journal to go on from".to_owned(),
            }),
        }
    }

    fn head(&self, record: &Record, parent: Option<(String, u64)>) -> Head {
        Head {
            run: record.run.clone(),
            tenant: self.tenant.clone(),
            workflow: self.plan.name.clone(),
            task: record.task.clone(),
            created_unix_ms: record.now_unix_ms,
            parent,
        }
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

fn storage(error: JournalError) -> Halt {
    Halt::Storage {
        code: error.code(),
        message: error.to_string(),
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
        all.insert(run.to_owned(), cancel.clone());
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
