//! The choice among what fits, and why.

use super::AdviseError;
use super::field::{Field, Row, Standing};
use super::rules::{Rule, wishes};
use super::words::{Unit, list};
use crate::trial::Benchmark;

/// What is advised.
pub(super) struct Choice<'f, 'a> {
    pub(super) row: &'f Row<'a>,
    why: Why<'f, 'a>,
}

/// What decided.
enum Why<'f, 'a> {
    /// Nothing else fits.
    Alone,
    /// It is right more often than anything else that fits.
    Best,
    /// It is the cheapest of those that cannot be told from the best.
    CheapestOfBest { best: &'f Row<'a> },
    /// It is the cheapest that reaches the success asked for.
    CheapestEnough,
    /// It costs what the cheapest costs, as far as one can tell, and is right more
    /// often.
    BetterForTheSame { cheapest: &'f Row<'a> },
    /// A wish speaks for it, and what was measured not against it.
    Wish { rule: Rule, cheapest: &'f Row<'a> },
}

/// The choice among what fits; none if nothing does.
pub(super) fn choose<'f, 'a>(field: &'f Field<'a>) -> Option<Choice<'f, 'a>> {
    let mut fitting: Vec<&Row<'_>> = field.rows.iter().filter(|row| row.fits()).collect();
    fitting.sort_by(|a, b| a.by_success(b));
    let best = *fitting.first()?;
    if fitting.len() == 1 {
        let why = Why::Alone;
        return Some(Choice { row: best, why });
    }
    let enough = field.needs.min_success.is_some();
    let worse = |row: &Row<'_>| field.standing(best, row) == Standing::Better;
    let mut good = fitting.to_vec();
    good.retain(|row| enough || !worse(row));
    good.sort_by(|a, b| a.by_cost(b));
    let cheapest = *good.first()?;
    for rule in wishes(field.needs) {
        let named = |row: &&&Row<'_>| rule.patterns().contains(&row.of.pattern_name.as_str());
        let Some(row) = good.iter().find(named) else {
            continue;
        };
        // What explicit transitions are worth is in no measurement. That a pattern
        // copes better with some input would be in its success.
        let free = rule == Rule::Audit || row.costs_like(cheapest);
        if free && !std::ptr::eq(*row, cheapest) {
            let why = Why::Wish { rule, cheapest };
            return Some(Choice { row, why });
        }
    }
    let near = good.iter().filter(|row| row.costs_like(cheapest));
    let mut near: Vec<_> = near.copied().collect();
    near.sort_by(|a, b| a.by_success(b));
    let better = near
        .iter()
        .find(|row| field.standing(row, cheapest) == Standing::Better);
    let (row, why) = match better {
        Some(row) => (*row, Why::BetterForTheSame { cheapest }),
        None if enough => (cheapest, Why::CheapestEnough),
        None if good.len() == 1 => (cheapest, Why::Best),
        None => (cheapest, Why::CheapestOfBest { best }),
    };
    Some(Choice { row, why })
}

impl Choice<'_, '_> {
    /// Why it is that, one sentence each.
    pub(super) fn reasons(&self, field: &Field<'_>) -> Vec<String> {
        let (row, name) = (self.row, self.row.name());
        let mut reasons = vec![match &self.why {
            Why::Alone if field.rows.len() == 1 => format!("{name} is all that was measured"),
            Why::Alone => format!("nothing but {name} fits what is asked"),
            Why::Best => format!("{name} is right more often than anything else that fits"),
            Why::CheapestOfBest { best } if std::ptr::eq(*best, row) => {
                let others = others_as_good(field, row);
                format!(
                    "{name} is right most often of what fits, and the cheapest of those that \
                     cannot be told from it: {others}"
                )
            }
            Why::CheapestOfBest { best } => format!(
                "{name} cannot be told from {}, the most often right of what fits ({}), {}",
                best.name(),
                field.contrast(row, best),
                row.at_cost_of(best)
            ),
            Why::CheapestEnough => {
                let least = field.needs.min_success.unwrap_or_default();
                format!(
                    "{name} is the cheapest that reaches the {} asked",
                    Unit::Share.asked(least)
                )
            }
            Why::BetterForTheSame { cheapest } => format!(
                "{name} cannot be told from {} by its cost and is right more often ({})",
                cheapest.name(),
                field.contrast(row, cheapest)
            ),
            Why::Wish { rule, cheapest } => {
                let other = cheapest.name();
                let contrast = field.contrast(row, cheapest);
                let cost = row.at_cost_of(cheapest);
                let wish = match rule {
                    Rule::Audit => "has what an audit looks for",
                    Rule::Ambiguous => "is the usual choice where input is ambiguous",
                    _ => "is the usual choice where rules exist",
                };
                format!("{name} {wish}; beside {other}: success {contrast}, {cost}")
            }
        }];
        reasons.extend(row.judged.iter().map(|it| it.told()));
        if field.needs.audit {
            reasons.push(audit(row));
        }
        reasons
    }
}

/// What there is for an audit.
fn audit(row: &Row<'_>) -> String {
    let all = "every run leaves a hash-chained journal, whatever the pattern";
    match row.of.pattern_name.as_str() {
        "state_machine" => format!(
            "{all}; a state machine also has explicit transitions with invariants, each with a \
             record of its own"
        ),
        _ => format!(
            "{all}, so that {} leaves an audit trail as well; explicit transitions with invariants \
             are a state machine's alone",
            row.name()
        ),
    }
}

/// What fits and cannot be told from it, with what each costs.
fn others_as_good(field: &Field<'_>, row: &Row<'_>) -> String {
    let mut others: Vec<&Row<'_>> = field.rows.iter().collect();
    others.retain(|it| !std::ptr::eq(*it, row) && it.fits());
    others.retain(|it| field.standing(row, it) == Standing::Same);
    others.sort_by(|a, b| a.by_cost(b));
    let told = others.iter().map(|it| {
        let contrast = field.contrast(it, row);
        format!("{} ({contrast}, {})", it.name(), it.at_cost_of(row))
    });
    list(&told.collect::<Vec<_>>())
}

/// What else to know.
pub(super) fn notes(
    field: &Field<'_>,
    chosen: Option<&Row<'_>>,
) -> Result<Vec<String>, AdviseError> {
    let (findings, meta) = (field.findings, &field.findings.meta);
    let mut notes = Vec::new();
    if let Some(chosen) = chosen {
        notes.extend(otherwise(field, chosen));
        notes.extend(blind_spots(field, chosen)?);
    }
    notes.extend(adaptive(field, chosen)?);
    if let Some(set) = &field.needs.set {
        notes.push(format!(
            "this is about `{set}` alone; pairs are tested over all sets, so that here a \
             difference counts where intervals lie apart"
        ));
    }
    for arm in &field.silent {
        notes.push(format!("`{arm}` has no result for what is asked about"));
    }
    for failed in &findings.failed {
        notes.push(format!(
            "`{}` was not measured to its end: {}",
            failed.arm, failed.why
        ));
    }
    if meta.simulated {
        notes.push(
            "this rests on a simulated model with injected faults, not on your tasks; measure \
             those: `hotcell eval`, or this benchmark with `--mode live`"
                .to_owned(),
        );
    } else if meta.benchmark == Benchmark::Agentarch {
        notes.push(
            "this rests on the benchmark's tasks, not on yours; measure those: `hotcell eval`"
                .to_owned(),
        );
    }
    Ok(notes)
}

/// What more money buys, and what less would do.
fn otherwise(field: &Field<'_>, chosen: &Row<'_>) -> Vec<String> {
    let others = || {
        field
            .rows
            .iter()
            .filter(|it| it.fits() && !std::ptr::eq(*it, chosen))
    };
    let told = |what: &str, row: &Row<'_>| {
        let contrast = field.contrast(row, chosen);
        format!(
            "{what}: {}, success {contrast}, {}",
            row.name(),
            row.at_cost_of(chosen)
        )
    };
    let mut notes = Vec::new();
    let better = others().filter(|it| field.standing(it, chosen) == Standing::Better);
    if let Some(row) = better.min_by(|a, b| a.by_success(b)) {
        notes.push(told("what is right more often", row));
    }
    let cheaper = others().filter(|it| it.cost() < chosen.cost() && !it.costs_like(chosen));
    let worse = cheaper.filter(|it| field.standing(it, chosen) == Standing::Worse);
    if let Some(row) = worse.min_by(|a, b| a.by_success(b)) {
        notes.push(told("what is cheaper", row));
    }
    notes
}

/// What becomes of a vote when voters err together.
fn blind_spots(field: &Field<'_>, chosen: &Row<'_>) -> Result<Option<String>, AdviseError> {
    let usual = &chosen.of.variant;
    let mut worst: Option<(f64, Row<'_>)> = None;
    for arm in &field.findings.variants {
        let mut same = arm.variant.clone();
        let rho = same.rho;
        same.rho = usual.rho;
        let is_same = same == *usual && arm.pattern_name == chosen.of.pattern_name;
        if !is_same || rho <= worst.as_ref().map_or(usual.rho, |(rho, _)| *rho) {
            continue;
        }
        if let Some(row) = field.row(arm, usize::MAX)? {
            worst = Some((rho, row));
        }
    }
    Ok(worst.map(|(rho, row)| {
        let success = Unit::Share.estimate(&row.success);
        let usual = usual.rho;
        format!(
            "this is with a correlation of {usual} between the mistakes of voters; with {rho}, as \
             when they share a model, success was {success}"
        )
    }))
}

/// An adaptive variant that does what is asked for less.
fn adaptive(field: &Field<'_>, chosen: Option<&Row<'_>>) -> Result<Option<String>, AdviseError> {
    for arm in &field.findings.variants {
        let main = field.findings.of_pattern(&arm.pattern_name);
        let Some(main) = main.filter(|_| arm.variant.adaptive) else {
            continue;
        };
        let mut same = arm.variant.clone();
        same.adaptive = main.variant.adaptive;
        if same != main.variant {
            continue;
        }
        let Some(row) = field.row(arm, usize::MAX)? else {
            continue;
        };
        let cheaper = chosen.is_none_or(|chosen| {
            let cheaper = row.cost() < chosen.cost() && !row.costs_like(chosen);
            cheaper && field.standing(&row, chosen) != Standing::Worse
        });
        if row.fits() && cheaper {
            let success = Unit::Share.estimate(&row.success);
            let cost = match row.measures.cost.multiplier {
                Some(times) => Unit::Times.estimate(&times),
                None => "not measured".to_owned(),
            };
            return Ok(Some(format!(
                "a variant fits as well: `{}` asks more voters only when the first disagree; \
                 success {success}, cost {cost}",
                arm.arm
            )));
        }
    }
    Ok(None)
}
