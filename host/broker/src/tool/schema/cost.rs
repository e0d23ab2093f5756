//! How much work is it to check this value? Counted without doing it.
//!
//! A schema that tries the same part of a value in two ways, and each of these in
//! two ways again, costs a power of two; the pairs of schema and part it is about
//! are few all the same. Each pair is counted once and the counts are multiplied
//! up, so that counting is fast where checking would not be.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::in_place;

/// Steps that a check may take.
const STEPS: u64 = 4_000_000;
/// Pairs that are counted.
const PAIRS: usize = 250_000;
/// Schemas and parts inside of one another.
const DEPTH: usize = 200;
/// Bytes of a text that a pattern is tried on.
const TEXT: usize = 64 << 10;

/// Stands for the name of a property.
static NAME: Value = Value::Null;

struct Count<'a> {
    root: &'a Value,
    known: HashMap<(*const Value, *const Value), Cost>,
}

#[derive(Clone, Copy)]
struct Cost {
    steps: u64,
    depth: usize,
}

/// More than there may be.
struct TooMuch;

pub(super) fn is_bearable(root: &Value, value: &Value) -> bool {
    let mut count = Count {
        root,
        known: HashMap::new(),
    };
    count.pair(root, value, 0).is_ok()
}

impl<'a> Count<'a> {
    fn pair(&mut self, schema: &'a Value, value: &'a Value, depth: usize) -> Result<Cost, TooMuch> {
        let Value::Object(keywords) = schema else {
            return Ok(Cost { steps: 1, depth: 0 });
        };
        let key = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        let cost = match self.known.get(&key) {
            Some(known) => *known,
            None if depth > DEPTH || self.known.len() >= PAIRS => return Err(TooMuch),
            None => {
                let cost = self.keywords(schema, keywords, value, depth)?;
                self.known.insert(key, cost);
                cost
            }
        };
        match cost.steps <= STEPS && depth + cost.depth <= DEPTH {
            true => Ok(cost),
            false => Err(TooMuch),
        }
    }

    fn keywords(
        &mut self,
        schema: &'a Value,
        keywords: &'a Map<String, Value>,
        value: &'a Value,
        depth: usize,
    ) -> Result<Cost, TooMuch> {
        let mut total = Cost {
            steps: keywords.len() as u64,
            depth: 0,
        };
        let mut add = |times: u64, cost: Cost| {
            total.steps = total.steps.saturating_add(cost.steps.saturating_mul(times));
            total.depth = total.depth.max(cost.depth + 1);
        };
        let list = |word| keywords.get(word).and_then(Value::as_array);
        if let Some(choices) = list("enum") {
            add(choices.len() as u64, Cost { steps: 1, depth: 0 });
        }
        // To know what has not been looked at, the others are asked once more.
        let again = ["unevaluatedProperties", "unevaluatedItems"];
        let times = match again.iter().any(|word| keywords.contains_key(*word)) {
            true => 2,
            false => 1,
        };
        for next in in_place(self.root, schema) {
            add(times, self.pair(next, value, depth + 1)?);
        }
        match value {
            Value::String(text) if keywords.contains_key("pattern") => {
                if text.len() > TEXT {
                    return Err(TooMuch);
                }
                let steps = text.len() as u64;
                add(1, Cost { steps, depth: 0 });
            }
            Value::Array(items) => {
                let unique = keywords.get("uniqueItems").is_some_and(|it| *it == true);
                let steps = items.len() as u64;
                add(if unique { 16 } else { 1 }, Cost { steps, depth: 0 });
                for (at, item) in items.iter().enumerate() {
                    for next in of_item(keywords, at) {
                        add(1, self.pair(next, item, depth + 1)?);
                    }
                }
            }
            Value::Object(parts) => {
                let names = keywords.get("propertyNames");
                let patterns = keywords.get("patternProperties").and_then(Value::as_object);
                for (name, part) in parts {
                    let matched = patterns.map_or(0, Map::len);
                    let steps = 1 + (name.len() as u64).saturating_mul(1 + matched as u64);
                    add(1, Cost { steps, depth: 0 });
                    if let Some(next) = names {
                        if name.len() > TEXT {
                            return Err(TooMuch);
                        }
                        add(1 + name.len() as u64, self.pair(next, &NAME, depth + 1)?);
                    }
                    for next in of_part(keywords, name) {
                        add(times, self.pair(next, part, depth + 1)?);
                    }
                }
            }
            _ => {}
        }
        Ok(total)
    }
}

/// The schemas that look at an item of a list.
fn of_item(keywords: &Map<String, Value>, at: usize) -> impl Iterator<Item = &Value> {
    let words = ["items", "additionalItems", "contains", "unevaluatedItems"];
    let all = words.into_iter().filter_map(|word| keywords.get(word));
    let all = all.filter(|it| !it.is_array());
    let tuples = ["prefixItems", "items"].into_iter();
    let tuples = tuples.filter_map(move |word| keywords.get(word)?.as_array()?.get(at));
    all.chain(tuples)
}

/// The schemas that may look at a property.
fn of_part<'s>(keywords: &'s Map<String, Value>, name: &'s str) -> impl Iterator<Item = &'s Value> {
    let own = keywords.get("properties").and_then(|it| it.get(name));
    let words = ["additionalProperties", "unevaluatedProperties"];
    let others = words.into_iter().filter_map(|word| keywords.get(word));
    let patterns = keywords.get("patternProperties").and_then(Value::as_object);
    let patterns = patterns.into_iter().flat_map(Map::values);
    let others = others.filter(move |_| own.is_none());
    own.into_iter().chain(others).chain(patterns)
}
