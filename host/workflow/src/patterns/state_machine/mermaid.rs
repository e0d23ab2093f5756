//! A state machine as a Mermaid diagram.

use std::fmt::Write;

use hotcell_runtime::broker::text;

use super::StateMachine;

/// The longest label of a way.
const LABEL: usize = 160;

/// The diagram, for `stateDiagram-v2`.
pub fn diagram(machine: &StateMachine) -> String {
    let at = |name: &str| {
        let mut states = machine.states.iter();
        states.position(|state| *state.name == *name).unwrap_or(0)
    };
    let mut lines = String::from("stateDiagram-v2\n");
    // Writing into a string does not fail.
    for (at, state) in machine.states.iter().enumerate() {
        let _ = writeln!(lines, "    state \"{}\" as s{at}", escaped(&state.name));
    }
    let _ = writeln!(lines, "    [*] --> s{}", at(&machine.initial));
    for way in &machine.transitions {
        let mut words = Vec::new();
        words.extend(way.on.as_deref().map(ToOwned::to_owned));
        words.extend(way.when.as_ref().map(|it| format!("[{}]", it.source())));
        let label = match words.is_empty() {
            true => String::new(),
            false => format!(" : {}", escaped(&words.join(" "))),
        };
        let _ = writeln!(lines, "    s{} --> s{}{label}", at(&way.from), at(&way.to));
    }
    for name in &machine.finals {
        let _ = writeln!(lines, "    s{} --> [*]", at(name));
    }
    lines
}

/// A text that means nothing to Mermaid, on one line.
pub fn escaped(label: &str) -> String {
    let label = text::line(label, LABEL);
    let mut out = String::new();
    for c in label.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '_' | '-' | '.' | ',' | '(' | ')' => {
                out.push(c);
            }
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::guard::Guard;
    use super::super::{State, StateMachine, Transition};
    use super::*;
    use crate::plan::Step;

    #[test]
    fn a_machine_is_drawn_and_no_name_of_it_means_anything_to_mermaid() {
        let machine = StateMachine {
            initial: "A".into(),
            finals: vec!["Z\"; click \u{202e}".into()],
            states: vec![
                State::new("A", Some(Step::agent("a", "a"))),
                State::new("Z\"; click \u{202e}", None),
            ],
            transitions: vec![Transition {
                from: "A".into(),
                to: "Z\"; click \u{202e}".into(),
                when: Some(Guard::new("input.x == '<b>:;'\n|| true").expect("CEL")),
                on: Some("go".into()),
            }],
        };
        let diagram = diagram(&machine);
        let lines: Vec<&str> = diagram.lines().collect();
        assert_eq!(lines.len(), 6, "{diagram}");
        assert_eq!(lines[..2], ["stateDiagram-v2", "    state \"A\" as s0"]);
        assert!(
            lines[2].starts_with("    state \"Z#34;#59; click ") && lines[2].ends_with("\" as s1")
        );
        assert_eq!(lines[3], "    [*] --> s0");
        assert!(
            lines[4]
                .starts_with("    s0 --> s1 : go #91;input.x #61;#61; #39;#60;b#62;#58;#59;#39;")
        );
        assert_eq!(lines[5], "    s1 --> [*]");
        assert!(!diagram.contains('\u{202e}'));
    }
}
