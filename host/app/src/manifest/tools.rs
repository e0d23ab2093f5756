//! `[tools.NAME]` of a host file: servers whose functions the host offers as
//! tools, each called `NAME.function`.
//!
//! Where requests go and with which credential is said in the host file. What
//! they look like is said in a file of its own, which may be somebody else's: it
//! cannot send a secret anywhere.

mod http;
pub(crate) mod mcp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hotcell_broker::egress::IpNet;
use hotcell_broker::egress::origin::Origin;
use hotcell_broker::tool::EffectKind;
use hotcell_broker::tool::http::Operation;

use super::host::{ApiKey, Host};
use super::policy;
use super::problem::Problems;
use super::reader::{Reader, Table};
use super::source::{self, Links};
use super::tree::{self, Kind, Node};

/// Who offers tools.
#[derive(Clone, Debug)]
pub(crate) enum ToolServer {
    /// An HTTP server, described in a file.
    Http {
        /// Where it is.
        site: Site,
        /// That file.
        file: PathBuf,
        /// What it says.
        operations: Vec<Operation>,
    },
    /// A server of the Model Context Protocol.
    Mcp(mcp::Mcp),
}

impl ToolServer {
    /// What it is, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ToolServer::Http { .. } => "http",
            ToolServer::Mcp(_) => "mcp",
        }
    }

    /// The file in which it is described.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            ToolServer::Http { file, .. } => Some(file),
            ToolServer::Mcp(_) => None,
        }
    }

    /// The file that its secret is in.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        let site = match self {
            ToolServer::Http { site, .. } => site,
            ToolServer::Mcp(mcp) => match &mcp.reach {
                mcp::Reach::Http { site, .. } => site,
                mcp::Reach::Program { .. } => return None,
            },
        };
        match &site.credentials.as_ref()?.key {
            ApiKey::File(path) => Some(path),
            ApiKey::Env(_) => None,
        }
    }

    /// Where it is, in words.
    pub(crate) fn place(&self) -> String {
        match self {
            ToolServer::Http { site, .. } => site.origin.to_string(),
            ToolServer::Mcp(mcp) => mcp::place(&mcp.reach),
        }
    }
}

/// Where an HTTP server is, and what it may take.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Where all requests go.
    pub(crate) origin: Origin,
    /// Networks it may be in although they are not public.
    pub(crate) addresses: Vec<IpNet>,
    /// What proves who asks.
    pub(crate) credentials: Option<Credentials>,
    /// The longest one call may take.
    pub(crate) timeout: Duration,
    /// Bytes of an answer.
    pub(crate) most: usize,
}

/// A header, and where its secret is.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Its name.
    pub(crate) header: String,
    /// Its value, with `{{secret}}` in it.
    pub(crate) value: String,
    /// Where the secret is.
    pub(crate) key: ApiKey,
}

/// The longest one call may take when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of an answer when nothing else is said: 1 MiB.
const MOST: u64 = 1 << 20;

#[derive(Clone, Copy)]
enum Word {
    Http,
    Mcp,
}

const KINDS: [(&str, Word); 2] = [("http", Word::Http), ("mcp", Word::Mcp)];

const CREDENTIALS: &str = "write `credentials = { header = \"Authorization\", value = \"Bearer \
                           {{secret}}\", env = \"NAME\" }`, or `file` instead of `env`";

/// Effects by the words of files.
const EFFECTS: [(&str, EffectKind); 3] = [
    ("read-only", EffectKind::ReadOnly),
    ("idempotent", EffectKind::Idempotent),
    ("unsafe-to-repeat", EffectKind::UnsafeToRepeat),
];

/// Reads the servers of a host file.
pub(super) fn read(reader: &mut Reader, node: &Node) -> BTreeMap<String, ToolServer> {
    let mut servers = BTreeMap::new();
    for (key, node) in reader.entries(node, "`tools`") {
        let named = reader.name(&key.name, &key.span);
        if let (Some(named), Some(server)) = (named, server(reader, node)) {
            servers.insert(named.name, server);
        }
    }
    servers
}

/// Reads the files in which servers are described.
pub(super) fn complete(host: &mut Host, problems: &mut Problems) {
    for (name, server) in &mut host.tools {
        match server {
            ToolServer::Http {
                file, operations, ..
            } => {
                let source = match source::read(file, Links::Followed) {
                    Ok(source) => source,
                    Err(problem) => {
                        problems.push(problem);
                        continue;
                    }
                };
                let base = file.parent().unwrap_or(Path::new(""));
                let read = |reader: &mut Reader, root: &Node| http::read(reader, root, name);
                let read = super::take(source, base, tree::toml, true, read, problems);
                *operations = read.unwrap_or_default();
            }
            ToolServer::Mcp(_) => {}
        }
    }
}

fn server(reader: &mut Reader, node: &Node) -> Option<ToolServer> {
    let Some(word) = node.get("kind") else {
        let table = reader.table(node, "a server of tools", &SITE)?;
        reader.require(&table, "kind", "write `kind = \"http\"`, for example");
        return None;
    };
    match reader.choice(word, "kind", &KINDS)? {
        Word::Mcp => mcp::read(reader, node).map(ToolServer::Mcp),
        Word::Http => {
            let table = reader.table(node, "an `http` server of tools", &SITE)?;
            let file = reader.require(&table, "file", "name the file that describes its tools");
            let file = file.and_then(|node| reader.file(node, "file"));
            Some(ToolServer::Http {
                site: site(reader, &table)?,
                file: file?,
                operations: Vec::new(),
            })
        }
    }
}

/// The keys of every server that is asked by HTTP.
const SITE: [&str; 7] = [
    "kind",
    "file",
    "origin",
    "addresses",
    "credentials",
    "timeout_ms",
    "max_bytes",
];

fn site(reader: &mut Reader, table: &Table<'_>) -> Option<Site> {
    let help = "say where requests go, such as `origin = \"https://api.example.com\"`";
    let origin = reader.require(table, "origin", help);
    let origin = origin.and_then(|node| policy::http::origin(reader, node));
    let addresses = match table.get("addresses") {
        Some(node) => policy::http::networks(reader, node),
        None => Vec::new(),
    };
    let credentials = match table.get("credentials") {
        None => Some(None),
        Some(node) => credentials(reader, node).map(Some),
    };
    let (timeout, most) = bounds(reader, table);
    Some(Site {
        origin: origin?.0,
        addresses,
        credentials: credentials?,
        timeout: timeout?,
        most: most?,
    })
}

/// How long a call may take, and how many bytes its answer may have.
fn bounds(reader: &mut Reader, table: &Table<'_>) -> (Option<Duration>, Option<usize>) {
    let timeout = match table.get("timeout_ms") {
        None => Some(TIMEOUT),
        Some(node) => reader
            .whole(node, "timeout_ms", 1..=600_000)
            .map(Duration::from_millis),
    };
    let most = match table.get("max_bytes") {
        None => Some(MOST),
        Some(node) => reader.whole(node, "max_bytes", 1..=8 << 20),
    };
    (timeout, most.and_then(|most| usize::try_from(most).ok()))
}

fn credentials(reader: &mut Reader, node: &Node) -> Option<Credentials> {
    let keys = ["header", "value", "env", "file"];
    let table = reader.table(node, "`credentials`", &keys)?;
    let header = reader.require(&table, "header", CREDENTIALS);
    let header = header.and_then(|node| reader.text(node, "header"));
    let value = reader.require(&table, "value", CREDENTIALS);
    // Whatever else stands there may be the secret itself: it is not shown.
    let value = value.and_then(|node| match &node.kind {
        Kind::Text(text) if text.matches("{{secret}}").count() == 1 => Some(text.clone()),
        _ => {
            let message = format!(
                "the value on {} does not have `{{{{secret}}}}` in it once",
                reader.line(&node.span)
            );
            reader.push(super::problem::Problem::new(message).help(CREDENTIALS));
            None
        }
    });
    let key = match (table.get("env"), table.get("file")) {
        (Some(node), None) => reader.text(node, "env").map(ApiKey::Env),
        (None, Some(node)) => reader.file(node, "file").map(ApiKey::File),
        _ => {
            let message = "`credentials` needs `env` or `file`, not both";
            reader.wrong(&node.span, message, "here", CREDENTIALS);
            None
        }
    };
    Some(Credentials {
        header: header?,
        value: value?,
        key: key?,
    })
}
