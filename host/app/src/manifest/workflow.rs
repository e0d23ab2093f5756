//! `workflow.yaml`: which plugins do what to which records.
//!
//! Everything that can be known without loading a plugin is checked here: names,
//! references, files. Whether a plugin is an agent at all is known only once it
//! is loaded; the places of the names are kept for that.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hotcell_runtime::manifest::{Limits, is_name};
use serde_json::{Map, Value};

use super::problem::{Problem, one_of};
use super::reader::{Named, Reader};
use super::tree::{Kind, Node};

/// A checked workflow. Paths are resolved against the folder of its file.
#[derive(Clone, Debug)]
pub(crate) struct Workflow {
    /// Its name.
    pub(crate) name: String,
    /// How its steps hang together.
    pub(crate) pattern: Pattern,
    /// What it works on.
    pub(crate) input: Input,
    /// Its plugins by name.
    pub(crate) plugins: BTreeMap<String, Plugin>,
    /// The plugins that offer tools to the run.
    pub(crate) tools: Vec<Named>,
    /// At least one step, in order.
    pub(crate) steps: Vec<Step>,
    /// How answers are scored, if they are.
    pub(crate) score: Option<ScoreSpec>,
}

/// How steps hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// One after the other, each sees what the one before answered.
    Sequential,
}

/// Every pattern by the word in the file.
const PATTERNS: [(&str, Pattern); 1] = [("sequential", Pattern::Sequential)];

const STEPS: &str = "add at least one step: `- { id: …, agent: … }`";

/// What a workflow works on.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// A JSON array of objects.
    pub(crate) file: PathBuf,
    /// The field that names a record.
    pub(crate) id: String,
}

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

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its name in the workflow.
    pub(crate) id: Named,
    /// The plugin that does it.
    pub(crate) agent: Named,
    /// What kind of task it is, in the words of the agent's manifest.
    pub(crate) kind: String,
    /// The validators that must let the answer pass, in order.
    pub(crate) gates: Vec<Named>,
    /// How many times a gate may send the answer back.
    pub(crate) repairs: u32,
}

/// How answers are scored.
#[derive(Clone, Debug)]
pub(crate) struct ScoreSpec {
    /// A JSON object from record id to gold answer.
    pub(crate) gold: PathBuf,
    /// The fields that must be right.
    pub(crate) fields: Vec<String>,
    /// The gold field by which results are grouped.
    pub(crate) group_by: Option<String>,
}

const FIELDS: &str = "name the fields of an answer that must be right";

/// Reads a workflow. It is complete unless the reader has noted a problem.
pub(crate) fn read(reader: &mut Reader, root: &Node) -> Option<Workflow> {
    let keys = [
        "workflow",
        "description",
        "pattern",
        "input",
        "plugins",
        "tools",
        "steps",
        "score",
    ];
    let table = reader.table(root, "a workflow", &keys)?;
    let name = reader
        .require(&table, "workflow", "give it a name: `workflow: …`")
        .and_then(|node| {
            let text = reader.text(node, "workflow")?;
            reader.name(&text, &node.span)
        });
    // For whoever reads the file; nothing here needs it.
    if let Some(node) = table.get("description") {
        reader.text(node, "description");
    }
    let pattern = reader
        .require(&table, "pattern", "write `pattern: sequential`")
        .and_then(|node| reader.choice(node, "pattern", &PATTERNS));
    let input = reader
        .require(&table, "input", "write `input: { file: …, id: … }`")
        .and_then(|node| input(reader, node));
    let plugins_node = reader.require(&table, "plugins", "declare each plugin by its name");
    let plugins = plugins_node
        .map(|node| plugins(reader, node))
        .unwrap_or_default();
    let declared = Declared::of(plugins_node);
    let tools = table
        .get("tools")
        .map(|node| reader.texts(node, "tools"))
        .unwrap_or_default();
    for tool in &tools {
        declared.check(reader, tool);
    }
    let steps = reader
        .require(&table, "steps", STEPS)
        .map(|node| steps(reader, node, &declared));
    let score = table.get("score").and_then(|node| score(reader, node));
    Some(Workflow {
        name: name?.name,
        pattern: pattern?,
        input: input?,
        plugins,
        tools,
        steps: steps?,
        score,
    })
}

fn input(reader: &mut Reader, node: &Node) -> Option<Input> {
    let table = reader.table(node, "`input`", &["file", "id"])?;
    let file = reader
        .require(&table, "file", "name a JSON file of records")
        .and_then(|node| reader.file(node, "file"));
    let id = reader.require(&table, "id", "name the field that tells records apart");
    let id = id.and_then(|node| reader.text(node, "id"));
    Some(Input {
        file: file?,
        id: id?,
    })
}

fn plugins(reader: &mut Reader, node: &Node) -> BTreeMap<String, Plugin> {
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

fn steps(reader: &mut Reader, node: &Node, declared: &Declared<'_>) -> Vec<Step> {
    let items = reader.list(node, "steps");
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        reader.wrong(
            &node.span,
            "a workflow needs a step",
            "there is none",
            STEPS,
        );
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in items {
        let Some(step) = step(reader, item, declared) else {
            continue;
        };
        match steps.iter().find(|other| other.id.name == step.id.name) {
            Some(first) => {
                let problem = Problem::new(format!("two steps are called `{}`", step.id.name))
                    .at(&first.id.spot, "the first")
                    .at(&step.id.spot, "the second")
                    .help("give one of them another `id`");
                reader.push(problem);
            }
            None => steps.push(step),
        }
    }
    steps
}

fn step(reader: &mut Reader, node: &Node, declared: &Declared<'_>) -> Option<Step> {
    let table = reader.table(node, "a step", &["id", "agent", "kind", "gates", "repairs"])?;
    let id = reader
        .require(&table, "id", "give the step a name")
        .and_then(|node| {
            let text = reader.text(node, "id")?;
            reader.name(&text, &node.span)
        });
    let agent = reader
        .require(&table, "agent", "name the plugin that does it")
        .and_then(|node| {
            let name = reader.text(node, "agent")?;
            let agent = Named {
                name,
                spot: reader.spot(&node.span),
            };
            declared.check(reader, &agent);
            Some(agent)
        });
    let kind = table.get("kind").and_then(|node| reader.text(node, "kind"));
    let gates = table
        .get("gates")
        .map(|node| reader.texts(node, "gates"))
        .unwrap_or_default();
    for gate in &gates {
        declared.check(reader, gate);
    }
    // Without gates too: an answer off the agent's own schema is sent back.
    let repairs = match table.get("repairs") {
        Some(node) => reader.whole(node, "repairs", 0..=3).unwrap_or_default(),
        None => 1,
    };
    let id = id?;
    let kind = kind.unwrap_or_else(|| id.name.clone());
    Some(Step {
        id,
        agent: agent?,
        kind,
        gates,
        repairs: u32::try_from(repairs).ok()?,
    })
}

fn score(reader: &mut Reader, node: &Node) -> Option<ScoreSpec> {
    let table = reader.table(node, "`score`", &["gold", "fields", "group_by"])?;
    let gold = reader.require(&table, "gold", "name a JSON file of right answers");
    let gold = gold.and_then(|node| reader.file(node, "gold"));
    let fields = reader.require(&table, "fields", FIELDS).map(|node| {
        let fields = reader.texts(node, "fields");
        if fields.is_empty() && matches!(&node.kind, Kind::List(items) if items.is_empty()) {
            reader.wrong(
                &node.span,
                "`fields` is empty",
                "nothing to compare",
                FIELDS,
            );
        }
        fields.into_iter().map(|field| field.name).collect()
    });
    let group_by = table
        .get("group_by")
        .and_then(|node| reader.text(node, "group_by"));
    Some(ScoreSpec {
        gold: gold?,
        fields: fields?,
        group_by,
    })
}

/// The plugins a workflow declares, or nothing while that is not clear: then
/// every reference would look wrong.
struct Declared<'n> {
    names: Option<Vec<&'n str>>,
}

impl<'n> Declared<'n> {
    fn of(plugins: Option<&'n Node>) -> Declared<'n> {
        let names = match plugins.map(|node| &node.kind) {
            Some(Kind::Table(entries)) if entries.iter().all(|(key, _)| is_name(&key.name)) => {
                Some(entries.iter().map(|(key, _)| key.name.as_str()).collect())
            }
            _ => None,
        };
        Declared { names }
    }

    fn check(&self, reader: &mut Reader, named: &Named) {
        let Some(names) = &self.names else { return };
        if !names.contains(&named.name.as_str()) {
            let help = one_of(&named.name, "the plugins", names);
            let problem = Problem::new(format!("no plugin is called `{}`", named.name));
            reader.push(problem.at(&named.spot, "not under `plugins`").help(help));
        }
    }
}
