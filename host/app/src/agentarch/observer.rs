//! What models asked tools for: the broker sees only calls that were made, and a
//! call of a tool that nobody offers is never made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hotcell_broker::llm::{Answer, LlmProvider, Origin, Part, Request};
use hotcell_broker::{Broker, Caller};
use serde_json::Value;

/// One call of a tool that a model asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// The step's path.
    pub(crate) step: String,
    /// The try of that step, from 1.
    pub(crate) attempt: u32,
    pub(crate) tool: String,
    pub(crate) arguments: Value,
    /// Whether the model was offered a tool of this name.
    pub(crate) offered: bool,
}

/// What was asked for, by task. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observer {
    asked: Arc<Mutex<BTreeMap<String, Vec<Asked>>>>,
}

impl Observer {
    /// A provider whose answers are looked at on their way.
    pub(crate) fn around(&self, inner: Arc<dyn LlmProvider>) -> Arc<dyn LlmProvider> {
        Arc::new(Observed {
            inner,
            observer: self.clone(),
        })
    }

    /// What was asked for while this task was worked on, and forgets it.
    pub(crate) fn take(&self, task: &str) -> Vec<Asked> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(task).unwrap_or_default()
    }
}

struct Observed {
    inner: Arc<dyn LlmProvider>,
    observer: Observer,
}

#[async_trait]
impl LlmProvider for Observed {
    fn origin(&self) -> Origin {
        self.inner.origin()
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        let answer = self.inner.complete(broker, caller, request).await;
        let Ok(completion) = &answer.result else {
            return answer;
        };
        let call = |part: &Part| match part {
            Part::Call(call) => Some(Asked {
                step: caller.step.clone(),
                attempt: caller.attempt,
                tool: call.name.clone(),
                arguments: serde_json::from_str(&call.arguments).unwrap_or(Value::Null),
                offered: request.tools.iter().any(|tool| tool.name == call.name),
            }),
            Part::Text(_) | Part::Json(_) | Part::CallResult(..) => None,
        };
        let calls: Vec<Asked> = completion.message.content.iter().filter_map(call).collect();
        if !calls.is_empty() {
            let asked = self.observer.asked.lock();
            let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
            asked.entry(caller.task.clone()).or_default().extend(calls);
        }
        answer
    }
}
