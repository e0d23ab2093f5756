//! Which lines can be looked at apart from the others.
//!
//! Neither a pair nor a duplicate is further apart than the widest tolerance, so
//! lines with a wider gap between their amounts never touch each other, and
//! matching them apart comes to the same as matching them together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MOST_CENTS, Normalised};

pub(super) const SPECIALISTS: [&str; 3] = ["first", "second", "third"];

/// The lines of each specialist that has some.
#[derive(Serialize)]
pub(super) struct Plan {
    given: BTreeMap<&'static str, Normalised>,
}

/// Deals the lines out: group by group, each to whoever has the fewest so far.
pub(super) fn plan(lines: Normalised) -> Plan {
    let bank = lines.bank.iter().map(|it| it.cents);
    let mut amounts: Vec<i64> = bank.chain(lines.ledger.iter().map(|it| it.cents)).collect();
    amounts.sort_unstable();

    // Whose group begins with which amount.
    let mut begins = BTreeMap::new();
    let mut counts = SPECIALISTS.map(|name| (0, name));
    for group in amounts.chunk_by(|low, high| low.abs_diff(*high) <= MOST_CENTS) {
        // Of equals the first is the least.
        if let Some((count, name)) = counts.iter_mut().min_by_key(|(count, _)| *count) {
            *count += group.len();
            begins.extend(group.first().map(|cents| (*cents, *name)));
        }
    }

    // Somebody has to say that there is nothing.
    let [first, ..] = SPECIALISTS;
    let mut given = BTreeMap::from([(first, Normalised::default())]);
    let whose = |cents: i64| begins.range(..=cents).next_back().map_or(first, |it| it.1);
    for line in lines.bank {
        let lines = given.entry(whose(line.cents)).or_default();
        lines.bank.push(line);
    }
    for line in lines.ledger {
        let lines = given.entry(whose(line.cents)).or_default();
        lines.ledger.push(line);
    }
    Plan { given }
}
