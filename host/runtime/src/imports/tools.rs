//! `hotcell:capability/tools`: other people's functions, through the broker.

use hotcell_broker::tool as broker;

use super::llm::{denial, spec_to_guest};
use crate::bindings::capability::tools::{Error, Host, ToolCall, ToolOutput, ToolSpec};
use crate::cell::State;

pub(crate) fn call_to_host(call: ToolCall) -> broker::ToolCall {
    broker::ToolCall {
        id: call.id,
        name: call.name,
        arguments: call.arguments,
    }
}

pub(crate) fn call_to_guest(call: broker::ToolCall) -> ToolCall {
    ToolCall {
        id: call.id,
        name: call.name,
        arguments: call.arguments,
    }
}

fn result_to_guest(
    result: Result<broker::ToolOutput, broker::ToolError>,
) -> Result<ToolOutput, Error> {
    use broker::ToolError as E;
    result
        .map(|output| ToolOutput {
            content: output.content,
            is_error: output.is_error,
        })
        .map_err(|error| match error {
            E::Denied(reason) => Error::Denied(denial(reason)),
            E::Unknown => Error::Unknown,
            E::InvalidArguments(text) => Error::InvalidArguments(text),
            E::BudgetExhausted => Error::BudgetExhausted,
            E::RateLimited(after) => Error::RateLimited(after),
            E::Timeout => Error::Timeout,
            E::Failed(text) => Error::Failed(text),
            E::Cancelled => Error::Cancelled,
        })
}

impl Host for State {
    async fn list(&mut self) -> wasmtime::Result<Vec<ToolSpec>> {
        if let Some(specs) = self.recall("tools.list")? {
            return Ok(specs);
        }
        let specs = self.broker.tools(&self.caller.plugin);
        let specs: Vec<_> = specs.into_iter().map(spec_to_guest).collect();
        Ok(self.read("tools.list", specs))
    }

    async fn call(&mut self, call: ToolCall) -> wasmtime::Result<Result<ToolOutput, Error>> {
        let call = call_to_host(call);
        let result = self
            .outside(call.bytes(), async |broker, caller| {
                broker.call_tool(caller, call).await
            })
            .await?;
        let result = result_to_guest(result);
        self.hand("tools.call", &result);
        Ok(result)
    }

    async fn call_all(
        &mut self,
        calls: Vec<ToolCall>,
    ) -> wasmtime::Result<Vec<Result<ToolOutput, Error>>> {
        let calls: Vec<_> = calls.into_iter().map(call_to_host).collect();
        let bytes = calls.iter().map(broker::ToolCall::bytes).sum();
        let results = self
            .outside(bytes, async |broker, caller| {
                broker.call_tools(caller, calls).await
            })
            .await?;
        let results: Vec<_> = results.into_iter().map(result_to_guest).collect();
        self.hand("tools.call-all", &results);
        Ok(results)
    }
}
