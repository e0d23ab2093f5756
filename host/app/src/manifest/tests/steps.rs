//! Steps as they are written become steps of the plan.

use std::sync::Arc;

use hotcell_workflow::patterns::sequential::{Sequential, Stage};
use hotcell_workflow::plan::{Body, Call, Fallback, NESTING, Pattern, Plan, Step};
use serde_json::json;

use super::{Folder, HOST, POLICY, WORKFLOW};

/// The plan of the good workflow with these steps, and with this before them.
pub(super) fn plan(before: &str, steps: &str) -> Plan {
    let (head, tail) = WORKFLOW.split_once("steps:").unwrap();
    let (_, tail) = tail.split_once("score:").unwrap();
    let text = format!("{head}{before}steps:\n{steps}score:{tail}");
    let folder = Folder::new(&text, HOST, POLICY);
    match folder.check() {
        Ok(checked) => checked.workflow.plan,
        Err(problems) => panic!("{:#?}", folder.lines(&problems)),
    }
}

fn sequential(plan: &Plan) -> &[Stage] {
    match plan.pattern.as_ref() {
        Pattern::Sequential(Sequential { steps }) => steps,
        other => panic!("{other:?}"),
    }
}

fn call(step: &Step) -> &Call {
    match &step.body {
        Body::Call(call) => call,
        Body::Workflow(_) => panic!("{step:?}"),
    }
}

#[test]
fn steps_of_the_file_are_steps_of_the_plan() {
    let checked = Folder::new(WORKFLOW, HOST, POLICY).check().unwrap();
    let expected = [
        ("read", "reader", "read", vec!["checker"]),
        ("decide", "reader", "decision", vec![]),
    ];
    let expected = expected.map(|(id, agent, kind, gates)| {
        let mut call = Call::new(agent);
        call.gates = gates.into_iter().map(Into::into).collect();
        Step {
            kind: kind.to_owned(),
            body: Body::Call(call),
            ..Step::agent(id, agent)
        }
    });
    let expected = Pattern::Sequential(Sequential::chain(expected));
    assert_eq!(*checked.workflow.plan.pattern, expected);
}

#[test]
fn what_a_step_does_not_say_is_said_by_the_workflow_and_else_by_the_host() {
    let before = "timeout_ms: 5000\n\
                  defaults: { retry: { max: 1, cap_ms: 9 }, repairs: 2, timeout_ms: 70 }\n";
    let plan = plan(
        before,
        "  - { id: a, agent: reader }\n  \
         - { id: b, agent: reader, retry: { max: 0 }, breaker: { failures: 2 }, repairs: 0, timeout_ms: 8 }\n",
    );
    assert_eq!(plan.timeout_ms, 5_000);
    let calls: Vec<&Call> = sequential(&plan).iter().map(|it| call(&it.step)).collect();
    let mut expected = Call::new("reader");
    expected.retry.max = 1;
    expected.retry.cap_ms = 9;
    expected.repairs = 2;
    expected.timeout_ms = Some(70);
    assert_eq!(*calls[0], expected);
    expected.retry.max = 0;
    expected.breaker.failures = 2;
    expected.repairs = 0;
    expected.timeout_ms = Some(8);
    assert_eq!(*calls[1], expected);
}

#[test]
fn steps_come_after_what_they_need_wherever_they_are_written() {
    let plan = plan(
        "",
        "  - { id: last, agent: reader, needs: [left, right], optional: true }\n  \
         - { id: left, agent: reader, needs: [first] }\n  \
         - { id: right, agent: reader, needs: [first], compensate: { agent: checker } }\n  \
         - { id: first, agent: reader, needs: [] }\n  \
         - { id: after, agent: reader, compensate: { id: sorry, agent: reader, repairs: 0 } }\n",
    );
    let stages = sequential(&plan);
    let told: Vec<_> = stages
        .iter()
        .map(|it| (it.step.id.as_str(), it.needs.as_slice(), it.step.optional))
        .collect();
    let expected: [(&str, &[usize], bool); 5] = [
        ("first", &[], false),
        ("left", &[0], false),
        ("right", &[0], false),
        ("last", &[1, 2], true),
        // The one before in the file.
        ("after", &[0], false),
    ];
    assert_eq!(told, expected);
    let undo: Vec<_> = stages
        .iter()
        .filter_map(|it| it.compensate.as_deref())
        .map(|it| (it.id.as_str(), it.kind.as_str(), call(it).agent.as_ref()))
        .collect();
    let expected = [
        ("undo-right", "undo-right", "checker"),
        ("sorry", "sorry", "reader"),
    ];
    assert_eq!(undo, expected);
}

#[test]
fn fallbacks_are_read_in_their_order() {
    let plan = plan(
        "",
        "  - id: a\n    agent: reader\n    kind: look\n    fallback:\n      \
         - cache: { ttl_s: 3600 }\n      \
         - { agent: checker, gates: [checker] }\n      \
         - { id: small, workflow: { pattern: sequential, steps: [{ id: x, agent: reader }] } }\n      \
         - default: { ok: [1, null] }\n  \
         - { id: b, agent: reader, fallback: [human] }\n  \
         - { id: c, agent: reader, fallback: [skip] }\n",
    );
    let stages = sequential(&plan);
    let mut simple = Step {
        kind: "look".to_owned(),
        ..Step::agent("fallback-2", "checker")
    };
    if let Body::Call(call) = &mut simple.body {
        call.gates = vec!["checker".into()];
    }
    let chain = Pattern::Sequential(Sequential::chain([Step::agent("x", "reader")]));
    let small = Step {
        kind: "look".to_owned(),
        ..Step::workflow("small", chain)
    };
    let expected = [
        Fallback::Cache { ttl_s: 3_600 },
        Fallback::Step(Arc::new(simple)),
        Fallback::Step(Arc::new(small)),
        Fallback::Default(json!({"ok": [1, null]})),
    ];
    assert_eq!(stages[0].step.fallback, expected);
    assert_eq!(stages[1].step.fallback, [Fallback::Human]);
    assert_eq!(stages[2].step.fallback, [Fallback::Skip]);
}

/// Workflows inside of each other, so many in all.
fn nested(depth: usize) -> String {
    let mut steps = "[{ id: x, agent: reader }]".to_owned();
    for _ in 1..depth {
        steps = format!("[{{ id: x, workflow: {{ pattern: sequential, steps: {steps} }} }}]");
    }
    let (head, tail) = WORKFLOW.split_once("steps:").unwrap();
    let (_, tail) = tail.split_once("score:").unwrap();
    format!("{head}steps: {steps}\nscore:{tail}")
}

#[test]
fn workflows_stand_inside_of_each_other_only_so_deep() {
    let check = |depth| {
        let folder = Folder::new(&nested(depth), HOST, POLICY);
        folder.check().map_err(|problems| folder.lines(&problems))
    };
    let checked = check(NESTING).unwrap();
    assert_eq!(checked.workflow.plan.pattern.steps().len(), NESTING);
    let told = check(NESTING + 1).unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("workflows stand inside of each other 8 deep at most"),
        "{told:?}"
    );
}
