//! The harmless part of WASI 0.2, for guests built with a toolchain that always
//! imports it: coarse clocks, seeded random, output to the log. No arguments,
//! no environment, no input, no sockets. Files are in `files.rs`, and only those
//! that were granted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hotcell_broker::meter::Level;
use hotcell_broker::store::guard::Guard;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io as wasi_io;

use crate::cell::State;
use crate::files;
use crate::http;
use crate::log::Log;
use crate::random::SplitMix;

/// The grain of both clocks: one millisecond, too coarse to time a cache.
const GRAIN: Duration = Duration::from_millis(1);

/// The most random bytes of one call.
const RANDOM_BYTES: u64 = 64 * 1024;

struct HasIo;

impl HasData for HasIo {
    type Data<'a> = &'a mut ResourceTable;
}

/// What is handed over through `imports/wasi.rs`, and written down there.
type Handed = HasSelf<State>;

/// Links the subset, and only the subset.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let l = linker;
    wasi_io::error::add_to_linker::<State, HasIo>(l, |state| &mut state.entered().table)?;
    wasi_io::poll::add_to_linker::<State, Handed>(l, State::entered)?;
    wasi_io::streams::add_to_linker::<State, HasIo>(l, |state| &mut state.entered().table)?;
    clocks::wall_clock::add_to_linker::<State, Handed>(l, State::entered)?;
    clocks::monotonic_clock::add_to_linker::<State, Handed>(l, State::entered)?;
    random::random::add_to_linker::<State, Handed>(l, State::entered)?;
    random::insecure::add_to_linker::<State, Handed>(l, State::entered)?;
    random::insecure_seed::add_to_linker::<State, Handed>(l, State::entered)?;
    cli::environment::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::exit::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, |s| s.entered().cli())?;
    http::add_to_linker(l)?;
    files::add_to_linker(l)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Made at the first use: a sealed guest never gets here.
        let (log, now, seed) = (&self.log, self.caller.now_unix_ms, self.random.fork());
        let ctx = self
            .wasi
            .get_or_insert_with(|| Box::new(context(log, now, seed)));
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

fn context(log: &Log, now_unix_ms: u64, seed: SplitMix) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(Stream {
            log: log.clone(),
            level: Level::Info,
        })
        .stderr(Stream {
            log: log.clone(),
            level: Level::Warn,
        })
        .wall_clock(Coarse {
            start: Duration::from_millis(now_unix_ms),
            since: Instant::now(),
        })
        .monotonic_clock(Coarse {
            start: Duration::ZERO,
            since: Instant::now(),
        })
        .insecure_random_seed(u128::from(seed.clone().next()))
        .secure_random(seed.fork())
        .insecure_random(seed)
        .max_random_size(Guard::RandomBytes.limit(RANDOM_BYTES, u64::MAX))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

struct Coarse {
    start: Duration,
    since: Instant,
}

impl Coarse {
    fn read(&self) -> Duration {
        let now = self.start.saturating_add(self.since.elapsed());
        match Guard::ClockGrain.on() {
            true => Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
            false => now,
        }
    }
}

impl HostWallClock for Coarse {
    fn resolution(&self) -> Duration {
        GRAIN
    }

    fn now(&self) -> Duration {
        self.read()
    }
}

impl HostMonotonicClock for Coarse {
    fn resolution(&self) -> u64 {
        u64::try_from(GRAIN.as_nanos()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.read().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Standard output or error: each line is one of the log.
#[derive(Clone)]
struct Stream {
    log: Log,
    level: Level,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.log.write(self.level, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
