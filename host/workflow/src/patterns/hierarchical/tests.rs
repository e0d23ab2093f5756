use hotcell_runtime::task::Subtask;
use serde_json::json;

use super::*;
use crate::machine::{Answer, Ask, Path};
use crate::plan::Pattern;
use crate::story::{Story, fails, output, says};

/// A step without retries.
fn step(id: &str, optional: bool) -> Arc<Step> {
    let mut step = Step {
        optional,
        ..Step::agent(id, &format!("{id}-agent"))
    };
    if let Body::Call(call) = &mut step.body {
        call.retry.max = 0;
    }
    Arc::new(step)
}

/// `a`, `b` and an optional `c`; the mean of `/s`.
fn three() -> Hierarchical {
    Hierarchical {
        planner: step("plan", false),
        specialists: vec![step("a", false), step("b", false), step("c", true)],
        max_workers: MAX_WORKERS,
        skip_unknown: false,
        quorum: None,
        aggregate: Aggregate::Mean {
            field: "/s".to_owned(),
            over: 0.5,
        },
    }
}

fn begin(pattern: &Hierarchical) -> Story {
    Story::begin(Pattern::Hierarchical(pattern.clone()), "{}")
}

/// A plan: id, specialist, what it depends on. The input is the id.
fn plan(subtasks: &[(&str, &str, &[&str])]) -> Answer {
    let subtask = |(id, specialist, depends_on): &(&str, &str, &[&str])| Subtask {
        id: (*id).to_owned(),
        specialist: (*specialist).to_owned(),
        input: json!(id).to_string(),
        depends_on: depends_on.iter().map(|it| (*it).to_owned()).collect(),
    };
    Answer::Output(Output {
        plan: subtasks.iter().map(subtask).collect(),
        ..output("{}")
    })
}

fn flat() -> Answer {
    plan(&[("1", "a", &[]), ("2", "b", &[]), ("3", "c", &[])])
}

/// The lines that begin so.
fn lines<'a>(story: &'a Story, start: &str) -> Vec<&'a str> {
    let lines = story.lines.iter().map(String::as_str);
    lines.filter(|line| line.starts_with(start)).collect()
}

#[test]
fn the_answer_is_the_mean_of_what_the_specialists_say() {
    let mut story = begin(&three());
    story.answer("plan", flat());
    story.answer(
        "c",
        says(r#"{"s": 0.9, "confidence": 0.5, "risk_factors": ["x", "z"]}"#),
    );
    story.answer(
        "a",
        says(r#"{"s": 0.3, "confidence": 1.0, "risk_factors": ["x", "y"]}"#),
    );
    story.answer("b", says(r#"{"s": 0.6}"#));
    let expected = json!({
        "score": (0.3 + 0.6 + 0.9) / 3.0, "over": true, "count": 3,
        "average_confidence": 0.75, "risk_factors": ["x", "y", "z"],
    });
    let value: Value = serde_json::from_str(story.value()).unwrap();
    assert_eq!(value, expected);
    assert!(story.last().starts_with("success"));
    assert_eq!(story.again(), story.lines);
}

#[test]
fn the_threshold_itself_is_not_over_it() {
    for (scores, over) in [([0.5, 0.5, 0.5], false), ([0.5, 0.5, 0.51], true)] {
        let mut story = begin(&three());
        story.answer("plan", flat());
        for (id, score) in ["a", "b", "c"].iter().zip(scores) {
            story.answer(id, says(&json!({ "s": score }).to_string()));
        }
        let value: Value = serde_json::from_str(story.value()).unwrap();
        assert_eq!(value["over"], over);
        assert_eq!(value["average_confidence"], Value::Null);
        assert_eq!(value.get("risk_factors"), None);
    }
}

#[test]
fn a_subtask_begins_when_those_it_depends_on_have_ended_and_sees_what_they_came_to() {
    let mut story = begin(&three());
    story.answer(
        "plan",
        plan(&[
            ("last", "a", &["x", "y"]),
            ("x", "a", &[]),
            ("y", "c", &["x"]),
        ]),
    );
    assert_eq!(lines(&story, "invoke a"), ["invoke a#2.1 previous=-"]);
    story.answer("a#2", says(r#"{"s":1}"#));
    assert_eq!(
        lines(&story, "invoke c"),
        [r#"invoke c.1 previous={"x":{"s":1}}"#]
    );
    // It is optional: what depends on it goes on without.
    story.answer("c", fails("trap"));
    assert_eq!(
        lines(&story, "invoke a.1"),
        [r#"invoke a.1 previous={"x":{"s":1},"y":null}"#]
    );
    story.answer("a", says(r#"{"s":0}"#));
    assert!(
        story.last().starts_with("partial_success"),
        "{}",
        story.last()
    );
}

#[test]
fn never_more_than_so_many_work_at_once() {
    let mut pattern = three();
    pattern.max_workers = 2;
    let mut story = begin(&pattern);
    let many: Vec<String> = (0..9).map(|at| at.to_string()).collect();
    let many: Vec<(&str, &str, &[&str])> = many
        .iter()
        .map(|id| (id.as_str(), "a", &[] as &[&str]))
        .collect();
    story.answer("plan", plan(&many));
    while story.outcome.is_none() {
        assert!(story.open.len() <= 2, "{}", story.open.len());
        let path = story.open[0].path().unwrap().to_string();
        story.answer(&path, says(r#"{"s":1}"#));
    }
    assert_eq!(lines(&story, "invoke a").len(), 9);
    assert!(story.value().contains("\"count\":9"));
}

#[test]
fn a_bad_plan_goes_back_with_findings_and_is_a_failure_in_the_end() {
    type Plan<'a> = &'a [(&'a str, &'a str, &'a [&'a str])];
    let table: [(Plan<'_>, &str, &str); 7] = [
        (&[], "bad-plan", "a plan has 1 to 64 subtasks, this one 0"),
        (&[("", "a", &[])], "no-id", "/plan/0/id it is empty"),
        (
            &[("1", "a", &[]), ("1", "b", &[])],
            "twice",
            "/plan/1/id `1` is the id",
        ),
        (
            &[("1", "d", &[])],
            "unknown-specialist",
            "there is no `d`; there are `a`, `b`, `c`",
        ),
        (
            &[("1", "a", &["2"])],
            "unknown-subtask",
            "no subtask is called `2`",
        ),
        (
            &[("1", "a", &["1"])],
            "cycle",
            "subtasks wait for each other: 1 → 1",
        ),
        (
            &[("1", "a", &["2"]), ("2", "a", &["1"])],
            "cycle",
            "subtasks wait for each other: 1 → 2 → 1",
        ),
    ];
    for (bad, code, words) in table {
        let mut story = begin(&three());
        story.answer("plan", plan(bad));
        let again = format!("invoke plan#2.1 previous=- findings={code}");
        assert_eq!(lines(&story, "invoke plan#2"), [again]);
        story.answer("plan#2", plan(bad));
        assert!(
            story.last().starts_with("failure bad-plan: "),
            "{}",
            story.last()
        );
        assert!(story.last().contains(words), "{}", story.last());

        let mut story = begin(&three());
        story.answer("plan", plan(bad));
        story.answer("plan#2", plan(&[("1", "a", &[])]));
        story.answer("a", says(r#"{"s":1}"#));
        assert!(story.last().starts_with("success"), "{}", story.last());
    }
}

#[test]
fn an_input_that_is_not_json_and_a_plan_without_end_are_bad() {
    let subtask = |id: usize, input: &str| Subtask {
        id: id.to_string(),
        specialist: "a".to_owned(),
        input: input.to_owned(),
        depends_on: Vec::new(),
    };
    let many: Vec<Subtask> = (0..MAX_SUBTASKS + 1).map(|id| subtask(id, "1")).collect();
    let pattern = three();
    assert!(pattern.check(&many[1..]).is_ok());
    let codes = |plan: &[Subtask]| -> Vec<String> {
        let findings = pattern.check(plan).unwrap_err();
        findings.into_iter().map(|it| it.code).collect()
    };
    assert_eq!(codes(&many), ["bad-plan"]);
    assert_eq!(codes(&[subtask(1, "{")]), ["not-json"]);
    let hostile = Subtask {
        specialist: format!("\u{1b}[31m\n{}", "x".repeat(10_000)),
        ..subtask(1, "1")
    };
    let said = pattern.check(&[hostile]).unwrap_err().remove(0).message;
    assert!(
        said.len() < 200 && !said.contains(['\u{1b}', '\n']),
        "{said}"
    );
    let all_bad: Vec<Subtask> = (0..MAX_SUBTASKS).map(|id| subtask(id, "{")).collect();
    assert_eq!(codes(&all_bad).len(), 16);
}

#[test]
fn who_is_not_there_is_left_out_only_when_the_workflow_says_so() {
    let mut pattern = three();
    pattern.skip_unknown = true;
    let mut story = begin(&pattern);
    story.answer("plan", plan(&[("1", "nobody", &[]), ("2", "a", &["1"])]));
    assert_eq!(
        lines(&story, "invoke a"),
        [r#"invoke a.1 previous={"1":null}"#]
    );
    story.answer("a", says(r#"{"s":1}"#));
    assert!(
        story.last().starts_with("partial_success"),
        "{}",
        story.last()
    );
    // With nobody left there is no plan.
    let mut story = begin(&pattern);
    let nobody = || plan(&[("1", "nobody", &[])]);
    story.answer("plan", nobody());
    story.answer("plan#2", nobody());
    assert!(
        story.last().starts_with("failure bad-plan: "),
        "{}",
        story.last()
    );
}

#[test]
fn without_any_result_there_is_no_answer() {
    let mut story = begin(&three());
    story.answer("plan", plan(&[("1", "c", &[])]));
    story.answer("c", fails("trap"));
    assert!(
        story.last().starts_with("failure no-quorum: "),
        "{}",
        story.last()
    );
    // Nor without anything to add up.
    let mut story = begin(&three());
    story.answer("plan", plan(&[("1", "c", &[])]));
    story.answer("c", says(r#"{"s":"much"}"#));
    assert!(
        story.last().starts_with("failure no-quorum: "),
        "{}",
        story.last()
    );
}

#[test]
fn a_required_specialist_must_have_a_result_unless_there_is_a_quorum() {
    let mut story = begin(&three());
    story.answer("plan", flat());
    story.answer("a", fails("trap"));
    assert_eq!(story.last(), "failure trap: m");

    let mut pattern = three();
    pattern.quorum = Some(2);
    let mut story = begin(&pattern);
    story.answer("plan", flat());
    story.answer("a", fails("trap"));
    story.answer("b", says(r#"{"s":1}"#));
    story.answer("c", says(r#"{"s":1}"#));
    assert!(
        story.last().starts_with("partial_success"),
        "{}",
        story.last()
    );

    let mut story = begin(&pattern);
    story.answer("plan", flat());
    story.answer("a", fails("trap"));
    // It cannot be reached any more: nobody waits for the last one.
    story.answer("b", fails("trap"));
    assert_eq!(
        story.last(),
        "failure no-quorum: 1 of 3 subtasks can have a result, and 2 must"
    );
    assert!(story.open.is_empty());

    // A plan too small for it is a bad one.
    let mut story = begin(&pattern);
    story.answer("plan", plan(&[("1", "a", &[])]));
    assert_eq!(lines(&story, "invoke plan#2").len(), 1);
}

#[test]
fn a_planner_without_an_answer_is_the_end() {
    let mut story = begin(&three());
    story.answer("plan", fails("deadline"));
    assert_eq!(story.last(), "timeout deadline: m");
}

#[test]
fn other_ways_of_making_one_answer() {
    let whole = String::new;
    let field = || "/x".to_owned();
    let table: [(Aggregate, [&str; 3], &str); 8] = [
        (Aggregate::First, ["1", "2", "3"], "success 1"),
        (
            Aggregate::Union { field: whole() },
            ["[2,1]", "[1,3]", "7"],
            "success [2,1,3]",
        ),
        (
            Aggregate::Union { field: field() },
            [r#"{"x":[1]}"#, r#"{"x":[]}"#, "{}"],
            r#"success {"x":[1]}"#,
        ),
        (
            Aggregate::Union { field: field() },
            ["1", "2", "3"],
            "failure no-quorum",
        ),
        (
            Aggregate::Majority { field: whole() },
            ["2", "1", "2"],
            "success 2",
        ),
        (
            Aggregate::Majority { field: field() },
            [r#"{"x":true}"#, r#"{"x":false,"y":1}"#, r#"{"x":true}"#],
            r#"success {"x":true}"#,
        ),
        (
            Aggregate::Majority { field: whole() },
            ["1", "2", "3"],
            "pending_human_review tie",
        ),
        // Half is not more than half.
        (
            Aggregate::Majority { field: field() },
            [r#"{"x":1}"#, r#"{"x":2}"#, "{}"],
            "pending_human_review tie",
        ),
    ];
    for (aggregate, answers, expected) in table {
        let mut pattern = three();
        pattern.aggregate = aggregate;
        let mut story = begin(&pattern);
        story.answer("plan", flat());
        for (id, value) in ["a", "b", "c"].iter().zip(answers) {
            story.answer(id, says(value));
        }
        assert!(
            story.last().starts_with(expected),
            "{} is not {expected}",
            story.last()
        );
    }
}

#[test]
fn an_aggregator_decides_over_all_results() {
    let decide = |decision: Decision| {
        let mut pattern = three();
        pattern.aggregate = Aggregate::Plugin(step("aggregate", false));
        let mut story = begin(&pattern);
        story.answer(
            "plan",
            plan(&[("1", "a", &[]), ("2", "c", &[]), ("3", "a", &[])]),
        );
        story.answer("a#2", says("3"));
        story.answer("c", fails("trap"));
        story.answer("a", says("1"));
        assert_eq!(lines(&story, "decide"), ["decide aggregate.1 a:1 a#2:3"]);
        story.answer("aggregate", Answer::Decision(decision));
        assert_eq!(story.again(), story.lines);
        story.last().to_owned()
    };
    let table = [
        (
            Decision::Decided("[ 1 ]".to_owned(), 0.9),
            "partial_success [1]",
        ),
        (
            Decision::Decided("[".to_owned(), 0.9),
            "failure bad-decision: ",
        ),
        (Decision::Tie(Vec::new()), "pending_human_review tie: "),
        (Decision::NoQuorum, "failure no-quorum: "),
    ];
    for (decision, expected) in table {
        let told = decide(decision);
        assert!(told.starts_with(expected), "{told}");
    }
}

/// The next of numbers that look drawn (Steele, Lea, Flood: SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A plan without cycles, drawn from a seed.
fn drawn(seed: u64) -> Answer {
    let mut state = seed;
    let len = 1 + next(&mut state) % 12;
    let ids: Vec<String> = (0..len).map(|at| format!("t{at}")).collect();
    let mut all: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        let who = ["a", "b", "c"][(next(&mut state) % 3) as usize];
        let before = ids[..at]
            .iter()
            .filter(|_| next(&mut state).is_multiple_of(3));
        all.push((id, who, before.map(String::as_str).collect()));
    }
    if next(&mut state).is_multiple_of(2) {
        all.reverse();
    }
    let all: Vec<(&str, &str, &[&str])> = all
        .iter()
        .map(|(id, who, before)| (*id, *who, before.as_slice()))
        .collect();
    plan(&all)
}

#[test]
fn the_order_in_which_specialists_end_does_not_matter() {
    for seed in 0..200 {
        let mut pattern = three();
        pattern.quorum = Some(1);
        let mut seen = Vec::new();
        for order in 0..6 {
            // One worker, and then many, in other orders.
            pattern.max_workers = [1, 2, 5, 5, 64, 64][order as usize];
            let mut story = begin(&pattern);
            let mut picks = order;
            let by = |path: &Path, _: u32, ask: &Ask| {
                if &**path == "plan" {
                    return drawn(seed);
                }
                let Ask::Run(task) = ask else { panic!() };
                // By what it is asked, never by when.
                let mut draw = seed ^ task.input.bytes().map(u64::from).sum::<u64>();
                match next(&mut draw) % 5 {
                    0 => fails("trap"),
                    score => says(&json!({"s": score, "risk_factors": [score]}).to_string()),
                }
            };
            story.play(|_| next(&mut picks) as usize, by);
            assert_eq!(story.again(), story.lines);
            seen.push(story.last().to_owned());
        }
        assert!(seen.iter().all(|it| *it == seen[0]), "{seed}: {seen:#?}");
    }
}
