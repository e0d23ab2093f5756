//! What must be true before a host starts: of the machine, of the environment,
//! and of the engine that was set up.
//!
//! A host that starts and then cannot give a cell the memory it promised fails
//! in the middle of somebody's run. It is better told at the start, with what to
//! change.

use std::fmt;

use rustix::process::{Resource, getrlimit};
use wasmtime::{Engine, Module};

use crate::settings::Settings;

/// Memory mappings of one cell: its memory, table and stack, each with guards
/// and with parts of its own protection; one more than `hotcell bench density` measures.
fn mappings_per_cell(settings: &Settings) -> u64 {
    if settings.images() { 7 } else { 5 }
}

/// Mappings of the process besides: its code and libraries, heaps, compiled
/// plugins.
const MAPPINGS_BESIDE: u64 = 1_000;

/// Resident bytes of a cell that does next to nothing. Measured with `hotcell
/// bench density`.
const RESIDENT_PER_CELL: u64 = 64 << 10;

/// Resident bytes of the process besides.
const RESIDENT_BESIDE: u64 = 64 << 20;

/// Files a host has open besides what guests open: logs, artefacts, pipes of
/// compile children, sockets to models.
const FILES: u64 = 512;

/// What a host needs of the machine, or what the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// `vm.max_map_count`.
    mappings: u64,
    /// The soft limit of open files.
    files: u64,
    /// Bytes of memory that can be had.
    memory: u64,
    /// Bytes of address space that can be had.
    address_space: u64,
}

/// One thing the machine has too little of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    what: &'static str,
    needs: u64,
    has: u64,
    change: String,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortage {
            what, needs, has, ..
        } = self;
        write!(f, "{needs} {what} are needed and there are {has}")
    }
}

impl Shortage {
    /// What the operator can do about it.
    pub fn change(&self) -> &str {
        &self.change
    }
}

/// What these settings need.
fn needs(settings: &Settings) -> Machine {
    let cells = u64::from(settings.places());
    Machine {
        mappings: cells * mappings_per_cell(settings) + MAPPINGS_BESIDE,
        files: FILES,
        memory: cells * RESIDENT_PER_CELL + RESIDENT_BESIDE,
        // Each memory of the pool is reserved as large as it may become, with 4
        // GiB and guards around it, and cells may have two.
        address_space: cells * 2 * (4 << 30),
    }
}

/// What this machine has. What cannot be found out is taken to be enough.
fn machine() -> Machine {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let memory = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|it| it.starts_with("MemAvailable:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        kib.checked_mul(1024)
    };
    let limit = |resource| getrlimit(resource).current.unwrap_or(u64::MAX);
    Machine {
        mappings: number("/proc/sys/vm/max_map_count").unwrap_or(u64::MAX),
        files: limit(Resource::Nofile),
        memory: memory().unwrap_or(u64::MAX),
        address_space: limit(Resource::As),
    }
}

/// What is missing, the most pressing first.
fn shortages(needs: Machine, has: Machine) -> Vec<Shortage> {
    let fewer = "or give fewer cells (`--concurrency`)";
    let table = [
        (
            "memory mappings (`vm.max_map_count`)",
            needs.mappings,
            has.mappings,
            format!("`sysctl vm.max_map_count={}`, {fewer}", needs.mappings),
        ),
        (
            "bytes of address space (`ulimit -v`)",
            needs.address_space,
            has.address_space,
            format!("`ulimit -v unlimited`, {fewer}"),
        ),
        (
            "bytes of available memory",
            needs.memory,
            has.memory,
            format!("free some, {fewer}"),
        ),
        (
            "open files (`ulimit -n`)",
            needs.files,
            has.files,
            format!("`ulimit -n {}`", needs.files),
        ),
    ];
    table
        .into_iter()
        .filter(|(_, needs, has, _)| has < needs)
        .map(|(what, needs, has, change)| Shortage {
            what,
            needs,
            has,
            change,
        })
        .collect()
}

/// The first thing this machine has too little of for these settings.
pub(crate) fn shortage(settings: &Settings) -> Option<Shortage> {
    shortages(needs(settings), machine()).into_iter().next()
}

/// A variable that would have wasmtime parse what strangers wrote about their
/// source. We switch that off; whoever sets the variable expects it, and must be
/// told.
#[expect(
    clippy::disallowed_methods,
    reason = "whether it is set is the question, whoever starts the host"
)]
pub(crate) fn variable() -> Option<&'static str> {
    const DETAILS: &str = "WASMTIME_BACKTRACE_DETAILS";
    std::env::var_os(DETAILS).map(|_| DETAILS)
}

/// An empty module.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

/// One module for each proposal, without the header, and whether it is on.
const PROPOSALS: [(&str, &[u8], bool); 7] = [
    ("multi-memory", b"\x05\x05\x02\x00\x01\x00\x01", true),
    ("memory64", b"\x05\x03\x01\x04\x01", false),
    ("threads", b"\x05\x04\x01\x03\x01\x01", false),
    ("custom page sizes", b"\x05\x04\x01\x08\x00\x00", false),
    (
        "tail calls",
        b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x06\x01\x04\x00\x12\x00\x0b",
        false,
    ),
    (
        "exceptions",
        b"\x01\x04\x01\x60\x00\x00\x0d\x03\x01\x00\x00",
        false,
    ),
    ("garbage collection", b"\x01\x03\x01\x5f\x00", false),
];

/// Whether an engine is what [`crate::settings`] says, by asking the engine:
/// which proposals it takes, and who its compiler is. Costs about a millisecond.
pub(crate) fn engine(engine: &Engine) -> Result<(), String> {
    for (name, sections, on) in PROPOSALS {
        let module = [EMPTY, sections].concat();
        if Module::validate(engine, &module).is_ok() != on {
            let is = if on { "off" } else { "on" };
            return Err(format!("{name} is {is} in this engine"));
        }
    }
    // Compiled code names the settings it was compiled with.
    let code = engine
        .precompile_module(EMPTY)
        .map_err(|error| format!("{error:#}"))?;
    let says = |word: &[u8]| code.windows(word.len()).any(|it| it == word);
    for word in ["regalloc_algorithm", "backtracking"] {
        if !says(word.as_bytes()) {
            return Err("its code is not by Cranelift with backtracking".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;
    use wasmtime::{Config, RegallocAlgorithm};

    const ENOUGH: Machine = Machine {
        mappings: 100,
        files: 100,
        memory: 100,
        address_space: 100,
    };

    #[test]
    fn what_is_missing_is_said_with_what_to_change() {
        assert_eq!(shortages(ENOUGH, ENOUGH), []);
        let few = |change: fn(&mut Machine)| {
            let mut has = ENOUGH;
            change(&mut has);
            let found = shortages(ENOUGH, has);
            assert_eq!(found.len(), 1);
            format!("{}: {}", found[0], found[0].change())
        };
        let table = [
            (few(|it| it.mappings = 99), "sysctl vm.max_map_count=100"),
            (few(|it| it.files = 99), "ulimit -n 100"),
            (few(|it| it.memory = 99), "free some"),
            (few(|it| it.address_space = 99), "ulimit -v"),
        ];
        for (said, words) in table {
            assert!(said.contains(words), "{said}");
            assert!(said.contains("99"), "{said}");
        }
    }

    #[test]
    fn the_default_settings_fit_a_default_machine() {
        let machine = Machine {
            mappings: 65_530,
            files: 1_024,
            memory: 2 << 30,
            address_space: u64::MAX,
        };
        assert_eq!(shortages(needs(&Settings::default()), machine), []);
    }

    #[test]
    fn an_engine_with_another_setting_is_noticed() {
        engine(&settings::compiling_engine(true).unwrap()).unwrap();
        type Change = fn(&mut Config);
        let table: [(Change, &str); 3] = [
            (|it| _ = it.wasm_memory64(true), "memory64 is on"),
            (|it| _ = it.wasm_multi_memory(false), "multi-memory is off"),
            (
                |it| _ = it.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass),
                "not by Cranelift with backtracking",
            ),
        ];
        for (change, words) in table {
            let mut config = settings::config(crate::warm::Meters::ALL);
            change(&mut config);
            let said = engine(&Engine::new(&config).unwrap()).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
