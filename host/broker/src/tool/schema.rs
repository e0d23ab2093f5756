//! What a tool takes and what it gives: is a text JSON, and the JSON that was
//! promised?
//!
//! A schema is a stranger's program. It is compiled once, when a broker is put
//! together, after it was counted (`bounds`); a reference to another document
//! is refused and nothing is ever fetched; patterns are matched in linear time.
//! What a check will cost is counted before it is begun (`cost`), so that a
//! small schema cannot keep a thread busy with a small text.

mod bounds;
mod cost;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::text;

/// Bytes of a schema's text: 256 KiB.
pub const MAX_BYTES: usize = 256 << 10;

/// Bytes that a pattern may take when it is compiled: 64 KiB.
const PATTERN: usize = 64 << 10;

/// The most findings one text gets: enough to repair from, too few to flood.
const FINDINGS: usize = 8;

/// The longest message of a finding, in bytes.
const MESSAGE: usize = 256;

/// Why a schema is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSchema {
    /// No JSON object, or no schema.
    #[error("it is not a JSON Schema: {0}")]
    Invalid(String),
    /// It refers to another document.
    #[error("it refers to `{0}`, which is another document; nothing is fetched")]
    RemoteRef(String),
    /// It refers to a place that is not in it, or by a name that could be anywhere.
    #[error("it refers to `{0}`, which is not a place in it such as `#/$defs/name`")]
    Reference(String),
    /// A keyword that this host leaves alone.
    #[error("it uses `{0}`, which could make another document of a part of it")]
    Keyword(&'static str),
    /// It comes back to itself before it has looked at anything.
    #[error("it refers to itself without end")]
    Loop,
    /// It is larger than an honest one.
    #[error("it has too much of something: more than {most} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        most: usize,
    },
}

impl BadSchema {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            BadSchema::Invalid(_) => "schema.invalid",
            BadSchema::RemoteRef(_) => "schema.remote_ref",
            BadSchema::Reference(_) => "schema.reference",
            BadSchema::Keyword(_) => "schema.keyword",
            BadSchema::Loop => "schema.loop",
            BadSchema::TooMuch { .. } => "schema.too_large",
        }
    }
}

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    root: Value,
    validator: Validator,
}

impl Schema {
    /// Counts and compiles a schema (JSON text).
    pub fn new(text: &str) -> Result<Schema, BadSchema> {
        if text.len() > MAX_BYTES {
            return Err(BadSchema::TooMuch {
                what: "bytes",
                most: MAX_BYTES,
            });
        }
        let invalid = |why: String| BadSchema::Invalid(text::line(&why, MESSAGE));
        let root: Value = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        if !root.is_object() {
            return Err(invalid("it is no JSON object".to_owned()));
        }
        bounds::check(&root)?;
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN))
            .build(&root)
            .map_err(|e| invalid(e.to_string()))?;
        Ok(Schema { root, validator })
    }

    /// Whether a value is as promised; otherwise where it is not, each place as a
    /// JSON pointer.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if !cost::is_bearable(&self.root, value) {
            return Err("it would take too long to check against its schema".to_owned());
        }
        let findings: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(FINDINGS)
            .map(|error| {
                let at = text::line(&error.instance_path().to_string(), MESSAGE);
                format!("at `{at}`: {}", text::line(&error.to_string(), MESSAGE))
            })
            .collect();
        match findings.is_empty() {
            true => Ok(()),
            false => Err(findings.join("; ")),
        }
    }
}

/// The schema that a local reference leads to.
fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let pointer = reference.strip_prefix('#')?;
    match pointer.contains('%') {
        // Escapes of URLs: not needed by any name that has been seen.
        true => None,
        false => root.pointer(pointer),
    }
}

/// The keywords whose schema, or each of whose schemas, looks at the same value.
const SAME: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/// The keywords with a schema for each name, for the same value.
const SAME_BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];

/// The schemas that look at the same value as this one.
fn in_place<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    let Value::Object(keywords) = schema else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(Value::String(reference)) = keywords.get("$ref") {
        found.extend(target(root, reference));
    }
    for word in SAME {
        match keywords.get(word) {
            Some(Value::Array(all)) => found.extend(all),
            Some(one) => found.push(one),
            None => {}
        }
    }
    for word in SAME_BY_NAME {
        if let Some(Value::Object(all)) = keywords.get(word) {
            found.extend(all.values().filter(|it| it.is_object()));
        }
    }
    found
}

#[cfg(test)]
mod tests;
