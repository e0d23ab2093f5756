//! The loop: ask the machine, do what it says, tell it what happened.
//!
//! All waiting is here. A run ends in exactly one report, whatever happens to
//! its plugins; a panic of ours in one run is that run's failure and nobody
//! else's.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use hotcell_runtime::broker::meter::{Meter, Records};
use hotcell_runtime::broker::{Broker, Caller, text};
use hotcell_runtime::task::{Finding, Output, Task};
use hotcell_runtime::{Cells, End, Plugin};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::machine::{self, Action, Answer, Event, Fault, Outcome, Run};
use crate::plan::{Pattern, Plan, Step};
use crate::schema::{Schema, SchemaError};

/// The longest a whole run may take. Each plugin call has its own, shorter
/// deadline; this one catches a workflow that never comes to an end.
pub const RUN_DEADLINE: Duration = Duration::from_secs(600);

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

/// One try of a step, and what was said about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// The step's id.
    pub step: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// `ok`, `off-schema`, or the fault's code.
    pub outcome: String,
    /// Verdicts by gate: `pass`, `repair`, `reject`, or a fault's code.
    pub gates: Vec<(String, String)>,
    /// What the schema and the gates found.
    pub findings: Vec<Finding>,
}

/// How one run went.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The run's id.
    pub run: String,
    /// The record's id.
    pub task: String,
    /// `success`, `validation_failed`, `timeout`, `failure`, `cancelled`.
    pub status: &'static str,
    /// The last step's output.
    pub output: Option<Value>,
    /// Where and why it ended without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Trouble>,
    /// Every try of every step.
    pub attempts: Vec<Attempt>,
    /// Every effect, refusal, cell and log line.
    pub records: Records,
    /// Wall clock of the whole run, in microseconds.
    pub wall_micros: u64,
    /// Wall clock plus the time that simulated calls say they took: what the
    /// run would have cost in time with a real provider.
    pub latency_micros: u64,
}

impl Report {
    /// Whether the latency includes time that nobody waited for.
    pub fn simulated_time(&self) -> bool {
        self.records
            .effects
            .iter()
            .any(|effect| effect.simulated_time)
    }
}

/// Where and why a run ended without an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The step's path.
    pub step: String,
    /// A stable word.
    pub code: String,
    /// A sentence, through the text gate.
    pub message: String,
}

/// A plugin with what its manifest promises, compiled.
struct Loaded {
    plugin: Arc<Plugin>,
    input: Schema,
    output: Schema,
}

/// A plan with everything it needs to run.
pub struct Engine {
    plan: Plan,
    cells: Cells,
    broker: Broker,
    plugins: BTreeMap<String, Loaded>,
    tenant: String,
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
            plan,
            cells,
            broker,
            plugins,
            tenant,
        })
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
        let mut log = Vec::new();
        let scene = Scene {
            engine: self,
            record: &record,
            meter: &meter,
            cancel: &cancel,
            deadline: started + RUN_DEADLINE,
        };
        let mut run = Run::new(&self.plan, record.task.clone(), record.input.clone());
        let mut event = Event::Started;
        let outcome = loop {
            // Sequential asks for one thing at a time; patterns that fan out
            // will have their actions performed side by side here.
            let Some(action) = machine::step(&mut run, event).into_iter().next() else {
                break Outcome::Failure {
                    step: String::new(),
                    fault: Fault {
                        code: "host",
                        message: "the run came to a standstill".into(),
                    },
                };
            };
            event = match action {
                Action::Finish(outcome) => break outcome,
                action => scene.perform(action, &mut log).await,
            };
            if cancel.is_cancelled() {
                event = Event::Cancelled;
            }
        };
        let wall = started.elapsed();
        report(record, outcome, log, &meter, wall)
    }

    fn step(&self, at: usize) -> Option<&Step> {
        match &self.plan.pattern {
            Pattern::Sequential(sequential) => sequential.steps.get(at),
        }
    }
}

/// What every action of one run shares.
struct Scene<'a> {
    engine: &'a Engine,
    record: &'a Record,
    meter: &'a Arc<Meter>,
    cancel: &'a CancellationToken,
    deadline: Instant,
}

impl Scene<'_> {
    async fn perform(&self, action: Action, log: &mut Vec<Attempt>) -> Event {
        match action {
            Action::Invoke {
                step,
                attempt,
                task,
            } => {
                let (id, answer) = self.invoke(step, attempt, task).await;
                let (outcome, findings) = match &answer {
                    Answer::Output(_) => ("ok", Vec::new()),
                    Answer::OffSchema(findings) => ("off-schema", findings.clone()),
                    Answer::Fault(fault) => (fault.code, Vec::new()),
                };
                let outcome = outcome.to_owned();
                log.push(Attempt {
                    step: id,
                    attempt,
                    outcome,
                    gates: Vec::new(),
                    findings,
                });
                Event::Answered {
                    step,
                    attempt,
                    answer,
                }
            }
            Action::Judge {
                step,
                attempt,
                gate,
                task,
                output,
            } => {
                let (name, judgement) = self.judge(step, attempt, gate, task, output).await;
                if let Some(entry) = log.last_mut() {
                    use hotcell_runtime::task::Verdict;
                    let (word, findings) = match &judgement {
                        Ok(Verdict::Pass) => ("pass", None),
                        Ok(Verdict::Repair(findings)) => ("repair", Some(findings)),
                        Ok(Verdict::Reject(findings)) => ("reject", Some(findings)),
                        Err(fault) => (fault.code, None),
                    };
                    entry.gates.push((name, word.to_owned()));
                    entry
                        .findings
                        .extend(findings.into_iter().flatten().cloned());
                }
                Event::Judged {
                    step,
                    attempt,
                    gate,
                    judgement,
                }
            }
            Action::Finish(_) => Event::Cancelled,
        }
    }

    async fn invoke(&self, step: usize, attempt: u32, task: Task) -> (String, Answer) {
        let engine = self.engine;
        let Some((plan, loaded)) = engine
            .step(step)
            .and_then(|s| Some((s, engine.plugins.get(&s.agent)?)))
        else {
            return (String::new(), Answer::Fault(missing()));
        };
        // A record that the agent cannot work on does not cost a cell.
        if let Err(findings) = loaded.input.check(&task.input) {
            return (plan.id.clone(), Answer::Fault(unfit(&findings)));
        }
        let plugin = &loaded.plugin;
        let caller = self.caller(plugin, plan.id.clone(), attempt);
        let answer = match engine.cells.run(plugin, &engine.broker, caller, task).await {
            End::Done(output) => match loaded.output.check(&output.value) {
                // The value goes on as one canonical text.
                Ok(value) => Answer::Output(Output {
                    value: value.to_string(),
                    ..output
                }),
                Err(findings) => Answer::OffSchema(findings),
            },
            end => Answer::Fault(fault(&end)),
        };
        (plan.id.clone(), answer)
    }

    async fn judge(
        &self,
        step: usize,
        attempt: u32,
        gate: usize,
        task: Task,
        output: Output,
    ) -> (String, Result<hotcell_runtime::task::Verdict, Fault>) {
        let Some((plan, name)) = self
            .engine
            .step(step)
            .and_then(|s| Some((s, s.gates.get(gate)?.clone())))
        else {
            return (String::new(), Err(missing()));
        };
        let Some(Loaded { plugin, .. }) = self.engine.plugins.get(&name) else {
            return (name, Err(missing()));
        };
        let caller = self.caller(plugin, format!("{}/{name}", plan.id), attempt);
        let engine = self.engine;
        let end = engine
            .cells
            .check(plugin, &engine.broker, caller, task, output)
            .await;
        let judgement = match end {
            End::Done(verdict) => Ok(verdict),
            end => Err(fault(&end)),
        };
        (name, judgement)
    }

    fn caller(&self, plugin: &Plugin, step: String, attempt: u32) -> Caller {
        Caller {
            run: self.record.run.clone(),
            tenant: self.engine.tenant.clone(),
            task: self.record.task.clone(),
            step,
            attempt,
            plugin: plugin.manifest.name.clone(),
            now_unix_ms: self.record.now_unix_ms,
            deadline: self.deadline,
            meter: Arc::clone(self.meter),
            cancel: self.cancel.clone(),
            sequence: Arc::new(AtomicU32::new(0)),
            depth: 0,
            parent: None,
        }
    }
}

fn unfit(findings: &[Finding]) -> Fault {
    Fault {
        code: "invalid-input",
        message: format!(
            "the record is not what the agent works on: {}",
            sentence(findings)
        ),
    }
}

/// Findings in one line; their words have been through the text gate.
fn sentence(findings: &[Finding]) -> String {
    let said = findings
        .iter()
        .map(|f| format!("{} {}", f.pointer, f.message));
    let said = said.collect::<Vec<_>>().join("; ");
    text::shorten(said.trim(), text::LINE)
}

fn missing() -> Fault {
    Fault {
        code: "host",
        message: "the plan names a plugin that is not loaded".to_owned(),
    }
}

fn fault<T>(end: &End<T>) -> Fault {
    let message = end.words().unwrap_or(match end {
        End::Limit(_) => "the plugin was stopped at a limit",
        End::Saturated => "too many calls of the plugin wait already",
        End::Deadline => "the plugin's time was up",
        End::Cancelled => "the run was cancelled",
        End::Done(_) | End::Failed(_) | End::Trap(_) | End::Host(_) => "",
    });
    Fault {
        code: end.code(),
        message: message.to_owned(),
    }
}

fn ours(run: String, task: String) -> Report {
    let record = Record {
        run,
        task,
        input: String::new(),
        now_unix_ms: 0,
    };
    let fault = Fault {
        code: "host",
        message: "the host failed in this run".to_owned(),
    };
    let outcome = Outcome::Failure {
        step: String::new(),
        fault,
    };
    report(
        record,
        outcome,
        Vec::new(),
        &Meter::default(),
        Duration::ZERO,
    )
}

fn report(
    record: Record,
    outcome: Outcome,
    attempts: Vec<Attempt>,
    meter: &Meter,
    wall: Duration,
) -> Report {
    let status = outcome.status();
    let (output, error) = match outcome {
        Outcome::Success(output) => (serde_json::from_str(&output.value).ok(), None),
        Outcome::ValidationFailed {
            step,
            gate,
            findings,
        } => {
            let (step, message) = (format!("{step}/{gate}"), sentence(&findings));
            let code = status.to_owned();
            (
                None,
                Some(Trouble {
                    step,
                    code,
                    message,
                }),
            )
        }
        Outcome::Failure { step, fault } => (
            None,
            Some(Trouble {
                step,
                code: fault.code.to_owned(),
                message: fault.message,
            }),
        ),
        Outcome::Cancelled => (None, None),
    };
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Report {
        run: record.run,
        task: record.task,
        status,
        output,
        error,
        attempts,
        records: meter.records(),
        wall_micros: micros(wall),
        latency_micros: micros(wall.saturating_add(meter.virtual_time())),
    }
}
