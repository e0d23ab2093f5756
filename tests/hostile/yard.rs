//! Where attacks take place: one host for all of them, with a good neighbour at
//! work in it the whole time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{Answer, Completion, FinishReason, LlmProvider, Message, Origin, Part};
use hotcell_broker::llm::{Request, Role, Usage};
use hotcell_broker::meter::{Meter, Records};
use hotcell_broker::{Broker, Caller, Policy, Price, Route};
use hotcell_runtime::compile::Compiler;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::task::Task;
use hotcell_runtime::{Cells, Plugin, Runtime, Settings};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::case::{Attack, Case};
use crate::oracle::Held;
use crate::{guard, guest};

/// What came of an attack.
struct Came {
    code: String,
    words: String,
    records: Records,
    /// All the fuel that the call had.
    fuel: u64,
    took: Duration,
}

/// The host under attack.
pub(crate) struct Yard {
    runtime: Runtime,
    cells: Cells,
    tokio: tokio::runtime::Runtime,
    neighbour: Arc<Neighbour>,
}

/// Calls that the good neighbour made.
#[derive(Default)]
struct Neighbour {
    took: Mutex<Vec<Duration>>,
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// The longest that a call of the neighbour may take while others attack. The
/// exact figures are `hotcell bench neighbours`; this bound catches a host that
/// stands still, on any machine.
const NEIGHBOUR: Duration = Duration::from_millis(1_000);

fn yard() -> &'static Yard {
    static YARD: OnceLock<Yard> = OnceLock::new();
    YARD.get_or_init(|| {
        let state = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
        let settings = Settings {
            cells: 64,
            leaf_cells: 16,
            artifacts: Some(state.join("artifacts")),
            compiler: Compiler::Child(env!("CARGO_BIN_EXE_hotcell").into()),
            ..Settings::default()
        };
        let runtime = Runtime::new(&settings).unwrap();
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .thread_keep_alive(Duration::from_millis(50))
            .enable_all()
            .build()
            .unwrap();
        let yard = Yard {
            cells: runtime.cells(None),
            runtime,
            tokio,
            neighbour: Arc::default(),
        };
        yard.settle_in();
        yard
    })
}

impl Yard {
    /// Starts the neighbour, and uses everything once, so that what is kept for
    /// good is there before the first case is measured.
    fn settle_in(&self) {
        let good = guest::component(
            "neighbour",
            "(memory (export \"memory\") 2) @answer @realloc \
             (func @run (i32.const 1024))",
        );
        let plugin = Arc::new(self.runtime.load(&good, Limits::default(), "{}").unwrap());
        let (cells, neighbour) = (self.cells.clone(), Arc::clone(&self.neighbour));
        let call = move |plugin: Arc<Plugin>, cells: Cells| async move {
            let broker = broker(&Policy::default());
            cells
                .run(
                    &plugin,
                    &broker,
                    caller("neighbour", "good"),
                    task("echo", "{}"),
                )
                .await
        };
        let warm: Vec<_> = (0..64)
            .map(|_| self.tokio.spawn(call(Arc::clone(&plugin), cells.clone())))
            .collect();
        self.tokio.block_on(async {
            for one in warm {
                one.await.unwrap();
            }
        });
        self.tokio.spawn(async move {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            while !neighbour.stop.load(Ordering::Relaxed) {
                every.tick().await;
                let started = Instant::now();
                let end = call(Arc::clone(&plugin), cells.clone()).await;
                neighbour.took.lock().unwrap().push(started.elapsed());
                if end.code() != "ok" {
                    neighbour.wrong.lock().unwrap().push(format!("{end:?}"));
                }
            }
        });
    }

    /// Loads the guest and calls it once.
    async fn attack(&'static self, attack: &'static Attack) -> Came {
        let started = Instant::now();
        let (bytes, limits) = (Arc::clone(&attack.bytes), attack.limits);
        let load = move || self.runtime.load(&bytes, limits, "{}");
        let plugin = match tokio::task::spawn_blocking(load).await.unwrap() {
            Ok(plugin) => plugin,
            Err(error) => {
                return Came {
                    code: error.code().to_owned(),
                    words: error.to_string(),
                    records: Records::default(),
                    fuel: 0,
                    took: started.elapsed(),
                };
            }
        };
        let mut policy = Policy::default();
        let name = plugin.manifest.name.clone();
        policy.plugin.insert(name.clone(), attack.grants.clone());
        let caller = caller(&name, "hostile");
        let meter = Arc::clone(&caller.meter);
        let task = task(&attack.kind, &attack.input);
        let end = self
            .cells
            .run(&plugin, &broker(&policy), caller, task)
            .await;
        Came {
            code: end.code().to_owned(),
            words: end.words().unwrap_or_default().to_owned(),
            records: meter.records(),
            fuel: plugin.limits.fuel,
            took: started.elapsed(),
        }
    }
}

/// One case: alone, many at once, over and over; then everything must be as it
/// was.
pub(crate) fn trial(case: &'static Case) -> Result<(), String> {
    let yard = yard();
    let once = std::env::var_os(guard::ONCE).is_some();
    // The first run may fill caches; what it leaves is no leak.
    for attack in &case.attacks {
        for came in yard.tokio.block_on(at_once(yard, attack, 1))? {
            judge(attack, &came)?;
        }
    }
    if once {
        return Ok(());
    }
    let calls = yard.neighbour.took.lock().unwrap().len();
    // What a first round leaves may be kept for good, in a pool or a cache; a
    // leak is there after every round.
    if leaves(yard, case)?.is_some()
        && leaves(yard, case)?.is_some()
        && let Some(left) = leaves(yard, case)?
    {
        return Err(left);
    }
    let wrong = std::mem::take(&mut *yard.neighbour.wrong.lock().unwrap());
    if let Some(wrong) = wrong.first() {
        return Err(format!("the neighbour's call ended as {wrong}"));
    }
    let took = yard.neighbour.took.lock().unwrap();
    match took.get(calls..).into_iter().flatten().max() {
        Some(longest) if *longest > NEIGHBOUR => {
            Err(format!("the neighbour waited {longest:?} for an answer"))
        }
        _ => Ok(()),
    }
}

/// What stays behind when every attack is repeated.
fn leaves(yard: &'static Yard, case: &'static Case) -> Result<Option<String>, String> {
    let before = Held::now(0);
    for attack in &case.attacks {
        let mut left = case.repeat;
        while left > 0 {
            let now = left.min(case.parallel);
            left -= now;
            for came in yard.tokio.block_on(at_once(yard, attack, now))? {
                judge(attack, &came)?;
            }
        }
    }
    Ok(before.rest(|| 0).err())
}

/// Besides what an attack may take, for a machine with much else to do.
const GRACE: Duration = Duration::from_secs(5);

/// The same attack so many times at once. An attack that nothing ends is given
/// up.
async fn at_once(
    yard: &'static Yard,
    attack: &'static Attack,
    count: u32,
) -> Result<Vec<Came>, String> {
    let all = (0..count).map(|_| yard.tokio.spawn(yard.attack(attack)));
    let all = futures::future::try_join_all(all);
    let grace = match std::env::var_os(guard::ONCE) {
        Some(_) => GRACE / 5,
        None => GRACE,
    };
    match tokio::time::timeout(attack.within + grace, all).await {
        Ok(came) => came.map_err(|error| error.to_string()),
        Err(_) => Err(format!("{}: it does not end", attack.name)),
    }
}

/// Ends in which the guest itself said why.
const ENDS: [&str; 4] = ["invalid-input", "transient", "permanent", "refused"];

fn judge(attack: &Attack, came: &Came) -> Result<(), String> {
    let Attack { name, expect, .. } = attack;
    let wrong = |what: String| {
        Err(format!(
            "{name}: {what}; it ended as {} {:?}",
            came.code, came.words
        ))
    };
    if !expect.contains(&came.code) {
        return wrong(format!("it should end as {}", expect.join(" or ")));
    }
    if came.took > attack.within {
        return wrong(format!(
            "it took {:?}, which is more than {:?}",
            came.took, attack.within
        ));
    }
    if attack
        .says
        .as_ref()
        .is_some_and(|says| !came.words.contains(says))
    {
        return wrong(format!("the operator should be told {:?}", attack.says));
    }
    if came.code.starts_with("load.") {
        return Ok(());
    }
    let [cell] = came.records.cells.as_slice() else {
        return wrong(format!(
            "it has {} records of cells",
            came.records.cells.len()
        ));
    };
    if cell.outcome != came.code {
        return wrong(format!("the record says {}", cell.outcome));
    }
    let answered = cell.outcome == "ok" || ENDS.contains(&cell.outcome);
    if !answered && cell.fuel != came.fuel {
        return wrong(format!(
            "it was charged {} of {} fuel",
            cell.fuel, came.fuel
        ));
    }
    Ok(())
}

/// A broker with one model that says yes to everything, under a policy.
fn broker(policy: &Policy) -> Broker {
    let route = Route {
        provider: Arc::new(Agreeable),
        price: Price::default(),
        timeout: Duration::from_secs(5),
    };
    let models = BTreeMap::from([("default".to_owned(), route)]);
    Broker::new(policy.clone(), models, Vec::new()).unwrap()
}

/// A model that answers at once.
struct Agreeable;

#[async_trait]
impl LlmProvider for Agreeable {
    fn origin(&self) -> Origin {
        Origin::Scripted
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        Answer::wall(Ok(Completion {
            message: Message {
                role: Role::Assistant,
                content: vec![Part::Text("yes".to_owned())],
            },
            finish: FinishReason::Stop,
            usage: Usage::default(),
            usage_estimated: false,
            model: "agreeable".to_owned(),
        }))
    }
}

fn task(kind: &str, input: &str) -> Task {
    Task {
        id: "task".to_owned(),
        kind: kind.to_owned(),
        input: input.to_owned(),
        previous: None,
        findings: Vec::new(),
        iteration: 1,
    }
}

fn caller(plugin: &str, tenant: &str) -> Caller {
    Caller {
        run: "run".to_owned(),
        tenant: tenant.to_owned(),
        task: "task".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: plugin.to_owned(),
        now_unix_ms: 1_767_225_600_000,
        deadline: Instant::now() + Duration::from_secs(60),
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::new(AtomicU32::new(0)),
        depth: 0,
        parent: None,
    }
}
