//! What no plugin may see. The tape holds every value that a run hands to a
//! plugin; these tests walk through all of it, through JSON inside of text as
//! well, and look for the right answers.
//!
//! By name: no key of a label may appear anywhere, and the fields of a decision
//! only where a decision is asked for or answered. By content: the true spelling
//! of a damaged vendor's name may reach nobody before the ledger has told it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::scene::{PLUGINS, Scene, json};

/// What labels are called, here and in the data sets that people bring.
pub(crate) const LABELS: &[&str] = &[
    "challenge",
    "challenge_types",
    "discrepancy_amount",
    "duplicate_of",
    "expected_matches",
    "fault",
    "fraud_label",
    "fraud_type",
    "gold",
    "gold_label",
    "gold_label_confidence",
    "has_missing_fields",
    "has_ocr_error",
    "is_ambiguous",
    "is_duplicate",
    "missing_field",
    "ocr_error_field",
    "reconciliation_status",
];

/// What is decided. The gold answers have the same names.
const DECISION: &[&str] = &["approval_route", "correct_vendor", "is_valid", "reason"];

/// Where a decision is asked for or answered: the form in a model's request, the
/// model's answer, and that answer once more when it could not be read.
const FORM: &str = r#"reference-solver call/Complete/response_format/JsonSchema"/properties"#;
const ANSWER: &str = r#"invoice-approver llm.complete/Ok/message/content/[]/Text""#;
const ANSWER_AGAIN: &str =
    r#"reference-solver call/Complete/messages/[Assistant]/content/[]/Text""#;

/// One value that was handed to a plugin.
pub(crate) struct Handed {
    task: String,
    plugin: String,
    what: String,
    value: Value,
}

/// Runs the scene and reads its tape.
pub(crate) fn tape(scene: &Scene, args: &[&str]) -> Vec<Handed> {
    let path = scene.path("tape.jsonl");
    let mut all = vec!["--tape", path.to_str().unwrap()];
    all.extend(args);
    let ran = scene.run(&all);
    assert_eq!(ran.code, 0, "{}", ran.said);
    read(&path)
}

/// Reads the tape of a run.
pub(crate) fn read(path: &Path) -> Vec<Handed> {
    let text = std::fs::read_to_string(path).unwrap();
    let read = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let mut text = |key: &str| line[key].take().as_str().unwrap().to_owned();
        Handed {
            task: text("task"),
            plugin: text("plugin"),
            what: text("what"),
            value: line["value"].take(),
        }
    };
    text.lines().map(read).collect()
}

/// Calls `found` with the place and the name of every key. Every place in a text
/// where JSON starts counts, whether the text is JSON as a whole or not: prompts
/// hold data between sentences.
fn walk(value: &Value, place: &str, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                found(place, key);
                walk(value, &format!("{place}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                let role = item["role"].as_str().unwrap_or_default();
                walk(item, &format!("{place}/[{role}]"), found);
            }
        }
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some(start) = rest.find(['{', '[']) {
                rest = &rest[start..];
                let mut values = serde_json::Deserializer::from_str(rest).into_iter();
                let next = values.next();
                let length = match next {
                    Some(Ok(value)) => {
                        walk(&value, &format!("{place}\""), found);
                        values.byte_offset()
                    }
                    _ => 1,
                };
                rest = &rest[length..];
            }
        }
        _ => {}
    }
}

/// Where each of these keys was handed to a plugin.
pub(crate) fn places<'a>(tape: &[Handed], keys: &[&'a str]) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for handed in tape {
        let start = format!("{} {}", handed.plugin, handed.what);
        walk(&handed.value, &start, &mut |place, key| {
            if let Some(key) = keys.iter().find(|it| **it == key) {
                places.entry(key).or_default().insert(place.to_owned());
            }
        });
    }
    places
}

/// The damaged vendors' tasks in which somebody saw the true name before a tool
/// had told it, and how many could have leaked. The ledger's own configuration is
/// the list of true names, so what the ledger sees does not count.
fn spoilt(tape: &[Handed], scene: &Scene) -> (Vec<String>, usize) {
    let gold = json(&scene.path("gold.json"));
    let mut spoilt = Vec::new();
    let mut damaged = 0;
    for invoice in json(&scene.path("invoices.json")).as_array().unwrap() {
        let id = invoice["invoice_id"].as_str().unwrap();
        let Some(truth) = gold[id]["correct_vendor"].as_str() else {
            continue;
        };
        if invoice["vendor"] == truth {
            continue;
        }
        damaged += 1;
        let seen = |handed: &&Handed| handed.value.to_string().contains(truth);
        let mine = tape
            .iter()
            .filter(|h| h.task == id && h.plugin != "vendor-ledger");
        if let Some(first) = mine.clone().find(seen)
            && !first.what.starts_with("tools.call")
        {
            spoilt.push(id.to_owned());
        }
    }
    (spoilt, damaged)
}

fn set<const N: usize>(places: [&str; N]) -> BTreeSet<String> {
    places.map(str::to_owned).into()
}

#[test]
fn no_plugin_is_handed_a_label_or_a_decision_it_did_not_ask_for() {
    let scene = Scene::example();
    for args in [&[][..], &["--model", "reference"]] {
        let tape = tape(&scene, args);
        assert_eq!(places(&tape, LABELS), BTreeMap::new(), "{args:?}");
        let found = places(&tape, DECISION);
        for key in DECISION {
            let places = &found[key];
            assert!(
                places.is_superset(&set([ANSWER, FORM])),
                "{key}: {places:?}"
            );
            let allowed = set([ANSWER, ANSWER_AGAIN, FORM]);
            assert!(places.is_subset(&allowed), "{key}: {places:?}");
        }
        let (spoilt, damaged) = spoilt(&tape, &scene);
        assert!(damaged >= 11, "{damaged}");
        assert_eq!(spoilt, [""; 0], "{args:?}");
    }
}

#[test]
fn the_tape_holds_what_every_plugin_was_handed() {
    let scene = Scene::example();
    let tape = tape(&scene, &[]);
    let mut handed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in &tape {
        handed.entry(&line.plugin).or_default().insert(&line.what);
    }
    assert_eq!(handed.keys().copied().collect::<Vec<_>>(), PLUGINS);
    let expected = BTreeMap::from([
        (
            PLUGINS[0],
            BTreeSet::from(["call", "llm.complete", "tools.list", "tools.call-all"]),
        ),
        (PLUGINS[1], BTreeSet::from(["call", "tools.call"])),
        (PLUGINS[2], BTreeSet::from(["call", "llm.complete"])),
        (PLUGINS[3], BTreeSet::from(["call"])),
        (PLUGINS[4], BTreeSet::from(["call", "context.config"])),
    ]);
    assert_eq!(handed, expected);
    // One line for each cell, the ledger's first one at the start included, and
    // one for each answer of a model or a tool.
    let count = |what: &str| tape.iter().filter(|line| line.what == what).count() as u64;
    let totals = &json(&scene.path("results.json"))["totals"];
    assert_eq!(count("call"), totals["cells"].as_u64().unwrap() + 1);
    assert_eq!(count("llm.complete"), totals["llm_calls"].as_u64().unwrap());
}

#[test]
fn whatever_an_import_gives_is_on_the_tape() {
    let handed = |scene: &Scene| {
        let path = scene.path("tape.jsonl");
        let ran = scene.run(&["--tape", path.to_str().unwrap()]);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let all: Vec<(String, Value)> = lines
            .map(|mut line: Value| {
                let what = line["what"].as_str().unwrap().to_owned();
                (what, line["value"].take())
            })
            .collect();
        (ran.task()["output"].clone(), all)
    };
    let whats = |all: &[(String, Value)]| -> BTreeSet<String> {
        all.iter().map(|(what, _)| what.clone()).collect()
    };
    let (_, all) = handed(&Scene::probe("unavailable"));
    let refused = [
        "call",
        "memory.get n k",
        "delegate.ask",
        "approval.ask",
        "secrets.open",
    ];
    assert_eq!(whats(&all), set(refused));
    let (_, all) = handed(&Scene::probe("stream"));
    assert_eq!(whats(&all), set(["call", "llm.start", "completion.next"]));

    let (saw, all) = handed(&Scene::wasi());
    let clock = |what: &str| {
        let mut found = all.iter().filter(|(it, _)| it == what);
        found
            .next()
            .unwrap_or_else(|| panic!("no {what}"))
            .1
            .clone()
    };
    let now = clock("wall-clock.now");
    let millis = now[0].as_u64().unwrap() * 1000 + now[1].as_u64().unwrap() / 1_000_000;
    assert_eq!(saw["now_ms"], millis);
    assert!(clock("monotonic-clock.now").is_u64());
    let random = |what: &String| what.starts_with("random.") || what.starts_with("insecure");
    assert!(whats(&all).iter().any(random), "{:?}", whats(&all));
}

#[test]
fn the_search_finds_labels_in_a_configuration() {
    let scene = Scene::example();
    let files = "invoices: invoices.json, gold: gold.json }";
    scene.change("workflow.yaml", "invoices: invoices.json }", files);
    let tape = tape(&scene, &["--model", "reference"]);
    let found = places(&tape, LABELS);
    let config = "vendor-ledger context.config\"";
    assert_eq!(found["gold"], set([config]));
    assert!(found["fault"].contains(&format!("{config}/gold/INV-2024-000")));
    assert!(places(&tape, DECISION)["is_valid"].contains(&format!("{config}/gold/INV-2024-099")));
}

#[test]
fn the_search_finds_labels_in_a_record_wherever_it_goes() {
    let scene = Scene::example();
    let gold = json(&scene.path("gold.json"));
    let mut invoices = json(&scene.path("invoices.json"));
    for invoice in invoices.as_array_mut().unwrap() {
        let id = invoice["invoice_id"].as_str().unwrap().to_owned();
        invoice["memo"] = json!(format!("see {} for the label", gold[&id]));
    }
    scene.write("invoices.json", &invoices.to_string());
    let tape = tape(&scene, &["--model", "reference"]);
    let fault = &places(&tape, LABELS)["fault"];
    for place in [
        "invoice-extractor call/Run/input\"/memo\"",
        "invoice-checker call/Check/task/input\"/memo\"",
        "reference-solver call/Complete/messages/[User]/content/[]/Text\"/memo\"",
        "vendor-ledger context.config\"/invoices/[]/memo\"",
    ] {
        assert!(fault.contains(place), "{place} is not in {fault:#?}");
    }
    // The true names are seen as well, long before the ledger is asked.
    let (spoilt, damaged) = spoilt(&tape, &scene);
    assert_eq!(spoilt.len(), damaged);
}
