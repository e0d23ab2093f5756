//! The agents that reconcile and approve, in their examples and in the plainest of
//! patterns: what they are worth by themselves, what the pattern adds, and that
//! nobody hands them an answer.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::scene::{Scene, built};
use crate::tape::{LABELS, places, tape};

/// The fields of right answers. An agent may be asked for them, never be given
/// them.
const ANSWERS: &[&str] = &[
    "decision",
    "discrepancy",
    "duplicates",
    "matches",
    "path",
    "reason",
    "state",
    "status",
];

/// An example's data, grants and models under another workflow.
fn scene(example: &str, workflow: &str) -> Scene {
    let scene = Scene::of(example);
    scene.write("workflow.yaml", &built(workflow));
    scene
}

const RECONCILE: &str = "
workflow: reconcile
pattern: sequential
input: { file: reconciliations.json, id: reconciliation_id }
plugins:
  reconciler:
    source: ../../plugins/reconciler
    config: { tolerances: [{ days: 3, amount: 1.0 }] }
  reconciliation-checker: { source: ../../plugins/reconciliation-checker }
  ledger-matcher: { source: ../../plugins/ledger-matcher }
tools: [ledger-matcher]
steps:
  - { id: match, agent: reconciler, kind: reconcile, gates: [reconciliation-checker] }
score: { gold: gold.json, fields: [status, discrepancy, matches], group_by: challenge }
";

const APPROVE: &str = "
workflow: approval
pattern: sequential
input: { file: requests.json, id: request_id }
plugins:
  approval-clerk: { source: ../../plugins/approval-clerk }
  approval-reviewer: { source: ../../plugins/approval-reviewer }
steps:
  - { id: submit, agent: approval-clerk, kind: submit-request }
  - { id: validate, agent: approval-clerk, kind: validate-request }
  - { id: review, agent: approval-reviewer, kind: manager-review }
score: { gold: gold.json, fields: [reason], group_by: reason }
";

#[test]
fn one_round_with_the_widest_tolerance_reconciles_everything() {
    let scene = scene("03-reconcile", RECONCILE);
    let ran = scene.run(&["--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["score"]["all"]["right"], 40, "{}", ran.said);
    assert_eq!(ran.results["totals"]["repairs"], 0);
    assert_eq!(ran.results["refusals"], Value::Array(Vec::new()));
    // Without any tolerance the gate still holds, and the answers are those of
    // the first round.
    scene.change(
        "workflow.yaml",
        "days: 3, amount: 1.0",
        "days: 0, amount: 0.0",
    );
    let ran = scene.run(&["--model", "reference"]);
    let right = |group: &str| ran.results["score"]["groups"][group]["right"].clone();
    assert_eq!(ran.results["totals"]["success"], 40, "{}", ran.said);
    assert_eq!((right("namesake"), right("rounding")), (6.into(), 0.into()));
}

#[test]
fn rounds_of_growing_tolerance_reconcile_everything_and_are_no_more_than_it_takes() {
    let ran = Scene::of("03-reconcile").run(&["--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["score"]["all"]["right"], 40, "{}", ran.said);
    for task in ran.results["tasks"].as_array().unwrap() {
        let (calls, left) = (task["llm_calls"].as_u64(), &task["output"]["discrepancy"]);
        // What is left over for good is looked at until the rounds are used up.
        let (status, rounds) = match left.as_f64() < Some(1.0) {
            true => ("success", 1..=4),
            false => ("partial_success", 5..=5),
        };
        assert_eq!(task["status"], status, "{task}");
        assert!(rounds.contains(&calls.unwrap()), "{task}");
    }
}

#[test]
fn a_simulated_model_errs_and_the_checker_has_it_mended() {
    let scene = scene("03-reconcile", RECONCILE);
    let rates = ["hallucination = 0.03", "omission = 0.02", "flip = 0.01"];
    for rate in rates {
        let (name, _) = rate.split_once(' ').unwrap();
        scene.change("host.toml", rate, &format!("{name} = 0.3"));
    }
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(
        ran.results["totals"]["repairs"].as_u64() > Some(3),
        "{}",
        ran.said
    );
    // Nothing passes the gate with much left over and another status.
    for task in ran.results["tasks"].as_array().unwrap() {
        let manual = task["output"]["status"] == "manual_review_required";
        let left = task["output"]["discrepancy"].as_f64();
        assert!(
            task["output"].is_null() || manual || left < Some(50.0),
            "{task}"
        );
    }
}

#[test]
fn requests_that_come_to_a_review_are_reviewed_rightly() {
    let ran = scene("04-approval", APPROVE).run(&["--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let groups = ran.results["score"]["groups"].as_object().unwrap();
    // A sequence has no way out: what falls at validation is reviewed all the same.
    let at_validation = ["amount_mismatch", "missing_field", "wrong_category"];
    for (reason, tally) in groups {
        let expected = match at_validation.contains(&reason.as_str()) {
            true => &Value::from(0),
            false => &tally["of"],
        };
        assert_eq!(&tally["right"], expected, "{reason}");
    }
    assert_eq!(groups.len(), 10);
    assert_eq!(ran.results["refusals"], Value::Array(Vec::new()));
}

#[test]
fn the_machine_of_states_takes_every_request_where_it_belongs() {
    let ran = Scene::of("04-approval").run(&["--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["score"]["all"]["right"], 40, "{}", ran.said);
    // What falls at validation costs no review.
    assert_eq!(ran.results["totals"]["llm_calls"], 40 + 32);
}

#[test]
fn an_invariant_holds_where_the_transitions_are_mistaken() {
    let scene = Scene::of("04-approval");
    // Everybody goes to the manager, whatever the amount.
    let manager = "on: accept, when: \"input.amount <= 10000.0\"";
    scene.change("workflow.yaml", manager, "on: accept");
    let finance = "on: accept, when: \"input.amount > 10000.0\"";
    scene.change("workflow.yaml", finance, "on: escalate");
    let ran = scene.run(&["--model", "reference"]);
    let mut kept_out = 0;
    for task in ran.results["tasks"].as_array().unwrap() {
        match task["status"] == "success" {
            true => {
                let path = task["output"]["path"].as_array().unwrap();
                assert!(!path.contains(&"FINANCE_REVIEW".into()), "{task}");
            }
            false => {
                assert_eq!(task["error"]["code"], "invariant", "{task}");
                kept_out += 1;
            }
        }
    }
    assert_eq!(kept_out, 8, "the large requests that meet the policy");
}

#[test]
fn no_agent_is_handed_the_answer_to_its_own_question() {
    for (example, scene) in [
        ("03-reconcile", scene("03-reconcile", RECONCILE)),
        ("04-approval", Scene::of("04-approval")),
    ] {
        let tape = tape(&scene, &["--model", "reference"]);
        assert_eq!(places(&tape, LABELS), BTreeMap::new(), "{example}");
        let found = places(&tape, ANSWERS);
        let all: Vec<&String> = found.values().flatten().collect();
        // They are asked for and given, but are in no record.
        assert!(all.iter().any(|it| it.contains("llm.complete")), "{all:?}");
        let given: Vec<_> = all.iter().filter(|it| it.contains("/input")).collect();
        assert!(given.is_empty(), "{example}: {given:?}");
    }
}
