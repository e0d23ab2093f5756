use std::collections::BTreeSet;

use super::check::{check, explore};
use super::*;
use crate::machine::{Answer, What};
use crate::plan::{Body, Pattern};
use crate::story::{Story, fails, output, says};

mod property;
mod steps;

/// A handler without retries.
fn handler(name: &str) -> Step {
    let mut step = Step::agent(&name.to_lowercase(), "clerk");
    if let Body::Call(call) = &mut step.body {
        call.retry.max = 0;
    }
    step
}

fn guard(source: &str) -> Guard {
    Guard::new(source).expect("CEL")
}

/// A machine from `A` on; capitals with a step, the others final. A way is
/// `FROM TO`, `FROM TO @event`, `FROM TO ?condition` or all of it.
fn machine(ways: &[&str]) -> StateMachine {
    let mut names = vec!["A"];
    let mut transitions = Vec::new();
    for way in ways {
        let (way, when) = match way.split_once(" ?") {
            Some((way, when)) => (way, Some(guard(when))),
            None => (*way, None),
        };
        let (way, on) = match way.split_once(" @") {
            Some((way, on)) => (way, Some(on.into())),
            None => (way, None),
        };
        let (from, to) = way.split_once(' ').expect("two names");
        for name in [from, to] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        transitions.push(Transition {
            from: from.into(),
            to: to.into(),
            when,
            on,
        });
    }
    let is_final = |name: &&str| name.starts_with(char::is_lowercase);
    let state = |name: &&str| State::new(name, (!is_final(name)).then(|| handler(name)));
    StateMachine {
        initial: "A".into(),
        finals: names
            .iter()
            .copied()
            .filter(is_final)
            .map(Into::into)
            .collect(),
        states: names.iter().map(state).collect(),
        transitions,
    }
}

fn change(machine: &mut StateMachine, name: &str, f: impl FnOnce(&mut State)) {
    f(machine
        .states
        .iter_mut()
        .find(|it| *it.name == *name)
        .expect("a state"));
}

fn begin(machine: &StateMachine, input: &str) -> Story {
    Story::begin(Pattern::StateMachine(machine.clone()), input)
}

/// The answer of a handler that says where to go.
fn goes(value: &str, next: &str) -> Answer {
    Answer::Output(Output {
        next_state: Some(next.to_owned()),
        ..output(value)
    })
}

/// What was written down of transitions, a line for each.
fn transitions(story: &Story) -> Vec<String> {
    let line = |audit: &Audit| match audit {
        Audit::Transition {
            from,
            to,
            rule,
            taken,
            ..
        } => {
            let from = from.as_deref().unwrap_or("-");
            let arrow = if *taken { ">" } else { "x" };
            Some(format!("{from} {arrow} {to}: {rule}"))
        }
        Audit::Step { .. } => None,
    };
    story.audit.iter().filter_map(line).collect()
}

/// The approvals of the course.
fn approval() -> StateMachine {
    let mut it = machine(&[
        "A VALIDATE",
        "VALIDATE FINANCE ?output.valid && input.amount > 10000.0",
        "VALIDATE MANAGER ?output.valid && input.amount >= 5000 && input.amount <= 10000",
        "VALIDATE approved ?output.valid && input.amount < 5000",
        "VALIDATE rejected",
        "FINANCE approved @approve",
        "FINANCE rejected @reject",
        "MANAGER approved @approve",
        "MANAGER rejected @reject",
    ]);
    change(&mut it, "approved", |state| {
        state.invariants = vec![
            guard("input.amount <= 10000 || 'FINANCE' in path"),
            guard("input.amount < 5000 || input.amount > 10000 || 'MANAGER' in path"),
        ];
    });
    it
}

#[test]
fn the_data_decides_the_route() {
    let table = [
        (
            "12000",
            r#"{"valid": true}"#,
            "approve",
            "FINANCE",
            "approved",
        ),
        (
            "12000.5",
            r#"{"valid": true}"#,
            "reject",
            "FINANCE",
            "rejected",
        ),
        (
            "10000",
            r#"{"valid": true}"#,
            "approve",
            "MANAGER",
            "approved",
        ),
        (
            "10000.0",
            r#"{"valid": true}"#,
            "approved",
            "MANAGER",
            "approved",
        ),
        (
            "5000",
            r#"{"valid": true}"#,
            "rejected",
            "MANAGER",
            "rejected",
        ),
        ("4999.99", r#"{"valid": true}"#, "", "", "approved"),
        ("4999.99", r#"{"valid": false}"#, "", "", "rejected"),
    ];
    assert_eq!(check(&approval()), []);
    for (amount, valid, word, review, end) in table {
        let mut story = begin(&approval(), &format!(r#"{{"amount": {amount}}}"#));
        story.answer("a", says("{}"));
        story.answer("validate", says(valid));
        if !review.is_empty() {
            story.answer(
                &review.to_lowercase(),
                goes(r#"{"by": "x", "path": 1}"#, word),
            );
        }
        let value: Value = serde_json::from_str(story.value()).expect("JSON");
        let mut path = vec!["A", "VALIDATE", review, end];
        path.retain(|name| !name.is_empty());
        assert_eq!(value["state"], end, "{amount}");
        assert_eq!(value["path"], json!(path), "{amount}");
        assert_eq!(value.get("by").is_some(), !review.is_empty());
        assert_eq!(transitions(&story).len(), path.len(), "{amount}");
        assert_eq!(story.again(), story.lines);
    }
}

#[test]
fn each_transition_is_written_down_once_with_where_it_came_from() {
    let mut story = begin(&approval(), r#"{"amount": 12000}"#);
    story.answer("a", says("{}"));
    story.answer("validate", says(r#"{"valid": true}"#));
    story.answer("finance", goes("7", "approve"));
    assert_eq!(
        transitions(&story),
        [
            "- > A: initial",
            "A > VALIDATE: otherwise",
            "VALIDATE > FINANCE: when output.valid && input.amount > 10000.0",
            "FINANCE > approved: next_state on approve",
        ]
    );
    assert_eq!(
        story.value(),
        r#"{"output":7,"state":"approved","path":["A","VALIDATE","FINANCE","approved"]}"#
    );
}

#[test]
fn a_handler_sees_what_the_one_before_answered_and_which_visit_it_is() {
    let mut story = begin(&machine(&["A B", "B A @again", "B z @done"]), "{}");
    story.answer("a", says("1"));
    story.answer("b", goes("2", "again"));
    story.answer("a#2", says("3"));
    story.answer("b#2", goes("4", "z"));
    let invoked = |line: &&String| line.starts_with("invoke");
    let invoked: Vec<&String> = story.lines.iter().filter(invoked).collect();
    assert_eq!(
        invoked,
        [
            "invoke a.1 previous=-",
            "invoke b.1 previous=1",
            "invoke a#2.1 previous=2 round=2",
            "invoke b#2.1 previous=3 round=2",
        ]
    );
    assert_eq!(
        story.value(),
        r#"{"output":4,"state":"z","path":["A","B","A","B","z"]}"#
    );
}

#[test]
fn a_handlers_word_is_heard_only_if_the_table_says_so() {
    let ways = [
        "A b ?output.ok",
        "A c",
        "A d @event",
        "A e @guarded ?output.ok",
        "A z @timeout",
    ];
    let mut it = machine(&ways);
    change(&mut it, "A", |state| state.timeout_ms = Some(10));
    assert_eq!(check(&it), []);
    // The value, the word, and where it ends or why it does not.
    let table = [
        // Heard: a target, an event, the target of an event.
        ("true", "b", "A > b: next_state when output.ok"),
        ("false", "c", "A > c: next_state"),
        // The guarded ones do not go first where the handler has named another.
        ("true", "c", "A > c: next_state"),
        ("false", "event", "A > d: next_state on event"),
        ("false", "d", "A > d: next_state on event"),
        (
            "true",
            "guarded",
            "A > e: next_state on guarded when output.ok",
        ),
        ("true", "e", "A > e: next_state on guarded when output.ok"),
        // Not heard: the condition does not hold, no way there, no such word.
        ("false", "b", "A x b: not next_state when output.ok"),
        (
            "false",
            "guarded",
            "A x e: not next_state on guarded when output.ok",
        ),
        ("true", "A", "A x A: next_state names no way"),
        ("true", "nowhere", "A x ?: next_state names no way"),
        ("true", "", "A x ?: next_state names no way"),
        // No handler can raise the event of the clock, or name its target.
        ("true", "timeout", "A x ?: next_state names no way"),
        ("true", "z", "A x z: next_state names no way"),
    ];
    for (ok, word, line) in table {
        let mut story = begin(&it, "{}");
        story.answer("a", goes(&format!(r#"{{"ok": {ok}}}"#), word));
        assert_eq!(transitions(&story)[1..], [line], "{word}");
        let refused = line.contains(" x ");
        let told = story
            .last()
            .starts_with("failure illegal-transition: the handler of `A`");
        assert_eq!(told, refused, "{}", story.last());
        assert_eq!(story.again(), story.lines);
    }
}

#[test]
fn a_word_that_is_no_name_is_shown_through_the_gate_and_written_nowhere_else() {
    let mut story = begin(&machine(&["A z"]), "{}");
    let word = format!("\u{1b}[31m\u{202e}{}", "x".repeat(4_000));
    story.answer("a", goes("1", &word));
    let last = story.last();
    assert!(
        !last.contains('\u{1b}') && !last.contains('\u{202e}'),
        "{last}"
    );
    assert!(last.len() < 300, "{last}");
    assert_eq!(transitions(&story)[1..], ["A x ?: next_state names no way"]);
}

#[test]
fn conditions_go_first_and_two_that_hold_are_a_failure() {
    let ways = [
        "A b ?output.n > 1",
        "A c ?output.n > 2",
        "A b ?output.n > 4",
        "A d",
    ];
    let table = [
        ("1", "A > d: otherwise"),
        ("2", "A > b: when output.n > 1"),
        ("3", "A x b: when output.n > 1"),
    ];
    for (n, line) in table {
        let mut story = begin(&machine(&ways), "{}");
        story.answer("a", says(&format!(r#"{{"n": {n}}}"#)));
        assert_eq!(transitions(&story)[1..], [line]);
        let told = story
            .last()
            .starts_with("failure ambiguous-transition: two ways out of `A`");
        assert_eq!(told, n == "3", "{}", story.last());
    }
    // Two that lead to the same state are no question.
    let mut story = begin(
        &machine(&["A b ?output.n > 1", "A b ?output.n > 2", "A c"]),
        "{}",
    );
    story.answer("a", says(r#"{"n": 3}"#));
    assert_eq!(transitions(&story)[1..], ["A > b: when output.n > 1"]);
}

#[test]
fn without_an_open_way_it_fails() {
    let mut story = begin(&machine(&["A b ?output.n > 1", "A c @event"]), "{}");
    story.answer("a", says(r#"{"n": 1}"#));
    assert!(
        story
            .last()
            .starts_with("failure no-transition: no way out of `A`")
    );
    assert_eq!(transitions(&story), ["- > A: initial"]);
}

#[test]
fn a_condition_without_an_answer_is_not_taken_for_false() {
    // Were it false, the record would be approved for want of a field.
    let mut story = begin(&machine(&["A b ?output.risk == 'HIGH'", "A c"]), "{}");
    story.answer("a", says("{}"));
    assert_eq!(
        transitions(&story)[1..],
        ["A x b: when output.risk == 'HIGH'"]
    );
    assert!(
        story.last().starts_with("failure guard: "),
        "{}",
        story.last()
    );
}

#[test]
fn an_invariant_that_does_not_hold_keeps_the_machine_out() {
    let table = [
        (
            "input.n > 1",
            r#"{"n": 1}"#,
            "may only be entered if input.n > 1",
        ),
        ("input.n > 1", "{}", "there is no `n`"),
        ("'B' in path", "{}", "may only be entered if 'B' in path"),
        ("has(visits.c)", "{}", "may only be entered if"),
    ];
    for (invariant, input, words) in table {
        let mut it = machine(&["A B @b", "A c", "B c"]);
        change(&mut it, "c", |state| {
            state.invariants = vec![guard("true"), guard(invariant)];
        });
        let mut story = begin(&it, input);
        story.answer("a", says("1"));
        let line = format!("A x c: invariant {invariant}");
        assert_eq!(transitions(&story), ["- > A: initial", &line]);
        let last = story.last();
        assert!(last.starts_with("failure invariant: "), "{last}");
        assert!(last.contains(words), "{last}");
        assert_eq!(story.again(), story.lines);
    }
    // The initial state's as well: nothing is done at all.
    let mut it = machine(&["A z"]);
    change(&mut it, "A", |state| {
        state.invariants = vec![guard("size(path) > 0")]
    });
    let story = begin(&it, "{}");
    assert_eq!(transitions(&story), ["- x A: invariant size(path) > 0"]);
    assert!(story.open.is_empty());
}

#[test]
fn a_cycle_ends_at_the_cap() {
    let mut it = machine(&["A A @again", "A z @done"]);
    change(&mut it, "A", |state| state.max_visits = 2);
    let mut story = begin(&it, "{}");
    story.answer("a", goes("1", "again"));
    story.answer("a#2", goes("2", "again"));
    assert_eq!(
        transitions(&story),
        [
            "- > A: initial",
            "A > A: next_state on again",
            "A x A: max_visits 2"
        ]
    );
    assert_eq!(
        story.last(),
        "failure max-visits: `A` was entered 2 times already"
    );
}
