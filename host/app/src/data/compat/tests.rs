use std::path::PathBuf;

use serde_json::json;

use super::audit::{Share, Undecidable, audit};
use super::*;
use crate::data::leak::leaks;
use crate::score::answer::right;

mod made;

use made::{invoices, payments, statement, statements};

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

#[test]
fn what_is_left_over_decides_the_status_however_little_it_is() {
    let rule = |change: fn(&mut [Value])| {
        let mut files = files();
        change(files[2]["reconciliations"].as_array_mut().unwrap());
        audit(&parse(&files).ok().unwrap()).reconciliations.rule
    };
    // REC-3 needs a person for any transaction without an entry.
    let little = |records: &mut [Value]| records[3]["bank_transactions"][1]["amount"] = json!(0.4);
    assert_eq!(rule(little), share(5, 8));
    // REC-2 has a copy by its name, whatever its day, and one by its content.
    let other_day = |records: &mut [Value]| {
        records[2]["ledger_entries"][1]["posting_date"] = json!("2024-06-01")
    };
    assert_eq!(rule(other_day), share(5, 8));
    let other_name =
        |records: &mut [Value]| records[2]["ledger_entries"][1]["entry_id"] = json!("L2");
    assert_eq!(rule(other_name), share(5, 8));
    let neither = |records: &mut [Value]| {
        records[2]["ledger_entries"][1] =
            json!({"entry_id": "L2", "posting_date": "2024-06-01", "amount": 70});
    };
    assert_eq!(rule(neither), share(4, 8));
}

#[test]
fn of_equally_frequent_statuses_the_first_by_name_is_the_likely_one() {
    let mut files = files();
    files[2]["reconciliations"][5]["reconciliation_status"] = json!("resolvable_with_logic");
    let audit = audit(&parse(&files).ok().unwrap());
    assert_eq!(audit.reconciliations.at_most, share(5, 8));
    let undecidable: Vec<&str> = audit
        .undecidable
        .iter()
        .filter(|it| it.set == Set::Reconciliation)
        .flat_map(|it| it.ids.iter().map(String::as_str))
        .collect();
    assert_eq!(undecidable, ["REC-0", "REC-1", "REC-5"]);
}

#[test]
fn a_clean_vendor_is_no_misreading_of_another_one() {
    let mut files = files();
    files[0][0]["vendor"] = json!("Bolt & Ca");
    let audit = audit(&parse(&files).ok().unwrap());
    assert_eq!(audit.invoices.visible_rule, share(5, 7));
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
