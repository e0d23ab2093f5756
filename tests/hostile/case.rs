//! A case as it is written down: `<id>/case.toml` with its guests beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hotcell_broker::Grants;
use hotcell_runtime::Plugin;
use hotcell_runtime::manifest::Limits;
use serde::Deserialize;

use crate::crowd::Crowd;
use crate::guest::{self, Encoding};
use crate::loading::Loading;
use crate::net;

/// One case: attacks of one sort, and what must come of each.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Words of the guards this case proves.
    pub(crate) guards: Vec<String>,
    pub(crate) attacks: Vec<Attack>,
    /// How often each attack is repeated to find a leak.
    pub(crate) repeat: u32,
    /// How many run at once.
    pub(crate) parallel: u32,
    /// Resident bytes that the host may take while the case runs, above what
    /// its cells were given.
    pub(crate) allowance: u64,
    /// Whether it runs in a host with room for one cell, where every call gets
    /// the slots of the one before.
    pub(crate) one_cell: bool,
    /// Many calls at once, instead of attacks.
    pub(crate) crowd: Option<Crowd>,
    /// If it is about loading: what is done, and within which limits.
    pub(crate) loading: Option<Loading>,
    /// How large generated guests are.
    pub(crate) scale: u32,
}

/// One guest and its expected end.
#[derive(Default)]
pub(crate) struct Attack {
    pub(crate) name: String,
    /// As the case names it. The guests of cases about loading are made when
    /// they are needed; their bytes here are none.
    pub(crate) guest: String,
    pub(crate) bytes: Arc<[u8]>,
    /// Ends of which one must come: a code of `load.…`, or how the call ended.
    pub(crate) expect: Vec<String>,
    /// Words that the operator must be told.
    pub(crate) says: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) kind: String,
    pub(crate) input: String,
    /// The folder that is made for each call, by its name in `fixture.rs`.
    pub(crate) fixture: Option<&'static str>,
    /// How many calls of plugins the call is already inside of.
    pub(crate) depth: u8,
    /// A kind of task that the same plugin must answer afterwards.
    pub(crate) then: Option<String>,
    /// How often it is called in one run, one call after the other.
    pub(crate) calls: u32,
    pub(crate) drive: Drive,
    /// The plugin, if it is to be loaded once for all calls.
    pub(crate) loaded: Option<OnceLock<Arc<Plugin>>>,
    /// How many compilations it may cost at most, however often it is loaded.
    pub(crate) compiles: Option<u64>,
    /// The longest that one HTTP request may take.
    pub(crate) http: Duration,
    /// The longest until the end is known.
    pub(crate) within: Duration,
}

impl Case {
    /// What its trial is called.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.id, self.title)
    }
}

impl Attack {
    /// Bytes that one cell of it may have: none when it is not to be loaded.
    pub(crate) fn memory(&self) -> u64 {
        /// What the host gives when nobody says anything.
        const DEFAULT_MIB: u32 = 64;
        if self.expect.iter().all(|code| code.starts_with("load.")) {
            return 0;
        }
        u64::from(self.limits.memory_mib.unwrap_or(DEFAULT_MIB)) << 20
    }
}

/// What the caller does with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Drive {
    /// Waits for the answer.
    #[default]
    Wait,
    /// Gives it up at a point that a seeded generator chooses: every other call
    /// by its token, the rest by dropping its future.
    Storm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    guards: Vec<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    grants: Grants,
    #[serde(default = "fifty")]
    repeat: u32,
    #[serde(default = "sixteen")]
    parallel: u32,
    #[serde(default = "thirty_two")]
    allowance_mib: u64,
    #[serde(default)]
    one_cell: bool,
    #[serde(default)]
    crowd: Option<Crowd>,
    #[serde(default)]
    loading: Option<Loading>,
    #[serde(default)]
    attack: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `guest.wat`, the text itself, `probe`, `wasi-probe`, or the name of a
    /// guest that a generator made.
    guest: String,
    /// A component that comes to be with the agent, as text or file.
    #[serde(default)]
    beside: Option<String>,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    name: Option<String>,
    expect: Expect,
    #[serde(default)]
    says: Option<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    grants: Option<Grants>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    fixture: Option<String>,
    #[serde(default)]
    depth: u8,
    #[serde(default)]
    then: Option<String>,
    #[serde(default = "one")]
    calls: u32,
    #[serde(default)]
    drive: Drive,
    #[serde(default)]
    load_once: bool,
    #[serde(default)]
    compiles: Option<u64>,
    #[serde(default = "five_seconds")]
    http_ms: u64,
    #[serde(default = "five_seconds")]
    within_ms: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expect {
    One(String),
    Any(Vec<String>),
}

fn one() -> u32 {
    1
}

fn fifty() -> u32 {
    50
}

fn sixteen() -> u32 {
    16
}

fn thirty_two() -> u64 {
    32
}

fn five_seconds() -> u64 {
    5_000
}

/// Where the cases are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/hostile")
}

/// All cases, by id. Only those with a wanted name get their guests, so that one
/// case starts at once.
pub(crate) fn all(scale: u32, wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let mut made = guest::made(scale);
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut cases: Vec<Case> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| read(&path, &mut made, scale, &wanted))
        .collect();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    made.retain(|(id, _), _| {
        cases
            .iter()
            .any(|case| case.id == *id && !case.attacks.is_empty())
    });
    assert!(made.is_empty(), "made for no attack: {:?}", made.keys());
    cases
}

/// Guests by case and name.
pub(crate) type Made = BTreeMap<(String, String), Vec<u8>>;

fn read(folder: &Path, made: &mut Made, scale: u32, wanted: impl Fn(&str) -> bool) -> Case {
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(folder.join("case.toml"))
        .unwrap_or_else(|error| panic!("{id}/case.toml: {error}"));
    let text = net::with_ports(&text);
    let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{id}: {error}"));
    let is_loading = file.loading.is_some();
    let attack = |row: Row| {
        let key = (id.clone(), row.guest.clone());
        let bytes = match made.remove(&key) {
            Some(bytes) => bytes,
            None if is_loading => Vec::new(),
            None => guest::read(folder, &id, &row.guest, row.encoding),
        };
        let bytes = match row.beside {
            Some(text) => guest::beside(bytes, &guest::text(folder, &text)),
            None => bytes,
        };
        Attack {
            name: row.name.or(row.kind.clone()).unwrap_or(row.guest.clone()),
            guest: row.guest,
            bytes: bytes.into(),
            expect: match row.expect {
                Expect::One(one) => vec![one],
                Expect::Any(any) => any,
            },
            says: row.says,
            limits: row.limits.or(file.limits),
            grants: row.grants.unwrap_or_else(|| file.grants.clone()),
            kind: row.kind.unwrap_or_else(|| "attack".to_owned()),
            input: row.input.unwrap_or_else(|| "{}".to_owned()),
            // For the rest of the process, as the case is.
            fixture: row.fixture.map(|name| &*name.leak()),
            depth: row.depth,
            then: row.then,
            calls: row.calls,
            drive: row.drive,
            loaded: row.load_once.then(OnceLock::new),
            compiles: row.compiles,
            http: Duration::from_millis(row.http_ms),
            within: Duration::from_millis(row.within_ms),
        }
    };
    let mut case = Case {
        attacks: Vec::new(),
        title: file.title,
        guards: file.guards,
        repeat: file.repeat,
        parallel: file.parallel,
        allowance: file.allowance_mib << 20,
        one_cell: file.one_cell,
        crowd: file.crowd,
        loading: file.loading,
        scale,
        id: id.clone(),
    };
    if wanted(&case.name()) {
        case.attacks = file.attack.into_iter().map(attack).collect();
    }
    case
}
