//! Agents that ask agents, and bombs made of them.

use serde_json::{Value, json};

use crate::scene::{Ran, Scene, component};

/// A workflow of one step over the keeper, which may ask itself and its twin.
fn scene(policy: &str, records: &Value) -> Scene {
    let scene = Scene::probe("any");
    let keeper = component("tests/guests/keeper");
    // The same component under another name of as many letters.
    let (name, twin) = (b"name = \"keeper\"", b"name = \"second\"");
    let mut bytes = std::fs::read(&keeper).unwrap();
    // It is there twice: as the section that counts, and as data.
    while let Some(at) = bytes.windows(name.len()).position(|it| it == name) {
        bytes[at..at + name.len()].copy_from_slice(twin);
    }
    std::fs::write(scene.path("second.wasm"), bytes).unwrap();
    scene.write(
        "workflow.yaml",
        &format!(
            "workflow: scene\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
             defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  keeper:\n    source: {}\n  second: {{ source: second.wasm }}\nsteps:\n  - id: act\n    agent: keeper\n    kind: do\n",
            keeper.display()
        ),
    );
    scene.write("policy.toml", policy);
    scene.write("input.json", &records.to_string());
    scene
}

fn act(policy: &str, script: &Value, args: &[&str]) -> Ran {
    scene(policy, &json!([{ "id": "one", "do": script }])).run(args)
}

const BOTH: &str = "[plugin.keeper]\ndelegate = [\"keeper\", \"second\"]\n\
                    [plugin.second]\ndelegate = [\"keeper\"]\nllm = [\"default\"]\n";

#[test]
fn an_agent_is_asked_under_its_own_grants_and_in_the_callers_run() {
    let model = json!({ "do": [{ "model": "hello?" }] });
    let script = json!([
        { "ask": ["second", model] },
        { "ask-all": [["second", model], ["keeper", model], ["second", { "not": "a script" }]] },
        { "ask": ["nobody", model] },
    ]);
    let policy = BOTH.replace("\"second\"]\n[", "\"second\", \"nobody\"]\n[");
    let ran = act(&policy, &script, &[]);
    let said = &ran.task()["output"]["said"];
    let hello = json!({ "said": ["hello"] });
    assert_eq!(said[0], hello, "{}", ran.said);
    assert_eq!(said[1][0], hello);
    // The one who asks may not call models, so neither may it when it is asked.
    let denied = said[1][1]["said"][0]["failed"].as_str().unwrap();
    assert!(denied.contains("not granted"), "{denied}");
    let unfit = said[1][2]["failed"].as_str().unwrap();
    assert!(
        unfit.contains("the input") && unfit.contains("do"),
        "{unfit}"
    );
    let nobody = said[2]["failed"].as_str().unwrap();
    assert_eq!(nobody, "delegation: no agent of that name");
    // What it did is the run's: two model calls, in cells of their own.
    assert_eq!(ran.results["totals"]["llm_calls"], 2, "{}", ran.said);
}

#[test]
fn whoever_was_not_granted_an_agent_does_not_reach_it() {
    let policy = "[plugin.keeper]\ndelegate = [\"keeper\"]\n";
    let ran = act(policy, &json!([{ "ask": ["second", { "do": [] }] }]), &[]);
    let line = "[plugin.keeper] delegate = [\"second\"]";
    assert!(ran.said.contains(line), "{}", ran.said);
    // Nobody was asked: the one who wanted to is the only cell.
    assert_eq!(ran.results["totals"]["cells"], 1, "{}", ran.said);
}

#[test]
fn agents_that_ask_each_other_for_ever_end_at_the_depth() {
    for chain in [json!(["keeper"]), json!(["second", "keeper"])] {
        let ran = act(BOTH, &json!([{ "chain": chain }]), &["--concurrency", "16"]);
        assert_eq!(ran.code, 0, "{}", ran.said);
        let (mut said, mut depth) = (&ran.task()["output"]["said"][0], 0);
        while said.get("said").is_some() {
            (said, depth) = (&said["said"][0], depth + 1);
        }
        let deepest = "delegation: too many levels deep";
        assert_eq!(
            (&said["failed"], depth),
            (&json!(deepest), 16),
            "{}",
            ran.said
        );
    }
}

#[test]
fn a_bomb_of_agents_has_so_many_descendants_and_ends() {
    let ran = act(BOTH, &json!([{ "bomb": ["keeper", 10] }]), &[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let cells = ran.results["totals"]["cells"].as_u64().unwrap();
    // As many as a run may have, and the one that began.
    assert!((12..=1_025).contains(&cells), "{cells}: {}", ran.said);
}

#[test]
fn ten_parents_that_each_wait_for_a_child_of_their_own_pool_all_finish() {
    let ask = json!([{ "ask": ["keeper", { "do": [{ "ask": ["keeper", { "do": [] }] }] }] }]);
    let record = |id: u32| json!({ "id": format!("r{id}"), "do": ask });
    let records: Vec<Value> = (0..10).map(record).collect();
    let scene = scene(BOTH, &records.into());
    scene.change(
        "workflow.yaml",
        "\n  second:",
        "\n    limits: { concurrency: 10, queue: 10 }\n  second:",
    );
    let ran = scene.run(&["--concurrency", "10"]);
    assert_eq!(ran.results["totals"]["success"], 10, "{}", ran.said);
    let inner = json!({ "said": [{ "said": [] }] });
    for task in ran.results["tasks"].as_array().unwrap() {
        assert_eq!(task["output"]["said"][0], inner, "{task}");
    }
}
