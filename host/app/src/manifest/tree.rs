//! A parsed file with the place of every key and value, whether it was YAML or
//! TOML.
//!
//! Serde alone stops at the first error and forgets where a value stood once it
//! has its type. Reading into this tree first lets one check report everything
//! that is wrong, each at its place, in the same words for both languages. YAML
//! is read under a budget, so that aliases cannot blow a small file up.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{Problem, Source};

/// A value and where it stands, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a value is. Dates are text.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Table(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) span: Range<usize>,
    pub(crate) name: String,
}

impl Node {
    /// Its kind in words.
    pub(crate) fn kind_in_words(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }

    /// The value of a key, if this is a table that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Table(entries) => entries
                .iter()
                .find(|(entry, _)| entry.name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value without places.
    pub(crate) fn json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::Text(value) => Value::String(value.clone()),
            Kind::List(items) => items.iter().map(Node::json).collect(),
            Kind::Table(entries) => entries
                .iter()
                .map(|(key, value)| (key.name.clone(), value.json()))
                .collect(),
        }
    }
}

/// The tree of a YAML file. Far above what a workflow needs and far below what
/// hurts: 10 000 nodes, aliases expanded, and 32 levels.
pub(crate) fn yaml(source: &Source) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 10_000, max_depth: 32 },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let text = source.text();
    serde_saphyr::from_str_with_options::<Spanned<Plain>>(text, options)
        .map(|root| node(text, root))
        .map_err(|error| {
            let problem = Problem::new(format!("`{}` is not valid YAML", source.name()));
            let message = UserMessageFormatter.format_message(&error).into_owned();
            match error.location() {
                Some(location) => problem.at(&source.spot(bytes(text, location)), message),
                None => problem.help(message),
            }
        })
}

/// The tree of a TOML file. Only the first error is told: those after it are
/// mostly its consequences.
pub(crate) fn toml(source: &Source) -> Result<Node, Problem> {
    let wrong = |span: Option<Range<usize>>, message: &str| {
        let problem = Problem::new(format!("`{}` is not valid TOML", source.name()));
        match span {
            Some(span) => problem.at(&source.spot(span), message),
            None => problem.help(message),
        }
    };
    let table =
        DeTable::parse(source.text()).map_err(|error| wrong(error.span(), error.message()))?;
    let span = table.span();
    from_toml(span, DeValue::Table(table.into_inner()))
        .map_err(|Unsayable(span)| wrong(Some(span), "this number is too large"))
}

/// A number that neither 64 bits nor JSON can hold, and where it stands.
struct Unsayable(Range<usize>);

fn from_toml(span: Range<usize>, value: DeValue<'_>) -> Result<Node, Unsayable> {
    let kind = match value {
        DeValue::String(text) => Kind::Text(text.into_owned()),
        DeValue::Boolean(value) => Kind::Bool(value),
        DeValue::Datetime(moment) => Kind::Text(moment.to_string()),
        DeValue::Integer(number) => {
            let unsigned = u64::from_str_radix(number.as_str(), number.radix()).map(Number::from);
            let signed = || i64::from_str_radix(number.as_str(), number.radix()).map(Number::from);
            Kind::Number(
                unsigned
                    .or_else(|_| signed())
                    .map_err(|_| Unsayable(span.clone()))?,
            )
        }
        DeValue::Float(number) => {
            let number = number.as_str().parse().ok().and_then(Number::from_f64);
            Kind::Number(number.ok_or_else(|| Unsayable(span.clone()))?)
        }
        DeValue::Array(items) => {
            let items = items
                .into_iter()
                .map(|item| from_toml(item.span(), item.into_inner()));
            Kind::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => {
            let entry =
                |(key, value): (toml::Spanned<DeString<'_>>, toml::Spanned<DeValue<'_>>)| {
                    let key = Key {
                        span: key.span(),
                        name: key.into_inner().into_owned(),
                    };
                    Ok((key, from_toml(value.span(), value.into_inner())?))
                };
            Kind::Table(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
    };
    Ok(Node { span, kind })
}

/// A YAML value with places in the crate's own form.
enum Plain {
    Leaf(Kind),
    List(Vec<Spanned<Plain>>),
    Table(Vec<(Spanned<String>, Spanned<Plain>)>),
}

fn node(text: &str, plain: Spanned<Plain>) -> Node {
    let span = bytes(text, plain.referenced);
    match plain.value {
        Plain::Leaf(kind) => Node { span, kind },
        Plain::List(items) => Node {
            span,
            kind: Kind::List(items.into_iter().map(|item| node(text, item)).collect()),
        },
        Plain::Table(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Plain>)| {
                (
                    Key {
                        span: bytes(text, key.referenced),
                        name: key.value,
                    },
                    node(text, value),
                )
            };
            let entries: Vec<(Key, Node)> = entries.into_iter().map(entry).collect();
            // A block has no mark of its own; its first key stands for it.
            let first = entries.first().map(|(key, _)| key.span.clone());
            let span = first.filter(|_| span.is_empty()).unwrap_or(span);
            Node {
                span,
                kind: Kind::Table(entries),
            }
        }
    }
}

/// A place in bytes. The parser counts characters, and bytes only sometimes.
fn bytes(text: &str, location: serde_saphyr::Location) -> Range<usize> {
    let span = location.span();
    let at = |characters: u64| {
        let characters = usize::try_from(characters).unwrap_or(usize::MAX);
        text.char_indices()
            .nth(characters)
            .map_or(text.len(), |(offset, _)| offset)
    };
    let start = at(span.offset());
    start..at(span.offset().saturating_add(span.len())).max(start)
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Plain, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::Leaf(Kind::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Leaf(Kind::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::Leaf(Kind::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain::Leaf(Kind::Number(value.into())))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Plain, E> {
        let number = Number::from_f64(value);
        number
            .map(|number| Plain::Leaf(Kind::Number(number)))
            .ok_or_else(|| E::custom(format_args!("`{value}` is not a finite number")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::Leaf(Kind::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Plain, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Plain::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Plain, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Plain::Table(entries))
    }
}
