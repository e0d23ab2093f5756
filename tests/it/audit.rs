//! What is written down of runs, and what an operator finds out from it.

use std::fs;

use hotcell_store::audit::append_now;
use serde_json::Value;

use crate::runs::Kept;
use crate::scene::{Scene, component};

/// The first records of the example, run and written down.
fn example(records: &str) -> Kept {
    component("plugins/invoice-approver");
    let kept = Kept::new(Scene::example());
    let ran = kept.run(&["--limit", records]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    kept
}

#[test]
fn who_did_what_and_what_it_cost_is_found_in_the_audit_alone() {
    let kept = example("2");
    let runs = kept.json(&["runs"])["runs"].clone();
    let costs = runs.as_array().unwrap().iter();
    let cost: u64 = costs.map(|run| run["cost_micros"].as_u64().unwrap()).sum();
    let found = kept.json(&["audit", "search"]);
    assert_eq!(found["cost_micros"], cost);
    assert!(cost > 0);
    let of = |args: &[&str]| kept.json(&[&["audit", "search"], args].concat());
    let models = of(&["--capability", "llm"]);
    let tools = of(&["--capability", "tools"]);
    let effects = |found: &Value| found["effects"].as_u64().unwrap();
    assert_eq!(effects(&models) + effects(&tools), effects(&found));
    assert!(effects(&models) > 0 && effects(&tools) > 0);
    let run = runs[0]["run"].as_str().unwrap();
    let one = of(&["--run", run]);
    assert!(effects(&one) > 0 && effects(&one) < effects(&found));
    assert_eq!(of(&["--plugin", "nobody"])["records"], 0);
    // Each effect was decided before.
    assert_eq!(found["records"].as_u64().unwrap(), 2 * effects(&found));
}

#[test]
fn the_first_record_that_is_not_what_was_written_is_named() {
    let kept = example("1");
    let verified = kept.json(&["audit", "verify"]);
    let head = kept.json(&["audit", "head"]);
    assert_eq!(verified["head"], head["hash"]);
    let anchor = head["hash"].as_str().unwrap();
    let again = kept.ask(&["audit", "verify", "--head", anchor]);
    assert_eq!(again.code, 0, "{}", again.said());
    let file = kept.state().join("audit/audit.jsonl");
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let without_third = [&lines[..2], &lines[3..]].concat().concat();
    let table = [
        (
            good.replacen("\"decision\":\"allowed\"", "\"decision\":\"allow3d\"", 1),
            1,
        ),
        (without_third, 3),
        (lines[..lines.len() - 1].concat(), lines.len()),
    ];
    for (bad, record) in table {
        fs::write(&file, bad).unwrap();
        let told = kept.ask(&["audit", "verify"]);
        assert_eq!(told.code, 7, "{}", told.said());
        assert!(
            told.said().contains(&format!("record {record}:")),
            "{}",
            told.said()
        );
    }
    // Whoever cuts it off does not get it to go on: nothing is done without it.
    let ran = kept.run(&["--limit", "1"]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.said.contains("audit.unavailable"), "{}", ran.said);
    fs::write(&file, &good).unwrap();
    assert_eq!(kept.run(&["--limit", "1"]).code, 0);
}

#[test]
fn what_is_sealed_can_be_opened_until_its_case_is_erased() {
    let kept = example("1");
    let task = kept.json(&["runs"])["runs"][0]["task"].clone();
    let task = task.as_str().unwrap();
    let opened = || {
        let told = kept.ask(&["audit", "export", "--case", task, "--open"]);
        assert_eq!(told.code, 0, "{}", told.said());
        let lines = told.stdout.lines().map(str::to_owned);
        lines
            .map(|line| serde_json::from_str::<Value>(&line).unwrap())
            .filter(|record| record["sealed"].is_object())
            .map(|record| record["input"].clone())
            .collect::<Vec<_>>()
    };
    assert!(opened().iter().any(Value::is_string));
    let erased = kept.json(&["audit", "erase", task]);
    assert_eq!(erased["erased"], true);
    assert!(!opened().iter().any(Value::is_string));
    let verified = kept.ask(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.said());
    let by = kept.json(&["audit", "search", "--retention", "erasure"]);
    assert_eq!(by["records"], 1);
}

#[test]
fn an_effect_that_a_killed_host_was_about_to_make_is_in_doubt_when_its_run_goes_on() {
    let kept = crate::approvals::waiting();
    let run = kept.json(&["runs"])["runs"][0]["run"].clone();
    let decision = serde_json::json!({
        "kind": "decision", "decision": "allowed", "run_id": run, "step_id": "ask", "attempt": 1,
        "sequence": 7, "capability": "tools", "resource": "bank.pay", "timestamp_ms": 1,
    });
    append_now(&kept.state().join("audit"), &[decision.to_string()]).unwrap();
    let told = kept.ask(&["resume"]);
    assert!(
        told.said().contains("1 effects were about to be made"),
        "{}",
        told.said()
    );
    let doubts = || kept.json(&["audit", "search", "--outcome", "in-doubt"]);
    let found = doubts();
    assert_eq!(
        (&found["records"], &found["effects"]),
        (&1.into(), &1.into())
    );
    assert_eq!(found["last"][0]["resource"], "bank.pay");
    // Once.
    kept.ask(&["resume"]);
    assert_eq!(doubts()["records"], 1);
    let verified = kept.ask(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.said());
}
