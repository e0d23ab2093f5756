//! `http`: where a plugin's requests may go, with which methods.

use std::collections::BTreeSet;

use hotcell_broker::Capability;
use hotcell_broker::egress::origin::{METHODS, Origin, default_methods};
use hotcell_broker::egress::{HttpGrant, IpNet};

use super::Given;
use crate::manifest::problem::{Problem, Spot, one_of};
use crate::manifest::reader::{Named, Reader};
use crate::manifest::tree::{Kind, Node};

pub(super) fn read(reader: &mut Reader, node: &Node, given: &mut Given<'_>) -> Vec<HttpGrant> {
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
    for (grant, spot) in &grants {
        for method in &grant.methods {
            let resource = format!("{method} {}", grant.origin);
            given.note(Capability::Http, resource, spot);
        }
    }
    grants.into_iter().map(|(grant, _)| grant).collect()
}

pub(in crate::manifest) fn origin(reader: &mut Reader, node: &Node) -> Option<(Origin, Spot)> {
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

pub(in crate::manifest) fn networks(reader: &mut Reader, node: &Node) -> Vec<IpNet> {
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
