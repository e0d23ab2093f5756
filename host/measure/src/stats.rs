//! Statistics: plain functions over numbers that somebody else gathered.
//!
//! Each says what it does with too little: an error where a caller asked for
//! something that does not exist, none where a study may honestly not have it.

pub mod bootstrap;
pub mod compare;
pub mod draw;
pub mod label;
pub mod special;

use crate::findings::{Histogram, Interval};

/// Why there is no such number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatsError {
    /// Of nothing there is no percentile and no histogram.
    #[error("there are no values")]
    Empty,
    /// A percentile is a whole number up to 100.
    #[error("`{0}` is no percentile: it is a whole number from 0 to 100")]
    Percentile(u32),
    /// A histogram has a bin at least.
    #[error("a histogram needs one bin at least")]
    NoBins,
    /// A value is infinite or not a number.
    #[error("value number `{0}` is not a finite number")]
    NotFinite(usize),
}

/// The mean; none of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    (count > 0.0).then(|| values.iter().sum::<f64>() / count)
}

/// The sample standard deviation (divided by n - 1); none of fewer than two.
pub fn stdev(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|it| (it - mean) * (it - mean)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// A percentile by linear interpolation between the two values around rank
/// `(n - 1) * percent / 100`, as numpy has it.
///
/// # Errors
/// Without values, beyond 100, or if a value is not finite.
pub fn percentile(values: &[f64], percent: u32) -> Result<f64, StatsError> {
    if percent > 100 {
        return Err(StatsError::Percentile(percent));
    }
    let mut sorted = finite(values)?;
    sorted.sort_unstable_by(f64::total_cmp);
    of_sorted(&sorted, f64::from(percent)).ok_or(StatsError::Empty)
}

/// The same, of values that are in order already.
pub(crate) fn of_sorted(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = last as f64 * percent / 100.0;
    let low = rank.floor() as usize;
    let at = |index: usize| sorted.get(index.min(last)).copied();
    let (below, above) = (at(low)?, at(low + 1)?);
    Some(below + (above - below) * (rank - low as f64))
}

fn finite(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty);
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(StatsError::NotFinite(at)),
        None => Ok(values.to_vec()),
    }
}

/// How many values fall into which of `bins` bins of equal width, from the
/// smallest to the largest. If all are the same, from half below to half above.
///
/// # Errors
/// Without values or bins, or if a value is not finite.
pub fn histogram(values: &[f64], bins: usize) -> Result<Histogram, StatsError> {
    if bins == 0 {
        return Err(StatsError::NoBins);
    }
    let values = finite(values)?;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low < high {
        (low, high)
    } else {
        (low - 0.5, high + 0.5)
    };
    let edge = |at: usize| {
        let share = at as f64 / bins as f64;
        if at == bins {
            high
        } else {
            low + (high - low) * share
        }
    };
    let edges_s: Vec<f64> = (0..=bins).map(edge).collect();
    let mut counts = vec![0; bins];
    for value in values {
        // By comparison with the edges that are told, not by a division that
        // could round to another bin.
        let bin = edges_s.partition_point(|edge| *edge <= value);
        if let Some(count) = counts.get_mut(bin.saturating_sub(1).min(bins - 1)) {
            *count += 1;
        }
    }
    Ok(Histogram { edges_s, counts })
}

/// How long groups take one after the other whose members run side by side: the
/// longest of each group, added up.
pub fn parallel_latency(groups: &[Vec<f64>]) -> f64 {
    let longest = |group: &Vec<f64>| group.iter().copied().fold(0.0, f64::max);
    groups.iter().map(longest).sum()
}

/// Wilson's score interval for a share at 95 %; none of nothing: with `p` the share,
/// `n` the trials and z = 1.959964,
///
/// ```text
/// (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)
/// ```
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical
/// inference", Journal of the American Statistical Association 22 (1927), 209-212.
/// It takes the trials for independent of one another.
pub fn wilson(right: u64, trials: u64) -> Option<Interval> {
    /// The 97.5th percentile of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let share = right.min(trials) as f64 / n;
    let denominator = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / denominator;
    let spread = (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let half = Z * spread / denominator;
    Some(Interval {
        low: (centre - half).max(0.0),
        high: (centre + half).min(1.0),
    })
}

/// The chance that at least one, and that every one, of `k` tries is right,
/// estimated without bias from `trials` tries of the same task of which `right`
/// were right. None if there are fewer tries than `k`.
///
/// Of all ways to choose k of the tries: the share without a wrong one is
/// pass^k; one less the share without a right one is pass@k (Chen and others,
/// "Evaluating large language models trained on code", 2021).
pub fn pass(right: u64, trials: u64, k: u64) -> Option<(f64, f64)> {
    if k == 0 || k > trials || right > trials {
        return None;
    }
    // The chance that all of k chosen are among `kind`.
    let all_of = |kind: u64| -> f64 {
        let factor = |i: u64| kind.saturating_sub(i) as f64 / (trials - i) as f64;
        (0..k).map(factor).product()
    };
    Some((1.0 - all_of(trials - right), all_of(right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn percentiles_are_those_of_linear_interpolation() {
        let ten: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        let cases = [(0, 1.0), (25, 3.25), (50, 5.5), (95, 9.55), (100, 10.0)];
        for (percent, expected) in cases {
            let found = percentile(&ten, percent).unwrap();
            assert!(close(found, expected), "{percent}: {found}");
        }
        assert_eq!(percentile(&[7.0], 95), Ok(7.0));
        assert_eq!(percentile(&[], 50), Err(StatsError::Empty));
        assert_eq!(percentile(&ten, 101), Err(StatsError::Percentile(101)));
        assert_eq!(
            percentile(&[1.0, f64::NAN], 50),
            Err(StatsError::NotFinite(1))
        );
    }

    #[test]
    fn a_histogram_has_one_edge_more_than_bins_and_loses_nothing() {
        let found = histogram(&[0.0, 1.0, 1.9, 2.0, 3.0, 4.0], 4).unwrap();
        assert_eq!(found.edges_s, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(found.counts, [1, 2, 1, 2]);
        let same = histogram(&[3.0, 3.0], 2).unwrap();
        assert_eq!(
            (same.edges_s, same.counts),
            (vec![2.5, 3.0, 3.5], vec![0, 2])
        );
        assert_eq!(histogram(&[], 4), Err(StatsError::Empty));
        assert_eq!(histogram(&[1.0], 0), Err(StatsError::NoBins));
    }

    #[test]
    fn groups_side_by_side_take_as_long_as_their_longest() {
        let groups = [vec![1.0, 2.0, 3.0], vec![4.0, 5.0], vec![6.0]];
        assert!(close(parallel_latency(&groups), 14.0));
        assert!(close(parallel_latency(&[]), 0.0));
    }

    #[test]
    fn a_deviation_needs_two_values() {
        assert_eq!(mean(&[]), None);
        assert_eq!(stdev(&[1.0]), None);
        // 2, 4, 4, 4, 5, 5, 7, 9: squares add up to 32, over 7.
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert!(close(stdev(&values).unwrap(), (32.0_f64 / 7.0).sqrt()));
    }

    #[test]
    fn wilsons_interval_of_seventy_percent_narrows_with_the_trials() {
        // right, trials, low and high in percent
        let cases = [
            (210, 300, 64.6, 74.9),
            (70, 100, 60.4, 78.1),
            (1680, 2400, 68.1, 71.8),
        ];
        for (right, trials, low, high) in cases {
            let found = wilson(right, trials).unwrap();
            let told = |share: f64| (share * 1000.0).round() / 10.0;
            assert_eq!((told(found.low), told(found.high)), (low, high), "{trials}");
        }
        assert_eq!(wilson(0, 0), None);
        let all = wilson(10, 10).unwrap();
        assert!(
            all.low > 0.7 && all.low < 0.73 && close(all.high, 1.0),
            "{all:?}"
        );
        assert!(close(wilson(0, 10).unwrap().low, 0.0));
    }

    #[test]
    fn passing_k_tries_is_counted_over_all_ways_to_choose_them() {
        for trials in 1..=6_u64 {
            for right in 0..=trials {
                for k in 1..=trials {
                    // Every choice of k tries as a set of bits; tries below
                    // `right` are the right ones.
                    let (mut any, mut all, mut choices) = (0.0, 0.0, 0.0);
                    for chosen in 0_u64..1 << trials {
                        if u64::from(chosen.count_ones()) != k {
                            continue;
                        }
                        let rights = u64::from((chosen & ((1 << right) - 1)).count_ones());
                        choices += 1.0;
                        any += f64::from(u8::from(rights > 0));
                        all += f64::from(u8::from(rights == k));
                    }
                    let found = pass(right, trials, k).unwrap();
                    assert!(close(found.0, any / choices), "{right}/{trials}, {k}");
                    assert!(close(found.1, all / choices), "{right}/{trials}, {k}");
                }
            }
        }
        assert_eq!(pass(1, 2, 3), None);
        assert_eq!(pass(1, 2, 0), None);
    }
}
