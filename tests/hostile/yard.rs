//! Where attacks take place: one host for all of them, with a good neighbour at
//! work in it the whole time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use hotcell_broker::bulkhead::Room;
use hotcell_broker::meter::{Meter, Records};
use hotcell_broker::{Caller, Capability};
use hotcell_runtime::compile::Compiler;
use hotcell_runtime::task::Output;
use hotcell_runtime::{Cells, End, Plugin, Runtime, Settings, Tape};
use tokio::time::Instant;

use crate::call::{Model, agreeable, caller, task};
use crate::canary::{self, Watch};
use crate::case::{Attack, Case, Drive};
use crate::neighbour::Neighbour;
use crate::oracle::{Held, Peak};
use crate::{fixture, guard, loading, net, said, storm};

/// What came of an attack.
#[derive(Default)]
pub(crate) struct Came {
    /// How it ended: a code of loading, of a call, or `dropped`.
    pub(crate) code: String,
    pub(crate) words: String,
    /// The answer, whatever it was.
    pub(crate) answer: String,
    pub(crate) records: Records,
    /// All the fuel that the call had.
    pub(crate) fuel: u64,
    /// What the model was asked, in numbers.
    pub(crate) asked: u64,
    /// What the fixture was not left as.
    pub(crate) left: Option<String>,
    pub(crate) took: Duration,
}

impl Came {
    /// Nothing was called.
    fn refused(code: &str, words: String, started: Instant) -> Came {
        Came {
            code: code.to_owned(),
            words,
            took: started.elapsed(),
            ..Came::default()
        }
    }
}

/// A runtime with a bound on what runs in it.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) cells: Cells,
}

impl Host {
    fn new(cells: u32, nested_cells: u32, tenant_memory_mib: u32, watch: &Watch) -> Host {
        let state = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
        let settings = Settings {
            cells,
            nested_cells,
            tenant_memory_mib,
            room: Room {
                concurrency: cells,
                ..Room::default()
            },
            artifacts: Some(state.join("artifacts")),
            compiler: Compiler::Child(env!("CARGO_BIN_EXE_hotcell").into()),
            ..Settings::default()
        };
        let runtime = Runtime::new(&settings).unwrap();
        Host {
            cells: runtime.cells(Some(Tape::new(Box::new(watch.clone())))),
            runtime,
        }
    }
}

/// The hosts under attack.
pub(crate) struct Yard {
    host: Host,
    /// Room for one cell, each call with the memory of the one before, and 128 MiB
    /// for a tenant.
    one_cell: Host,
    tokio: tokio::runtime::Runtime,
    pub(crate) neighbour: Arc<Neighbour>,
    watch: Watch,
    /// One for each call whose cell may still be there.
    meters: Mutex<Vec<Weak<Meter>>>,
    /// Calls so far, for the generator of storms.
    calls: AtomicU64,
}

pub(crate) fn yard() -> &'static Yard {
    static YARD: OnceLock<Yard> = OnceLock::new();
    YARD.get_or_init(|| {
        let watch = Watch::default();
        let host = Host::new(64, 16, 4096, &watch);
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .thread_keep_alive(Duration::from_millis(50))
            .enable_all()
            .build()
            .unwrap();
        Yard {
            neighbour: Neighbour::move_in(&host, &tokio),
            one_cell: Host::new(1, 1, 128, &watch),
            host,
            tokio,
            watch,
            meters: Mutex::default(),
            calls: AtomicU64::new(0),
        }
    })
}

impl Yard {
    /// Cells that are still there.
    fn cells(&self) -> usize {
        let mut meters = self.meters.lock().unwrap();
        meters.retain(|meter| meter.strong_count() > 0);
        meters.len()
    }

    fn host(&self, case: &Case) -> &Host {
        match case.one_cell {
            true => &self.one_cell,
            false => &self.host,
        }
    }

    /// Loads the guest and calls it once, and once more if the case says so.
    async fn attack(&'static self, case: &'static Case, attack: &'static Attack) -> Vec<Came> {
        let started = Instant::now();
        let host = self.host(case);
        let (bytes, limits) = (Arc::clone(&attack.bytes), attack.limits);
        let load = move || match attack.loaded.as_ref().and_then(OnceLock::get) {
            Some(plugin) => Ok(Arc::clone(plugin)),
            None => host.runtime.load(&bytes, limits, "{}").map(Arc::new),
        };
        let plugin = match tokio::task::spawn_blocking(load).await.unwrap() {
            Ok(plugin) => plugin,
            Err(error) => {
                return vec![Came::refused(error.code(), error.to_string(), started)];
            }
        };
        if let Some(loaded) = &attack.loaded {
            loaded.get_or_init(|| Arc::clone(&plugin));
        }
        let mut all = vec![
            self.call(host, &plugin, attack, &attack.kind, attack.drive)
                .await,
        ];
        if let Some(then) = &attack.then {
            all.push(self.call(host, &plugin, attack, then, Drive::Wait).await);
        }
        all
    }

    async fn call(
        &'static self,
        host: &Host,
        plugin: &Plugin,
        attack: &Attack,
        kind: &str,
        drive: Drive,
    ) -> Came {
        let started = Instant::now();
        let name = &plugin.manifest.name;
        let (policy, fixture) = match fixture::policy(attack, name) {
            Ok(found) => found,
            Err(why) => return Came::refused("load.policy", why, started),
        };
        let caller = Caller {
            depth: attack.depth,
            ..caller(name, "hostile")
        };
        let meter = Arc::clone(&caller.meter);
        self.meters.lock().unwrap().push(Arc::downgrade(&meter));
        let model = Model::watched(&self.watch);
        let asked = Arc::clone(&model.asked);
        let token = caller.cancel.clone();
        let broker = agreeable(&policy, model, attack.http);
        let task = task(kind, &attack.input);
        for _ in 1..attack.calls {
            let (caller, task) = (caller.clone(), task.clone());
            host.cells.run(plugin, &broker, caller, task).await;
        }
        let call = host.cells.run(plugin, &broker, caller, task);
        let end = match drive {
            Drive::Wait => Some(call.await),
            Drive::Storm => {
                let number = self.calls.fetch_add(1, Ordering::Relaxed);
                storm::give_up(call, &token, number).await
            }
        };
        let (took, records) = (started.elapsed(), meter.records());
        let words = end.as_ref().and_then(End::words);
        Came {
            code: end.as_ref().map_or("dropped", End::code).to_owned(),
            words: words.unwrap_or_default().to_owned(),
            answer: answer(end.as_ref()),
            left: fixture.and_then(|fixture| fixture.check().err()),
            records,
            fuel: plugin.limits.fuel,
            asked: asked.load(Ordering::Relaxed),
            took,
        }
    }
}

fn answer(end: Option<&End<Output>>) -> String {
    match end {
        Some(End::Done(output)) => format!("{output:?}"),
        _ => String::new(),
    }
}

/// Where calls run.
pub(crate) fn tokio() -> &'static tokio::runtime::Handle {
    yard().tokio.handle()
}

/// One case: alone, many at once, over and over; then everything must be as it
/// was.
pub(crate) fn trial(case: &'static Case) -> Result<(), String> {
    if let Some(loading) = &case.loading {
        return loading::trial(case, loading);
    }
    let yard = yard();
    let once = std::env::var_os(guard::ONCE).is_some();
    if let Some(crowd) = case.crowd {
        yard.tokio.block_on(crowd.come(yard.host(case)))?;
    }
    // The first run may fill caches; what it leaves is no leak.
    for attack in &case.attacks {
        let count = match attack.drive {
            Drive::Wait => 1,
            // One call is given up at one point; it takes some to meet them all.
            Drive::Storm => case.parallel,
        };
        at_once(yard, case, attack, count)?;
    }
    if once {
        return Ok(());
    }
    yard.neighbour.forget();
    // What a first round leaves may be kept for good, in a pool or a cache; a
    // leak is there after every round.
    if leaves(yard, case)?.is_some()
        && leaves(yard, case)?.is_some()
        && let Some(left) = leaves(yard, case)?
    {
        return Err(left);
    }
    yard.neighbour.is_well()
}

/// What stays behind when every attack is repeated. Memory must stay within the
/// allowance all the while.
fn leaves(yard: &'static Yard, case: &'static Case) -> Result<Option<String>, String> {
    let before = Held::now(yard.cells());
    if let Some(crowd) = case.crowd {
        yard.tokio.block_on(crowd.come(yard.host(case)))?;
    }
    for attack in &case.attacks {
        let peak = Peak::from_now();
        let mut left = case.repeat;
        while left > 0 {
            let now = left.min(case.parallel);
            left -= now;
            at_once(yard, case, attack, now)?;
        }
        peak.within(case.allowance + attack.memory() * u64::from(case.parallel))
            .map_err(|risen| format!("{}: {risen}", attack.name))?;
    }
    Ok(before.rest(|| yard.cells()).err())
}

/// Besides what an attack may take, for a machine with much else to do.
const GRACE: Duration = Duration::from_secs(5);

/// The same attack so many times at once, judged. An attack that nothing ends is
/// given up.
fn at_once(
    yard: &'static Yard,
    case: &'static Case,
    attack: &'static Attack,
    count: u32,
) -> Result<(), String> {
    let grace = match std::env::var_os(guard::ONCE) {
        Some(_) => GRACE / 5,
        None => GRACE,
    };
    let all = (0..count).map(|_| yard.tokio.spawn(yard.attack(case, attack)));
    let all: Vec<_> = all.collect();
    let came = yard.tokio.block_on(async {
        let all = futures::future::try_join_all(all);
        tokio::time::timeout(attack.within + grace, all).await
    });
    let Ok(came) = came else {
        return Err(format!("{}: it does not end", attack.name));
    };
    for calls in came.map_err(|error| error.to_string())? {
        for (number, came) in calls.iter().enumerate() {
            let Attack { name, .. } = attack;
            judge(attack, came, number > 0).map_err(|wrong| {
                format!(
                    "{name}: {wrong}; it ended as {} {:?}",
                    came.code, came.words
                )
            })?;
        }
    }
    match yard.watch.take().first() {
        Some(found) => Err(format!("{}: {found}", attack.name)),
        None => Ok(()),
    }
}

/// Ends in which the guest itself said why.
const ENDS: [&str; 4] = ["invalid-input", "transient", "permanent", "refused"];

/// What must be true of every call, and what the case says of it. The call after
/// an attack must be answered.
pub(crate) fn judge(attack: &Attack, came: &Came, after: bool) -> Result<(), String> {
    match after {
        false if !attack.expect.contains(&came.code) => {
            return Err(format!("it should end as {}", attack.expect.join(" or ")));
        }
        true if came.code != "ok" => return Err("the next call should be answered".to_owned()),
        _ => {}
    }
    if came.took > attack.within {
        return Err(format!(
            "it took {:?}, at most {:?} may be",
            came.took, attack.within
        ));
    }
    if net::trapped() > 0 {
        return Err("it reached a trap of the network".to_owned());
    }
    let says = attack.says.as_ref().filter(|_| !after);
    if says.is_some_and(|says| !came.words.contains(says)) {
        return Err(format!("the operator should be told {:?}", attack.says));
    }
    let records = serde_json::to_string(&came.records).unwrap();
    for out in [&came.words, &came.answer, &records] {
        if let Some(canary) = canary::find(out) {
            return Err(format!("{canary} came out"));
        }
    }
    // What was not begun has no cell.
    if came.code.starts_with("load.") || ["saturated", "limit.depth"].contains(&&*came.code) {
        return Ok(());
    }
    came.left.clone().map_or(Ok(()), Err)?;
    said::check(&came.records, &came.words, attack.calls)?;
    books(came, attack.calls)
}

/// Whether the records of these calls agree with what happened.
fn books(came: &Came, count: u32) -> Result<(), String> {
    let Records { cells, effects, .. } = &came.records;
    let calls = effects
        .iter()
        .filter(|effect| effect.capability == Capability::Llm);
    let (begun, answered) = (
        calls.clone().count(),
        calls.filter(|effect| effect.outcome == "ok").count(),
    );
    if (begun as u64) < came.asked || (answered as u64) > came.asked {
        return Err(format!(
            "the model was asked {} times, on record are {begun} calls and {answered} answers",
            came.asked
        ));
    }
    let cell = match cells.as_slice() {
        [.., cell] if cells.len() == count as usize => cell,
        // It was given up before it had a cell.
        [] if ["dropped", "cancelled"].contains(&&*came.code) && came.asked == 0 => return Ok(()),
        many => return Err(format!("it has {} records of cells", many.len())),
    };
    let code = match came.code.as_str() {
        "dropped" => "cancelled",
        code => code,
    };
    if cell.outcome != code {
        return Err(format!("the record says {}", cell.outcome));
    }
    let answered = cell.outcome == "ok" || ENDS.contains(&cell.outcome);
    if !answered && cell.fuel != came.fuel {
        return Err(format!(
            "it was charged {} of {} fuel",
            cell.fuel, came.fuel
        ));
    }
    Ok(())
}
