//! `policy.toml`: what the operator grants to which plugin.
//!
//! It only grants; whatever is not in it is refused. A capability that this host
//! does not offer cannot be granted, because a line that changes nothing would
//! look as if it did.

use std::collections::BTreeSet;

use hotcell_broker::{Capability, Grants, Policy};

use super::reader::{Named, Reader};
use super::tree::{Key, Kind, Node};

/// The policy, with the place of every name in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyFile {
    /// What the broker enforces.
    pub(crate) policy: Policy,
    /// The plugins it names.
    pub(crate) plugins: Vec<Named>,
    /// The model aliases it names.
    pub(crate) aliases: Vec<Named>,
}

/// Reads a policy. It is complete unless the reader has noted a problem.
pub(crate) fn read(reader: &mut Reader, root: &Node) -> PolicyFile {
    let mut file = PolicyFile::default();
    let Some(table) = reader.table(root, "a policy", &["plugin"]) else {
        return file;
    };
    let Some(plugins) = table.get("plugin") else {
        return file;
    };
    for (key, node) in reader.entries(plugins, "`plugin`") {
        let grants = grants(reader, node, &mut file.aliases);
        if let Some(named) = reader.name(&key.name, &key.span) {
            file.policy.plugin.insert(named.name.clone(), grants);
            file.plugins.push(named);
        }
    }
    file
}

fn grants(reader: &mut Reader, node: &Node, aliases: &mut Vec<Named>) -> Grants {
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
    let offered: Vec<&str> = Capability::ALL
        .into_iter()
        .filter(|it| it.offered())
        .map(Capability::name)
        .collect();
    let Some(table) = reader.table(&node, "a grant", &offered) else {
        return Grants::default();
    };
    let llm = table
        .get("llm")
        .map(|node| reader.texts(node, "llm"))
        .unwrap_or_default();
    let tools = table
        .get("tools")
        .map(|node| reader.texts(node, "tools"))
        .unwrap_or_default();
    aliases.extend(llm.iter().cloned());
    let names = |list: Vec<Named>| list.into_iter().map(|it| it.name).collect::<BTreeSet<_>>();
    Grants {
        llm: names(llm),
        tools: names(tools),
    }
}
