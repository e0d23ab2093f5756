//! Agents that agents ask.

use std::sync::Arc;

use async_trait::async_trait;
use hotcell_broker::delegate::{self, AgentProvider, DelegateAsk, DelegateError};
use hotcell_broker::tool::schema::{BadSchema, Schema};
use hotcell_broker::{Broker, Caller};
use serde_json::Value;

use super::describe;
use crate::end::{End, Limit};
use crate::plugin::Plugin;
use crate::runtime::Cells;
use crate::task::Task;

/// An agent plugin as other agents ask it: in a cell of its own, under its own
/// grants, held to its own schemas.
pub struct AgentPlugin {
    cells: Cells,
    plugin: Arc<Plugin>,
    input: Result<Option<Schema>, BadSchema>,
    output: Result<Option<Schema>, BadSchema>,
}

impl AgentPlugin {
    /// A provider over this plugin.
    pub fn new(cells: Cells, plugin: Arc<Plugin>) -> AgentPlugin {
        let schema = |text: &Option<String>| text.as_deref().map(Schema::new).transpose();
        AgentPlugin {
            input: schema(&plugin.manifest.input_schema),
            output: schema(&plugin.manifest.output_schema),
            cells,
            plugin,
        }
    }

    /// The caller that the agent is: its own path, grants and journal, and the rest
    /// of who asks.
    fn caller(&self, caller: &Caller) -> Caller {
        let name = &self.plugin.manifest.name;
        let step = delegate::path(&caller.step, name, caller.number());
        let log = caller.log.below(&step, caller.attempt);
        Caller {
            log,
            ..caller.nested(name, step)
        }
    }
}

#[async_trait]
impl AgentProvider for AgentPlugin {
    fn name(&self) -> &str {
        &self.plugin.manifest.name
    }

    async fn ask(
        &self,
        broker: &Broker,
        caller: &Caller,
        ask: &DelegateAsk,
    ) -> Result<String, DelegateError> {
        fit(&self.input, &ask.input, "the input")?;
        let task = Task {
            id: caller.task.clone(),
            kind: ask.kind.clone(),
            input: ask.input.clone(),
            previous: None,
            findings: Vec::new(),
            iteration: 1,
        };
        let run = self
            .cells
            .run(&self.plugin, broker, self.caller(caller), task);
        match run.await {
            End::Done(output) => {
                fit(&self.output, &output.value, "the answer")?;
                Ok(output.value)
            }
            End::Limit(Limit::Depth) => Err(DelegateError::DepthExceeded),
            End::Saturated => Err(DelegateError::Saturated),
            End::Cancelled => Err(DelegateError::Cancelled),
            End::Halted(halt) => {
                caller.log.halt(halt);
                Err(DelegateError::Cancelled)
            }
            end => Err(DelegateError::Failed(describe(&end))),
        }
    }
}

/// Whether a text is what a schema asks for.
fn fit(
    schema: &Result<Option<Schema>, BadSchema>,
    text: &str,
    what: &str,
) -> Result<(), DelegateError> {
    let failed = |why: String| DelegateError::Failed(format!("{what}: {why}"));
    let value: Value = serde_json::from_str(text).map_err(|error| failed(error.to_string()))?;
    match schema {
        Ok(None) => Ok(()),
        Ok(Some(schema)) => schema.check(&value).map_err(failed),
        Err(error) => Err(failed(format!(
            "the agent's schema cannot be used: {error}"
        ))),
    }
}
