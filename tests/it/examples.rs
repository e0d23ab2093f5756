//! Every example, whatever its pattern: the same results however many records are
//! worked on at once, after a kill in the middle, and from the journal alone.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::scene::{PATIENCE, Scene, command, hotcell, json, ran, start, tell};

const EXAMPLES: [&str; 5] = [
    "01-invoices",
    "02-fraud",
    "03-reconcile",
    "04-approval",
    "05-high-stakes",
];

/// Few records, and enough for every step and most faults to come up.
const RECORDS: u64 = 10;

/// What must not depend on how a run went: what came of it, in which tries, and
/// what was paid.
fn essence(results: &Value) -> Vec<&Value> {
    let totals = &results["totals"];
    let counts = ["records", "llm_calls", "tool_calls", "repairs", "retries"];
    let counts = counts.iter().map(|name| &totals[name]);
    let tries = results["tasks"].as_array().unwrap();
    let tries = tries.iter().map(|task| &task["attempts"]);
    [&results["outcome_digest"], &totals["cost_micros"]]
        .into_iter()
        .chain(counts)
        .chain(tries)
        .collect()
}

/// Runs the first records of the scene; its state and results are called so.
fn run(scene: &Scene, name: &str, args: &[&str]) -> Value {
    let out = scene.path(&format!("{name}.json"));
    let ran = ran(first(scene, name, &out, args), &out);
    assert_eq!(ran.code, 0, "{}", ran.said);
    ran.results
}

fn first(scene: &Scene, name: &str, out: &Path, args: &[&str]) -> Command {
    let limit = RECORDS.to_string();
    let mut command = command(&scene.path(""), out, args);
    command.args(["--limit", &limit]);
    command.arg("--state").arg(scene.path(name));
    command
}

#[test]
fn one_record_at_a_time_comes_to_the_same_as_all_at_once() {
    for example in EXAMPLES {
        let scene = Scene::of(example);
        let alone = run(&scene, "alone", &["--concurrency", "1"]);
        let together = run(&scene, "together", &["--concurrency", "64"]);
        assert_eq!(essence(&alone), essence(&together), "{example}");
        assert_eq!(alone["totals"]["records"], RECORDS, "{example}");
    }
}

#[test]
fn what_was_killed_in_the_middle_ends_as_if_nothing_had_been() {
    for example in EXAMPLES {
        let scene = Scene::of(example);
        let tape = scene.path("tape");
        let undisturbed = run(&scene, "undisturbed", &["--tape", tape.to_str().unwrap()]);
        let lines = std::fs::read_to_string(&tape).unwrap().lines().count();
        kill(&scene, lines / 3);

        let out = scene.path("resumed.json");
        let mut resume = hotcell();
        resume.arg("resume").arg("--out").arg(&out);
        let told = tell(resume.arg("--state").arg(scene.path("killed")));
        assert_eq!(told.code, 0, "{example}: {}", told.said());
        let resumed = json(&out);
        assert_eq!(essence(&resumed), essence(&undisturbed), "{example}");

        // Nothing is left of what they were made from but what was kept.
        let elsewhere = tempfile::tempdir().unwrap();
        let kept = elsewhere.path().join("kept");
        std::fs::rename(scene.path("killed"), &kept).unwrap();
        drop(scene);
        let mut replay = hotcell();
        replay.args(["replay", "--all", "--json"]);
        let told = tell(replay.arg("--state").arg(&kept));
        assert_eq!(told.code, 0, "{example}: {}", told.said());
        let replayed: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(replayed["identical"], RECORDS, "{example}");
        assert_eq!(replayed["diverged"], 0, "{example}");
    }
}

#[test]
fn judges_are_asked_as_long_as_one_more_can_change_the_outcome() {
    let scene = Scene::of("05-high-stakes");
    let vote = || {
        let ran = scene.run(&[]);
        assert_eq!(ran.code, 0, "{}", ran.said);
        ran.results
    };
    // How many were asked for a judgement, tries and the model's calls aside.
    let asked = |results: &Value| -> Vec<usize> {
        let tasks = results["tasks"].as_array().unwrap().iter();
        let steps = |task: &Value| {
            let tries = task["attempts"].as_array().unwrap().iter();
            let steps: BTreeSet<_> = tries.map(|it| it["step"].as_str().unwrap()).collect();
            steps.len()
        };
        tasks.map(steps).collect()
    };
    let adaptive = vote();
    scene.change("workflow.yaml", "adaptive: true", "adaptive: false");
    let all = vote();
    assert_eq!(all["outcome_digest"], adaptive["outcome_digest"]);
    assert_eq!(asked(&all), [5; 40]);
    let asked = asked(&adaptive);
    let of = |count: usize| asked.iter().filter(|it| **it == count).count();
    // The page of the example tells these.
    assert_eq!((of(3), of(4), of(5)), (34, 6, 0));
    let calls = [&adaptive, &all].map(|it| it["totals"]["llm_calls"].clone());
    assert_eq!(calls, [159, 256]);
    // So does it of a judge who is alone.
    let written = std::fs::read_to_string(scene.path("workflow.yaml")).unwrap();
    let (before, rest) = written.split_once("voters:").unwrap();
    let (_, after) = rest.split_once("# The gold").unwrap();
    let one = "steps: [{ id: by-fraud, agent: fraud-judge, kind: judge }]";
    let one = format!("{before}{one}\n# The gold{after}");
    scene.write("workflow.yaml", &one.replace("voting", "sequential"));
    let alone = vote();
    let right = &alone["score"]["all"]["right"];
    assert_eq!(
        (right, &alone["totals"]["llm_calls"]),
        (&39.into(), &51.into())
    );
}

/// Runs the scene until its tape has so many lines, and kills it.
fn kill(scene: &Scene, lines: usize) {
    // It cannot run away: nobody reads more of the pipe than that.
    let pipe = scene.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let args = ["--concurrency", "4", "--tape", pipe.to_str().unwrap()];
    let running = start(&mut first(scene, "killed", &scene.path("none.json"), &args));
    let (sender, reached) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut tape = BufReader::new(std::fs::File::open(pipe).unwrap()).lines();
        let read = tape.by_ref().take(lines).filter(Result::is_ok).count();
        // Held until it is dead: with nobody to read it, the tape would be dropped.
        sender.send((read, tape)).unwrap();
    });
    let (read, tape) = reached.recv_timeout(PATIENCE).expect("the tape goes on");
    running.signal("KILL");
    let told = running.end();
    drop(tape);
    assert_eq!((read, told.code), (lines, -1), "{}", told.said());

    let mut runs = hotcell();
    runs.args(["runs", "--json", "--limit", "100"]);
    let told = tell(runs.arg("--state").arg(scene.path("killed")));
    let runs: Value = serde_json::from_str(&told.stdout).unwrap();
    let runs = runs["runs"].as_array().unwrap();
    let ended = runs.iter().filter(|run| run["ended"] == true).count();
    assert!(ended < runs.len(), "all {ended} had ended");
}
