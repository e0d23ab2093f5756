//! The two lists and what is left of them. Money is computed in whole cents.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What is to be reconciled.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Statement {
    pub(crate) reconciliation_id: String,
    pub(crate) bank_transactions: Vec<Transaction>,
    pub(crate) ledger_entries: Vec<Entry>,
}

/// A movement on the bank's statement.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Transaction {
    transaction_id: String,
    date: String,
    amount: f64,
    #[serde(default)]
    counterparty: String,
    #[serde(default)]
    description: String,
}

/// A line of the ledger.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    entry_id: String,
    posting_date: String,
    amount: f64,
    #[serde(default)]
    account: String,
    #[serde(default)]
    text: String,
}

/// A transaction and the entry that books it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    pub(crate) bank_id: String,
    pub(crate) ledger_id: String,
}

impl Statement {
    /// What is left over on both sides, duplicates aside, and what matches differ
    /// by. An id that is not there leaves the rest as it is.
    pub(crate) fn discrepancy(&self, matches: &[Match], duplicates: &[String]) -> f64 {
        let bank: BTreeMap<&str, i64> = self
            .bank_transactions
            .iter()
            .map(|it| (it.transaction_id.as_str(), cents(it.amount)))
            .collect();
        let ledger: BTreeMap<&str, i64> = self
            .ledger_entries
            .iter()
            .map(|it| (it.entry_id.as_str(), cents(it.amount)))
            .collect();
        let mut banked = BTreeSet::new();
        let mut booked: BTreeSet<&str> = duplicates.iter().map(String::as_str).collect();
        let mut sum = 0i64;
        for Match { bank_id, ledger_id } in matches {
            let amounts = bank
                .get(bank_id.as_str())
                .zip(ledger.get(ledger_id.as_str()));
            if let Some((paid, entered)) = amounts {
                sum = sum.saturating_add((paid - entered).abs());
                banked.insert(bank_id.as_str());
                booked.insert(ledger_id.as_str());
            }
        }
        let open = bank.iter().filter(|(id, _)| !banked.contains(*id));
        let unpaid = ledger.iter().filter(|(id, _)| !booked.contains(*id));
        for (_, amount) in open.chain(unpaid) {
            sum = sum.saturating_add(amount.abs());
        }
        sum as f64 / 100.0
    }
}

/// Rounded; what no float keeps exactly is moved to the end of what it does.
fn cents(amount: f64) -> i64 {
    (amount * 100.0).round().clamp(-9e15, 9e15) as i64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_over_and_what_matches_differ_by_adds_up() {
        let statement: Statement = serde_json::from_value(json!({
            "reconciliation_id": "REC-1",
            "bank_transactions": [
                { "transaction_id": "B1", "date": "2024-05-10", "amount": 100.1 },
                { "transaction_id": "B2", "date": "2024-05-10", "amount": 20.2 },
            ],
            "ledger_entries": [
                { "entry_id": "L1", "posting_date": "2024-05-10", "amount": 100.4 },
                { "entry_id": "L2", "posting_date": "2024-05-10", "amount": 20.2 },
                { "entry_id": "L3", "posting_date": "2024-05-10", "amount": 20.2 },
            ],
        }))
        .unwrap();
        let pair = |bank_id: &str, ledger_id: &str| Match {
            bank_id: bank_id.to_owned(),
            ledger_id: ledger_id.to_owned(),
        };
        let (one, two) = (pair("B1", "L1"), pair("B2", "L2"));
        for (matches, duplicates, sum) in [
            (vec![], vec![], 261.1),
            (vec![one.clone()], vec![], 60.9),
            (vec![one.clone(), two.clone()], vec![], 20.5),
            (vec![one.clone(), two.clone()], vec!["L3".to_owned()], 0.3),
            (vec![pair("B1", "L9"), pair("B9", "L1")], vec![], 261.1),
        ] {
            let found = statement.discrepancy(&matches, &duplicates);
            assert_eq!(found, sum, "{matches:?} {duplicates:?}");
        }
    }
}
