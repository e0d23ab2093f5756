//! One call of one plugin in one fresh store.
//!
//! A cell lives for a single call: it is made, asked, and thrown away, so that
//! nothing a guest leaves in memory reaches the next caller and a trapped store
//! is never used again. Every call ends in exactly one [`End`].

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hotcell_broker::meter::{CellUse, Level, LogLine};
use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Broker, Caller, text};
use rand_core::TryRng;
use serde::Serialize;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::{I32Exit, WasiCtx};

use crate::bindings::capability::llm;
use crate::bindings::capability::types::{ToolCall, ToolOutput, ToolSpec};
use crate::bindings::types;
use crate::limits::Limiter;
use crate::log::Log;
use crate::plugin::{Plugin, Pre};
use crate::settings::{HANDLES, HOST_OBJECTS, HOSTCALL_BYTES};
use crate::tape::Tape;
use crate::task::Failure;

/// So many functions of a trap's backtrace are named.
const FRAMES: usize = 5;

/// Everything a guest's imports can reach.
pub(crate) struct State {
    pub(crate) caller: Caller,
    pub(crate) broker: Broker,
    pub(crate) config: Arc<str>,
    pub(crate) deadline_unix_ms: u64,
    pub(crate) random: SplitMix,
    pub(crate) log: Log,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: Option<Box<WasiCtx>>,
    limiter: Limiter,
    tape: Option<Tape>,
}

impl State {
    /// Every value an import gives to the guest passes here.
    pub(crate) fn hand<T: Serialize>(&self, what: &'static str, value: &T) {
        if let Some(tape) = &self.tape {
            tape.record(&self.caller, what, value);
        }
    }
}

/// A limit that a call ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// More instructions than it had fuel for.
    Fuel,
    /// More memory and tables than its cap, and it could not go on without.
    Memory,
    /// Recursion deeper than its stack.
    Stack,
    /// More bytes in one host call than one may carry.
    HostcallBytes,
    /// More handles or host objects than one cell may hold.
    Handles,
    /// More instances, memories or tables than one cell may have.
    Instances,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End<T> {
    /// The guest answered.
    Done(T),
    /// The guest said why it cannot.
    Failed(Failure),
    /// The host stopped it at a limit.
    Limit(Limit),
    /// The guest broke its own rules: unreachable code, bad memory access, an
    /// invalid value. The text has been through the text gate.
    Trap(String),
    /// Its time was up.
    Deadline,
    /// The run was cancelled.
    Cancelled,
    /// Not the guest's fault: the host could not give it a cell. The text has
    /// been through the text gate.
    Host(String),
}

impl<T> End<T> {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            End::Done(_) => "ok",
            End::Failed(Failure::InvalidInput(_)) => "invalid-input",
            End::Failed(Failure::Transient(_)) => "transient",
            End::Failed(Failure::Permanent(_)) => "permanent",
            End::Failed(Failure::Refused(_)) => "refused",
            End::Limit(Limit::Fuel) => "limit.fuel",
            End::Limit(Limit::Memory) => "limit.memory",
            End::Limit(Limit::Stack) => "limit.stack",
            End::Limit(Limit::HostcallBytes) => "limit.hostcall-bytes",
            End::Limit(Limit::Handles) => "limit.handles",
            End::Limit(Limit::Instances) => "limit.instances",
            End::Trap(_) => "trap",
            End::Deadline => "deadline",
            End::Cancelled => "cancelled",
            End::Host(_) => "host",
        }
    }

    /// The words that came with it: the guest's about its failure, those of a
    /// trap, or ours. They have been through the text gate.
    pub fn words(&self) -> Option<&str> {
        match self {
            End::Failed(
                Failure::InvalidInput(text)
                | Failure::Transient(text)
                | Failure::Permanent(text)
                | Failure::Refused(text),
            )
            | End::Trap(text)
            | End::Host(text) => Some(text),
            End::Done(_) | End::Limit(_) | End::Deadline | End::Cancelled => None,
        }
    }

    /// Another answer in the same end.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> End<U>) -> End<U> {
        match self {
            End::Done(value) => f(value),
            End::Failed(failure) => End::Failed(failure),
            End::Limit(limit) => End::Limit(limit),
            End::Trap(text) => End::Trap(text),
            End::Deadline => End::Deadline,
            End::Cancelled => End::Cancelled,
            End::Host(text) => End::Host(text),
        }
    }
}

/// What a plugin is asked.
#[derive(Serialize)]
pub(crate) enum Ask {
    Run(types::Task),
    Check(types::Subject),
    Specs,
    Call(ToolCall),
    Decide(Vec<types::Ballot>),
    Complete(llm::Request),
}

/// What it told.
pub(crate) enum Told {
    Output(types::Output),
    Verdict(types::Verdict),
    Specs(Vec<ToolSpec>),
    Called(ToolOutput),
    Decision(types::Decision),
    Completion(Result<llm::Response, llm::Error>),
}

/// Makes a cell, asks, and writes down what it used.
pub(crate) async fn call(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    tape: Option<&Tape>,
    ask: Ask,
) -> End<Told> {
    let started = Instant::now();
    let deadline = match Guard::Deadline.on() {
        true => caller.deadline.min(started + plugin.limits.deadline),
        false => caller.deadline,
    };
    let mut caller = caller;
    caller.deadline = deadline;
    let meter = Arc::clone(&caller.meter);
    let (step, attempt) = (caller.step.clone(), caller.attempt);
    let mut cell = match store(plugin, broker, caller, tape, started) {
        Ok(store) => store,
        Err(error) => return End::Host(format!("{error:#}")),
    };
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
        end = ask_in(&mut cell, plugin, ask) => match end {
            Ok(Ok(told)) => End::Done(told),
            Ok(Err(failure)) => End::Failed(failure.into()),
            Err(error) => classify(&error, cell.data().limiter.refused()),
        },
    };

    let left = cell.get_fuel().unwrap_or(0);
    let answered = matches!(end, End::Done(_) | End::Failed(_));
    let fuel = plugin.limits.fuel;
    let (said, log_dropped) = cell.data().log.take();
    // A panic is logged and then traps: the words belong to the trap.
    let last_error = said.iter().rev().find(|(level, _)| *level == Level::Error);
    let end = match (end, last_error) {
        (End::Trap(text), Some((_, line))) => {
            let both = format!("{text}; it last logged: {line}");
            let most = if Guard::TrapText.on() {
                text::LINE
            } else {
                usize::MAX
            };
            End::Trap(text::shorten(&both, most))
        }
        (end, _) => end,
    };
    let lines = said.into_iter().map(|(level, text)| LogLine {
        plugin: plugin.manifest.name.clone(),
        step: step.clone(),
        attempt,
        level,
        text,
    });
    let used = CellUse {
        plugin: plugin.manifest.name.clone(),
        step: step.clone(),
        attempt,
        outcome: end.code(),
        fuel: if answered || !Guard::FuelAfterTrap.on() {
            fuel.saturating_sub(left)
        } else {
            fuel
        },
        peak_memory: cell.data().limiter.peak() as u64,
        wall: started.elapsed(),
        log_dropped,
    };
    meter.cell(used, lines.collect());
    end
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

pub(crate) fn store(
    plugin: &Plugin,
    broker: &Broker,
    caller: Caller,
    tape: Option<&Tape>,
    started: Instant,
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
        limiter: Limiter::new(limits.memory),
        tape: tape.cloned(),
        caller,
    };
    let mut store = Store::try_new(plugin.engine(), state)?;
    store.limiter(|state| &mut state.limiter);
    let meter = |guard: Guard, limit: u64| if guard.on() { limit } else { u64::MAX };
    store.set_fuel(meter(Guard::Fuel, limits.fuel))?;
    if Guard::Epoch.on() {
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
    } else {
        store.set_epoch_deadline(1 << 60);
    }
    store.set_hostcall_fuel(match Guard::HostcallBytes.on() {
        true => HOSTCALL_BYTES,
        false => usize::MAX,
    });
    store.set_max_component_handles(match Guard::Handles.on() {
        true => HANDLES,
        false => usize::MAX,
    });
    Ok(store)
}

async fn ask_in(
    cell: &mut Store<State>,
    plugin: &Plugin,
    ask: Ask,
) -> wasmtime::Result<Result<Told, types::Failure>> {
    Ok(match (&plugin.pre, ask) {
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
        (pre, _) => wasmtime::bail!("a `{}` cannot be asked that", pre.kind()),
    })
}

/// Whose fault it was. A guest that was refused memory and then trapped is
/// charged to the limit: allocators answer a refusal with a trap.
fn classify(error: &wasmtime::Error, memory_refused: bool) -> End<Told> {
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return End::Host("all cells are in use".to_owned());
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
        ("exceeds memory limits", Limit::Memory),
        ("exceeds table limits", Limit::Memory),
        ("resource limit exceeded", Limit::Instances),
    ];
    if let Some((_, limit)) = limits.iter().find(|(words, _)| text.contains(words)) {
        return End::Limit(*limit);
    }
    if memory_refused {
        return End::Limit(Limit::Memory);
    }
    let text = where_it_broke(error);
    End::Trap(match Guard::TrapText.on() {
        true => text::line(&text, text::LINE),
        false => text::line(&text, usize::MAX),
    })
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

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes for each
/// number. Its sequence is part of the contract with replays and will not
/// change; it is not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    /// Seeded by everything that names the attempt, by FNV-1a over the parts.
    /// The run's own id is left out: the same task in another execution of the
    /// same workflow draws the same numbers.
    fn for_attempt(caller: &Caller) -> SplitMix {
        let attempt = caller.attempt.to_le_bytes();
        let parts = [
            caller.task.as_bytes(),
            caller.step.as_bytes(),
            caller.plugin.as_bytes(),
            &attempt,
        ];
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in parts {
            for byte in part.iter().chain(&[0xff]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        SplitMix(hash)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Another sequence from the same seed, which this one does not notice.
    pub(crate) fn fork(&self) -> SplitMix {
        SplitMix(SplitMix(!self.0).next())
    }
}

impl TryRng for SplitMix {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for chunk in to.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix;

    #[test]
    fn the_sequence_is_the_published_one() {
        // The reference implementation's first three numbers for seed 1234567.
        let mut random = SplitMix(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
