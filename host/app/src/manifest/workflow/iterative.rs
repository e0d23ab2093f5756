//! `pattern: iterative`: who drafts, who judges, and when it is enough.

use std::sync::Arc;

use hotcell_workflow::patterns::iterative::{
    Budget, Converge, Goal, Iterative, MAX_ITERATIONS, NO_PROGRESS,
};
use hotcell_workflow::plan::Pattern;

use super::scope::Scope;
use super::step::{self, Place};
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::Node;

/// Its keys.
pub(super) const KEYS: [&str; 7] = [
    "mode",
    "draft",
    "critic",
    "max_iterations",
    "converge",
    "no_progress",
    "budget",
];

/// The most rounds that can be asked for.
const MOST: u64 = 100;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    React,
    Reflexion,
}

const MODES: [(&str, Mode); 2] = [("react", Mode::React), ("reflexion", Mode::Reflexion)];

const CONVERGE: &str = "write `converge: { field: …, below: … }` or `{ field: …, at_least: … }`";

/// Reads it.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table<'_>,
    scope: &mut Scope<'_>,
) -> Option<Pattern> {
    let mode = reader
        .require(table, "mode", "write `mode: react` or `mode: reflexion`")
        .and_then(|node| reader.choice(node, "mode", &MODES));
    let place = |id| Place {
        id: Some(id),
        ..Place::default()
    };
    let draft = reader
        .require(table, "draft", "name who answers: `draft: { agent: … }`")
        .and_then(|node| step::read(reader, node, scope, place("draft")));
    let critic = match (mode, table.get("critic")) {
        (Some(Mode::React), Some(node)) => {
            let help = "write `mode: reflexion`, or leave the critic out";
            let message = "nobody judges in mode `react`";
            reader.wrong(&node.span, message, "never asked", help);
            None
        }
        (Some(Mode::Reflexion), None) => {
            reader.require(table, "critic", "name who judges: `critic: { agent: … }`");
            None
        }
        (_, node) => node.and_then(|node| step::read(reader, node, scope, place("critic"))),
    };
    let both = draft.iter().chain(&critic).map(|written| &written.id);
    step::distinct(reader, both);
    let converge = reader
        .require(table, "converge", CONVERGE)
        .and_then(|node| converge(reader, node));
    let rounds = |reader: &mut Reader, key: &str, otherwise: u32| match table.get(key) {
        Some(node) => reader.whole(node, key, 1..=MOST).unwrap_or_default(),
        None => u64::from(otherwise),
    };
    let max_iterations = rounds(reader, "max_iterations", MAX_ITERATIONS);
    let no_progress = rounds(reader, "no_progress", NO_PROGRESS);
    let budget = table.get("budget").map(|node| budget(reader, node));
    if mode? == Mode::Reflexion && critic.is_none() {
        return None;
    }
    Some(Pattern::Iterative(Iterative {
        draft: Arc::new(draft?.step),
        critic: critic.map(|written| Arc::new(written.step)),
        max_iterations: u32::try_from(max_iterations).ok()?,
        converge: converge?,
        no_progress: u32::try_from(no_progress).ok()?,
        budget: budget.unwrap_or_default(),
    }))
}

fn converge(reader: &mut Reader, node: &Node) -> Option<Converge> {
    let table = reader.table(node, "`converge`", &["field", "below", "at_least"])?;
    let field = reader
        .require(&table, "field", "name the number: `field: /discrepancy`")
        .and_then(|node| reader.pointer(node, "field"));
    let goal = match (table.get("below"), table.get("at_least")) {
        (Some(node), None) => reader.number(node, "below").map(Goal::Below),
        (None, Some(node)) => reader.number(node, "at_least").map(Goal::AtLeast),
        (Some(_), Some(node)) => {
            let message = "an answer is good enough `below` or `at_least`";
            reader.wrong(&node.span, message, "the second", "keep one of them");
            None
        }
        (None, None) => {
            reader.require(&table, "below", CONVERGE);
            None
        }
    };
    if let (Some(Goal::Below(below)), Some(node)) = (goal, table.get("below"))
        && below <= 0.0
    {
        let help = "it is the distance from nothing that counts: write a small number";
        reader.wrong(&node.span, "`below` is never met", "above nothing", help);
    }
    Some(Converge {
        field: field?,
        goal: goal?,
    })
}

fn budget(reader: &mut Reader, node: &Node) -> Budget {
    let Some(table) = reader.table(node, "`budget`", &["micros", "tokens"]) else {
        return Budget::default();
    };
    let mut most = |key: &str| {
        let node = table.get(key)?;
        reader.whole(node, key, 1..=u64::MAX)
    };
    Budget {
        micros: most("micros"),
        tokens: most("tokens"),
    }
}
