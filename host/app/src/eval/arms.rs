//! What is compared: each workflow is an arm.

use std::collections::BTreeSet;

use hotcell_broker::provider::faults::FaultModel;

use super::EvalArgs;
use crate::command::{Exit, Problem, WorkflowArgs};
use crate::manifest::host::Provider;
use crate::manifest::problem::one_of;
use crate::manifest::{Checked, problem};
use crate::screen;
use crate::wire;

/// A workflow that is tried.
pub(super) struct Contender {
    /// The workflow's name; with a number if another one has it.
    pub(super) id: String,
    pub(super) args: WorkflowArgs,
    pub(super) checked: Checked,
}

impl Contender {
    /// Seed and faults of each simulated model that it may call.
    pub(super) fn simulated(&self) -> impl Iterator<Item = (u64, &FaultModel)> {
        let granted = wire::granted_aliases(&self.checked);
        let models = self.checked.host.models.iter();
        let models = models.filter(move |(alias, _)| granted.contains(alias));
        models.filter_map(|(_, model)| match &model.provider {
            Provider::Sim { seed, faults, .. } => Some((*seed, faults)),
            _ => None,
        })
    }

    /// The seed of its first simulated model, if it has one.
    pub(super) fn seed(&self) -> Option<u64> {
        self.simulated().next().map(|(seed, _)| seed)
    }

    /// Its files as they are in a round, from 0: the first is what `hotcell run`
    /// would do.
    pub(super) fn in_round(&self, round: u64) -> Checked {
        let mut checked = self.checked.clone();
        for model in checked.host.models.values_mut() {
            if let Provider::Sim { seed, .. } = &mut model.provider {
                *seed = seed.wrapping_add(round);
            }
        }
        checked
    }
}

/// Reads and checks every workflow.
pub(super) fn arms(args: &EvalArgs) -> Result<Vec<Contender>, Problem> {
    let mut taken = BTreeSet::new();
    let mut arms = Vec::new();
    for workflow in &args.workflows {
        let args = WorkflowArgs {
            workflow: workflow.clone(),
            host: args.host.clone(),
            policy: args.policy.clone(),
            model: args.model.clone(),
            price: args.price.clone(),
            record: None,
            replay: None,
        };
        let checked = wire::read_for(&args, false)?;
        for warning in &checked.warnings {
            screen::warning(warning.clone());
        }
        arms.push(Contender {
            id: unlike(&checked.workflow.plan.name, &mut taken),
            args,
            checked,
        });
    }
    Ok(arms)
}

/// This name, or the first of `name-2`, `name-3`, … that is not taken.
fn unlike(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let free = names.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(free.clone());
    free
}

/// The arm that costs are multiples of; none if there is nothing to compare.
pub(super) fn baseline(named: Option<&str>, arms: &[Contender]) -> Result<Option<String>, Problem> {
    let Some(named) = named else {
        let first = arms.first().filter(|_| arms.len() > 1);
        return Ok(first.map(|arm| arm.id.clone()));
    };
    let all: Vec<&str> = arms.iter().map(|arm| arm.id.as_str()).collect();
    match all.contains(&named) {
        true => Ok(Some(named.to_owned())),
        false => {
            let message = format!("`--baseline {named}` is none of the workflows");
            let problem = problem::Problem::new(message);
            let problem = problem.help(one_of(named, "their names", &all));
            Err(Problem::new(Exit::CommandLine, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_of_one_name_are_told_apart() {
        let mut taken = BTreeSet::new();
        let names = ["a", "b", "a", "a-2", "a"].map(|name| unlike(name, &mut taken));
        assert_eq!(names, ["a", "b", "a-2", "a-2-2", "a-3"]);
    }
}
