//! Statements and ledgers.

use super::*;

fn records() -> Vec<(Form, Value)> {
    let records = include_str!("../../../../../examples/03-reconcile/reconciliations.json");
    let gold = include_str!("../../../../../examples/03-reconcile/gold.json");
    let records: Vec<Form> = serde_json::from_str(records).unwrap();
    let gold: Value = serde_json::from_str(gold).unwrap();
    assert_eq!(records.len(), 40);
    let with_gold = |record: Form| {
        let mut gold = gold[record["reconciliation_id"].as_str().unwrap()].clone();
        gold.as_object_mut().unwrap().remove("challenge");
        (record, gold)
    };
    records.into_iter().map(with_gold).collect()
}

#[test]
fn however_a_ledger_is_worked_on_the_answer_is_right() {
    for (record, gold) in records() {
        let (answer, _) = every_way("reconciliation", &record, &no_tools);
        assert_eq!(answer, gold, "{record:?}");
    }
}

/// What a statement comes to: matches as `B0 L1`.
fn matched(bank: Value, ledger: Value) -> Vec<String> {
    let record = object(json!({ "bank_transactions": bank, "ledger_entries": ledger }));
    let (right, _) = every_way("reconciliation", &record, &no_tools);
    let id = |pair: &Value, side: &str| pair[side].as_str().unwrap().to_owned();
    let pairs = right["matches"].as_array().unwrap().iter();
    pairs
        .map(|it| format!("{} {}", id(it, "bank_id"), id(it, "ledger_id")))
        .collect()
}

#[test]
fn of_several_that_may_belong_together_the_nearest_do() {
    let paid = |id: &str, date: &str, amount: f64, who: &str| {
        json!({
            "transaction_id": id, "date": date, "amount": amount, "counterparty": who,
        })
    };
    let booked = |id: &str, date: &str, amount: f64, text: &str| json!({ "entry_id": id, "posting_date": date, "amount": amount, "text": text });
    let acme = paid("B1", "2024-02-28", 10.0, "ACME, Inc.");
    for (bank, ledger, expected) in [
        // Days count before money, and money before ids.
        (
            json!([acme]),
            json!([
                booked("L1", "2024-02-29", 10.0, "Acme 4711"),
                booked("L2", "2024-02-28", 10.9, "Acme 4712"),
            ]),
            vec!["B1 L2"],
        ),
        (
            json!([acme]),
            json!([
                booked("L1", "2024-02-28", 10.9, "Acme 4711"),
                booked("L2", "2024-02-28", 9.5, "Acme 4712"),
            ]),
            vec!["B1 L2"],
        ),
        // Whoever is farther away takes what is left.
        (
            json!([acme, paid("B2", "2024-02-27", 10.0, "Acme")]),
            json!([
                booked("L1", "2024-02-27", 10.0, "Acme 4711"),
                booked("L2", "2024-03-01", 10.0, "Acme 4712"),
            ]),
            vec!["B1 L2", "B2 L1"],
        ),
        (
            json!([acme, paid("B2", "2024-02-28", 10.0, "Acme")]),
            json!([booked("L1", "2024-02-28", 10.0, "Acme 4711")]),
            vec!["B1 L1"],
        ),
        // The year turns, and the leap day is one.
        (
            json!([paid("B1", "2023-12-30", 10.0, "Acme")]),
            json!([booked("L1", "2024-01-02", 10.0, "Acme")]),
            vec!["B1 L1"],
        ),
        (
            json!([acme]),
            json!([booked("L1", "2024-03-03", 10.0, "Acme")]),
            vec![],
        ),
        // Who says nothing may be anybody; who only has a number is nobody.
        (
            json!([acme]),
            json!([booked("L1", "2024-02-28", 10.0, " . ")]),
            vec!["B1 L1"],
        ),
        (
            json!([paid("B1", "2024-02-28", 10.0, "")]),
            json!([booked("L1", "2024-02-28", 10.0, "4711")]),
            vec![],
        ),
    ] {
        let text = format!("{bank} and {ledger}");
        assert_eq!(matched(bank, ledger), expected, "{text}");
    }
}

/// What the plan of a record gives: for each specialist how many lines.
fn dealt(record: &Form) -> Vec<(String, usize)> {
    let plan = solved("reconciliation-plan-from-record", record);
    let count = |given: &Value| {
        let of = |side: &str| given[side].as_array().unwrap().len();
        of("bank") + of("ledger")
    };
    let given = plan["given"].as_object().unwrap().iter();
    given.map(|(name, it)| (name.clone(), count(it))).collect()
}

fn lines(bank: &[f64], ledger: &[f64]) -> Form {
    let bank = bank.iter().enumerate().map(|(at, amount)| {
        json!({ "transaction_id": format!("B{at}"), "date": "2024-05-10", "amount": amount })
    });
    let ledger = ledger.iter().enumerate().map(|(at, amount)| {
        json!({ "entry_id": format!("L{at}"), "posting_date": "2024-05-10", "amount": amount })
    });
    object(json!({
        "bank_transactions": bank.collect::<Vec<_>>(),
        "ledger_entries": ledger.collect::<Vec<_>>(),
    }))
}

#[test]
fn lines_that_may_touch_go_to_the_same_specialist() {
    for (bank, ledger, expected) in [
        (vec![], vec![], vec![("first", 0)]),
        (vec![5.0], vec![6.0], vec![("first", 2)]),
        (vec![5.0], vec![6.01], vec![("first", 1), ("second", 1)]),
        // A chain stays whole, though its ends never meet.
        (vec![5.0, 7.0], vec![6.0], vec![("first", 3)]),
        (
            vec![90.0, 5.0, 20.0, 50.0],
            vec![5.0, 5.5, 90.0],
            vec![("first", 3), ("second", 3), ("third", 1)],
        ),
    ] {
        let dealt = dealt(&lines(&bank, &ledger));
        let expected = expected.iter().map(|(name, n)| ((*name).to_owned(), *n));
        assert_eq!(
            dealt,
            expected.collect::<Vec<_>>(),
            "{bank:?} and {ledger:?}"
        );
    }
}

#[test]
fn specialists_share_the_work_where_amounts_allow_it() {
    let all = records();
    let shared = all.iter().filter(|(record, _)| dealt(record).len() == 3);
    assert!(shared.count() > 20);
}

#[test]
fn lists_come_out_sorted_whoever_found_what_is_in_them() {
    let near = |bank: &str, ledger: &str, cents: i64| {
        json!({
            "bank_id": bank, "ledger_id": ledger, "days": 0, "cents": cents,
        })
    };
    let checked = json!({
        "matches": [near("B2", "L1", 30), near("B1", "L2", 0)],
        "duplicates": ["L4"],
        "open": [{ "id": "L3", "cents": -250 }, { "id": "B3", "cents": 100 }],
    });
    let decided = solved("reconciliation-decide-from-check", &object(checked));
    assert_eq!(decided["cents"], 380);
    assert_eq!(decided["open"][0]["id"], "B3");
    let recorded = solved("reconciliation-record-from-decide", &decided);
    let expected = json!({
        "status": "manual_review_required", "discrepancy": 3.8,
        "matches": [
            { "bank_id": "B1", "ledger_id": "L2" },
            { "bank_id": "B2", "ledger_id": "L1" },
        ],
    });
    assert_eq!(Value::Object(recorded), expected);
}

#[test]
fn the_status_follows_from_what_is_left() {
    let status = |days: i64, cents: i64, times: usize, duplicates: Value, open: Value| {
        let near = json!({ "bank_id": "B", "ledger_id": "L", "days": days, "cents": cents });
        let checked =
            json!({ "matches": vec![near; times], "duplicates": duplicates, "open": open });
        solved("reconciliation-record-from-check", &object(checked))["status"].clone()
    };
    let (none, one) = (json!([]), json!([{ "id": "B9", "cents": 0 }]));
    for (days, cents, times, duplicates, open, expected) in [
        (0, 0, 3, &none, &none, "perfect_match"),
        (1, 0, 3, &none, &none, "resolvable_with_logic"),
        (0, 1, 3, &none, &none, "resolvable_with_logic"),
        (0, 0, 3, &json!(["L2"]), &none, "resolvable_with_logic"),
        (0, 0, 3, &none, &one, "manual_review_required"),
        (0, 100, 50, &none, &none, "resolvable_with_logic"),
        (0, 100, 51, &none, &none, "manual_review_required"),
    ] {
        let said = status(days, cents, times, duplicates.clone(), open.clone());
        assert_eq!(said, expected, "{days} days, {cents} cents, {times} times");
    }
}

#[test]
fn a_critic_of_a_reconciliation_looks_at_every_field() {
    let (record, gold) = records().swap_remove(3);
    let accepts = |answer: &Value| {
        accepts(
            "reconciliation",
            &record,
            &object(answer.clone()),
            &no_tools,
        )
    };
    assert!(accepts(&gold));
    for (pointer, wrong) in [
        ("/status", json!("perfect_match")),
        ("/discrepancy", json!(0.01)),
        ("/matches", json!([])),
        ("/matches/0/ledger_id", json!("LED-9")),
    ] {
        let mut answer = gold.clone();
        *answer.pointer_mut(pointer).unwrap() = wrong;
        assert!(!accepts(&answer), "{pointer}");
    }
}

#[test]
fn a_mistake_in_a_line_stays() {
    // REC-00004: two matches, and an entry that the bank never saw.
    let (record, gold) = records().swap_remove(3);
    let normalised = solved("reconciliation-normalise-from-record", &record);
    let after = |pointer: &str, wrong: Value| {
        let mut spoilt = Value::Object(normalised.clone());
        *spoilt.pointer_mut(pointer).unwrap() = wrong;
        solved("reconciliation-record-from-normalise", &object(spoilt))
    };
    let with = |pointer: &str, value: Value| {
        let mut gold = gold.clone();
        *gold.pointer_mut(pointer).unwrap() = value;
        object(gold)
    };
    // It does not matter.
    assert_eq!(
        after("/bank/0/document", json!("6457")),
        object(gold.clone())
    );
    assert_eq!(after("/ledger/0/day", json!(3)), object(gold.clone()));
    // It does.
    let other_amount = after("/ledger/0/cents", json!(100));
    assert_eq!(other_amount, with("/discrepancy", json!(1.0)));
    let other_id = after("/ledger/1/id", json!("LED-9"));
    assert_eq!(other_id, with("/matches/1/ledger_id", json!("LED-9")));
    for (pointer, wrong) in [
        ("/bank/0/name", json!("marlowe")),
        ("/bank/0/document", json!("6458")),
        ("/bank/0/day", json!(16)),
        ("/bank/0/day", json!(null)),
        ("/bank/0/cents", json!(1_503)),
    ] {
        let said = after(pointer, wrong);
        assert_eq!(said["matches"].as_array().unwrap().len(), 1, "{pointer}");
    }
}

#[test]
fn whatever_fits_the_form_is_worked_on() {
    let most = json!(u64::MAX);
    let line = json!({
        "id": "", "day": i64::MIN, "cents": i64::MIN, "account": "", "document": "",
        "name": "", "words": " ", "date": "2024-13-00", "amount": 1e300,
        "counterparty": "", "description": "-", "text": "…",
    });
    let other = json!({
        "id": "", "day": most, "cents": most, "account": "", "document": null,
        "name": "ä", "words": "", "date": "never", "amount": -1, "text": "",
    });
    let pair = json!({ "bank_id": "", "ledger_id": "?", "days": most, "cents": i64::MIN });
    let poisoned = json!({
        "bank": [line, other], "ledger": [line, other, line], "duplicates": ["", "?"],
        "pairs": [pair, pair], "matches": [pair, pair], "open": [line, other],
        "reason": "", "status": "manual_review_required", "cents": most,
    });
    for from in STAGES.iter().take(6) {
        solved(
            &format!("reconciliation-record-from-{from}"),
            &object(poisoned.clone()),
        );
    }
    for aspect in ["first", "second", "third"] {
        let title = format!("reconciliation-{aspect}-from-normalise");
        solved(&title, &object(poisoned.clone()));
    }
}

#[test]
fn a_document_that_lacks_something_is_refused() {
    let (record, _) = records().swap_remove(3);
    for from in [
        "record",
        "ingest",
        "normalise",
        "extract",
        "enrich",
        "check",
    ] {
        let next = match from {
            "record" => record.clone(),
            stage => solved(&format!("reconciliation-{stage}-from-record"), &record),
        };
        let job = format!("reconciliation-record-from-{from}");
        let job = Job::titled(&job).unwrap();
        for name in next.keys().filter(|name| *name != "reconciliation_id") {
            let mut lacking = next.clone();
            lacking.remove(name);
            let said = job.solve(&[lacking], &Answers::new());
            assert!(said.is_err(), "{from} without {name}");
        }
    }
}
