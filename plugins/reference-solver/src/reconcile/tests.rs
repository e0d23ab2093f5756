use super::*;

/// A day's number within 2024, which is all that the example speaks of.
fn day(date: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| date[range].parse::<i64>().unwrap();
    let before = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335];
    before[number(5..7) as usize - 1] + number(8..10)
}

/// What the tool would find.
fn candidates(record: &Value, days: i64, most: i64) -> Value {
    let mut found = Vec::new();
    for bank in record["bank_transactions"].as_array().unwrap() {
        for entry in record["ledger_entries"].as_array().unwrap() {
            let date = |it: &Value, key: &str| day(it[key].as_str().unwrap());
            let apart = (date(bank, "date") - date(entry, "posting_date")).abs();
            let amount = |it: &Value| cents(it["amount"].as_f64().unwrap());
            let money = (amount(bank) - amount(entry)).abs();
            if apart <= days && money <= most {
                found.push(json!({
                    "bank_id": bank["transaction_id"], "ledger_id": entry["entry_id"],
                    "days": apart, "amount": money as f64 / 100.0,
                }));
            }
        }
    }
    json!({ "candidates": found })
}

fn solved(record: &Value, days: i64, most: i64) -> Value {
    let blocks = [record.clone(), candidates(record, days, most)];
    solve(record.as_object().unwrap(), &blocks).unwrap()
}

#[test]
fn the_example_is_solved_to_the_last_record() {
    let records: Vec<Value> =
        include_str!("../../../../examples/03-reconcile/reconciliations.json")
            .parse::<Value>()
            .map(|it| it.as_array().cloned().unwrap())
            .unwrap();
    let gold: Value = include_str!("../../../../examples/03-reconcile/gold.json")
        .parse()
        .unwrap();
    for record in &records {
        let id = record["reconciliation_id"].as_str().unwrap();
        let answer = solved(record, 3, 100);
        assert_eq!(answer["matches"], gold[id]["matches"], "{id}");
        assert_eq!(answer["status"], gold[id]["status"], "{id}");
    }
    assert_eq!(records.len(), 40);
}

/// Two payments of 100.00 on a day, and two entries.
fn record(texts: [&str; 2], names: [&str; 2], descriptions: [&str; 2]) -> Value {
    let bank = |at: usize| {
        json!({
            "transaction_id": format!("B{at}"), "date": "2024-05-10", "amount": 100,
            "counterparty": names[at], "description": descriptions[at],
        })
    };
    let entry = |at: usize| {
        json!({
            "entry_id": format!("L{at}"), "posting_date": "2024-05-10", "amount": 100,
            "account": "5000-93", "text": texts[at],
        })
    };
    json!({
        "reconciliation_id": "REC-1",
        "bank_transactions": [bank(0), bank(1)],
        "ledger_entries": [entry(0), entry(1)],
    })
}

#[test]
fn texts_tell_who_was_paid_for_what() {
    let (acme, bolt) = ("Acme & Sons", "Bolt Works");
    let crossed = json!([
        { "bank_id": "B0", "ledger_id": "L1" },
        { "bank_id": "B1", "ledger_id": "L0" },
    ]);
    let straight = json!([
        { "bank_id": "B0", "ledger_id": "L0" },
        { "bank_id": "B1", "ledger_id": "L1" },
    ]);
    let first = json!([{ "bank_id": "B0", "ledger_id": "L0" }]);
    for (texts, names, descriptions, matches, duplicates) in [
        (
            ["BOLT 4711", "Acme, 4712"],
            [acme, bolt],
            ["Card", "Card"],
            &crossed,
            json!([]),
        ),
        (
            ["ACME 4711", "Acme, 4712"],
            [acme, acme],
            ["Ref 4712", "Ref 4711"],
            &crossed,
            json!([]),
        ),
        (
            ["ACME 4711", "Acme, 4712"],
            [acme, acme],
            ["Card", "Card"],
            &straight,
            json!([]),
        ),
        (
            ["ACME 4711", "Acme, inv. 4711"],
            [acme, acme],
            ["Card", "Card"],
            &first,
            json!(["L1"]),
        ),
        (
            ["ACME 4711", "Bolts 4712"],
            [acme, bolt],
            ["Card", "Card"],
            &first,
            json!([]),
        ),
        (
            ["ACME 4711", "Acme 4712"],
            [acme, acme],
            ["Ref 4711", "Ref 4713"],
            &first,
            json!([]),
        ),
        // The same account, day, amount and no text: one of them is the other.
        (
            ["", ""],
            [acme, bolt],
            ["Card", "Card"],
            &first,
            json!(["L1"]),
        ),
    ] {
        let answer = solved(&record(texts, names, descriptions), 0, 0);
        assert_eq!(&answer["matches"], matches, "{texts:?}");
        assert_eq!(answer["duplicates"], duplicates, "{texts:?}");
    }
}

#[test]
fn the_status_says_what_remains() {
    let mut record = record(["Acme 4711", "Bolt 4712"], ["Acme", "Bolt"], ["", ""]);
    let status = |record: &Value| solved(record, 3, 100)["status"].clone();
    assert_eq!(status(&record), "perfect_match");
    record["ledger_entries"][0]["posting_date"] = json!("2024-05-13");
    assert_eq!(status(&record), "resolvable_with_logic");
    record["ledger_entries"][1]["amount"] = json!(101.01);
    assert_eq!(status(&record), "manual_review_required");
    record["bank_transactions"].as_array_mut().unwrap().pop();
    assert_eq!(status(&record), "manual_review_required");
}

#[test]
fn many_small_differences_need_a_person() {
    for (count, expected) in [
        (50, "resolvable_with_logic"),
        (51, "manual_review_required"),
    ] {
        let bank: Vec<Value> = (0..count)
            .map(|n| json!({ "transaction_id": format!("B{n}"), "counterparty": "A" }))
            .collect();
        let ledger: Vec<Value> = (0..count)
            .map(|n| json!({ "entry_id": format!("L{n}"), "posting_date": "d", "amount": n, "text": "" }))
            .collect();
        let pairs: Vec<Value> = (0..count)
            .map(|n| json!({ "bank_id": format!("B{n}"), "ledger_id": format!("L{n}"), "days": 0, "amount": 1.0 }))
            .collect();
        let record = json!({ "bank_transactions": bank, "ledger_entries": ledger });
        let blocks = [json!({ "candidates": pairs })];
        let answer = solve(record.as_object().unwrap(), &blocks).unwrap();
        assert_eq!(answer["status"], expected, "{count}");
    }
}

#[test]
fn what_is_not_shown_is_missed() {
    let record = record(["", ""], ["", ""], ["", ""]);
    let record = record.as_object().unwrap();
    assert_eq!(solve(record, &[]), Err("candidates"));
    assert_eq!(solve(&Map::new(), &[]), Err("a statement and a ledger"));
}
