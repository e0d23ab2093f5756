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

use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::meter::Meter;
use hotcell_broker::recall::AttemptLog;
use hotcell_broker::tool::{ToolCall, ToolError, ToolOutput, ToolProvider};
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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
    (Broker::assemble(parts).unwrap(), caller())
}

fn caller() -> Caller {
    Caller {
        run: "run".to_owned(),
        tenant: "tenant".to_owned(),
        task: "task".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: "agent".to_owned(),
        now_unix_ms: 0,
        deadline: Instant::now() + Duration::from_secs(3600),
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::default(),
        depth: 0,
        behalf: Arc::default(),
        parent: None,
        log: AttemptLog::off(),
    }
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
