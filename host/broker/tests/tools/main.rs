//! Tools of other servers, against servers on loopback that are as bad as a test
//! wants them to be.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod http;
mod mcp;
mod schemas;
mod server;
#[path = "../setup/mod.rs"]
mod setup;

use std::sync::Arc;

use hotcell_broker::tool::{ToolCall, ToolError, ToolOutput, ToolProvider};
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy};

/// A broker whose plugin `agent` may call the tools of this provider.
fn offering(provider: impl ToolProvider + 'static) -> (Broker, Caller) {
    let tools = provider.specs().iter().map(|it| it.name.clone()).collect();
    let grants = Grants {
        tools,
        ..Grants::default()
    };
    let mut policy = Policy::default();
    policy.plugin.insert("agent".to_owned(), grants);
    let parts = Parts {
        policy,
        tools: vec![Arc::new(provider)],
        ..Parts::default()
    };
    (Broker::assemble(parts).unwrap(), setup::caller())
}

async fn call(
    (broker, caller): &(Broker, Caller),
    name: &str,
    arguments: serde_json::Value,
) -> Result<ToolOutput, ToolError> {
    let call = ToolCall {
        id: "call-1".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_string(),
    };
    broker.call_tool(caller, call).await
}
