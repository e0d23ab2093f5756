use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::*;

/// The set as its files say it: what anybody else can see.
struct Files {
    records: Vec<Map<String, Value>>,
    gold: BTreeMap<String, Value>,
}

fn files(seed: u64) -> Files {
    let [records, gold] = <[File; 2]>::try_from(generate(seed).files()).ok().unwrap();
    Files {
        records: serde_json::from_str(&records.text).unwrap(),
        gold: serde_json::from_str(&gold.text).unwrap(),
    }
}

fn text<'a>(record: &'a Map<String, Value>, key: &str) -> &'a str {
    record[key].as_str().unwrap()
}

/// The amount that the text names, in cents.
fn stated(text: &str) -> Option<i64> {
    let (before, _) = text.split_once(" EUR")?;
    let digits = before.rsplit(' ').next()?.replace(',', "");
    Some((digits.parse::<f64>().unwrap() * 100.0).round() as i64)
}

/// A sentence says one of these words and does not deny it.
fn admits(text: &str, words: &[&str]) -> bool {
    text.split_inclusive(". ").any(|sentence| {
        let sentence = sentence.to_lowercase();
        let denies = sentence
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| ["no", "not", "nothing", "never", "without"].contains(&word));
        !denies && words.iter().any(|word| sentence.contains(word))
    })
}

/// The published rules, written a second time and from the visible file alone.
fn solve(record: &Map<String, Value>) -> Value {
    let justification = text(record, "justification");
    let amount = (record["amount"].as_f64().unwrap() * 100.0).round() as i64;
    let quotes = record["quotes"].as_u64().unwrap();
    let needed = match amount {
        ..=500_000 => 0,
        500_001..=1_000_000 => 2,
        _ => 3,
    };
    let kinds: [(&str, &[&str]); 5] = [
        (
            "equipment",
            &["desks", "microscope", "laptops", "projector"],
        ),
        ("software", &["licence", "subscription"]),
        ("training", &["course", "workshop", "seminar", "conference"]),
        ("travel", &["tickets", "flights", "hotel", "car "]),
        ("services", &["translation", "repair", "advice", "cleaning"]),
    ];
    let kind = kinds
        .iter()
        .find(|(_, words)| words.iter().any(|word| justification.contains(word)));
    let missing = ["department", "cost_centre", "category"]
        .iter()
        .any(|field| !record.contains_key(*field));
    let exempt = justification.contains("INC-")
        || admits(justification, &["sole supplier", "only supplier"]);
    let reason = if missing {
        "missing_field"
    } else if stated(justification).is_some_and(|stated| stated != amount) {
        "amount_mismatch"
    } else if kind.unwrap().0 != text(record, "category") {
        "wrong_category"
    } else if admits(justification, &["already", "retrospectively"]) {
        "already_ordered"
    } else if admits(justification, &["split", "limit"]) {
        "split_request"
    } else if admits(justification, &["private", "family", "holiday"]) {
        "private_use"
    } else if !justification.contains("PRJ-") && !justification.contains("INC-") {
        "no_purpose"
    } else if quotes < needed && !exempt {
        "too_few_quotes"
    } else if amount > 1_000_000 && !justification.contains("BUD-") {
        "no_budget"
    } else {
        "meets_policy"
    };
    let state = match reason {
        "meets_policy" => "APPROVED",
        _ => "REJECTED",
    };
    let review = match amount {
        ..=1_000_000 => "MANAGER_REVIEW",
        _ => "FINANCE_REVIEW",
    };
    let path = match reason {
        "missing_field" | "amount_mismatch" | "wrong_category" => {
            json!(["SUBMIT", "VALIDATE", state])
        }
        _ => json!(["SUBMIT", "VALIDATE", review, state]),
    };
    json!({ "state": state, "path": path, "reason": reason })
}

#[test]
fn the_visible_file_decides_every_answer_for_any_seed() {
    for seed in (0..200).chain([u64::MAX]) {
        let files = files(seed);
        for record in &files.records {
            let id = text(record, "request_id");
            assert_eq!(solve(record), files.gold[id], "seed {seed}: {record:#?}");
        }
    }
}

#[test]
fn guessing_what_is_most_common_stays_below_60_of_100() {
    let files = files(42);
    let mut ways: BTreeMap<String, usize> = BTreeMap::new();
    for gold in files.gold.values() {
        *ways.entry(gold["path"].to_string()).or_default() += 1;
    }
    assert_eq!(ways.values().sum::<usize>(), 40);
    assert!(ways.values().all(|count| *count <= 10), "{ways:?}");
    let approved = files
        .gold
        .values()
        .filter(|gold| gold["state"] == "APPROVED");
    assert_eq!(approved.count(), 18);
}

#[test]
fn the_counts_are_those_of_the_table() {
    for seed in 0..60 {
        let files = files(seed);
        assert_eq!((files.records.len(), files.gold.len()), (40, 40));
        let mut counts: BTreeMap<(String, usize), usize> = BTreeMap::new();
        for gold in files.gold.values() {
            let reason = gold["reason"].as_str().unwrap().to_owned();
            let finance = gold["path"][2] == "FINANCE_REVIEW";
            *counts.entry((reason, usize::from(finance))).or_default() += 1;
        }
        let expected = [
            ("missing_field", 0, 3),
            ("amount_mismatch", 0, 3),
            ("wrong_category", 0, 2),
            ("already_ordered", 0, 2),
            ("already_ordered", 1, 1),
            ("split_request", 0, 2),
            ("private_use", 0, 1),
            ("private_use", 1, 1),
            ("no_purpose", 0, 2),
            ("no_purpose", 1, 1),
            ("too_few_quotes", 0, 1),
            ("too_few_quotes", 1, 2),
            ("no_budget", 1, 1),
            ("meets_policy", 0, 10),
            ("meets_policy", 1, 8),
        ];
        let expected = expected.map(|(reason, finance, n)| ((reason.to_owned(), finance), n));
        assert_eq!(counts, BTreeMap::from(expected), "seed {seed}");
    }
}

#[test]
fn the_edges_of_the_limits_are_there() {
    let files = files(42);
    for (amount, quotes, review) in [
        (5000.0, 0, "MANAGER_REVIEW"),
        (5000.01, 2, "MANAGER_REVIEW"),
        (10000.0, 2, "MANAGER_REVIEW"),
        (10000.01, 3, "FINANCE_REVIEW"),
    ] {
        let record = files
            .records
            .iter()
            .find(|it| it["amount"] == amount)
            .unwrap();
        assert_eq!(record["quotes"], quotes);
        assert_eq!(files.gold[text(record, "request_id")]["path"][2], review);
    }
}

#[test]
fn words_of_a_flaw_stand_in_sound_requests_too() {
    let sound = |word: &str| {
        (0..20).any(|seed| {
            let files = files(seed);
            files.records.iter().any(|record| {
                files.gold[text(record, "request_id")]["state"] == "APPROVED"
                    && text(record, "justification").contains(word)
            })
        })
    };
    for word in ["already", "split", "private"] {
        assert!(sound(word), "{word}");
    }
}

#[test]
fn a_record_carries_no_answer() {
    let keys: BTreeSet<String> = files(42)
        .records
        .iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let visible = "amount category cost_centre department justification quotes request_id";
    assert_eq!(keys.into_iter().collect::<Vec<_>>().join(" "), visible);
}

#[test]
fn the_committed_files_are_those_of_seed_42() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/04-approval");
    for file in generate(42).files() {
        let committed = std::fs::read_to_string(folder.join(file.name)).unwrap();
        // Not `assert_eq!`: nobody wants to read both files in full.
        assert!(committed == file.text, "{} differs", file.name);
    }
}
