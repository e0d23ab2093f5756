use hotcell_runtime::task::Verdict;

use super::*;
use crate::machine::{Answer, Fault, Used, What};
use crate::plan::{Body, Fallback, Pattern};
use crate::story::{Story, fails, finding, output, says};

/// A step with gates and repairs, and no retries.
fn step(id: &str, gates: &[&str], repairs: u32) -> Step {
    let mut step = Step::agent(id, &format!("{id}-agent"));
    if let Body::Call(call) = &mut step.body {
        call.gates = gates.iter().map(|gate| (*gate).into()).collect();
        call.repairs = repairs;
        call.retry.max = 0;
    }
    step
}

fn chain(steps: Vec<Step>) -> Story {
    Story::begin(Pattern::Sequential(Sequential::chain(steps)), "{}")
}

/// The lines without the auditor's.
fn told(story: &Story) -> Vec<&str> {
    let lines = story.lines.iter().map(String::as_str);
    lines
        .filter(|line| !line.starts_with("audit") && *line != "stop ")
        .collect()
}

#[test]
fn each_agent_sees_the_one_before() {
    let mut story = chain(vec![step("a", &[], 0), step("b", &[], 0)]);
    story.answer("a", says("1"));
    story.answer("b", says("2"));
    assert_eq!(
        told(&story),
        [
            "invoke a.1 previous=-",
            "invoke b.1 previous=1",
            "success 2"
        ]
    );
    assert_eq!(story.again(), story.lines);
}

#[test]
fn a_repair_gives_one_more_try_and_passes_all_gates_again() {
    let mut story = chain(vec![step("a", &["g", "h"], 1)]);
    story.answer("a", says("1"));
    story.judge("a", Ok(Verdict::Pass));
    story.judge("a", Ok(Verdict::Repair(vec![finding("odd")])));
    story.answer("a", says("2"));
    story.judge("a", Ok(Verdict::Pass));
    story.judge("a", Ok(Verdict::Pass));
    assert_eq!(
        told(&story),
        [
            "invoke a.1 previous=-",
            "judge a.1 g: 1",
            "judge a.1 h: 1",
            "invoke a.2 previous=- findings=odd",
            "judge a.2 g: 2",
            "judge a.2 h: 2",
            "success 2"
        ]
    );
}

#[test]
fn the_last_try_is_the_last() {
    let mut story = chain(vec![step("a", &["g"], 1)]);
    for value in ["1", "2"] {
        story.answer("a", says(value));
        story.judge("a", Ok(Verdict::Repair(vec![finding("odd")])));
    }
    assert_eq!(story.last(), "validation_failed validation_failed: g: /x m");
}

#[test]
fn a_rejection_leaves_no_other_try() {
    let mut story = chain(vec![step("a", &["g"], 3), step("b", &[], 0)]);
    story.answer("a", says("1"));
    story.judge("a", Ok(Verdict::Reject(Vec::new())));
    assert!(story.last().starts_with("validation_failed"));
}

#[test]
fn an_answer_off_its_schema_is_repaired_like_a_finding() {
    let off = || Answer::OffSchema(vec![finding("schema")]);
    let mut story = chain(vec![step("a", &[], 1)]);
    story.answer("a", off());
    story.answer("a", says("2"));
    assert_eq!(
        told(&story),
        [
            "invoke a.1 previous=-",
            "invoke a.2 previous=- findings=schema",
            "success 2"
        ]
    );
    let mut story = chain(vec![step("a", &[], 1)]);
    story.answer("a", off());
    story.answer("a", off());
    assert!(story.last().starts_with("validation_failed"));
}

#[test]
fn a_broken_validator_keeps_the_gate_shut() {
    let mut story = chain(vec![step("a", &["g"], 1)]);
    story.answer("a", says("1"));
    story.judge("a", Err(Fault::new("trap", "m")));
    let Some(Err(Stop::Fault { step, .. })) = &story.outcome else {
        panic!("{:?}", story.outcome);
    };
    assert_eq!(step, "a/g");
}

#[test]
fn a_deadline_is_a_timeout_and_any_other_fault_a_failure() {
    for (code, status) in [("deadline", "timeout"), ("trap", "failure")] {
        let mut story = chain(vec![step("a", &[], 0)]);
        story.answer("a", fails(code));
        assert_eq!(story.last(), format!("{status} {code}: m"));
    }
}

#[test]
fn what_may_pass_is_tried_again_after_a_wait() {
    let mut one = step("a", &[], 0);
    if let Body::Call(call) = &mut one.body {
        call.retry.max = 2;
    }
    let mut story = chain(vec![one]);
    story.answer("a", fails("transient"));
    story.elapse("a");
    story.answer("a", fails("deadline"));
    story.elapse("a");
    story.answer("a", fails("transient"));
    assert_eq!(story.last(), "failure transient: m");
    let waits = told(&story);
    let waits = waits.iter().filter(|line| line.starts_with("wait a"));
    assert_eq!(waits.count(), 2);
    assert_eq!(story.again(), story.lines);
}

#[test]
fn events_that_do_not_fit_change_nothing() {
    let mut story = chain(vec![step("a", &["g"], 1)]);
    let stray = |path: &str, attempt| What::Answered {
        path: path.into(),
        attempt,
        answer: says("x"),
        used: Used::default(),
    };
    let judged = |gate, attempt| What::Judged {
        path: "a".into(),
        attempt,
        gate,
        validator: "g".into(),
        judgement: Ok(Verdict::Pass),
        used: Used::default(),
    };
    let before = story.lines.len();
    story.happens(What::Started { seed: 1 });
    story.happens(stray("b", 1));
    story.happens(stray("a", 2));
    story.happens(judged(0, 1));
    story.happens(What::Elapsed {
        path: "a".into(),
        timer: 1,
    });
    story.happens(What::Looked {
        path: "a".into(),
        found: Some(output("x")),
    });
    assert_eq!(story.lines.len(), before);
    story.answer("a", says("1"));
    let before = story.lines.len();
    story.happens(stray("a", 1));
    story.happens(judged(1, 1));
    story.happens(judged(0, 2));
    assert_eq!(story.lines.len(), before);
    story.happens(What::Cancelled);
    let before = story.lines.len();
    assert_eq!(story.last(), "cancelled cancelled: ");
    story.happens(What::Cancelled);
    story.happens(judged(0, 1));
    assert_eq!(story.lines.len(), before);
}

#[test]
fn steps_that_do_not_need_each_other_run_side_by_side() {
    let stage = |id: &str, needs: &[usize]| Stage {
        step: Arc::new(step(id, &[], 0)),
        needs: needs.to_vec(),
        compensate: None,
    };
    let steps = vec![
        stage("a", &[]),
        stage("b", &[0]),
        stage("c", &[0]),
        stage("d", &[1, 2]),
    ];
    let mut story = Story::begin(Pattern::Sequential(Sequential { steps }), "{}");
    story.answer("a", says("1"));
    // In whatever order they end.
    story.answer("c", says("3"));
    story.answer("b", says("2"));
    story.answer("d", says("4"));
    assert_eq!(
        told(&story),
        [
            "invoke a.1 previous=-",
            "invoke b.1 previous=1",
            "invoke c.1 previous=1",
            "invoke d.1 previous={\"b\":2,\"c\":3}",
            "success 4"
        ]
    );
}

#[test]
fn an_optional_step_is_done_without_and_that_is_said() {
    let optional = Step {
        optional: true,
        ..step("a", &[], 0)
    };
    let mut story = chain(vec![optional, step("b", &[], 0)]);
    story.answer("a", fails("trap"));
    story.answer("b", says("2"));
    assert_eq!(
        told(&story),
        [
            "invoke a.1 previous=-",
            "invoke b.1 previous=-",
            "partial_success 2"
        ]
    );
}

#[test]
fn what_was_done_is_undone_the_last_first() {
    let stage = |id: &str, needs: &[usize], undo: Option<&str>| Stage {
        step: Arc::new(step(id, &[], 0)),
        needs: needs.to_vec(),
        compensate: undo.map(|id| Arc::new(step(id, &[], 0))),
    };
    let steps = vec![
        stage("a", &[], Some("un-a")),
        stage("b", &[0], None),
        stage("c", &[1], Some("un-c")),
        stage("d", &[2], Some("un-d")),
    ];
    let mut story = Story::begin(Pattern::Sequential(Sequential { steps }), "{}");
    for (id, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        story.answer(id, says(value));
    }
    story.answer("d", fails("trap"));
    // That this one cannot be undone does not keep the others from it.
    story.answer("un-c", fails("permanent"));
    story.answer("un-a", says("0"));
    let told = told(&story);
    assert_eq!(
        told[4..],
        [
            "invoke un-c.1 previous=3",
            "invoke un-a.1 previous=1",
            "failure trap: m"
        ]
    );
    assert_eq!(story.again(), story.lines);
}

#[test]
fn fallbacks_have_their_turn_in_order_and_what_comes_of_them_is_no_success() {
    let with = |fallback: Vec<Fallback>| Step {
        fallback,
        ..step("a", &[], 0)
    };
    let cache = || Fallback::Cache { ttl_s: 60 };
    let simple = || Fallback::Step(Arc::new(step("simple", &[], 0)));
    let default = || Fallback::Default(serde_json::json!({"x": 1}));

    let mut story = chain(vec![with(vec![cache(), simple(), default()])]);
    story.answer("a", fails("trap"));
    assert_eq!(story.last(), "look a");
    story.happens(What::Looked {
        path: "a".into(),
        found: None,
    });
    story.answer("a/simple", fails("trap"));
    assert_eq!(story.last(), "fallback {\"x\":1}");

    let mut story = chain(vec![with(vec![cache(), default()])]);
    story.answer("a", fails("trap"));
    story.happens(What::Looked {
        path: "a".into(),
        found: Some(output("9")),
    });
    assert_eq!(story.last(), "fallback 9");

    let mut story = chain(vec![with(vec![simple()])]);
    story.answer("a", fails("trap"));
    story.answer("a/simple", says("5"));
    assert_eq!(story.last(), "fallback 5");

    let mut story = chain(vec![with(vec![Fallback::Skip])]);
    story.answer("a", fails("trap"));
    assert_eq!(story.last(), "fallback null");

    let mut story = chain(vec![with(vec![Fallback::Human])]);
    story.answer("a", fails("trap"));
    assert_eq!(story.last(), "pending_human_review trap: m");

    // A success is kept for later.
    let mut story = chain(vec![with(vec![cache()])]);
    story.answer("a", says("1"));
    assert!(story.lines.contains(&"keep 1 for 60 s".to_owned()));
}

#[test]
fn a_workflow_may_be_a_step() {
    let inner = Pattern::Sequential(Sequential::chain([step("x", &[], 0), step("y", &[], 0)]));
    let steps = vec![
        step("a", &[], 0),
        Step::workflow("in", inner),
        step("b", &[], 0),
    ];
    let mut story = chain(steps);
    story.answer("a", says("1"));
    story.answer("in/x", says("2"));
    story.answer("in/y", says("3"));
    story.answer("b", says("4"));
    assert_eq!(
        told(&story),
        [
            "invoke a.1 previous=-",
            "invoke in/x.1 previous=1",
            "invoke in/y.1 previous=2",
            "stop in",
            "invoke b.1 previous=3",
            "success 4"
        ]
    );
    assert_eq!(story.again(), story.lines);
}

#[test]
fn the_same_question_three_times_in_one_place_stops_the_step() {
    // `b` needs `a`, and both are the same place when they are rounds of one
    // step; a sequence has no rounds, so the same path is asked by fallbacks.
    let mut one = step("a", &[], 0);
    one.fallback = vec![
        Fallback::Step(Arc::new(step("again", &[], 0))),
        Fallback::Step(Arc::new(step("again", &[], 0))),
        Fallback::Step(Arc::new(step("again", &[], 0))),
        Fallback::Skip,
    ];
    let mut story = chain(vec![one]);
    story.answer("a", fails("trap"));
    story.answer("a/again", fails("trap"));
    story.answer("a/again", fails("trap"));
    // The third is not asked any more.
    assert_eq!(story.last(), "fallback null");
    assert!(story.open.is_empty());
}

#[test]
fn the_shape_tells_what_lies_beside_and_what_behind() {
    let stage = |id: &str, needs: &[usize]| Stage {
        step: Arc::new(step(id, &[], 0)),
        needs: needs.to_vec(),
        compensate: None,
    };
    let steps = vec![
        stage("a", &[]),
        stage("b", &[0]),
        stage("c", &[0]),
        stage("d", &[2]),
    ];
    let sequence = Sequential { steps };
    let shape = sequence.shape();
    assert_eq!(shape.levels, [vec!["a"], vec!["b", "c"], vec!["d"]]);
    assert_eq!(shape.critical_path, ["a", "c", "d"]);
}
