//! Which tasks a smaller benchmark takes.
//!
//! Tasks fall into strata, across all three sets. A stratum gives its share of the
//! tasks, in whole tasks by the largest remainders, the earlier one where they are
//! equal; where it has fewer, the others give what is missing, by their own shares.
//! Within a stratum tasks are drawn without replacement, each stratum from a stream
//! of its own.

use clap::ValueEnum;
use serde::Serialize;

use super::super::Difficulty;
use super::super::draw::Draw;
use super::{Suite, Task};

/// How tasks are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Strategy {
    /// Any task as likely as any other
    Random,
    /// 20 % easy, 50 % medium, 30 % hard
    DifficultyStratified,
    /// 70 % edge cases, 30 % ordinary ones
    EdgeCaseFocused,
}

impl Strategy {
    /// Its name in files and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Strategy::Random => "random",
            Strategy::DifficultyStratified => "difficulty_stratified",
            Strategy::EdgeCaseFocused => "edge_case_focused",
        }
    }

    /// The share of each stratum in per cent.
    fn shares(self) -> &'static [usize] {
        match self {
            Strategy::Random => &[100],
            Strategy::DifficultyStratified => &[20, 50, 30],
            Strategy::EdgeCaseFocused => &[70, 30],
        }
    }

    /// The stratum of a task, by its place among the shares.
    fn stratum(self, task: &Task) -> usize {
        match self {
            Strategy::Random => 0,
            Strategy::DifficultyStratified => match task.difficulty {
                Difficulty::Easy => 0,
                Difficulty::Medium => 1,
                Difficulty::Hard => 2,
            },
            Strategy::EdgeCaseFocused => usize::from(!task.edge),
        }
    }
}

impl Suite {
    /// Exactly `count` different tasks, or all when there are no more; in their
    /// order.
    pub(crate) fn select(&self, count: usize, strategy: Strategy, seed: u64) -> Vec<&Task> {
        let mut strata = vec![Vec::new(); strategy.shares().len()];
        for (at, task) in self.tasks.iter().enumerate() {
            if let Some(stratum) = strata.get_mut(strategy.stratum(task)) {
                stratum.push(at);
            }
        }
        let sizes: Vec<usize> = strata.iter().map(Vec::len).collect();
        let counts = allot(count, strategy.shares(), &sizes);
        let mut chosen = Vec::new();
        for (number, (stratum, count)) in strata.iter().zip(counts).enumerate() {
            let stream = format!("select {} {number}", strategy.name());
            let order = Draw::new(seed, &stream).shuffled(stratum.len());
            let drawn = order.into_iter().take(count);
            chosen.extend(drawn.filter_map(|at| stratum.get(at).copied()));
        }
        chosen.sort_unstable();
        chosen
            .into_iter()
            .filter_map(|at| self.tasks.get(at))
            .collect()
    }
}

/// How many each stratum gives.
fn allot(count: usize, shares: &[usize], sizes: &[usize]) -> Vec<usize> {
    let mut given = vec![0; sizes.len()];
    let mut left = count.min(sizes.iter().sum());
    // Every turn gives all that is left, or empties a stratum.
    while left > 0 {
        let room = |at: usize, given: &[usize]| {
            let size = sizes.get(at).copied().unwrap_or(0);
            size - given.get(at).copied().unwrap_or(size).min(size)
        };
        let open: Vec<(usize, usize)> = shares
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, _)| room(*at, &given) > 0)
            .collect();
        let turn = apportion(left, &open);
        for (at, wanted) in turn {
            let most = room(at, &given);
            if let Some(given) = given.get_mut(at) {
                *given += wanted.min(most);
                left -= wanted.min(most);
            }
        }
        if open.is_empty() {
            break;
        }
    }
    given
}

/// Divides a number by shares: whole parts first, then one each to the largest
/// remainders (Hamilton).
fn apportion(count: usize, shares: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let total: usize = shares.iter().map(|(_, share)| share).sum::<usize>().max(1);
    let mut parts: Vec<(usize, usize)> = shares
        .iter()
        .map(|(at, share)| (*at, count * share / total))
        .collect();
    let rest = count - parts.iter().map(|(_, part)| part).sum::<usize>();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let remainder = |at: &usize| {
        shares
            .get(*at)
            .map_or(0, |(_, share)| count * share % total)
    };
    order.sort_by_key(|at| std::cmp::Reverse(remainder(at)));
    for at in order.into_iter().take(rest) {
        if let Some((_, part)) = parts.get_mut(at) {
            *part += 1;
        }
    }
    parts
}
