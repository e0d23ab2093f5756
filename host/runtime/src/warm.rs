//! Calls on a live instance, for the benchmark alone: what a call costs when the
//! cell is there already. Runs of workflows never do this; every attempt gets a
//! fresh cell.

use std::time::Duration;

use hotcell_broker::{Broker, Caller};
use tokio::time::Instant;

use crate::cell::{self, Shared};
use crate::limits::Tenants;
use crate::plugin::{Plugin, Pre};
use crate::task::Task;
use crate::turns::Turns;

/// How long each of `calls` calls of an agent took in one cell. `Err` says what
/// ended it.
pub async fn warm_calls(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    task: Task,
    calls: usize,
) -> Result<Vec<Duration>, String> {
    let words = |error: wasmtime::Error| format!("{error:#}");
    let Pre::Agent(pre) = &plugin.pre else {
        return Err("it is no agent".to_owned());
    };
    let shared = Shared {
        tape: None,
        total: Tenants::new(usize::MAX).total(&caller.tenant),
        turns: &Turns::new(1),
    };
    let mut store = cell::store(plugin, broker, caller, shared, Instant::now()).map_err(words)?;
    let guest = pre.instantiate_async(&mut store).await.map_err(words)?;
    let task = task.into();
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        store.set_fuel(plugin.limits.fuel).map_err(words)?;
        let started = Instant::now();
        let agent = guest.hotcell_plugin_agent();
        let answer = agent.call_run(&mut store, &task).await.map_err(words)?;
        took.push(started.elapsed());
        answer.map_err(|failure| format!("{failure:?}"))?;
    }
    Ok(took)
}
