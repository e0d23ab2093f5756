//! What can be told of how a workflow hangs together without running it.

use hotcell_workflow::patterns::sequential::Shape as Levels;
use hotcell_workflow::patterns::state_machine::StateMachine;
use hotcell_workflow::patterns::state_machine::check::explore;
use hotcell_workflow::plan::Pattern;
use serde_json::{Value, json};

/// The shape of a workflow, for people and for programs.
#[derive(Default)]
pub(super) struct Shape {
    /// For programs; null where there is nothing to tell.
    pub(super) told: Value,
    /// For people: lines below the first one.
    pub(super) lines: String,
    /// What is allowed and probably not meant.
    pub(super) remarks: Vec<String>,
}

const ALIKE: &str = "all voters are the same agent with the same kind of task: they err in the \
                     same places; give them kinds or agents that differ";

pub(super) fn of(pattern: &Pattern) -> Shape {
    match pattern {
        Pattern::Sequential(sequential) => {
            let levels = sequential.shape();
            Shape {
                told: json!(levels),
                lines: beside(levels),
                remarks: Vec::new(),
            }
        }
        Pattern::StateMachine(machine) => walked(machine),
        // What comes when is up to a planner, or to the answers.
        Pattern::Hierarchical(_) | Pattern::Iterative(_) => Shape::default(),
        Pattern::Voting(voting) => Shape {
            remarks: voting
                .alike()
                .then(|| ALIKE.to_owned())
                .into_iter()
                .collect(),
            ..Shape::default()
        },
    }
}

/// Which steps lie side by side, and which way through them is the longest.
/// Nothing for a plain chain.
fn beside(shape: Levels<'_>) -> String {
    if shape.levels.iter().all(|level| level.len() == 1) {
        return String::new();
    }
    let level = |level: &Vec<&str>| match level.as_slice() {
        [one] => (*one).to_owned(),
        many => format!("({})", many.join(", ")),
    };
    let levels: Vec<String> = shape.levels.iter().map(level).collect();
    format!(
        "\n  levels         {}\n  critical path  {}",
        levels.join(" → "),
        shape.critical_path.join(" → ")
    )
}

/// How long a run of a state machine can be, and what can stop it on the way.
fn walked(machine: &StateMachine) -> Shape {
    let Some(explored) = explore(machine) else {
        let remark = "the state machine has too many ways through it to walk them all";
        return Shape {
            remarks: vec![remark.to_owned()],
            ..Shape::default()
        };
    };
    let caps: Vec<&str> = explored.caps.iter().map(|name| &**name).collect();
    let mut lines = format!("\n  longest way    {} steps", explored.longest);
    if !caps.is_empty() {
        lines.push_str(&format!(
            "\n  max_visits     ends it at {}",
            caps.join(", ")
        ));
    }
    Shape {
        told: json!({
            "longest": explored.longest,
            "caps": caps,
            "situations": explored.situations,
        }),
        lines,
        remarks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_shown_where_steps_lie_side_by_side() {
        let shape = |levels: &[&[&'static str]], way: &[&'static str]| Levels {
            levels: levels.iter().map(|level| level.to_vec()).collect(),
            critical_path: way.to_vec(),
        };
        let chain = shape(&[&["a"], &["b"]], &["a", "b"]);
        assert_eq!(beside(chain), "");
        let diamond = shape(&[&["a"], &["b", "c"], &["d"]], &["a", "b", "d"]);
        let told = "\n  levels         a → (b, c) → d\n  critical path  a → b → d";
        assert_eq!(beside(diamond), told);
    }
}
