//! The task `reconciliation-matches`: which entry books which transaction, told
//! by amount, day and text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// In cents: what matches may differ by in all before a person has to look.
pub(crate) const MOST_IN_ALL: i64 = 5_000;

#[derive(Deserialize)]
struct Statement {
    bank_transactions: Vec<Transaction>,
    ledger_entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Transaction {
    transaction_id: String,
    #[serde(default)]
    counterparty: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Entry {
    entry_id: String,
    posting_date: String,
    amount: f64,
    #[serde(default)]
    account: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Candidates {
    candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    bank_id: String,
    ledger_id: String,
    days: i64,
    amount: f64,
}

/// The form filled in; the error names what is missing.
pub(crate) fn solve(record: &Map<String, Value>, blocks: &[Value]) -> Result<Value, &'static str> {
    let statement: Statement = serde_json::from_value(Value::Object(record.clone()))
        .map_err(|_| "a statement and a ledger")?;
    let found = blocks.iter().find(|it| it.get("candidates").is_some());
    let found: Option<Candidates> = found.and_then(|it| serde_json::from_value(it.clone()).ok());
    let mut candidates = found.ok_or("candidates")?.candidates;

    let duplicates = statement.duplicates();
    let entries = &statement.ledger_entries;
    let entries: BTreeMap<&str, &Entry> = entries
        .iter()
        .map(|it| (it.entry_id.as_str(), it))
        .collect();
    let bank = &statement.bank_transactions;
    let bank: BTreeMap<&str, &Transaction> = bank
        .iter()
        .map(|it| (it.transaction_id.as_str(), it))
        .collect();

    candidates.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut matches = BTreeMap::new();
    let mut booked = duplicates.clone();
    let (mut differences, mut exact) = (0i64, true);
    for it in &candidates {
        let pair = bank
            .get(it.bank_id.as_str())
            .zip(entries.get(it.ledger_id.as_str()));
        let free = !matches.contains_key(&it.bank_id) && !booked.contains(it.ledger_id.as_str());
        if free && pair.is_some_and(|(transaction, entry)| transaction.is_booked_by(entry)) {
            matches.insert(&it.bank_id, &it.ledger_id);
            booked.insert(&it.ledger_id);
            differences = differences.saturating_add(cents(it.amount));
            exact &= it.days == 0 && cents(it.amount) == 0;
        }
    }
    let open = matches.len() < bank.len() || booked.len() < entries.len();
    let status = if open || differences > MOST_IN_ALL {
        "manual_review_required"
    } else if exact && duplicates.is_empty() {
        "perfect_match"
    } else {
        "resolvable_with_logic"
    };
    let matches = matches
        .into_iter()
        .map(|(bank_id, ledger_id)| json!({ "bank_id": bank_id, "ledger_id": ledger_id }));
    Ok(json!({
        "matches": matches.collect::<Vec<_>>(),
        "duplicates": duplicates,
        "status": status,
    }))
}

impl Statement {
    /// The entries that repeat one with a lower id.
    fn duplicates(&self) -> BTreeSet<&str> {
        let mut originals = BTreeMap::new();
        for entry in &self.ledger_entries {
            let lowest = originals.entry(entry.booking()).or_insert(&entry.entry_id);
            *lowest = (&entry.entry_id).min(*lowest);
        }
        let repeats = |it: &&Entry| originals.get(&it.booking()) != Some(&&it.entry_id);
        let repeats = self.ledger_entries.iter().filter(repeats);
        repeats.map(|it| it.entry_id.as_str()).collect()
    }
}

impl Entry {
    /// What two entries of the same booking have in common. A text that names no
    /// document stands for itself.
    fn booking(&self) -> (i64, &str, &str, &str) {
        let document = document(&self.text).unwrap_or(&self.text);
        (
            cents(self.amount),
            &self.posting_date,
            &self.account,
            document,
        )
    }
}

impl Transaction {
    /// The entry's text names the counterparty and no other document than the one
    /// that the bank printed. Without a text it may book anything.
    fn is_booked_by(&self, entry: &Entry) -> bool {
        let name = words(&self.counterparty).next().unwrap_or_default();
        let named = words(&entry.text).any(|word| word.eq_ignore_ascii_case(name));
        let printed = document(&self.description);
        let same = printed.is_none_or(|it| words(&entry.text).any(|word| word == it));
        entry.text.trim().is_empty() || (named && same)
    }
}

impl Candidate {
    /// The nearest first.
    fn order(&self) -> (i64, i64, &str, &str) {
        (
            self.days,
            cents(self.amount),
            &self.bank_id,
            &self.ledger_id,
        )
    }
}

/// The words of a text, without what stands between them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// The number of a document: four digits or more.
pub(crate) fn document(text: &str) -> Option<&str> {
    words(text).find(|word| word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Rounded; what no float keeps exactly is moved to the end of what it does.
pub(crate) fn cents(amount: f64) -> i64 {
    (amount * 100.0).round().clamp(-9e15, 9e15) as i64
}

#[cfg(test)]
mod tests;
