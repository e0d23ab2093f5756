//! What to ask less of, when nothing fits.

use std::collections::BTreeMap;

use serde::Serialize;

use super::field::{Field, Row};
use super::needs::{Judged, Need};

/// Changes of what is asked with which something fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Relaxation {
    /// What then fits.
    pub arm: String,
    /// Its pattern.
    pub pattern: String,
    /// All of them are needed.
    pub changes: Vec<Change>,
    /// The same as a sentence.
    pub told: String,
}

/// One need, asked for less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which.
    pub need: Need,
    /// What was asked.
    pub asked: f64,
    /// What to ask instead.
    pub to: f64,
}

/// The smallest changes: of as few needs as possible, and for each need, or each
/// group of them, by as little as possible.
pub(super) fn relax(field: &Field<'_>) -> Vec<Relaxation> {
    let missed = |row: &Row<'_>| -> Vec<Judged> {
        let missed = row.judged.iter().filter(|it| !it.is_met());
        missed.copied().collect()
    };
    let rows = field.rows.iter().map(|row| (row, missed(row)));
    // What was not measured fits no need, however little is asked.
    let rows = rows.filter(|(_, missed)| missed.iter().all(|it| it.measured.is_some()));
    let rows: Vec<_> = rows.collect();
    let Some(fewest) = rows.iter().map(|(_, missed)| missed.len()).min() else {
        return Vec::new();
    };
    let mut nearest: BTreeMap<Vec<&str>, (f64, &Row<'_>, Vec<Judged>)> = BTreeMap::new();
    for (row, missed) in rows.into_iter().filter(|(_, it)| it.len() == fewest) {
        let group = missed.iter().map(|it| it.need.name()).collect();
        let far = missed.iter().map(far).sum::<f64>();
        match nearest.get(&group) {
            Some((least, ..)) if *least <= far => {}
            _ => {
                nearest.insert(group, (far, row, missed));
            }
        }
    }
    let nearest = nearest.into_values();
    nearest.map(|(_, row, missed)| told(row, &missed)).collect()
}

/// How far a need is missed, as a share of what is asked.
fn far(of: &Judged) -> f64 {
    let measured = of.measured.map_or(f64::INFINITY, |it| it.value);
    (measured - of.asked).abs() / of.asked.max(f64::MIN_POSITIVE)
}

fn told(row: &Row<'_>, missed: &[Judged]) -> Relaxation {
    let mut changes = Vec::new();
    let mut words = Vec::new();
    for judged in missed {
        let Some(measured) = judged.measured else {
            continue;
        };
        let (unit, asked) = (judged.unit, judged.asked);
        let to = unit.generous(measured.value);
        let way = if to > asked { "more" } else { "less" };
        words.push(format!(
            "{} {} instead of {} ({} {way})",
            judged.need.name(),
            unit.asked(to),
            unit.asked(asked),
            unit.gap(to, asked)
        ));
        changes.push(Change {
            need: judged.need,
            asked,
            to,
        });
    }
    Relaxation {
        arm: row.of.arm.clone(),
        pattern: row.of.pattern_name.clone(),
        changes,
        told: format!("with {}, {} fits", words.join(" and "), row.name()),
    }
}
