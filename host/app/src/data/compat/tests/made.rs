//! Small files of the course's shape, made by hand.

use serde_json::{Value, json};

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
pub(super) fn invoices() -> Value {
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
pub(super) fn payments() -> Value {
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

pub(super) fn statement(id: &str, days: u32, discrepancy: f64, status: &str) -> Value {
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
pub(super) fn statements() -> Value {
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
