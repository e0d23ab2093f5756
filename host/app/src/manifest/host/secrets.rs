//! `secrets`: what plugins may use by name, where the value is, and where it may go.
//!
//! The value itself is never in the file, and nothing here looks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use hotcell_broker::egress::origin::Origin;
use hotcell_broker::secrets::{may_carry, vault::DEFAULT_TTL};

use super::ApiKey;
use crate::manifest::problem::Problem;
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// A secret of the host file.
#[derive(Clone, Debug)]
pub(crate) struct SecretPlace {
    /// Where the value is.
    pub(crate) at: Place,
    /// Where it may go.
    pub(crate) origins: BTreeSet<Origin>,
}

/// Where a value is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In this variable of the environment.
    Env(String),
    /// In this file.
    File(PathBuf),
    /// In a vault.
    Vault {
        /// The entry.
        url: String,
        /// What it is asked with.
        token: ApiKey,
        /// The field of the entry.
        field: String,
        /// How long a value is used without asking again.
        ttl: Duration,
    },
}

const PLACE: &str = "write `env = \"NAME\"`, `file = \"PATH\"` or `vault = { url = \"…\", \
                     token = { file = \"PATH\" }, field = \"…\" }`";

const ORIGINS: &str = "say where it may be sent: `origins = [\"https://api.example.com\"]`";

/// Reads the secrets.
pub(super) fn read(reader: &mut Reader, node: &Node) -> BTreeMap<String, SecretPlace> {
    let mut secrets = BTreeMap::new();
    for (key, node) in reader.entries(node, "`secrets`") {
        let named = reader.name(&key.name, &key.span);
        if let (Some(named), Some(secret)) = (named, secret(reader, node)) {
            secrets.insert(named.name, secret);
        }
    }
    secrets
}

fn secret(reader: &mut Reader, node: &Node) -> Option<SecretPlace> {
    if let Kind::Text(_) = node.kind {
        // No label: it would print the secret.
        let line = reader.line(&node.span);
        let message = format!("{line} holds a secret that is written out");
        reader.push(Problem::new(message).help(PLACE));
        return None;
    }
    let table = reader.table(node, "a secret", &["env", "file", "vault", "origins"])?;
    let at = place(reader, node, &table);
    let origins = reader
        .require(&table, "origins", ORIGINS)
        .and_then(|node| origins(reader, node));
    Some(SecretPlace {
        at: at?,
        origins: origins?,
    })
}

fn place(reader: &mut Reader, node: &Node, table: &Table<'_>) -> Option<Place> {
    match (table.get("env"), table.get("file"), table.get("vault")) {
        (Some(node), None, None) => reader.text(node, "env").map(Place::Env),
        (None, Some(node), None) => {
            let text = reader.text(node, "file")?;
            Some(Place::File(reader.path(&text)))
        }
        (None, None, Some(node)) => vault(reader, node),
        _ => {
            let message = "a secret needs one of `env`, `file` and `vault`";
            reader.wrong(&node.span, message, "here", PLACE);
            None
        }
    }
}

fn vault(reader: &mut Reader, node: &Node) -> Option<Place> {
    let table = reader.table(node, "`vault`", &["url", "token", "field", "ttl_s"])?;
    let url = reader.require(&table, "url", "name the entry, up to and with its path");
    let url = url.and_then(|node| reader.text(node, "url"));
    let token = reader.require(&table, "token", "say where the vault's token is");
    let token = token.and_then(|node| token_place(reader, node));
    let field = reader.require(&table, "field", "name the field of the entry");
    let field = field.and_then(|node| reader.text(node, "field"));
    let ttl = match table.get("ttl_s") {
        None => Some(DEFAULT_TTL),
        Some(node) => reader
            .whole(node, "ttl_s", 0..=86_400)
            .map(Duration::from_secs),
    };
    Some(Place::Vault {
        url: url?,
        token: token?,
        field: field?,
        ttl: ttl?,
    })
}

fn token_place(reader: &mut Reader, node: &Node) -> Option<ApiKey> {
    const HELP: &str = "write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`";
    if let Kind::Text(_) = node.kind {
        let line = reader.line(&node.span);
        let message = format!("{line} holds a token that is written out");
        reader.push(Problem::new(message).help(HELP));
        return None;
    }
    let table = reader.table(node, "`token`", &["env", "file"])?;
    match (table.get("env"), table.get("file")) {
        (Some(node), None) => reader.text(node, "env").map(ApiKey::Env),
        (None, Some(node)) => {
            let text = reader.text(node, "file")?;
            Some(ApiKey::File(reader.path(&text)))
        }
        _ => {
            let message = "`token` needs `env` or `file`, not both";
            reader.wrong(&node.span, message, "here", HELP);
            None
        }
    }
}

fn origins(reader: &mut Reader, node: &Node) -> Option<BTreeSet<Origin>> {
    let named = reader.texts(node, "origins");
    if named.is_empty() {
        reader.wrong(&node.span, "`origins` is empty", "it goes nowhere", ORIGINS);
        return None;
    }
    let mut origins = BTreeSet::new();
    for Named { name, spot } in &named {
        let why = match Origin::parse(name) {
            Ok(origin) if may_carry(&origin) => {
                origins.insert(origin);
                continue;
            }
            Ok(_) => "a secret goes over `https` only, or to an address of this machine".to_owned(),
            Err(error) => error.to_string(),
        };
        let problem = Problem::new(format!("a secret cannot go to `{name}`"));
        reader.push(problem.at(spot, why).help(ORIGINS));
    }
    Some(origins)
}
