//! Cases about loading. They take place in hosts of their own, with fresh
//! artefacts and limits of their own on the compiler.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hotcell_broker::{Broker, Policy};
use hotcell_runtime::compile::{CompileLimits, Compiler};
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::{LoadError, Plugin, Runtime, Settings};
use hotcell_store::artifacts::Artifacts;
use serde::Deserialize;
use tempfile::TempDir;

use crate::case::{Attack, Case};
use crate::oracle::Held;
use crate::{call, guard, made_load, yard};

/// What is done with the guests of a case, and what compiling them may use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Loading {
    #[serde(default)]
    drive: Drive,
    cpu_seconds: Option<u64>,
    memory_mib: Option<u64>,
    wall_ms: Option<u64>,
    output_mib: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Drive {
    /// Each is loaded, and called once if that succeeds.
    #[default]
    Each,
    /// One tenant sends the first guest a dozen times, then another the second
    /// guest once, which must not wait for the dozen.
    Race,
    /// One tenant sends more than may wait, while the compiler is busy: the
    /// rest is refused, and what waits is compiled once.
    Crowd,
    /// Artefacts are damaged and exchanged behind the host's back.
    Artefacts,
    /// Each is loaded cut off, with flipped bits, or however the generator
    /// wants it: a few hundred variants.
    Variants,
}

impl Loading {
    fn limits(&self) -> CompileLimits {
        let most = CompileLimits::default();
        CompileLimits {
            cpu_seconds: self.cpu_seconds.unwrap_or(most.cpu_seconds),
            memory_mib: self.memory_mib.unwrap_or(most.memory_mib),
            wall: self.wall_ms.map_or(most.wall, Duration::from_millis),
            output_mib: self.output_mib.unwrap_or(most.output_mib),
            images: true,
        }
    }
}

/// A small host with nothing in it; what it compiled it forgets, except where
/// that is the point.
struct Own {
    runtime: Runtime,
    state: TempDir,
}

impl Own {
    fn new(loading: &Loading) -> Own {
        let state = TempDir::new().unwrap();
        let settings = Settings {
            cells: 16,
            nested_cells: 1,
            artifacts: matches!(loading.drive, Drive::Artefacts).then(|| state.path().to_owned()),
            compiler: Compiler::Child(env!("CARGO_BIN_EXE_hotcell").into()),
            compile: loading.limits(),
            compile_places: 2,
            ..Settings::default()
        };
        let runtime = Runtime::new(&settings).unwrap();
        Own { runtime, state }
    }

    fn load(&self, tenant: &str, bytes: &[u8]) -> Result<Plugin, LoadError> {
        let limits = Limits::default();
        self.runtime.load_for(tenant, bytes, limits, "{}")
    }

    /// How loading ended: a code and words.
    fn tell(&self, tenant: &str, bytes: &[u8]) -> (String, String) {
        match self.load(tenant, bytes) {
            Ok(_) => ("ok".to_owned(), String::new()),
            Err(error) => (error.code().to_owned(), error.to_string()),
        }
    }

    /// How a call of it ended: a code, and what it answered.
    fn call(&self, plugin: &Plugin) -> (String, String) {
        let broker = Broker::new(Policy::default(), BTreeMap::new(), Vec::new()).unwrap();
        let name = plugin.manifest.name.clone();
        let cells = self.runtime.cells(None);
        let (caller, task) = (call::caller(&name, "hostile"), call::task("echo", "{}"));
        let end = yard::tokio().block_on(cells.run(plugin, &broker, caller, task));
        let code = end.code().to_owned();
        match end {
            hotcell_runtime::End::Done(output) => (code, output.value),
            end => (code, end.words().unwrap_or_default().to_owned()),
        }
    }
}

/// One case: once, then over and over; then everything must be as it was.
pub(crate) fn trial(case: &'static Case, loading: &Loading) -> Result<(), String> {
    let yard = yard::yard();
    round(case, loading)?;
    if std::env::var_os(guard::ONCE).is_some() {
        return Ok(());
    }
    yard.neighbour.forget();
    // What a first round leaves may be kept for good by the allocator; a leak is
    // there after every round.
    let leaves = || {
        let before = Held::now(0);
        for _ in 0..case.repeat {
            round(case, loading)?;
        }
        Ok::<_, String>(before.rest(|| 0).err())
    };
    if leaves()?.is_some()
        && leaves()?.is_some()
        && let Some(left) = leaves()?
    {
        return Err(left);
    }
    match children() {
        0 => yard.neighbour.is_well(),
        left => Err(format!("{left} compilers are left")),
    }
}

fn round(case: &Case, loading: &Loading) -> Result<(), String> {
    match loading.drive {
        Drive::Each => case
            .attacks
            .iter()
            .try_for_each(|it| each(case, loading, it)),
        Drive::Race => race(case, loading),
        Drive::Crowd => crowd(case, loading),
        Drive::Artefacts => artefacts(case, loading),
        Drive::Variants => case
            .attacks
            .iter()
            .try_for_each(|it| variants(case, loading, it)),
    }
}

/// Processes that this one started and that are still there, dead or alive.
fn children() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |path: std::path::PathBuf| std::fs::read_to_string(path.join("children"));
    let children = threads.filter_map(|thread| of(thread.ok()?.path()).ok());
    children.map(|them| them.split_whitespace().count()).sum()
}

/// A code, or many: `load.*` is every refusal that is no failure of ours.
fn is_like(expected: &str, code: &str) -> bool {
    match expected.strip_suffix('*') {
        Some(start) => code.starts_with(start) && code != "load.host",
        None => code == expected,
    }
}

fn judge(attack: &Attack, ended: &(String, String), took: Duration) -> Result<(), String> {
    let (name, (code, words)) = (&attack.name, ended);
    let wrong = |what: String| Err(format!("{name}: {what}; it ended as {code} {words:?}"));
    if !attack.expect.iter().any(|it| is_like(it, code)) {
        return wrong(format!("it should end as {}", attack.expect.join(" or ")));
    }
    if attack
        .says
        .as_ref()
        .is_some_and(|says| !words.contains(says))
    {
        return wrong(format!("the operator should be told {:?}", attack.says));
    }
    if words.chars().any(char::is_control) || words.len() > 2 * hotcell_broker::text::LINE {
        return wrong("what the operator is told is raw or too long".to_owned());
    }
    if took > attack.within {
        return wrong(format!("it took {took:?}"));
    }
    Ok(())
}

fn each(case: &Case, loading: &Loading, attack: &Attack) -> Result<(), String> {
    let bytes = made_load::guest(case, attack);
    let own = Own::new(loading);
    let once = || {
        let started = Instant::now();
        let ended = match own.load("hostile", &bytes) {
            Ok(plugin) => own.call(&plugin),
            Err(error) => (error.code().to_owned(), error.to_string()),
        };
        judge(attack, &ended, started.elapsed())
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..case.parallel).map(|_| scope.spawn(once)).collect();
        all.into_iter().try_for_each(|it| it.join().unwrap())
    })?;
    let compiled = own.runtime.compiled();
    match attack.compiles {
        Some(most) if compiled > most => Err(format!(
            "{}: {compiled} were compiled, at most {most} may be",
            attack.name
        )),
        _ => Ok(()),
    }
}

/// The bytes with a section that nobody reads, so that they are others.
fn another(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let nonce = RandomState::new().build_hasher().finish();
    crate::guest::section(&mut bytes, "nonce", &nonce.to_le_bytes());
    bytes
}

fn two(case: &Case) -> [(&Attack, Vec<u8>); 2] {
    let [first, second] = case.attacks.as_slice() else {
        panic!("{}: it needs two guests", case.id);
    };
    [first, second].map(|attack| (attack, made_load::guest(case, attack)))
}

const BOMBS: usize = 12;

fn race(case: &Case, loading: &Loading) -> Result<(), String> {
    let [(bomb, bytes), (good, good_bytes)] = two(case);
    let (own, ended) = (Own::new(loading), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let send = || {
            let started = Instant::now();
            let came = own.tell("hostile", &another(&bytes));
            ended.fetch_add(1, Ordering::SeqCst);
            judge(bomb, &came, started.elapsed())
        };
        let bombs: Vec<_> = (0..BOMBS).map(|_| scope.spawn(send)).collect();
        let settled = || own.runtime.waiting() + own.runtime.compiled() as usize;
        wait_until(|| settled() >= BOMBS);
        let started = Instant::now();
        let came = own.tell("good", &another(&good_bytes));
        let ended = ended.load(Ordering::SeqCst);
        judge(good, &came, started.elapsed())?;
        bombs.into_iter().try_for_each(|it| it.join().unwrap())?;
        match ended {
            // Each bomb takes its time, one after the other.
            0..9 => Ok(()),
            many => Err(format!("the good one waited for {many} of {BOMBS} bombs")),
        }
    })
}

/// The first guest keeps the compiler busy for a second or so; the second comes
/// this often meanwhile.
const CROWD: usize = 72;

fn crowd(case: &Case, loading: &Loading) -> Result<(), String> {
    let [(bomb, bytes), (good, good_bytes)] = two(case);
    let own = Own::new(loading);
    let refused = std::thread::scope(|scope| {
        let started = Instant::now();
        let first = scope.spawn(|| own.tell("hostile", &bytes));
        wait_until(|| own.runtime.compiled() > 0);
        let send = || own.tell("hostile", &good_bytes);
        let all: Vec<_> = (0..CROWD).map(|_| scope.spawn(send)).collect();
        judge(bomb, &first.join().unwrap(), started.elapsed())?;
        let mut refused = 0;
        for one in all {
            let came = one.join().unwrap();
            judge(good, &came, started.elapsed())?;
            refused += usize::from(came.0 == "load.queue-full");
        }
        Ok::<_, String>(refused)
    })?;
    match (refused, own.runtime.compiled()) {
        (0, _) => Err("nobody was refused".to_owned()),
        (_, 2) => Ok(()),
        (_, compiled) => Err(format!("{compiled} were compiled, 2 should be")),
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() && started.elapsed() < Duration::from_secs(10) {
        std::thread::yield_now();
    }
}

/// What somebody does to the first guest's artefact, with the second's at hand.
type Damage = (&'static str, fn(&mut Vec<u8>, &[u8]));

const DAMAGES: [Damage; 4] = [
    // Another answer, so that it would show if it were used.
    ("edited", |artefact, _| {
        let at = |it: &[u8]| it == b"\"one\"";
        let at = artefact.windows(5).position(at).unwrap();
        artefact[at..at + 5].copy_from_slice(b"\"two\"");
    }),
    ("exchanged", |artefact, other| {
        *artefact = other.to_vec();
    }),
    ("cut off", |artefact, _| {
        artefact.truncate(artefact.len() / 2);
    }),
    ("its seal cut off", |artefact, _| {
        artefact.drain(..32);
    }),
];

fn artefacts(case: &Case, loading: &Loading) -> Result<(), String> {
    let [(attack, one), (_, two)] = two(case);
    let own = Own::new(loading);
    let answer = |bytes: &[u8]| match own.load("hostile", bytes) {
        Ok(plugin) => own.call(&plugin),
        Err(error) => (error.code().to_owned(), error.to_string()),
    };
    let started = Instant::now();
    let right = answer(&one);
    judge(attack, &right, started.elapsed())?;
    let path = artefact(&own, &[]);
    let other_right = answer(&two);
    if other_right.1 == right.1 {
        return Err("both guests answer the same, which proves nothing".to_owned());
    }
    let other = artefact(&own, &[&path]);
    let other_bytes = std::fs::read(&other).unwrap();
    for (what, damage) in DAMAGES {
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes, &other_bytes);
        std::fs::write(&path, bytes).unwrap();
        compiled_anew(&own, what, 1, || answer(&one) == right)?;
        compiled_anew(&own, "whole again", 0, || answer(&one) == right)?;
    }
    // Two files exchanged, as two and not as one.
    let swap = own.state.path().join("swap");
    std::fs::rename(&path, &swap).unwrap();
    std::fs::rename(&other, &path).unwrap();
    std::fs::rename(&swap, &other).unwrap();
    compiled_anew(&own, "swapped", 2, || {
        answer(&one) == right && answer(&two) == other_right
    })?;
    // Sealed by this host, as made by another engine; given this one's name.
    let name = path.file_stem().unwrap().to_str().unwrap();
    let (digest, _) = name.rsplit_once('-').unwrap();
    let other_engine = format!("{digest}-0000000000000000");
    let artifacts = Artifacts::open(own.state.path()).unwrap();
    artifacts.put(&other_engine, &other_bytes[32..]).unwrap();
    let foreign = path.with_file_name(format!("{other_engine}.artifact"));
    std::fs::rename(&foreign, &path).unwrap();
    compiled_anew(&own, "of another engine", 1, || answer(&one) == right)?;
    // Sealed by this host under its right name, and no code at all.
    artifacts.put(name, b"no code").unwrap();
    compiled_anew(&own, "no code", 1, || answer(&one) == right)
}

fn compiled_anew(
    own: &Own,
    what: &str,
    times: u64,
    right: impl Fn() -> bool,
) -> Result<(), String> {
    let before = own.runtime.compiled();
    if !right() {
        return Err(format!("{what}: what was in the artefact was executed"));
    }
    match own.runtime.compiled() - before {
        compiled if compiled == times => Ok(()),
        compiled => Err(format!("{what}: compiled {compiled} times, not {times}")),
    }
}

/// The artefact that is none of these.
fn artefact(own: &Own, known: &[&std::path::Path]) -> std::path::PathBuf {
    let files = std::fs::read_dir(own.state.path()).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    let is_new = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|it| it == "artifact") && !known.contains(&path.as_path())
    };
    paths.find(is_new).unwrap()
}

fn variants(case: &Case, loading: &Loading, attack: &Attack) -> Result<(), String> {
    let own = Own::new(loading);
    let all = made_load::variants(case, attack);
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((what, bytes)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let started = Instant::now();
            let ended = match own.load("hostile", bytes) {
                Ok(plugin) => own.call(&plugin),
                Err(error) => (error.code().to_owned(), error.to_string()),
            };
            judge(attack, &ended, started.elapsed()).map_err(|wrong| format!("{what}: {wrong}"))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..case.parallel).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|it| it.join().unwrap())
    })
}
