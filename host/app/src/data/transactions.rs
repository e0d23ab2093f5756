//! Card payments whose right answers follow from what can be seen.
//!
//! A fraud is one of three, and the first whose conditions all hold counts:
//!
//! | fraud | conditions |
//! |---|---|
//! | `stolen_card` | `transaction_count_24h` at least 12; `amount` at least 5 times the average |
//! | `account_takeover` | `account_age_days` at least 365; `amount` at least 20 times the average; before 06:00 UTC; `merchant_country` is not `home_country` |
//! | `synthetic_fraud` | `account_age_days` below 60; `amount` at least 5000; `merchant_category` is electronics, gift_cards or jewellery, which are resold at once |
//!
//! A fraud is blocked. Where none holds, but one would if its numbers were eased
//! by a tenth (10.8, 4.5 times; 328.5, 18 times; 66, 4500), somebody reviews the
//! payment. Anything else is approved.
//!
//! Exact counts, not draws: each payment has a role, and a role may pin a value to
//! one side of a threshold. A decoy misses a single condition of one fraud, and not
//! nearly; whoever looks at less than the whole rule takes it for a fraud.

use std::collections::BTreeMap;

use serde::Serialize;

use super::File;
use super::draw::{Draw, exp};
use super::written::{Cents, day_of_2024, pretty};

mod merchants;
mod roles;
mod rules;

use merchants::{COUNTRIES, Merchant, sells_what_is_resold};
use roles::{Pin, Role, Shape};
use rules::{Ease, conditions, holds};

pub(crate) use roles::{BENCHMARK, EVERYDAY, HIGH_VALUE};

#[cfg(test)]
pub(super) mod tests;

/// What an agent is given.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Transaction {
    pub(super) transaction_id: String,
    user_id: String,
    home_country: &'static str,
    merchant: &'static str,
    merchant_category: &'static str,
    merchant_country: &'static str,
    amount: Cents,
    timestamp: String,
    user_behavior: Behavior,
    /// What the timestamp says, in seconds of its day.
    #[serde(skip)]
    second: usize,
}

/// What is usual for the user.
#[derive(Clone, Debug, Serialize)]
struct Behavior {
    transaction_count_24h: u64,
    avg_transaction_amount: Cents,
    account_age_days: u64,
}

/// A fraud, in the order in which they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fraud {
    StolenCard,
    AccountTakeover,
    #[serde(rename = "synthetic_fraud")]
    Synthetic,
}

const FRAUDS: [Fraud; 3] = [Fraud::StolenCard, Fraud::AccountTakeover, Fraud::Synthetic];

/// How often a payment is drawn for a role at most: far more often than it takes.
const MOST_DRAWS: usize = 5_000;

/// What becomes of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Approve,
    Review,
    Block,
}

/// What makes a payment easy or hard. For grouping results, not for agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Case {
    Ordinary,
    Decoy,
    Near,
    Fraud,
}

/// The right answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Gold {
    fraud_label: bool,
    fraud_type: Option<Fraud>,
    expected_action: Action,
    pub(super) case: Case,
}

/// A whole set.
pub(crate) struct TransactionSet {
    /// Sorted by id.
    pub(super) transactions: Vec<Transaction>,
    /// By transaction id.
    pub(super) gold: BTreeMap<String, Gold>,
}

impl TransactionSet {
    /// `transactions.json` and `gold.json`.
    pub(crate) fn files(&self) -> Vec<File> {
        vec![
            File {
                name: "transactions.json",
                text: pretty(&self.transactions),
            },
            File {
                name: "gold.json",
                text: pretty(&self.gold),
            },
        ]
    }
}

/// The set of this shape and seed.
pub(crate) fn generate(shape: &Shape, seed: u64) -> TransactionSet {
    let roles = shape.roles.iter();
    let roles: Vec<Role> = roles
        .flat_map(|(count, role)| std::iter::repeat_n(*role, *count))
        .collect();
    let numbers = Draw::new(seed, &format!("{} roles", shape.name)).shuffled(roles.len());
    let mut made: Vec<_> = numbers
        .into_iter()
        .zip(roles)
        .filter_map(|(number, role)| Some((transaction(shape, seed, number, role)?, role)))
        .collect();
    made.sort_by(|(one, _), (other, _)| one.transaction_id.cmp(&other.transaction_id));
    let gold = made
        .iter()
        .map(|(it, role)| (it.transaction_id.clone(), gold(it, role.case)))
        .collect();
    TransactionSet {
        transactions: made.into_iter().map(|(it, _)| it).collect(),
        gold,
    }
}

/// A payment that plays this role: drawn until one does. Each has a stream of its
/// own, so what one draws never moves another. None when the role cannot be played:
/// the tests count what is there.
fn transaction(shape: &Shape, seed: u64, number: usize, role: Role) -> Option<Transaction> {
    let mut draw = Draw::new(seed, &format!("{} {number}", shape.name));
    (0..MOST_DRAWS)
        .map(|_| candidate(shape, &mut draw, number, role))
        .find(|it| is_within(shape, it) && plays(role, it) && is_narrow(shape, role, it))
}

/// One draw that leans towards the fraud the role aims at, with its pin.
fn candidate(shape: &Shape, draw: &mut Draw, number: usize, role: Role) -> Transaction {
    let aim = role.aim;
    let takeover = aim == Some(Fraud::AccountTakeover) || role.pin == Pin::TakeoverToo;
    let (from, to) = match aim {
        _ if takeover => (20_001, 60_000),
        None => (200, 4_300),
        Some(Fraud::StolenCard) => (5_001, 18_000),
        Some(_) => (1_000, 30_000),
    };
    let thousandths = between(draw, from, to);
    let mut amount = shape.amount(draw);
    let mut average = amount * 1_000 / thousandths;
    let mut count = match aim {
        Some(Fraud::StolenCard) => between(draw, 12, 20),
        _ => between(draw, 1, 9),
    };
    let mut age = match aim {
        _ if takeover => between(draw, 365, 3_650),
        Some(Fraud::Synthetic) => between(draw, 30, 59),
        _ => between(draw, 70, 3_650),
    };
    let mut second = draw.below(if takeover { 6 * 3_600 } else { 24 * 3_600 });
    let resold = aim == Some(Fraud::Synthetic) && role.pin != Pin::NotResold;
    let merchant = loop {
        let merchant = draw.pick(shape.merchants).copied().unwrap_or_default();
        if !resold || sells_what_is_resold(merchant.category) {
            break merchant;
        }
    };
    let at_home = if takeover {
        role.pin == Pin::AtHome
    } else {
        draw.below(4) > 0
    };
    match role.pin {
        Pin::Count(pinned) => count = pinned,
        Pin::Age(pinned) => age = pinned,
        Pin::Second(pinned) => second = pinned,
        Pin::Amount(pinned) => {
            amount = pinned;
            average = amount * 1_000 / thousandths;
        }
        // An average of whole tenths of a unit has an exact multiple of tenths.
        Pin::Tenths(tenths) => {
            average = amount / tenths * 10;
            amount = average / 10 * tenths;
        }
        Pin::Nothing | Pin::AtHome | Pin::NotResold | Pin::TakeoverToo => {}
    }
    Transaction {
        transaction_id: format!("TXN-{number:05}"),
        user_id: format!("user_{}", between(draw, 1_000, 9_999)),
        home_country: home(draw, merchant, at_home),
        merchant: merchant.name,
        merchant_category: merchant.category,
        merchant_country: merchant.country,
        amount: Cents(amount),
        timestamp: format!(
            "{}T{:02}:{:02}:{:02}Z",
            day_of_2024(draw.below(366)),
            second / 3_600,
            second / 60 % 60,
            second % 60,
        ),
        user_behavior: Behavior {
            transaction_count_24h: count,
            avg_transaction_amount: Cents(average),
            account_age_days: age,
        },
        second,
    }
}

impl Shape {
    /// Cents: the logarithm of an amount is even between those of the limits.
    fn amount(&self, draw: &mut Draw) -> u64 {
        let (lowest, _) = self.amounts;
        (lowest as f64 * exp(draw.unit() * self.spread)).round() as u64
    }
}

fn between(draw: &mut Draw, first: u64, last: u64) -> u64 {
    first + draw.below((last - first + 1) as usize) as u64
}

/// Where the user lives: where the merchant is, or somewhere else.
fn home(draw: &mut Draw, merchant: Merchant, at_home: bool) -> &'static str {
    loop {
        let country = match at_home {
            true => merchant.country,
            false => draw.pick(&COUNTRIES).copied().unwrap_or_default(),
        };
        if at_home || country != merchant.country {
            return country;
        }
    }
}

/// Whether amount and average are such as the set has.
fn is_within(shape: &Shape, it: &Transaction) -> bool {
    let within = |(lowest, highest): (u64, u64), Cents(cents)| (lowest..=highest).contains(&cents);
    within(shape.amounts, it.amount)
        && within(shape.averages, it.user_behavior.avg_transaction_amount)
}

/// Whether a near payment is as near as the set wants it.
fn is_narrow(shape: &Shape, role: Role, it: &Transaction) -> bool {
    let near = role
        .aim
        .filter(|_| shape.narrowly && role.case == Case::Near);
    near.is_none_or(|aim| missed(aim, it) == 1)
}

/// How many conditions of a fraud are not met.
fn missed(fraud: Fraud, it: &Transaction) -> usize {
    let conditions = conditions(fraud, it, Ease::None);
    conditions.into_iter().filter(|met| !met).count()
}

/// Whether a payment is what the role says, and nothing besides.
fn plays(role: Role, it: &Transaction) -> bool {
    let missed = |fraud| missed(fraud, it);
    let (fraud, action) = judged(it);
    match role.case {
        Case::Fraud => {
            let meant = FRAUDS.into_iter().filter(|fraud| {
                let too = role.pin == Pin::TakeoverToo && *fraud == Fraud::AccountTakeover;
                role.aim == Some(*fraud) || too
            });
            meant.eq(FRAUDS.into_iter().filter(|fraud| missed(*fraud) == 0))
        }
        Case::Near => fraud.is_none() && role.aim.is_some_and(|aim| holds(aim, it, Ease::Tenth)),
        Case::Decoy => action == Action::Approve && role.aim.is_some_and(|aim| missed(aim) == 1),
        Case::Ordinary => {
            action == Action::Approve && FRAUDS.into_iter().all(|fraud| missed(fraud) > 1)
        }
    }
}

/// What a payment is, and what becomes of it.
fn judged(it: &Transaction) -> (Option<Fraud>, Action) {
    let first = |ease| FRAUDS.into_iter().find(|fraud| holds(*fraud, it, ease));
    match (first(Ease::None), first(Ease::Tenth)) {
        (Some(fraud), _) => (Some(fraud), Action::Block),
        (None, Some(_)) => (None, Action::Review),
        (None, None) => (None, Action::Approve),
    }
}

fn gold(it: &Transaction, case: Case) -> Gold {
    let (fraud_type, expected_action) = judged(it);
    Gold {
        fraud_label: fraud_type.is_some(),
        fraud_type,
        expected_action,
        case,
    }
}
