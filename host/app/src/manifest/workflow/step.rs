//! A step as it is written, wherever in a workflow it stands: who does it, and
//! what is done when that does not go well.

use std::sync::Arc;

use hotcell_runtime::manifest::Kind as PluginKind;
use hotcell_workflow::breaker;
use hotcell_workflow::plan::{Body, Call, Fallback, Step};
use hotcell_workflow::retry::Retry;

use super::scope::{Defaults, Scope};
use super::{DAY_MS, pattern};
use crate::manifest::problem::Problem;
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// Keys of a step that an agent does.
const AGENT: [&str; 10] = [
    "id",
    "agent",
    "workflow",
    "kind",
    "gates",
    "repairs",
    "timeout_ms",
    "retry",
    "breaker",
    "fallback",
];

/// Keys of a step that is a workflow. Gates and tries are its steps' own.
const WORKFLOW: [&str; 3] = ["id", "workflow", "fallback"];

const FALLBACKS: &str = "a fallback is `cache: { ttl_s: … }`, `agent: …`, `workflow: …`, \
                         `default: …`, `skip` or `human`";

/// Where a step stands, and what that means for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    /// Its id when it does not give one; none where it must.
    pub(super) id: Option<&'a str>,
    /// Its kind when it does not give one; its id if none.
    pub(super) kind: Option<&'a str>,
    /// Whether the place can do without it: then it may be `optional`.
    pub(super) optional: bool,
    /// Keys that the place adds; whoever reads the place reads them.
    pub(super) more: &'a [&'a str],
}

/// A step, and where its name stands.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) id: Named,
    pub(super) step: Step,
}

/// Reads a step.
pub(super) fn read(
    reader: &mut Reader,
    node: &Node,
    scope: &mut Scope<'_>,
    place: Place<'_>,
) -> Option<Written> {
    let nested = node.get("workflow");
    let (what, mut keys) = match nested {
        Some(_) if node.get("agent").is_none() => ("a step that is a workflow", WORKFLOW.to_vec()),
        _ => ("a step", AGENT.to_vec()),
    };
    if place.optional {
        keys.push("optional");
    }
    keys.extend(place.more);
    let table = reader.table(node, what, &keys)?;
    let id = match (table.get("id"), place.id) {
        (None, Some(id)) => Some(Named {
            name: id.to_owned(),
            spot: reader.spot(&node.span),
        }),
        _ => reader
            .require(&table, "id", "give the step a name")
            .and_then(|node| {
                let text = reader.text(node, "id")?;
                reader.name(&text, &node.span)
            }),
    };
    let body = match (nested, table.get("agent")) {
        (Some(_), Some(agent)) => {
            let message = "a step has an `agent` or a `workflow`";
            reader.wrong(&agent.span, message, "here are both", "keep one of them");
            None
        }
        (Some(node), None) => {
            pattern::nested(reader, node, scope).map(|pattern| Body::Workflow(Arc::new(pattern)))
        }
        (None, _) => call(reader, &table, scope).map(Body::Call),
    };
    let kind = table.get("kind").and_then(|node| reader.text(node, "kind"));
    let optional = table
        .get("optional")
        .and_then(|node| reader.flag(node, "optional"))
        .unwrap_or_default();
    let id_word = id.as_ref().map(|id| id.name.clone()).unwrap_or_default();
    let kind = kind
        .or_else(|| place.kind.map(str::to_owned))
        .unwrap_or(id_word);
    let fallback = table
        .get("fallback")
        .map(|node| fallbacks(reader, node, scope, &kind))
        .unwrap_or_default();
    let id = id?;
    let step = Step {
        id: id.name.clone(),
        kind,
        body: body?,
        optional,
        fallback,
    };
    Some(Written { id, step })
}

/// Reads the steps of a list, each with its node. That their ids differ is seen
/// to with [`distinct`].
pub(super) fn list<'n>(
    reader: &mut Reader,
    node: &'n Node,
    key: &str,
    scope: &mut Scope<'_>,
    place: Place<'_>,
) -> Vec<(&'n Node, Option<Written>)> {
    let items = reader.list(node, key);
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        let help = "add at least one step: `- { id: …, agent: … }`";
        let message = format!("`{key}` is empty");
        reader.wrong(&node.span, message, "there is no step", help);
    }
    let mut all = Vec::new();
    for item in items {
        all.push((item, read(reader, item, scope, place)));
    }
    all
}

/// Notes names that come twice.
pub(super) fn distinct<'a>(reader: &mut Reader, ids: impl Iterator<Item = &'a Named>) {
    let mut seen: Vec<&Named> = Vec::new();
    for id in ids {
        match seen.iter().find(|other| other.name == id.name) {
            Some(first) => {
                let problem = Problem::new(format!("two steps are called `{}`", id.name))
                    .at(&first.spot, "the first")
                    .at(&id.spot, "the second")
                    .help("give one of them another `id`");
                reader.push(problem);
            }
            None => seen.push(id),
        }
    }
}

fn call(reader: &mut Reader, table: &Table<'_>, scope: &mut Scope<'_>) -> Option<Call> {
    let agent = reader
        .require(table, "agent", "name the plugin that does it")
        .and_then(|node| scope.plugin(reader, node, PluginKind::Agent, "agent"));
    let gates = table
        .get("gates")
        .map(|node| scope.plugins(reader, node, PluginKind::Validator, "gates"))
        .unwrap_or_default();
    let around = around(reader, table, scope.defaults);
    Some(Call {
        gates: gates.iter().map(|gate| gate.name.as_str().into()).collect(),
        repairs: around.repairs,
        retry: around.retry,
        breaker: around.breaker,
        timeout_ms: around.timeout_ms,
        ..Call::new(&agent?.name)
    })
}

/// The keys of what surrounds a call, in a step or under `defaults`.
pub(super) const AROUND: [&str; 4] = ["retry", "breaker", "repairs", "timeout_ms"];

/// Reads what surrounds a call, over what it is anyway.
pub(super) fn around(reader: &mut Reader, table: &Table<'_>, mut around: Defaults) -> Defaults {
    if let Some(node) = table.get("retry") {
        retry(reader, node, &mut around.retry);
    }
    if let Some(node) = table.get("breaker") {
        breaker(reader, node, &mut around.breaker);
    }
    if let Some(number) = small(reader, table, "repairs", 3) {
        around.repairs = number;
    }
    if let Some(node) = table.get("timeout_ms") {
        around.timeout_ms = reader.whole(node, "timeout_ms", 1..=DAY_MS);
    }
    around
}

fn retry(reader: &mut Reader, node: &Node, retry: &mut Retry) {
    let keys = ["max", "base_ms", "cap_ms", "total_ms"];
    let Some(table) = reader.table(node, "`retry`", &keys) else {
        return;
    };
    if let Some(max) = small(reader, &table, "max", 100) {
        retry.max = max;
    }
    for (key, place) in [
        ("base_ms", &mut retry.base_ms),
        ("cap_ms", &mut retry.cap_ms),
        ("total_ms", &mut retry.total_ms),
    ] {
        let number = table.get(key);
        if let Some(number) = number.and_then(|node| reader.whole(node, key, 0..=DAY_MS)) {
            *place = number;
        }
    }
}

fn breaker(reader: &mut Reader, node: &Node, settings: &mut breaker::Settings) {
    let Some(table) = reader.table(node, "`breaker`", &["failures", "open_ms"]) else {
        return;
    };
    if let Some(failures) = small(reader, &table, "failures", 1_000) {
        settings.failures = failures;
    }
    let open = table.get("open_ms");
    if let Some(open_ms) = open.and_then(|node| reader.whole(node, "open_ms", 1..=DAY_MS)) {
        settings.open_ms = open_ms;
    }
}

/// A number of this key that is not large.
pub(super) fn small(reader: &mut Reader, table: &Table<'_>, key: &str, most: u32) -> Option<u32> {
    let node = table.get(key)?;
    let number = reader.whole(node, key, 0..=u64::from(most))?;
    u32::try_from(number).ok()
}

fn fallbacks(reader: &mut Reader, node: &Node, scope: &mut Scope<'_>, kind: &str) -> Vec<Fallback> {
    let items = reader.list(node, "fallback");
    let mut all = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let Some(fallback) = fallback(reader, item, scope, kind, at + 1) else {
            continue;
        };
        let always = match &fallback {
            Fallback::Default(_) => "default",
            Fallback::Skip => "skip",
            Fallback::Human => "human",
            Fallback::Cache { .. } | Fallback::Step(_) => "",
        };
        if let (false, Some(next)) = (always.is_empty(), items.get(at + 1)) {
            let message = format!("nothing comes after the fallback `{always}`");
            let help = format!("`{always}` never fails: put it last");
            reader.wrong(&next.span, message, "this never has its turn", help);
        }
        all.push(fallback);
    }
    all
}

fn fallback(
    reader: &mut Reader,
    node: &Node,
    scope: &mut Scope<'_>,
    kind: &str,
    number: usize,
) -> Option<Fallback> {
    match &node.kind {
        Kind::Text(word) if word == "skip" => return Some(Fallback::Skip),
        Kind::Text(word) if word == "human" => return Some(Fallback::Human),
        Kind::Table(_) if node.get("agent").is_some() || node.get("workflow").is_some() => {
            let id = format!("fallback-{number}");
            let place = Place {
                id: Some(&id),
                kind: Some(kind),
                ..Place::default()
            };
            let written = read(reader, node, scope, place)?;
            return Some(Fallback::Step(Arc::new(written.step)));
        }
        Kind::Table(_) => {}
        _ => {
            reader.wrong(&node.span, "this is no fallback", "unknown", FALLBACKS);
            return None;
        }
    }
    let table = reader.table(
        node,
        "a fallback",
        &["cache", "agent", "workflow", "default"],
    )?;
    match (table.get("cache"), table.get("default")) {
        (Some(node), None) => {
            let table = reader.table(node, "`cache`", &["ttl_s"])?;
            let help = "say for how many seconds an answer is good";
            let ttl = reader.require(&table, "ttl_s", help)?;
            let ttl_s = reader.whole(ttl, "ttl_s", 1..=365 * 86_400)?;
            Some(Fallback::Cache { ttl_s })
        }
        (None, Some(node)) => Some(Fallback::Default(node.json())),
        (Some(_), Some(node)) => {
            let help = "make two items of them, in the order they are to have their turn";
            reader.wrong(&node.span, "one fallback at a time", "the second", help);
            None
        }
        (None, None) => {
            reader.require(&table, "cache", FALLBACKS);
            None
        }
    }
}
