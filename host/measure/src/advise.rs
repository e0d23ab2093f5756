//! Which pattern to use: what was measured, held against what is asked.
//!
//! Needs that must be met are decided by what was measured, and nothing that
//! misses one is ever advised. Of what fits, the most often right is best; what
//! cannot be told from it is as good, and the cheapest of those is advised. Where
//! a least success is asked for, whatever reaches it is good enough. The usual
//! rules for choosing a pattern decide nothing: each is told with what was found.

mod choose;
mod field;
mod needs;
mod relax;
mod rules;
mod words;

#[cfg(test)]
mod tests;

use serde::Serialize;

pub use needs::{Budget, Need, Needs};
pub use relax::{Change, Relaxation};
pub use rules::RuleCheck;

use crate::findings::{Estimate, Findings};
use choose::choose;
use field::{Field, Row};

/// Why there is no advice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdviseError {
    /// No arm has a result.
    #[error("no pattern has a result")]
    Nothing,
    /// It was not measured.
    #[error("no tasks of `{set}` were measured; {sets}")]
    NoSuchSet {
        /// Which.
        set: String,
        /// What was, as a sentence.
        sets: String,
    },
    /// A number that nobody can have measured.
    #[error("the {what} of `{arm}` is no possible result")]
    Implausible {
        /// The arm.
        arm: String,
        /// Which number.
        what: &'static str,
    },
    /// Nobody compares so many.
    #[error("there are more than {most} arms")]
    TooMany {
        /// So many may be there.
        most: usize,
    },
}

/// Which pattern to use, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// Whether what it rests on is simulated. Whoever shows it says so.
    pub simulated: bool,
    /// What was asked.
    pub needs: Needs,
    /// The arm to use, which in the benchmark is called like its pattern. None
    /// if nothing fits.
    pub chosen: Option<String>,
    /// Why that, or why nothing, one sentence each.
    pub reasons: Vec<String>,
    /// The usual rules that speak to what is asked, and what was found.
    pub rules: Vec<RuleCheck>,
    /// If nothing fits: the smallest changes of what is asked with which
    /// something would.
    pub relax: Vec<Relaxation>,
    /// All of them: the chosen one, what fits, what does not.
    pub ranked: Vec<Candidate>,
    /// The arm whose cost the multiples are of.
    pub baseline: Option<String>,
    /// What else to know, one sentence each.
    pub notes: Vec<String>,
}

/// One pattern, and what speaks for and against it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The arm.
    pub arm: String,
    /// Its pattern.
    pub pattern: String,
    /// Whether it fits what must be met.
    pub verdict: Verdict,
    /// What was measured beside what is asked, and how it compares to the chosen.
    pub reasons: Vec<String>,
    /// The share of right answers.
    pub success: Estimate,
    /// Of 20 tasks, 19 took no longer. Seconds.
    pub p95_s: Option<Estimate>,
    /// Cost per task as a multiple of the baseline's.
    pub cost_multiplier: Option<Estimate>,
    /// US dollars per task.
    pub cost_per_task_usd: Option<Estimate>,
    /// US dollars per right answer, the wrong ones paid for as well.
    pub cost_per_success_usd: Option<Estimate>,
}

/// Whether a pattern meets what must be met.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of it.
    Fits,
    /// Not these.
    Misses(Vec<Miss>),
}

/// A need that is not met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Miss {
    /// Which.
    pub need: Need,
    /// What was asked.
    pub asked: f64,
    /// What was measured, if it was.
    pub measured: Option<f64>,
    /// Both, as a sentence.
    pub told: String,
}

/// Says which pattern to use.
pub fn advise(findings: &Findings, needs: &Needs) -> Result<Advice, AdviseError> {
    let field = Field::of(findings, needs)?;
    let choice = choose(&field);
    let chosen = choice.as_ref().map(|it| it.row);
    let relax = match chosen {
        Some(_) => Vec::new(),
        None => relax::relax(&field),
    };
    let reasons = match &choice {
        Some(choice) => choice.reasons(&field),
        None => vec![match relax.is_empty() {
            true => "nothing fits, and what is missing was not measured".to_owned(),
            false => "nothing that was measured fits what is asked".to_owned(),
        }],
    };
    let mut order: Vec<&Row<'_>> = field.rows.iter().collect();
    order.sort_by(|a, b| {
        let is_chosen = |row: &Row<'_>| chosen.is_some_and(|it| std::ptr::eq(it, row));
        let misses = |row: &Row<'_>| row.judged.iter().filter(|it| !it.is_met()).count();
        is_chosen(b)
            .cmp(&is_chosen(a))
            .then_with(|| misses(a).cmp(&misses(b)))
            .then_with(|| a.by_success(b))
    });
    let ranked = order.into_iter();
    Ok(Advice {
        simulated: findings.meta.simulated,
        needs: needs.clone(),
        chosen: chosen.map(|row| row.of.arm.clone()),
        reasons,
        rules: rules::checks(&field, chosen),
        relax,
        ranked: ranked.map(|row| candidate(&field, row, chosen)).collect(),
        baseline: findings.baseline.clone(),
        notes: choose::notes(&field, chosen)?,
    })
}

fn candidate(field: &Field<'_>, row: &Row<'_>, chosen: Option<&Row<'_>>) -> Candidate {
    let misses = row.judged.iter().filter(|it| !it.is_met());
    let misses: Vec<_> = misses
        .map(|it| Miss {
            need: it.need,
            asked: it.asked,
            measured: it.measured.map(|it| it.value),
            told: it.told(),
        })
        .collect();
    let mut reasons: Vec<_> = row.judged.iter().map(|it| it.told()).collect();
    if let Some(chosen) = chosen.filter(|it| !std::ptr::eq(*it, row)) {
        let contrast = field.contrast(row, chosen);
        let cost = row.at_cost_of(chosen);
        reasons.push(format!(
            "beside {}: success {contrast}, {cost}",
            chosen.name()
        ));
    }
    let cost = &row.measures.cost;
    Candidate {
        arm: row.of.arm.clone(),
        pattern: row.of.pattern_name.clone(),
        verdict: match misses.is_empty() {
            true => Verdict::Fits,
            false => Verdict::Misses(misses),
        },
        reasons,
        success: row.success,
        p95_s: row.measures.latency.p95_s,
        cost_multiplier: cost.multiplier,
        cost_per_task_usd: cost.per_task_usd,
        cost_per_success_usd: cost.per_success_usd,
    }
}
