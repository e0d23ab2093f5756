//! Hierarchical and iterative workflows as they are written.

use hotcell_workflow::patterns::hierarchical::aggregate::Aggregate;
use hotcell_workflow::patterns::hierarchical::{Hierarchical, MAX_WORKERS};
use hotcell_workflow::patterns::iterative::{Budget, Converge, Goal, Iterative};
use hotcell_workflow::plan::{Body, Pattern, Step};

use super::{Folder, HOST, POLICY, WORKFLOW};

/// The good workflow with this pattern and these keys in place of its own.
fn folder(pattern: &str, keys: &str) -> Folder {
    let (head, tail) = WORKFLOW.split_once("steps:").unwrap();
    let (_, tail) = tail.split_once("score:").unwrap();
    let head = head.replace("sequential", pattern);
    Folder::new(&format!("{head}{keys}score:{tail}"), HOST, POLICY)
}

fn read(pattern: &str, keys: &str) -> Pattern {
    let folder = folder(pattern, keys);
    match folder.check() {
        Ok(checked) => checked.workflow.plan.pattern.as_ref().clone(),
        Err(problems) => panic!("{:#?}", folder.lines(&problems)),
    }
}

fn refused(pattern: &str, keys: &str) -> String {
    let folder = folder(pattern, keys);
    folder.lines(&folder.check().expect_err(keys)).join("\n")
}

const TREE: &str = "planner: { id: plan, agent: reader, repairs: 2 }\n\
                    specialists:\n  - { id: a, agent: reader }\n  \
                    - { id: b, agent: reader, optional: true }\n\
                    aggregate: { how: mean, field: /s, over: 0.5 }\n";

fn tree(pattern: Pattern) -> Hierarchical {
    match pattern {
        Pattern::Hierarchical(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_planner_and_specialists_are_read() {
    let it = tree(read("hierarchical", TREE));
    assert_eq!(it.planner.id, "plan");
    let specialists: Vec<_> = it
        .specialists
        .iter()
        .map(|it| (it.id.as_str(), it.optional))
        .collect();
    assert_eq!(specialists, [("a", false), ("b", true)]);
    assert_eq!(
        (it.max_workers, it.skip_unknown, it.quorum),
        (MAX_WORKERS, false, None)
    );
    let field = "/s".to_owned();
    assert_eq!(it.aggregate, Aggregate::Mean { field, over: 0.5 });

    let more = format!("{TREE}max_workers: 2\nskip_unknown: true\nquorum: 3\n");
    let it = tree(read("hierarchical", &more));
    assert_eq!(
        (it.max_workers, it.skip_unknown, it.quorum),
        (2, true, Some(3))
    );
}

#[test]
fn one_answer_is_made_in_the_way_the_file_says() {
    let aggregate = |text: &str| {
        let text = TREE.replace("how: mean, field: /s, over: 0.5", text);
        tree(read("hierarchical", &text)).aggregate
    };
    let field = |field: &str| field.to_owned();
    let table = [
        ("how: first", Aggregate::First),
        ("how: union", Aggregate::Union { field: field("") }),
        (
            "how: union, field: /x",
            Aggregate::Union { field: field("/x") },
        ),
        ("how: majority", Aggregate::Majority { field: field("") }),
    ];
    for (text, expected) in table {
        assert_eq!(aggregate(text), expected, "{text}");
    }
    let Aggregate::Plugin(step) = aggregate("plugin: checker, timeout_ms: 9") else {
        panic!()
    };
    let Body::Call(call) = &step.body else {
        panic!()
    };
    assert_eq!((&*call.agent, call.timeout_ms), ("checker", Some(9)));
}

#[test]
fn slips_around_a_planner_are_told() {
    let table = [
        (
            "how: mean, field: /s",
            "how: maen, field: /s",
            "unknown how `maen`|did you mean `mean`?",
        ),
        (", over: 0.5", "", "`aggregate` needs `over`"),
        (
            "field: /s",
            "field: s",
            "`s` does not point into an answer|`field: /s`",
        ),
        ("over: 0.5", "over: much", "`over` must be a number"),
        ("how: mean", "how: first", "unknown key `field`"),
        ("id: b", "id: a", "two steps are called `a`"),
        ("id: b", "id: plan", "two steps are called `plan`"),
        (
            "id: b",
            "id: aggregate",
            "`aggregate` is what the making of one answer is called",
        ),
        ("repairs: 2", "optional: true", "unknown key `optional`"),
        (
            "aggregate:",
            "quorum: 0\naggregate:",
            "`quorum` must be a whole number from 1 to 64",
        ),
        ("aggregate:", "steps: []\naggregate:", "unknown key `steps`"),
        (
            "planner:",
            "planer:",
            "unknown key `planer`|did you mean `planner`?",
        ),
    ];
    for (from, to, words) in table {
        assert!(TREE.contains(from), "{from}");
        let told = refused("hierarchical", &TREE.replacen(from, to, 1));
        for word in words.split('|') {
            assert!(told.contains(word), "{to}: {told}");
        }
    }
}

const ROUNDS: &str = "mode: react\ndraft: { agent: reader }\n\
                      converge: { field: /d, below: 1.0 }\n";

fn rounds(pattern: Pattern) -> Iterative {
    match pattern {
        Pattern::Iterative(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rounds_are_read() {
    let it = rounds(read("iterative", ROUNDS));
    let expected = Iterative {
        draft: Step::agent("draft", "reader").into(),
        critic: None,
        max_iterations: 3,
        converge: Converge {
            field: "/d".to_owned(),
            goal: Goal::Below(1.0),
        },
        no_progress: 2,
        budget: Budget::default(),
    };
    assert_eq!(it, expected);

    let more = "mode: reflexion\ndraft: { id: write, agent: reader }\n\
                critic: { agent: reader, kind: judge }\nmax_iterations: 9\n\
                converge: { field: /s, at_least: 1 }\nno_progress: 1\n\
                budget: { micros: 5, tokens: 6 }\n";
    let it = rounds(read("iterative", more));
    let critic = Step {
        kind: "judge".to_owned(),
        ..Step::agent("critic", "reader")
    };
    let expected = Iterative {
        draft: Step::agent("write", "reader").into(),
        critic: Some(critic.into()),
        max_iterations: 9,
        converge: Converge {
            field: "/s".to_owned(),
            goal: Goal::AtLeast(1.0),
        },
        no_progress: 1,
        budget: Budget {
            micros: Some(5),
            tokens: Some(6),
        },
    };
    assert_eq!(it, expected);
}

#[test]
fn slips_around_rounds_are_told() {
    let table = [
        ("mode: react", "mode: reflexion", "needs `critic`"),
        (
            "mode: react",
            "mode: reakt",
            "unknown mode `reakt`|did you mean `react`?",
        ),
        ("mode: react\n", "", "needs `mode`"),
        (
            "draft:",
            "critic: { agent: reader }\ndraft:",
            "nobody judges in mode `react`",
        ),
        (", below: 1.0", "", "`converge` needs `below`"),
        ("below: 1.0", "below: 0", "`below` is never met"),
        (
            "below: 1.0",
            "below: 1, at_least: 1",
            "`below` or `at_least`",
        ),
        (
            "converge:",
            "max_iterations: 101\nconverge:",
            "from 1 to 100",
        ),
        (
            "converge:",
            "budget: { usd: 1 }\nconverge:",
            "unknown key `usd`",
        ),
        (
            "agent: reader",
            "agent: raeder",
            "no plugin is called `raeder`",
        ),
    ];
    for (from, to, words) in table {
        assert!(ROUNDS.contains(from), "{from}");
        let told = refused("iterative", &ROUNDS.replacen(from, to, 1));
        for word in words.split('|') {
            assert!(told.contains(word), "{to}: {told}");
        }
    }
}
