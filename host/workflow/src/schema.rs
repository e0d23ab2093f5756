//! Is a text JSON, and is it the JSON that was promised? Pure. Serves both sides
//! of an agent: what it is given and what it answers.

use hotcell_runtime::broker::text;
use hotcell_runtime::task::Finding;
use jsonschema::Validator;
use serde_json::Value;

/// The most findings one answer gets: enough to repair from, too few to flood.
const FINDINGS: usize = 16;

/// The longest message of a finding, in bytes.
const MESSAGE: usize = 512;

/// A schema that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{plugin}`: its {side} schema is not usable: {why}")]
pub struct SchemaError {
    plugin: String,
    side: &'static str,
    why: String,
}

/// A compiled schema; accepts any JSON when nothing was promised. Never fetches:
/// a reference to another document is an error.
pub struct Schema {
    validator: Option<Validator>,
}

impl Schema {
    /// Compiles a plugin's schema (JSON text). `side` is `input` or `output`.
    pub fn new(
        plugin: &str,
        side: &'static str,
        schema: Option<&str>,
    ) -> Result<Schema, SchemaError> {
        let refuse = |why: String| SchemaError {
            plugin: plugin.to_owned(),
            side,
            why: text::line(&why, MESSAGE),
        };
        let compile = |json: &str| {
            let schema: Value = serde_json::from_str(json).map_err(|e| refuse(e.to_string()))?;
            jsonschema::validator_for(&schema).map_err(|e| refuse(e.to_string()))
        };
        Ok(Schema {
            validator: schema.map(compile).transpose()?,
        })
    }

    /// The text as a value, or what is wrong with it.
    pub fn check(&self, text: &str) -> Result<Value, Vec<Finding>> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            vec![Finding {
                pointer: String::new(),
                code: "not-json".to_owned(),
                message: format!("not JSON: {error}"),
            }]
        })?;
        let Some(validator) = &self.validator else {
            return Ok(value);
        };
        let findings: Vec<_> = validator
            .iter_errors(&value)
            .take(FINDINGS)
            .map(|error| Finding {
                pointer: text::line(&error.instance_path().to_string(), MESSAGE),
                code: "schema".to_owned(),
                message: text::line(&error.to_string(), MESSAGE),
            })
            .collect();
        if findings.is_empty() {
            Ok(value)
        } else {
            Err(findings)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(schema: Option<&str>, answer: &str) -> Vec<(String, String)> {
        let schema = Schema::new("p", "output", schema).unwrap();
        let findings = schema.check(answer).err().unwrap_or_default();
        findings.into_iter().map(|f| (f.code, f.pointer)).collect()
    }

    #[test]
    fn an_answer_is_json_and_what_was_promised() {
        let schema = Some(
            r#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#,
        );
        let table = [
            (None, "not json", vec![("not-json", "")]),
            (None, "[1, 2]", vec![]),
            (schema, r#"{"n": 1}"#, vec![]),
            (schema, r#"{"n": "1"}"#, vec![("schema", "/n")]),
            (schema, "{}", vec![("schema", "")]),
            (schema, "[]", vec![("schema", "")]),
        ];
        for (schema, answer, expected) in table {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(c, p)| (c.to_owned(), p.to_owned()))
                .collect();
            assert_eq!(codes(schema, answer), expected, "{answer}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused_and_not_followed() {
        assert_eq!(codes(None, &"[".repeat(100_000)).len(), 1);
    }

    #[test]
    fn a_bad_schema_is_refused_and_none_is_fetched() {
        for schema in [
            "[",
            r#"{"type": 7}"#,
            r#"{"$ref": "http://127.0.0.1:1/x.json"}"#,
        ] {
            assert!(
                Schema::new("p", "output", Some(schema)).is_err(),
                "{schema}"
            );
        }
    }
}
