//! Intervals by drawing anew: the percentile bootstrap over tasks.
//!
//! What is drawn are *tasks*, each with all its trials, and not trials. Eight
//! seeds of one task are not eight independent tasks: a hard one is hard under
//! every seed, and whoever draws trials gets intervals that are too narrow. The
//! same tasks are drawn for all arms at once, so that a difference or a quotient
//! of two arms keeps what pairing wins.
//!
//! Draw number `r` takes as many tasks as there are, with replacement, from the
//! stream of its name (see [`Draw`]). An interval reaches from the
//! 2.5th to the 97.5th percentile of what the draws give. It says how much
//! another choice of tasks would change, and nothing about a fault model that is
//! wrong.
//!
//! Everything works on sums per task, so a draw costs a few additions for each
//! task and not for each trial.

mod sorted;

use super::draw::Draw;
use super::of_sorted;
use crate::findings::{Estimate, Interval};
use sorted::Sorted;

/// How much of the draws lies within an interval.
pub const CONFIDENCE: f64 = 0.95;

/// A column of sums, one for each task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column(usize);

/// Values of single trials, in order, each with the number of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series(usize);

/// One sum over another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// What is summed.
    pub over: Column,
    /// What it is divided by.
    pub under: Column,
}

/// A number to be found, of the tasks as they are and of each draw.
#[derive(Clone, Copy, Debug)]
pub enum Statistic {
    /// One sum over another; undefined if the other is 0.
    Ratio(Ratio),
    /// One ratio as a multiple of another.
    Quotient(Ratio, Ratio),
    /// A percentile, by linear interpolation.
    Percentile(Series, u32),
}

/// Tasks with what is to be summed over them, and what is to be found.
#[derive(Debug, Default)]
pub struct Table {
    tasks: usize,
    columns: Vec<Vec<f64>>,
    series: Vec<Sorted>,
    statistics: Vec<Statistic>,
}

/// A statistic of a table, to ask the result for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(usize);

/// What was found.
#[derive(Debug, Default)]
pub struct Found(Vec<Option<Estimate>>);

impl Found {
    /// The number and its interval; none if it is undefined.
    pub fn get(&self, asked: Asked) -> Option<Estimate> {
        self.0.get(asked.0).copied().flatten()
    }
}

impl Table {
    /// A table of so many tasks.
    pub fn new(tasks: usize) -> Table {
        Table {
            tasks,
            ..Table::default()
        }
    }

    /// Adds a column of one sum for each task; what is missing counts as 0.
    pub fn column(&mut self, mut sums: Vec<f64>) -> Column {
        sums.resize(self.tasks, 0.0);
        self.columns.push(sums);
        Column(self.columns.len() - 1)
    }

    /// Adds values with the numbers of their tasks, in any order.
    pub fn series(&mut self, mut values: Vec<(f64, usize)>) -> Series {
        values.retain(|(_, task)| *task < self.tasks);
        self.series.push(Sorted::new(values, self.tasks));
        Series(self.series.len() - 1)
    }

    /// Asks for a statistic.
    pub fn ask(&mut self, statistic: Statistic) -> Asked {
        self.statistics.push(statistic);
        Asked(self.statistics.len() - 1)
    }

    /// Asks for one sum over another.
    pub fn ratio(&mut self, over: Column, under: Column) -> Asked {
        self.ask(Statistic::Ratio(Ratio { over, under }))
    }

    /// Finds everything that was asked for, with intervals from so many draws.
    pub fn find(&self, draws: u32, seed: u64, stream: &str) -> Found {
        let rows = self.rows();
        let mut sums = vec![0.0; self.columns.len()];
        let mut weights = vec![1_i16; self.tasks];
        self.add_up(&rows, &weights, &mut sums);
        let values: Vec<_> = self.each(&sums, &weights).collect();

        let mut draw = Draw::new(seed, stream);
        let mut drawn: Vec<Vec<f64>> = values.iter().map(|_| Vec::new()).collect();
        for _ in 0..draws {
            weights.fill(0);
            for _ in 0..self.tasks {
                if let Some(weight) = weights.get_mut(draw.below(self.tasks)) {
                    *weight = weight.saturating_add(1);
                }
            }
            self.add_up(&rows, &weights, &mut sums);
            for (drawn, value) in drawn.iter_mut().zip(self.each(&sums, &weights)) {
                drawn.extend(value);
            }
        }

        let found = values.into_iter().zip(drawn).zip(&self.statistics);
        let estimate = |((value, drawn), statistic): ((Option<f64>, _), _)| {
            let (n, tasks) = self.behind(statistic);
            let interval = (tasks > 1).then(|| interval(drawn, draws)).flatten();
            value.map(|value| Estimate { value, interval, n })
        };
        Found(found.map(estimate).collect())
    }

    /// The sums of one task side by side, one task after the other.
    fn rows(&self) -> Vec<f64> {
        let mut rows = Vec::with_capacity(self.tasks * self.columns.len());
        for task in 0..self.tasks {
            let cells = self.columns.iter().filter_map(|column| column.get(task));
            rows.extend(cells);
        }
        rows
    }

    fn add_up(&self, rows: &[f64], weights: &[i16], sums: &mut [f64]) {
        sums.fill(0.0);
        if self.columns.is_empty() {
            return;
        }
        for (row, weight) in rows.chunks_exact(self.columns.len()).zip(weights) {
            if *weight == 0 {
                continue;
            }
            let weight = f64::from(*weight);
            for (sum, cell) in sums.iter_mut().zip(row) {
                *sum += weight * cell;
            }
        }
    }

    fn each(&self, sums: &[f64], weights: &[i16]) -> impl Iterator<Item = Option<f64>> {
        self.statistics.iter().map(|statistic| match statistic {
            Statistic::Ratio(ratio) => ratio.of(sums),
            Statistic::Quotient(over, under) => quotient(over.of(sums)?, under.of(sums)?),
            Statistic::Percentile(series, percent) => {
                self.series.get(series.0)?.percentile(weights, *percent)
            }
        })
    }

    /// How many observations, and how many tasks, are behind a statistic.
    fn behind(&self, statistic: &Statistic) -> (u64, usize) {
        let of_column = |column: Column| {
            let cells = self.columns.get(column.0).into_iter().flatten();
            let sum: f64 = cells.clone().sum();
            (sum as u64, cells.filter(|cell| **cell > 0.0).count())
        };
        match statistic {
            Statistic::Ratio(ratio) | Statistic::Quotient(ratio, _) => of_column(ratio.under),
            Statistic::Percentile(series, _) => {
                self.series.get(series.0).map_or((0, 0), Sorted::behind)
            }
        }
    }
}

impl Ratio {
    fn of(self, sums: &[f64]) -> Option<f64> {
        quotient(*sums.get(self.over.0)?, *sums.get(self.under.0)?)
    }
}

fn quotient(over: f64, under: f64) -> Option<f64> {
    (under != 0.0).then(|| over / under)
}

/// From the 2.5th to the 97.5th percentile. None if more than half of the draws
/// left the statistic undefined, or if there is nothing between the two.
fn interval(mut drawn: Vec<f64>, draws: u32) -> Option<Interval> {
    if drawn.len() < 2 || drawn.len() as f64 * 2.0 < f64::from(draws) {
        return None;
    }
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0 * 100.0;
    let low = of_sorted(&drawn, tail)?;
    let high = of_sorted(&drawn, 100.0 - tail)?;
    (low < high).then_some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One trial for each task: `right` of them right.
    fn share(right: usize, tasks: usize) -> (Table, Asked) {
        let mut table = Table::new(tasks);
        let rights = (0..tasks).map(|at| f64::from(u8::from(at < right)));
        let over = table.column(rights.collect());
        let under = table.column(vec![1.0; tasks]);
        let asked = table.ratio(over, under);
        (table, asked)
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_binomial_distribution() {
        let (table, asked) = share(210, 300);
        let found = table.find(10_000, 42, "test").get(asked).unwrap();
        assert!((found.value - 0.7).abs() < 1e-12);
        assert_eq!(found.n, 300);
        // 0.7 -+ 1.96 * sqrt(0.7 * 0.3 / 300), in steps of 1/300
        let interval = found.interval.unwrap();
        assert!((interval.low - 0.648).abs() < 0.005, "{interval:?}");
        assert!((interval.high - 0.752).abs() < 0.005, "{interval:?}");
    }

    #[test]
    fn equal_seeds_give_equal_intervals_and_others_do_not() {
        let (table, asked) = share(150, 301);
        let of = |seed, stream| table.find(500, seed, stream).get(asked);
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
    }

    #[test]
    fn eight_seeds_of_a_task_do_not_count_as_eight_tasks() {
        // Each task comes out the same under all its eight seeds.
        let (single, asked) = share(70, 100);
        let narrow = single.find(2_000, 42, "test").get(asked).unwrap();
        let mut table = Table::new(100);
        let over = table.column((0..100).map(|at| if at < 70 { 8.0 } else { 0.0 }).collect());
        let under = table.column(vec![8.0; 100]);
        let asked = table.ratio(over, under);
        let wide = table.find(2_000, 42, "test").get(asked).unwrap();
        assert_eq!(wide.interval, narrow.interval);
        assert_eq!((narrow.n, wide.n), (100, 800));
    }

    #[test]
    fn there_is_no_interval_of_one_number() {
        for (right, tasks) in [(0, 1), (1, 1), (5, 5), (0, 5)] {
            let (table, asked) = share(right, tasks);
            let found = table.find(500, 42, "test").get(asked).unwrap();
            assert_eq!(found.interval, None, "{right} of {tasks}");
        }
        let (table, asked) = share(0, 0);
        assert_eq!(table.find(500, 42, "test").get(asked), None);
        // Many trials of one task are one number as well.
        let mut table = Table::new(3);
        let over = table.column(vec![0.0, 3.0, 0.0]);
        let under = table.column(vec![0.0, 8.0, 0.0]);
        let asked = table.ratio(over, under);
        assert_eq!(
            table.find(500, 42, "test").get(asked).unwrap().interval,
            None
        );
        let mut table = Table::new(3);
        let series = table.series(vec![(1.0, 1), (2.0, 1), (9.0, 1)]);
        let asked = table.ask(Statistic::Percentile(series, 50));
        let found = table.find(500, 42, "test").get(asked).unwrap();
        assert_eq!((found.value, found.interval), (2.0, None));
    }

    #[test]
    fn one_task_against_many_is_one_number() {
        let mut table = Table::new(50);
        let once = table.column(vec![3.0]);
        let one = table.column(vec![1.0]);
        let costs = table.column((0..50).map(f64::from).collect());
        let all = table.column(vec![1.0; 50]);
        let of = |over, under| Ratio { over, under };
        let asked = table.ask(Statistic::Quotient(of(once, one), of(costs, all)));
        let found = table.find(500, 42, "test").get(asked).unwrap();
        assert_eq!((found.interval, found.n), (None, 1));
    }

    #[test]
    fn the_same_tasks_are_drawn_for_both_sides_of_a_quotient() {
        let mut table = Table::new(50);
        let costs: Vec<f64> = (0..50).map(|at| f64::from(at * at)).collect();
        let twice = table.column(costs.iter().map(|cost| 2.0 * cost).collect());
        let once = table.column(costs);
        let under = table.column(vec![1.0; 50]);
        let asked = table.ask(Statistic::Quotient(
            Ratio { over: twice, under },
            Ratio { over: once, under },
        ));
        let found = table.find(500, 42, "test").get(asked).unwrap();
        // Twice is twice in every draw, so there is nothing between the ends.
        assert!((found.value - 2.0).abs() < 1e-12);
        assert_eq!(found.interval, None);
    }
}
