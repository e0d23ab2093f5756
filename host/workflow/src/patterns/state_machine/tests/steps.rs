//! Handlers as steps: their time, their failures, machines inside of machines.

use super::*;
use crate::plan::Fallback;

#[test]
fn a_handler_asked_the_same_again_and_again_is_stopped() {
    let mut it = machine(&["A B", "B A @again", "B z @done"]);
    for name in ["A", "B"] {
        change(&mut it, name, |state| state.max_visits = 9);
    }
    let mut story = begin(&it, "{}");
    story.play(
        |_| 0,
        |path, _, _| match path.starts_with('a') {
            true => says("1"),
            false => goes("2", "again"),
        },
    );
    assert!(
        story.last().starts_with("failure loop: "),
        "{}",
        story.last()
    );
}

#[test]
fn the_time_of_a_state_ends_its_handler() {
    let ways = [
        "A b @timeout ?visits.A > 1",
        "A B @go",
        "B A",
        "B y @timeout",
    ];
    let mut it = machine(&ways);
    for name in ["A", "B"] {
        change(&mut it, name, |state| state.timeout_ms = Some(50));
    }
    // Where the table has no way for it, the run's status is a timeout.
    let wait = |story: &mut Story, timer| {
        let path = Arc::from("");
        story.happens(What::Elapsed { path, timer });
    };
    let mut story = begin(&it, "{}");
    wait(&mut story, 1);
    assert_eq!(story.last(), "timeout deadline: the time of `A` was up");
    // Otherwise it is taken, and the handler is given up.
    let mut story = begin(&it, "{}");
    story.answer("a", goes("1", "go"));
    // The wait of a state that was left means nothing.
    wait(&mut story, 1);
    wait(&mut story, 9);
    assert!(story.outcome.is_none());
    wait(&mut story, 2);
    assert_eq!(transitions(&story)[2..], ["B > y: on timeout"]);
    assert!(story.lines.contains(&"stop b".to_owned()));
    assert_eq!(
        story.value(),
        r#"{"output":1,"state":"y","path":["A","B","y"]}"#
    );
    assert_eq!(story.again(), story.lines);
}

#[test]
fn handlers_fail_degrade_or_are_optional_as_steps_do() {
    let ways = ["A b ?output == null", "A c"];
    let mut story = begin(&machine(&ways), "{}");
    story.answer("a", fails("trap"));
    assert_eq!(story.last(), "failure trap: m");
    assert_eq!(transitions(&story), ["- > A: initial"]);

    type Change = fn(&mut Step);
    let table: [(Change, &str); 2] = [
        (
            |step| step.optional = true,
            r#"partial_success {"output":null,"state":"b","path":["A","b"]}"#,
        ),
        (
            |step| step.fallback = vec![Fallback::Default(json!({"x": 1}))],
            r#"fallback {"x":1,"state":"c","path":["A","c"]}"#,
        ),
    ];
    for (f, line) in table {
        let mut it = machine(&ways);
        change(&mut it, "A", |state| {
            let mut step = handler("A");
            f(&mut step);
            state.step = Some(Arc::new(step));
        });
        let mut story = begin(&it, "{}");
        story.answer("a", fails("trap"));
        assert_eq!(story.last(), line);
    }
}

#[test]
fn a_machine_may_stand_inside_of_another() {
    let inner = machine(&["A z"]);
    let mut outer = machine(&["A B ?output.state == 'z'", "A y", "B x"]);
    change(&mut outer, "A", |state| {
        state.step = Some(Arc::new(Step::workflow("a", Pattern::StateMachine(inner))));
    });
    let mut story = begin(&outer, "{}");
    story.answer("a/a", says(r#"{"k": 1}"#));
    story.answer("b", says("2"));
    assert_eq!(
        story.value(),
        r#"{"output":2,"state":"x","path":["A","B","x"]}"#
    );
    let paths = story.audit.iter().filter_map(|audit| match audit {
        Audit::Transition { path, .. } => Some(&**path),
        Audit::Step { .. } => None,
    });
    assert_eq!(paths.collect::<Vec<_>>(), ["", "a", "a", "", ""]);
}

#[test]
fn the_plan_goes_into_the_journal_and_comes_back() {
    let text = serde_json::to_string(&approval()).expect("text");
    let back: StateMachine = serde_json::from_str(&text).expect("a machine");
    assert_eq!(back, approval());
}
