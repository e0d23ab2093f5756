//! The arms that can be advised, and how two of them compare.

use std::cmp::Ordering;

use super::needs::{Judged, Needs, judge};
use super::{AdviseError, words};
use crate::findings::{ArmFindings, Estimate, Findings, Interval, Measures, Pair};

/// More arms are no comparison that anybody made.
const MOST_ARMS: usize = 100;

/// One arm with what counts of it here.
pub(super) struct Row<'a> {
    pub(super) of: &'a ArmFindings,
    /// Over all sets, or the one that is asked about.
    pub(super) measures: &'a Measures,
    pub(super) success: Estimate,
    pub(super) judged: Vec<Judged>,
    /// Where it stands in the findings.
    at: usize,
}

/// Whether one is right more often than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Better,
    /// No difference that could not be chance.
    Same,
    Worse,
}

/// The arms that are compared.
pub(super) struct Field<'a> {
    pub(super) findings: &'a Findings,
    pub(super) needs: &'a Needs,
    pub(super) rows: Vec<Row<'a>>,
    /// Arms without a result for what is asked about.
    pub(super) silent: Vec<&'a str>,
}

impl<'a> Field<'a> {
    pub(super) fn of(findings: &'a Findings, needs: &'a Needs) -> Result<Field<'a>, AdviseError> {
        let all = &findings.pattern_results;
        if all.len() + findings.variants.len() > MOST_ARMS {
            return Err(AdviseError::TooMany { most: MOST_ARMS });
        }
        if let Some(set) = &needs.set
            && !all.iter().any(|arm| arm.sets.contains_key(set))
        {
            let mut sets: Vec<_> = all.iter().flat_map(|arm| arm.sets.keys()).collect();
            sets.sort();
            sets.dedup();
            let sets = sets.iter().map(|set| format!("`{set}`")).collect();
            return Err(AdviseError::NoSuchSet {
                set: set.clone(),
                sets: sets_told(sets),
            });
        }
        let mut field = Field {
            findings,
            needs,
            rows: Vec::new(),
            silent: Vec::new(),
        };
        for (at, arm) in all.iter().enumerate() {
            match field.row(arm, at)? {
                Some(row) => field.rows.push(row),
                None => field.silent.push(&arm.arm),
            }
        }
        match field.rows.is_empty() {
            true => Err(AdviseError::Nothing),
            false => Ok(field),
        }
    }

    /// The arm as a row; none if it has no result for what is asked about.
    pub(super) fn row(
        &self,
        arm: &'a ArmFindings,
        at: usize,
    ) -> Result<Option<Row<'a>>, AdviseError> {
        let measures = match &self.needs.set {
            Some(set) => arm.sets.get(set),
            None => Some(&arm.overall),
        };
        let Some((measures, success)) = measures.and_then(|it| Some((it, it.success?))) else {
            return Ok(None);
        };
        plausible(&arm.arm, measures)?;
        Ok(Some(Row {
            of: arm,
            measures,
            success,
            judged: judge(self.needs, measures),
            at,
        }))
    }

    /// The pair of two, and whether they stand in it the other way round. Pairs
    /// are over all sets, so that they say nothing of one, unless it is the only one.
    fn pair(&self, a: &Row<'_>, b: &Row<'_>) -> Option<(&'a Pair, bool)> {
        let whole = |row: &Row<'_>| row.of.overall.trials == row.measures.trials;
        if !whole(a) || !whole(b) {
            return None;
        }
        let (a, b) = (&a.of.arm, &b.of.arm);
        self.findings.pairs.iter().find_map(|pair| {
            if pair.a == *a && pair.b == *b {
                return Some((pair, false));
            }
            (pair.a == *b && pair.b == *a).then_some((pair, true))
        })
    }

    /// Whether `a` is right more often than `b`: by the paired test where there
    /// is one, else only if their intervals lie apart.
    pub(super) fn standing(&self, a: &Row<'_>, b: &Row<'_>) -> Standing {
        let order = match self.pair(a, b) {
            Some((pair, _)) if !pair.significant => Ordering::Equal,
            Some((pair, turned)) => {
                let counts = pair.only_a.cmp(&pair.only_b);
                let sign = pair.difference.map(|it| it.value.total_cmp(&0.0));
                let order = sign.unwrap_or(counts);
                if turned { order.reverse() } else { order }
            }
            None => apart(a.interval(), b.interval()),
        };
        match order {
            Ordering::Greater => Standing::Better,
            Ordering::Equal => Standing::Same,
            Ordering::Less => Standing::Worse,
        }
    }

    /// How often `a` is right beside `b`, and how sure that is.
    pub(super) fn contrast(&self, a: &Row<'_>, b: &Row<'_>) -> String {
        let significant = |yes| {
            if yes {
                "significant"
            } else {
                "not significant"
            }
        };
        match self.pair(a, b) {
            Some((pair, turned)) => {
                let verdict = significant(pair.significant);
                let p = words::p(pair.holm_p);
                match pair.difference {
                    Some(difference) => {
                        let difference = if turned { turn(difference) } else { difference };
                        format!("{}, {verdict}: {p}", words::points(&difference))
                    }
                    None => format!("{verdict}: {p}"),
                }
            }
            None => {
                let difference = Estimate {
                    value: a.success.value - b.success.value,
                    ..Estimate::default()
                };
                let apart = match apart(a.interval(), b.interval()) {
                    Ordering::Equal => "the intervals overlap",
                    _ => "the intervals lie apart",
                };
                format!("{}; {apart}", words::points(&difference))
            }
        }
    }
}

impl Row<'_> {
    pub(super) fn fits(&self) -> bool {
        self.judged.iter().all(Judged::is_met)
    }

    /// What it is called in a sentence.
    pub(super) fn name(&self) -> String {
        words::name(&self.of.arm, &self.of.pattern_name)
    }

    /// Of its success. Wilson's where drawing anew could say nothing.
    fn interval(&self) -> Option<Interval> {
        self.success.interval.or(self.measures.success_wilson)
    }

    /// US dollars per task; what is not known is dearer than anything that is.
    pub(super) fn cost(&self) -> f64 {
        let cost = self.measures.cost.per_task_usd;
        cost.map_or(f64::INFINITY, |it| it.value)
    }

    /// Whether its cost can be told from another's.
    pub(super) fn costs_like(&self, other: &Row<'_>) -> bool {
        let interval = |row: &Row<'_>| {
            let cost = row.measures.cost.per_task_usd;
            cost.map(|it| it.interval.unwrap_or(point(it.value)))
        };
        match (interval(self), interval(other)) {
            (Some(one), Some(two)) => one.low <= two.high && two.low <= one.high,
            (one, two) => one.is_none() && two.is_none(),
        }
    }

    /// The cheaper first, then the more often right, then the faster, then as in
    /// the findings.
    pub(super) fn by_cost(&self, other: &Row<'_>) -> Ordering {
        let cost = self.cost().total_cmp(&other.cost());
        cost.then_with(|| other.success.value.total_cmp(&self.success.value))
            .then_with(|| self.p95().total_cmp(&other.p95()))
            .then(self.at.cmp(&other.at))
    }

    /// The more often right first, then the cheaper.
    pub(super) fn by_success(&self, other: &Row<'_>) -> Ordering {
        let success = other.success.value.total_cmp(&self.success.value);
        success.then_with(|| self.by_cost(other))
    }

    fn p95(&self) -> f64 {
        let p95 = self.measures.latency.p95_s;
        p95.map_or(f64::INFINITY, |it| it.value)
    }

    /// `for 0.40 times its cost`, beside another.
    pub(super) fn at_cost_of(&self, other: &Row<'_>) -> String {
        let (own, others) = (self.cost(), other.cost());
        if !own.is_finite() || !others.is_finite() {
            return "at a cost that was not measured".to_owned();
        }
        match own / others {
            ratio if own == others || (ratio - 1.0).abs() < 0.005 => "at the same cost".to_owned(),
            ratio if ratio.is_finite() => format!("for {ratio:.2} times its cost"),
            _ => "where the other costs nothing".to_owned(),
        }
    }
}

fn point(value: f64) -> Interval {
    Interval {
        low: value,
        high: value,
    }
}

/// Which of two intervals lies above the other; equal if they overlap or if one
/// is not known.
fn apart(a: Option<Interval>, b: Option<Interval>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if a.low > b.high => Ordering::Greater,
        (Some(a), Some(b)) if a.high < b.low => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// The same difference from the other side.
fn turn(of: Estimate) -> Estimate {
    Estimate {
        value: -of.value,
        interval: of.interval.map(|it| Interval {
            low: -it.high,
            high: -it.low,
        }),
        n: of.n,
    }
}

/// Refuses what nobody can have measured: findings may come from a stranger's file.
fn plausible(arm: &str, measures: &Measures) -> Result<(), AdviseError> {
    let cost = &measures.cost;
    let numbers = [
        ("success", measures.success, 1.0),
        ("P95 latency", measures.latency.p95_s, f64::MAX),
        ("cost multiplier", cost.multiplier, f64::MAX),
        ("cost per task", cost.per_task_usd, f64::MAX),
        ("cost per success", cost.per_success_usd, f64::MAX),
    ];
    for (what, number, most) in numbers {
        let Some(number) = number else { continue };
        let ends = number.interval.unwrap_or(point(number.value));
        let inside = |value: f64| (0.0..=most).contains(&value);
        if ![number.value, ends.low, ends.high].into_iter().all(inside) || ends.low > ends.high {
            let arm = arm.to_owned();
            return Err(AdviseError::Implausible { arm, what });
        }
    }
    Ok(())
}

fn sets_told(sets: Vec<String>) -> String {
    match sets.len() {
        0 => "there are no sets in it".to_owned(),
        _ => format!("there are {}", words::list(&sets)),
    }
}
