//! Pairs that are near enough. Pure, in whole cents and whole days.

use serde::{Deserialize, Serialize};

/// What the tool is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lists {
    bank_transactions: Vec<Transaction>,
    ledger_entries: Vec<Entry>,
    days: u32,
    amount: f64,
}

/// What it needs to know of a transaction; the rest is left alone.
#[derive(Debug, Deserialize)]
struct Transaction {
    transaction_id: String,
    date: String,
    amount: f64,
}

#[derive(Debug, Deserialize)]
struct Entry {
    entry_id: String,
    posting_date: String,
    amount: f64,
}

/// What it answers.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Candidates {
    candidates: Vec<Candidate>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Candidate {
    bank_id: String,
    ledger_id: String,
    days: i64,
    amount: f64,
}

impl Lists {
    /// The length of the longer list.
    pub(crate) fn longest(&self) -> usize {
        self.bank_transactions.len().max(self.ledger_entries.len())
    }

    /// Every pair within both tolerances: by days, then by money, then by ids.
    pub(crate) fn candidates(&self) -> Candidates {
        let mut found = Vec::new();
        let most = cents(self.amount).unwrap_or(0);
        for bank in &self.bank_transactions {
            for entry in &self.ledger_entries {
                let days = apart(day(&bank.date), day(&entry.posting_date));
                let money = apart(cents(bank.amount), cents(entry.amount));
                if let Some((days, money)) = days.zip(money)
                    && days <= i64::from(self.days)
                    && money <= most
                {
                    found.push((days, money, &bank.transaction_id, &entry.entry_id));
                }
            }
        }
        found.sort();
        let candidate =
            |(days, money, bank_id, ledger_id): (i64, i64, &String, &String)| Candidate {
                bank_id: bank_id.clone(),
                ledger_id: ledger_id.clone(),
                days,
                amount: money as f64 / 100.0,
            };
        Candidates {
            candidates: found.into_iter().map(candidate).collect(),
        }
    }
}

fn apart(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.zip(other).map(|(one, other)| (one - other).abs())
}

/// Rounded; none beyond what a float keeps exactly.
fn cents(amount: f64) -> Option<i64> {
    let cents = (amount * 100.0).round();
    (cents.abs() < 9e15).then_some(cents as i64)
}

/// Days since a day long ago, of a date as `YYYY-MM-DD`. The year begins in March
/// here, so that the leap day is its last (Hinnant, "chrono-compatible low-level
/// date algorithms").
fn day(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let mut number = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let plain = part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<i64>().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let known = parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day);
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    known.then_some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn days_are_counted_over_months_and_leap_days() {
        for (from, to, days) in [
            ("2024-02-28", "2024-03-01", Some(2)),
            ("2023-02-28", "2023-03-01", Some(1)),
            ("1900-02-28", "1900-03-01", Some(1)),
            ("2000-02-28", "2000-03-01", Some(2)),
            ("2024-12-31", "2025-01-01", Some(1)),
            ("2024-01-01", "2024-12-31", Some(365)),
            ("2024-13-01", "2024-12-31", None),
            ("2024-1-01", "2024-12-31", None),
            ("2024-01-01T", "2024-12-31", None),
            ("2024-+1-01", "2024-12-31", None),
            ("", "2024-12-31", None),
        ] {
            assert_eq!(apart(day(from), day(to)), days, "{from} {to}");
        }
    }

    fn found(days: u32, amount: f64) -> Vec<Value> {
        let lists = json!({
            "bank_transactions": [
                { "transaction_id": "B1", "date": "2024-05-10", "amount": 100.0, "description": "x" },
                { "transaction_id": "B2", "date": "2024-05-11", "amount": 0.3 },
                { "transaction_id": "B3", "date": "someday", "amount": 100.0 },
            ],
            "ledger_entries": [
                { "entry_id": "L1", "posting_date": "2024-05-13", "amount": 100.0 },
                { "entry_id": "L2", "posting_date": "2024-05-10", "amount": 101.0 },
                { "entry_id": "L3", "posting_date": "2024-05-09", "amount": 99.99 },
                { "entry_id": "L4", "posting_date": "2024-05-11", "amount": 0.1 + 0.2 },
                { "entry_id": "L5", "posting_date": "2024-05-11", "amount": 1e300 },
            ],
            "days": days,
            "amount": amount,
        });
        let lists: Lists = serde_json::from_value(lists).unwrap();
        let found = lists.candidates().candidates;
        found
            .iter()
            .map(|it| json!([it.bank_id, it.ledger_id, it.days, it.amount]))
            .collect()
    }

    #[test]
    fn a_pair_is_near_in_both_and_the_nearest_comes_first() {
        let (same, cent, late, euro) = (
            json!(["B2", "L4", 0, 0.0]),
            json!(["B1", "L3", 1, 0.01]),
            json!(["B1", "L1", 3, 0.0]),
            json!(["B1", "L2", 0, 1.0]),
        );
        assert_eq!(found(0, 0.0), std::slice::from_ref(&same));
        assert_eq!(found(1, 0.01), [same.clone(), cent.clone()]);
        assert_eq!(found(2, 0.1), [same.clone(), cent.clone()]);
        assert_eq!(found(3, 0.99), [same.clone(), cent.clone(), late.clone()]);
        assert_eq!(found(3, 1.0), [same, euro, cent, late]);
    }
}
