//! What was found, as a table and added up.

use std::collections::VecDeque;

use hotcell_broker::text;
use serde_json::{Value, json};

use crate::moment;
use crate::report::{table, usd};

/// The longest cell.
const SHOWN: usize = 64;

/// The last records that were found, and what all of them come to.
pub(super) struct Found {
    limit: usize,
    last: VecDeque<Value>,
    records: u64,
    effects: u64,
    refused: u64,
    cost_micros: u64,
    tokens: u64,
}

impl Found {
    pub(super) fn new(limit: usize) -> Found {
        Found {
            limit,
            last: VecDeque::new(),
            records: 0,
            effects: 0,
            refused: 0,
            cost_micros: 0,
            tokens: 0,
        }
    }

    pub(super) fn add(&mut self, record: Value) {
        let number = |key: &str| record.get(key).and_then(Value::as_u64).unwrap_or_default();
        self.records += 1;
        self.effects += u64::from(of(&record, "kind") == "effect");
        self.refused += match of(&record, "decision") {
            "refused" | "barred" => 1,
            _ => 0,
        };
        self.cost_micros = self.cost_micros.saturating_add(number("cost_micros"));
        self.tokens = self.tokens.saturating_add(number("tokens"));
        self.last.push_back(record);
        if self.last.len() > self.limit {
            self.last.pop_front();
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "format": "hotcell.audit/1",
            "records": self.records,
            "effects": self.effects,
            "refused": self.refused,
            "tokens": self.tokens,
            "cost_micros": self.cost_micros,
            "last": self.last,
        })
    }

    pub(super) fn render(&self) -> String {
        let mut table = table();
        table.set_header([
            "when (UTC)",
            "case",
            "plugin",
            "what",
            "came of it",
            "cost",
            "by",
        ]);
        for record in &self.last {
            let at = record.get("timestamp_ms").and_then(Value::as_u64);
            let cost = record.get("cost_micros").and_then(Value::as_u64);
            let said = [of(record, "decision"), of(record, "outcome")].concat();
            let by = match of(record, "decider") {
                "" => of(record, "user"),
                decider => decider,
            };
            let what = format!("{} {}", of(record, "capability"), of(record, "resource"));
            table.add_row([
                moment::shown(at.unwrap_or_default()),
                text::line(of(record, "case"), SHOWN),
                text::line(of(record, "agent_name"), SHOWN),
                text::line(&what, SHOWN),
                text::line(&said, SHOWN),
                cost.map_or(String::new(), usd),
                text::line(by, SHOWN),
            ]);
        }
        let shown = self.last.len() as u64;
        let more = match self.records > shown {
            true => format!(", the last {shown} are shown"),
            false => String::new(),
        };
        format!(
            "{table}\n{} records{more}: {} effects, {} refusals, {} tokens, {}",
            self.records,
            self.effects,
            self.refused,
            self.tokens,
            usd(self.cost_micros)
        )
    }
}

fn of<'a>(record: &'a Value, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or_default()
}
