//! Cases in which many calls at once are the attack, and who comes when is what
//! is judged. A case names one with `crowd = "…"` instead of attacks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hotcell_broker::bulkhead::Load;
use hotcell_broker::llm::{Answer, LlmError, LlmProvider, Origin, Request};
use hotcell_broker::{Broker, Caller, Policy, Price, Route};
use hotcell_runtime::Plugin;
use hotcell_runtime::manifest::Limits;
use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::call::{broker, caller, task};
use crate::guest::{self, Encoding};
use crate::yard::Host;

/// What to do with the crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Crowd {
    /// More calls than a plugin has room for.
    Room,
    /// Many calls of one tenant before one of another.
    Tenants,
    /// Many long computations of one tenant beside one of another.
    Turns,
}

/// A crowd that comes to no end has stopped the host.
const PATIENCE: Duration = Duration::from_secs(20);

impl Crowd {
    /// Lets it in and judges.
    pub(crate) async fn come(self, host: &Host) -> Result<(), String> {
        let scene = async {
            match self {
                Crowd::Room => room(host).await,
                Crowd::Tenants => tenants(host).await,
                Crowd::Turns => turns(host).await,
            }
        };
        match tokio::time::timeout(PATIENCE, scene).await {
            Ok(result) => result,
            Err(_) => Err("it comes to no end".to_owned()),
        }
    }
}

/// A model that keeps everybody waiting until it is told, and knows in which
/// order tenants asked.
#[derive(Clone, Default)]
struct Gate(CancellationToken, Arc<Mutex<Vec<String>>>);

#[async_trait]
impl LlmProvider for Gate {
    fn origin(&self) -> Origin {
        Origin::Scripted
    }

    async fn complete(&self, _: &Broker, caller: &Caller, _: &Request) -> Answer {
        self.1.lock().unwrap().push(caller.tenant.clone());
        self.0.cancelled().await;
        Answer::wall(Err(LlmError::RateLimited(None)))
    }
}

/// An agent that asks the model once, with so much room.
fn asker(host: &Host, concurrency: u32, queue: u32) -> Arc<Plugin> {
    let limits = Limits {
        concurrency: Some(concurrency),
        queue: Some(queue),
        deadline_ms: Some(60_000),
        ..Limits::default()
    };
    let text = "@complete @memory @realloc @answer @request \
                (func @run (call $complete (i32.const 2048) (i32.const 4096)) (i32.const 1024))";
    load(host, text, limits)
}

fn load(host: &Host, text: &str, limits: Limits) -> Arc<Plugin> {
    let bytes = guest::component("crowd", text, Encoding::Utf8);
    Arc::new(host.runtime.load(&bytes, limits, "{}").unwrap())
}

/// Calls it, on behalf of this tenant; tells how it ended, and who it was.
fn call(
    host: &Host,
    plugin: &Arc<Plugin>,
    gate: &Gate,
    tenant: &'static str,
) -> JoinHandle<(&'static str, &'static str)> {
    let (cells, plugin, gate) = (host.cells.clone(), Arc::clone(plugin), gate.clone());
    host.cells.spawn(async move {
        let mut policy = Policy::default();
        let grants = policy.plugin.entry("crowd".to_owned()).or_default();
        grants.llm.insert("default".to_owned());
        let route = Route {
            provider: Arc::new(gate),
            price: Price::default(),
            timeout: PATIENCE,
            max_output_tokens: None,
        };
        let broker = broker(&policy, route, PATIENCE);
        let caller = caller("crowd", tenant);
        let end = cells
            .run(&plugin, &broker, caller, task("attack", "{}"))
            .await;
        (tenant, end.code())
    })
}

/// Waits until the host is as full as this: it must come to be.
async fn until(host: &Host, taken: usize, waiting: usize) {
    while host.cells.load() != (Load { taken, waiting }) {
        tokio::task::yield_now().await;
    }
}

/// Of eight calls at once of a plugin with room for two and a queue of three,
/// three are shed at once, and the others are served.
async fn room(host: &Host) -> Result<(), String> {
    let (plugin, gate) = (asker(host, 2, 3), Gate::default());
    let calls = (0..8).map(|_| call(host, &plugin, &gate, "crowd"));
    let mut calls: FuturesUnordered<_> = calls.collect();
    for _ in 0..3 {
        let ended = calls.next().await.unwrap().unwrap();
        expect("one too many", ended, ("crowd", "saturated"))?;
    }
    until(host, 2, 3).await;
    gate.0.cancel();
    while let Some(ended) = calls.next().await {
        expect("one with room", ended.unwrap(), ("crowd", "ok"))?;
    }
    Ok(())
}

/// With one place for all, five calls of one tenant wait, then one of another
/// comes: it is served second, not last.
async fn tenants(host: &Host) -> Result<(), String> {
    let (plugin, gate) = (asker(host, 10, 10), Gate::default());
    let mut calls = FuturesUnordered::new();
    for waiting in 0..5 {
        calls.push(call(host, &plugin, &gate, "greedy"));
        until(host, 1, waiting).await;
    }
    calls.push(call(host, &plugin, &gate, "modest"));
    until(host, 1, 5).await;
    gate.0.cancel();
    while let Some(ended) = calls.next().await {
        ended.unwrap();
    }
    let served = std::mem::take(&mut *gate.1.lock().unwrap());
    match served.get(1).map(String::as_str) {
        Some("modest") => Ok(()),
        _ => Err(format!("served were, in this order, {served:?}")),
    }
}

/// Twelve computations of one tenant, and then one of another, all of them much
/// longer than a tick: by turns, the other's is done first.
async fn turns(host: &Host) -> Result<(), String> {
    let limits = Limits {
        fuel: Some(1_000_000_000_000),
        deadline_ms: Some(60_000),
        ..Limits::default()
    };
    let text = "@memory @realloc @answer (func @run (local $n i64) \
                (local.set $n (i64.const 300000000)) \
                (loop $again \
                  (local.set $n (i64.sub (local.get $n) (i64.const 1))) \
                  (br_if $again (i64.ne (local.get $n) (i64.const 0)))) \
                (i32.const 1024))";
    let (plugin, gate) = (load(host, text, limits), Gate::default());
    let mut calls = FuturesUnordered::new();
    for _ in 0..12 {
        calls.push(call(host, &plugin, &gate, "greedy"));
    }
    calls.push(call(host, &plugin, &gate, "modest"));
    let first = calls.next().await.unwrap().unwrap();
    // The others have shown what they should; nobody waits for them.
    for call in &calls {
        call.abort();
    }
    expect("the first to be done", first, ("modest", "ok"))
}

fn expect(who: &str, is: (&str, &str), should: (&str, &str)) -> Result<(), String> {
    match is == should {
        true => Ok(()),
        false => Err(format!("{who} is {is:?} and should be {should:?}")),
    }
}
