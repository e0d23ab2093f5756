//! `policy.toml`: what the operator grants to which plugin.
//!
//! It only grants; whatever is not in it is refused. A capability that this host
//! does not offer cannot be granted, because a line that changes nothing would
//! look as if it did.

use std::collections::BTreeSet;

use hotcell_broker::egress::origin::{METHODS, Origin, default_methods};
use hotcell_broker::egress::{HttpGrant, IpNet};
use hotcell_broker::files::{FileAccess, FileGrant, MAX_FILES, QUOTA_MIB};
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
    /// The folders it lends. Whether they may be lent is found out later.
    pub(crate) folders: Vec<Folder>,
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
        let grants = grants(reader, node, &key.name, &mut file);
        if let Some(named) = reader.name(&key.name, &key.span) {
            file.policy.plugin.insert(named.name.clone(), grants);
            file.plugins.push(named);
        }
    }
    file
}

fn grants(reader: &mut Reader, node: &Node, plugin: &str, file: &mut PolicyFile) -> Grants {
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
    let files = table
        .get("files")
        .map(|node| folders(reader, node))
        .unwrap_or_default();
    file.aliases.extend(llm.iter().cloned());
    file.folders
        .extend(files.iter().map(|(grant, spot)| Folder {
            plugin: plugin.to_owned(),
            grant: grant.clone(),
            spot: spot.clone(),
        }));
    let names = |list: Vec<Named>| list.into_iter().map(|it| it.name).collect::<BTreeSet<_>>();
    Grants {
        llm: names(llm),
        tools: names(tools),
        http,
        files: files.into_iter().map(|(grant, _)| grant).collect(),
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

/// The folders of one plugin, each with the place of its path.
fn folders(reader: &mut Reader, node: &Node) -> Vec<(FileGrant, Spot)> {
    let mut seen: Vec<Named> = Vec::new();
    let mut folders = Vec::new();
    for item in reader.list(node, "files") {
        let Some((grant, path, at)) = folder(reader, item) else {
            continue;
        };
        match seen.iter().find(|it| it.name == at.name) {
            Some(first) => reader.push(
                Problem::new(format!("two folders are at `{}`", at.name))
                    .at(&first.spot, "one is here")
                    .at(&at.spot, "and another here")
                    .help("let the plugin see each at a place of its own"),
            ),
            None => {
                seen.push(at);
                folders.push((grant, path));
            }
        }
    }
    folders
}

fn folder(reader: &mut Reader, node: &Node) -> Option<(FileGrant, Spot, Named)> {
    const KEYS: [&str; 5] = ["path", "at", "access", "quota_mib", "max_files"];
    let table = reader.table(node, "a granted folder", &KEYS)?;
    let path = reader.require(&table, "path", "name a folder on this machine");
    let at = reader.require(
        &table,
        "at",
        "say where the plugin sees it: `at = \"/data\"`",
    );
    let access = match table.get("access") {
        None => FileAccess::default(),
        Some(node) => {
            let choices = [("read", FileAccess::Read), ("write", FileAccess::Write)];
            reader.choice(node, "access", &choices)?
        }
    };
    let mut bound = |key: &str, most: u64, usual: u32| match table.get(key) {
        None => Some(usual),
        Some(node) if access == FileAccess::Read => {
            let help = "leave it out, or say `access = \"write\"`";
            reader.wrong(
                &node.span,
                format!("`{key}` bounds what is written"),
                "and this folder is lent for reading",
                help,
            );
            None
        }
        Some(node) => {
            let bound = reader.whole(node, key, 1..=most)?;
            u32::try_from(bound).ok()
        }
    };
    let quota_mib = bound("quota_mib", 1024 * 1024, QUOTA_MIB);
    let max_files = bound("max_files", 1_000_000, MAX_FILES);
    let (path, at) = (path?, at?);
    let text = reader.text(path, "path")?;
    let seen = reader.text(at, "at")?;
    if !is_guest_path(&seen) {
        let help = "write an absolute path without `.` and `..`, such as `/data/invoices`";
        let message = format!("`{seen}` is no place in a plugin");
        reader.wrong(&at.span, message, "the plugin cannot look there", help);
        return None;
    }
    let grant = FileGrant {
        path: reader.path(&text),
        at: seen.clone(),
        access,
        quota_mib: quota_mib?,
        max_files: max_files?,
    };
    let at = Named {
        name: seen,
        spot: reader.spot(&at.span),
    };
    Some((grant, reader.spot(&path.span), at))
}

/// `/` or `/a/b`: absolute, without empty names, `.` and `..`.
fn is_guest_path(path: &str) -> bool {
    let Some(names) = path.strip_prefix('/') else {
        return false;
    };
    let plain = |name: &str| {
        !matches!(name, "" | "." | "..") && !name.contains(char::is_control) && name.len() <= 255
    };
    names.is_empty() || names.split('/').all(plain)
}
