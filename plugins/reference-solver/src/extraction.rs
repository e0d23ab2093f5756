//! The task `invoice-extraction`: copy the record, declare what is doubtful.

use serde_json::{Map, Value, json};

use crate::invoice::{amount, field, total};

const FIELDS: [&str; 5] = ["vendor", "amount", "date", "status", "line_items"];

/// The form for a record. `blocks` are the JSON values beside it, among which
/// findings are looked for.
pub(crate) fn solve(record: &Map<String, Value>, blocks: &[Value]) -> Value {
    let mut doubts: Vec<Value> = Vec::new();
    let mut form = Map::new();
    form.insert(
        "invoice_id".to_owned(),
        record.get("invoice_id").cloned().unwrap_or_default(),
    );
    for name in FIELDS {
        let value = field(record, name);
        if value.is_none() {
            doubts.push(json!({ "field": name, "code": "missing" }));
        }
        let copy = match (name, value) {
            ("line_items", lines) => lines.map_or_else(|| json!([]), lines_only),
            (_, value) => value.cloned().unwrap_or_default(),
        };
        form.insert(name.to_owned(), copy);
    }
    if amount(record)
        .zip(total(record))
        .is_some_and(|(amount, total)| amount != total)
    {
        doubts.push(json!({ "field": "amount", "code": "total-mismatch" }));
    }
    if field(record, "vendor").is_some() && blocks.iter().any(says_unknown_vendor) {
        doubts.push(json!({ "field": "vendor", "code": "unknown-vendor" }));
    }
    form.insert("doubts".to_owned(), Value::Array(doubts));
    Value::Object(form)
}

/// The lines with the form's fields and no others.
fn lines_only(lines: &Value) -> Value {
    let line = |line: &Value| {
        let copy = |name: &str| line.get(name).cloned().unwrap_or_default();
        json!({
            "description": copy("description"),
            "quantity": copy("quantity"),
            "unit_price": copy("unit_price"),
        })
    };
    Value::Array(lines.as_array().into_iter().flatten().map(line).collect())
}

/// A list of findings with one about an unknown vendor.
fn says_unknown_vendor(block: &Value) -> bool {
    let code =
        |finding: &Value| finding.get("code").and_then(Value::as_str) == Some("unknown-vendor");
    block
        .as_array()
        .is_some_and(|findings| findings.iter().any(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Value {
        json!({
            "invoice_id": "INV-2024-001",
            "vendor": "Acrne",
            "amount": 20.2,
            "date": "2024-03-05",
            "status": "paid",
            "line_items": [{ "description": "Ink", "quantity": 2, "unit_price": 10.1 }],
        })
    }

    fn solved(record: &Value, blocks: &[Value]) -> Value {
        solve(record.as_object().unwrap(), blocks)
    }

    #[test]
    fn a_whole_record_is_copied_without_doubts() {
        let mut expected = record();
        expected["doubts"] = json!([]);
        let mut extra = record();
        extra["note"] = json!("urgent");
        extra["line_items"][0]["sku"] = json!("I-1");
        assert_eq!(solved(&extra, &[extra.clone()]), expected);
    }

    #[test]
    fn an_absent_field_is_null_and_declared() {
        for name in FIELDS {
            let mut record = record();
            record.as_object_mut().unwrap().remove(name);
            let form = solved(&record, &[]);
            let empty = if name == "line_items" {
                json!([])
            } else {
                json!(null)
            };
            assert_eq!(form[name], empty);
            assert_eq!(
                form["doubts"],
                json!([{ "field": name, "code": "missing" }])
            );
        }
    }

    #[test]
    fn lines_that_do_not_add_up_are_declared() {
        let mut record = record();
        record["amount"] = json!(20.21);
        let form = solved(&record, &[]);
        assert_eq!(form["amount"], json!(20.21));
        assert_eq!(
            form["doubts"],
            json!([{ "field": "amount", "code": "total-mismatch" }])
        );
    }

    #[test]
    fn a_vendor_is_unknown_when_a_finding_says_so_and_keeps_its_name() {
        let finding = |code: &str| json!([{ "pointer": "/vendor", "code": code, "message": "…" }]);
        let form = solved(&record(), &[record(), finding("unknown-vendor")]);
        assert_eq!(form["vendor"], json!("Acrne"));
        assert_eq!(
            form["doubts"],
            json!([{ "field": "vendor", "code": "unknown-vendor" }])
        );
        assert_eq!(
            solved(&record(), &[finding("missing")])["doubts"],
            json!([])
        );
    }
}
