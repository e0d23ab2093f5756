//! What every action of one run shares, and how actions that ask somebody are
//! performed: breaker, then cell, then the schema.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use hotcell_runtime::broker::Caller;
use hotcell_runtime::broker::meter::Meter;
use hotcell_runtime::broker::recall::{AttemptLog, Halt};
use hotcell_runtime::task::{Finding, Output, Task, Verdict};
use hotcell_runtime::{End, Plugin};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::report::sentence;
use super::{Engine, Record};
use crate::breaker::{self, Admission, Health};
use crate::machine::{Action, Answer, Ask, Fault, Path, Used, What};

/// What every action of one run shares.
pub(super) struct Scene<'a> {
    pub(super) engine: &'a Engine,
    pub(super) record: &'a Record,
    pub(super) meter: &'a Arc<Meter>,
    pub(super) cancel: &'a CancellationToken,
    pub(super) deadline: Instant,
}

/// Which call of a plugin.
struct Call {
    path: Path,
    /// The path under which its effects are recorded.
    step: String,
    attempt: u32,
    timeout: Option<Duration>,
    /// What the journal has of it, and where to write.
    log: AttemptLog,
}

impl Scene<'_> {
    /// Does one thing and says what happened. None for what happens at once.
    pub(super) async fn perform(
        &self,
        action: Action,
        log: AttemptLog,
    ) -> Result<Option<What>, Halt> {
        Ok(match action {
            Action::Invoke {
                path,
                attempt,
                agent,
                ask,
                timeout_ms,
                breaker,
            } => {
                let call = Call {
                    step: path.to_string(),
                    path,
                    attempt,
                    timeout: timeout_ms.map(Duration::from_millis),
                    log,
                };
                let started = Instant::now();
                let answer = self.guarded(&call, &agent, ask, breaker).await?;
                let used = self.used(&call, started);
                Some(What::Answered {
                    path: call.path,
                    attempt,
                    answer,
                    used,
                })
            }
            Action::Judge {
                path,
                attempt,
                gate,
                validator,
                task,
                output,
            } => {
                let call = Call {
                    step: format!("{path}/{validator}"),
                    path,
                    attempt,
                    timeout: None,
                    log,
                };
                let started = Instant::now();
                let judgement = self.judge(&call, &validator, task, output).await?;
                let used = self.used(&call, started);
                Some(What::Judged {
                    path: call.path,
                    attempt,
                    gate,
                    validator,
                    judgement,
                    used,
                })
            }
            Action::Look { path, key, agent } => {
                let key = self.engine.keep_key(&key, agent.as_deref());
                let found = self.engine.kept(key, self.record.now_unix_ms).await;
                Some(What::Looked { path, found })
            }
            Action::Wait {
                path,
                timer,
                ms,
                backoff,
            } => {
                if !(backoff && self.engine.simulated) {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
                Some(What::Elapsed { path, timer })
            }
            Action::Keep { .. } | Action::Stop { .. } | Action::Audit(_) | Action::Finish(_) => {
                None
            }
        })
    }

    /// A try, unless the breaker is open.
    async fn guarded(
        &self,
        call: &Call,
        agent: &str,
        ask: Ask,
        settings: breaker::Settings,
    ) -> Result<Answer, Halt> {
        let admission = self.engine.breakers.admit(agent, settings);
        if let Admission::Refused { wait_ms } = admission {
            let text = match wait_ms {
                0 => format!("`{agent}` failed again and again; one call sees whether it is back"),
                // In seconds, so that what was refused at about the same time reads alike.
                ms => {
                    let seconds = ms.div_ceil(1_000);
                    format!("`{agent}` failed again and again; it is left alone for {seconds} s")
                }
            };
            return Ok(Answer::Fault(Fault::new("breaker-open", text)));
        }
        // Whoever gives this call up must not leave a probe out for ever.
        let mut told = (self.engine.breakers).telling(agent, settings, admission);
        let answer = self.invoke(call, agent, ask).await?;
        let code = match &answer {
            Answer::Output(_) | Answer::Decision(_) => "ok",
            Answer::OffSchema(_) => "off-schema",
            Answer::Fault(fault) => &fault.code,
        };
        told.health = Health::of(code);
        Ok(answer)
    }

    async fn invoke(&self, call: &Call, agent: &str, ask: Ask) -> Result<Answer, Halt> {
        let engine = self.engine;
        let Some(loaded) = engine.plugins.get(agent) else {
            return Ok(Answer::Fault(missing()));
        };
        let plugin = &loaded.plugin;
        let caller = self.caller(plugin, call);
        let task = match ask {
            Ask::Decide(ballots) => {
                let decide = engine.cells.decide(plugin, &engine.broker, caller, ballots);
                return Ok(match decide.await {
                    End::Done(decision) => Answer::Decision(decision),
                    End::Halted(halt) => return Err(halt),
                    end => Answer::Fault(self.fault(call, &end)),
                });
            }
            Ask::Run(task) => task,
        };
        // A record that the agent cannot work on does not cost a cell.
        if let Err(findings) = loaded.input.check(&task.input) {
            return Ok(Answer::Fault(unfit(&findings)));
        }
        let run = engine.cells.run(plugin, &engine.broker, caller, task);
        Ok(match run.await {
            End::Halted(halt) => return Err(halt),
            End::Done(output) => match loaded.output.check(&output.value) {
                // The value goes on as one canonical text.
                Ok(value) => Answer::Output(Output {
                    value: value.to_string(),
                    ..output
                }),
                Err(findings) => Answer::OffSchema(findings),
            },
            end => Answer::Fault(self.fault(call, &end)),
        })
    }

    async fn judge(
        &self,
        call: &Call,
        validator: &str,
        task: Task,
        output: Output,
    ) -> Result<Result<Verdict, Fault>, Halt> {
        let engine = self.engine;
        let Some(loaded) = engine.plugins.get(validator) else {
            return Ok(Err(missing()));
        };
        let plugin = &loaded.plugin;
        let caller = self.caller(plugin, call);
        let check = engine
            .cells
            .check(plugin, &engine.broker, caller, task, output);
        Ok(match check.await {
            End::Done(verdict) => Ok(verdict),
            End::Halted(halt) => return Err(halt),
            end => Err(self.fault(call, &end)),
        })
    }

    /// Why there is nothing, and what the model's provider asked to wait if it was
    /// that.
    fn fault<T>(&self, call: &Call, end: &End<T>) -> Fault {
        let fault = fault(end);
        match &*fault.code {
            "transient" => Fault {
                retry_after_ms: self.meter.retry_after_ms(&call.step, call.attempt),
                ..fault
            },
            _ => fault,
        }
    }

    /// What a call took: on the wall, and what simulated calls say they took. Where
    /// all models are simulated only that counts: it is the same on every machine,
    /// and the host's own time is no part of what a model would have taken.
    fn used(&self, call: &Call, started: Instant) -> Used {
        let spent = self.meter.spent(&call.step, call.attempt);
        let took = match self.engine.simulated {
            true => spent.simulated,
            false => started.elapsed().saturating_add(spent.simulated),
        };
        Used {
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            cost_micros: spent.cost_micros,
            tokens: spent.tokens,
        }
    }

    fn caller(&self, plugin: &Plugin, call: &Call) -> Caller {
        let own = call.timeout.map(|timeout| Instant::now() + timeout);
        Caller {
            run: self.record.run.clone(),
            tenant: self.engine.tenant.clone(),
            task: self.record.task.clone(),
            step: call.step.clone(),
            attempt: call.attempt,
            plugin: plugin.manifest.name.clone(),
            now_unix_ms: self.record.now_unix_ms,
            deadline: own.map_or(self.deadline, |own| own.min(self.deadline)),
            meter: Arc::clone(self.meter),
            cancel: self.cancel.clone(),
            sequence: Arc::new(AtomicU32::new(0)),
            depth: 0,
            behalf: Arc::default(),
            parent: None,
            log: call.log.clone(),
        }
    }
}

fn unfit(findings: &[Finding]) -> Fault {
    Fault::new(
        "invalid-input",
        format!(
            "the record is not what the agent works on: {}",
            sentence(findings)
        ),
    )
}

fn missing() -> Fault {
    Fault::new("host", "the plan names a plugin that is not loaded")
}

fn fault<T>(end: &End<T>) -> Fault {
    let message = end.words().unwrap_or(match end {
        End::Limit(_) => "the plugin was stopped at a limit",
        End::Saturated => "too many calls of the plugin wait already",
        End::Deadline => "the plugin's time was up",
        End::Cancelled => "the run was cancelled",
        End::Done(_) | End::Failed(_) | End::Trap(_) | End::Host(_) | End::Halted(_) => "",
    });
    Fault {
        code: Cow::Borrowed(end.code()),
        message: message.to_owned(),
        retry_after_ms: None,
    }
}
