//! What a server says of its tools, in names and texts that guests can have. Pure.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_store::Digest;
use rmcp::model::Tool;
use serde_json::{Value, json};

use crate::text;
use crate::tool::registry::is_tool_name;
use crate::tool::{EffectKind, ToolSpec};

/// The most tools of one server: 200.
pub(super) const TOOLS: usize = 200;

/// The longest description, in bytes: 8 KiB.
const DESCRIPTION: usize = 8 << 10;

/// Why a list of tools cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// More than anybody needs.
    #[error("it offers more than {TOOLS} tools, or on too many pages")]
    TooMany,
    /// A name that is made of other things than words.
    #[error("it offers `{0}`, which cannot be made a tool's name")]
    Name(String),
    /// Two names that are the same in plain words.
    #[error("it offers two tools that would be called `{0}`")]
    Twice(String),
    /// A description that nobody reads to the end.
    #[error("it describes `{0}` in more than {DESCRIPTION} bytes")]
    Description(String),
    /// The operator's file names a tool that is not offered.
    #[error("`effects` names `{0}`, which it does not offer")]
    Effect(String),
}

impl BadList {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            BadList::TooMany => "tool.too_many",
            BadList::Name(_) => "tool.name",
            BadList::Twice(_) => "tool.duplicate",
            BadList::Description(_) => "tool.description",
            BadList::Effect(_) => "tool.effect",
        }
    }
}

/// The tools of a server, under one digest.
#[derive(Debug)]
pub struct Catalogue {
    specs: Vec<ToolSpec>,
    /// By the guests' name, the server's.
    own: BTreeMap<String, String>,
    digest: Digest,
}

impl Catalogue {
    /// What guests can have of this list. Names start with the server's.
    pub fn new(
        server: &str,
        mut listed: Vec<Tool>,
        effects: &BTreeMap<String, EffectKind>,
    ) -> Result<Catalogue, BadList> {
        if listed.len() > TOOLS {
            return Err(BadList::TooMany);
        }
        let digest = digest(&listed);
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        let mut specs = Vec::new();
        let mut own = BTreeMap::new();
        let mut plain_names = BTreeSet::new();
        for tool in &listed {
            let shown = || text::line(&tool.name, 160);
            let plain = plain(&tool.name);
            let name = format!("{server}.{plain}");
            if !is_tool_name(&plain) || !is_tool_name(&name) {
                return Err(BadList::Name(shown()));
            }
            let description = tool.description.as_deref().unwrap_or_default();
            if description.len() > DESCRIPTION {
                return Err(BadList::Description(shown()));
            }
            if own.insert(name.clone(), tool.name.to_string()).is_some() {
                return Err(BadList::Twice(name));
            }
            let schema = |it| Value::Object(it).to_string();
            specs.push(ToolSpec {
                name,
                // A model would read what a person does not see.
                description: text::screen(description, false),
                input_schema: schema(tool.input_schema.as_ref().clone()),
                output_schema: tool.output_schema.as_deref().cloned().map(schema),
                effect: effects
                    .get(&plain)
                    .copied()
                    .unwrap_or(EffectKind::UnsafeToRepeat),
            });
            plain_names.insert(plain);
        }
        match effects.keys().find(|name| !plain_names.contains(*name)) {
            Some(name) => Err(BadList::Effect(name.clone())),
            None => Ok(Catalogue { specs, own, digest }),
        }
    }

    pub(super) fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    pub(super) fn own_name(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }

    /// The digest of names, descriptions, schemas and claims.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether this is the same list.
    pub(super) fn is(&self, listed: &[Tool]) -> bool {
        digest(listed) == self.digest
    }
}

/// A name in plain words: servers like capitals, slashes and spaces.
fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        '/' | ':' | ' ' => '-',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(plain).collect()
}

/// The same for the same list, in whatever order it comes.
fn digest(listed: &[Tool]) -> Digest {
    let of = |tool: &Tool| {
        let all = json!([
            tool.name,
            tool.title,
            tool.description,
            Value::Object(tool.input_schema.as_ref().clone()),
            tool.output_schema.as_deref().cloned().map(Value::Object),
            tool.annotations,
        ]);
        let mut text = String::new();
        write(&all, &mut text);
        text
    };
    let mut texts: Vec<String> = listed.iter().map(of).collect();
    texts.sort();
    Digest::of(texts.join("\n").as_bytes())
}

/// JSON with the keys of objects in order.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&json!(key).to_string());
                out.push(':');
                write(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn tool(name: &str, description: &str) -> Tool {
        let schema = serde_json::Map::from_iter([("type".to_owned(), json!("object"))]);
        Tool::new(name.to_owned(), description.to_owned(), Arc::new(schema))
    }

    fn catalogue(tools: &[Tool]) -> Result<Catalogue, BadList> {
        Catalogue::new("s", tools.to_vec(), &BTreeMap::new())
    }

    #[test]
    fn names_become_plain_words_or_are_refused() {
        let found = catalogue(&[tool("Read/File", "d"), tool("list items", "")]).unwrap();
        let names: Vec<&str> = found.specs().iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["s.read-file", "s.list-items"]);
        assert_eq!(found.own_name("s.read-file"), Some("Read/File"));
        let long = "a".repeat(80);
        for (tools, code) in [
            (vec![tool("a", ""), tool("A", "")], "tool.duplicate"),
            (vec![tool("аdmin", "")], "tool.name"),
            (vec![tool("a\u{200b}", "")], "tool.name"),
            (vec![tool("", "")], "tool.name"),
            (vec![tool(&long, "")], "tool.name"),
            (vec![tool("a", &"d".repeat(9_000))], "tool.description"),
            (vec![tool("a", ""); 201], "tool.too_many"),
        ] {
            assert_eq!(catalogue(&tools).unwrap_err().code(), code);
        }
    }

    #[test]
    fn the_digest_is_of_all_that_is_said_and_of_no_order() {
        let [one, other] = [tool("a", "does"), tool("b", "")];
        let is = catalogue(&[one.clone(), other.clone()]).unwrap();
        assert!(is.is(&[other.clone(), one.clone()]));
        let mut schema = one.clone();
        schema.input_schema = Arc::default();
        let claim = one
            .clone()
            .with_annotations(rmcp::model::ToolAnnotations::new().read_only(true));
        for changed in [tool("a", "does more"), tool("c", "does"), schema, claim] {
            assert!(!is.is(&[changed, other.clone()]));
        }
        assert!(!is.is(&[one]));
    }

    #[test]
    fn hidden_words_are_shown_to_models_too() {
        let found = catalogue(&[tool("a", "adds\u{e0049}\u{e0067}\nnumbers")]).unwrap();
        let description = &found.specs().first().unwrap().description;
        assert_eq!(description, "adds\\u{e0049}\\u{e0067}\nnumbers");
    }

    #[test]
    fn effects_are_the_operators_word() {
        let claim = rmcp::model::ToolAnnotations::new().read_only(true);
        let claims = tool("a", "").with_annotations(claim);
        let effect = |effects: &[(&str, EffectKind)]| {
            let effects = effects.iter().map(|(name, it)| ((*name).to_owned(), *it));
            let found = Catalogue::new("s", vec![claims.clone()], &effects.collect());
            found.map(|it| it.specs().first().unwrap().effect)
        };
        assert_eq!(effect(&[]), Ok(EffectKind::UnsafeToRepeat));
        assert_eq!(
            effect(&[("a", EffectKind::ReadOnly)]),
            Ok(EffectKind::ReadOnly)
        );
        let refused = effect(&[("b", EffectKind::ReadOnly)]).unwrap_err();
        assert_eq!(refused.code(), "tool.effect");
    }
}
