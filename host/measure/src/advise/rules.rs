//! The usual rules for choosing a pattern, each held against the measurement.
//!
//! They are the selection tree that the course teaches. A rule decides nothing
//! here: it is told whether what it says was found.

use serde::Serialize;

use super::field::{Field, Row, Standing};
use super::needs::{Budget, Needs};
use super::words;
use crate::trial::Benchmark;

/// A rule that speaks to what is asked, and what the measurement says to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleCheck {
    /// What it says.
    pub rule: String,
    /// Whether the advice is the same. None if what it names was not measured.
    pub agrees: Option<bool>,
    /// The same with what was measured, as a sentence.
    pub told: String,
}

/// One rule of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Audit,
    Latency,
    Budget,
    Success,
    Ambiguous,
    Rules,
}

/// The rules that a wish brings up, in the order in which they break ties.
pub(super) fn wishes(needs: &Needs) -> impl Iterator<Item = Rule> {
    let wishes = [
        (needs.audit, Rule::Audit),
        (needs.ambiguous, Rule::Ambiguous),
        (needs.rules, Rule::Rules),
    ];
    let asked = wishes.into_iter().filter(|(asked, _)| *asked);
    asked.map(|(_, rule)| rule)
}

impl Rule {
    const ALL: [Rule; 6] = [
        Rule::Audit,
        Rule::Latency,
        Rule::Budget,
        Rule::Success,
        Rule::Ambiguous,
        Rule::Rules,
    ];

    /// The patterns that it names.
    pub(super) fn patterns(self) -> &'static [&'static str] {
        match self {
            Rule::Audit | Rule::Rules => &["state_machine"],
            Rule::Latency => &["hierarchical"],
            Rule::Budget => &["sequential", "state_machine"],
            Rule::Success => &["voting"],
            Rule::Ambiguous => &["iterative"],
        }
    }

    /// When it speaks.
    fn when(self) -> &'static str {
        match self {
            Rule::Audit => "an audit trail is required",
            Rule::Latency => "less than 5 s are allowed",
            Rule::Budget => "the budget is below 1.5 ×",
            Rule::Success => "more than 95 % are required",
            Rule::Ambiguous => "the input is ambiguous",
            Rule::Rules => "deterministic rules exist",
        }
    }

    fn speaks(self, field: &Field<'_>) -> bool {
        let needs = field.needs;
        match self {
            Rule::Audit => needs.audit,
            Rule::Latency => needs.latency_s.is_some_and(|it| it < 5.0),
            Rule::Budget => budget_times(field).is_some_and(|it| it < 1.5),
            Rule::Success => needs.min_success.is_some_and(|it| it > 0.95),
            Rule::Ambiguous => needs.ambiguous,
            Rule::Rules => needs.rules,
        }
    }

    /// What to know of the measurement where it is held against this rule.
    fn caveat(self, field: &Field<'_>) -> &'static str {
        match self {
            Rule::Ambiguous => "; ambiguous input was not measured apart from the rest",
            Rule::Rules if field.findings.meta.benchmark == Benchmark::Agentarch => {
                "; all tasks of this benchmark are decided by rules"
            }
            _ => "",
        }
    }
}

/// The budget as a multiple of the baseline's cost, if both are known.
fn budget_times(field: &Field<'_>) -> Option<f64> {
    match field.needs.budget? {
        Budget::Times(times) => Some(times),
        Budget::Usd(usd) => {
            let baseline = field.findings.baseline.as_deref()?;
            let row = field.rows.iter().find(|row| row.of.arm == baseline)?;
            let cost = row.cost();
            (cost > 0.0).then_some(usd / cost)
        }
    }
}

/// Every rule that speaks to what is asked, held against what was measured.
pub(super) fn checks(field: &Field<'_>, chosen: Option<&Row<'_>>) -> Vec<RuleCheck> {
    let rules = Rule::ALL.into_iter().filter(|rule| rule.speaks(field));
    rules.map(|rule| check(field, rule, chosen)).collect()
}

fn check(field: &Field<'_>, rule: Rule, chosen: Option<&Row<'_>>) -> RuleCheck {
    let names: Vec<_> = rule
        .patterns()
        .iter()
        .map(|it| it.replace('_', " "))
        .collect();
    let names = names.join(" or ");
    let is_named = |row: &&Row<'_>| rule.patterns().contains(&row.of.pattern_name.as_str());
    let mut named: Vec<&Row<'_>> = field.rows.iter().filter(is_named).collect();
    named.sort_by(|a, b| b.fits().cmp(&a.fits()).then_with(|| a.by_cost(b)));
    let (agrees, found) = match (named.first(), chosen) {
        (None, _) => (None, "it was not measured here".to_owned()),
        (Some(_), Some(chosen)) if is_named(&chosen) => {
            (Some(true), "the measurement agrees".to_owned())
        }
        (Some(named), Some(chosen)) if named.fits() => (Some(false), instead(field, named, chosen)),
        (Some(named), _) => (Some(false), missed(named)),
    };
    let (when, caveat) = (rule.when(), rule.caveat(field));
    RuleCheck {
        rule: format!("{names} where {when}"),
        agrees,
        told: format!("the usual rule says {names} where {when}: {found}{caveat}"),
    }
}

fn missed(named: &Row<'_>) -> String {
    let misses = named.judged.iter().filter(|it| !it.is_met());
    let misses: Vec<_> = misses.map(|it| it.told()).collect();
    format!(
        "measured here, {} misses what is asked ({})",
        named.name(),
        misses.join("; ")
    )
}

fn instead(field: &Field<'_>, named: &Row<'_>, chosen: &Row<'_>) -> String {
    let (name, other) = (chosen.name(), named.name());
    let contrast = field.contrast(chosen, named);
    let cost = chosen.at_cost_of(named);
    match field.standing(chosen, named) {
        Standing::Better => {
            format!("measured here, {name} is right more often than {other} ({contrast}) {cost}")
        }
        Standing::Same => {
            format!("measured here, {name} is right as often as {other} ({contrast}) {cost}")
        }
        Standing::Worse => {
            let enough = match field.needs.min_success {
                Some(least) => format!("reaches the {} asked", words::Unit::Share.asked(least)),
                None => "cannot be told from the best that fits".to_owned(),
            };
            format!(
                "measured here, {other} is right more often, but {name} {enough} ({contrast}) {cost}"
            )
        }
    }
}
