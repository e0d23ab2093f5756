//! The file that describes the tools of an HTTP server: what each is for, what it
//! takes, and where in a request each value goes.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_broker::egress::origin::METHODS;
use hotcell_broker::tool::http::{Body, Operation};
use hotcell_broker::tool::registry::is_tool_name;
use hotcell_broker::tool::{EffectKind, ToolSpec};

use super::EFFECTS;
use crate::manifest::problem::one_of;
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::{Key, Kind, Node};

const KEYS: [&str; 9] = [
    "description",
    "method",
    "path",
    "query",
    "headers",
    "body",
    "effect",
    "input",
    "output",
];

/// Reads the tools of the server of this name.
pub(super) fn read(reader: &mut Reader, root: &Node, server: &str) -> Vec<Operation> {
    let Some(table) = reader.table(root, "a file of tools", &["tool"]) else {
        return Vec::new();
    };
    let help = "describe a tool: `[tool.find]`";
    let Some(tools) = reader.require(&table, "tool", help) else {
        return Vec::new();
    };
    let mut operations = Vec::new();
    for (key, node) in reader.entries(tools, "`tool`") {
        let name = format!("{server}.{}", key.name);
        if !is_tool_name(&name) {
            let help = "a tool's name has lower-case letters and digits, joined by `.`, `_` or \
                        `-`; with the server's it has 64 at most";
            let message = format!("`{name}` is no tool's name");
            reader.wrong(&key.span, message, "this one", help);
        }
        operations.extend(operation(reader, node, name));
    }
    operations
}

fn operation(reader: &mut Reader, node: &Node, name: String) -> Option<Operation> {
    let table = reader.table(node, "a tool", &KEYS)?;
    let description = reader.require(&table, "description", "say what it is for");
    let description = description.and_then(|node| reader.text(node, "description"));
    let path = reader.require(&table, "path", "write it as `path = \"/v1/find/{id}\"`");
    let path = path.and_then(|node| reader.text(node, "path"));
    let method = match table.get("method") {
        None => Some("GET".to_owned()),
        Some(node) => method(reader, node),
    };
    let query = names(reader, &table, "query");
    let headers = match table.get("headers") {
        None => BTreeMap::new(),
        Some(node) => {
            let entries = reader.entries(node, "`headers`");
            let header =
                |(key, node): &(Key, Node)| Some((key.name.clone(), reader.text(node, "headers")?));
            entries.iter().filter_map(header).collect()
        }
    };
    let body = match table.get("body") {
        None => Body::None,
        Some(node) if matches!(node.kind, Kind::Text(_)) => Body::Whole(reader.text(node, "body")?),
        Some(_) => Body::Fields(names(reader, &table, "body")),
    };
    let effect = match table.get("effect") {
        None if method
            .as_deref()
            .is_some_and(|it| ["GET", "HEAD"].contains(&it)) =>
        {
            Some(EffectKind::ReadOnly)
        }
        None => Some(EffectKind::UnsafeToRepeat),
        Some(node) => reader.choice(node, "effect", &EFFECTS),
    };
    let mut schema = |key: &str| {
        let node = table.get(key)?;
        match node.kind {
            Kind::Table(_) => Some(node.json().to_string()),
            _ => {
                let help = "write a JSON Schema as a table: `type = \"object\"` and so on";
                let message = format!("`{key}` must be a table");
                reader.wrong(&node.span, message, "this is none", help);
                None
            }
        }
    };
    let input_schema = schema("input").unwrap_or_else(|| NOTHING.to_owned());
    let output_schema = schema("output");
    Some(Operation {
        spec: ToolSpec {
            name,
            description: description?,
            input_schema,
            output_schema,
            effect: effect?,
        },
        method: method?,
        path: path?,
        query,
        headers,
        body,
    })
}

/// What a tool takes that takes nothing.
const NOTHING: &str = r#"{"type":"object","additionalProperties":false}"#;

fn names(reader: &mut Reader, table: &Table<'_>, key: &str) -> BTreeSet<String> {
    let Some(node) = table.get(key) else {
        return BTreeSet::new();
    };
    let names = reader.texts(node, key);
    names.into_iter().map(|it| it.name).collect()
}

fn method(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = reader.text(node, "method")?;
    if METHODS.contains(&text.as_str()) {
        return Some(text);
    }
    let help = one_of(&text, "the methods", &METHODS);
    let message = format!("unknown method `{text}`");
    reader.wrong(&node.span, message, "no such method", help);
    None
}
