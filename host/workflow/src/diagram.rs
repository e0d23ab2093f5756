//! A workflow as a Mermaid diagram.

use std::fmt::Write;

use crate::patterns::hierarchical::Hierarchical;
use crate::patterns::iterative::Iterative;
use crate::patterns::sequential::Sequential;
use crate::patterns::state_machine::mermaid::{self, escaped};
use crate::patterns::voting::Voting;
use crate::plan::{Pattern, Step};

/// The diagram. Workflows inside of workflows are one box each.
pub fn diagram(pattern: &Pattern) -> String {
    match pattern {
        Pattern::StateMachine(machine) => mermaid::diagram(machine),
        Pattern::Sequential(sequential) => chart(sequential),
        Pattern::Hierarchical(hierarchical) => tree(hierarchical),
        Pattern::Iterative(iterative) => circle(iterative),
        Pattern::Voting(voting) => vote(voting),
    }
}

/// Voters and what their votes come to.
fn vote(voting: &Voting) -> String {
    let mut lines = String::from("flowchart TD\n    vote{{\"vote\"}}\n");
    for (at, voter) in voting.voters.iter().enumerate() {
        let name = format!("v{at}");
        let _ = writeln!(lines, "    {} --> vote", boxed(&name, voter));
    }
    if let Some(aggregate) = &voting.aggregate {
        let _ = writeln!(lines, "    vote --> {}", boxed("a", aggregate));
    }
    lines
}

/// Steps and what they need.
fn chart(sequential: &Sequential) -> String {
    let mut lines = String::from("flowchart TD\n");
    // Writing into a string does not fail.
    for (at, stage) in sequential.steps.iter().enumerate() {
        let _ = writeln!(lines, "    {}", boxed(&format!("s{at}"), &stage.step));
        for need in &stage.needs {
            let _ = writeln!(lines, "    s{need} --> s{at}");
        }
        if let Some(undo) = &stage.compensate {
            let _ = writeln!(lines, "    {}", boxed(&format!("u{at}"), undo));
            let _ = writeln!(lines, "    s{at} -.-> u{at}");
        }
    }
    lines
}

/// From the planner to whom it may ask, and to the one answer.
fn tree(hierarchical: &Hierarchical) -> String {
    let planner = boxed("p", &hierarchical.planner);
    let mut lines = format!("flowchart TD\n    {planner}\n    a([\"one answer\"])\n");
    for (at, step) in hierarchical.specialists.iter().enumerate() {
        let _ = writeln!(lines, "    {}", boxed(&format!("s{at}"), step));
        let _ = writeln!(lines, "    p --> s{at} --> a");
    }
    lines
}

/// From round to round.
fn circle(iterative: &Iterative) -> String {
    let draft = boxed("d", &iterative.draft);
    let mut lines = format!("flowchart TD\n    {draft}\n");
    match &iterative.critic {
        None => lines.push_str("    d -- again --> d\n"),
        Some(critic) => {
            let _ = writeln!(lines, "    {}", boxed("c", critic));
            lines.push_str("    d --> c\n    c -- again --> d\n");
        }
    }
    lines
}

/// A step as a box.
fn boxed(name: &str, step: &Step) -> String {
    format!("{name}[\"{}\"]", escaped(&step.id))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn steps_are_drawn_with_what_they_need_and_what_undoes_them() {
        let steps = ["a", "b"].map(|id| Step::agent(id, "x"));
        let mut chain = Sequential::chain(steps);
        chain.steps[1].compensate = Some(Arc::new(Step::agent("undo-b", "x")));
        let lines = [
            "flowchart TD",
            "    s0[\"a\"]",
            "    s1[\"b\"]",
            "    s0 --> s1",
            "    u1[\"undo-b\"]",
            "    s1 -.-> u1",
        ];
        let drawn = diagram(&Pattern::Sequential(chain));
        assert_eq!(drawn.lines().collect::<Vec<_>>(), lines);
    }
}
