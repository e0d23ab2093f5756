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
//! did not. After it has answered: hallucination, flip, omission, malformed
//! JSON, each on what the one before left. Faults of content hit parts that are
//! JSON and arguments of tool calls; prose passes unharmed, and a fault that
//! finds nothing to hit is not logged. Usage stays what the provider said: a
//! spoilt answer is billed like any other.
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

use std::sync::Arc;
use std::sync::atomic::Ordering;
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
    log: FaultLog,
}

/// One call, told apart from all others.
struct Call<'a> {
    caller: &'a Caller,
    sequence: u32,
    log: &'a FaultLog,
}

impl Call<'_> {
    fn injected(&self, fault: Fault, tool: Option<String>, pointer: String) {
        self.log.push(Injected {
            task: self.caller.task.clone(),
            step: self.caller.step.clone(),
            attempt: self.caller.attempt,
            sequence: self.sequence,
            fault,
            tool,
            pointer,
        });
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
            log: FaultLog::default(),
        })
    }

    /// What has been injected so far and will be; the handle stays connected.
    pub fn log(&self) -> FaultLog {
        self.log.clone()
    }

    /// What keeps the provider from being asked at all.
    fn refusal(&self, key: &Key, request: &Request) -> Option<(Fault, String, LlmError)> {
        let model = &self.model;
        if let Some(pointer) = overflow(request, model.context_items) {
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
            .find(|(fault, rate, _)| key.fires(fault.name(), *rate))
            .map(|(fault, _, error)| (fault, String::new(), error))
    }
}

#[async_trait]
impl LlmProvider for Faulty {
    fn origin(&self) -> Origin {
        Origin::Simulated
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        // The broker has counted this call already. An attempt's calls come from
        // one cell and are started one after another, so until the first await
        // the counter still speaks of this one.
        let sequence = caller.sequence.load(Ordering::Relaxed).saturating_sub(1);
        let call = Call {
            caller,
            sequence,
            log: &self.log,
        };
        let key = Key::of_call(self.seed, caller, sequence);
        let mut latency = self.model.latency(&key);
        let slow = !latency.is_zero() && key.fires(Fault::SlowTail.name(), self.model.slow_tail);
        if slow {
            latency = model::times(latency, self.model.slow_tail_factor);
        }
        let result = match self.refusal(&key, request) {
            Some((fault, pointer, error)) => {
                call.injected(fault, None, pointer);
                if fault == Fault::Timeout {
                    let took = Took::Virtual(Duration::MAX);
                    return Answer {
                        result: Err(error),
                        took,
                    };
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
            call.injected(Fault::SlowTail, None, String::new());
        }
        Answer {
            result,
            took: Took::Virtual(latency),
        }
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
