//! What votes come to: arithmetic alone, the same in whatever order they came.
//!
//! Two values are the same vote if they are equal as JSON, whatever the order of
//! their keys and whether a number is written `1` or `1.0`. `null` is no vote.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The most options that one ranked vote may list; what follows is not read.
pub const OPTIONS: usize = 64;

/// How votes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// More than half of the valid votes.
    Majority,
    /// More than any other value.
    Plurality,
    /// More weight than any other value.
    Weighted,
    /// All valid votes.
    Unanimous,
    /// At least so many, and more than any other value.
    Quorum(usize),
    /// Votes are lists, the best first: while no option is first for more than
    /// half of those who still name one, the options that are first for the fewest
    /// are struck, all of them at once. If those are all that are left, it is a
    /// tie.
    Ranked,
    /// The mean of numbers by weight, and whether it is at least this much.
    Mean {
        /// The threshold, if one matters.
        at_least: Option<f64>,
    },
}

/// A valid vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// For what.
    pub value: Value,
    /// What it counts where weights matter; 0 or more.
    pub weight: f64,
}

/// What the votes come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// This value, and how sure the vote makes it: 0 to 1.
    Decided(Value, f64),
    /// These share the first place, or none has enough.
    Tie(Vec<Value>),
    /// Too few valid votes.
    NoQuorum,
}

/// The least valid votes that may decide: more than half of the voters.
pub fn least(voters: usize) -> usize {
    voters / 2 + 1
}

/// Counts valid votes, of which there must be at least so many. Nobody's vote
/// never decides.
pub fn tally(strategy: Strategy, votes: &[Vote], least: usize) -> Verdict {
    if votes.len() < least.max(1) {
        return Verdict::NoQuorum;
    }
    match strategy {
        Strategy::Ranked => ranked(votes),
        Strategy::Mean { .. } => match mean(votes) {
            Some((mean, sure)) => Verdict::Decided(mean.into(), sure),
            None => Verdict::NoQuorum,
        },
        Strategy::Majority
        | Strategy::Plurality
        | Strategy::Weighted
        | Strategy::Unanimous
        | Strategy::Quorum(_) => count(strategy, votes),
    }
}

/// Whether the votes that are still to come cannot change what is decided, be they
/// for whatever value or none. `to_come` has the most that each of them can weigh.
pub fn settled(strategy: Strategy, votes: &[Vote], to_come: &[f64], least: usize) -> bool {
    let Verdict::Decided(value, _) = tally(strategy, votes, least) else {
        return false;
    };
    let piles = piles(votes);
    let (mut own, mut other) = (Pile::default(), Pile::default());
    for (key, pile) in &piles {
        match *key == canonical(&value) {
            true => own = *pile,
            false => {
                other.count = other.count.max(pile.count);
                other.weight = other.weight.max(pile.weight);
            }
        }
    }
    let more = to_come.len();
    match strategy {
        Strategy::Majority => 2 * own.count > votes.len() + more,
        Strategy::Plurality | Strategy::Quorum(_) => own.count > other.count + more,
        Strategy::Weighted => own.weight > other.weight + to_come.iter().sum::<f64>(),
        // One more voice can still undo it.
        Strategy::Unanimous | Strategy::Ranked | Strategy::Mean { .. } => more == 0,
    }
}

/// The votes for one value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pile {
    count: usize,
    weight: f64,
    /// The first vote for it.
    first: usize,
}

fn piles(votes: &[Vote]) -> BTreeMap<String, Pile> {
    let mut piles: BTreeMap<String, Pile> = BTreeMap::new();
    for (at, vote) in votes.iter().enumerate() {
        let pile = piles.entry(canonical(&vote.value)).or_insert(Pile {
            first: at,
            ..Pile::default()
        });
        pile.count += 1;
        pile.weight += vote.weight;
    }
    piles
}

fn count(strategy: Strategy, votes: &[Vote]) -> Verdict {
    let piles = piles(votes);
    let size = |pile: &Pile| match strategy {
        Strategy::Weighted => pile.weight,
        _ => pile.count as f64,
    };
    let largest = piles.values().map(size).fold(0.0, f64::max);
    let first: Vec<&Pile> = piles
        .values()
        .filter(|pile| size(pile) == largest)
        .collect();
    let values = |piles: &[&Pile]| {
        let value = |pile: &&Pile| votes.get(pile.first).map(|vote| vote.value.clone());
        piles.iter().filter_map(value).collect::<Vec<_>>()
    };
    let all: f64 = piles.values().map(size).sum();
    let enough = |pile: &Pile| match strategy {
        Strategy::Majority => 2 * pile.count > votes.len(),
        Strategy::Unanimous => pile.count == votes.len(),
        Strategy::Quorum(k) => pile.count >= k,
        _ => all > 0.0,
    };
    match (first.as_slice(), values(&first)) {
        ([pile], values) if enough(pile) => match values.into_iter().next() {
            Some(value) => Verdict::Decided(value, largest / all),
            None => Verdict::NoQuorum,
        },
        // Nobody has enough: all are told.
        ([_], _) => Verdict::Tie(values(&piles.values().collect::<Vec<_>>())),
        (_, values) => Verdict::Tie(values),
    }
}

/// The mean of the votes that are numbers, by weight, and the mean weight. None if
/// nothing weighs anything.
pub fn mean(votes: &[Vote]) -> Option<(f64, f64)> {
    let numbers: Vec<(f64, f64)> = votes
        .iter()
        .filter_map(|vote| Some((vote.value.as_f64()?, vote.weight)))
        .collect();
    let weight: f64 = numbers.iter().map(|(_, weight)| weight).sum();
    let sum: f64 = numbers.iter().map(|(value, weight)| value * weight).sum();
    let sure = (weight / numbers.len() as f64).min(1.0);
    (weight > 0.0).then_some((sum / weight, sure))
}

fn ranked(votes: &[Vote]) -> Verdict {
    let lists: Vec<Vec<&Value>> = votes
        .iter()
        .filter_map(|vote| vote.value.as_array())
        .map(|list| list.iter().take(OPTIONS).collect())
        .collect();
    let all = lists.iter().flatten();
    let mut left: BTreeMap<String, Value> = all
        .map(|value| (canonical(value), (*value).clone()))
        .collect();
    loop {
        let mut counts: BTreeMap<&str, usize> = left.keys().map(|key| (&**key, 0)).collect();
        for list in &lists {
            let mut options = list.iter().map(|value| canonical(value));
            if let Some(first) = options.find(|key| left.contains_key(key))
                && let Some(count) = counts.get_mut(first.as_str())
            {
                *count += 1;
            }
        }
        let voices: usize = counts.values().sum();
        let most = counts.iter().max_by_key(|(_, count)| **count);
        if let Some((key, count)) = most
            && 2 * count > voices
            && let Some(value) = left.get(*key)
        {
            return Verdict::Decided(value.clone(), *count as f64 / votes.len() as f64);
        }
        let Some(fewest) = counts.values().min().copied() else {
            return Verdict::NoQuorum;
        };
        let struck: BTreeSet<String> = counts
            .iter()
            .filter(|(_, count)| **count == fewest)
            .map(|(key, _)| (*key).to_owned())
            .collect();
        if struck.len() == left.len() {
            return Verdict::Tie(left.into_values().collect());
        }
        left.retain(|key, _| !struck.contains(key));
    }
}

/// Which of these numbers lie too far out: more than `z` sample standard deviations
/// from their mean. None of fewer than three, and none if all are equal.
pub fn outliers(scores: &[f64], z: f64) -> Vec<usize> {
    let n = scores.len() as f64;
    if scores.len() < 3 {
        return Vec::new();
    }
    let mean = scores.iter().sum::<f64>() / n;
    let squares: f64 = scores.iter().map(|x| (x - mean) * (x - mean)).sum();
    let deviation = (squares / (n - 1.0)).sqrt();
    let far = |x: f64| deviation > 0.0 && (x - mean).abs() / deviation > z;
    let all = scores.iter().enumerate();
    all.filter(|(_, x)| far(**x)).map(|(at, _)| at).collect()
}

/// The text that is the same for the same value.
pub(super) fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let fields: BTreeMap<&String, &Value> = fields.iter().collect();
            let fields = fields.into_iter();
            fields.map(|(key, it)| (key.clone(), sorted(it))).collect()
        }
        Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
        _ => value.clone(),
    }
}

/// A float that is a whole number, and small enough to be exact.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    let exact = float.fract() == 0.0 && float.abs() < 9.0e15;
    exact.then_some(float as i64)
}

#[cfg(test)]
mod tests;
