//! How far errors spread: the headline by comparison with a twin, and the
//! course's definitions beside it.
//!
//! The course defines its error propagation index three times, and the three
//! differ. All are computed:
//!
//! - the headline, [`cascade`]: what the first injected fault made wrong, by
//!   comparison with the same trial without that fault. Mean over the trials
//!   with a fault. This is the course's *caused by*, made decidable.
//! - [`course_code`]: wrong steps after a wrong step, in the order in which they
//!   are written down, whoever saw what. Mean over all trials. It reports
//!   propagation between voters that never saw one another.
//! - [`course_lineage`]: the same along lineage, which mends that.
//! - [`Roots`]: wrong steps that saw a wrong one, for each wrong step that saw
//!   none, over all trials together.

use std::collections::BTreeMap;

use crate::findings::Reading;
use crate::trial::{Cascade, Fault, Step};

/// What the first fault did, by comparison with the twin's steps. None if there
/// was no fault.
///
/// A step counts if it is wrong, differs from the twin's step of the same path
/// (or the twin has none; of several, the one that comes as often), and descends from the step that was hit. Each of the
/// three is needed: a step may be wrong by a fault of its own, which the twin
/// has too; it may differ and be right; and a voter's neighbour may fail on
/// account of nothing it ever saw. The step that was hit does not count.
pub fn cascade(steps: &[Step], twin: &[Step], faults: &[Fault]) -> Option<Cascade> {
    let hit = faults.first()?.step;
    let twins: BTreeMap<_, &Step> = numbered(twin).collect();
    let mut descends = vec![false; steps.len()];
    let mut propagated = Vec::new();
    for (at, (name, step)) in numbered(steps).enumerate() {
        let mut parents = step.parents.iter();
        let descendant = parents
            .any(|parent| *parent == hit || (*parent < at && descends.get(*parent) == Some(&true)));
        if at == hit || !descendant {
            continue;
        }
        if let Some(slot) = descends.get_mut(at) {
            *slot = true;
        }
        let same = |twin: &&Step| twin.outcome == step.outcome && twin.output == step.output;
        let as_in_twin = twins.get(&name).is_some_and(same);
        if !step.right && !as_in_twin {
            propagated.push(at);
        }
    }
    Some(Cascade {
        fault: 0,
        propagated,
    })
}

/// Steps by what they are called in a twin as well: their path, and which of the
/// steps of that path they are.
fn numbered(steps: &[Step]) -> impl Iterator<Item = ((&str, u32), &Step)> {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    steps.iter().map(move |step| {
        let nth = times.entry(step.path.as_str()).or_default();
        *nth += 1;
        ((step.path.as_str(), *nth), step)
    })
}

/// The course's code over one trace: wrong steps that come after a wrong one.
/// A step that a validator passed, or without which the run went on, clears what
/// was before it and does not count itself.
pub fn course_code(steps: &[Step]) -> u64 {
    let (mut seen, mut count) = (false, 0);
    for step in steps {
        if step.isolated || step.gated {
            seen = false;
        } else if !step.right {
            count += u64::from(seen);
            seen = true;
        }
    }
    count
}

/// The same along lineage: wrong steps that saw the output of a wrong one, in
/// steps that neither passed a validator nor were isolated.
pub fn course_lineage(steps: &[Step]) -> u64 {
    let wrong = |step: &Step| !step.right && !step.isolated && !step.gated;
    let count = steps
        .iter()
        .filter(|step| wrong(step) && saw(steps, step, wrong))
        .count();
    count as u64
}

/// Wrong steps, told by whether they saw a wrong one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Those that saw none.
    pub roots: u64,
    /// Those that saw one.
    pub cascaded: u64,
}

impl Roots {
    /// Counts the wrong steps of one trace.
    pub fn of(steps: &[Step]) -> Roots {
        let mut found = Roots::default();
        for step in steps.iter().filter(|step| !step.right) {
            match saw(steps, step, |parent| !parent.right) {
                true => found.cascaded += 1,
                false => found.roots += 1,
            }
        }
        found
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Roots) -> Roots {
        Roots {
            roots: self.roots + other.roots,
            cascaded: self.cascaded + other.cascaded,
        }
    }

    /// Cascaded ones for each root; none without a root.
    pub fn pooled(self) -> Option<f64> {
        (self.roots > 0).then(|| self.cascaded as f64 / self.roots as f64)
    }
}

/// Whether one of a step's parents is so.
fn saw(steps: &[Step], step: &Step, so: impl Fn(&Step) -> bool) -> bool {
    let mut parents = step.parents.iter().filter_map(|at| steps.get(*at));
    parents.any(so)
}

impl Reading {
    /// What the course calls this index.
    pub fn of(epi: f64) -> Reading {
        match epi {
            ..0.5 => Reading::Excellent,
            ..1.5 => Reading::Good,
            ..=3.0 => Reading::Moderate,
            _ => Reading::Poor,
        }
    }
}

#[cfg(test)]
mod tests;
