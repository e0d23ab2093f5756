//! Is a schema of a size that can be compiled, and does it keep to itself? Pure.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{BadSchema, in_place, target};
use crate::text;

/// Values of all kinds in one schema.
const NODES: usize = 20_000;
/// Schemas inside of schemas.
const DEPTH: usize = 48;
/// Values to choose from.
const CHOICES: usize = 1_000;
/// Patterns, and bytes of one.
const PATTERNS: usize = 200;
const PATTERN_BYTES: usize = 1_024;
/// References.
const REFERENCES: usize = 1_000;
/// Schemas one after another that look at the same value.
const CHAIN: usize = 32;

/// Keywords under which nothing is obeyed.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Keywords that change what a reference means.
const ELSEWHERE: [&str; 5] = [
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
];

/// Keywords under which names lead to schemas.
const BY_NAME: [&str; 6] = [
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

/// What a value is in a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Schema,
    /// Schemas by name.
    Names,
    /// Nothing that is obeyed.
    Data,
}

struct Count<'s> {
    root: &'s Value,
    nodes: usize,
    patterns: usize,
    references: usize,
    /// How many schemas follow one another from here on the same value.
    chains: HashMap<*const Value, usize>,
}

pub(super) fn check(root: &Value) -> Result<(), BadSchema> {
    let mut count = Count {
        root,
        nodes: 0,
        patterns: 0,
        references: 0,
        chains: HashMap::new(),
    };
    count.value(root, Role::Schema, 0)
}

fn at_most(what: &'static str, is: usize, most: usize) -> Result<(), BadSchema> {
    match is <= most {
        true => Ok(()),
        false => Err(BadSchema::TooMuch { what, most }),
    }
}

impl<'s> Count<'s> {
    fn value(&mut self, value: &'s Value, role: Role, depth: usize) -> Result<(), BadSchema> {
        self.nodes += 1;
        at_most("values", self.nodes, NODES)?;
        at_most("levels", depth, DEPTH)?;
        match value {
            Value::Object(entries) if role == Role::Schema => self.schema(value, entries, depth),
            Value::Object(entries) => {
                let each = if role == Role::Names {
                    Role::Schema
                } else {
                    Role::Data
                };
                entries
                    .values()
                    .try_for_each(|value| self.value(value, each, depth + 1))
            }
            Value::Array(items) => items
                .iter()
                .try_for_each(|value| self.value(value, role, depth + 1)),
            _ => Ok(()),
        }
    }

    fn schema(
        &mut self,
        schema: &'s Value,
        keywords: &'s Map<String, Value>,
        depth: usize,
    ) -> Result<(), BadSchema> {
        if let Some(word) = ELSEWHERE.into_iter().find(|it| keywords.contains_key(*it)) {
            return Err(BadSchema::Keyword(word));
        }
        let own_name = |word: &&str| matches!(keywords.get(*word), Some(Value::String(_)));
        if let (1.., Some(word)) = (depth, ["$id", "id"].into_iter().find(own_name)) {
            return Err(BadSchema::Keyword(word));
        }
        if let Some(Value::String(reference)) = keywords.get("$ref") {
            self.references += 1;
            at_most("references", self.references, REFERENCES)?;
            let shown = || text::line(reference, 160);
            if !reference.starts_with('#') {
                return Err(BadSchema::RemoteRef(shown()));
            }
            if target(self.root, reference).is_none() {
                return Err(BadSchema::Reference(shown()));
            }
        }
        if let Some(Value::String(pattern)) = keywords.get("pattern") {
            self.pattern(pattern)?;
        }
        if let Some(Value::Object(patterns)) = keywords.get("patternProperties") {
            patterns.keys().try_for_each(|it| self.pattern(it))?;
        }
        if let Some(Value::Array(choices)) = keywords.get("enum") {
            at_most("values to choose from", choices.len(), CHOICES)?;
        }
        let mut under_way = Vec::new();
        self.chain(schema, &mut under_way)?;
        for (word, value) in keywords {
            let role = match word.as_str() {
                word if BY_NAME.contains(&word) => Role::Names,
                word if DATA.contains(&word) => Role::Data,
                _ => Role::Schema,
            };
            self.value(value, role, depth + 1)?;
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), BadSchema> {
        self.patterns += 1;
        at_most("patterns", self.patterns, PATTERNS)?;
        at_most("bytes of a pattern", pattern.len(), PATTERN_BYTES)
    }

    /// How long the longest chain from here is; an error if it has no end.
    fn chain(
        &mut self,
        schema: &'s Value,
        under_way: &mut Vec<*const Value>,
    ) -> Result<usize, BadSchema> {
        let this = std::ptr::from_ref(schema);
        if let Some(known) = self.chains.get(&this) {
            return Ok(*known);
        }
        if under_way.contains(&this) {
            return Err(BadSchema::Loop);
        }
        at_most("schemas for one value in a row", under_way.len(), CHAIN)?;
        under_way.push(this);
        let mut longest = 0;
        for next in in_place(self.root, schema) {
            longest = longest.max(self.chain(next, under_way)?);
        }
        under_way.pop();
        at_most("schemas for one value in a row", longest, CHAIN)?;
        self.chains.insert(this, longest + 1);
        Ok(longest + 1)
    }
}
