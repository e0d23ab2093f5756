use std::path::PathBuf;

use serde_json::json;

use super::audit::{Share, Undecidable, audit};
use super::*;
use crate::data::leak::leaks;
use crate::score::answer::right;

fn invoice(id: &str, vendor: &str, day: u32, flag: &str, reason: &str) -> Value {
    let mut invoice = json!({
        "invoice_id": id,
        "vendor": vendor,
        "amount": f64::from(day) + 99.5,
        "date": format!("2024-01-{day:02}"),
        "line_items": [{"description": "Work", "quantity": 1, "unit_price": 1.0}],
        "status": "paid",
        "has_ocr_error": false,
        "has_missing_fields": false,
        "is_duplicate": false,
        "gold_label": {"is_valid": reason == "valid", "reason": reason},
    });
    if !flag.is_empty() {
        invoice[flag] = json!(true);
    }
    invoice
}

/// Seven invoices: of two OCR faults one shows, of two missing fields one is missing,
/// and one is a duplicate.
fn invoices() -> Value {
    let (ocr, missing) = ("ocr_error_detected", "missing_required_fields");
    let mut four = invoice("INV-4", "Acme Tools", 5, "has_missing_fields", missing);
    four["missing_field"] = json!("status");
    four.as_object_mut().unwrap().remove("status");
    let mut five = invoice("INV-5", "Bolt & Co", 6, "has_missing_fields", missing);
    five["missing_field"] = json!("status");
    let mut six = invoice("INV-6", "Bolt & Co", 2, "is_duplicate", "duplicate_invoice");
    six["duplicate_of"] = json!("INV-1");
    json!([
        invoice("INV-0", "Acme Tools", 1, "", "valid"),
        invoice("INV-1", "Bolt & Co", 2, "", "valid"),
        invoice("INV-2", "Acme Tools", 3, "has_ocr_error", ocr),
        invoice("INV-3", "Acme T0ols", 4, "has_ocr_error", ocr),
        four,
        five,
        six,
    ])
}

fn payment(id: &str, amount: u32, average: u32, hour: u32, fraud: Option<&str>) -> Value {
    json!({
        "transaction_id": id,
        "merchant": "Shop",
        "amount": amount,
        "timestamp": format!("2024-05-01T{hour:02}:00:00Z"),
        "user_id": "user_1000",
        "user_behavior": {
            "transaction_count_24h": hour,
            "avg_transaction_amount": average,
            "account_age_days": 30 + hour,
        },
        "fraud_label": fraud.is_some(),
        "fraud_type": fraud,
        "gold_label_confidence": 0.9,
    })
}

/// Five payments: one of two frauds sticks out.
fn payments() -> Value {
    let mut ambiguous = payment("TXN-4", 600, 200, 12, None);
    ambiguous["is_ambiguous"] = json!(true);
    let transactions = [
        payment("TXN-0", 500, 100, 10, Some("stolen_card")),
        payment("TXN-1", 10_000, 100, 11, Some("account_takeover")),
        payment("TXN-2", 100, 50, 5, None),
        payment("TXN-3", 1_000, 100, 20, None),
        ambiguous,
    ];
    json!({"metadata": {"fraud_count": 2}, "transactions": transactions})
}

fn statement(id: &str, days: u32, discrepancy: f64, status: &str) -> Value {
    json!({
        "reconciliation_id": id,
        "bank_transactions": [
            {"transaction_id": "B1", "date": "2024-05-01", "amount": 70.0, "counterparty": id},
        ],
        "ledger_entries": [
            {"entry_id": "L1", "posting_date": format!("2024-05-{:02}", 1 + days), "amount": 70},
        ],
        "expected_matches": [{"bank_id": "B1", "ledger_id": "L1"}],
        "reconciliation_status": status,
        "discrepancy_amount": discrepancy,
        "challenge_types": if days > 0 { vec!["date_mismatch"] } else { vec![] },
    })
}

/// Eight reconciliations: three agree exactly, one of them with a label that nothing
/// tells; three were booked late, and mostly need a person; one entry is a copy, one
/// transaction is left over.
fn statements() -> Value {
    let (perfect, logic, manual) = (
        "perfect_match",
        "resolvable_with_logic",
        "manual_review_required",
    );
    let mut copy = statement("REC-2", 0, 12.5, logic);
    let entries = copy["ledger_entries"].as_array_mut().unwrap();
    entries.push(json!({"entry_id": "L1-DUP", "posting_date": "2024-05-01", "amount": 70}));
    let mut open = statement("REC-3", 0, 60.0, manual);
    let bank = open["bank_transactions"].as_array_mut().unwrap();
    bank.push(json!({"transaction_id": "BANK-UNMATCH-1", "date": "2024-05-01", "amount": 60}));
    let reconciliations = [
        statement("REC-0", 0, 0.0, perfect),
        statement("REC-1", 2, 10.0, logic),
        copy,
        open,
        statement("REC-4", 0, 100.0, manual),
        statement("REC-5", 0, 0.0, perfect),
        statement("REC-6", 3, 80.0, manual),
        statement("REC-7", 1, 90.0, manual),
    ];
    json!({"metadata": {"count": 8}, "reconciliations": reconciliations})
}

fn parse(files: &[Value; 3]) -> Result<Compat, CompatError> {
    let [invoices, payments, statements] = files.each_ref().map(Value::to_string);
    Compat::parse(
        invoices.as_bytes(),
        payments.as_bytes(),
        statements.as_bytes(),
    )
}

fn files() -> [Value; 3] {
    [invoices(), payments(), statements()]
}

fn share(count: usize, of: usize) -> Share {
    Share { count, of }
}

#[test]
fn records_become_tasks_without_their_labels() {
    let suite = parse(&files()).ok().unwrap().suite();
    let ids: Vec<&str> = suite.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(ids[..2], ["INV-0", "INV-1"]);
    assert_eq!(ids[7..9], ["TXN-0", "TXN-1"]);
    for task in &suite.tasks {
        assert_eq!(leaks(&task.input), [""; 0]);
    }
    assert_eq!(leaks(&json!(suite.ledger)), [""; 0]);
    assert_eq!(suite.ledger.vendors, ["Acme Tools", "Bolt & Co"]);
    assert_eq!(suite.ledger.invoices.len(), 7);

    let task = |id: &str| suite.tasks.iter().find(|task| task.id == id).unwrap();
    let input = json!({
        "invoice_id": "INV-4", "vendor": "Acme Tools", "amount": 104.5, "date": "2024-01-05",
        "line_items": [{"description": "Work", "quantity": 1, "unit_price": 1.0}],
    });
    assert_eq!(task("INV-4").input, input);
    let gold = json!({"is_valid": false, "reason": "missing_required_fields"});
    assert_eq!(json!(task("INV-4").gold), gold);
    let gold = json!({"fraud_label": true, "fraud_type": "stolen_card"});
    assert_eq!(json!(task("TXN-0").gold), gold);
    let gold = json!({
        "status": "resolvable_with_logic",
        "discrepancy": 12.5,
        "matches": [{"bank_id": "B1", "ledger_id": "L1"}],
    });
    assert_eq!(json!(task("REC-2").gold), gold);
    let right = right(Set::Reconciliation, &task("REC-2").gold, &gold);
    assert!(right.len() == 3 && right.into_values().all(|right| right));

    let levels = [
        "INV-0", "INV-3", "INV-6", "TXN-2", "TXN-0", "TXN-4", "REC-0",
    ]
    .map(|id| (task(id).difficulty, task(id).edge));
    let (easy, medium, hard) = (Difficulty::Easy, Difficulty::Medium, Difficulty::Hard);
    let expected = [
        (easy, false),
        (medium, true),
        (hard, true),
        (easy, false),
        (medium, true),
        (hard, true),
        (easy, false),
    ];
    assert_eq!(levels, expected);
}

#[test]
fn labels_that_speak_of_vendor_route_and_action_are_scored_too() {
    let mut files = files();
    files[0][0]["gold_label"]["correct_vendor"] = json!("Acme Tools");
    files[0][0]["gold_label"]["approval_route"] = json!("auto_approve");
    files[1]["transactions"][0]["expected_action"] = json!("block");
    let suite = parse(&files).ok().unwrap().suite();
    assert_eq!(suite.tasks[0].gold.len(), 4);
    assert_eq!(suite.tasks[7].gold["expected_action"], "block");
}

#[test]
fn the_audit_counts_what_labels_and_content_say_of_one_another() {
    let audit = audit(&parse(&files()).ok().unwrap());
    // INV-6 repeats INV-1.
    assert_eq!(audit.distinct, share(19, 20));
    // 7(1 - (6/7)^7) + 5(1 - (4/5)^5) + 8(1 - (7/8)^8)
    assert!((audit.distinct_when_replaced - 13.233).abs() < 1e-3);

    let it = &audit.invoices;
    assert_eq!(
        (it.ocr_visible, it.missing_still_there),
        (share(1, 2), share(1, 2))
    );
    assert_eq!((it.visible_rule, it.flags), (share(5, 7), share(7, 7)));

    let it = &audit.transactions;
    assert_eq!(
        (it.always_legitimate, it.hidden),
        (share(3, 5), share(1, 2))
    );
    let aucs: Vec<_> = it
        .features
        .iter()
        .map(|it| (it.name, it.auc.unwrap()))
        .collect();
    let expected = [
        ("amount", 4.0 / 6.0),
        ("avg_transaction_amount", 0.5),
        ("amount by the average", 5.0 / 6.0),
        ("transaction_count_24h", 2.0 / 6.0),
        ("account_age_days", 2.0 / 6.0),
        ("hour", 2.0 / 6.0),
    ];
    assert_eq!(aucs, expected);

    let it = &audit.reconciliations;
    assert_eq!((it.matcher, it.discrepancy), (share(8, 8), share(8, 8)));
    assert_eq!((it.rule, it.at_most), (share(5, 8), share(6, 8)));
    assert_eq!(it.telling_ids, share(2, 8));

    let undecidable = |set, why: &str, id: &str| Undecidable {
        set,
        why: why.to_owned(),
        ids: vec![id.to_owned()],
    };
    let expected = [
        undecidable(
            Set::Invoice,
            "labelled `missing_required_fields`, its content says `valid`",
            "INV-5",
        ),
        undecidable(
            Set::Invoice,
            "labelled `ocr_error_detected`, its content says `valid`",
            "INV-2",
        ),
        undecidable(
            Set::Transaction,
            "a fraud with no figure outside of what legitimate payments have",
            "TXN-0",
        ),
        undecidable(
            Set::Reconciliation,
            "labelled `manual_review_required`, those that look alike mostly `perfect_match`",
            "REC-4",
        ),
        undecidable(
            Set::Reconciliation,
            "labelled `resolvable_with_logic`, those that look alike mostly \
             `manual_review_required`",
            "REC-1",
        ),
    ];
    assert_eq!(audit.undecidable, expected);
}

#[test]
fn an_audit_is_a_table_and_json() {
    let audit = audit(&parse(&files()).ok().unwrap());
    let shown = audit.to_string();
    for line in [
        "│ all            ┆ distinct, ids aside ",
        "┆ 19 of 20 ",
        "│ invoice        ┆ OCR faults that show: vendor unlike the clean pool ┆ 1 of 2 ",
        "┆ a fraud by amount                                  ┆ AUC 0.67 ",
        "invoice, 1: labelled `ocr_error_detected`, its content says `valid`: INV-2\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let json = json!(audit);
    assert_eq!(
        json["reconciliations"]["at_most"],
        json!({"count": 6, "of": 8})
    );
    assert_eq!(json["undecidable"][0]["set"], "invoice");
}

#[test]
fn copies_are_taken_last_and_matches_are_near_in_both() {
    // Days late, amount of the entry, expected to match.
    for (days, amount, matched) in [
        (3, 71.0, true),
        (3, 69.0, true),
        (4, 70.0, false),
        (0, 71.01, false),
    ] {
        let mut files = files();
        let one = &mut files[2]["reconciliations"][0];
        *one = statement("REC-0", days, 0.0, "perfect_match");
        one["ledger_entries"][0]["amount"] = json!(amount);
        let found = audit(&parse(&files).ok().unwrap()).reconciliations.matcher;
        assert_eq!(found.count == 8, matched, "{days} {amount}");
    }
    let mut files = files();
    let ledger = &mut files[2]["reconciliations"][2]["ledger_entries"];
    ledger.as_array_mut().unwrap().reverse();
    assert_eq!(
        audit(&parse(&files).ok().unwrap()).reconciliations.matcher,
        share(8, 8)
    );
}

/// Every place of a value, and what stands there.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    found.push(place.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                places(value, &format!("{place}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                places(value, &format!("{place}/{at}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn whatever_stands_anywhere_is_read_or_refused_at_its_place() {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("2024-99-99"),
        json!("ü".repeat(11)),
        json!([]),
        json!([[]]),
        json!({}),
    ];
    let (mut refused, mut read) = (0, 0);
    for file in 0..3 {
        let mut all = Vec::new();
        places(&files()[file], "", &mut all);
        for place in all {
            for value in &values {
                let mut files = files();
                *files[file].pointer_mut(&place).unwrap() = value.clone();
                match parse(&files) {
                    Ok(compat) => {
                        read += 1;
                        assert!(!audit(&compat).to_string().is_empty());
                        let suite = compat.suite();
                        assert!(suite.tasks.iter().all(|it| leaks(&it.input).is_empty()));
                    }
                    Err(CompatError::Shape {
                        file: name,
                        place: at,
                        ..
                    }) => {
                        refused += 1;
                        assert_eq!(name, FILES[file]);
                        // At the place, above it, or at what is missing in it.
                        assert!(
                            at.starts_with(&place) || place.starts_with(&at),
                            "{place} {at}"
                        );
                    }
                    Err(other) => panic!("{place}: {other:?}"),
                }
            }
        }
    }
    assert!(refused > 500 && read > 500, "{refused} {read}");
}

#[test]
fn a_mistake_is_told_with_file_and_place() {
    type Spoil = fn(&mut [Value; 3]);
    let table: [(Spoil, &str); 10] = [
        (
            |f| f[0] = json!({}),
            "`invoices_100.json`, at `/`: expected a list",
        ),
        (
            |f| f[0][1]["invoice_id"] = json!("INV-0"),
            "`invoices_100.json`, at `/1/invoice_id`: the id stands for another record already",
        ),
        (
            |f| f[0][2]["invoice_id"] = json!(" "),
            "`invoices_100.json`, at `/2/invoice_id`: expected an id",
        ),
        (
            |f| f[0][3]["vendor"] = json!("a\u{1b}[31m"),
            "`invoices_100.json`, at `/3/vendor`: the text has control characters",
        ),
        (
            |f| f[0][3]["vendor"] = json!("a".repeat(401)),
            "`invoices_100.json`, at `/3/vendor`: the text is too long",
        ),
        (
            |f| f[0] = Value::Array(vec![json!(1); 1_001]),
            "`invoices_100.json`, at `/`: the list is too long",
        ),
        (
            |f| f[1]["transactions"][4]["fraud_label"] = json!(1),
            "`transactions_100.json`, at `/transactions/4/fraud_label`: expected true or false",
        ),
        (
            |f| f[1] = json!([]),
            "`transactions_100.json`, at `/`: expected an object",
        ),
        (
            |f| f[2]["reconciliations"][0]["ledger_entries"][0]["amount"] = json!(1e13),
            "`reconciliation_100.json`, at `/reconciliations/0/ledger_entries/0/amount`: the amount is too large",
        ),
        (
            |f| f[2]["reconciliations"][0]["discrepancy_amount"] = json!(null),
            "`reconciliation_100.json`, at `/reconciliations/0/discrepancy_amount`: it is missing",
        ),
    ];
    for (spoil, expected) in table {
        let mut files = files();
        spoil(&mut files);
        let error = parse(&files).err().unwrap();
        assert_eq!(error.to_string(), expected);
    }
    let cut = Compat::parse(b"[{", b"", b"").err().unwrap();
    assert!(
        matches!(
            cut,
            CompatError::Json {
                file: "invoices_100.json",
                ..
            }
        ),
        "{cut:?}"
    );
    let deep = "[".repeat(100_000);
    let deep = Compat::parse(deep.as_bytes(), b"", b"").err().unwrap();
    assert_eq!(deep.to_string(), "`invoices_100.json` is no JSON");
}

#[test]
fn files_are_read_from_a_folder_when_they_are_regular_and_not_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || {
        Compat::read(folder.path())
            .err()
            .map(|error| error.to_string())
    };
    let path = |file: &str| -> PathBuf { folder.path().join(file) };
    assert_eq!(refused().unwrap(), "cannot read `invoices_100.json`");
    for (file, value) in FILES.into_iter().zip(files()) {
        std::fs::write(path(file), value.to_string()).unwrap();
    }
    assert_eq!(
        Compat::read(folder.path())
            .ok()
            .unwrap()
            .suite()
            .tasks
            .len(),
        20
    );
    std::fs::write(path(FILES[1]), " ".repeat(MOST_BYTES as usize + 1)).unwrap();
    assert_eq!(
        refused().unwrap(),
        "`transactions_100.json` is larger than 4194304 bytes"
    );
    std::fs::remove_file(path(FILES[2])).unwrap();
    std::fs::create_dir(path(FILES[2])).unwrap();
    std::fs::write(path(FILES[1]), payments().to_string()).unwrap();
    assert_eq!(refused().unwrap(), "cannot read `reconciliation_100.json`");
}
