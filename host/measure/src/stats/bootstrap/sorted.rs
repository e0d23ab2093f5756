//! Percentiles of values that count as often as their task was drawn.
//!
//! Walking over all values for each of ten thousand draws would take most of
//! the time there is. So it is counted beforehand how many values of each task
//! lie before each of some marks; with a draw's weights, a few sums of products
//! tell between which marks a rank lies, and the rest is a short walk.

/// How many marks.
const MARKS: usize = 64;

/// Values in order, each with the number of its task.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    values: Vec<(f64, usize)>,
    /// How many values from one mark to the next.
    stride: usize,
    /// For each mark, from none of the values to all: how many of them are each
    /// task's.
    before: Vec<Vec<i16>>,
}

impl Sorted {
    pub(super) fn new(mut values: Vec<(f64, usize)>, tasks: usize) -> Sorted {
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let stride = values.len().div_ceil(MARKS).max(1);
        let mut counts = vec![0_i16; tasks];
        let mut before = vec![counts.clone()];
        for part in values.chunks(stride) {
            for (_, task) in part {
                if let Some(count) = counts.get_mut(*task) {
                    *count = count.saturating_add(1);
                }
            }
            before.push(counts.clone());
        }
        Sorted {
            values,
            stride,
            before,
        }
    }

    /// How many values, and of how many tasks.
    pub(super) fn behind(&self) -> (u64, usize) {
        let counts = self.before.last().into_iter().flatten();
        let tasks = counts.filter(|count| **count > 0).count();
        (self.values.len() as u64, tasks)
    }

    /// The percentile by linear interpolation; none if no value counts.
    pub(super) fn percentile(&self, weights: &[i16], percent: u32) -> Option<f64> {
        let total = product(self.before.last()?, weights);
        let last = total.checked_sub(1).filter(|last| *last >= 0)?;
        let rank = f64::from(last) * f64::from(percent) / 100.0;
        let low = rank.floor();
        let at = low as i32;
        // From the last mark with no more than `at` values before it the value is
        // still to come.
        let beyond = self
            .before
            .partition_point(|mark| product(mark, weights) <= at);
        let mark = beyond.saturating_sub(1);
        let mut passed = product(self.before.get(mark)?, weights);
        let mut found = None;
        for (value, task) in self.values.iter().skip(mark * self.stride) {
            passed += i32::from(weights.get(*task).copied().unwrap_or_default());
            if found.is_none() && passed > at {
                found = Some(*value);
            }
            if passed > at + 1 {
                return found.map(|below| below + (value - below) * (rank - low));
            }
        }
        found
    }
}

/// How many values count, if each task's count as often as it was drawn.
fn product(counts: &[i16], weights: &[i16]) -> i32 {
    // There are not nearly enough trials to wrap; asking each time whether there
    // are would cost the processor's wide registers.
    counts
        .iter()
        .zip(weights)
        .fold(0, |sum: i32, (count, weight)| {
            sum.wrapping_add(i32::from(*count).wrapping_mul(i32::from(*weight)))
        })
}

#[cfg(test)]
mod tests {
    use super::super::super::percentile;
    use super::*;
    use crate::stats::draw::Draw;

    #[test]
    fn a_weighted_percentile_is_that_of_the_values_written_out() {
        let mut draw = Draw::new(3, "percentile");
        for round in 0..300 {
            let tasks = 1 + draw.below(40);
            let weights: Vec<i16> = (0..tasks).map(|_| draw.below(4) as i16).collect();
            let mut sorted: Vec<(f64, usize)> =
                (0..draw.below(if round % 2 == 0 { 12 } else { 400 }))
                    .map(|_| (draw.below(30) as f64, draw.below(tasks)))
                    .collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            let written: Vec<f64> = sorted
                .iter()
                .flat_map(|(value, task)| vec![*value; weights[*task] as usize])
                .collect();
            let series = Sorted::new(sorted, tasks);
            for percent in [0, 5, 50, 51, 95, 99, 100] {
                let found = series.percentile(&weights, percent);
                let expected = percentile(&written, percent).ok();
                let same = match (found, expected) {
                    (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                    (found, expected) => found.is_none() && expected.is_none(),
                };
                assert!(same, "{percent} of {written:?}: {found:?}, {expected:?}");
            }
        }
    }
}
