//! A bank statement and a ledger, by the rules that the examples publish.
//!
//! Each document between two stages is a type here: what does not fit it lacks
//! something, and whatever fits is worked on, however wrong it may be.

mod split;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::{Answers, Case, Form, Solved, Step};
use crate::reconcile::{MOST_IN_ALL, cents, document, words};

pub(super) const CASE: Case = Case {
    name: "reconciliation",
    stage,
    plan,
    aspect,
};

/// What a pair may be apart, in days.
const MOST_DAYS: u64 = 3;

/// The same in cents.
const MOST_CENTS: u64 = 100;

/// The two lists, as the record has them and as they are ingested and normalised.
#[derive(Default, Deserialize, Serialize)]
struct Sides<B, L> {
    #[serde(alias = "bank_transactions")]
    bank: Vec<B>,
    #[serde(alias = "ledger_entries")]
    ledger: Vec<L>,
}

/// A transaction, ingested.
#[derive(Deserialize, Serialize)]
struct Moved {
    #[serde(alias = "transaction_id")]
    id: String,
    date: String,
    amount: Number,
    #[serde(default)]
    counterparty: String,
    #[serde(default)]
    description: String,
}

/// An entry, ingested.
#[derive(Deserialize, Serialize)]
struct Entered {
    #[serde(alias = "entry_id")]
    id: String,
    #[serde(alias = "posting_date")]
    date: String,
    amount: Number,
    #[serde(default)]
    account: String,
    #[serde(default)]
    text: String,
}

/// A transaction, normalised.
#[derive(Default, Deserialize, Serialize)]
struct Paid {
    id: String,
    day: Option<i64>,
    cents: i64,
    name: String,
    document: Option<String>,
}

/// An entry, normalised.
#[derive(Default, Deserialize, Serialize)]
struct Booked {
    id: String,
    day: Option<i64>,
    cents: i64,
    account: String,
    document: Option<String>,
    words: String,
}

/// What was extracted.
#[derive(Deserialize, Serialize)]
struct Named {
    bank: Vec<Dated>,
    ledger: Vec<Dated>,
    duplicates: Vec<String>,
    pairs: Vec<Pair>,
}

#[derive(Deserialize, Serialize)]
struct Dated {
    id: String,
    day: Option<i64>,
    cents: i64,
}

#[derive(Deserialize, Serialize)]
struct Pair {
    bank_id: String,
    ledger_id: String,
}

/// What was enriched.
#[derive(Deserialize, Serialize)]
struct Measured {
    bank: Vec<Amount>,
    ledger: Vec<Amount>,
    duplicates: Vec<String>,
    pairs: Vec<Apart>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Amount {
    id: String,
    cents: i64,
}

/// A pair, and how far apart it is.
#[derive(Clone, Deserialize, Serialize)]
struct Apart {
    bank_id: String,
    ledger_id: String,
    days: i64,
    cents: i64,
}

/// What was checked; several of these are one when their lists are joined.
#[derive(Deserialize, Serialize)]
struct Checked {
    matches: Vec<Apart>,
    duplicates: Vec<String>,
    open: Vec<Amount>,
}

/// What was decided.
#[derive(Deserialize, Serialize)]
struct Decided {
    reason: String,
    status: String,
    cents: i64,
    matches: Vec<Match>,
    open: Vec<Amount>,
}

#[derive(Deserialize, Serialize)]
struct Match {
    bank_id: String,
    ledger_id: String,
    cents: i64,
}

#[derive(Serialize)]
struct Recorded {
    status: String,
    discrepancy: f64,
    matches: Vec<Pair>,
}

type Normalised = Sides<Paid, Booked>;

fn stage(stage: usize, from: &Form, _: &Answers) -> Solved<Step> {
    let done = match stage {
        0 => written(&read::<Sides<Moved, Entered>>(
            from,
            "statement and ledger",
        )?),
        1 => written(&normalise(&read(from, "ingested lines")?)),
        2 => written(&extract(&read(from, "normalised lines")?)),
        3 => written(&enrich(read(from, "lines and pairs")?)),
        4 => written(&check(read(from, "measured pairs")?)),
        5 => written(&decide(read(from, "matches and what is open")?)),
        _ => written(&record(read(from, "decision")?)),
    };
    done.map(Step::Done)
}

fn plan(normalised: &Form) -> Solved<Value> {
    written(&split::plan(read(normalised, "normalised lines")?))
}

fn aspect(name: &str, given: &Form, _: &Answers) -> Option<Solved<Step>> {
    // All three do the same, each with lines of its own.
    split::SPECIALISTS.contains(&name).then(|| {
        let lines = read(given, "normalised lines")?;
        written(&check(enrich(extract(&lines)))).map(Step::Done)
    })
}

fn read<T: DeserializeOwned>(from: &Form, what: &'static str) -> Solved<T> {
    let mut form = Value::Object(from.clone());
    limit(&mut form);
    serde_json::from_value(form).map_err(|_| what)
}

/// A whole number that is too large is the largest: it is none the less a number.
fn limit(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => *value = i64::MAX.into(),
        Value::Array(items) => items.iter_mut().for_each(limit),
        Value::Object(fields) => fields.values_mut().for_each(limit),
        _ => {}
    }
}

fn written<T: Serialize>(form: &T) -> Solved<Value> {
    serde_json::to_value(form).map_err(|_| "form")
}

fn normalise(ingested: &Sides<Moved, Entered>) -> Normalised {
    let lower = |word: &str| word.to_lowercase();
    let money = |amount: &Number| amount.as_f64().map_or(0, cents);
    let bank = ingested.bank.iter().map(|it| Paid {
        id: it.id.clone(),
        day: day(&it.date),
        cents: money(&it.amount),
        name: words(&it.counterparty)
            .next()
            .map(lower)
            .unwrap_or_default(),
        document: document(&it.description).map(str::to_owned),
    });
    let ledger = ingested.ledger.iter().map(|it| {
        let document = document(&it.text);
        let words = words(&it.text).filter(|word| Some(*word) != document);
        Booked {
            id: it.id.clone(),
            day: day(&it.date),
            cents: money(&it.amount),
            account: it.account.clone(),
            document: document.map(str::to_owned),
            words: words.map(lower).collect::<Vec<_>>().join(" "),
        }
    });
    Sides {
        bank: bank.collect(),
        ledger: ledger.collect(),
    }
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

fn extract(lines: &Normalised) -> Named {
    let duplicates = duplicates(&lines.ledger);
    let ledger: Vec<&Booked> = lines
        .ledger
        .iter()
        .filter(|it| !duplicates.contains(it.id.as_str()))
        .collect();
    let mut pairs = Vec::new();
    for paid in &lines.bank {
        let booked = ledger.iter().filter(|booked| paid.is_named_by(booked));
        pairs.extend(booked.map(|booked| Pair {
            bank_id: paid.id.clone(),
            ledger_id: booked.id.clone(),
        }));
    }
    let dated = |id: &String, day, cents| Dated {
        id: id.clone(),
        day,
        cents,
    };
    let bank = lines.bank.iter();
    Named {
        bank: bank.map(|it| dated(&it.id, it.day, it.cents)).collect(),
        ledger: ledger
            .iter()
            .map(|it| dated(&it.id, it.day, it.cents))
            .collect(),
        duplicates: duplicates.into_iter().map(str::to_owned).collect(),
        pairs,
    }
}

/// The entries that repeat one with a lower id.
fn duplicates(ledger: &[Booked]) -> BTreeSet<&str> {
    let mut originals = BTreeMap::new();
    for entry in ledger {
        let lowest = originals.entry(entry.booking()).or_insert(&entry.id);
        *lowest = (&entry.id).min(*lowest);
    }
    let repeats = ledger
        .iter()
        .filter(|it| originals.get(&it.booking()) != Some(&&it.id));
    repeats.map(|it| it.id.as_str()).collect()
}

impl Booked {
    /// What two entries of the same booking have in common. Words without a
    /// document stand for themselves.
    fn booking(&self) -> (i64, Option<i64>, &str, &str) {
        let document = self.document.as_ref().unwrap_or(&self.words);
        (self.cents, self.day, &self.account, document)
    }
}

impl Paid {
    /// The entry names the counterparty and no other document than the one that the
    /// bank printed. One that says nothing may book anything.
    fn is_named_by(&self, entry: &Booked) -> bool {
        let named = entry.words.split(' ').any(|word| word == self.name);
        let same = self.document.is_none() || self.document == entry.document;
        let silent = entry.words.is_empty() && entry.document.is_none();
        silent || (named && same && !self.name.is_empty())
    }
}

fn enrich(named: Named) -> Measured {
    fn by_id(lines: &[Dated]) -> BTreeMap<&str, &Dated> {
        lines.iter().map(|it| (it.id.as_str(), it)).collect()
    }
    let (bank, ledger) = (by_id(&named.bank), by_id(&named.ledger));
    let near = |pair: &Pair| {
        let paid = bank.get(pair.bank_id.as_str())?;
        let booked = ledger.get(pair.ledger_id.as_str())?;
        let days = paid.day?.abs_diff(booked.day?);
        let cents = paid.cents.abs_diff(booked.cents);
        (days <= MOST_DAYS && cents <= MOST_CENTS).then(|| Apart {
            bank_id: pair.bank_id.clone(),
            ledger_id: pair.ledger_id.clone(),
            days: days as i64,
            cents: cents as i64,
        })
    };
    let pairs = named.pairs.iter().filter_map(near).collect();
    let amounts = |lines: &[Dated]| -> Vec<Amount> {
        let amount = |it: &Dated| Amount {
            id: it.id.clone(),
            cents: it.cents,
        };
        lines.iter().map(amount).collect()
    };
    Measured {
        bank: amounts(&named.bank),
        ledger: amounts(&named.ledger),
        duplicates: named.duplicates,
        pairs,
    }
}

fn check(mut measured: Measured) -> Checked {
    measured.pairs.sort_by(|a, b| a.order().cmp(&b.order()));
    let (mut banked, mut booked) = (BTreeSet::new(), BTreeSet::new());
    let mut matches = Vec::new();
    for pair in &measured.pairs {
        let free = !banked.contains(&pair.bank_id) && !booked.contains(&pair.ledger_id);
        if free {
            banked.insert(&pair.bank_id);
            booked.insert(&pair.ledger_id);
            matches.push(pair.clone());
        }
    }
    let bank = measured.bank.iter().filter(|it| !banked.contains(&it.id));
    let ledger = measured.ledger.iter();
    let ledger = ledger.filter(|it| !booked.contains(&it.id));
    let open = bank.chain(ledger).cloned().collect();
    Checked {
        matches,
        duplicates: measured.duplicates,
        open,
    }
}

impl Apart {
    /// The nearest first.
    fn order(&self) -> (i64, i64, &str, &str) {
        (self.days, self.cents, &self.bank_id, &self.ledger_id)
    }
}

fn decide(checked: Checked) -> Decided {
    let Checked {
        mut matches,
        duplicates,
        mut open,
    } = checked;
    matches.sort_by(|a, b| (&a.bank_id, &a.ledger_id).cmp(&(&b.bank_id, &b.ledger_id)));
    open.sort_by(|a, b| a.id.cmp(&b.id));
    let sum = |all: &mut dyn Iterator<Item = i64>| {
        all.fold(0i64, |sum, cents| {
            sum.saturating_add(cents.saturating_abs())
        })
    };
    let apart = sum(&mut matches.iter().map(|it| it.cents));
    let left = sum(&mut open.iter().map(|it| it.cents));
    let exact = matches.iter().all(|it| it.days == 0 && it.cents == 0);
    let (status, reason) = if !open.is_empty() {
        (
            "manual_review_required",
            format!("{} left over", open.len()),
        )
    } else if apart > MOST_IN_ALL {
        (
            "manual_review_required",
            "the differences add up to more than 50".to_owned(),
        )
    } else if exact && duplicates.is_empty() {
        (
            "perfect_match",
            "every match agrees in day and amount".to_owned(),
        )
    } else {
        (
            "resolvable_with_logic",
            "nothing is left over but differences and duplicates".to_owned(),
        )
    };
    let matches = matches.into_iter().map(|it| Match {
        bank_id: it.bank_id,
        ledger_id: it.ledger_id,
        cents: it.cents,
    });
    Decided {
        reason,
        status: status.to_owned(),
        cents: apart.saturating_add(left),
        matches: matches.collect(),
        open,
    }
}

fn record(decided: Decided) -> Recorded {
    let pair = |it: Match| Pair {
        bank_id: it.bank_id,
        ledger_id: it.ledger_id,
    };
    Recorded {
        status: decided.status,
        discrepancy: decided.cents as f64 / 100.0,
        matches: decided.matches.into_iter().map(pair).collect(),
    }
}
