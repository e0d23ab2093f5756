//! `workflow.yaml`: which plugins do what to which records.
//!
//! Everything that can be known without loading a plugin is checked here: names,
//! references, files. Whether a plugin is an agent at all is known only once it
//! is loaded; the places of the names are kept for that.

mod hierarchical;
mod iterative;
mod pattern;
mod plugins;
mod scope;
mod sequential;
mod state_machine;
mod step;
mod voting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hotcell_runtime::manifest::Kind as PluginKind;
use hotcell_workflow::plan::{Plan, RUN_TIMEOUT_MS};
pub(crate) use plugins::Plugin;
pub(crate) use scope::Role;
use scope::Scope;

use super::reader::{Named, Reader};
use super::tree::{Kind, Node};

/// The longest time that can be set anywhere: a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A checked workflow. Paths are resolved against the folder of its file.
#[derive(Clone, Debug)]
pub(crate) struct Workflow {
    /// What is done, by whom, and what happens when that does not go well.
    pub(crate) plan: Plan,
    /// What it works on.
    pub(crate) input: Input,
    /// Its plugins by name.
    pub(crate) plugins: BTreeMap<String, Plugin>,
    /// The plugins that offer tools to the run.
    pub(crate) tools: Vec<Named>,
    /// Every place where a plugin is named, and what it must be there.
    pub(crate) roles: Vec<Role>,
    /// How answers are scored, if they are.
    pub(crate) score: Option<ScoreSpec>,
}

/// What a workflow works on.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// A JSON array of objects.
    pub(crate) file: PathBuf,
    /// The field that names a record.
    pub(crate) id: String,
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
    let mut keys = vec![
        "workflow",
        "description",
        "pattern",
        "input",
        "plugins",
        "tools",
        "timeout_ms",
        "defaults",
    ];
    keys.extend(pattern::keys(root));
    keys.push("score");
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
    let input = reader
        .require(&table, "input", "write `input: { file: …, id: … }`")
        .and_then(|node| input(reader, node));
    let plugins_node = reader.require(&table, "plugins", "declare each plugin by its name");
    let plugins = plugins_node
        .map(|node| plugins::plugins(reader, node))
        .unwrap_or_default();
    let mut scope = Scope::new(plugins_node);
    let tools = table
        .get("tools")
        .map(|node| scope.plugins(reader, node, PluginKind::Tool, "tools"))
        .unwrap_or_default();
    let timeout = table.get("timeout_ms");
    let timeout_ms = timeout.and_then(|node| reader.whole(node, "timeout_ms", 1..=DAY_MS));
    if let Some(node) = table.get("defaults")
        && let Some(table) = reader.table(node, "`defaults`", &step::AROUND)
    {
        scope.defaults = step::around(reader, &table, scope.defaults);
    }
    let pattern = pattern::read(reader, &table, &mut scope);
    let score = table.get("score").and_then(|node| score(reader, node));
    Some(Workflow {
        plan: Plan {
            name: name?.name,
            pattern: Arc::new(pattern?),
            timeout_ms: timeout_ms.unwrap_or(RUN_TIMEOUT_MS),
        },
        input: input?,
        plugins,
        tools,
        roles: scope.roles,
        score,
    })
}

fn input(reader: &mut Reader, node: &Node) -> Option<Input> {
    let table = reader.table(node, "`input`", &["file", "id"])?;
    let file = reader
        .require(&table, "file", "name a JSON file of records")
        .and_then(|node| reader.records(node, "file"));
    let id = reader.require(&table, "id", "name the field that tells records apart");
    let id = id.and_then(|node| reader.text(node, "id"));
    Some(Input {
        file: file?,
        id: id?,
    })
}

fn score(reader: &mut Reader, node: &Node) -> Option<ScoreSpec> {
    let table = reader.table(node, "`score`", &["gold", "fields", "group_by"])?;
    let gold = reader.require(&table, "gold", "name a JSON file of right answers");
    let gold = gold.and_then(|node| reader.records(node, "gold"));
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
