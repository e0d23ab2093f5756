//! Somebody's own tasks from outside: what is right, what is compared, which gates
//! stop a pipeline, and what is wrong with a file.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::scene::{Scene, Told, hotcell, json, tell};

/// Few tasks, and enough for several sets and some mistakes of the model.
const TASKS: usize = 12;

/// An example with its records as tasks: the gold's case is the set.
fn scene(example: &str) -> Scene {
    let scene = Scene::of(example);
    let records = json(&scene.path("transactions.json"));
    let gold = json(&scene.path("gold.json"));
    let task = |input: &Value| {
        let id = input["transaction_id"].as_str().unwrap();
        let mut gold = gold[id].clone();
        let set = gold.as_object_mut().unwrap().remove("case").unwrap();
        json!({"id": id, "input": input, "gold": gold, "set": set}).to_string()
    };
    let records = records.as_array().unwrap().iter();
    let lines: Vec<String> = records.take(TASKS).map(task).collect();
    scene.write("tasks.jsonl", &lines.join("\n"));
    scene
}

/// An evaluation of a scene by its own tasks, not started yet.
fn command(scene: &Scene, args: &[&str]) -> Command {
    let mut command = hotcell();
    command.arg("eval").arg(scene.path("tasks.jsonl"));
    command.arg("--workflow").arg(scene.dir.path());
    command.arg("--out").arg(scene.path("eval")).args(args);
    command
}

fn eval(scene: &Scene, args: &[&str]) -> Told {
    tell(&mut command(scene, args))
}

/// The same, which must end well; what it reports.
#[track_caller]
fn report(scene: &Scene, args: &[&str]) -> Value {
    let told = eval(scene, args);
    assert_eq!(told.code, 0, "{}", told.said());
    json(&scene.path("eval/report.json"))
}

fn trials(scene: &Scene) -> Vec<Value> {
    let text = std::fs::read_to_string(scene.path("eval/trials.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// Without what differs between equal evaluations.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let same = |key: &String| key != "timestamp" && !key.starts_with("execution_time");
            let fields = fields.iter().filter(|(key, _)| same(key));
            fields
                .map(|(key, value)| (key.clone(), comparable(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(comparable).collect(),
        other => other.clone(),
    }
}

#[test]
fn every_trial_is_judged_and_the_report_is_written_in_all_its_forms() {
    let scene = scene("02-fraud");
    let report = report(&scene, &["--label", "fraud_label"]);
    let trials = trials(&scene);
    assert_eq!(trials.len(), TASKS);
    let tasks = std::fs::read_to_string(scene.path("tasks.jsonl")).unwrap();
    for (trial, task) in trials.iter().zip(tasks.lines()) {
        let task: Value = serde_json::from_str(task).unwrap();
        assert_eq!((&trial["task"], &trial["set"]), (&task["id"], &task["set"]));
        let mut all = true;
        for (field, gold) in task["gold"].as_object().unwrap() {
            let right = trial["answer"].get(field) == Some(gold);
            assert_eq!(trial["fields"][field], right, "{trial}");
            all &= right;
        }
        assert_eq!(trial["right"], all, "{trial}");
        assert_eq!(trial["label"]["gold"], task["gold"]["fraud_label"]);
        assert!(trial["steps"].as_array().unwrap().len() > 1, "{trial}");
        assert!(trial["spent"]["calls"].as_u64() > Some(0), "{trial}");
    }
    let right = trials.iter().filter(|trial| trial["right"] == true).count();
    let arm = &report["pattern_results"][0];
    assert_eq!(arm["arm"], "fraud");
    assert_eq!(arm["pattern_name"], "hierarchical");
    let success = arm["metrics"]["task_success_rate"].as_f64().unwrap();
    assert!((success - right as f64 / TASKS as f64).abs() < 1e-9);
    assert!(arm["overall"]["label"]["balanced_accuracy"].is_number());
    // Nothing is known of what saw what.
    let spread = &arm["overall"]["propagation"];
    for index in ["epi", "epi_course_code", "epi_course_lineage", "epi_pooled"] {
        assert_eq!(spread[index], Value::Null, "{index}");
    }
    let meta = &report["meta"];
    assert_eq!(meta["benchmark"], "own");
    assert_eq!(meta["simulated"], true);
    assert_eq!(meta["clock"], "virtual");
    for file in ["report.json", "report.md", "report.html"] {
        let text = std::fs::read_to_string(scene.path("eval").join(file)).unwrap();
        assert!(text.contains("SIMULATED"), "{file}");
    }
}

#[test]
fn one_task_at_a_time_comes_to_the_same_report_as_all_at_once() {
    let scene = scene("02-fraud");
    let with = |workers| report(&scene, &["--seeds", "2", "--concurrency", workers]);
    let (one, many) = (with("1"), with("64"));
    assert_eq!(comparable(&one), comparable(&many));
    assert_ne!(one["timestamp"], Value::Null);
}

#[test]
fn the_first_try_is_what_run_does_and_each_further_one_has_another_seed() {
    let scene = scene("02-fraud");
    let report = report(&scene, &["--seeds", "3"]);
    assert_eq!(report["meta"]["seeds"], json!([42, 43, 44]));
    let pass = report["pattern_results"][0]["overall"]["pass"].clone();
    assert_eq!(pass.as_array().unwrap().len(), 3);
    let trials = trials(&scene);
    let limit = TASKS.to_string();
    let ran = scene.run(&["--limit", &limit, "--ephemeral"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let of = |seed: u64| trials.iter().filter(move |trial| trial["seed"] == seed);
    let runs = ran.results["tasks"].as_array().unwrap();
    let mut same = [0; 3];
    for (count, seed) in same.iter_mut().zip(42..) {
        assert_eq!(of(seed).count(), TASKS);
        let pairs = of(seed).zip(runs);
        *count = pairs
            .filter(|(trial, run)| trial["latency_micros"] == run["latency_micros"])
            .count();
        if seed == 42 {
            for (trial, run) in of(seed).zip(runs) {
                assert_eq!(trial["answer"], run["output"]);
                assert_eq!(trial["spent"]["cost_micros"], run["cost_micros"]);
            }
        }
    }
    assert_eq!(same[0], TASKS);
    assert!(same[1] < TASKS && same[2] < TASKS, "{same:?}");
}

#[test]
fn two_workflows_are_two_arms_on_the_same_tasks() {
    let (first, second) = (scene("02-fraud"), Scene::of("05-high-stakes"));
    let other = second.dir.path().to_str().unwrap().to_owned();
    let twice = first.dir.path().to_str().unwrap().to_owned();
    let args = ["--workflow", &other, "--workflow", &twice];
    let report = report(&first, &args);
    let arms = report["pattern_results"].as_array().unwrap();
    let names: Vec<_> = arms.iter().map(|arm| arm["arm"].clone()).collect();
    assert_eq!(names, ["fraud", "high-stakes", "fraud-2"]);
    assert_eq!(report["baseline"], "fraud");
    let multiplier = |arm: usize| arms[arm]["overall"]["cost"]["multiplier"]["value"].as_f64();
    assert_eq!(multiplier(0), Some(1.0));
    assert!(multiplier(1) > Some(1.5), "{:?}", multiplier(1));
    let pairs = report["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    for pair in pairs {
        assert_eq!(pair["trials"], TASKS);
        assert!(pair["mcnemar_p"].is_number());
    }
    // The same workflow twice meets the same faults.
    let same = pairs.iter().find(|it| it["b"] == "fraud-2").unwrap();
    assert_eq!((&same["only_a"], &same["only_b"]), (&json!(0), &json!(0)));

    let other_base = [&args[..], &["--baseline", "high-stakes"]].concat();
    let report = self::report(&first, &other_base);
    assert_eq!(report["baseline"], "high-stakes");
}

#[test]
fn a_gate_that_is_not_met_is_told_and_has_an_exit_code_of_its_own() {
    let scene = scene("02-fraud");
    // The solver as it is errs never, and costs what it costs.
    let table: [(&[&str], i32, &str); 7] = [
        (&[], 0, ""),
        (
            &["--min-success", "1"],
            0,
            "gate met: `fraud` is right on at least 100.0 %",
        ),
        (&["--max-p95", "60s"], 0, "gate met: `fraud` takes"),
        (
            &["--max-cost", "0.01"],
            0,
            "gate met: `fraud` costs a task at most 0.010000 USD",
        ),
        (
            &["--max-cost", "0.000001"],
            9,
            "gate NOT MET: `fraud` costs a task at most 0.000001 USD; measured: 0.000|95 % interval",
        ),
        (
            &["--min-success", "0.5", "--max-p95", "0s"],
            9,
            "gate met: `fraud` is right|gate NOT MET: `fraud` takes",
        ),
        (
            &["--max-p95", "0s", "--max-cost", "0"],
            9,
            "gate NOT MET: `fraud` takes|gate NOT MET: `fraud` costs",
        ),
    ];
    for (gates, code, words) in table {
        let args = [&["--model", "reference", "--ephemeral"], gates].concat();
        let told = eval(&scene, &args);
        assert_eq!(told.code, code, "{gates:?}: {}", told.said());
        for word in words.split('|') {
            assert!(told.stdout.contains(word), "{word:?}: {}", told.said());
        }
        assert!(!told.stdout.contains("SIMULATED"), "{}", told.said());
    }
    // For programs as well, and with the doubt that there is.
    let wrong = std::fs::read_to_string(scene.path("tasks.jsonl")).unwrap();
    let wrong = wrong.replacen("\"expected_action\":\"", "\"expected_action\":\"not-", 1);
    scene.write("tasks.jsonl", &wrong);
    let args = ["--model", "reference", "--json", "--min-success", "0.95"];
    let told = eval(&scene, &args);
    assert_eq!(told.code, 9, "{}", told.said());
    let said = "gate not met: `fraud` is right on at least 95.0 %; measured: 91.7 %, 95 % interval";
    assert!(told.stderr.contains(said), "{}", told.stderr);
    assert!(told.stderr.contains("straddles"), "{}", told.stderr);
    let findings: Value = serde_json::from_str(&told.stdout).unwrap();
    let check = &findings["checks"][0];
    assert_eq!(check["id"], "fraud:min-success");
    assert_eq!(check["holds"], false);
    assert_eq!(findings, json(&scene.path("eval/report.json")));
}

#[test]
fn what_counts_and_how_it_is_compared_can_be_said() {
    let scene = scene("02-fraud");
    let line = |gold: Value| {
        let text = std::fs::read_to_string(scene.path("transactions.json")).unwrap();
        let records: Value = serde_json::from_str(&text).unwrap();
        json!({"input": records[0], "gold": gold}).to_string()
    };
    // The first payment is to be approved, with a score of 0.1.
    let action = json!({"expected_action": "APPROVE"});
    let score = json!({"expected_action": "approve", "fraud_score": 0.105});
    let factors = [
        "foreign_country",
        "night",
        "extreme_amount",
        "far_above_average",
    ];
    let factors = json!({ "risk_factors": factors });
    let table: [(&Value, &[&str], bool); 8] = [
        (&action, &[], false),
        (
            &action,
            &["--match", "expected_action=case-insensitive"],
            true,
        ),
        (&action, &["--match", "expected_action=fuzzy:0.9"], false),
        (&score, &[], false),
        (&score, &["--match", "fraud_score=numeric"], true),
        (&score, &["--fields", "expected_action"], true),
        (&factors, &[], false),
        (&factors, &["--match", "risk_factors=set"], true),
    ];
    for (gold, args, right) in table {
        scene.write("tasks.jsonl", &line(gold.clone()));
        report(&scene, &[args, &["--model", "reference"]].concat());
        let [trial] = &trials(&scene)[..] else {
            panic!("one task, one trial")
        };
        assert_eq!(trial["right"], right, "{args:?}: {trial}");
        assert_eq!(
            (&trial["task"], &trial["set"]),
            (&json!("1"), &json!("tasks"))
        );
    }
}

#[test]
fn the_gold_goes_nowhere_and_the_workflows_own_records_are_not_needed() {
    let scene = scene("02-fraud");
    scene.remove("transactions.json");
    scene.remove("gold.json");
    let text = std::fs::read_to_string(scene.path("tasks.jsonl")).unwrap();
    let task: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let mut task = task;
    task["gold"]["canary"] = json!("of-the-gold-alone");
    task["input"]["merchant"] = json!("known-to-the-agents");
    scene.write("tasks.jsonl", &task.to_string());
    let state = scene.path("state");
    let told = eval(&scene, &["--state", state.to_str().unwrap()]);
    assert_eq!(told.code, 0, "{}", told.said());
    let holds = |word: &str| {
        let files = std::fs::read_dir(&state).unwrap();
        let files = files.map(|it| it.unwrap().path()).filter(|it| it.is_file());
        files
            .map(|path| std::fs::read(path).unwrap())
            .any(|bytes| bytes.windows(word.len()).any(|it| it == word.as_bytes()))
    };
    assert!(holds("known-to-the-agents"));
    assert!(!holds("of-the-gold-alone"));

    let ran = scene.run(&[]);
    assert_eq!(ran.code, 3, "{}", ran.said);
}

#[test]
fn runs_are_kept_like_any_others_unless_that_is_not_wanted() {
    let scene = scene("02-fraud");
    let kept = |args: &[&str]| -> (u64, PathBuf) {
        let state = scene.path(&format!("state-{}", args.len()));
        let all = [args, &["--limit", "3", "--state", state.to_str().unwrap()]].concat();
        report(&scene, &all);
        let mut runs = hotcell();
        let told = tell(runs.args(["runs", "--json", "--state"]).arg(&state));
        let runs: Value = serde_json::from_str(&told.stdout).unwrap_or_default();
        let runs = runs["runs"].as_array().map_or(0, Vec::len);
        (runs as u64, state)
    };
    let (runs, state) = kept(&["--seeds", "2"]);
    assert_eq!(runs, 6);
    let replayed = tell(hotcell().args(["replay", "--all", "--state"]).arg(&state));
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(kept(&["--ephemeral"]).0, 0);
}

#[test]
fn when_not_one_trial_succeeds_that_is_an_exit_code_as_in_run() {
    let scene = Scene::probe("trap");
    scene.write(
        "tasks.jsonl",
        r#"{"input": {"id": "one"}, "gold": {"x": 1}}"#,
    );
    let told = eval(&scene, &[]);
    assert_eq!(told.code, 5, "{}", told.said());
    let told = eval(&scene, &["--min-success", "0.1"]);
    assert_eq!(told.code, 9, "{}", told.said());
    assert!(told.stdout.contains("0/1"), "{}", told.said());
}

#[test]
fn a_bad_file_of_tasks_is_refused_by_line_before_anything_is_built() {
    let scene = Scene {
        dir: tempfile::tempdir().unwrap(),
    };
    let good = r#"{"id": "a", "input": {}, "gold": {"x": 1}}"#;
    let long = format!(
        r#"{{"id": "{}", "input": {{}}, "gold": {{"x": 1}}}}"#,
        "x".repeat(300)
    );
    let huge = format!(
        r#"{{"input": {{"x": "{}"}}, "gold": {{"x": 1}}}}"#,
        "x".repeat(1 << 20)
    );
    let deep = format!(
        r#"{{"input": {}, "gold": {{"x": 1}}}}"#,
        "[".repeat(100_000)
    );
    let many = "[]\n".repeat(40);
    let table: [(&str, &str); 20] = [
        ("", "holds no tasks"),
        ("\n  \n", "holds no tasks"),
        ("[1]", "line 1: it is not an object"),
        (r#"{"input": {}"#, "line 1: EOF while parsing|column"),
        (r#"{"input": {}}"#, "line 1: missing field `gold`"),
        (r#"{"gold": {"x": 1}}"#, "line 1: missing field `input`"),
        (
            r#"{"input": {}, "gold": {}}"#,
            "line 1: its `gold` is empty",
        ),
        (
            r#"{"input": {}, "gold": [1]}"#,
            "line 1: its `gold` is a list, not an object",
        ),
        (
            r#"{"input": 7, "gold": {"x": 1}}"#,
            "line 1: its `input` is a number, not an object",
        ),
        (
            r#"{"input": {}, "golds": {"x": 1}}"#,
            "line 1: unknown field `golds`",
        ),
        (
            r#"{"input": {}, "input": {}, "gold": {"x": 1}}"#,
            "line 1: duplicate field `input`",
        ),
        (
            r#"{"id": "", "input": {}, "gold": {"x": 1}}"#,
            "line 1: its `id` is empty",
        ),
        (
            r#"{"id": {}, "input": {}, "gold": {"x": 1}}"#,
            "line 1: its `id` is an object",
        ),
        (
            r#"{"set": false, "input": {}, "gold": {"x": 1}}"#,
            "line 1: its `set` is a boolean",
        ),
        (&long, "line 1: its `id` has 300 bytes, and at most 200"),
        (&huge, "line 1: it has 1048614 bytes, and at most 1 MiB"),
        (&deep, "line 1: recursion limit exceeded"),
        (
            r#"{"id": "\u001b[31m", "input": {}, "gold": {}, "x": 1}"#,
            "line 1: unknown field `x`",
        ),
        ("GOOD\n\nGOOD", "line 3: line 1 has the same id, `a`"),
        (
            &many,
            "line 10: it is not an object|30 more lines are wrong",
        ),
    ];
    for (text, words) in table {
        scene.write("tasks.jsonl", &text.replace("GOOD", good));
        let told = eval(&scene, &[]);
        assert_eq!(told.code, 3, "{words}: {}", told.said());
        for word in words.split('|') {
            assert!(told.stderr.contains(word), "{word:?}: {}", told.stderr);
        }
        assert!(told.stderr.len() < 10_000, "{} bytes", told.stderr.len());
        assert!(!told.stderr.contains('\u{1b}'));
    }
    let bytes = [
        good.as_bytes(),
        b"\n{\"id\": \"\xff\", \"input\": {}, \"gold\": {\"x\": 1}}",
    ];
    std::fs::write(scene.path("tasks.jsonl"), bytes.concat()).unwrap();
    let told = eval(&scene, &[]);
    assert_eq!(told.code, 3, "{}", told.said());
    assert!(
        told.stderr.contains("line 2: invalid unicode"),
        "{}",
        told.stderr
    );
    scene.remove("tasks.jsonl");
    let told = eval(&scene, &[]);
    assert_eq!(told.code, 3, "{}", told.said());
    assert!(told.stderr.contains("cannot read"), "{}", told.stderr);
}

#[test]
fn what_is_asked_for_and_cannot_be_is_refused() {
    let scene = scene("02-fraud");
    scene.write("file", "");
    let file = scene.path("file");
    let file = file.to_str().unwrap();
    let table: [(&[&str], i32, &str); 9] = [
        (&["--fields", "nope"], 3, "line 1: its `gold` has no `nope`"),
        (&["--label", "fraud_type"], 3, "line 1: its `fraud_type` is"),
        (
            &["--match", "nope=exact"],
            3,
            "`--match nope=…`: no such field is scored",
        ),
        (
            &["--match", "fraud_type=soundex"],
            2,
            "unknown match type `soundex`",
        ),
        (
            &["--baseline", "frud"],
            2,
            "`--baseline frud` is none|did you mean `fraud`?",
        ),
        (&["--min-success", "80"], 2, "write a share from 0 to 1"),
        (&["--max-p95", "fast"], 2, "write a time such as 12s"),
        (&["--workflow", "/nowhere"], 3, "cannot read `/nowhere"),
        (&["--out", file], 1, "cannot write"),
    ];
    for (args, code, words) in table {
        // The last `--out` would be a second one.
        let mut command = hotcell();
        command.arg("eval").arg(scene.path("tasks.jsonl"));
        command.arg("--workflow").arg(scene.dir.path()).args(args);
        command.current_dir(scene.dir.path());
        let told = tell(&mut command);
        assert_eq!(told.code, code, "{args:?}: {}", told.said());
        for word in words.split('|') {
            assert!(told.stderr.contains(word), "{word:?}: {}", told.stderr);
        }
    }
}
