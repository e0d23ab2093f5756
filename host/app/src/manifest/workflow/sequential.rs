//! `pattern: sequential`: steps, what they need and what undoes them.

use std::sync::Arc;

use hotcell_workflow::graph::{self, Cycle};
use hotcell_workflow::patterns::sequential::{Sequential, Stage};
use hotcell_workflow::plan::Pattern;

use super::scope::Scope;
use super::step::{self, Place, Written};
use crate::manifest::problem::{Problem, one_of};
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::Node;

/// Its keys.
pub(super) const KEYS: [&str; 1] = ["steps"];

/// Reads it. In the plan each step comes after those it needs; in the file they
/// may stand in any order.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table<'_>,
    scope: &mut Scope<'_>,
) -> Option<Pattern> {
    let help = "add at least one step: `- { id: …, agent: … }`";
    let node = reader.require(table, "steps", help)?;
    let place = Place {
        optional: true,
        more: &["needs", "compensate"],
        ..Place::default()
    };
    let list = step::list(reader, node, "steps", scope, place);
    let mut undo = Vec::new();
    for (item, written) in &list {
        undo.push(compensate(reader, item, written.as_ref(), scope));
    }
    let written = list.iter().filter_map(|(_, written)| written.as_ref());
    let all = written.chain(undo.iter().flatten());
    step::distinct(reader, all.map(|written| &written.id));
    // While a step is not clear, nobody can say what the others need.
    let list: Vec<(&Node, Written)> = list
        .into_iter()
        .map(|(item, written)| Some((item, written?)))
        .collect::<Option<_>>()?;
    let ids: Vec<&Named> = list.iter().map(|(_, it)| &it.id).collect();
    let mut needs = Vec::new();
    for (at, (item, _)) in list.iter().enumerate() {
        needs.push(needed(reader, item, at, &ids));
    }
    let order = match graph::order(&needs) {
        Ok(order) => order,
        Err(cycle) => {
            reader.push(circle(&cycle, &ids));
            return None;
        }
    };
    let place_of = |old: usize| order.iter().position(|at| *at == old);
    let stage = |at: &usize| {
        let mut needs: Vec<usize> = needs
            .get(*at)?
            .iter()
            .copied()
            .filter_map(place_of)
            .collect();
        needs.sort_unstable();
        Some(Stage {
            step: Arc::new(list.get(*at)?.1.step.clone()),
            needs,
            compensate: undo.get(*at)?.as_ref().map(|it| Arc::new(it.step.clone())),
        })
    };
    let steps: Vec<Stage> = order.iter().filter_map(stage).collect();
    (!steps.is_empty()).then_some(Pattern::Sequential(Sequential { steps }))
}

/// What undoes a step, called `undo-` and its id unless it says otherwise.
fn compensate(
    reader: &mut Reader,
    item: &Node,
    of: Option<&Written>,
    scope: &mut Scope<'_>,
) -> Option<Written> {
    let node = item.get("compensate")?;
    let id = format!("undo-{}", of.map_or("", |of| of.id.name.as_str()));
    let place = Place {
        id: Some(&id),
        ..Place::default()
    };
    step::read(reader, node, scope, place)
}

/// Which steps come first, by index: the one before unless the step says.
fn needed(reader: &mut Reader, item: &Node, at: usize, ids: &[&Named]) -> Vec<usize> {
    let Some(node) = item.get("needs") else {
        return at.checked_sub(1).into_iter().collect();
    };
    let mut needs = Vec::new();
    for named in reader.texts(node, "needs") {
        match ids.iter().position(|id| id.name == named.name) {
            Some(need) => needs.push(need),
            None => {
                let words: Vec<&str> = ids.iter().map(|id| id.name.as_str()).collect();
                let help = one_of(&named.name, "the steps", &words);
                let problem = Problem::new(format!("no step is called `{}`", named.name));
                reader.push(problem.at(&named.spot, "not under `steps`").help(help));
            }
        }
    }
    needs
}

fn circle(Cycle(cycle): &Cycle, ids: &[&Named]) -> Problem {
    let named = |at: &usize| ids.get(*at).copied();
    let all: Vec<&Named> = cycle
        .iter()
        .chain(cycle.first())
        .filter_map(named)
        .collect();
    let words: Vec<&str> = all.iter().map(|id| id.name.as_str()).collect();
    let way = words.join(" → ");
    let mut problem = Problem::new(format!("steps need each other in a circle: {way}"));
    if let Some(first) = all.first() {
        problem = problem.at(&first.spot, "it begins here");
    }
    problem.help("each step `needs` the next one in the circle: leave one of these needs out")
}
