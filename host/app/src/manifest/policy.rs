//! `policy.toml`: what the operator grants to which plugin.
//!
//! It only grants; whatever is not in it is refused. A capability that this host
//! does not offer cannot be granted, because a line that changes nothing would
//! look as if it did. Each capability's part of a grant has a file of its own
//! here; this one takes the whole apart and remembers which line gives what.

mod budget;
mod component;
mod files;
pub(super) mod http;
pub(crate) mod lethal;
mod memory;
mod names;
mod secrets;
mod strict;

use std::collections::BTreeMap;
use std::path::Path;

use hotcell_broker::files::FileGrant;
use hotcell_broker::ledger::Rules;
use hotcell_broker::{Capability, Grants, Policy};
use hotcell_store::Digest;

use component::Component;
use lethal::Part;

use super::problem::{Problem, Problems, Spot};
use super::reader::{Named, Reader};
use super::source::{self, Links};
use super::tree::{self, Key, Kind, Node};

/// The policy, with the place of every name in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyFile {
    /// What the broker enforces.
    pub(crate) policy: Policy,
    /// What may be spent, and how often something may be asked.
    pub(crate) rules: Rules,
    /// The plugins it names.
    pub(crate) plugins: Vec<Named>,
    /// The models whose calls it bounds.
    pub(crate) models: Vec<Named>,
    /// Every grant, in the order of the file's plugins.
    pub(crate) lines: Vec<Line>,
    /// The folders it lends. Whether they may be lent is found out later.
    pub(crate) folders: Vec<Folder>,
    /// By plugin: the only components that its grants are for.
    components: BTreeMap<String, Vec<Component>>,
    /// What was read.
    pub(crate) text: String,
    /// What it says of tools.
    tools: lethal::Tools,
    /// Why a plugin may have what together is dangerous.
    reasons: BTreeMap<String, Named>,
}

impl PolicyFile {
    /// Reads a policy without the workflow that it is for.
    pub(crate) fn alone(path: &Path) -> Result<PolicyFile, Problems> {
        let mut problems = Problems::default();
        match load(path, &mut problems) {
            Some(file) if problems.is_empty() => Ok(file),
            _ => Err(problems),
        }
    }

    /// The only components that a plugin's grants are for; none if any will do.
    pub(crate) fn only(&self, plugin: &str) -> Vec<String> {
        let components = self.components.get(plugin).into_iter().flatten();
        components.map(|it| it.digest.to_string()).collect()
    }

    /// Whether this component may have what the policy grants to its name.
    pub(crate) fn is_for(&self, plugin: &str, digest: Digest) -> Result<(), Problem> {
        let Some(components) = self.components.get(plugin) else {
            return Ok(());
        };
        if components.iter().any(|it| it.digest == digest) {
            return Ok(());
        }
        let message = format!("the plugin `{plugin}` is not the one that the policy is for");
        let label = format!("this one is {digest}");
        let help = "find out who changed it; if it may have these grants, write its digest here";
        Err(match components.first() {
            Some(first) => Problem::new(message).at(&first.spot, label).help(help),
            None => Problem::new(message).help(help),
        })
    }
}

/// One thing that is granted, and the place where the policy says so.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// To which plugin.
    pub(crate) plugin: String,
    /// Of which capability.
    pub(crate) capability: Capability,
    /// Which resource, as a plugin that asks for it would be recorded.
    pub(crate) resource: String,
    /// Where it stands.
    pub(crate) spot: Spot,
}

/// A folder that the policy lends, and the place where it says so.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// To which plugin.
    pub(crate) plugin: String,
    /// What is lent.
    pub(crate) grant: FileGrant,
    /// Where its path stands.
    pub(crate) spot: Spot,
}

/// Takes down what one plugin is given.
struct Given<'a> {
    plugin: &'a str,
    lines: Vec<Line>,
}

impl Given<'_> {
    fn note(&mut self, capability: Capability, resource: String, spot: &Spot) {
        self.lines.push(Line {
            plugin: self.plugin.to_owned(),
            capability,
            resource,
            spot: spot.clone(),
        });
    }
}

/// What a plugin's part of the policy may say beside its grants.
const BESIDE: [&str; 5] = [
    "digest",
    "allow_trifecta",
    "budget",
    "rate",
    secrets::REVEAL,
];

/// Reads a policy file: once, and not through a link. What is enforced, and what
/// the digest is of, are the same bytes.
pub(super) fn load(path: &Path, problems: &mut Problems) -> Option<PolicyFile> {
    let source = match source::read(path, Links::Refused) {
        Ok(source) => source,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    if let Err(problem) = strict::visible(&source) {
        problems.push(problem);
        return None;
    }
    let digest = Digest::of(source.text().as_bytes()).to_string();
    let text = source.text().to_owned();
    let base = path.parent().unwrap_or(Path::new(""));
    let file = super::take(source, base, tree::toml, true, read, problems)?;
    Some(PolicyFile {
        policy: Policy {
            digest,
            ..file.policy
        },
        text,
        ..file
    })
}

/// Reads a policy. It is complete unless the reader has noted a problem.
fn read(reader: &mut Reader, root: &Node) -> PolicyFile {
    let mut file = PolicyFile::default();
    if !strict::named(reader, root) {
        return file;
    }
    let keys = ["tenant", "budget", "rate", "plugin", "tool"];
    let Some(table) = reader.table(root, "a policy", &keys) else {
        return file;
    };
    file.policy.tenant = table.get("tenant").and_then(|node| {
        let text = reader.text(node, "tenant")?;
        reader.name(&text, &node.span).map(|named| named.name)
    });
    file.rules = budget::read(reader, &table, &mut file.models);
    if let Some(node) = table.get("tool") {
        file.tools = tools(reader, node);
    }
    let Some(plugins) = table.get("plugin") else {
        return file;
    };
    for (key, node) in reader.entries(plugins, "`plugin`") {
        let grants = grants(reader, node, &key.name, &mut file);
        if let Some(named) = reader.name(&key.name, &key.span) {
            file.policy.plugin.insert(named.name.clone(), grants);
            file.plugins.push(named);
        }
    }
    file
}

/// What the policy says of tools: `[tool."crm.find"] is = ["private"]`.
fn tools(reader: &mut Reader, node: &Node) -> lethal::Tools {
    let words = Part::ALL.map(|part| (part.name(), part));
    let mut tools = lethal::Tools::new();
    for (key, node) in reader.entries(node, "`tool`") {
        let Some(table) = reader.table(node, "what is said of a tool", &["is"]) else {
            continue;
        };
        let help = "say what it is good for: `is = [\"private\"]`";
        let Some(node) = reader.require(&table, "is", help) else {
            continue;
        };
        let parts = reader.list(node, "is").iter();
        let parts = parts.filter_map(|node| reader.choice(node, "property", &words));
        tools.insert(key.name.clone(), parts.collect());
    }
    tools
}

fn grants(reader: &mut Reader, node: &Node, plugin: &str, file: &mut PolicyFile) -> Grants {
    let node = without_refused(reader, node);
    let offered = Capability::ALL.into_iter().filter(|it| it.offered());
    let keys: Vec<&str> = offered.map(Capability::name).chain(BESIDE).collect();
    let mut grants = Grants::default();
    let Some(table) = reader.table(&node, "a grant", &keys) else {
        return grants;
    };
    let mut given = Given {
        plugin,
        lines: Vec::new(),
    };
    for capability in Capability::ALL {
        let Some(node) = table.get(capability.name()) else {
            continue;
        };
        match capability {
            Capability::Llm => grants.llm = names::read(reader, node, capability, &mut given),
            Capability::Tools => grants.tools = names::read(reader, node, capability, &mut given),
            Capability::Http => grants.http = http::read(reader, node, &mut given),
            Capability::Files => {
                let folders = files::read(reader, node, &mut given);
                grants.files = folders.iter().map(|(grant, _)| grant.clone()).collect();
                file.folders
                    .extend(folders.into_iter().map(|(grant, spot)| Folder {
                        plugin: plugin.to_owned(),
                        grant,
                        spot,
                    }));
            }
            Capability::Memory => grants.memory = memory::read(reader, node, &mut given),
            Capability::Approval => {
                grants.approval = names::read(reader, node, capability, &mut given);
            }
            Capability::Secrets => {
                grants.secrets = names::read(reader, node, capability, &mut given);
            }
            Capability::Delegate => {}
        }
    }
    if let Some(node) = table.get(secrets::REVEAL) {
        grants.secrets_reveal = secrets::read(reader, node, &mut given);
    }
    file.lines.append(&mut given.lines);
    if let Some(node) = table.get("allow_trifecta")
        && let Some(name) = reader.text(node, "allow_trifecta")
    {
        let spot = reader.spot(&node.span);
        let reason = Named { name, spot };
        file.reasons.insert(plugin.to_owned(), reason);
    }
    if let Some(node) = table.get("digest") {
        let components = component::read(reader, node);
        file.components.insert(plugin.to_owned(), components);
    }
    budget::of_plugin(reader, &table, plugin, &mut file.rules);
    grants
}

/// The node without the capabilities that this host does not offer; each is noted.
fn without_refused(reader: &mut Reader, node: &Node) -> Node {
    let capability = |key: &Key| Capability::ALL.into_iter().find(|it| it.name() == key.name);
    let refused = |key: &Key| capability(key).is_some_and(|it| !it.offered());
    let mut node = node.clone();
    if let Kind::Table(entries) = &mut node.kind {
        for (key, _) in entries.extract_if(.., |(key, _)| refused(key)) {
            let message = format!("`{}` cannot be granted", key.name);
            reader.wrong(
                &key.span,
                message,
                "this host does not offer it",
                "leave it out",
            );
        }
    }
    node
}
