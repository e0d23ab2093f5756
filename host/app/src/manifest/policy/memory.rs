//! The namespaces of stored values that a policy lends.

use hotcell_broker::Capability;
use hotcell_broker::memory::{
    MAX_ENTRIES, MAX_QUOTA_KIB, MAX_TTL_S, MemoryAccess, MemoryGrant, is_namespace,
};

use super::Given;
use crate::manifest::problem::{Problem, Spot};
use crate::manifest::reader::Reader;
use crate::manifest::tree::Node;

/// The namespaces of one plugin.
pub(super) fn read(reader: &mut Reader, node: &Node, given: &mut Given<'_>) -> Vec<MemoryGrant> {
    let mut grants: Vec<(MemoryGrant, Spot)> = Vec::new();
    for item in reader.list(node, "memory") {
        let Some((grant, spot)) = namespace(reader, item) else {
            continue;
        };
        let same = |(it, _): &&(MemoryGrant, Spot)| it.namespace == grant.namespace;
        match grants.iter().find(same) {
            Some((_, first)) => {
                let problem = Problem::new(format!("`{}` is twice in `memory`", grant.namespace))
                    .at(first, "here first")
                    .at(&spot, "and here again")
                    .help("put everything about it into one grant");
                reader.push(problem);
            }
            None => {
                for access in [MemoryAccess::Read, MemoryAccess::Write] {
                    if grant.allows(access) {
                        let resource = access.of(&grant.namespace);
                        given.note(Capability::Memory, resource, &spot);
                    }
                }
                grants.push((grant, spot));
            }
        }
    }
    grants.into_iter().map(|(grant, _)| grant).collect()
}

fn namespace(reader: &mut Reader, node: &Node) -> Option<(MemoryGrant, Spot)> {
    const KEYS: [&str; 5] = ["namespace", "access", "quota_kib", "max_entries", "ttl_s"];
    let table = reader.table(node, "a granted namespace", &KEYS)?;
    let help = "name what the values are about: `namespace = \"notes\"`";
    let name = reader.require(&table, "namespace", help);
    let access = match table.get("access") {
        None => MemoryAccess::default(),
        Some(node) => {
            let choices = [("read", MemoryAccess::Read), ("write", MemoryAccess::Write)];
            reader.choice(node, "access", &choices)?
        }
    };
    let mut bound = |key: &str, most: u64| {
        let node = table.get(key)?;
        if access == MemoryAccess::Read {
            let help = "leave it out, or say `access = \"write\"`";
            reader.wrong(
                &node.span,
                format!("`{key}` bounds what is written"),
                "and this namespace is lent for reading",
                help,
            );
            return None;
        }
        reader.whole(node, key, 1..=most)
    };
    let quota_kib = bound("quota_kib", MAX_QUOTA_KIB.into());
    let max_entries = bound("max_entries", MAX_ENTRIES.into());
    let ttl_s = bound("ttl_s", MAX_TTL_S);
    let name = name?;
    let text = reader.text(name, "namespace")?;
    if !is_namespace(&text) {
        let help = "a name starts with a letter from a to z and goes on with letters, digits, \
                    `.`, `_` and `-`, 64 at most";
        let message = format!("`{text}` is no namespace");
        reader.wrong(&name.span, message, "this one", help);
        return None;
    }
    let mut grant = MemoryGrant::new(&text, access);
    let narrow = |it: Option<u64>| it.and_then(|it| u32::try_from(it).ok());
    grant.quota_kib = narrow(quota_kib).unwrap_or(grant.quota_kib);
    grant.max_entries = narrow(max_entries).unwrap_or(grant.max_entries);
    grant.ttl_s = ttl_s;
    Some((grant, reader.spot(&name.span)))
}
