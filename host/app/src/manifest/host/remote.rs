//! A model on a server: where it is, how it is spoken to, and how long it may keep
//! silent.

use std::time::Duration;

use hotcell_broker::provider::remote::{Protocol, Waits};

use super::{ApiKey, Provider};
use crate::manifest::endpoint::Endpoint;
use crate::manifest::problem::Problem;
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// What is said of a server, and of no other model.
pub(super) const KEYS: [&str; 6] = [
    "base_url",
    "model",
    "api_key",
    "stream",
    "first_byte_ms",
    "idle_ms",
];

const BASE_URL: &str = "write it as `http://127.0.0.1:11434/v1`";

const API_KEY: &str =
    "say where the key is: `api_key = { env = \"NAME\" }` or `api_key = { file = \"PATH\" }`";

/// In what manner answers are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Whether they are asked for in pieces.
    pub(crate) stream: bool,
    /// How long a server may keep silent.
    pub(crate) waits: Waits,
}

impl Default for Manner {
    fn default() -> Manner {
        let idle = Some(Duration::from_secs(30));
        Manner {
            stream: true,
            waits: Waits {
                first_byte: None,
                idle,
            },
        }
    }
}

/// What messages call such a model.
pub(super) fn what(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenAi => "an `openai` model",
        Protocol::OpenAiResponses => "an `openai-responses` model",
        Protocol::Anthropic => "an `anthropic` model",
        Protocol::Gemini => "a `gemini` model",
        Protocol::Ollama => "an `ollama` model",
    }
}

/// Reads what stands about a server.
pub(super) fn read(reader: &mut Reader, table: &Table<'_>, protocol: Protocol) -> Option<Provider> {
    let endpoint = reader
        .require(table, "base_url", BASE_URL)
        .and_then(|node| {
            let url = reader.text(node, "base_url")?;
            match Endpoint::parse(&url) {
                Ok(endpoint) => Some(endpoint),
                Err(error) => {
                    reader.wrong(
                        &node.span,
                        "`base_url` is not usable",
                        error.to_string(),
                        BASE_URL,
                    );
                    None
                }
            }
        });
    let model = reader.require(table, "model", "write the name that the server knows it by");
    let model = model.and_then(|node| reader.text(node, "model"));
    let api_key = match table.get("api_key") {
        None => Some(None),
        Some(node) => api_key(reader, node).map(Some),
    };
    let manner = manner(reader, table);
    Some(Provider::Remote {
        protocol,
        endpoint: endpoint?,
        model: model?,
        api_key: api_key?,
        manner: manner?,
    })
}

fn api_key(reader: &mut Reader, node: &Node) -> Option<ApiKey> {
    if let Kind::Text(_) = node.kind {
        // No label: it would print the key.
        let message = format!(
            "{} holds a key that is written out",
            reader.line(&node.span)
        );
        reader.push(Problem::new(message).help(API_KEY));
        return None;
    }
    let table = reader.table(node, "`api_key`", &["env", "file"])?;
    match (table.get("env"), table.get("file")) {
        (Some(node), None) => reader.text(node, "env").map(ApiKey::Env),
        (None, Some(node)) => reader.file(node, "file").map(ApiKey::File),
        _ => {
            let help = "write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`";
            reader.wrong(
                &node.span,
                "`api_key` needs `env` or `file`, not both",
                "here",
                help,
            );
            None
        }
    }
}

fn manner(reader: &mut Reader, table: &Table<'_>) -> Option<Manner> {
    let mut manner = Manner::default();
    if let Some(node) = table.get("stream") {
        manner.stream = reader.flag(node, "stream")?;
    }
    for (key, wait) in [
        ("first_byte_ms", &mut manner.waits.first_byte),
        ("idle_ms", &mut manner.waits.idle),
    ] {
        if let Some(node) = table.get(key) {
            let ms = reader.whole(node, key, 1..=3_600_000)?;
            *wait = Some(Duration::from_millis(ms));
        }
    }
    Some(manner)
}
