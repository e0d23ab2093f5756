//! The pattern benchmark from outside: the same whatever the number of workers,
//! after a kill, and when it is done again; nothing that agents are given holds an
//! answer; and a real model never costs more than was allowed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::live_model::{Server, tokens};
use crate::scene::{PATIENCE, Told, component, hotcell, root, start, tell};
use crate::{scene, tape};

const PLUGINS: [&str; 5] = [
    "plugins/case-worker",
    "plugins/case-checker",
    "plugins/case-merger",
    "plugins/vendor-ledger",
    "plugins/reference-solver",
];

/// A benchmark that writes into this folder. Its plugins are built beforehand.
fn bench(out: &Path, args: &[&str]) -> Command {
    for plugin in PLUGINS {
        component(plugin);
    }
    let mut command = hotcell();
    command.args(["bench", "agentarch", "--quiet", "--plugins"]);
    command.arg(root().join("plugins")).args(args);
    command.arg("--out").arg(out);
    command
}

#[track_caller]
fn done(out: &Path, args: &[&str]) -> Told {
    let told = tell(&mut bench(out, args));
    assert_eq!(told.code, 0, "{}", told.said());
    told
}

/// What the report says is the same in equal reports.
#[track_caller]
fn digest(told: &Told) -> String {
    let mut lines = told.stdout.lines();
    let line = lines.find_map(|line| line.strip_prefix("digest "));
    line.unwrap_or_else(|| panic!("no digest in {}", told.said()))
        .to_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

const SMALL: [&str; 6] = ["--tasks", "18", "--seeds", "2", "--rho", "0,0.6"];

#[test]
fn one_worker_or_sixty_four_and_once_more_it_is_the_same_report() {
    let folder = folder();
    let out = |name: &str| folder.path().join(name);
    let with = |workers| [&SMALL[..], &["--concurrency", workers]].concat();
    let one = done(&out("one"), &with("1"));
    let many = done(&out("many"), &with("64"));
    assert_eq!(digest(&one), digest(&many));
    assert!(one.stdout.contains("SIMULATED"), "{}", one.said());

    // Everything that is there is taken as done, and gives the same.
    let trials = std::fs::read(out("one/trials.jsonl")).unwrap();
    let again = done(&out("one"), &SMALL);
    assert_eq!(digest(&one), digest(&again));
    assert_eq!(std::fs::read(out("one/trials.jsonl")).unwrap(), trials);

    // Or done again.
    let verify = [&SMALL[..], &["--verify"]].concat();
    let told = done(&out("one"), &verify);
    assert!(told.stdout.contains("the same"), "{}", told.said());
    let path = out("one/report.json");
    let mut report = scene::json(&path);
    report["pattern_results"][0]["overall"]["success"]["value"] = json!(0.123);
    std::fs::write(&path, report.to_string()).unwrap();
    let told = tell(&mut bench(&out("one"), &verify));
    assert_eq!(told.code, 7, "{}", told.said());

    for file in ["report.md", "report.html"] {
        let text = std::fs::read_to_string(out("many").join(file)).unwrap();
        assert!(text.contains("SIMULATED"), "{file}");
    }
}

#[test]
fn what_was_killed_in_the_middle_goes_on_to_the_same_report() {
    let folder = folder();
    let args = [
        "--tasks",
        "30",
        "--seeds",
        "3",
        "--patterns",
        "sequential,voting",
        "--main-only",
    ];
    let whole = done(&folder.path().join("whole"), &args);
    let out = folder.path().join("killed");
    let path = out.join("trials.jsonl");
    let lines = || {
        std::fs::read_to_string(&path)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let running = start(&mut bench(&out, &args));
    let patience = std::time::Instant::now() + PATIENCE;
    // The head and some trials, but never all of them.
    while lines() < 12 {
        assert!(
            std::time::Instant::now() < patience,
            "no trial is ever done"
        );
        std::thread::yield_now();
    }
    running.signal("KILL");
    assert_eq!(running.end().code, -1);
    let before = lines();
    assert!(before < 1 + 2 * 3 * 30, "it had done all of it");
    let resumed = done(&out, &args);
    assert_eq!(digest(&whole), digest(&resumed));
    assert_eq!(lines(), 1 + 2 * 3 * 30);
}

#[test]
fn every_arm_solves_every_task_when_nothing_goes_wrong() {
    let folder = folder();
    // A voter is a sequence, and so is a draft.
    let patterns = "single,sequential,hierarchical,iterative,state_machine";
    let args = [
        "--seeds",
        "0",
        "--stages",
        "7,3",
        "--main-only",
        "--patterns",
        patterns,
    ];
    let told = done(folder.path(), &args);
    let said = "9 of 9 arms solve all of 300 tasks when nothing goes wrong";
    assert!(told.stdout.contains(said), "{}", told.said());
}

#[test]
fn nothing_that_a_plugin_is_handed_holds_a_label() {
    let folder = folder();
    let args = [
        "--tasks",
        "18",
        "--seeds",
        "1",
        "--patterns",
        "iterative,hierarchical",
        "--main-only",
    ];
    done(folder.path(), &args);
    // What the answers to a payment are called is asked for in forms.
    let asked_for = ["fraud_label", "fraud_type"];
    let labels = tape::LABELS
        .iter()
        .filter(|label| !asked_for.contains(label));
    let labels: Vec<&str> = labels.copied().collect();
    for arm in ["iterative", "hierarchical"] {
        for set in ["invoice", "transaction", "reconciliation"] {
            let unit = folder.path().join(format!("work/{arm}-{set}"));
            let tape = folder.path().join("tape.jsonl");
            let mut run = hotcell();
            run.args(["run", "--ephemeral", "--quiet"]).arg(&unit);
            run.arg("--host").arg(unit.join("seed-42.host.toml"));
            let told = tell(run.arg("--tape").arg(&tape));
            assert_eq!(told.code, 0, "{}", told.said());
            let tape = tape::read(&tape);
            assert!(tape.len() > 100);
            assert_eq!(tape::places(&tape, &labels), BTreeMap::new(), "{arm} {set}");
            let found = tape::places(&tape, &asked_for);
            let given = |place: &&String| place.contains("task/input") || place.contains("record");
            for (label, places) in found {
                assert_eq!(places.iter().find(given), None, "{label}");
            }
        }
    }
}

#[test]
fn a_real_model_is_recorded_played_again_and_never_costs_more_than_allowed() {
    let folder = folder();
    let out = |name: &str| folder.path().join(name);
    let server = Server::saying(
        r#"{"fraud_label":false,"fraud_type":null,"expected_action":"approve"}"#,
        tokens(1_000, 50),
    );
    let model = server.model();
    let price = ["--price", "1000000,2000000", "--model", &model];
    let args = [
        "--patterns",
        "single",
        "--sets",
        "transaction",
        "--tasks",
        "30",
    ];
    let args = [&args[..], &price].concat();

    // Without a budget nobody is asked.
    let told = tell(&mut bench(
        &out("none"),
        &[&args[..], &["--mode", "live"]].concat(),
    ));
    assert_eq!(told.code, 2, "{}", told.said());
    assert!(server.asked().is_empty());

    let record = [&args[..], &["--mode", "record", "--budget-usd", "1"]].concat();
    let recorded = done(&out("record"), &record);
    assert!(
        !recorded.said().contains("SIMULATED"),
        "{}",
        recorded.said()
    );
    let asked = server.asked().len();
    let report = scene::json(&out("record/report.json"));
    let single = &report["pattern_results"][0];
    assert_eq!(single["spent"]["calls"], json!(asked));
    // 1 000 and 50 tokens: 1 100 micro-dollars.
    assert_eq!(
        single["overall"]["cost"]["total_micros"],
        json!(1_100 * asked)
    );

    let cassettes = out("record/cassettes");
    let cassettes = cassettes.to_str().unwrap();
    let replay = [&args[..], &["--mode", "replay", "--cassettes", cassettes]].concat();
    done(&out("replay"), &replay);
    assert_eq!(server.asked().len(), asked, "a replay asks nobody");
    let again = scene::json(&out("replay/report.json"));
    for what in ["success", "fields", "cost"] {
        let of = |report: &Value| report["pattern_results"][0]["overall"][what].clone();
        assert_eq!(of(&again), of(&report), "{what}");
    }

    // A budget for some of the calls: what is set aside for one is more than it costs.
    let live = [&args[..], &["--mode", "live", "--budget-usd", "0.05"]].concat();
    let told = tell(&mut bench(&out("live"), &live));
    assert_eq!(told.code, 5, "{}", told.said());
    assert!(
        told.stdout.contains("the budget of 0.05 USD is spent"),
        "{}",
        told.said()
    );
    let spent = (server.asked().len() - asked) * 1_100;
    assert!(spent > 0 && spent <= 50_000, "{spent}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_built() {
    let folder = folder();
    for (args, said) in [
        (&["--mode", "live"][..], "needs to know the model"),
        (
            &["--model", "openai@http://127.0.0.1:1/v1#x"],
            "simulated model has no `--model`",
        ),
        (&["--rho", "1.5"], "no correlation"),
        (
            &["--priced-as", "gpt-9"],
            "there is no price for the model `gpt-9`",
        ),
        (&["--budget-usd=-1"], "no amount"),
        (&["--stages", "5"], "invalid value"),
        (&["--patterns", "chaos"], "invalid value"),
    ] {
        let told = tell(&mut bench(folder.path(), args));
        assert_eq!(told.code, 2, "{args:?}: {}", told.said());
        assert!(told.said().contains(said), "{args:?}: {}", told.said());
    }
    let told = tell(&mut bench(folder.path(), &["--compat", "nowhere"]));
    assert_eq!(told.code, 3, "{}", told.said());
}
