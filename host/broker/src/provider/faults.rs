//! A fault model around any provider: seeded, repeatable, and ignorant of what
//! the answers mean.
//!
//! **Draws.** Each fault is drawn on its own, from a counter-based generator
//! keyed by the seed, the caller's task, step and attempt, the number of the
//! call in that attempt, and the fault's name (see `draws`). Nothing is
//! remembered between calls, so neither the order of calls nor their number at
//! a time can change a result. Equal runs draw equally. Two equal questions in
//! one attempt differ by their number. The request is left out of the key on
//! purpose: a twin run that differs in one answer must meet the same faults
//! afterwards, or comparing the two would compare luck.
//!
//! **Order.** Before the provider is asked: context overflow, rate limit,
//! unavailable, timeout; the first that fires is what happened and the others
//! did not. After it has answered: hallucination, flip and omission, then a wrong
//! tool, then malformed JSON. Faults of content hit parts that are JSON and calls
//! of tools; prose passes unharmed, and a fault that finds nothing to hit is not
//! logged. Usage stays what the provider said: a spoilt answer is billed like any
//! other.
//!
//! **Work.** A rate is how often a model errs in one stage of work. An agent that
//! does all the work of seven in one answer would meet one draw where they meet
//! seven, and look better than any of them by construction. So the model can be
//! told, by the title of the form that was asked for, how many stages an answer
//! stands for: hallucination, flip and omission are drawn for each, on their own.
//! The first stage's draws are those the answer has without it. What ails a call
//! rather than the work (a text that does not parse, a tool that was not offered,
//! all that keeps the provider from answering) stays one draw. So does a turn
//! that asks for tools: it is one piece of work, whatever is done in the end.
//!
//! **Twins.** To see what a fault did, a run is repeated without it: a fault that
//! is spared is drawn and takes its place from the others as before, but does not
//! happen and is not logged. What it kept from happening does: a call that was
//! not refused is answered, with whatever was drawn for that answer.
//!
//! **Time.** Nobody sleeps. Latency is log-normal: with the 50th and the 95th
//! percentile given, mu = ln p50 and sigma = ln(p95/p50) / 1.6448536…, rounded to
//! milliseconds, on top of what a simulated provider inside says it took. A
//! timeout takes longer than any deadline, so the broker makes it the route's.
//!
//! It never makes an answer better and never touches a failure of the provider.

mod alter;
mod content;
mod draws;
mod log;
mod model;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::llm::{Answer, LlmError, LlmProvider, Origin, Part, Request, Took};
use crate::{Broker, Caller};
use draws::Key;
pub use log::{Fault, FaultLog, Injected};
pub use model::{FaultModel, FaultModelError};

/// A provider with faults.
pub struct Faulty {
    inner: Arc<dyn LlmProvider>,
    model: FaultModel,
    seed: u64,
    spared: BTreeMap<String, Vec<Injected>>,
    log: FaultLog,
}

/// One call, told apart from all others.
struct Call<'a> {
    broker: &'a Broker,
    caller: &'a Caller,
    sequence: u32,
    spared: &'a [Injected],
    log: &'a FaultLog,
}

impl Call<'_> {
    fn injected(&self, fault: Fault, stage: u32, tool: Option<String>, at: String) -> Injected {
        Injected {
            task: self.caller.task.clone(),
            step: self.caller.step.clone(),
            attempt: self.caller.attempt,
            sequence: self.sequence,
            fault,
            stage,
            tool,
            pointer: at,
        }
    }

    /// Whether a fault that was drawn does not happen.
    fn spares(&self, fault: Fault) -> bool {
        let injected = || self.injected(fault, 0, None, String::new());
        !self.spared.is_empty() && self.spared.iter().any(|spared| spared.is(&injected()))
    }

    /// Logs a fault that was drawn and says whether it happens; one that is
    /// spared does not.
    fn inject(&self, fault: Fault, stage: u32, tool: Option<String>, pointer: String) -> bool {
        let injected = self.injected(fault, stage, tool, pointer);
        let happens = !self.spared.iter().any(|spared| spared.is(&injected));
        if happens {
            self.log.push(injected);
        }
        happens
    }

    /// Whether somebody who calls this tool would reach one: it was offered, or
    /// the plugin may use it all the same.
    fn offers(&self, request: &Request, tool: &str) -> bool {
        let mine = self.broker.tools(&self.caller.plugin);
        let mut offered = request.tools.iter().chain(&mine);
        offered.any(|spec| spec.name == tool)
    }
}

impl Faulty {
    /// Puts faults around a provider. Refuses rates that are none.
    pub fn new(
        inner: Arc<dyn LlmProvider>,
        model: FaultModel,
        seed: u64,
    ) -> Result<Faulty, FaultModelError> {
        model.check()?;
        Ok(Faulty {
            inner,
            model,
            seed,
            spared: BTreeMap::new(),
            log: FaultLog::default(),
        })
    }

    /// Keeps these faults, as another run's log has them, from happening, each in
    /// its own task.
    pub fn sparing(mut self, faults: impl IntoIterator<Item = Injected>) -> Faulty {
        for fault in faults {
            let of_task = self.spared.entry(fault.task.clone()).or_default();
            of_task.push(fault);
        }
        self
    }

    /// What has been injected so far and will be; the handle stays connected.
    pub fn log(&self) -> FaultLog {
        self.log.clone()
    }

    /// What keeps the provider from being asked at all.
    fn refusal(
        &self,
        key: &Key,
        request: &Request,
        call: &Call<'_>,
    ) -> Option<(Fault, String, LlmError)> {
        let model = &self.model;
        if let Some(pointer) = overflow(request, model.context_items)
            && !call.spares(Fault::ContextOverflow)
        {
            return Some((Fault::ContextOverflow, pointer, LlmError::ContextTooLong));
        }
        let errors = [
            (
                Fault::RateLimited,
                model.rate_limited,
                LlmError::RateLimited(Some(model.retry_after_ms)),
            ),
            (
                Fault::Unavailable,
                model.unavailable,
                LlmError::Unavailable("the provider failed (HTTP 503)".to_owned()),
            ),
            (Fault::Timeout, model.timeout, LlmError::Timeout),
        ];
        errors
            .into_iter()
            .find(|(fault, rate, _)| key.fires(fault.name(), *rate) && !call.spares(*fault))
            .map(|(fault, _, error)| (fault, String::new(), error))
    }
}

#[async_trait]
impl LlmProvider for Faulty {
    fn origin(&self) -> Origin {
        Origin::Simulated
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        let sequence = caller.number();
        let spared = self.spared.get(&caller.task);
        let call = Call {
            broker,
            caller,
            sequence,
            spared: spared.map(Vec::as_slice).unwrap_or_default(),
            log: &self.log,
        };
        let key = Key::of_call(self.seed, caller, sequence);
        let mut latency = self.model.latency(&key);
        let slow = !latency.is_zero()
            && key.fires(Fault::SlowTail.name(), self.model.slow_tail)
            && !call.spares(Fault::SlowTail);
        if slow {
            latency = model::times(latency, self.model.slow_tail_factor);
        }
        let result = match self.refusal(&key, request, &call) {
            Some((fault, pointer, error)) => {
                call.inject(fault, 0, None, pointer);
                if fault == Fault::Timeout {
                    let took = Took::Virtual(Duration::MAX);
                    return Answer::new(Err(error), took);
                }
                Err(error)
            }
            None => {
                let answer = self.inner.complete(broker, caller, request).await;
                if let Took::Virtual(inner) = answer.took {
                    latency = latency.saturating_add(inner);
                }
                answer.result.map(|mut completion| {
                    let shared = key.fires("correlation", self.model.correlation.sqrt());
                    let key = match shared {
                        true => Key::of_question(self.seed, &caller.task, request),
                        false => key,
                    };
                    content::spoil(&mut completion.message, request, &self.model, &key, &call);
                    completion
                })
            }
        };
        if slow {
            call.inject(Fault::SlowTail, 0, None, String::new());
        }
        Answer::new(result, Took::Virtual(latency))
    }
}

/// Where the conversation holds an array of more than `most` items.
fn overflow(request: &Request, most: usize) -> Option<String> {
    for (m, message) in request.messages.iter().enumerate() {
        for (p, part) in message.content.iter().enumerate() {
            let text = match part {
                Part::Text(text) | Part::Json(text) | Part::CallResult(_, text) => text,
                Part::Call(call) => &call.arguments,
            };
            let value: Option<Value> = serde_json::from_str(text).ok();
            if let Some(pointer) = value.and_then(|value| alter::longer_than(&value, most)) {
                return Some(format!("/messages/{m}/content/{p}{pointer}"));
            }
        }
    }
    None
}
