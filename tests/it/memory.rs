//! Values that plugins keep: in the files and commands of an operator.

use serde_json::{Value, json};

use crate::scene::{Ran, Scene, component, hotcell, tell};

/// A workflow of one step over the keeper.
fn scene(policy: &str) -> Scene {
    let scene = Scene::probe("any");
    let keeper = component("tests/guests/keeper");
    scene.write(
        "workflow.yaml",
        &format!(
            "workflow: scene\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
             defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  keeper:\n    source: {}\nsteps:\n  - id: keep\n    agent: keeper\n    kind: keep\n",
            keeper.display()
        ),
    );
    scene.write("policy.toml", policy);
    scene
}

/// Runs it over one record with this script.
fn keep(scene: &Scene, script: Value) -> Ran {
    let record = json!([{ "id": "one", "do": script }]);
    scene.write("input.json", &record.to_string());
    let state = scene.path("state");
    scene.run(&["--state", state.to_str().unwrap()])
}

/// What came of each line of the script.
fn said(ran: &Ran) -> &Value {
    let said = &ran.task()["output"]["said"];
    assert!(said.is_array(), "{}", ran.said);
    said
}

const WRITE: &str = "[plugin.keeper]\nmemory = [{ namespace = \"notes\", access = \"write\" }]\n";

#[test]
fn what_one_run_keeps_another_reads_with_who_wrote_it() {
    let scene = scene(WRITE);
    let first = keep(
        &scene,
        json!([
            { "set": ["notes", "rate", { "eur": 1.1 }, 0] },
            { "get": ["notes", "rate"] },
            { "get": ["notes", "other"] },
        ]),
    );
    let seen = said(&first);
    assert_eq!(seen[0], 1, "{}", first.said);
    assert_eq!(seen[1]["value"], json!({ "eur": 1.1 }));
    assert_eq!(
        (&seen[1]["trust"], &seen[2]),
        (&json!("Inside"), &Value::Null)
    );
    let run = first.task()["run"].as_str().unwrap().to_owned();
    assert_eq!(seen[1]["origin"], format!("keeper@{run}"));

    let second = keep(
        &scene,
        json!([
            { "get": ["notes", "rate"] },
            { "set": ["notes", "rate", 2, 0] },
            { "set": ["notes", "rate", 2, 1] },
            { "set": ["notes", "rate", 3, 1] },
            { "keys": ["notes", "", 10] },
            { "delete": ["notes", "rate"] },
            { "get": ["notes", "rate"] },
            { "set": ["notes", "rate", 4, 0] },
        ]),
    );
    let seen = said(&second);
    assert_eq!(seen[0]["origin"], format!("keeper@{run}"));
    let conflict = |now: u32| json!({ "failed": format!("memory: it is at version {now} now") });
    let rest = json!([conflict(1), 2, conflict(2), ["rate"], null, null, 3]);
    assert_eq!(&seen.as_array().unwrap()[1..], rest.as_array().unwrap());
}

#[test]
fn what_is_not_granted_is_refused_with_the_line_that_would_allow_it() {
    let read = "[plugin.keeper]\nmemory = [{ namespace = \"notes\" }]\n";
    let table = [
        (
            "",
            json!({ "get": ["notes", "k"] }),
            "namespace = \"notes\" }]",
        ),
        (
            read,
            json!({ "get": ["write notes", "k"] }),
            "namespace = \"write notes\" }]",
        ),
        (
            read,
            json!({ "set": ["notes", "k", 1, null] }),
            "namespace = \"notes\", access = \"write\" }]",
        ),
        (
            WRITE,
            json!({ "keys": ["other", "", 1] }),
            "namespace = \"other\" }]",
        ),
    ];
    for (policy, step, line) in table {
        let ran = keep(&scene(policy), json!([step]));
        let refused = said(&ran)[0]["failed"].as_str().unwrap().to_owned();
        assert!(refused.starts_with("memory denied"), "{refused}");
        let line = format!("[plugin.keeper] memory = [{{ {line}");
        assert!(ran.said.contains(&line), "{line}\n{}", ran.said);
    }
}

#[test]
fn a_namespace_that_is_full_takes_nothing_more() {
    let table = [
        ("max_entries = 3", 3, json!(1)),
        // Keys of six bytes and values of 102.
        ("quota_kib = 1", 9, json!("x".repeat(100))),
    ];
    for (bound, most, value) in table {
        let scene = scene(&WRITE.replace(" }]", &format!(", {bound} }}]")));
        let ran = keep(&scene, json!([{ "fill": ["notes", value] }]));
        let full = json!([[most, { "failed": "memory: the namespace is full" }]]);
        assert_eq!(said(&ran), &full, "{bound}");
    }
}

#[test]
fn a_replay_reads_nothing_and_is_told_the_same() {
    let scene = scene(WRITE);
    let script = json!([
        { "set": ["notes", "a", "overdue invoices", null] },
        { "get": ["notes", "a"] },
        { "search": ["notes", "an overdue invoice", 3] },
        { "get": ["other", "a"] },
    ]);
    let ran = keep(&scene, script);
    assert_eq!(said(&ran)[2], json!(["a"]));
    let run = ran.task()["run"].as_str().unwrap().to_owned();
    // Another run changes what is there; the books are gone altogether.
    let state = scene.path("state");
    keep(&scene, json!([{ "delete": ["notes", "a"] }]));
    std::fs::remove_file(state.join("books.db")).unwrap();
    let told = tell(hotcell().args(["replay", &run, "--state"]).arg(&state));
    assert_eq!(told.code, 0, "{}", told.said());
    assert!(!state.join("books.db").exists());
}
