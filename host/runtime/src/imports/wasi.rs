//! What of WASI's harmless part differs from run to run, written down like every
//! other import: clocks, and which of several things was ready first. Random
//! numbers are drawn from what names the attempt, so they need no record; the rest
//! of that part always gives the same: no arguments, no input, and streams that
//! take what they are given.

use wasmtime::component::Resource;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::random::WasiRandomCtx;
use wasmtime_wasi_io::bindings::wasi::io::poll;

use crate::cell::State;

impl State {
    fn wasi_random(&mut self) -> &mut WasiRandomCtx {
        self.ctx().ctx.random()
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let what = "wall-clock.now";
        if let Some((seconds, nanoseconds)) = self.recall(what)? {
            return Ok(wall_clock::Datetime {
                seconds,
                nanoseconds,
            });
        }
        let now = wall_clock::Host::now(&mut self.clocks())?;
        self.read(what, (now.seconds, now.nanoseconds));
        Ok(now)
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let grain = wall_clock::Host::resolution(&mut self.clocks())?;
        self.hand("wall-clock.resolution", &(grain.seconds, grain.nanoseconds));
        Ok(grain)
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        let what = "monotonic-clock.now";
        if let Some(now) = self.recall(what)? {
            return Ok(now);
        }
        let now = monotonic_clock::Host::now(&mut self.clocks())?;
        Ok(self.read(what, now))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        let grain = monotonic_clock::Host::resolution(&mut self.clocks())?;
        self.hand("monotonic-clock.resolution", &grain);
        Ok(grain)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        monotonic_clock::Host::subscribe_instant(&mut self.clocks(), when)
    }

    fn subscribe_duration(&mut self, time: u64) -> wasmtime::Result<Resource<DynPollable>> {
        monotonic_clock::Host::subscribe_duration(&mut self.clocks(), time)
    }
}

impl random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let bytes = random::Host::get_random_bytes(self.wasi_random(), len)?;
        self.hand("random.get-random-bytes", &bytes);
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let number = random::Host::get_random_u64(self.wasi_random())?;
        self.hand("random.get-random-u64", &number);
        Ok(number)
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let bytes = insecure::Host::get_insecure_random_bytes(self.wasi_random(), len)?;
        self.hand("insecure.get-insecure-random-bytes", &bytes);
        Ok(bytes)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        let number = insecure::Host::get_insecure_random_u64(self.wasi_random())?;
        self.hand("insecure.get-insecure-random-u64", &number);
        Ok(number)
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let seed = insecure_seed::Host::insecure_seed(self.wasi_random())?;
        self.hand("insecure-seed.insecure-seed", &seed);
        Ok(seed)
    }
}

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let what = "poll.poll";
        // What was waited for once is not waited for again.
        if let Some(ready) = self.recall(what)? {
            return Ok(ready);
        }
        let ready = poll::Host::poll(&mut self.table, pollables).await?;
        Ok(self.read(what, ready))
    }
}

impl poll::HostPollable for State {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let what = "poll.ready";
        if let Some(ready) = self.recall(what)? {
            return Ok(ready);
        }
        let ready = poll::HostPollable::ready(&mut self.table, pollable).await?;
        Ok(self.read(what, ready))
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let what = "poll.block";
        if let Some(()) = self.recall(what)? {
            return Ok(());
        }
        poll::HostPollable::block(&mut self.table, pollable).await?;
        self.caller.log.note(&self.caller, what, &());
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}
