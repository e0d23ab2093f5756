use serde_json::{Value, json};

use super::*;

fn record() -> Value {
    let bank = |id: &str, date: &str, amount: f64| json!({ "transaction_id": id, "date": date, "amount": amount });
    let entry = |id: &str, date: &str, amount: f64| json!({ "entry_id": id, "posting_date": date, "amount": amount, "account": "1" });
    json!({
        "bank_transactions": [
            bank("B1", "2024-02-28", 100.0),
            bank("B2", "2024-05-11", 20.3),
            bank("B3", "2024-05-11", 70.0),
        ],
        "ledger_entries": [
            entry("L1", "2024-02-28", 100.0),
            entry("L2", "2024-05-12", 20.8),
            entry("L3", "2024-02-28", 100.0),
            entry("L4", "2024-03-03", 100.5),
            entry("L5", "2024-05-11", 70.0),
        ],
    })
}

/// The codes and places of what is found.
fn found(record: &Value, claim: &Value) -> Vec<(String, String)> {
    let record: Record = serde_json::from_value(record.clone()).unwrap();
    let claim: Claim = serde_json::from_value(claim.clone()).unwrap();
    let found = look(&record, &claim);
    found.into_iter().map(|it| (it.code, it.pointer)).collect()
}

fn claim(pairs: &[(&str, &str)], duplicates: &[&str], discrepancy: f64, status: &str) -> Value {
    let pair =
        |(bank_id, ledger_id): &(&str, &str)| json!({ "bank_id": bank_id, "ledger_id": ledger_id });
    json!({
        "matches": pairs.iter().map(pair).collect::<Vec<_>>(),
        "duplicates": duplicates,
        "discrepancy": discrepancy,
        "status": status,
    })
}

/// Two words each: ids of both sides, or a code and its place.
type Pairs<'a> = &'a [(&'a str, &'a str)];

const MANUAL: &str = "manual_review_required";
const LOGIC: &str = "resolvable_with_logic";
const ALL: [(&str, &str); 3] = [("B1", "L1"), ("B2", "L2"), ("B3", "L5")];

#[test]
fn every_slip_is_found_where_it_is() {
    let table: [(Pairs, &[&str], f64, &str, Pairs); 14] = [
        (&ALL, &["L3"], 101.0, MANUAL, &[]),
        (
            &ALL,
            &["L3"],
            101.01,
            MANUAL,
            &[("wrong-sum", "/discrepancy")],
        ),
        (&ALL, &["L3"], 101.0, LOGIC, &[("wrong-status", "/status")]),
        (&ALL, &[], 201.0, MANUAL, &[]),
        (&ALL[..2], &["L3"], 241.0, MANUAL, &[]),
        (&[], &[], 581.6, MANUAL, &[]),
        (
            &[("B9", "L1")],
            &[],
            0.0,
            LOGIC,
            &[("unknown-id", "/matches/0/bank_id")],
        ),
        (
            &[("B1", "L9")],
            &[],
            0.0,
            LOGIC,
            &[("unknown-id", "/matches/0/ledger_id")],
        ),
        (
            &[("B1", "L1"), ("B1", "L3")],
            &[],
            0.0,
            LOGIC,
            &[("used-twice", "/matches/1/bank_id")],
        ),
        (
            &[("B1", "L1")],
            &["L9"],
            0.0,
            LOGIC,
            &[("unknown-id", "/duplicates/0")],
        ),
        (
            &[("B1", "L1")],
            &["L3", "L3"],
            0.0,
            LOGIC,
            &[("used-twice", "/duplicates/1")],
        ),
        (
            &[("B1", "L3")],
            &["L3"],
            0.0,
            LOGIC,
            &[("used-twice", "/duplicates/0")],
        ),
        // The original is never the duplicate.
        (
            &[("B1", "L3")],
            &["L1"],
            0.0,
            LOGIC,
            &[("not-repeated", "/duplicates/0")],
        ),
        // Four days over the end of February.
        (
            &[("B1", "L4")],
            &[],
            0.0,
            LOGIC,
            &[("too-far", "/matches/0")],
        ),
    ];
    for (pairs, duplicates, sum, status, expected) in table {
        let expected: Vec<_> = expected
            .iter()
            .map(|(code, at)| ((*code).to_owned(), (*at).to_owned()))
            .collect();
        let claim = claim(pairs, duplicates, sum, status);
        assert_eq!(found(&record(), &claim), expected, "{claim}");
    }
}

#[test]
fn one_entry_for_two_transactions_is_found() {
    let claim = claim(&[("B1", "L1"), ("B3", "L1")], &[], 0.0, LOGIC);
    let codes: Vec<_> = found(&record(), &claim)
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(codes, ["used-twice", "too-far"]);
}

#[test]
fn the_status_follows_from_what_is_left() {
    let mut record = record();
    record["ledger_entries"].as_array_mut().unwrap().remove(3);
    let status = |record: &Value, pairs: &[(&str, &str)], duplicates: &[&str], sum: f64| {
        let fits = |status: &&str| found(record, &claim(pairs, duplicates, sum, status)).is_empty();
        let all = ["perfect_match", LOGIC, MANUAL];
        let fitting: Vec<_> = all.into_iter().filter(|it| fits(it)).collect();
        fitting
    };
    assert_eq!(status(&record, &ALL, &["L3"], 0.5), [LOGIC]);
    assert_eq!(status(&record, &ALL, &[], 100.5), [MANUAL]);
    assert_eq!(status(&record, &ALL[..2], &["L3"], 140.5), [MANUAL]);
    record["ledger_entries"][1]["amount"] = json!(20.3);
    // One day apart is not perfect.
    assert_eq!(status(&record, &ALL, &["L3"], 0.0), [LOGIC]);
    record["ledger_entries"][1]["posting_date"] = json!("2024-05-11");
    // Exact, but for the duplicate.
    assert_eq!(status(&record, &ALL, &["L3"], 0.0), [LOGIC]);
    record["ledger_entries"].as_array_mut().unwrap().remove(2);
    assert_eq!(status(&record, &ALL, &[], 0.0), ["perfect_match"]);
}

#[test]
fn many_small_differences_need_a_person() {
    let lists = |n: usize| {
        let bank: Vec<_> = (0..n)
            .map(|i| json!({ "transaction_id": format!("B{i}"), "date": "2024-05-11", "amount": 10 }))
            .collect();
        let ledger: Vec<_> = (0..n)
            .map(|i| json!({ "entry_id": format!("L{i}"), "posting_date": "2024-05-11", "amount": 11 }))
            .collect();
        let pairs: Vec<_> = (0..n)
            .map(|i| json!({ "bank_id": format!("B{i}"), "ledger_id": format!("L{i}") }))
            .collect();
        (
            json!({ "bank_transactions": bank, "ledger_entries": ledger }),
            pairs,
        )
    };
    for (n, status) in [(50, LOGIC), (51, MANUAL)] {
        let (record, pairs) = lists(n);
        let claim =
            json!({ "matches": pairs, "duplicates": [], "discrepancy": n, "status": status });
        assert_eq!(found(&record, &claim), [], "{n}");
    }
}

#[test]
fn a_flood_is_cut() {
    let pairs = vec![("B9", "L9"); 100];
    assert_eq!(
        found(&record(), &claim(&pairs, &[], 0.0, LOGIC)).len(),
        MOST_FINDINGS
    );
}
