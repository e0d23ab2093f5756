use super::*;
use crate::machine::Answer;
use crate::patterns::state_machine::{State, StateMachine, Transition};
use crate::plan::{Body, Pattern};
use crate::story::{Story, fails, output, says};

fn step(id: &str) -> Arc<Step> {
    let mut step = Step::agent(id, &format!("{id}-agent"));
    if let Body::Call(call) = &mut step.body {
        call.retry.max = 0;
    }
    Arc::new(step)
}

/// Drafts alone, until `/d` is below 1.
fn react() -> Iterative {
    Iterative {
        draft: step("draft"),
        critic: None,
        max_iterations: MAX_ITERATIONS,
        converge: Converge {
            field: "/d".to_owned(),
            goal: Goal::Below(1.0),
        },
        no_progress: NO_PROGRESS,
        budget: Budget::default(),
    }
}

/// With a critic, until its `/s` is 0.9.
fn reflexion() -> Iterative {
    Iterative {
        critic: Some(step("critic")),
        converge: Converge {
            field: "/s".to_owned(),
            goal: Goal::AtLeast(0.9),
        },
        ..react()
    }
}

fn begin(pattern: Iterative) -> Story {
    Story::begin(Pattern::Iterative(pattern), "{}")
}

fn invoked(story: &Story) -> Vec<&str> {
    let lines = story.lines.iter().map(String::as_str);
    lines.filter(|line| line.starts_with("invoke")).collect()
}

fn evidence(story: &Story) -> &str {
    match &story.outcome {
        Some(Ok(done)) => done.output.evidence.last().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Answers rounds of drafts with these values of `/d`.
fn drafts(pattern: Iterative, values: &[&str]) -> Story {
    let mut story = begin(pattern);
    for (at, value) in values.iter().enumerate() {
        let path = format!("draft#{}", at + 1);
        story.answer(&path, says(&format!(r#"{{"d":{value}}}"#)));
    }
    story
}

#[test]
fn each_round_sees_the_last_until_the_number_has_converged() {
    let story = drafts(react(), &["9", "0.9"]);
    assert_eq!(
        invoked(&story),
        [
            "invoke draft#1.1 previous=-",
            r#"invoke draft#2.1 previous={"d":9} round=2"#
        ]
    );
    assert_eq!(story.last(), r#"success {"d":0.9}"#);
    assert_eq!(
        evidence(&story),
        "2 rounds, the answer is that of round 2: it converged"
    );
    assert_eq!(story.again(), story.lines);
}

#[test]
fn what_is_good_enough_is_a_distance_or_a_height() {
    let table = [
        (Goal::Below(1.0), "0.99", true),
        (Goal::Below(1.0), "-0.99", true),
        (Goal::Below(1.0), "1", false),
        (Goal::Below(1.0), "-1", false),
        (Goal::Below(1.0), "-9", false),
        (Goal::AtLeast(0.9), "0.9", true),
        (Goal::AtLeast(0.9), "2", true),
        (Goal::AtLeast(0.9), "0.89", false),
        (Goal::Below(1.0), r#""0""#, false),
        (Goal::Below(1.0), "null", false),
    ];
    for (goal, value, converges) in table {
        let mut pattern = react();
        pattern.converge.goal = goal;
        pattern.max_iterations = 1;
        let story = drafts(pattern, &[value]);
        let expected = match converges {
            true => "success ",
            false => "partial_success ",
        };
        assert!(
            story.last().starts_with(expected),
            "{goal:?} {value}: {}",
            story.last()
        );
    }
}

#[test]
fn the_best_is_the_answer_and_not_the_last_and_it_is_no_success() {
    let table: [(&[&str], &str, u32); 5] = [
        (&["5", "3", "4"], "3", 2),
        (&["-3", "4", "3"], "-3", 1),
        // An answer without the number is better than none, and worse than any.
        (&["null", "7", "null"], "7", 2),
        (&["null", "null", "null"], "null", 1),
        (&["9", "8", "7"], "7", 3),
    ];
    for (values, best, round) in table {
        let story = drafts(react(), values);
        assert_eq!(story.last(), format!(r#"partial_success {{"d":{best}}}"#));
        let said = format!("the answer is that of round {round}: ");
        assert!(evidence(&story).contains(&said), "{}", evidence(&story));
    }
}

#[test]
fn it_ends_when_rounds_bring_nothing() {
    let mut pattern = react();
    pattern.max_iterations = 10;
    let story = drafts(pattern.clone(), &["5", "6", "4", "4", "4"]);
    assert_eq!(story.last(), r#"partial_success {"d":4}"#);
    assert_eq!(
        evidence(&story),
        "5 rounds, the answer is that of round 3: it made no progress"
    );
    pattern.no_progress = 1;
    let story = drafts(pattern, &["5", "5"]);
    assert!(evidence(&story).ends_with("it made no progress"));
}

#[test]
fn no_round_begins_when_what_may_be_spent_is_spent() {
    let budget = |micros, tokens| Budget { micros, tokens };
    let table = [
        (budget(None, None), None),
        (budget(Some(30), None), Some(3)),
        (budget(Some(21), None), Some(3)),
        (budget(Some(20), Some(1_000)), Some(2)),
        (budget(None, Some(1)), Some(1)),
        (budget(Some(1_000), Some(200)), Some(2)),
    ];
    for (budget, rounds) in table {
        let mut pattern = react();
        pattern.max_iterations = 4;
        pattern.budget = budget;
        let mut story = begin(pattern);
        let mut round = 0;
        while story.outcome.is_none() {
            round += 1;
            let used = Used {
                micros: 5,
                cost_micros: 10,
                tokens: 100,
            };
            let value = format!(r#"{{"d":{}}}"#, 100 - round);
            story.answer_for(&format!("draft#{round}"), says(&value), used);
        }
        assert_eq!(round, rounds.unwrap_or(4), "{budget:?}");
        let spent = evidence(&story).ends_with("what it may spend is spent");
        assert_eq!(spent, rounds.is_some(), "{}", evidence(&story));
    }
}

#[test]
fn a_critic_sees_the_draft_and_the_next_draft_sees_both() {
    let mut story = begin(reflexion());
    story.answer("draft#1", says("[1]"));
    story.answer("critic#1", says(r#"{"s":0.5}"#));
    story.answer("draft#2", says("[2]"));
    story.answer("critic#2", says(r#"{"s":0.9}"#));
    let both = json!({ "draft": [1], "critique": { "s": 0.5 } });
    assert_eq!(
        invoked(&story),
        [
            "invoke draft#1.1 previous=-".to_owned(),
            "invoke critic#1.1 previous=[1]".to_owned(),
            format!("invoke draft#2.1 previous={both} round=2"),
            "invoke critic#2.1 previous=[2] round=2".to_owned(),
        ]
    );
    assert_eq!(story.last(), "success [2]");
    assert_eq!(story.again(), story.lines);
}

#[test]
fn the_best_is_the_draft_that_the_critic_likes_best() {
    let mut story = begin(reflexion());
    for (round, score) in [(1, "0.4"), (2, "0.8"), (3, "0.6")] {
        story.answer(&format!("draft#{round}"), says(&format!("[{round}]")));
        story.answer(
            &format!("critic#{round}"),
            says(&format!(r#"{{"s":{score}}}"#)),
        );
    }
    assert_eq!(story.last(), "partial_success [2]");
}

#[test]
fn a_round_without_an_answer_leaves_what_there_is() {
    // Nothing yet.
    let mut story = begin(react());
    story.answer("draft#1", fails("deadline"));
    assert_eq!(story.last(), "timeout deadline: m");

    let mut story = begin(react());
    story.answer("draft#1", says(r#"{"d":5}"#));
    story.answer("draft#2", fails("trap"));
    assert_eq!(story.last(), r#"partial_success {"d":5}"#);
    assert!(evidence(&story).ends_with("the last round ended as failure"));

    // A draft that nobody has judged is no answer.
    let mut story = begin(reflexion());
    story.answer("draft#1", says("[1]"));
    story.answer("critic#1", fails("trap"));
    assert_eq!(story.last(), "failure trap: m");
}

#[test]
fn what_stops_rounds_is_no_progress_and_not_that_they_are_alike() {
    let mut pattern = react();
    pattern.max_iterations = 9;
    pattern.no_progress = 5;
    // The agent knows which round it is, so it may still come to something else.
    let story = drafts(pattern.clone(), &["5", "5", "5", "5", "0"]);
    assert_eq!(story.last(), r#"success {"d":0}"#);
    let story = drafts(pattern, &["5"; 6]);
    assert_eq!(
        evidence(&story),
        "6 rounds, the answer is that of round 1: it made no progress"
    );
}

#[test]
fn what_goes_in_a_circle_inside_of_a_round_is_stopped_all_the_same() {
    let visit = |to: &str, on: &str| Transition {
        from: "A".into(),
        to: to.into(),
        when: None,
        on: Some(on.into()),
    };
    let mut state = State::new("A", Some(step("a").as_ref().clone()));
    state.max_visits = 9;
    let machine = StateMachine {
        initial: "A".into(),
        finals: vec!["z".into()],
        states: vec![state, State::new("z", None)],
        transitions: vec![visit("A", "again"), visit("z", "done")],
    };
    let mut pattern = react();
    pattern.max_iterations = 2;
    pattern.draft = Arc::new(Step::workflow("draft", Pattern::StateMachine(machine)));
    let mut story = begin(pattern);
    let goes = |event: &str| {
        let mut answer = output(r#"{"d":5}"#);
        answer.next_state = Some(event.to_owned());
        Answer::Output(answer)
    };
    story.answer("draft#1/a", goes("again"));
    story.answer("draft#1/a#2", goes("done"));
    // The first has the last round before it, the others one another.
    story.answer("draft#2/a", goes("again"));
    story.answer("draft#2/a#2", goes("again"));
    story.answer("draft#2/a#3", goes("again"));
    assert!(
        evidence(&story).ends_with("the last round ended as failure"),
        "{}",
        evidence(&story)
    );
}

#[test]
fn the_value_is_the_agents_own_and_its_evidence_stays() {
    let mut story = begin(react());
    let mut answer = output(r#"{"d":0}"#);
    answer.evidence.push("its own".to_owned());
    answer.confidence = Some(0.7);
    story.answer("draft#1", Answer::Output(answer));
    let Some(Ok(done)) = &story.outcome else {
        panic!("{:?}", story.outcome)
    };
    assert_eq!(done.output.value, r#"{"d":0}"#);
    assert_eq!(done.output.confidence, Some(0.7));
    assert_eq!(done.output.evidence.len(), 2);
    assert_eq!(done.output.evidence[0], "its own");
}
