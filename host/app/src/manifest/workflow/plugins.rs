//! What a workflow says of its plugins: where they are, what they read as their
//! configuration and what one call may use.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hotcell_runtime::manifest::Limits;
use serde_json::{Map, Value};

use crate::manifest::reader::{Named, Reader};
use crate::manifest::tree::Node;

/// A plugin as the workflow declares it.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    /// Its name in the workflow; its own manifest must give the same.
    pub(crate) named: Named,
    /// A crate's folder or a `.wasm` file.
    pub(crate) source: PathBuf,
    /// What the plugin reads as its configuration.
    pub(crate) config: Map<String, Value>,
    /// What one call may use; unset numbers are left to the plugin's manifest.
    pub(crate) limits: Limits,
}

/// Reads `plugins`.
pub(super) fn plugins(reader: &mut Reader, node: &Node) -> BTreeMap<String, Plugin> {
    let mut plugins = BTreeMap::new();
    for (key, node) in reader.entries(node, "`plugins`") {
        let named = reader.name(&key.name, &key.span);
        let plugin = plugin(reader, node);
        if let (Some(named), Some((source, config, limits))) = (named, plugin) {
            plugins.insert(
                named.name.clone(),
                Plugin {
                    named,
                    source,
                    config,
                    limits,
                },
            );
        }
    }
    plugins
}

fn plugin(reader: &mut Reader, node: &Node) -> Option<(PathBuf, Map<String, Value>, Limits)> {
    let keys = ["source", "config", "config_files", "limits"];
    let table = reader.table(node, "a plugin", &keys)?;
    let source = reader.require(&table, "source", "name a crate's folder or a `.wasm` file");
    let source = source.and_then(|node| reader.plugin(node, "source"));
    let mut config = Map::new();
    if let Some(node) = table.get("config") {
        for (key, value) in reader.entries(node, "`config`") {
            config.insert(key.name.clone(), value.json());
        }
    }
    if let Some(node) = table.get("config_files") {
        for (key, node) in reader.entries(node, "`config_files`") {
            let Some(value) = json_file(reader, node, &key.name) else {
                continue;
            };
            if config.insert(key.name.clone(), value).is_some() {
                let message = format!("`{}` is in `config` and in `config_files`", key.name);
                reader.wrong(&key.span, message, "set twice", "keep one of them");
            }
        }
    }
    let limits = table
        .get("limits")
        .map(|node| limits(reader, node))
        .unwrap_or_default();
    Some((source?, config, limits))
}

fn json_file(reader: &mut Reader, node: &Node, key: &str) -> Option<Value> {
    let path = reader.file(node, key)?;
    let value = fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    match value {
        Ok(value) => Some(value),
        Err(error) => {
            let message = format!("`{}` is not a JSON file", path.display());
            reader.wrong(
                &node.span,
                message,
                error,
                "its whole text must be one JSON value",
            );
            None
        }
    }
}

fn limits(reader: &mut Reader, node: &Node) -> Limits {
    let mut limits = Limits::default();
    type Set = fn(&mut Limits, u64);
    const NARROW: u64 = u32::MAX as u64;
    let keys: [(&str, u64, Set); 5] = [
        ("fuel", u64::MAX, |to, it| to.fuel = Some(it)),
        ("memory_mib", NARROW, |to, it| {
            to.memory_mib = it.try_into().ok()
        }),
        ("deadline_ms", u64::MAX, |to, it| to.deadline_ms = Some(it)),
        ("concurrency", NARROW, |to, it| {
            to.concurrency = it.try_into().ok()
        }),
        ("queue", NARROW, |to, it| to.queue = it.try_into().ok()),
    ];
    let Some(table) = reader.table(node, "`limits`", &keys.map(|(key, ..)| key)) else {
        return limits;
    };
    for (key, most, set) in keys {
        let Some(node) = table.get(key) else { continue };
        let Some(number) = reader.whole(node, key, 0..=most) else {
            continue;
        };
        let mut alone = Limits::default();
        set(&mut alone, number);
        match alone.check() {
            Ok(()) => set(&mut limits, number),
            Err(message) => reader.wrong(
                &node.span,
                message,
                "out of range",
                "leave it out for the plugin's own",
            ),
        }
    }
    limits
}
