//! Reconciliations: what the bank moved, what the ledger booked, and which
//! belongs to which.
//!
//! Exact counts, not draws (`shapes` has those of the benchmark by length as well):
//!
//! | example | benchmark | challenge | right status |
//! |---|---|---|---|
//! | 8 | 28 | nothing | perfect |
//! | 6 | 26 | equal amounts on equal days: the texts decide | perfect |
//! | 5 | 12 | booked 1 to 3 days late, beside a stranger with the same amount | resolvable |
//! | 5 | 10 | booked up to 1.00 off, beside a stranger with that very amount | resolvable |
//! | 4 | 9 | booked twice, beside another payment to the same business | resolvable |
//! | 3 | 4 | a bank transaction that nobody booked | manual |
//! | 3 | 4 | an entry that the bank never saw | manual |
//! | 3 | 4 | a payment and an entry that agree in amount and day and nothing else | manual |
//! | 3 | 3 | booked more than 3 days or 1.00 off | manual |
//! | 40 | 100 | | |
//!
//! What belongs together is what the text of the entry says: it names the
//! counterparty by its first word at least, and the document's number where the
//! bank printed one. By amount and day alone 14 sets of the example or more come out wrong. Apart
//! from the challenges, amounts of a set are far enough from one another that no
//! two can be taken for the same. The records never say which challenge they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::LN_10;

use serde::Serialize;

use super::draw::{Draw, exp};
use super::invoices::vendors::VENDORS;
use super::written::{Cents, day_of_2024, pretty};
use super::{Difficulty, File};

mod shapes;
#[cfg(test)]
pub(super) mod tests;

use shapes::Shape;
pub(crate) use shapes::{BENCHMARK, EXAMPLE};

/// In cents: apart from the challenges no two amounts of a set are nearer.
const APART: u64 = 1_200;

/// A movement on the bank's statement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BankTransaction {
    pub(crate) transaction_id: String,
    pub(crate) date: String,
    pub(crate) amount: Cents,
    pub(crate) counterparty: &'static str,
    pub(crate) description: String,
}

/// A line of the ledger.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LedgerEntry {
    pub(crate) entry_id: String,
    pub(crate) posting_date: String,
    pub(crate) amount: Cents,
    pub(crate) account: String,
    pub(crate) text: String,
}

/// What an agent is given.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reconciliation {
    pub(crate) reconciliation_id: String,
    pub(crate) bank_transactions: Vec<BankTransaction>,
    pub(crate) ledger_entries: Vec<LedgerEntry>,
}

/// A bank transaction and the entry that books it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Match {
    pub(crate) bank_id: String,
    pub(crate) ledger_id: String,
}

/// What a set comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    PerfectMatch,
    ResolvableWithLogic,
    ManualReviewRequired,
}

/// What makes a set hard. For grouping results, not for agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Challenge {
    None,
    Namesake,
    DateShift,
    Rounding,
    Duplicate,
    Unbooked,
    Unpaid,
    Decoy,
    Outside,
}

/// The right answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gold {
    pub(crate) status: Status,
    pub(crate) discrepancy: Cents,
    /// Sorted by the bank's ids.
    pub(crate) matches: Vec<Match>,
    pub(crate) challenge: Challenge,
    /// Where the shape says how long it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) difficulty: Option<Difficulty>,
}

/// The whole set.
pub(crate) struct ReconciliationSet {
    /// Sorted by id.
    pub(crate) reconciliations: Vec<Reconciliation>,
    /// By id.
    pub(crate) gold: BTreeMap<String, Gold>,
}

impl ReconciliationSet {
    /// `reconciliations.json` and `gold.json`.
    pub(crate) fn files(&self) -> Vec<File> {
        vec![
            File {
                name: "reconciliations.json",
                text: pretty(&self.reconciliations),
            },
            File {
                name: "gold.json",
                text: pretty(&self.gold),
            },
        ]
    }
}

/// The set of this shape and seed.
pub(crate) fn generate(shape: &Shape, seed: u64) -> ReconciliationSet {
    let cases: Vec<_> = shape
        .cases
        .iter()
        .flat_map(|(count, challenge, length)| std::iter::repeat_n((*challenge, *length), *count))
        .collect();
    let mut set = ReconciliationSet {
        reconciliations: Vec::new(),
        gold: BTreeMap::new(),
    };
    let prefix = shape.prefix;
    let order = Draw::new(seed, &format!("{prefix}challenges")).shuffled(cases.len());
    for (number, case) in order.into_iter().enumerate() {
        let Some((challenge, difficulty)) = cases.get(case).copied() else {
            continue;
        };
        // A stream of its own: what one set draws never moves another.
        let mut made = Made {
            draw: Draw::new(seed, &format!("{prefix}reconciliation {number}")),
            deals: Vec::new(),
            amounts: Vec::new(),
            documents: BTreeSet::new(),
        };
        made.fill(challenge, difficulty);
        let (record, gold) = made.write(number + 1, challenge);
        let gold = Gold { difficulty, ..gold };
        set.gold.insert(record.reconciliation_id.clone(), gold);
        set.reconciliations.push(record);
    }
    set
}

/// An amount in cents on a day of the year.
type Moved = (u64, usize);

/// What happened: a payment as the bank saw it and as it was booked.
#[derive(Clone)]
struct Deal {
    vendor: &'static str,
    document: usize,
    /// Whether the bank printed the document's number.
    printed: bool,
    bank: Option<Moved>,
    booked: Option<Moved>,
    /// Whether it was booked once more.
    twice: bool,
    /// Whether both sides are near enough to count as one.
    near: bool,
}

/// One set while it grows.
struct Made {
    draw: Draw,
    deals: Vec<Deal>,
    amounts: Vec<u64>,
    documents: BTreeSet<usize>,
}

impl Made {
    /// Draws the deals of a set.
    fn fill(&mut self, challenge: Challenge, difficulty: Option<Difficulty>) {
        let count = match difficulty {
            Some(difficulty) => self.length(challenge, difficulty),
            None => {
                let sizes = [(1, 3), (3, 4), (5, 6)];
                let (least, more) = sizes.get(self.draw.below(3)).copied().unwrap_or((3, 4));
                least + self.draw.below(more)
            }
        };
        // Most challenges need two deals.
        let count = match challenge {
            Challenge::None => count,
            _ => count.max(2),
        };
        let vendors = self.draw.shuffled(VENDORS.len());
        for vendor in vendors.into_iter().take(count) {
            let vendor = VENDORS.get(vendor).copied().unwrap_or_default();
            let deal = self.exact(vendor);
            self.deals.push(deal);
        }
        self.challenge(challenge);
        if !matches!(challenge, Challenge::None | Challenge::Namesake) {
            self.delay_some();
        }
    }

    /// How many deals make a statement of this length: one of them may be unknown
    /// to the bank.
    fn length(&mut self, challenge: Challenge, difficulty: Difficulty) -> usize {
        let (least, most) = difficulty.transactions();
        let (least, unknown) = match challenge {
            Challenge::None => (least, 0),
            Challenge::Unpaid | Challenge::Decoy => (least, 1),
            _ => (least.max(2), 0),
        };
        least + self.draw.below(most - least + 1) + unknown
    }

    /// A payment that was booked exactly.
    fn exact(&mut self, vendor: &'static str) -> Deal {
        let amount = loop {
            // Evenly between the logarithms of 10 and 10 000.
            let euros = exp(LN_10 * (1.0 + 3.0 * self.draw.unit()));
            let amount = (euros * 100.0).round() as u64;
            if self.amounts.iter().all(|it| it.abs_diff(amount) > APART) {
                break amount;
            }
        };
        self.amounts.push(amount);
        let moved = Some((amount, 10 + self.draw.below(330)));
        Deal {
            vendor,
            document: self.document(),
            printed: self.draw.below(3) > 0,
            bank: moved,
            booked: moved,
            twice: false,
            near: true,
        }
    }

    fn document(&mut self) -> usize {
        loop {
            let document = 1_000 + self.draw.below(9_000);
            if self.documents.insert(document) {
                break document;
            }
        }
    }

    /// Changes the first two deals, or adds some.
    fn challenge(&mut self, challenge: Challenge) {
        let Made { draw, deals, .. } = self;
        let [first, second, ..] = deals.as_mut_slice() else {
            return;
        };
        match challenge {
            Challenge::None => {}
            Challenge::Namesake => {
                second.bank = first.bank;
                second.booked = first.booked;
                // Every other one of them pays the same business twice.
                if draw.below(2) == 0 {
                    second.vendor = first.vendor;
                    first.printed = true;
                    second.printed = true;
                }
            }
            Challenge::DateShift => {
                let mut days = || 1 + draw.below(3);
                first.booked = first.bank.map(|(amount, day)| (amount, day + days()));
                second.bank = first.booked;
                second.booked = second.bank.map(|(amount, day)| (amount, day + days()));
            }
            Challenge::Rounding => {
                let mut cents = || 1 + draw.below(100) as u64;
                first.booked = first.bank.map(|(amount, day)| (amount + cents(), day));
                second.bank = first.booked;
                second.booked = second.bank.map(|(amount, day)| (amount + cents(), day));
            }
            Challenge::Duplicate => {
                first.twice = true;
                *second = Deal {
                    document: second.document,
                    twice: false,
                    printed: true,
                    ..first.clone()
                };
                first.printed = true;
            }
            Challenge::Outside => {
                let (days, cents) = match draw.below(2) {
                    0 => (4 + draw.below(3), 0),
                    _ => (0, 101 + draw.below(400) as u64),
                };
                first.near = false;
                first.booked = first.bank.map(|(amount, day)| (amount + cents, day + days));
            }
            Challenge::Unbooked => first.booked = None,
            Challenge::Unpaid => first.bank = None,
            Challenge::Decoy => {
                second.bank = None;
                second.booked = first.booked.take();
                // The same business, but another of its documents.
                if draw.below(2) == 0 {
                    second.vendor = first.vendor;
                    first.printed = true;
                }
            }
        }
    }

    /// Books some of the deals without a challenge up to three days late.
    fn delay_some(&mut self) {
        for deal in self.deals.iter_mut().skip(2) {
            let late = self.draw.below(4) == 0;
            let days = 1 + self.draw.below(3);
            if late {
                deal.booked = deal.bank.map(|(amount, day)| (amount, day + days));
            }
        }
    }

    /// The record, in an order that tells nothing, and its right answer.
    fn write(mut self, number: usize, challenge: Challenge) -> (Reconciliation, Gold) {
        let mut banked: Vec<usize> = self.draw.shuffled(self.deals.len());
        banked.retain(|at| self.deals.get(*at).is_some_and(|deal| deal.bank.is_some()));
        banked.sort_by_key(|at| {
            self.deals
                .get(*at)
                .and_then(|deal| deal.bank)
                .map(|it| it.1)
        });
        let mut booked: Vec<usize> = Vec::new();
        for (at, deal) in self.deals.iter().enumerate() {
            let times = usize::from(deal.booked.is_some()) + usize::from(deal.twice);
            booked.extend(std::iter::repeat_n(at, times));
        }
        let order = self.draw.shuffled(booked.len());
        let booked: Vec<usize> = order
            .iter()
            .filter_map(|at| booked.get(*at).copied())
            .collect();

        let Made { draw, deals, .. } = &mut self;
        let mut record = Reconciliation {
            reconciliation_id: format!("REC-{number:05}"),
            bank_transactions: Vec::new(),
            ledger_entries: Vec::new(),
        };
        let mut bank_ids = BTreeMap::new();
        for at in banked {
            let Some((deal, (amount, day))) = deals.get(at).and_then(|d| Some((d, d.bank?))) else {
                continue;
            };
            let id = format!("BANK-{number:05}-{:03}", record.bank_transactions.len() + 1);
            record.bank_transactions.push(BankTransaction {
                transaction_id: id.clone(),
                date: day_of_2024(day),
                amount: Cents(amount),
                counterparty: deal.vendor,
                description: description(draw, deal),
            });
            bank_ids.insert(at, id);
        }
        let mut ledger_ids = BTreeMap::new();
        for at in booked {
            let Some((deal, (amount, day))) = deals.get(at).and_then(|d| Some((d, d.booked?)))
            else {
                continue;
            };
            let id = format!("LED-{number:05}-{:03}", record.ledger_entries.len() + 1);
            record.ledger_entries.push(LedgerEntry {
                entry_id: id.clone(),
                posting_date: day_of_2024(day),
                amount: Cents(amount),
                account: format!("5000-{:02}", 10 + (deal.document % 90)),
                text: text(draw, deal),
            });
            // Of two the first is the original.
            ledger_ids.entry(at).or_insert(id);
        }
        let gold = gold(deals, &bank_ids, &ledger_ids, challenge);
        (record, gold)
    }
}

/// What the bank prints.
fn description(draw: &mut Draw, deal: &Deal) -> String {
    let words = match deal.printed {
        true => ["Invoice ", "Ref. ", "Payment of invoice "],
        false => ["Bank transfer", "Card payment", "Standing order"],
    };
    let words = draw.pick(&words).copied().unwrap_or_default();
    match deal.printed {
        true => format!("{words}{}", deal.document),
        false => words.to_owned(),
    }
}

/// What the bookkeeper writes.
fn text(draw: &mut Draw, deal: &Deal) -> String {
    let (name, document) = (deal.vendor, deal.document);
    let first = name.split(' ').next().unwrap_or_default();
    match draw.below(4) {
        0 => format!("{} {document}", first.to_uppercase()),
        1 => format!("Inv. {document} {name}"),
        2 => format!("{first}, invoice {document}"),
        _ => format!("{}/{document}", name.to_uppercase()),
    }
}

fn gold(
    deals: &[Deal],
    bank_ids: &BTreeMap<usize, String>,
    ledger_ids: &BTreeMap<usize, String>,
    challenge: Challenge,
) -> Gold {
    let mut matches = Vec::new();
    let (mut discrepancy, mut exact, mut open) = (0, true, false);
    for (at, deal) in deals.iter().enumerate() {
        exact &= deal.bank == deal.booked && !deal.twice;
        match (deal.bank, deal.booked) {
            (Some((paid, _)), Some((booked, _))) if deal.near => {
                discrepancy += paid.abs_diff(booked);
                if let (Some(bank_id), Some(ledger_id)) = (bank_ids.get(&at), ledger_ids.get(&at)) {
                    matches.push(Match {
                        bank_id: bank_id.clone(),
                        ledger_id: ledger_id.clone(),
                    });
                }
            }
            (paid, booked) => {
                open = true;
                discrepancy += paid.map_or(0, |it| it.0) + booked.map_or(0, |it| it.0);
            }
        }
    }
    matches.sort();
    let status = if open || discrepancy > 5_000 {
        Status::ManualReviewRequired
    } else if exact {
        Status::PerfectMatch
    } else {
        Status::ResolvableWithLogic
    };
    Gold {
        status,
        discrepancy: Cents(discrepancy),
        matches,
        challenge,
        difficulty: None,
    }
}
