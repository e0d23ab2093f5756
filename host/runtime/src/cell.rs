//! One call of one plugin in one fresh store.
//!
//! A cell lives for a single call: it is made, asked, and thrown away, so that
//! nothing a guest leaves in memory reaches the next caller and a trapped store
//! is never used again. Every call ends in exactly one [`End`].

mod state;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hotcell_broker::meter::{CellUse, Level, LogLine};
use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Broker, Caller, text};
use serde::Serialize;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::bindings::capability::llm;
use crate::bindings::capability::types::{ToolCall, ToolOutput, ToolSpec};
use crate::bindings::types;
use crate::end::{End, Limit};
use crate::files::Files;
use crate::limits::{Account, Limiter, Total};
use crate::log::Log;
use crate::plugin::{Plugin, Pre};
use crate::random::SplitMix;
use crate::settings::{FUEL_YIELD, HANDLES, HOST_OBJECTS, HOSTCALL_BYTES};
use crate::tape::Tape;
use crate::task;
use crate::turns::Turns;
use crate::warm::Meters;

use state::Over;
pub(crate) use state::State;

/// So many functions of a trap's backtrace are named.
const FRAMES: usize = 5;

/// What a plugin is asked.
#[derive(Serialize)]
pub(crate) enum Ask {
    Run(types::Task),
    Check(types::Subject),
    Specs,
    Call(ToolCall),
    Decide(Vec<types::Ballot>),
    Complete(llm::Request),
    Embed(Vec<String>),
}

/// What it told.
pub(crate) enum Told {
    Output(types::Output),
    Verdict(types::Verdict),
    Specs(Vec<ToolSpec>),
    Called(ToolOutput),
    Decision(types::Decision),
    Completion(Result<llm::Response, llm::Error>),
    Vectors(Result<Vec<Vec<f32>>, llm::Error>),
}

/// What a cell shares with others of the same host.
pub(crate) struct Shared<'a> {
    pub(crate) tape: Option<&'a Tape>,
    /// What the tenant's cells hold.
    pub(crate) total: Arc<Total>,
    pub(crate) turns: &'a Arc<Turns>,
}

/// Makes a cell, asks, and writes down what it used.
pub(crate) async fn call(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    shared: Shared<'_>,
    ask: Box<Ask>,
) -> End<Told> {
    let started = Instant::now();
    let own = started + plugin.limits.deadline;
    let deadline = Guard::Deadline.limit(caller.deadline.min(own), caller.deadline);
    let mut caller = caller;
    caller.deadline = deadline;
    let store = match store(plugin, broker, caller, shared, started) {
        Ok(store) => store,
        Err(error) => return End::Host(format!("{error:#}")),
    };
    let mut open = Open {
        store,
        plugin,
        started,
        recorded: false,
    };
    let cell = &mut open.store;
    let cancel = cell.data().caller.cancel.clone();
    cell.data().hand("call", &ask);

    // Epoch ticks make a busy guest yield, so the clock and the cancellation are
    // looked at every 10 ms whatever the guest does, and before it has its next
    // turn: of many whose time is up, only those that are running are waited for.
    // Dropping the call's future unwinds the guest's fibre.
    let end = tokio::select! {
        biased;
        () = cancel.cancelled() => End::Cancelled,
        () = over(deadline) => End::Deadline,
        end = ask_in(&mut *cell, plugin, ask) => match end {
            _ if cell.data().too_many_calls() => End::Limit(Limit::HostCalls),
            Ok(Ok(told)) => match task::check(&told) {
                Ok(()) => End::Done(task::discreet(told)),
                Err(wrong) => End::Trap(wrong),
            },
            Ok(Err(failure)) => End::Failed(failure.into()),
            Err(error) => classify(&error, cell.data().account().refused()),
        },
    };

    let caller = &cell.data().caller;
    if matches!(end, End::Done(_) | End::Failed(_)) {
        caller.log.answered(caller);
    }
    // Whatever else happened: an attempt that cannot go on has not ended so.
    let end = match caller.log.halted() {
        Some(halt) => End::Halted(halt),
        None => end,
    };
    open.end(end)
}

/// A cell at work. What it used is written down when its call ends, and also when
/// nobody waits for that any more: whoever gives up an agent gives up the tools it
/// waits for, and they have used what they have used.
struct Open<'a> {
    store: Store<State>,
    plugin: &'a Plugin,
    started: Instant,
    recorded: bool,
}

impl Open<'_> {
    fn end(mut self, end: End<Told>) -> End<Told> {
        let (said, log_dropped) = self.store.data().log.take();
        // A panic is logged and then traps: the words belong to the trap.
        let last_error = said.iter().rev().find(|(level, _)| *level == Level::Error);
        let end = match (end, last_error) {
            (End::Trap(text), Some((_, line))) => {
                let both = format!("{text}; it last logged: {line}");
                End::Trap(text::shorten(&both, most_of_a_trap()))
            }
            (end, _) => end,
        };
        let answered = matches!(end, End::Done(_) | End::Failed(_));
        self.record(end.code(), answered, said, log_dropped);
        end
    }

    fn record(
        &mut self,
        outcome: &'static str,
        answered: bool,
        said: Vec<(Level, String)>,
        log_dropped: u64,
    ) {
        self.recorded = true;
        let left = self.store.get_fuel().unwrap_or(0);
        let fuel = self.plugin.limits.fuel;
        let state = self.store.data();
        let plugin = &self.plugin.manifest.name;
        let (step, attempt) = (&state.caller.step, state.caller.attempt);
        let lines = said.into_iter().map(|(level, text)| LogLine {
            plugin: plugin.clone(),
            step: step.clone(),
            attempt,
            level,
            text,
        });
        let used = CellUse {
            plugin: plugin.clone(),
            step: step.clone(),
            attempt,
            outcome,
            fuel: if answered || !Guard::FuelAfterTrap.on() {
                fuel.saturating_sub(left)
            } else {
                fuel
            },
            peak_memory: state.account().peak() as u64,
            wall: self.started.elapsed(),
            log_dropped,
        };
        state.caller.meter.cell(used, lines.collect());
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.recorded && Guard::GivenUp.on() {
            let (said, log_dropped) = self.store.data().log.take();
            self.record("cancelled", false, said, log_dropped);
        }
    }
}

/// Ends at `deadline`. The clock is read each time: while guests keep all threads
/// busy, tokio looks at its timers only after 61 turns, which take 10 ms each.
async fn over(deadline: Instant) {
    let mut timer = pin!(tokio::time::sleep_until(deadline));
    let look = |cx: &mut Context<'_>| match Instant::now() < deadline {
        true => timer.as_mut().poll(cx),
        false => Poll::Ready(()),
    };
    poll_fn(look).await;
}

fn store(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    shared: Shared<'_>,
    started: Instant,
) -> wasmtime::Result<Store<State>> {
    metered_store(plugin, broker, caller, shared, started, Meters::ALL)
}

/// A store for code with these meters; other than all, for the benchmark alone.
pub(crate) fn metered_store(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    shared: Shared<'_>,
    started: Instant,
    meters: Meters,
) -> wasmtime::Result<Store<State>> {
    let limits = &plugin.limits;
    let left = caller.deadline.saturating_duration_since(started);
    let mut table = ResourceTable::new();
    if Guard::HostObjects.on() {
        table.set_max_capacity(HOST_OBJECTS);
    }
    let state = State {
        deadline_unix_ms: caller.now_unix_ms.saturating_add(millis(left)),
        random: SplitMix::for_attempt(&caller),
        broker: broker.clone(),
        config: Arc::clone(&plugin.config),
        log: Log::default(),
        table,
        wasi: None,
        http: None,
        files: Files::default(),
        limiter: Limiter(Account::new(limits.memory, shared.total)),
        tape: shared.tape.cloned(),
        turn: shared.turns.guest(),
        resumed: started,
        host_calls: 0,
        caller,
    };
    let mut store = Store::try_new(plugin.engine(), state)?;
    store.limiter(|state| &mut state.limiter);
    if meters.fuel {
        store.set_fuel(Guard::Fuel.limit(limits.fuel, u64::MAX))?;
    }
    if Guard::Epoch.on() {
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().ticked());
        // A second way to stop, for when the clock's thread itself is starved.
        if meters.fuel {
            store.fuel_async_yield_interval(Some(FUEL_YIELD))?;
        }
    } else {
        store.set_epoch_deadline(1 << 60);
    }
    store.set_hostcall_fuel(Guard::HostcallBytes.limit(HOSTCALL_BYTES, usize::MAX));
    store.set_max_component_handles(Guard::Handles.limit(HANDLES, usize::MAX));
    Ok(store)
}

async fn ask_in(
    cell: &mut Store<State>,
    plugin: &Plugin,
    ask: Box<Ask>,
) -> wasmtime::Result<Result<Told, types::Failure>> {
    Ok(match (&plugin.pre, *ask) {
        (Pre::Agent(pre), Ask::Run(task)) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            guest
                .hotcell_plugin_agent()
                .call_run(cell, &task)
                .await?
                .map(Told::Output)
        }
        (Pre::Validator(pre), Ask::Check(subject)) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            guest
                .hotcell_plugin_validator()
                .call_check(cell, &subject)
                .await?
                .map(Told::Verdict)
        }
        (Pre::Tool(pre), Ask::Specs) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            Ok(Told::Specs(
                guest.hotcell_plugin_tool().call_specs(cell).await?,
            ))
        }
        (Pre::Tool(pre), Ask::Call(call)) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            guest
                .hotcell_plugin_tool()
                .call_call(cell, &call)
                .await?
                .map(Told::Called)
        }
        (Pre::Aggregator(pre), Ask::Decide(ballots)) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            guest
                .hotcell_plugin_aggregator()
                .call_decide(cell, &ballots)
                .await?
                .map(Told::Decision)
        }
        (Pre::Model(pre), Ask::Complete(request)) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            let answer = guest
                .hotcell_plugin_model()
                .call_complete(cell, &request)
                .await?;
            Ok(Told::Completion(answer))
        }
        (Pre::Model(pre), Ask::Embed(texts)) => {
            let guest = pre.instantiate_async(&mut *cell).await?;
            let made = guest
                .hotcell_plugin_model()
                .call_embed(cell, &texts)
                .await?;
            Ok(Told::Vectors(made))
        }
        (pre, _) => wasmtime::bail!("a `{}` cannot be asked that", pre.kind()),
    })
}

/// Whose fault it was. A guest that was refused memory and then trapped is
/// charged to the limit: allocators answer a refusal with a trap.
fn classify(error: &wasmtime::Error, refused: Option<Limit>) -> End<Told> {
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return End::Saturated;
    }
    if let Some(Over(limit)) = error.downcast_ref::<Over>() {
        return End::Limit(*limit);
    }
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return End::Trap(format!("the plugin exited with code {code}"));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return End::Limit(Limit::Fuel),
        Some(Trap::StackOverflow) => return End::Limit(Limit::Stack),
        _ => {}
    }
    // wasmtime has no types for these; the texts are pinned by tests. The cause
    // alone is wasmtime's: what is around it names the guest's functions.
    let text = error.root_cause().to_string();
    let limits = [
        (
            "fuel allocated for hostcalls has been exhausted",
            Limit::HostcallBytes,
        ),
        ("store handle limit exceeded", Limit::Handles),
        ("resource table has no free keys", Limit::Handles),
        ("exceeds memory limits", refused.unwrap_or(Limit::Memory)),
        ("exceeds table limits", refused.unwrap_or(Limit::Memory)),
        ("resource limit exceeded", Limit::Instances),
    ];
    if let Some((_, limit)) = limits.iter().find(|(words, _)| text.contains(words)) {
        return End::Limit(*limit);
    }
    if let Some(limit) = refused {
        return End::Limit(limit);
    }
    End::Trap(text::line(&where_it_broke(error), most_of_a_trap()))
}

/// Bytes of a trap's text.
fn most_of_a_trap() -> usize {
    Guard::TrapText.limit(text::LINE, usize::MAX)
}

/// The cause of a trap and the guest's functions it went through, innermost
/// first. The names are the guest's own.
fn where_it_broke(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map(WasmBacktrace::frames);
    let names = frames
        .into_iter()
        .flatten()
        .map(|frame| match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        });
    let names: Vec<_> = names.take(FRAMES).collect();
    if names.is_empty() {
        cause
    } else {
        format!("{cause}, in {}", names.join(" < "))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
