//! Reconciliations: what a plain matcher finds, and whether their status follows
//! from anything.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_broker::provider::calendar::days_of;
use serde::Serialize;

use super::super::Labelled;
use super::super::record::{Line, Statement};
use super::{Grouped, Share};
use crate::data::suite::Set;

/// What was found in the reconciliations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StatementAudit {
    /// Expected matches that the plain matcher finds, all of a record.
    pub(crate) matcher: Share,
    /// Statuses that the field `discrepancy_amount` tells.
    pub(crate) discrepancy: Share,
    /// Statuses that follow from what is matched and left over.
    pub(crate) rule: Share,
    /// Statuses that anybody can tell at most who goes by what is matched and left
    /// over: the most frequent one of those that look alike.
    pub(crate) at_most: Share,
    /// Records with ids that say what is wrong with them: `-DUP`, `UNMATCH`.
    pub(crate) telling_ids: Share,
}

/// The farthest that two dates of a match are apart.
const MOST_DAYS: i64 = 3;

/// The farthest that two amounts of a match are apart, in cents.
const MOST_APART: i64 = 100;

/// What may be open in all before a person has to look, in cents.
const MOST_OPEN: i64 = 5_000;

/// What can be seen of a record once it is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    /// Transactions, or entries that repeat none, are left over.
    open: bool,
    /// Entries are left over that repeat one.
    duplicates: bool,
    late: bool,
    off: bool,
    /// More than 50.00 is open.
    much: bool,
}

impl StatementAudit {
    pub(super) fn new(
        statements: &[Labelled<Statement>],
        undecidable: &mut Grouped,
    ) -> StatementAudit {
        let matched: Vec<Matched<'_>> = statements.iter().map(|it| matched(&it.record)).collect();
        let both = || statements.iter().zip(&matched);
        let mut alike: BTreeMap<Look, BTreeMap<&str, usize>> = BTreeMap::new();
        for (it, matched) in both() {
            let statuses = alike.entry(matched.look).or_default();
            *statuses.entry(it.record.status.as_str()).or_default() += 1;
        }
        // Of equally frequent ones the first by name.
        let likely: BTreeMap<Look, &str> = alike
            .into_iter()
            .filter_map(|(look, statuses)| {
                let most = statuses.into_iter().rev().max_by_key(|(_, count)| *count);
                Some((look, most?.0))
            })
            .collect();
        let is_likely = |(it, matched): &(&Labelled<Statement>, &Matched<'_>)| {
            likely.get(&matched.look) == Some(&it.record.status.as_str())
        };
        for (it, matched) in both().filter(|both| !is_likely(both)) {
            let status = &it.record.status;
            let likely = likely.get(&matched.look).copied().unwrap_or_default();
            let why = format!("labelled `{status}`, those that look alike mostly `{likely}`");
            undecidable.add(Set::Reconciliation, why, &it.id);
        }
        StatementAudit {
            matcher: Share::of(both(), |(it, matched)| {
                let expected = it.record.matches.iter();
                let expected: BTreeSet<(&str, &str)> =
                    expected.map(|(a, b)| (a.as_str(), b.as_str())).collect();
                matched.pairs == expected
            }),
            discrepancy: Share::of(statements, |it| {
                let told = match it.record.discrepancy.abs() {
                    0 => "perfect_match",
                    1..=MOST_OPEN => "resolvable_with_logic",
                    _ => "manual_review_required",
                };
                told == it.record.status
            }),
            rule: Share::of(both(), |(it, matched)| {
                matched.look.status() == it.record.status
            }),
            at_most: Share::of(both(), is_likely),
            telling_ids: Share::of(statements, |it| {
                let Statement { bank, ledger, .. } = &it.record;
                let mut ids = bank.iter().chain(ledger).map(|line| line.id.as_str());
                ids.any(|id| is_copy(id) || id.contains("UNMATCH"))
            }),
        }
    }

    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let rows = [
            ("matches found by the plain matcher", self.matcher),
            (
                "statuses told by `discrepancy_amount` (leak)",
                self.discrepancy,
            ),
            ("statuses that follow from the content", self.rule),
            ("statuses that the content can tell at most", self.at_most),
            (
                "records whose ids tell what is wrong (leak)",
                self.telling_ids,
            ),
        ];
        let row = |(check, share): (&str, Share)| (check.to_owned(), share.to_string());
        rows.map(row).to_vec()
    }
}

impl Look {
    fn status(self) -> &'static str {
        if self.open || self.much {
            "manual_review_required"
        } else if self.duplicates || self.late || self.off {
            "resolvable_with_logic"
        } else {
            "perfect_match"
        }
    }
}

/// What a matcher makes of a record.
struct Matched<'s> {
    pairs: BTreeSet<(&'s str, &'s str)>,
    look: Look,
}

/// The plain matcher: within the tolerances, what agrees exactly first, originals
/// before copies, then what is nearest.
fn matched(statement: &Statement) -> Matched<'_> {
    let mut near = Vec::new();
    for (at, bank) in statement.bank.iter().enumerate() {
        for (to, entry) in statement.ledger.iter().enumerate() {
            let days = day(bank)
                .zip(day(entry))
                .map(|(one, other)| (one - other).abs());
            let apart = (bank.amount - entry.amount).abs();
            let Some(days) = days.filter(|days| *days <= MOST_DAYS && apart <= MOST_APART) else {
                continue;
            };
            let exact = days == 0 && apart == 0;
            near.push((!exact, is_copy(&entry.id), days, apart, (at, to)));
        }
    }
    near.sort_unstable();
    let (mut banked, mut booked) = (BTreeSet::new(), BTreeSet::new());
    let mut pairs = BTreeSet::new();
    let (mut late, mut off, mut open_cents) = (false, false, 0_i64);
    for (_, _, days, apart, (at, to)) in near {
        if banked.contains(&at) || booked.contains(&to) {
            continue;
        }
        if let (Some(bank), Some(entry)) = (statement.bank.get(at), statement.ledger.get(to)) {
            pairs.insert((bank.id.as_str(), entry.id.as_str()));
        }
        banked.insert(at);
        booked.insert(to);
        late |= days > 0;
        off |= apart > 0;
        open_cents = open_cents.saturating_add(apart);
    }
    let entries = || statement.ledger.iter().enumerate();
    // An entry that is booked already, by its name or by what it says.
    let repeats = |entry: &Line| {
        let alike = |it: &Line| it.amount == entry.amount && it.date == entry.date;
        let mut taken = entries().filter(|(at, _)| booked.contains(at));
        is_copy(&entry.id) || taken.any(|(_, it)| alike(it))
    };
    let (mut open, mut duplicates) = (false, false);
    for (_, entry) in entries().filter(|(at, _)| !booked.contains(at)) {
        match repeats(entry) {
            true => duplicates = true,
            false => {
                open = true;
                open_cents = open_cents.saturating_add(entry.amount.abs());
            }
        }
    }
    let bank = statement.bank.iter().enumerate();
    for (_, left) in bank.filter(|(at, _)| !banked.contains(at)) {
        open = true;
        open_cents = open_cents.saturating_add(left.amount.abs());
    }
    Matched {
        pairs,
        look: Look {
            open,
            duplicates,
            late,
            off,
            much: open_cents > MOST_OPEN,
        },
    }
}

/// Whether an entry is called a copy of another one.
fn is_copy(id: &str) -> bool {
    id.ends_with("-DUP")
}

fn day(line: &Line) -> Option<i64> {
    let mut parts = line.date.get(..10)?.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    days_of(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}
