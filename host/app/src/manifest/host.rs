//! `host.toml`: which models the operator offers, under which alias, at which
//! price, and which servers of tools.
//!
//! A price is never assumed: a model whose price is unknown is refused, because
//! a budget counted with zero protects nobody. Keys stay out of the file; it says
//! where they are.

mod approvals;
mod cassette;
mod chain;
mod price;
mod remote;
pub(crate) mod secrets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hotcell_broker::Price;
use hotcell_broker::approval::queue::Rules;
use hotcell_broker::egress::origin::Origin;
use hotcell_broker::ledger::Rate;
use hotcell_broker::provider::chain::When;
use hotcell_broker::provider::faults::FaultModel;
use hotcell_broker::provider::remote::Protocol;
use serde_json::Value;

use super::endpoint::Endpoint;
use super::money::{dollars, rate};
use super::problem::Problem;
use super::reader::{Named, Reader, Table};
use super::tools::{self, ToolServer};
use super::tree::Node;
pub(crate) use chain::Chained;
pub(crate) use price::Prices;
pub(crate) use remote::Manner;
use secrets::SecretPlace;

/// What the operator offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// How humans are asked.
    pub(crate) approvals: Rules,
    /// Models by alias.
    pub(crate) models: BTreeMap<String, Model>,
    /// Servers of tools by name.
    pub(crate) tools: BTreeMap<String, ToolServer>,
    /// Secrets by name.
    pub(crate) secrets: BTreeMap<String, SecretPlace>,
    /// Who is told what runs did: a collector that speaks OTLP.
    pub(crate) telemetry: Option<Origin>,
}

/// One model.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Who answers.
    pub(crate) provider: Provider,
    /// What it costs.
    pub(crate) price: Price,
    /// The longest one call may take.
    pub(crate) timeout: Duration,
    /// What all its calls may cost together, in micro-dollars.
    pub(crate) budget: Option<u64>,
    /// The most output tokens of one call.
    pub(crate) max_output_tokens: Option<u32>,
    /// How often it may be asked.
    pub(crate) rate: Option<Rate>,
    /// Where its calls are recorded, if they are.
    pub(crate) record: Option<PathBuf>,
    /// Who else may answer for it, and what it remembers.
    pub(crate) chained: Chained,
}

impl Model {
    /// Who else may be asked for it, and when.
    pub(crate) fn links(&self) -> impl Iterator<Item = &(Named, When)> {
        self.chained.links.iter()
    }
}

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    /// A model plugin whose answers are made late and wrong at given rates.
    Sim {
        /// A crate's folder or a `.wasm` file.
        plugin: PathBuf,
        /// Decides every draw.
        seed: u64,
        /// The rates.
        faults: FaultModel,
    },
    /// A model plugin as it is.
    Plugin {
        /// A crate's folder or a `.wasm` file.
        plugin: PathBuf,
    },
    /// A server.
    Remote {
        /// How it is spoken to.
        protocol: Protocol,
        /// Where.
        endpoint: Endpoint,
        /// The model's name there.
        model: String,
        /// Where the key is, if one is needed.
        api_key: Option<ApiKey>,
        /// In what manner answers are waited for.
        manner: Manner,
    },
    /// Answers from a file, one JSON value per line.
    Scripted {
        /// That file.
        file: PathBuf,
    },
    /// Answers that were recorded.
    Replay {
        /// The recording.
        file: PathBuf,
    },
    /// No model: words hashed into vectors.
    Hashed,
    /// One of other models.
    Select,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApiKey {
    /// In this variable of the environment.
    Env(String),
    /// In this file.
    File(PathBuf),
}

/// The longest one call may take when nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Decides the draws of a simulated model when nothing else is said.
const DEFAULT_SEED: u64 = 42;

#[derive(Clone, Copy)]
enum Word {
    Sim,
    Plugin,
    Remote(Protocol),
    Scripted,
    Replay,
    Hashed,
    Select,
}

const PROVIDERS: [(&str, Word); 11] = [
    ("sim", Word::Sim),
    ("plugin", Word::Plugin),
    ("openai", Word::Remote(Protocol::OpenAi)),
    ("openai-responses", Word::Remote(Protocol::OpenAiResponses)),
    ("anthropic", Word::Remote(Protocol::Anthropic)),
    ("gemini", Word::Remote(Protocol::Gemini)),
    ("ollama", Word::Remote(Protocol::Ollama)),
    ("scripted", Word::Scripted),
    ("replay", Word::Replay),
    ("hashed-embedder", Word::Hashed),
    ("select", Word::Select),
];

/// Reads a host file. It is complete unless the reader has noted a problem.
pub(crate) fn read(reader: &mut Reader, root: &Node) -> Host {
    let mut host = Host::default();
    let keys = [
        "approvals",
        "models",
        "prices",
        "secrets",
        "telemetry",
        "tools",
    ];
    let Some(table) = reader.table(root, "a host file", &keys) else {
        return host;
    };
    if let Some(node) = table.get("approvals") {
        host.approvals = approvals::read(reader, node);
    }
    if let Some(servers) = table.get("tools") {
        host.tools = tools::read(reader, servers);
    }
    host.telemetry = table
        .get("telemetry")
        .and_then(|node| telemetry(reader, node));
    if let Some(node) = table.get("secrets") {
        host.secrets = secrets::read(reader, node);
    }
    let prices = match table.get("prices") {
        None => Some(Prices::built_in()),
        Some(node) => price::read(reader, node),
    };
    let (Some(models), Some(prices)) = (table.get("models"), prices) else {
        return host;
    };
    for (key, node) in reader.entries(models, "`models`") {
        let named = reader.name(&key.name, &key.span);
        if let (Some(named), Some(model)) = (named, model(reader, node, &prices)) {
            host.models.insert(named.name, model);
        }
    }
    let links = host.models.iter();
    let links = links.flat_map(|(alias, model)| {
        let named = model.links().map(|(named, _)| named);
        named.map(move |named| (alias.as_str(), named))
    });
    let all: Vec<&str> = host.models.keys().map(String::as_str).collect();
    let is_select = |alias: &str| {
        let model = host.models.get(alias)?;
        Some(matches!(model.provider, Provider::Select))
    };
    chain::check(reader, links, is_select, &all);
    host
}

/// `[telemetry] otlp = "http://127.0.0.1:4318"`.
fn telemetry(reader: &mut Reader, node: &Node) -> Option<Origin> {
    let table = reader.table(node, "telemetry", &["otlp"])?;
    let help = "say where a collector listens: `otlp = \"http://127.0.0.1:4318\"`";
    let node = reader.require(&table, "otlp", help)?;
    let text = reader.text(node, "otlp")?;
    let origin = Origin::parse(&text);
    if let Err(error) = &origin {
        let message = format!("`{text}` is no collector");
        reader.wrong(&node.span, message, error.to_string(), help);
    }
    origin.ok()
}

fn model(reader: &mut Reader, node: &Node, prices: &Prices) -> Option<Model> {
    // Which keys are allowed depends on the provider, so that comes first.
    let all = [
        "provider",
        "price",
        "timeout_ms",
        "plugin",
        "seed",
        "faults",
        "base_url",
        "model",
        "api_key",
        "stream",
        "first_byte_ms",
        "idle_ms",
        "file",
        "budget_usd",
        "rate",
        "max_output_tokens",
        "record",
        "fallback",
        "safe_default",
        "remember",
        "fit_tokens",
        "tiers",
    ];
    let Some(word) = node.get("provider") else {
        let table = reader.table(node, "a model", &all)?;
        reader.require(
            &table,
            "provider",
            "write `provider = \"openai\"`, for example",
        );
        return None;
    };
    let word = reader.choice(word, "provider", &PROVIDERS)?;
    if matches!(word, Word::Select) {
        return select(reader, node);
    }
    let (what, own): (&str, &[&str]) = match word {
        Word::Sim => ("a `sim` model", &["plugin", "seed", "faults"]),
        Word::Plugin => ("a `plugin` model", &["plugin"]),
        Word::Remote(protocol) => (remote::what(protocol), &remote::KEYS),
        Word::Scripted => ("a `scripted` model", &["file"]),
        Word::Replay => ("a `replay` model", &["file"]),
        Word::Hashed => ("a `hashed-embedder` model", &[]),
        Word::Select => ("a `select` model", &[]),
    };
    let keys: Vec<&str> = [
        "provider",
        "price",
        "timeout_ms",
        "budget_usd",
        "rate",
        "max_output_tokens",
        "record",
    ]
    .iter()
    .chain(own)
    .chain(&chain::KEYS)
    .copied()
    .collect();
    let table = reader.table(node, what, &keys)?;
    let provider = match word {
        Word::Sim => sim(reader, &table),
        Word::Plugin => plugin(reader, &table).map(|plugin| Provider::Plugin { plugin }),
        Word::Remote(protocol) => remote::read(reader, &table, protocol),
        Word::Scripted => {
            let file = reader.require(&table, "file", "name a file of answers");
            file.and_then(|node| reader.file(node, "file"))
                .map(|file| Provider::Scripted { file })
        }
        Word::Replay => {
            let file = reader.require(&table, "file", "name a file that `record` has written");
            file.and_then(|node| reader.file(node, "file"))
                .map(|file| Provider::Replay { file })
        }
        Word::Hashed => Some(Provider::Hashed),
        Word::Select => None,
    };
    let price = match &provider {
        Some(Provider::Remote {
            endpoint, model, ..
        }) => price::of_server(reader, &table, node, prices, (endpoint, model)),
        Some(Provider::Hashed) if table.get("price").is_none() => Some(Price::default()),
        _ => reader
            .require(&table, "price", price::WRITTEN)
            .and_then(|node| price::written(reader, node)),
    };
    let timeout = match table.get("timeout_ms") {
        None => Some(DEFAULT_TIMEOUT),
        Some(node) => reader
            .whole(node, "timeout_ms", 1..=3_600_000)
            .map(Duration::from_millis),
    };
    let budget = match table.get("budget_usd") {
        None => Some(None),
        Some(node) => dollars(reader, node, "budget_usd").map(Some),
    };
    let max_output_tokens = match table.get("max_output_tokens") {
        None => Some(None),
        Some(node) => {
            let most = reader.whole(node, "max_output_tokens", 1..=u64::from(u32::MAX));
            most.map(|most| u32::try_from(most).ok())
        }
    };
    let rate = match table.get("rate") {
        None => Some(None),
        Some(node) => rate(reader, node, &[]).map(Some),
    };
    let record = match table.get("record") {
        None => Some(None),
        Some(node) => reader.output(node, "record").map(Some),
    };
    Some(Model {
        provider: provider?,
        price: price?,
        timeout: timeout?,
        budget: budget?,
        max_output_tokens: max_output_tokens?,
        rate: rate?,
        record: record?,
        chained: chain::read(reader, &table)?,
    })
}

/// A model that only chooses among others: it has no price and no time of its own.
fn select(reader: &mut Reader, node: &Node) -> Option<Model> {
    let keys: Vec<&str> = ["provider", "tiers"]
        .iter()
        .chain(&chain::KEYS)
        .copied()
        .collect();
    let table = reader.table(node, "a `select` model", &keys)?;
    let tiers = reader.require(&table, "tiers", "name the models that it chooses from")?;
    let tiers = chain::tiers(reader, tiers)?;
    let mut chained = chain::read(reader, &table)?;
    chained.links.splice(..0, tiers);
    chained.habits.tiers = true;
    Some(Model {
        provider: Provider::Select,
        price: Price::default(),
        timeout: DEFAULT_TIMEOUT,
        budget: None,
        max_output_tokens: None,
        rate: None,
        record: None,
        chained,
    })
}

fn plugin(reader: &mut Reader, table: &Table<'_>) -> Option<PathBuf> {
    let help = "name a crate's folder or a `.wasm` file";
    reader
        .require(table, "plugin", help)
        .and_then(|node| reader.plugin(node, "plugin"))
}

fn sim(reader: &mut Reader, table: &Table<'_>) -> Option<Provider> {
    let plugin = plugin(reader, table);
    let seed = match table.get("seed") {
        None => Some(DEFAULT_SEED),
        Some(node) => reader.whole(node, "seed", 0..=u64::MAX),
    };
    let faults = match table.get("faults") {
        None => Some(FaultModel::default()),
        Some(node) => faults(reader, node),
    };
    Some(Provider::Sim {
        plugin: plugin?,
        seed: seed?,
        faults: faults?,
    })
}

/// The fault model knows its own keys; asking it keeps this file from repeating
/// them, and whether the rates can be.
fn faults(reader: &mut Reader, node: &Node) -> Option<FaultModel> {
    let Ok(Value::Object(mut model)) = serde_json::to_value(FaultModel::default()) else {
        return None;
    };
    let keys: Vec<String> = model.keys().cloned().collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let table = reader.table(node, "`faults`", &keys)?;
    let mut understood = true;
    for key in keys {
        let Some(node) = table.get(key) else { continue };
        let alone = Value::Object([(key.to_owned(), node.json())].into_iter().collect());
        match serde_json::from_value::<FaultModel>(alone) {
            Ok(_) => drop(model.insert(key.to_owned(), node.json())),
            Err(error) => {
                let spot = reader.spot(&node.span);
                let message = format!("`{key}` cannot be this");
                reader.push(Problem::new(message).at(&spot, error.to_string()));
                understood = false;
            }
        }
    }
    if !understood {
        return None;
    }
    let model: FaultModel = serde_json::from_value(Value::Object(model)).ok()?;
    if let Err(error) = model.check() {
        let spot = reader.spot(&node.span);
        reader.push(Problem::new(error.to_string()).at(&spot, "in these"));
        return None;
    }
    Some(model)
}
