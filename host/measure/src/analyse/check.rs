//! Whether a study can be believed: no trial twice, no step that leads nowhere.

use std::collections::{BTreeSet, HashSet};

use super::key;
use crate::trial::{Study, Trial};

/// How a study contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Two arms of one name.
    #[error("there are two arms `{0}`")]
    TwiceArm(String),
    /// A baseline that is no arm.
    #[error("the baseline `{0}` is none of the arms")]
    UnknownBaseline(String),
    /// An arm that cannot be compared with anything.
    #[error("the correlation of the arm `{0}` is not a finite number")]
    Correlation(String),
    /// A rate, a price or a time that is none.
    #[error("a number in the study's circumstances is not finite")]
    NotFinite,
    /// A trial of no arm.
    #[error("a trial of the task `{task}` is of the arm `{arm}`, which does not exist")]
    UnknownArm {
        /// The arm it names.
        arm: String,
        /// The task.
        task: String,
    },
    /// The same thing tried twice.
    #[error(
        "the task `{task}` of the set `{set}` is there twice under seed `{seed}` of the arm `{arm}`"
    )]
    TwiceTrial {
        /// The arm.
        arm: String,
        /// The set.
        set: String,
        /// The task.
        task: String,
        /// The seed.
        seed: u64,
    },
    /// Something about a trial that cannot be.
    #[error("the trial of the task `{task}` under seed `{seed}` of the arm `{arm}`: {what}")]
    Trial {
        /// The arm.
        arm: String,
        /// The task.
        task: String,
        /// The seed.
        seed: u64,
        /// What cannot be, as a fragment.
        what: String,
    },
}

/// Refuses a study that contradicts itself.
pub(super) fn check(study: &Study) -> Result<(), Flaw> {
    let mut arms = BTreeSet::new();
    for arm in &study.arms {
        if !arms.insert(arm.id.as_str()) {
            return Err(Flaw::TwiceArm(arm.id.clone()));
        }
        if !arm.variant.rho.is_finite() {
            return Err(Flaw::Correlation(arm.id.clone()));
        }
    }
    if let Some(baseline) = &study.meta.baseline
        && !arms.contains(baseline.as_str())
    {
        return Err(Flaw::UnknownBaseline(baseline.clone()));
    }
    let mut seen = HashSet::with_capacity(study.trials.len());
    for trial in &study.trials {
        if !arms.contains(trial.arm.as_str()) {
            return Err(Flaw::UnknownArm {
                arm: trial.arm.clone(),
                task: trial.task.clone(),
            });
        }
        if !seen.insert((trial.arm.as_str(), key(trial))) {
            return Err(Flaw::TwiceTrial {
                arm: trial.arm.clone(),
                set: trial.set.clone(),
                task: trial.task.clone(),
                seed: trial.seed,
            });
        }
        if let Some(what) = oddity(trial) {
            return Err(Flaw::Trial {
                arm: trial.arm.clone(),
                task: trial.task.clone(),
                seed: trial.seed,
                what,
            });
        }
    }
    Ok(())
}

/// What about a trial cannot be.
fn oddity(trial: &Trial) -> Option<String> {
    let steps = trial.steps.len();
    if !(0.0..=1.0).contains(&trial.similarity) {
        return Some(format!("its similarity is `{}`", trial.similarity));
    }
    for (at, step) in trial.steps.iter().enumerate() {
        if let Some(parent) = step.parents.iter().find(|parent| **parent >= at) {
            return Some(format!(
                "step `{at}` saw step `{parent}`, which is not before it"
            ));
        }
    }
    if let Some(fault) = trial.faults.iter().find(|fault| fault.step >= steps) {
        return Some(format!(
            "a fault hit step `{}`, and there are `{steps}`",
            fault.step
        ));
    }
    let cascade = trial.cascade.as_ref()?;
    if cascade.fault >= trial.faults.len() {
        return Some(format!(
            "its cascade is of fault `{}`, and there are `{}`",
            cascade.fault,
            trial.faults.len()
        ));
    }
    let mut before = None;
    for step in &cascade.propagated {
        if *step >= steps || before >= Some(*step) {
            return Some(format!(
                "its cascade names step `{step}`, which is twice or not in order or none of `{steps}`"
            ));
        }
        before = Some(*step);
    }
    None
}
