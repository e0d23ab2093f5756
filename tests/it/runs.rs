//! Runs that are kept: listed, shown and replayed, with nothing left of what they
//! were made from but the journal and the components in it.

use std::path::PathBuf;

use serde_json::Value;

use crate::scene::{Ran, Scene, Told, component, hotcell, tell};

/// A scene whose runs are kept in a folder of its own.
pub(crate) struct Kept {
    pub(crate) scene: Scene,
}

impl Kept {
    pub(crate) fn new(scene: Scene) -> Kept {
        Kept { scene }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.scene.path("state")
    }

    /// Runs the workflow.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let state = self.state();
        let all: Vec<&str> = ["--state", state.to_str().unwrap()]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        self.scene.run(&all)
    }

    /// A command over the runs that are kept.
    pub(crate) fn ask(&self, args: &[&str]) -> Told {
        let state = self.state();
        tell(hotcell().args(args).arg("--state").arg(state))
    }

    /// Its result as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let told = self.ask(&[args, &["--json"]].concat());
        assert!([0, 7].contains(&told.code), "{}", told.said());
        serde_json::from_str(&told.stdout).unwrap()
    }
}

/// The first records of the example, run.
fn example(records: &str) -> Kept {
    component("plugins/invoice-approver");
    let kept = Kept::new(Scene::example());
    let ran = kept.run(&["--limit", records]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    kept
}

#[test]
fn what_was_run_is_listed_the_newest_first() {
    let kept = example("3");
    let runs = kept.json(&["runs"])["runs"].clone();
    let tasks: Vec<&Value> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["task"])
        .collect();
    assert_eq!(tasks.len(), 3);
    for run in runs.as_array().unwrap() {
        assert_eq!(
            (&run["workflow"], &run["ended"]),
            (&"invoices".into(), &true.into())
        );
        for number in ["records", "steps", "cost_micros", "begun_unix_ms"] {
            assert!(run[number].as_u64().unwrap() > 0, "{number} of {run}");
        }
    }
    kept.run(&["--limit", "1"]);
    let newest = kept.json(&["runs", "--limit", "1"])["runs"].clone();
    assert_eq!(newest.as_array().unwrap().len(), 1);
    let ids: Vec<&Value> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["run"])
        .collect();
    assert!(!ids.contains(&&newest[0]["run"]));
    assert_eq!(
        kept.json(&["runs", "--status", "pending"])["runs"],
        Value::Array(Vec::new())
    );
    assert_eq!(
        kept.json(&["runs", "--workflow", "other"])["runs"],
        Value::Array(Vec::new())
    );

    let told = kept.ask(&["runs"]);
    assert_eq!(told.code, 0, "{}", told.said());
    // As much of an id as is shown is enough to name it.
    let shown: Vec<&str> = told
        .stdout
        .lines()
        .filter(|line| line.contains("INV-"))
        .map(|line| {
            line.trim_start_matches(['│', ' '])
                .split(' ')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(shown.len(), 4, "{}", told.stdout);
    for (id, short) in ids.iter().zip(&shown[1..]) {
        assert_eq!(&&kept.json(&["show", short])["told"]["run"], id);
    }
}

#[test]
fn where_nothing_is_kept_nothing_is_listed_and_nothing_is_made() {
    let kept = Kept::new(Scene::probe("ask"));
    let told = kept.ask(&["runs"]);
    assert_eq!(
        (told.code, told.stdout.as_str()),
        (0, ""),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr.contains("no runs are kept in"),
        "{}",
        told.stderr
    );
    assert_eq!(kept.json(&["runs"])["runs"], Value::Array(Vec::new()));
    let told = kept.ask(&["show", "x"]);
    assert_eq!(told.code, 1);
    assert!(!kept.state().exists());
}

#[test]
fn a_run_is_shown_as_it_was_told_when_it_ended() {
    let kept = example("3");
    let ran = kept.run(&["--limit", "3", "--show", "INV-2024-002"]);
    let picture = ran.stdout.split("INV-2024-002: ").nth(1).unwrap();
    let told = kept.ask(&["show", "INV-2024-002"]);
    assert_eq!(told.code, 0, "{}", told.said());
    // What cells used is not in the journal: fuel and memory are left out.
    for line in picture.lines().filter(|line| line.contains("llm default")) {
        assert!(
            told.stdout.contains(line.trim_start_matches(['│', ' '])),
            "{line}"
        );
    }
    let output = picture
        .lines()
        .find(|line| line.contains("output "))
        .unwrap();
    assert!(told.stdout.contains(output), "{}", told.stdout);
    assert!(
        told.stdout
            .contains("audit: extract by invoice-extractor: success")
    );

    let drawn = kept.ask(&["show", "INV-2024-002", "--mermaid"]);
    let lines: Vec<&str> = drawn.stdout.lines().map(str::trim).collect();
    assert_eq!(
        lines[..3],
        [
            "sequenceDiagram",
            "participant host",
            "participant p0 as extract"
        ]
    );
    for line in [
        "host->>p0: try 1",
        "participant p1 as llm default",
        "p1-->>p0: ok",
        "note over host: success",
    ] {
        assert!(lines.contains(&line), "{line}: {}", drawn.stdout);
    }

    let json = kept.json(&["show", "INV-2024-002"]);
    let task = &ran.results["tasks"][2];
    for same in ["run", "task", "status", "output", "attempts"] {
        assert_eq!(json["told"][same], task[same], "{same}");
    }
    for (unknown, said) in [
        ("INV-0", "there is no run `INV-0`"),
        ("0", "several runs are like `0`"),
    ] {
        let told = kept.ask(&["show", unknown]);
        assert_eq!(told.code, 1);
        assert!(told.stderr.contains(said), "{}", told.stderr);
        assert!(
            told.stderr.contains("`hotcell runs` lists them"),
            "{}",
            told.stderr
        );
    }
}

#[test]
fn runs_are_identical_when_nothing_is_left_but_the_journal() {
    let kept = example("20");
    for file in [
        "workflow.yaml",
        "host.toml",
        "policy.toml",
        "invoices.json",
        "vendors.json",
    ] {
        kept.scene.remove(file);
    }
    let replayed = kept.json(&["replay", "--all"]);
    assert_eq!(
        (&replayed["identical"], &replayed["diverged"]),
        (&20.into(), &0.into())
    );
    let statuses = kept.json(&["runs"])["runs"].clone();
    for run in replayed["runs"].as_array().unwrap() {
        assert!(run["executed"].as_u64().unwrap() > 0, "{run}");
        assert_eq!(run["divergence"], Value::Null);
        let all = statuses.as_array().unwrap();
        let row = all.iter().find(|row| row["run"] == run["run"]).unwrap();
        assert_eq!(row["status"], run["status"]);
    }
    let told = kept.ask(&["replay", "INV-2024-000"]);
    assert_eq!(told.code, 0, "{}", told.said());
    assert!(
        told.stdout.contains("identical (success)"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("calls executed again"),
        "{}",
        told.stdout
    );
}

#[test]
fn a_replay_with_another_component_says_where_it_differs() {
    let kept = example("1");
    let other = component("tests/guests/probe");
    let plugin = format!("invoice-extractor={}", other.display());
    let told = kept.ask(&["replay", "INV-2024-000", "--plugin", &plugin]);
    assert_eq!(told.code, 7, "{}", told.said());
    for part in [
        "DIVERGED at step extract, try 1",
        "recorded  ",
        "now       ",
    ] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
    // The run itself is what it was.
    assert_eq!(kept.ask(&["replay", "--all"]).code, 0);
    for (wrong, said) in [("x", "there is no `=`"), ("x=y.wasm", "no plugin `x`")] {
        let told = kept.ask(&["replay", "--all", "--plugin", wrong]);
        assert_eq!(told.code, 2, "{}", told.said());
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}

#[test]
fn a_component_that_was_swapped_in_the_store_is_not_executed() {
    let kept = example("1");
    let folder = std::fs::read_dir(kept.state().join("components")).unwrap();
    let files: Vec<PathBuf> = folder.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in &files {
        std::fs::copy(component("tests/guests/probe"), file).unwrap();
    }
    let told = kept.ask(&["replay", "--all"]);
    assert_eq!(told.code, 1, "{}", told.said());
    assert!(
        told.stderr
            .contains("is not the component that was kept there"),
        "{}",
        told.stderr
    );
}

#[test]
fn a_journal_that_was_changed_is_refused_and_the_place_is_named() {
    let kept = example("2");
    let told = kept.ask(&["runs", "--verify"]);
    assert_eq!(told.code, 0, "{}", told.said());
    assert!(told.stdout.starts_with("2 runs with "), "{}", told.stdout);
    let file = kept.state().join("journal.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let word = b"vendor.find";
    let at = bytes.windows(word.len()).position(|at| at == word).unwrap();
    bytes[at + 1] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for args in [&["runs"][..], &["runs", "--verify"], &["replay", "--all"]] {
        let told = kept.ask(args);
        assert_eq!(told.code, 1, "{args:?}: {}", told.said());
        assert!(told.stderr.contains("storage.corrupt"), "{}", told.stderr);
        assert!(
            told.stderr.contains("` is corrupt at record "),
            "{}",
            told.stderr
        );
        assert!(told.stderr.contains("bring back a copy"), "{}", told.stderr);
    }
}

#[test]
fn old_runs_are_forgotten_when_that_is_asked_and_no_others() {
    let kept = example("2");
    for (before, left) in [("30d", 2), ("2026-01-01", 2), ("0d", 0)] {
        let told = kept.ask(&["runs", "--prune-before", before]);
        assert_eq!(told.code, 0, "{}", told.said());
        let runs = kept.json(&["runs"])["runs"].clone();
        assert_eq!(
            runs.as_array().unwrap().len(),
            left,
            "{before}: {}",
            told.stdout
        );
    }
    let told = kept.ask(&["runs", "--prune-before", "yesterday"]);
    assert_eq!(told.code, 2, "{}", told.said());
    assert!(told.stderr.contains("a day such as"), "{}", told.stderr);
}

#[test]
fn a_program_hears_what_runs_do_while_they_do_it() {
    component("plugins/invoice-approver");
    let kept = Kept::new(Scene::example());
    let events = kept.scene.path("events.jsonl");
    let ran = kept.run(&["--limit", "5", "--events", events.to_str().unwrap()]);
    let lines = std::fs::read_to_string(&events).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| {
        lines
            .iter()
            .filter(|line| line["event"] == event)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("gap").len(), 0);
    assert_eq!(of("run.started").len(), 5);
    let tasks = ran.results["tasks"].as_array().unwrap();
    for task in tasks {
        let ended = of("run.ended")
            .into_iter()
            .find(|line| line["run"] == task["run"])
            .unwrap();
        assert_eq!(ended["status"], task["status"]);
        let tries = of("step.started")
            .into_iter()
            .filter(|line| line["run"] == task["run"]);
        assert_eq!(tries.count(), task["attempts"].as_array().unwrap().len());
    }
    let told = kept.run(&["--limit", "1", "--events", "/nowhere/events"]);
    assert_eq!(told.code, 1);
    assert!(
        told.said.contains("cannot write `/nowhere/events`"),
        "{}",
        told.said
    );
}

#[test]
fn a_provider_is_given_the_time_that_it_asks_for_unless_that_is_too_long() {
    component("plugins/invoice-approver");
    for (after, waits) in [(120, &[120][..]), (61_000, &[])] {
        let kept = Kept::new(Scene::example());
        kept.scene.write(
            "host.toml",
            "[models.default]\nprovider = \"scripted\"\nfile = \"replies.jsonl\"\n\
             price = { input_micros_per_mtok = 0, output_micros_per_mtok = 0 }\n",
        );
        let busy = format!(
            r#"{{"match": {{"attempt": 1}}, "reply": {{"error": "rate-limited", "retry_after_ms": {after}}}}}"#
        );
        let other = r#"{"match": {"attempt": 2}, "reply": {"error": "invalid", "message": "no"}}"#;
        kept.scene
            .write("replies.jsonl", &format!("{busy}\n{other}\n"));
        let ran = kept.run(&["--limit", "1"]);
        assert_eq!(ran.code, 5, "{}", ran.said);
        let told = kept.json(&["show", "INV-2024-000"])["told"].clone();
        let waited: Vec<u64> = told["waits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|wait| wait["ms"].as_u64().unwrap())
            .collect();
        assert_eq!(waited, waits, "{told}");
        assert_eq!(
            told["attempts"].as_array().unwrap().len(),
            1 + waits.len(),
            "{told}"
        );
        assert_eq!(told["records"]["effects"][0]["retry_after_ms"], after);
        let retries = &ran.results["totals"]["retries"];
        assert_eq!(retries, waits.len(), "{}", ran.results["totals"]);
        assert_eq!(ran.results["totals"]["repairs"], 0);
        let shown = kept.ask(&["show", "INV-2024-000"]);
        let says = shown.stdout.contains("wait 120.0 ms before the next try");
        assert_eq!(says, !waits.is_empty(), "{}", shown.stdout);
        assert_eq!(kept.ask(&["replay", "--all"]).code, 0);
    }
}
