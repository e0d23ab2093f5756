//! Calls on a live instance, for the benchmark alone: what a call costs when the
//! cell is there already, and what each meter costs a guest that computes. Runs
//! of workflows never do this; every attempt gets a fresh cell and all meters.

use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::{Broker, Caller};
use tokio::time::Instant;
use wasmtime::component::{Component, Linker};

use crate::cell::{self, Shared};
use crate::limits::Tenants;
use crate::plugin::{CallLimits, Plugin, Pre, inspect};
use crate::runtime;
use crate::settings::{self, Settings};
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
    let shared = Shared {
        tape: None,
        total: Tenants::new(usize::MAX).total(&caller.tenant),
        turns: &Turns::new(1),
    };
    let all = Meters::ALL;
    let calls = in_one_cell(plugin, broker, caller, shared, all, task, calls).await;
    calls.map(|(took, _)| took)
}

/// Which meters a guest's code carries. Everything but the benchmark has
/// [`Meters::ALL`]: a guest without them cannot be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meters {
    /// Instructions are counted.
    pub fuel: bool,
    /// Ticks are looked at.
    pub epoch: bool,
    /// Every NaN has the same bits.
    pub one_nan: bool,
}

impl Meters {
    /// How guests run.
    pub const ALL: Meters = Meters {
        fuel: true,
        epoch: true,
        one_nan: true,
    };
}

/// One trusted agent under chosen meters, for the benchmark alone. It is no
/// [`crate::Runtime`] and makes no [`crate::Cells`], so nothing that runs
/// workflows can be handed code without meters.
pub struct Rig {
    plugin: Plugin,
    meters: Meters,
    turns: Arc<Turns>,
}

impl Rig {
    /// Compiles the agent in this process.
    pub fn new(bytes: &[u8], meters: Meters) -> Result<Rig, String> {
        let words = |error: wasmtime::Error| format!("{error:#}");
        let settings = Settings {
            cells: 1,
            nested_cells: 1,
            ..Settings::default()
        };
        let engine = settings::metered_engine(&settings, meters).map_err(words)?;
        let turns = Turns::new(1);
        runtime::tick(&engine, &turns).map_err(|error| error.to_string())?;
        let mut linker = Linker::new(&engine);
        runtime::link(&mut linker).map_err(words)?;
        let inspection = inspect(bytes).map_err(|error| error.to_string())?;
        let component = Component::new(&engine, bytes).map_err(words)?;
        let pre = linker.instantiate_pre(&component).map_err(words)?;
        let limits = CallLimits::resolve(
            inspection.manifest.limits,
            settings.max_memory_mib,
            settings.room,
        )?;
        Ok(Rig {
            plugin: Plugin {
                pre: Pre::new(inspection.manifest.kind, pre).map_err(words)?,
                manifest: inspection.manifest,
                digest: inspection.digest,
                limits,
                config: Arc::from("{}"),
                component,
            },
            meters,
            turns,
        })
    }

    /// How long each of so many calls took in one cell, and what the last one
    /// answered.
    pub async fn calls(
        &self,
        broker: &Broker,
        caller: Caller,
        task: Task,
        calls: u32,
    ) -> Result<(Vec<Duration>, String), String> {
        let shared = Shared {
            tape: None,
            total: Tenants::new(usize::MAX).total(&caller.tenant),
            turns: &self.turns,
        };
        in_one_cell(
            &self.plugin,
            broker,
            caller,
            shared,
            self.meters,
            task,
            calls as usize,
        )
        .await
    }
}

/// Calls an agent over and over in one cell.
async fn in_one_cell(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    shared: Shared<'_>,
    meters: Meters,
    task: Task,
    calls: usize,
) -> Result<(Vec<Duration>, String), String> {
    let words = |error: wasmtime::Error| format!("{error:#}");
    let Pre::Agent(pre) = &plugin.pre else {
        return Err("it is no agent".to_owned());
    };
    let mut store = cell::metered_store(plugin, broker, caller, shared, Instant::now(), meters)
        .map_err(words)?;
    let guest = pre.instantiate_async(&mut store).await.map_err(words)?;
    let task = task.into();
    let (mut took, mut last) = (Vec::with_capacity(calls), String::new());
    for _ in 0..calls {
        if meters.fuel {
            store.set_fuel(plugin.limits.fuel).map_err(words)?;
        }
        let started = Instant::now();
        let agent = guest.hotcell_plugin_agent();
        let answer = agent.call_run(&mut store, &task).await.map_err(words)?;
        took.push(started.elapsed());
        last = answer.map_err(|failure| format!("{failure:?}"))?.value;
    }
    Ok((took, last))
}
