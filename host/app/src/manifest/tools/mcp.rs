//! `kind = "mcp"`: a server of the Model Context Protocol, a program or at a URL.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hotcell_broker::egress::origin::Origin;
use hotcell_broker::tool::EffectKind;
use hotcell_store::Digest;

use super::{EFFECTS, SITE, Site, bounds};
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::Node;

/// A server as it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Mcp {
    /// How it is reached.
    pub(crate) reach: Reach,
    /// The longest one call may take.
    pub(crate) timeout: Duration,
    /// Bytes of an answer.
    pub(crate) most: usize,
    /// What may be done after a crash, by tool.
    pub(crate) effects: BTreeMap<String, EffectKind>,
    /// What it must say of its tools.
    pub(crate) digest: Option<Digest>,
}

/// How a server is reached.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// A program.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// Variables that it may see.
        environment: Vec<String>,
        /// Where it is started: the host file's folder.
        folder: PathBuf,
    },
    /// A server at a path of an origin.
    Http {
        /// Where it is.
        site: Box<Site>,
        /// Such as `/mcp`.
        path: String,
    },
}

const COMMAND: &str = "write `command = [\"program\", \"argument\"]`, or `origin` for a server \
                       elsewhere";

const OWN: [&str; 5] = ["command", "environment", "path", "effects", "digest"];

pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Mcp> {
    let shared = SITE.iter().filter(|key| **key != "file");
    let keys: Vec<&str> = shared.chain(&OWN).copied().collect();
    let table = reader.table(node, "an `mcp` server of tools", &keys)?;
    let reach = match (table.get("command"), table.get("origin")) {
        (Some(command), None) => {
            let only_http = ["addresses", "credentials", "path"];
            if let Some(node) = only_http.iter().find_map(|key| table.get(key)) {
                let message = "a program has no address";
                reader.wrong(&node.span, message, "it is for an `origin`", COMMAND);
            }
            program(reader, &table, command)
        }
        (None, Some(_)) => elsewhere(reader, &table),
        _ => {
            let message = "an `mcp` server needs `command` or `origin`, not both";
            reader.wrong(&node.span, message, "here", COMMAND);
            None
        }
    };
    let effects = match table.get("effects") {
        None => BTreeMap::new(),
        Some(node) => {
            let mut effects = BTreeMap::new();
            for (key, node) in reader.entries(node, "`effects`") {
                let effect = reader.choice(node, "effect", &EFFECTS);
                effects.extend(effect.map(|effect| (key.name.clone(), effect)));
            }
            effects
        }
    };
    let digest = match table.get("digest") {
        None => Some(None),
        Some(node) => digest(reader, node).map(Some),
    };
    let (timeout, most) = bounds(reader, &table);
    Some(Mcp {
        reach: reach?,
        timeout: timeout?,
        most: most?,
        effects,
        digest: digest?,
    })
}

fn program(reader: &mut Reader, table: &Table<'_>, node: &Node) -> Option<Reach> {
    let mut command = Vec::new();
    for item in reader.list(node, "command") {
        command.push(reader.text(item, "command")?);
    }
    if command.is_empty() {
        reader.wrong(
            &node.span,
            "`command` is empty",
            "nothing to start",
            COMMAND,
        );
        return None;
    }
    let environment = table.get("environment");
    let environment = environment.map(|node| reader.texts(node, "environment"));
    Some(Reach::Program {
        command,
        environment: environment
            .into_iter()
            .flatten()
            .map(|it| it.name)
            .collect(),
        folder: reader.path(""),
    })
}

fn elsewhere(reader: &mut Reader, table: &Table<'_>) -> Option<Reach> {
    let site = super::site(reader, table);
    let node = reader.require(table, "path", "say where it listens: `path = \"/mcp\"`")?;
    let path = reader.text(node, "path")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    if !path.starts_with('/') || path.contains("..") || !path.chars().all(plain) {
        let help = "write it as `/mcp`, without a query";
        reader.wrong(&node.span, "this is no path", "not this", help);
        return None;
    }
    Some(Reach::Http {
        site: Box::new(site?),
        path,
    })
}

fn digest(reader: &mut Reader, node: &Node) -> Option<Digest> {
    let text = reader.text(node, "digest")?;
    let digest = text.strip_prefix("sha256:").and_then(Digest::from_hex);
    if digest.is_none() {
        let help = "`hotcell tools pin` prints the line";
        reader.wrong(&node.span, "this is no digest", "not this", help);
    }
    digest
}

/// Where it is, in words.
pub(crate) fn place(reach: &Reach) -> String {
    match reach {
        Reach::Program { command, .. } => command.join(" "),
        Reach::Http { site, path } => at(&site.origin, path),
    }
}

fn at(origin: &Origin, path: &str) -> String {
    format!("{origin}{path}")
}
