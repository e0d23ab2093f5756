//! Small stories in files: a workflow, a model that says what its script says,
//! and what must come of it. A new folder under `tests/scenarios` is a new test.
//!
//! `expected.json` is one run, or a list of runs that follow each other and share
//! the folder where runs are kept. A run's `with` is what is typed after the
//! folder; the rest is compared with its exit code and its results.

use std::path::Path;

use serde_json::{Value, json};

use crate::scene::{command, component, hotcell, json, ran, root, tell};

/// What a scenario consists of.
const FILES: [&str; 7] = [
    "README.md",
    "workflow.yaml",
    "host.toml",
    "policy.toml",
    "input.json",
    "replies.jsonl",
    "expected.json",
];

/// Every way in which the actual value is not the expected one. Keys that are not
/// expected may be there; lists must be as long as expected.
fn differences(expected: &Value, actual: &Value, place: &str) -> Vec<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let entry = |(key, value): (&String, &Value)| match actual.get(key) {
                Some(actual) => differences(value, actual, &format!("{place}/{key}")),
                None => vec![format!("{place} has no `{key}`")],
            };
            expected.iter().flat_map(entry).collect()
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let items = expected.iter().zip(actual).enumerate();
            items
                .flat_map(|(at, (e, a))| differences(e, a, &format!("{place}/{at}")))
                .collect()
        }
        _ if expected == actual => Vec::new(),
        _ => vec![format!("{place} is {actual} and should be {expected}")],
    }
}

/// What is wrong with a scenario, or with what came of it.
fn play(folder: &Path) -> Vec<String> {
    let missing = FILES.iter().filter(|file| !folder.join(file).is_file());
    let missing: Vec<_> = missing
        .map(|file| format!("there is no `{file}`"))
        .collect();
    if !missing.is_empty() {
        return missing;
    }
    let checked = tell(hotcell().arg("check").arg(folder));
    if checked.code != 0 {
        return vec![checked.stderr];
    }
    // Runs of one scenario share what is kept.
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let out = dir.path().join("results.json");
    let mut found = Vec::new();
    for mut expected in runs(json(&folder.join("expected.json"))) {
        let with = expected["with"].take();
        let with = with.as_array().into_iter().flatten();
        let with: Vec<&str> = with.map(|it| it.as_str().unwrap()).collect();
        let mut command = command(folder, &out, &with);
        command.arg("--state").arg(&state);
        let ran = ran(command, &out);
        let actual = json!({ "with": null, "exit": ran.code, "results": ran.results });
        let differ = differences(&expected, &actual, "");
        if !differ.is_empty() {
            found.extend(differ);
            found.push(ran.said);
        }
    }
    // However it ended, it is told and executed again as it was.
    let replayed = tell(hotcell().args(["replay", "--all", "--state"]).arg(&state));
    if replayed.code != 0 {
        found.push(format!("another time: {}", replayed.said()));
    }
    found
}

/// One run or several, one after the other.
fn runs(expected: Value) -> Vec<Value> {
    match expected {
        Value::Array(runs) => runs,
        run => vec![run],
    }
}

#[test]
fn every_scenario_ends_as_expected() {
    // Built beforehand, outside of any patience.
    component("tests/guests/actor");
    let folders = std::fs::read_dir(root().join("tests/scenarios")).unwrap();
    let mut folders: Vec<_> = folders.map(|folder| folder.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 35, "{folders:?}");
    let wrong = |folder: &std::path::PathBuf| {
        let name = folder.file_name().unwrap().display();
        let found = play(folder).join("\n  ");
        (!found.is_empty()).then(|| format!("{name}:\n  {found}"))
    };
    let wrong: Vec<_> = folders.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_scenario_without_all_its_files_fails() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(play(dir.path()).len(), FILES.len());
    for file in &FILES[..6] {
        std::fs::write(dir.path().join(file), "").unwrap();
    }
    assert_eq!(play(dir.path()), ["there is no `expected.json`"]);
}

#[test]
fn what_is_expected_must_be_there() {
    let actual = json!({ "a": 1, "b": [{ "c": 2, "d": 3 }], "e": null });
    let table = [
        (json!({ "a": 1, "b": [{ "d": 3 }], "e": null }), None),
        (json!({ "a": 2 }), Some("/a is 1 and should be 2")),
        (json!({ "f": null }), Some(" has no `f`")),
        (
            json!({ "b": [] }),
            Some("/b is [{\"c\":2,\"d\":3}] and should be []"),
        ),
        (
            json!({ "b": [{ "c": 3 }] }),
            Some("/b/0/c is 2 and should be 3"),
        ),
    ];
    for (expected, difference) in table {
        let found = differences(&expected, &actual, "");
        assert_eq!(found.first().map(String::as_str), difference);
    }
}
