//! Everything there is to find. Pure, in whole cents; whether days are near is
//! told from the dates alone.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_sdk::Finding;

use crate::record::{Claim, Entry, Record, Status, Transaction};

/// No reconciliation may take a pair for one that is further apart.
const MOST_DAYS: i64 = 3;

/// The same in cents.
const MOST_APART: i64 = 100;

/// Differences beyond it need a person, in cents.
const MOST_IN_ALL: i64 = 5_000;

/// So many findings are enough to work with.
const MOST_FINDINGS: usize = 20;

/// What is wrong with a claim.
pub(crate) fn look(record: &Record, claim: &Claim) -> Vec<Finding> {
    let mut look = Look {
        bank: record
            .bank_transactions
            .iter()
            .map(|it| (it.transaction_id.as_str(), it))
            .collect(),
        ledger: record
            .ledger_entries
            .iter()
            .map(|it| (it.entry_id.as_str(), it))
            .collect(),
        found: Vec::new(),
    };
    let sum = look.matches_and_duplicates(claim);
    if look.found.is_empty() {
        look.sum_and_status(claim, &sum);
    }
    look.found.truncate(MOST_FINDINGS);
    look.found
}

struct Look<'a> {
    bank: BTreeMap<&'a str, &'a Transaction>,
    ledger: BTreeMap<&'a str, &'a Entry>,
    found: Vec<Finding>,
}

/// What the matches come to, in cents.
#[derive(Default)]
struct Sum {
    differences: i64,
    left_over: i64,
    /// How many transactions and entries are left over.
    open: usize,
    /// Whether every match agrees in day and amount.
    exact: bool,
}

impl Look<'_> {
    fn add(&mut self, pointer: String, code: &str, message: String) {
        self.found.push(Finding::new(pointer, code, message));
    }

    fn matches_and_duplicates(&mut self, claim: &Claim) -> Sum {
        let mut sum = Sum {
            exact: true,
            ..Sum::default()
        };
        let (mut banked, mut booked) = (BTreeSet::new(), BTreeSet::new());
        for (at, pair) in claim.matches.iter().enumerate() {
            let place = |side: &str| format!("/matches/{at}/{side}");
            let bank = self.bank.get(pair.bank_id.as_str()).copied();
            let entry = self.ledger.get(pair.ledger_id.as_str()).copied();
            if bank.is_none() {
                let id = shown(&pair.bank_id);
                self.add(
                    place("bank_id"),
                    "unknown-id",
                    format!("there is no transaction `{id}`"),
                );
            } else if !banked.insert(pair.bank_id.as_str()) {
                let message = format!("`{}` is matched already", pair.bank_id);
                self.add(place("bank_id"), "used-twice", message);
            }
            if entry.is_none() {
                let id = shown(&pair.ledger_id);
                self.add(
                    place("ledger_id"),
                    "unknown-id",
                    format!("there is no entry `{id}`"),
                );
            } else if !booked.insert(pair.ledger_id.as_str()) {
                let message = format!("`{}` is matched already", pair.ledger_id);
                self.add(place("ledger_id"), "used-twice", message);
            }
            if let Some((bank, entry)) = bank.zip(entry) {
                self.distance(at, bank, entry, &mut sum);
            }
        }
        for (at, id) in claim.duplicates.iter().enumerate() {
            let place = format!("/duplicates/{at}");
            let Some(entry) = self.ledger.get(id.as_str()).copied() else {
                let id = shown(id);
                self.add(place, "unknown-id", format!("there is no entry `{id}`"));
                continue;
            };
            if !booked.insert(id.as_str()) {
                let message = format!("`{id}` is matched, or listed, already");
                self.add(place, "used-twice", message);
            } else if !self.is_repeated(entry) {
                let message = format!(
                    "`{id}` repeats no other entry: amount, date and account must be equal"
                );
                self.add(place, "not-repeated", message);
            }
        }
        let open = self.bank.iter().filter(|(id, _)| !banked.contains(*id));
        let open = open.map(|(_, it)| cents(it.amount).abs());
        let unpaid = self.ledger.iter().filter(|(id, _)| !booked.contains(*id));
        let unpaid = unpaid.map(|(_, it)| cents(it.amount).abs());
        for amount in open.chain(unpaid) {
            sum.open += 1;
            sum.left_over = sum.left_over.saturating_add(amount);
        }
        sum
    }

    /// A match is near enough.
    fn distance(&mut self, at: usize, bank: &Transaction, entry: &Entry, sum: &mut Sum) {
        let money = (cents(bank.amount) - cents(entry.amount)).abs();
        let days = day(&bank.date)
            .zip(day(&entry.posting_date))
            .map(|(a, b)| (a - b).abs());
        sum.differences = sum.differences.saturating_add(money);
        sum.exact &= money == 0 && bank.date == entry.posting_date;
        if money > MOST_APART || days.is_none_or(|days| days > MOST_DAYS) {
            let message = format!(
                "`{}` and `{}` are further apart than {MOST_DAYS} days or 1.00",
                bank.transaction_id, entry.entry_id
            );
            self.add(format!("/matches/{at}"), "too-far", message);
        }
    }

    /// An original of this entry has a lower id.
    fn is_repeated(&self, entry: &Entry) -> bool {
        self.ledger.values().any(|other| {
            other.entry_id < entry.entry_id
                && other.posting_date == entry.posting_date
                && other.account == entry.account
                && cents(other.amount) == cents(entry.amount)
        })
    }

    fn sum_and_status(&mut self, claim: &Claim, sum: &Sum) {
        let right = sum.differences.saturating_add(sum.left_over);
        if cents(claim.discrepancy) != right {
            let (euros, rest) = (right / 100, right % 100);
            let message =
                format!("what is left over and what matches differ by is {euros}.{rest:02}");
            self.add("/discrepancy".to_owned(), "wrong-sum", message);
        }
        let (status, why) = if sum.open > 0 {
            (
                Status::ManualReviewRequired,
                format!("{} left over", sum.open),
            )
        } else if sum.differences > MOST_IN_ALL {
            (
                Status::ManualReviewRequired,
                "differences above 50".to_owned(),
            )
        } else if sum.exact && claim.duplicates.is_empty() {
            (Status::PerfectMatch, "nothing but exact matches".to_owned())
        } else {
            (
                Status::ResolvableWithLogic,
                "no more than differences and duplicates".to_owned(),
            )
        };
        if claim.status != status {
            let message = format!(
                "with {why} the status is `{}`; are the matches complete?",
                status.word()
            );
            self.add("/status".to_owned(), "wrong-status", message);
        }
    }
}

/// Rounded; what no float keeps exactly is moved to the end of what it does.
fn cents(amount: f64) -> i64 {
    (amount * 100.0).round().clamp(-9e15, 9e15) as i64
}

/// The number of a day that is written as `YYYY-MM-DD`. The year begins in March
/// here, so that the leap day is its last (Hinnant, "chrono-compatible low-level
/// date algorithms").
fn day(date: &str) -> Option<i64> {
    let mut numbers = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let known = (0..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    known.then_some(())?;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year)
}

/// An id that is not the record's, cut where it would fill a message.
fn shown(id: &str) -> String {
    id.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
