use super::check::{Wrong, check};
use super::*;
use crate::machine::{Answer, Path};
use crate::plan::{Body, Fallback, Pattern};
use crate::story::{Story, fails, output, says};

fn voter(id: &str) -> Step {
    let mut step = Step::agent(id, "judge");
    if let Body::Call(call) = &mut step.body {
        call.retry.max = 0;
    }
    step
}

fn of(n: usize) -> Voting {
    let ids = ["a", "b", "c", "d", "e", "f", "g"];
    Voting::of(ids.into_iter().take(n).map(voter))
}

/// What the voters answer, by the letters of their names; `-` fails.
fn play(voting: &Voting, says: &[&str], pick: impl FnMut(usize) -> usize) -> Story {
    let mut story = Story::begin(Pattern::Voting(voting.clone()), "{}");
    story.play(pick, |path: &Path, _, _| {
        let at = match &**path {
            "extra" => says.len() - 1,
            path => usize::from(path.as_bytes()[0] - b'a'),
        };
        match says[at] {
            "-" => fails("trap"),
            value => match value.split_once(" @") {
                Some((value, sure)) => Answer::Output(Output {
                    confidence: sure.parse().ok(),
                    ..output(value)
                }),
                None => self::says(value),
            },
        }
    });
    story
}

fn asked(story: &Story) -> usize {
    let lines = story.lines.iter();
    lines.filter(|line| line.starts_with("invoke")).count()
}

#[test]
fn most_decide_and_those_who_failed_are_reported() {
    let table = [
        (vec!["1", "1", "1", "2", "2"], "success 1"),
        (vec!["2", "1", "1.0", "1", "2"], "success 1"),
        (vec!["1", "1", "-", "1", "2"], "partial_success 1"),
        (vec!["1", "null", "-", "1", "1"], "partial_success 1"),
        (
            vec!["1", "1", "2", "2", "-"],
            "pending_human_review tie: no value has enough votes: `1`, `2`",
        ),
        (
            vec!["1", "1", "-", "-", "null"],
            "pending_human_review no-quorum: 2 of 5 voters have a valid vote, 3 are needed",
        ),
        (
            vec!["-", "-", "-", "-", "-"],
            "pending_human_review no-quorum: 0 of 5 voters have a valid vote, 3 are needed",
        ),
    ];
    for (says, line) in table {
        let story = play(&of(5), &says, |_| 0);
        assert_eq!(story.last(), line, "{says:?}");
        assert_eq!(asked(&story), 5);
        assert_eq!(story.again(), story.lines);
    }
}

#[test]
fn a_field_is_voted_on_and_the_votes_are_told() {
    let mut voting = of(3);
    voting.field = Some("/is_fraud".to_owned());
    let says = [
        r#"{"is_fraud": true}"#,
        r#"{"is_fraud": false}"#,
        r#"{"is_fraud": true, "x": 1}"#,
    ];
    let story = play(&voting, &says, |_| 0);
    let value: Value = serde_json::from_str(story.value()).expect("JSON");
    let expected = json!({
        "is_fraud": true, "confidence": 2.0 / 3.0, "votes": { "true": 2, "false": 1 },
    });
    assert_eq!(value, expected);
    // A vote without the field is none.
    let story = play(&voting, &[r#"{"is_fraud": true}"#, "{}", "7"], |_| 0);
    assert!(
        story
            .last()
            .starts_with("pending_human_review no-quorum: 1 of 3")
    );
}

#[test]
fn weights_are_what_voters_are_sure_of_or_what_the_workflow_says() {
    let mut voting = of(3);
    voting.strategy = Strategy::Weighted;
    let says = ["1 @0.3", "1 @0.2", "2 @0.9"];
    assert_eq!(play(&voting, &says, |_| 0).last(), "success 2");
    // One who does not say how sure it is weighs a half.
    assert_eq!(
        play(&voting, &["1 @0.3", "1 @0.3", "2"], |_| 0).last(),
        "success 1"
    );
    voting.weights = Weights::Voters([("a".to_owned(), 3.0)].into());
    assert_eq!(
        play(&voting, &["1 @0.1", "2 @0.9", "2 @0.9"], |_| 0).last(),
        "success 1"
    );
    voting.strategy = Strategy::Mean {
        at_least: Some(0.5),
    };
    voting.weights = Weights::Confidence;
    voting.field = Some("/score".to_owned());
    let says = [
        r#"{"score": 0.9} @0.8"#,
        r#"{"score": 0.4} @0.5"#,
        r#"{"score": 0.1} @0.2"#,
    ];
    let story = play(&voting, &says, |_| 0);
    let value: Value = serde_json::from_str(story.value()).expect("JSON");
    assert!((value["score"].as_f64().expect("a number") - 0.94 / 1.5).abs() < 1e-9);
    assert!((value["confidence"].as_f64().expect("a number") - 0.5).abs() < 1e-9);
    assert_eq!(value["at_least"], true);
}

#[test]
fn where_nothing_is_decided_the_workflow_says_what_is_done() {
    let (tie, few) = (["1", "1", "2", "2", "1"], ["1", "-", "-", "-", "1"]);
    let mut voting = of(4);
    for then in [
        Undecided::Default(json!({"safe": true})),
        Undecided::Extra(Arc::new(voter("extra"))),
    ] {
        voting.on_tie = then.clone();
        voting.on_no_quorum = then.clone();
        let told = |says| play(&voting, says, |_| 0).last().to_owned();
        match then {
            Undecided::Default(_) => {
                assert_eq!(told(&tie), r#"fallback {"safe":true}"#);
                assert_eq!(told(&few), r#"fallback {"safe":true}"#);
            }
            _ => {
                assert_eq!(told(&tie), "success 1");
                assert!(told(&few).starts_with("pending_human_review no-quorum: 2 of 4"));
                // The extra voter does not help: a person decides.
                let stays = ["1", "1", "2", "2", "3"];
                assert!(told(&stays).starts_with("pending_human_review tie"));
                assert!(told(&["1", "1", "2", "2", "-"]).starts_with("pending_human_review tie"));
            }
        }
    }
}

#[test]
fn adaptive_voting_asks_only_while_the_vote_can_change() {
    let table = [
        (5, vec!["1", "1", "1", "2", "2"], 3, "success 1"),
        (5, vec!["1", "1", "2", "1", "2"], 4, "success 1"),
        (5, vec!["1", "2", "2", "1", "2"], 5, "success 2"),
        (5, vec!["1", "1", "-", "1", "2"], 4, "partial_success 1"),
        (5, vec!["1", "-", "-", "2", "2"], 5, "partial_success 2"),
        (7, vec!["1", "1", "1", "1", "2", "2", "2"], 4, "success 1"),
        (7, vec!["1", "1", "1", "2", "2", "1", "2"], 6, "success 1"),
    ];
    for (n, says, calls, line) in table {
        let mut voting = of(n);
        voting.adaptive = true;
        let story = play(&voting, &says, |_| 0);
        assert_eq!((asked(&story), story.last()), (calls, line), "{says:?}");
        assert_eq!(story.again(), story.lines);
    }
}

#[test]
fn who_answers_first_never_matters() {
    let words = [
        "1 @0.9",
        "1",
        "2 @0.4",
        "2 @1.0",
        "3",
        "-",
        "null",
        r#"{"b": 1, "a": 2}"#,
    ];
    let strategies = [
        Strategy::Majority,
        Strategy::Plurality,
        Strategy::Weighted,
        Strategy::Unanimous,
        Strategy::Quorum(3),
    ];
    let mut seed = 3_u64;
    let mut roll = move |n: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("64 bit") % n
    };
    let mut ends = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let n = 2 + roll(5);
        let says: Vec<&str> = (0..n + 1).map(|_| words[roll(words.len())]).collect();
        let mut voting = of(n);
        voting.strategy = strategies[roll(5)];
        voting.adaptive = roll(2) == 0;
        if roll(2) == 0 {
            voting.on_tie = Undecided::Extra(Arc::new(voter("extra")));
        }
        let first = play(&voting, &says, |_| 0);
        for _ in 0..4 {
            let other = play(&voting, &says, &mut roll);
            assert_eq!(other.outcome, first.outcome, "{voting:?} {says:?}");
            assert_eq!(asked(&other), asked(&first));
            assert_eq!(other.again(), other.lines);
        }
        ends.insert(
            first
                .last()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        );
        // What an adaptive vote saves is calls, not the decision.
        if voting.adaptive {
            let all = Voting {
                adaptive: false,
                ..voting.clone()
            };
            let all = play(&all, &says, |_| 0);
            if let (Some(Ok(all)), Some(Ok(some))) = (&all.outcome, &first.outcome) {
                let value = |done: &Done| -> Value {
                    serde_json::from_str(&done.output.value).expect("JSON")
                };
                assert_eq!(
                    tally::canonical(&value(all)),
                    tally::canonical(&value(some))
                );
            } else {
                assert_eq!(all.last(), first.last(), "{voting:?} {says:?}");
            }
        }
    }
    assert_eq!(ends.len(), 3, "{ends:?}");
}

#[test]
fn outliers_are_left_out_unless_too_few_would_be_left() {
    let mut voting = of(5);
    voting.field = Some("/score".to_owned());
    voting.strategy = Strategy::Mean { at_least: None };
    let far = [0.9, 0.91, 0.92, 0.9, 0.1].map(|score| format!(r#"{{"score": {score}}} @1.0"#));
    let far: Vec<&str> = far.iter().map(String::as_str).collect();
    let mean = |voting: &Voting, says: &[&str]| {
        let story = play(voting, says, |_| 0);
        let Some(Ok(done)) = &story.outcome else {
            panic!("{}", story.last());
        };
        let value: Value = serde_json::from_str(&done.output.value).expect("JSON");
        (
            value["score"].as_f64().expect("a number"),
            done.output.evidence.clone(),
        )
    };
    assert!(
        (mean(&voting, &far).0 - 0.746).abs() < 1e-9,
        "off by default"
    );
    voting.outliers = Some(Outliers {
        field: "/score".to_owned(),
        z: 1.5,
    });
    let (without, evidence) = mean(&voting, &far);
    assert!((without - 0.9075).abs() < 1e-9, "{without}");
    assert_eq!(evidence[1], "`e` was left out as an outlier");
    // Three valid votes are as few as may decide: none is left out.
    voting.outliers = Some(Outliers {
        field: "/score".to_owned(),
        z: 1.0,
    });
    let few = ["-", "-", far[0], far[1], far[4]];
    let (all, evidence) = mean(&voting, &few);
    assert!(
        (all - 1.91 / 3.0).abs() < 1e-9 && evidence.len() == 1,
        "{all}"
    );
}

#[test]
fn an_aggregator_decides_instead() {
    let mut voting = of(3);
    voting.aggregate = Some(Arc::new(voter("panel")));
    let decide = |decision: Answer| {
        let mut story = Story::begin(Pattern::Voting(voting.clone()), "{}");
        story.answer("a", says("1"));
        story.answer("b", fails("trap"));
        story.answer("c", says("2"));
        assert!(story.lines.contains(&"decide panel.1 a:1 c:2".to_owned()));
        story.answer("panel", decision);
        assert_eq!(story.again(), story.lines);
        story.last().to_owned()
    };
    let decided = |value: &str| Answer::Decision(Decision::Decided(value.to_owned(), 0.5));
    let tie = Answer::Decision(Decision::Tie(vec!["\u{202e}".to_owned()]));
    assert_eq!(decide(decided("3")), "partial_success 3");
    assert!(decide(decided("{")).starts_with("failure bad-decision"));
    assert!(
        decide(Answer::Decision(Decision::NoQuorum)).starts_with("pending_human_review no-quorum")
    );
    let told = decide(tie);
    assert!(
        told.starts_with("pending_human_review tie") && !told.contains('\u{202e}'),
        "{told}"
    );
    assert_eq!(decide(fails("trap")), "failure trap: m");
    // It is not even asked about too few.
    let story = play(&voting, &["1", "-", "-"], |_| 0);
    assert_eq!(asked(&story), 3);
    assert!(story.last().starts_with("pending_human_review no-quorum"));
}

#[test]
fn a_result_that_rests_on_what_stood_in_for_a_voter_is_degraded() {
    let mut voting = of(3);
    let mut step = voter("c");
    step.fallback = vec![Fallback::Default(json!(1))];
    voting.voters[2] = Arc::new(step);
    assert_eq!(play(&voting, &["1", "2", "-"], |_| 0).last(), "fallback 1");
    // `skip` is no vote.
    let mut step = voter("c");
    step.fallback = vec![Fallback::Skip];
    voting.voters[2] = Arc::new(step);
    assert_eq!(
        play(&voting, &["1", "1", "-"], |_| 0).last(),
        "partial_success 1"
    );
}

#[test]
fn a_vote_that_cannot_work_is_told() {
    type Change = fn(&mut Voting);
    let table: [(usize, Change, Vec<Wrong>); 14] = [
        (5, |_| {}, vec![]),
        (1, |_| {}, vec![Wrong::Voters(1)]),
        (
            3,
            |it| it.voters = (0..65).map(|_| Arc::new(voter("x"))).collect(),
            {
                let mut wrong = vec![Wrong::Voters(65)];
                wrong.extend(vec![Wrong::Twice("x".to_owned()); 64]);
                wrong
            },
        ),
        (
            3,
            |it| it.aggregate = Some(Arc::new(voter("b"))),
            vec![Wrong::Twice("b".to_owned())],
        ),
        (3, |it| it.strategy = Strategy::Quorum(0), vec![Wrong::K(3)]),
        (3, |it| it.strategy = Strategy::Quorum(4), vec![Wrong::K(3)]),
        (
            3,
            |it| it.field = Some("x".to_owned()),
            vec![Wrong::Pointer("x".to_owned())],
        ),
        (
            3,
            |it| {
                it.weights = Weights::Voters([("q".to_owned(), 1.0), ("a".to_owned(), -1.0)].into())
            },
            vec![Wrong::Weight("a".to_owned()), Wrong::Voter("q".to_owned())],
        ),
        (
            3,
            |it| {
                it.outliers = Some(Outliers {
                    field: "/x".to_owned(),
                    z: 0.0,
                })
            },
            vec![Wrong::Z],
        ),
        (
            3,
            |it| {
                it.adaptive = true;
                it.outliers = Some(Outliers {
                    field: "/x".to_owned(),
                    z: 1.5,
                });
            },
            vec![Wrong::Adaptive("`outliers`")],
        ),
        (
            3,
            |it| {
                it.adaptive = true;
                it.strategy = Strategy::Ranked;
            },
            vec![Wrong::Adaptive("`ranked`")],
        ),
        (
            3,
            |it| {
                it.adaptive = true;
                it.aggregate = Some(Arc::new(voter("x")));
            },
            vec![Wrong::Adaptive("`aggregate`")],
        ),
        (
            3,
            |it| {
                it.adaptive = true;
                it.strategy = Strategy::Mean { at_least: None };
            },
            vec![Wrong::Adaptive("`mean`")],
        ),
        (
            3,
            |it| {
                it.on_tie = Undecided::Extra(Arc::new(voter("x")));
                it.on_no_quorum = it.on_tie.clone();
            },
            vec![],
        ),
    ];
    for (n, change, wrong) in table {
        let mut voting = of(n);
        change(&mut voting);
        assert_eq!(check(&voting), wrong, "{voting:?}");
        let text = serde_json::to_string(&voting).expect("text");
        assert_eq!(
            serde_json::from_str::<Voting>(&text).expect("a vote"),
            voting
        );
    }
}

#[test]
fn voters_that_are_all_the_same_are_told_from_others() {
    let mut voting = of(3);
    assert!(!voting.alike(), "the kinds differ");
    for voter in &mut voting.voters {
        Arc::make_mut(voter).kind = "judge".to_owned();
    }
    assert!(voting.alike());
}
