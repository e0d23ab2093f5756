//! `policy.toml`: what the operator grants to which plugin.
//!
//! It only grants; whatever is not in it is refused. A capability that this host
//! does not offer cannot be granted, because a line that changes nothing would
//! look as if it did.

use std::collections::BTreeSet;

use hotcell_broker::egress::origin::{METHODS, Origin, default_methods};
use hotcell_broker::egress::{HttpGrant, IpNet};
use hotcell_broker::{Capability, Grants, Policy};

use super::problem::{Problem, Spot, one_of};
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
    let http = table
        .get("http")
        .map(|node| http(reader, node))
        .unwrap_or_default();
    aliases.extend(llm.iter().cloned());
    let names = |list: Vec<Named>| list.into_iter().map(|it| it.name).collect::<BTreeSet<_>>();
    Grants {
        llm: names(llm),
        tools: names(tools),
        http,
    }
}

fn http(reader: &mut Reader, node: &Node) -> Vec<HttpGrant> {
    let mut grants: Vec<(HttpGrant, Spot)> = Vec::new();
    for item in reader.list(node, "http") {
        let keys = ["origin", "methods", "addresses"];
        let Some(table) = reader.table(item, "an HTTP grant", &keys) else {
            continue;
        };
        let help = "say where requests may go, such as `origin = \"https://api.example.com\"`";
        let node = reader.require(&table, "origin", help);
        let methods = match table.get("methods") {
            Some(node) => methods(reader, node),
            None => default_methods(),
        };
        let addresses = match table.get("addresses") {
            Some(node) => networks(reader, node),
            None => Vec::new(),
        };
        let Some((origin, spot)) = node.and_then(|node| origin(reader, node)) else {
            continue;
        };
        if let Some((_, first)) = grants.iter().find(|(grant, _)| grant.origin == origin) {
            let problem = Problem::new(format!("`{origin}` is twice in `http`"))
                .at(first, "here first")
                .at(&spot, "and here again")
                .help("put everything about it into one grant");
            reader.push(problem);
            continue;
        }
        let grant = HttpGrant {
            origin,
            methods,
            addresses,
        };
        grants.push((grant, spot));
    }
    grants.into_iter().map(|(grant, _)| grant).collect()
}

fn origin(reader: &mut Reader, node: &Node) -> Option<(Origin, Spot)> {
    let text = reader.text(node, "origin")?;
    match Origin::parse(&text) {
        Ok(origin) => Some((origin, reader.spot(&node.span))),
        Err(error) => {
            reader.wrong(
                &node.span,
                format!("`{text}` is no origin"),
                error.to_string(),
                "an origin is a scheme, a host and, if it is not the usual one, a port",
            );
            None
        }
    }
}

fn methods(reader: &mut Reader, node: &Node) -> BTreeSet<String> {
    let named = reader.texts(node, "methods");
    if named.is_empty() && matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        let help = "name some, or leave `methods` out for `GET` and `HEAD`";
        reader.wrong(
            &node.span,
            "`methods` is empty",
            "this grants nothing",
            help,
        );
    }
    for Named { name, spot } in &named {
        if !METHODS.contains(&name.as_str()) {
            let help = one_of(name, "the methods", &METHODS);
            let problem = Problem::new(format!("`{name}` cannot be granted"))
                .at(spot, "not a method that can be")
                .help(help);
            reader.push(problem);
        }
    }
    named.into_iter().map(|it| it.name).collect()
}

fn networks(reader: &mut Reader, node: &Node) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for Named { name, spot } in reader.texts(node, "addresses") {
        let problem = |label: &str, help: String| {
            Problem::new(format!("`{name}` is no network"))
                .at(&spot, label)
                .help(help)
        };
        match name.parse::<IpNet>() {
            Ok(net) if net == net.trunc() => networks.push(net),
            Ok(net) => {
                let help = format!("the whole network is `{}`", net.trunc());
                reader.push(problem("there are bits behind its prefix", help));
            }
            Err(_) => {
                let help = "write an address and the length of its prefix, such as `10.1.2.0/24` \
                            or, for one address alone, `10.1.2.3/32`";
                reader.push(problem("not an address with a prefix", help.to_owned()));
            }
        }
    }
    networks
}
