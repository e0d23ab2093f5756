//! The example as its readers run it: the same numbers for everybody, whatever
//! the machine, and the truth about what is simulated.

use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::Value;

use crate::scene::{
    PATIENCE, PLUGINS, Ran, Scene, command, component, example, run_example, start,
};

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn total(ran: &Ran, name: &str) -> u64 {
    number(&ran.results["totals"][name])
}

#[test]
fn a_simulated_run_says_so_and_its_numbers_add_up() {
    let ran = run_example(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["simulated"], true);
    assert!(ran.stdout.starts_with("SIMULATED: "), "{}", ran.stdout);
    assert_eq!(ran.results["latency"]["simulated"], true);

    let ends = [
        "success",
        "validation_failed",
        "timeout",
        "failure",
        "cancelled",
    ];
    let ended: Vec<u64> = ends.iter().map(|end| total(&ran, end)).collect();
    assert_eq!(total(&ran, "records"), 100);
    assert_eq!(ended.iter().sum::<u64>(), 100);
    // Faults that nobody meets would make the rates a decoration.
    assert!((1..100).contains(&ended[0]), "{ended:?}");
    assert!(total(&ran, "llm_errors") > 0);
    let faults = ran.results["models"][0]["faults"].as_object().unwrap();
    assert!(faults.len() > 3, "{faults:?}");

    let tasks = ran.results["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 100);
    let sum = |name: &str| tasks.iter().map(|task| number(&task[name])).sum::<u64>();
    for (name, of_tasks) in [
        ("cost_micros", "cost_micros"),
        ("llm_calls", "llm_calls"),
        ("tool_calls", "tool_calls"),
    ] {
        assert!(total(&ran, name) > 0, "{name}");
        assert_eq!(total(&ran, name), sum(of_tasks), "{name}");
    }
    let model = &ran.results["models"][0];
    for (of_model, name) in [
        ("calls", "llm_calls"),
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        ("cost_micros", "cost_micros"),
    ] {
        assert!(total(&ran, name) > 0, "{name}");
        assert_eq!(number(&model[of_model]), total(&ran, name), "{name}");
    }
}

#[test]
fn every_plugin_of_the_example_works_and_is_metered() {
    let ran = run_example(&[]);
    let plugins = ran.results["plugins"].as_array().unwrap();
    let mut names: Vec<_> = plugins
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, PLUGINS);
    for plugin in plugins {
        let name = plugin["name"].as_str().unwrap();
        for measured in [
            "calls",
            "fuel_p50",
            "fuel_max",
            "peak_memory",
            "wall_p50_micros",
        ] {
            assert!(number(&plugin[measured]) > 0, "{name} {measured}");
        }
        // No plugin comes near a limit of its manifest: 16 MiB, 200 million.
        assert!(number(&plugin["peak_memory"]) < 8 << 20, "{plugin}");
        assert!(number(&plugin["fuel_max"]) < 100_000_000, "{plugin}");
        assert!(ran.stdout.contains(name), "{name}");
    }
    let calls: u64 = plugins.iter().map(|plugin| number(&plugin["calls"])).sum();
    assert_eq!(calls, total(&ran, "cells"));
    assert_eq!(ran.results["refusals"], Value::Array(Vec::new()));
    assert_eq!(ran.results["stopped"], Value::Array(Vec::new()));
}

#[test]
fn a_model_that_never_errs_is_right_everywhere() {
    let ran = run_example(&["--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["simulated"], false);
    assert!(!ran.said.contains("SIMULATED"), "{}", ran.said);
    assert_eq!(total(&ran, "success"), 100);
    // Each damaged vendor costs one repair: the model cannot know it is unknown.
    assert_eq!(total(&ran, "repairs"), 15);
    let score = &ran.results["score"];
    assert_eq!(
        (number(&score["all"]["right"]), number(&score["all"]["of"])),
        (100, 100)
    );
    let of = |group: &str| number(&score["groups"][group]["of"]);
    let groups: Vec<_> = score["groups"].as_object().unwrap().keys().collect();
    assert_eq!(groups, ["duplicate", "missing", "none", "ocr"]);
    assert_eq!(groups.iter().map(|group| of(group)).sum::<u64>(), 100);
    for group in groups {
        assert_eq!(
            score["groups"][group]["right"],
            score["groups"][group]["of"]
        );
        assert!(ran.stdout.contains(group.as_str()), "{group}");
    }
}

#[test]
fn results_depend_on_the_seed_and_on_nothing_else() {
    let digest = |args: &[&str]| {
        let ran = run_example(args);
        assert_eq!(ran.code, 0, "{}", ran.said);
        ran.results["outcome_digest"].as_str().unwrap().to_owned()
    };
    let first = digest(&[]);
    assert_eq!(first, digest(&[]));
    assert_eq!(first, digest(&["--concurrency", "1"]));
    assert_eq!(first, digest(&["--concurrency", "64"]));

    let copy = Scene::example();
    let run = || copy.run(&[]).results["outcome_digest"].clone();
    assert_eq!(run(), *first);
    copy.change("host.toml", "seed = 42", "seed = 43");
    assert_ne!(run(), *first);
}

#[test]
fn the_first_records_are_run_alone_and_as_in_the_whole() {
    let whole = run_example(&["--model", "reference"]);
    let few = run_example(&["--model", "reference", "--limit", "3"]);
    assert_eq!(few.code, 0, "{}", few.said);
    assert_eq!(total(&few, "records"), 3);
    let outputs = |ran: &Ran| -> Vec<Value> {
        let tasks = ran.results["tasks"].as_array().unwrap();
        tasks
            .iter()
            .take(3)
            .map(|task| task["output"].clone())
            .collect()
    };
    assert_eq!(outputs(&few), outputs(&whole));
    assert_eq!(few.results["tasks"].as_array().unwrap().len(), 3);
    assert_eq!(few.results["score"]["all"]["of"], 3);
}

#[test]
fn a_program_reads_the_result_and_nothing_else() {
    let ran = run_example(&["--quiet", "--json"]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stderr, "");
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed, ran.results);
    assert_eq!(printed["format"], "hotcell.results/1");
}

#[test]
fn a_word_from_the_operator_stops_the_run_and_keeps_what_there_is() {
    // Three records at once, whose model takes the question and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let model = format!("openai@http://{}/v1#silent", listener.local_addr().unwrap());
    let (asked, questions) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            // The receiver is gone when the test is over.
            asked.send(stream).ok();
        }
    });
    component("plugins/invoice-approver");
    let scene = Scene::probe("ask");
    let out = scene.path("results.json");
    let args = ["--model", &model, "--concurrency", "3"];
    let running = start(&mut command(&example(), &out, &args));
    let open: Vec<_> = (0..3)
        .map(|_| {
            questions
                .recv_timeout(PATIENCE)
                .expect("the model is asked")
        })
        .collect();
    running.signal("INT");
    let told = running.end();
    drop(open);

    assert_eq!(told.code, 130, "{}", told.said());
    assert!(told.stderr.contains("stopping"), "{}", told.stderr);
    assert!(
        told.stderr.contains("stopped: 0 of 100 records finished"),
        "{}",
        told.stderr
    );
    assert!(told.stdout.contains("3 cancelled"), "{}", told.stdout);
    let results: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(results["totals"]["cancelled"], 3);
    let tasks = results["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 3);
    for task in tasks {
        assert_eq!(
            (&task["status"], &task["output"]),
            (&"cancelled".into(), &Value::Null)
        );
    }
}

#[test]
fn bad_records_in_the_file_cost_no_other_record_its_answer() {
    // The ledger is fed from the same file.
    let scene = Scene::example();
    let path = scene.path("invoices.json");
    let records = std::fs::read_to_string(&path).unwrap();
    let spoilt = records.replacen('[', r#"[7, {"vendor": "nobody's"}, "#, 1);
    scene.write("invoices.json", &spoilt);
    let ran = scene.run(&["--model", "reference"]);
    assert_eq!(ran.code, 6, "{}", ran.said);
    assert_eq!(ran.results["bad_records"].as_array().unwrap().len(), 2);
    assert_eq!(ran.results["score"]["all"]["right"], 100);
}
