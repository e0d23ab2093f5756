//! What a guest's imports can reach, and what every host call passes.

use std::sync::Arc;

use hotcell_broker::recall::Recalled;
use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Broker, Caller};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use wasmtime::UpdateDeadline;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

use crate::end::Limit;
use crate::files::Files;
use crate::http::HttpState;
use crate::limits::{Account, Hold, Limiter};
use crate::log::Log;
use crate::random::SplitMix;
use crate::settings::{HOST_CALLS, TICK};
use crate::tape::Tape;
use crate::turns;

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
    pub(crate) http: Option<Box<HttpState>>,
    pub(crate) files: Files,
    pub(super) limiter: Limiter,
    pub(super) tape: Option<Tape>,
    pub(super) turn: turns::Guest,
    /// When an effect last gave the word back to the guest.
    pub(super) resumed: Instant,
    pub(super) host_calls: u64,
}

/// What ends a call from inside a host call.
#[derive(Debug, thiserror::Error)]
#[error("stopped at a limit")]
pub(super) struct Over(pub(super) Limit);

/// What ends a call whose attempt cannot go on; why is in the attempt's log.
#[derive(Debug, thiserror::Error)]
#[error("the attempt cannot go on")]
pub(super) struct Stopped;

impl State {
    /// Every host call passes here first, those of WASI too.
    pub(crate) fn entered(&mut self) -> &mut State {
        self.host_calls = self.host_calls.saturating_add(1);
        self
    }

    pub(super) fn too_many_calls(&self) -> bool {
        self.host_calls > HOST_CALLS && Guard::HostCalls.on()
    }

    /// Does something outside on the guest's behalf. `bytes` are what the host
    /// keeps meanwhile.
    pub(crate) async fn outside<T>(
        &mut self,
        bytes: usize,
        act: impl AsyncFnOnce(&Broker, &Caller) -> T,
    ) -> wasmtime::Result<T> {
        let _held = self.hold(bytes)?;
        let result = act(&self.broker, &self.caller).await;
        if self.caller.log.halted().is_some() {
            return Err(Stopped.into());
        }
        if self.caller.asked_too_much() {
            return Err(Over(Limit::Effects).into());
        }
        self.resumed = Instant::now();
        Ok(result)
    }

    /// Counts bytes that the host keeps for the guest.
    pub(crate) fn hold(&self, bytes: usize) -> wasmtime::Result<Hold> {
        let account = self.account();
        account
            .hold(bytes)
            .ok_or_else(|| Over(account.refused().unwrap_or(Limit::Memory)).into())
    }

    /// Where bytes that the host keeps for the guest are counted.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.limiter.0
    }

    /// A tick came while the guest was computing.
    pub(super) fn ticked(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.too_many_calls() {
            return Err(Over(Limit::HostCalls).into());
        }
        // A guest that has just come back is not one that computes for long.
        let fresh = self.resumed.elapsed() < TICK / 2;
        let waits = if fresh {
            None
        } else {
            self.turn.next(&self.caller.tenant)
        };
        Ok(match waits {
            None => UpdateDeadline::Yield(1),
            Some(waits) => UpdateDeadline::YieldCustom(
                1,
                Box::pin(async move {
                    // An error means that the host is gone.
                    let _gone = waits.await;
                }),
            ),
        })
    }

    /// A value that differs from run to run, if the journal has the one that the
    /// guest was given before. Otherwise it is found out, and passes `read`.
    pub(crate) fn recall<T>(&self, what: &str) -> wasmtime::Result<Option<T>>
    where
        T: Serialize + DeserializeOwned,
    {
        match self.caller.log.recall(&self.caller, what) {
            Recalled::New => Ok(None),
            Recalled::Halted => Err(Stopped.into()),
            Recalled::Known(value) => {
                self.hand(what, &value);
                Ok(Some(value))
            }
        }
    }

    /// Gives the guest a value that differs from run to run: it is written down
    /// for the next time.
    pub(crate) fn read<T: Serialize>(&self, what: &str, value: T) -> T {
        self.caller.log.note(&self.caller, what, &value);
        self.hand(what, &value);
        value
    }

    /// Every value an import gives to the guest passes here. Those of calls are in
    /// the journal already, those that differ from run to run come from `read`; the
    /// others follow from the caller and the plugin.
    pub(crate) fn hand<T: Serialize>(&self, what: &str, value: &T) {
        if let Some(tape) = &self.tape {
            tape.record(&self.caller, what, value);
        }
    }
}
