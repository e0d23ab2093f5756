//! Model calls that are recorded and played again, and money that is capped, from
//! outside.

use std::path::Path;

use serde_json::Value;

use crate::scene::{Scene, component};

/// What came of a run, and what it cost.
fn came_of(results: &Value) -> [&Value; 4] {
    let totals = &results["totals"];
    [
        &results["outcome_digest"],
        &totals["cost_micros"],
        &totals["calls"],
        &results["score"],
    ]
}

/// The first `[models.default]` of the example, with more in it.
fn with(scene: &Scene, more: &str) {
    let head = "[models.default]\n";
    scene.change("host.toml", head, &format!("{head}{more}\n"));
}

#[test]
fn a_recording_gives_the_same_results_and_goes_on_where_it_was_interrupted() {
    component("plugins/invoice-approver");
    let scene = Scene::example();
    let limit = ["--limit", "12"];
    let plain = scene.run(&limit);
    with(&scene, "record = \"calls.jsonl\"");
    let recorded = scene.run(&limit);
    assert_eq!(recorded.code, 0, "{}", recorded.said);
    assert_eq!(came_of(&recorded.results), came_of(&plain.results));
    let file = scene.path("calls.jsonl");
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap();
    let whole = lines(&file);
    assert!(whole.lines().count() > 12);

    // As after a crash: half of it, and half a line.
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let again = scene.run(&limit);
    assert!(again.stderr.contains("is not whole"), "{}", again.stderr);
    assert_eq!(came_of(&again.results), came_of(&plain.results));
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&lines(&file)), sorted(&whole));

    let text = "[models.default]\nprovider = \"replay\"\nfile = \"calls.jsonl\"\n\
                price = { input_micros_per_mtok = 150000, output_micros_per_mtok = 600000 }\n";
    scene.write("host.toml", text);
    let replayed = scene.run(&limit);
    assert_eq!(came_of(&replayed.results), came_of(&plain.results));
    assert_eq!(replayed.results["simulated"], true, "it stays a simulation");
    assert!(replayed.results["models"][0].get("missed").is_none());
    let more = scene.run(&["--limit", "13"]);
    let missed = &more.results["models"][0]["missed"];
    assert!(missed["count"].as_u64().unwrap() > 0, "{missed}");
    assert!(
        more.stdout.contains("the recording holds no call"),
        "{}",
        more.stdout
    );
}

#[test]
fn what_is_no_recording_is_told_and_left_alone() {
    component("plugins/invoice-approver");
    let scene = Scene::example();
    with(&scene, "record = \"gold.json\"");
    let before = std::fs::read(scene.path("gold.json")).unwrap();
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 3, "{}", ran.said);
    assert!(
        ran.stderr.contains("this is no recording"),
        "{}",
        ran.stderr
    );
    assert_eq!(std::fs::read(scene.path("gold.json")).unwrap(), before);
}

#[test]
fn a_run_spends_no_more_than_its_budget() {
    component("plugins/invoice-approver");
    let scene = Scene::example();
    with(&scene, "budget_usd = 0.05");
    let ran = scene.run(&["--limit", "100"]);
    let budget = &ran.results["models"][0]["budget"];
    let micros = |name: &str| budget[name].as_u64().unwrap();
    assert_eq!((micros("cap"), micros("reserved")), (50_000, 0));
    assert!(
        micros("spent") <= 50_000 && micros("refused") > 0,
        "{budget}"
    );
    assert_eq!(ran.results["totals"]["cost_micros"], budget["spent"]);
    assert!(
        ran.stdout.contains("of 0.050000 USD spent"),
        "{}",
        ran.stdout
    );
}
