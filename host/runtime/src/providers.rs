//! Tools, models and agents that are plugins: the broker's provider traits,
//! implemented once over components.

mod agent;

use std::sync::Arc;

use async_trait::async_trait;
use hotcell_broker::llm::{Answer, EmbedAsk, Embedding, LlmError, LlmProvider, Origin, Request};
use hotcell_broker::tool::registry::is_tool_name;
use hotcell_broker::tool::{ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use hotcell_broker::{Broker, Caller, text};

pub use agent::AgentPlugin;

use crate::end::End;
use crate::plugin::Plugin;
use crate::runtime::Cells;
use crate::task::Failure;

/// A tool plugin as the broker calls it.
pub struct ToolPlugin {
    cells: Cells,
    plugin: Arc<Plugin>,
    specs: Vec<ToolSpec>,
}

impl ToolPlugin {
    /// Asks the plugin once what it offers. `caller` is for that one call.
    pub async fn start(
        cells: Cells,
        plugin: Arc<Plugin>,
        broker: &Broker,
        caller: Caller,
    ) -> Result<ToolPlugin, String> {
        match cells.specs(&plugin, broker, caller).await {
            End::Done(specs) => match specs.iter().find(|spec| !is_tool_name(&spec.name)) {
                Some(spec) => Err(format!(
                    "it offers `{}`, which is no tool's name",
                    text::line(&spec.name, 160)
                )),
                None => Ok(ToolPlugin {
                    cells,
                    plugin,
                    specs,
                }),
            },
            end => Err(describe(&end)),
        }
    }
}

#[async_trait]
impl ToolProvider for ToolPlugin {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    async fn call(
        &self,
        broker: &Broker,
        caller: &Caller,
        call: &ToolCall,
    ) -> Result<ToolOutput, ToolError> {
        let caller = nested(caller, &self.plugin);
        match self
            .cells
            .call_tool(&self.plugin, broker, caller, call.clone())
            .await
        {
            End::Done(output) => Ok(output),
            End::Failed(Failure::InvalidInput(text)) => Err(ToolError::InvalidArguments(text)),
            End::Deadline => Err(ToolError::Timeout),
            End::Cancelled => Err(ToolError::Cancelled),
            end => Err(ToolError::Failed(describe(&end))),
        }
    }
}

/// A model plugin as the broker calls it.
pub struct ModelPlugin {
    cells: Cells,
    plugin: Arc<Plugin>,
}

impl ModelPlugin {
    /// A provider over this plugin.
    pub fn new(cells: Cells, plugin: Arc<Plugin>) -> ModelPlugin {
        ModelPlugin { cells, plugin }
    }
}

#[async_trait]
impl LlmProvider for ModelPlugin {
    fn origin(&self) -> Origin {
        Origin::Plugin
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        let caller = nested(caller, &self.plugin);
        Answer::wall(
            match self
                .cells
                .complete(&self.plugin, broker, caller, request.clone())
                .await
            {
                End::Done(answer) => answer,
                End::Deadline => Err(LlmError::Timeout),
                End::Cancelled => Err(LlmError::Cancelled),
                end => Err(LlmError::Unavailable(describe(&end))),
            },
        )
    }

    async fn embed(
        &self,
        broker: &Broker,
        caller: &Caller,
        asked: &EmbedAsk,
    ) -> Result<Embedding, LlmError> {
        let caller = nested(caller, &self.plugin);
        let texts = asked.texts.clone();
        let end = self.cells.embed(&self.plugin, broker, caller, texts).await;
        let vectors = match end {
            End::Done(made) => made?,
            End::Deadline => return Err(LlmError::Timeout),
            End::Cancelled => return Err(LlmError::Cancelled),
            end => return Err(LlmError::Unavailable(describe(&end))),
        };
        Ok(Embedding {
            vectors,
            usage: asked.estimate(),
            cost_micros: 0,
        })
    }
}

fn nested(caller: &Caller, plugin: &Plugin) -> Caller {
    let name = &plugin.manifest.name;
    caller.nested(name, format!("{}/{name}", caller.step))
}

/// The end of a call in words, for the caller's log.
fn describe<T>(end: &End<T>) -> String {
    match end.words() {
        Some(words) => format!("{}: {words}", end.code()),
        None => end.code().to_owned(),
    }
}
