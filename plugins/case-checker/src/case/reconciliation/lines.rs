//! The lines of a record, and whether a copy of one says the same.

use std::collections::BTreeMap;

use hotcell_sdk::Finding;
use serde_json::{Map, Value, json};

use super::objects;
use crate::case::{not_in_record, same};

/// A side of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Bank,
    Ledger,
}

impl Side {
    /// What its list is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Side::Bank => "bank",
            Side::Ledger => "ledger",
        }
    }

    /// What its line is called in a pair.
    pub(super) fn id(self) -> &'static str {
        match self {
            Side::Bank => "bank_id",
            Side::Ledger => "ledger_id",
        }
    }
}

type Line<'a> = &'a Map<String, Value>;

/// By side and id.
pub(super) struct Lines<'a>(BTreeMap<(Side, &'a str), Line<'a>>);

impl<'a> Lines<'a> {
    /// Those of a record, or of what a specialist is given of it.
    pub(super) fn of(record: &'a Map<String, Value>) -> Lines<'a> {
        let mut lines = BTreeMap::new();
        for (side, list, name) in [
            (Side::Bank, "bank_transactions", "transaction_id"),
            (Side::Ledger, "ledger_entries", "entry_id"),
            (Side::Bank, "bank", "id"),
            (Side::Ledger, "ledger", "id"),
        ] {
            for line in objects(record, list) {
                if let Some(id) = line.get(name).and_then(Value::as_str) {
                    lines.insert((side, id), line);
                }
            }
        }
        Lines(lines)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = (Side, &'a str)> {
        self.0.keys().copied().collect::<Vec<_>>().into_iter()
    }

    pub(super) fn has(&self, side: Side, id: &str) -> bool {
        self.0.contains_key(&(side, id))
    }

    /// What a copy has that its line has not.
    pub(super) fn differs(
        &self,
        side: Side,
        id: &str,
        copy: &Map<String, Value>,
        at: &str,
    ) -> Vec<Finding> {
        let Some(line) = self.0.get(&(side, id)) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        for (name, said) in copy {
            if let Some(own) = own(line, name)
                && !agrees(name, said, &own)
            {
                findings.push(not_in_record(&format!("{at}/{name}"), said, &own));
            }
        }
        findings
    }
}

/// What a line has for a field of a copy; none if that cannot be told.
fn own(line: Line<'_>, name: &str) -> Option<Value> {
    let any = |names: &[&str]| names.iter().find_map(|name| line.get(*name)).cloned();
    match name {
        "cents" => {
            let amount = line.get("amount").and_then(Value::as_f64);
            amount.map(|it| json!(cents(it))).or(any(&["cents"]))
        }
        "date" => any(&["date", "posting_date"]),
        "day" => {
            let date = any(&["date", "posting_date"])?;
            date.as_str().map(|it| json!(day(it)))
        }
        "name" => any(&["counterparty"]),
        "document" | "words" => any(&["description", "text"]),
        // A copy calls it as the line does.
        _ => any(&[name]),
    }
}

/// Whether a copy says what the line says, or takes it from there.
fn agrees(name: &str, said: &Value, own: &Value) -> bool {
    match (name, said.as_str(), own.as_str()) {
        ("name" | "document" | "words", Some(said), Some(own)) => {
            let own = own.to_lowercase();
            said.split(' ').all(|word| own.contains(word))
        }
        // That the line has none is the stage's to know.
        ("document", None, _) => true,
        _ => same(said, own),
    }
}

/// Rounded; what no float keeps exactly is moved to the end of what it does.
pub(super) fn cents(amount: f64) -> i64 {
    (amount * 100.0).round().clamp(-9e15, 9e15) as i64
}

/// The days from the first of 2024 to this one, `YYYY-MM-DD`; none if it is no day.
/// The year begins in March here, so that the leap day is its last (Hinnant,
/// "chrono-compatible low-level date algorithms").
fn day(date: &str) -> Option<i64> {
    const FIRST_OF_2024: i64 = 739_191;
    let mut numbers = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let known = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    known.then(|| {
        let year = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - FIRST_OF_2024
    })
}
