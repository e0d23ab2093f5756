//! A case as it is written down: `<id>/case.toml` with its guests beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::Grants;
use hotcell_runtime::manifest::Limits;
use serde::Deserialize;

use crate::guest;

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
}

/// One guest and its expected end.
pub(crate) struct Attack {
    pub(crate) name: String,
    pub(crate) bytes: Arc<[u8]>,
    /// Ends of which one must come: a code of `load.…`, or how the call ended.
    pub(crate) expect: Vec<String>,
    /// Words that the operator must be told.
    pub(crate) says: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) kind: String,
    pub(crate) input: String,
    /// How many calls of plugins the call is already inside of.
    pub(crate) depth: u8,
    /// The longest until the end is known.
    pub(crate) within: Duration,
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
    attack: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `guest.wat`, `probe`, `wasi-probe`, or `made` for the generator's guest
    /// of this name.
    guest: String,
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
    depth: u8,
    #[serde(default = "five_seconds")]
    within_ms: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expect {
    One(String),
    Any(Vec<String>),
}

fn fifty() -> u32 {
    50
}

fn sixteen() -> u32 {
    16
}

fn five_seconds() -> u64 {
    5_000
}

/// Where the cases are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/hostile")
}

/// All cases, by id.
pub(crate) fn all(scale: u32) -> Vec<Case> {
    let mut made = guest::made(scale);
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut cases: Vec<Case> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| read(&path, &mut made))
        .collect();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    assert!(made.is_empty(), "made for no case: {:?}", made.keys());
    cases
}

/// Guests by case and name.
pub(crate) type Made = BTreeMap<(String, String), Vec<u8>>;

fn read(folder: &Path, made: &mut Made) -> Case {
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(folder.join("case.toml"))
        .unwrap_or_else(|error| panic!("{id}/case.toml: {error}"));
    let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{id}: {error}"));
    let attack = |row: Row| {
        let key = (id.clone(), row.guest.clone());
        let bytes = match made.remove(&key) {
            Some(bytes) => bytes,
            None => guest::read(folder, &id, &row.guest),
        };
        Attack {
            name: row.name.or(row.kind.clone()).unwrap_or(row.guest),
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
            depth: row.depth,
            within: Duration::from_millis(row.within_ms),
        }
    };
    Case {
        attacks: file.attack.into_iter().map(attack).collect(),
        title: file.title,
        guards: file.guards,
        repeat: file.repeat,
        parallel: file.parallel,
        id,
    }
}
