//! `hotcell.toml`: what a plugin says about itself.
//!
//! The text is embedded in the component as the custom section
//! [`SECTION`] and read without running a byte of the plugin. It is the
//! author's word, not a grant: requests are shown to the operator, limits are
//! suggestions, schemas are enforced.

use std::fmt;

use hotcell_broker::Capability;
use serde::{Deserialize, Serialize};

/// The name of the custom section that holds the manifest.
pub const SECTION: &str = "hotcell:manifest";

/// The largest manifest: 256 KiB.
pub const MAX_BYTES: usize = 256 * 1024;

/// The version of the WIT contract this host speaks.
pub const CONTRACT: &str = "0.1.0";

/// The five kinds of plugin, one WIT world each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Does one step of a workflow.
    Agent,
    /// Judges what an agent answered.
    Validator,
    /// Offers functions to agents and models.
    Tool,
    /// Makes one decision out of many votes.
    Aggregator,
    /// Answers model calls.
    Model,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [
        Kind::Agent,
        Kind::Validator,
        Kind::Tool,
        Kind::Aggregator,
        Kind::Model,
    ];

    /// The word used in WIT, TOML and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Agent => "agent",
            Kind::Validator => "validator",
            Kind::Tool => "tool",
            Kind::Aggregator => "aggregator",
            Kind::Model => "model",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something the plugin can do, for people who choose between plugins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// Stable word.
    pub id: String,
    /// Title.
    pub name: String,
    /// A sentence.
    pub description: String,
    /// Words to search by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What one might ask for.
    #[serde(default)]
    pub examples: Vec<String>,
}

/// A grant the plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// Which capability.
    pub capability: Capability,
    /// Which resource of it.
    pub resource: String,
    /// Why.
    pub reason: String,
}

/// How much one call of a plugin may use, and how many there may be. In a manifest a suggestion; the
/// operator may set other numbers, and the host caps both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// WebAssembly instructions, roughly: 10 000 to 1 000 000 000 000.
    pub fuel: Option<u64>,
    /// Memories and tables together, in MiB: 1 to 4096.
    pub memory_mib: Option<u32>,
    /// Wall clock in milliseconds, host calls included: 1 to 3 600 000.
    pub deadline_ms: Option<u64>,
    /// Calls of it under way at once: 1 to 10 000.
    pub concurrency: Option<u32>,
    /// Calls of it that may wait: 0 to 1 000 000. One more is `saturated`.
    pub queue: Option<u32>,
}

impl Limits {
    /// These limits where they are set, the others where they are not.
    pub fn or(self, other: Limits) -> Limits {
        Limits {
            fuel: self.fuel.or(other.fuel),
            memory_mib: self.memory_mib.or(other.memory_mib),
            deadline_ms: self.deadline_ms.or(other.deadline_ms),
            concurrency: self.concurrency.or(other.concurrency),
            queue: self.queue.or(other.queue),
        }
    }

    /// Refuses numbers outside the documented ranges.
    pub fn check(&self) -> Result<(), String> {
        let inside = |name: &str, value: Option<u64>, low: u64, high: u64| match value {
            Some(value) if !(low..=high).contains(&value) => Err(format!(
                "`limits.{name}` is {value}; it must be {low} to {high}"
            )),
            _ => Ok(()),
        };
        inside("fuel", self.fuel, 10_000, 1_000_000_000_000)?;
        inside("memory_mib", self.memory_mib.map(u64::from), 1, 4096)?;
        inside("deadline_ms", self.deadline_ms, 1, 3_600_000)?;
        inside("concurrency", self.concurrency.map(u64::from), 1, 10_000)?;
        inside("queue", self.queue.map(u64::from), 0, 1_000_000)
    }
}

/// A checked manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `^[a-z][a-z0-9-]{0,62}$`.
    pub name: String,
    /// Semantic version of the plugin, as text.
    pub version: String,
    /// Which world it implements.
    pub kind: Kind,
    /// Which version of the contract; must be [`CONTRACT`].
    pub contract: String,
    /// A sentence.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of the input (JSON text).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<String>,
    /// JSON Schema of the output (JSON text). The host enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<String>,
    /// What it can do.
    #[serde(default)]
    pub skills: Vec<Skill>,
    /// What it asks for.
    #[serde(default)]
    pub requests: Vec<GrantRequest>,
    /// What it thinks it needs.
    #[serde(default)]
    pub limits: Limits,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Longer than [`MAX_BYTES`].
    #[error("it has {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Not TOML, an unknown key or a value of another type.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot be.
    #[error("{0}")]
    Value(String),
}

/// Reads and checks a manifest.
pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MAX_BYTES {
        return Err(ManifestError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotText)?;
    let manifest: Manifest =
        toml::from_str(text).map_err(|error| ManifestError::Syntax(error.to_string()))?;
    check(&manifest)?;
    Ok(manifest)
}

fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    let value = |text: String| Err(ManifestError::Value(text));
    if !is_name(&manifest.name) {
        return value(format!(
            "`name` is {:?}; it must be lower-case letters, digits and `-`, at most 63, starting with a letter",
            manifest.name
        ));
    }
    if manifest.contract != CONTRACT {
        return value(format!(
            "`contract` is {:?}; this host speaks {CONTRACT:?}",
            manifest.contract
        ));
    }
    let schemas = [
        ("input_schema", &manifest.input_schema),
        ("output_schema", &manifest.output_schema),
    ];
    for (key, schema) in schemas {
        if let Some(Err(error)) = schema
            .as_deref()
            .map(serde_json::from_str::<serde_json::Map<_, serde_json::Value>>)
        {
            return value(format!("`{key}` is not a JSON object: {error}"));
        }
    }
    manifest.limits.check().map_err(ManifestError::Value)
}

/// Whether a text can name a plugin, a step or a workflow.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.len() <= 63
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "probe"
        version = "0.1.0"
        kind = "agent"
        contract = "0.1.0"
        output_schema = '{"type": "object"}'
        [[requests]]
        capability = "llm"
        resource = "default"
        reason = "asks"
        [limits]
        fuel = 50000
    "#;

    #[test]
    fn a_good_manifest_is_read() {
        let manifest = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(
            (manifest.name.as_str(), manifest.kind),
            ("probe", Kind::Agent)
        );
        assert_eq!(manifest.requests[0].capability, Capability::Llm);
        assert_eq!(manifest.limits.fuel, Some(50_000));
    }

    #[test]
    fn each_defect_is_named() {
        let table = [
            ("kind = \"agent\"", "kind = \"agnet\"", "agnet"),
            ("kind = \"agent\"", "", "missing field `kind`"),
            ("name = \"probe\"", "name = \"Probe\"", "\"Probe\""),
            (
                "contract = \"0.1.0\"",
                "contract = \"9.0.0\"",
                "this host speaks \"0.1.0\"",
            ),
            ("fuel = 50000", "fule = 50000", "fule"),
            ("fuel = 50000", "fuel = 1", "10000 to 1000000000000"),
            ("fuel = 50000", "memory_mib = 5000", "1 to 4096"),
            (
                "'{\"type\": \"object\"}'",
                "'[]'",
                "`output_schema` is not a JSON object",
            ),
            ("capability = \"llm\"", "capability = \"root\"", "root"),
        ];
        for (from, to, expected) in table {
            let error = parse(GOOD.replace(from, to).as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
        assert_eq!(parse(&[0xff]), Err(ManifestError::NotText));
        assert_eq!(
            parse(&[b'#'; MAX_BYTES + 1]),
            Err(ManifestError::TooLong(MAX_BYTES + 1))
        );
    }
}
