//! The tools of a broker: each has a name that means one thing, and schemas that
//! its calls are held to, whoever it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::schema::{BadSchema, Schema};
use super::{ToolError, ToolOutput, ToolProvider, ToolSpec};
use crate::text;

/// The most tools of one broker: 1,000.
const TOOLS: usize = 1_000;

/// The most bytes of arguments, and of content: 8 MiB.
pub const MAX_CONTENT: usize = 8 << 20;

/// Why a tool cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableTool {
    /// Two tools offer the same name.
    #[error("two tools are called `{0}`")]
    Duplicate(String),
    /// A reader, or a model, could take one for the other.
    #[error("the tools `{0}` and `{1}` have names that look alike")]
    LookAlike(String, String),
    /// A schema that is no use.
    #[error("the tool `{tool}`: its {side} schema is not usable: {why}")]
    Schema {
        /// The tool.
        tool: String,
        /// `input` or `output`.
        side: &'static str,
        /// What is wrong.
        why: BadSchema,
    },
    /// More than anybody needs.
    #[error("there are more than {TOOLS} tools")]
    TooMany,
}

impl UnusableTool {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            UnusableTool::Duplicate(_) => "tool.duplicate",
            UnusableTool::LookAlike(..) => "tool.look_alike",
            UnusableTool::Schema { why, .. } => why.code(),
            UnusableTool::TooMany => "tool.too_many",
        }
    }
}

/// Words of lower-case letters and digits, joined by `.`, `_` or `-`; 64 bytes at
/// most.
pub fn is_tool_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(word)
        && name
            .chars()
            .all(|c| word(c) || matches!(c, '.' | '_' | '-'))
}

/// What a name looks like at a glance: two that look the same are not offered
/// side by side.
fn glance(name: &str) -> String {
    let alike = |c: char| match c {
        '.' | '_' => '-',
        '0' => 'o',
        '1' | 'i' => 'l',
        other => other,
    };
    let glance: String = name.chars().map(alike).collect();
    glance.replace("rn", "m").replace("vv", "w")
}

/// One tool.
pub(crate) struct Tool {
    pub(crate) spec: ToolSpec,
    pub(crate) provider: Arc<dyn ToolProvider>,
    input: Schema,
    output: Option<Schema>,
}

impl Tool {
    fn new(spec: ToolSpec, provider: Arc<dyn ToolProvider>) -> Result<Tool, UnusableTool> {
        let compile = |side, schema: &str| {
            Schema::new(schema).map_err(|why| UnusableTool::Schema {
                tool: text::line(&spec.name, 160),
                side,
                why,
            })
        };
        let input = compile("input", &spec.input_schema)?;
        let output = spec.output_schema.as_deref();
        let output = output.map(|schema| compile("output", schema)).transpose()?;
        Ok(Tool {
            spec,
            provider,
            input,
            output,
        })
    }

    /// Refuses arguments that are not as the tool wants them.
    pub(crate) fn check_arguments(&self, arguments: &str) -> Result<(), ToolError> {
        if arguments.len() > MAX_CONTENT {
            let why = format!("{} bytes; at most {MAX_CONTENT}", arguments.len());
            return Err(ToolError::InvalidArguments(why));
        }
        let object: Map<String, Value> = serde_json::from_str(arguments)
            .map_err(|e| ToolError::InvalidArguments(format!("not a JSON object: {e}")))?;
        self.input
            .check(&Value::Object(object))
            .map_err(ToolError::InvalidArguments)
    }

    /// Refuses content that is not what the tool promised. What it could not do is
    /// told in words of its own.
    pub(crate) fn check_output(&self, output: ToolOutput) -> Result<ToolOutput, ToolError> {
        let broke = |why: String| Err(ToolError::Failed(why));
        if output.content.len() > MAX_CONTENT {
            return broke(format!("its content has more than {MAX_CONTENT} bytes"));
        }
        let Some(schema) = self.output.as_ref().filter(|_| !output.is_error) else {
            return Ok(output);
        };
        let content: Value = match serde_json::from_str(&output.content) {
            Ok(content) => content,
            Err(error) => return broke(format!("its content is not JSON: {error}")),
        };
        match schema.check(&content) {
            Ok(()) => Ok(output),
            Err(why) => broke(format!("its content is not what it promised: {why}")),
        }
    }
}

/// Tools by name.
#[derive(Default)]
pub(crate) struct Tools(BTreeMap<String, Arc<Tool>>);

impl Tools {
    pub(crate) fn new(providers: Vec<Arc<dyn ToolProvider>>) -> Result<Tools, UnusableTool> {
        let mut tools = BTreeMap::new();
        let mut glances: BTreeMap<String, String> = BTreeMap::new();
        for provider in providers {
            for spec in provider.specs() {
                let name = spec.name.clone();
                if tools.contains_key(&name) {
                    return Err(UnusableTool::Duplicate(name));
                }
                let other = glances.insert(glance(&name), name.clone());
                if let Some(other) = other {
                    return Err(UnusableTool::LookAlike(other, name));
                }
                if tools.len() >= TOOLS {
                    return Err(UnusableTool::TooMany);
                }
                let tool = Tool::new(spec.clone(), Arc::clone(&provider))?;
                tools.insert(name, Arc::new(tool));
            }
        }
        Ok(Tools(tools))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.0.get(name)
    }

    pub(crate) fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.0.values().map(|tool| &tool.spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_the_same_at_a_glance() {
        for (one, other) in [
            ("admin.delete", "admin-delete"),
            ("admin.delete", "admin_delete"),
            ("pay.all", "pay.a1l"),
            ("mail.find", "mall.find"),
            ("form.send", "forrn.send"),
            ("log.0", "log.o"),
        ] {
            assert_eq!(glance(one), glance(other), "{one} {other}");
        }
        for (one, other) in [("invoice.find", "invoice.list"), ("a.b", "ab"), ("a", "b")] {
            assert_ne!(glance(one), glance(other), "{one} {other}");
        }
    }

    #[test]
    fn a_tool_name_is_made_of_plain_words() {
        for name in ["invoice.find", "a", "a-b_c.d9"] {
            assert!(is_tool_name(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            "A",
            "1a",
            "a.",
            "a b",
            "аdmin",
            "a/b",
            "a\u{200b}b",
            &long,
        ] {
            assert!(!is_tool_name(name), "{name}");
        }
    }
}
