//! Statements and ledgers: one whose documents are right at every stage, and what is
//! found when they are not.

use super::*;

/// Two payments; the second was booked twice, and a third entry is nobody's.
fn record() -> Value {
    json!({
        "reconciliation_id": "REC-1",
        "bank_transactions": [
            { "transaction_id": "B1", "date": "2024-02-28", "amount": 10.1,
              "counterparty": "Acme & Sons", "description": "Ref. 4711" },
            { "transaction_id": "B2", "date": "2023-12-31", "amount": 99,
              "counterparty": "Bolt Works", "description": "Card payment" },
        ],
        "ledger_entries": [
            { "entry_id": "L1", "posting_date": "2024-03-01", "amount": 10.4,
              "account": "5000-93", "text": "ACME/4711" },
            { "entry_id": "L2", "posting_date": "2023-12-31", "amount": 99.0,
              "account": "5000-94", "text": "Bolt, invoice 4712" },
            { "entry_id": "L3", "posting_date": "2023-12-31", "amount": 99.0,
              "account": "5000-94", "text": "Inv. 4712 Bolt Works" },
            { "entry_id": "L4", "posting_date": "2024-06-01", "amount": 7.5,
              "account": "5000-10", "text": "Cobalt 4713" },
        ],
    })
}

fn lines() -> [Value; 2] {
    [
        json!([
            { "id": "B1", "day": 58, "cents": 1010, "name": "acme", "document": "4711" },
            { "id": "B2", "day": -1, "cents": 9900, "name": "bolt", "document": null },
        ]),
        json!([
            { "id": "L1", "day": 60, "cents": 1040, "account": "5000-93", "document": "4711",
              "words": "acme" },
            { "id": "L2", "day": -1, "cents": 9900, "account": "5000-94", "document": "4712",
              "words": "bolt invoice" },
            { "id": "L3", "day": -1, "cents": 9900, "account": "5000-94", "document": "4712",
              "words": "inv bolt works" },
            { "id": "L4", "day": 152, "cents": 750, "account": "5000-10", "document": "4713",
              "words": "cobalt" },
        ]),
    ]
}

/// What is right at a stage.
fn right(stage: &str) -> Value {
    let [bank, ledger] = lines();
    let near = |bank: &str, ledger: &str, days: i64, cents: i64| {
        json!({
            "bank_id": bank, "ledger_id": ledger, "days": days, "cents": cents,
        })
    };
    let near = json!([near("B1", "L1", 2, 30), near("B2", "L2", 0, 0)]);
    let pairs = json!([
        { "bank_id": "B1", "ledger_id": "L1" }, { "bank_id": "B2", "ledger_id": "L2" },
    ]);
    let open = json!([{ "id": "L4", "cents": 750 }]);
    match stage {
        "ingest" => json!({
            "bank": [
                { "id": "B1", "date": "2024-02-28", "amount": 10.1,
                  "counterparty": "Acme & Sons", "description": "Ref. 4711" },
                { "id": "B2", "date": "2023-12-31", "amount": 99.0,
                  "counterparty": "Bolt Works", "description": "Card payment" },
            ],
            "ledger": [
                { "id": "L1", "date": "2024-03-01", "amount": 10.4, "account": "5000-93",
                  "text": "ACME/4711" },
                { "id": "L2", "date": "2023-12-31", "amount": 99.0, "account": "5000-94",
                  "text": "Bolt, invoice 4712" },
                { "id": "L3", "date": "2023-12-31", "amount": 99.0, "account": "5000-94",
                  "text": "Inv. 4712 Bolt Works" },
                { "id": "L4", "date": "2024-06-01", "amount": 7.5, "account": "5000-10",
                  "text": "Cobalt 4713" },
            ],
        }),
        "normalise" => json!({ "bank": bank, "ledger": ledger }),
        "plan" => json!({ "given": {
            "first": { "bank": [bank[0]], "ledger": [ledger[0], ledger[3]] },
            "second": { "bank": [bank[1]], "ledger": [ledger[1], ledger[2]] },
        } }),
        "extract" => json!({
            "bank": [
                { "id": "B1", "day": 58, "cents": 1010 },
                { "id": "B2", "day": -1, "cents": 9900 },
            ],
            "ledger": [
                { "id": "L1", "day": 60, "cents": 1040 },
                { "id": "L2", "day": -1, "cents": 9900 },
                { "id": "L4", "day": 152, "cents": 750 },
            ],
            "duplicates": ["L3"], "pairs": pairs,
        }),
        "enrich" => json!({
            "bank": [{ "id": "B1", "cents": 1010 }, { "id": "B2", "cents": 9900 }],
            "ledger": [
                { "id": "L1", "cents": 1040 }, { "id": "L2", "cents": 9900 },
                { "id": "L4", "cents": 750 },
            ],
            "duplicates": ["L3"], "pairs": near,
        }),
        "check" => json!({ "matches": near, "duplicates": ["L3"], "open": open }),
        "decide" => json!({
            "reason": "1 left over", "status": "manual_review_required", "cents": 780,
            "matches": near, "open": open,
        }),
        "record" => json!({
            "status": "manual_review_required", "discrepancy": 7.8, "matches": pairs,
        }),
        other => panic!("{other}"),
    }
}

const STAGES: [&str; 8] = [
    "ingest",
    "normalise",
    "plan",
    "extract",
    "enrich",
    "check",
    "decide",
    "record",
];

#[test]
fn what_is_right_passes_at_every_stage() {
    for stage in STAGES {
        let found = found("reconciliation", stage, &record(), &right(stage));
        assert!(found.is_empty(), "{stage}: {found:?}");
    }
}

#[test]
fn a_line_that_the_record_has_otherwise_or_not_at_all_is_found() {
    for (stage, pointer, wrong) in [
        ("ingest", "/bank/1/amount", json!(9.9)),
        ("ingest", "/bank/0/date", json!("2024-02-29")),
        ("ingest", "/bank/0/counterparty", json!("Bolt Works")),
        ("ingest", "/ledger/3/date", json!("2024-06-02")),
        ("ingest", "/ledger/0/text", json!("ACME/4712")),
        ("normalise", "/bank/0/day", json!(59)),
        ("normalise", "/bank/0/name", json!("bolt")),
        ("normalise", "/bank/0/document", json!("4712")),
        ("normalise", "/ledger/2/cents", json!(990)),
        ("normalise", "/ledger/2/words", json!("inv bolt workz")),
        ("normalise", "/ledger/1/account", json!("5000-93")),
        ("plan", "/given/second/ledger/1/cents", json!(990)),
        ("extract", "/ledger/2/day", json!(151)),
        ("extract", "/duplicates/0", json!("L9")),
        ("extract", "/pairs/0/bank_id", json!("L1")),
        ("enrich", "/bank/0/id", json!("B9")),
        ("enrich", "/pairs/1/ledger_id", json!("L9")),
        ("ingest..check", "/open/0/cents", json!(75)),
        ("check", "/matches/0/ledger_id", json!("L9")),
        ("decide", "/open/0/id", json!("L9")),
        ("record", "/matches/1/bank_id", json!("B9")),
    ] {
        let (_, last) = stage.split_once("..").unwrap_or(("", stage));
        let mut answer = right(last);
        *answer.pointer_mut(pointer).unwrap() = wrong;
        let found = found("reconciliation", stage, &record(), &answer);
        assert!(
            found.contains(&pointer.to_owned()),
            "{stage} {pointer}: {found:?}"
        );
    }
}

#[test]
fn a_line_has_one_place_and_never_none() {
    let (b1, l2) = (json!({ "id": "B1" }), json!({ "id": "L2" }));
    for (stage, list, more, pointer) in [
        ("ingest", "/bank", &b1, "/bank/2/id"),
        (
            "plan",
            "/given/first/ledger",
            &l2,
            "/given/second/ledger/0/id",
        ),
        ("extract", "/duplicates", &json!("L2"), "/duplicates/1"),
        ("check", "/open", &l2, "/open/1/id"),
        (
            "check",
            "/matches",
            &json!({ "bank_id": "B1", "ledger_id": "L4" }),
            "/matches/2/bank_id",
        ),
        ("decide", "/open", &b1, "/open/1/id"),
        (
            "record",
            "/matches",
            &json!({ "bank_id": "B1", "ledger_id": "L2" }),
            "/matches/2/ledger_id",
        ),
    ] {
        let mut answer = right(stage);
        let items = answer.pointer_mut(list).unwrap().as_array_mut().unwrap();
        items.push(more.clone());
        let found = found("reconciliation", stage, &record(), &answer);
        assert!(found.contains(&pointer.to_owned()), "{stage}: {found:?}");
    }
    for (stage, list) in [
        ("ingest", "/bank"),
        ("normalise", "/ledger"),
        ("plan", "/given/second/bank"),
        ("extract", "/duplicates"),
        ("enrich", "/ledger"),
        ("check", "/open"),
        ("check", "/matches"),
        ("decide", "/matches"),
    ] {
        let mut answer = right(stage);
        let items = answer.pointer_mut(list).unwrap().as_array_mut().unwrap();
        items.pop().unwrap();
        let found = found("reconciliation", stage, &record(), &answer);
        assert!(found.contains(&String::new()), "{stage} {list}: {found:?}");
    }
}

#[test]
fn a_specialist_is_held_against_what_it_was_given() {
    let given = &right("plan")["given"]["second"];
    let answer = json!({
        "matches": [{ "bank_id": "B2", "ledger_id": "L2", "days": 0, "cents": 0 }],
        "duplicates": ["L3"], "open": [],
    });
    assert!(found("reconciliation", "second", given, &answer).is_empty());
    for (pointer, wrong, found_at) in [
        ("/matches/0/bank_id", json!("B1"), "/matches/0/bank_id"),
        ("/duplicates", json!([]), ""),
        ("/open", json!([{ "id": "L4", "cents": 750 }]), "/open/0/id"),
        (
            "/open",
            json!([{ "id": "B2", "cents": 75 }]),
            "/open/0/cents",
        ),
    ] {
        let mut answer = answer.clone();
        *answer.pointer_mut(pointer).unwrap() = wrong;
        let found = found("reconciliation", "third", given, &answer);
        assert!(found.contains(&found_at.to_owned()), "{pointer}: {found:?}");
    }
}

#[test]
fn sum_and_status_follow_from_what_is_matched_and_open() {
    let decided = |status: &str, cents: i64, apart: i64, open: Value| {
        json!({
            "status": status, "cents": cents, "open": open,
            "matches": [
                { "bank_id": "B1", "ledger_id": "L1", "cents": apart },
                { "bank_id": "B2", "ledger_id": "L2", "cents": 0 },
            ],
        })
    };
    let (perfect, logic, manual) = (
        "perfect_match",
        "resolvable_with_logic",
        "manual_review_required",
    );
    let (none, l4) = (json!([]), json!([{ "id": "L4", "cents": 750 }]));
    for (answer, expected) in [
        (decided(perfect, 0, 0, none.clone()), vec![]),
        (decided(logic, 0, 0, none.clone()), vec![]),
        (decided(logic, 5_000, 5_000, none.clone()), vec![]),
        (decided(manual, 5_001, 5_001, none.clone()), vec![]),
        (decided(manual, 780, 30, l4.clone()), vec![]),
        (decided(manual, 870, 30, l4.clone()), vec!["/cents"]),
        (decided(perfect, 30, 30, none.clone()), vec!["/status"]),
        (decided(perfect, 750, 0, l4.clone()), vec!["/status"]),
        (decided(logic, 5_001, 5_001, none.clone()), vec!["/status"]),
        (decided(logic, 750, 0, l4), vec!["/status"]),
        (decided(manual, 30, 30, none), vec!["/status"]),
    ] {
        let found = found("reconciliation", "decide", &record(), &answer);
        assert_eq!(found, expected, "{answer}");
    }
}

#[test]
fn a_status_that_the_record_rules_out_is_found() {
    let pair = |bank: &str, ledger: &str| json!({ "bank_id": bank, "ledger_id": ledger });
    let (one, both) = (
        json!([pair("B1", "L1")]),
        json!([pair("B1", "L1"), pair("B2", "L2")]),
    );
    let (whole, mut small) = (record(), record());
    small["ledger_entries"].as_array_mut().unwrap().truncate(2);
    let mut unbooked = record();
    unbooked["ledger_entries"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    for (record, status, discrepancy, matches, expected) in [
        (&whole, "manual_review_required", 7.8, &both, vec![]),
        // For all that can be seen both of the others were booked twice.
        (&whole, "resolvable_with_logic", 0.3, &both, vec![]),
        (
            &whole,
            "resolvable_with_logic",
            50.01,
            &both,
            vec!["/status"],
        ),
        (&whole, "resolvable_with_logic", 0.3, &one, vec!["/status"]),
        (&whole, "perfect_match", 0.0, &both, vec!["/status"]),
        (&small, "perfect_match", 0.0, &both, vec![]),
        (&small, "perfect_match", 0.01, &both, vec!["/status"]),
        (&small, "perfect_match", 0.0, &one, vec!["/status"]),
        (
            &small,
            "manual_review_required",
            0.3,
            &both,
            vec!["/status"],
        ),
        (&small, "manual_review_required", 50.01, &both, vec![]),
        (&unbooked, "manual_review_required", 9.0, &one, vec![]),
        (&unbooked, "perfect_match", 0.0, &one, vec!["/status"]),
    ] {
        let answer = json!({ "status": status, "discrepancy": discrepancy, "matches": matches });
        let found = found("reconciliation", "record", record, &answer);
        assert_eq!(found, expected, "{answer}");
    }
}

#[test]
fn whatever_it_is_shown_it_finds_no_more_than_a_few_things_about_it() {
    let strange = json!({ "id": 7, "day": "x", "cents": 1e300, "document": [], "words": "" });
    let many: Vec<Value> = vec![strange; 50];
    let answer = json!({
        "bank": many, "ledger": {}, "duplicates": [null], "pairs": [[]], "matches": many,
        "open": many, "given": { "first": { "bank": many }, "second": 1 },
        "cents": "much", "status": false, "discrepancy": null,
    });
    for stage in STAGES {
        for record in [
            record(),
            json!({ "bank_transactions": 1, "bank": [null, {}] }),
        ] {
            let found = found("reconciliation", stage, &record, &answer);
            assert!((1..=20).contains(&found.len()), "{stage}: {found:?}");
        }
    }
}
