//! What can be judged by looking: the record on one side, the extraction on the
//! other. Pure; the one question for somebody else, whether the vendor is
//! known, is left to the caller.

use hotcell_sdk::{Finding, Verdict};
use serde_json::{Map, Value};

use crate::form::{is_date, is_invoice_id};

/// The fields that a document has and may lack.
const FIELDS: [&str; 4] = ["vendor", "amount", "date", "status"];

const STATUSES: [&str; 3] = ["pending", "approved", "paid"];

type Object = Map<String, Value>;

/// What looking comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// No repair can help.
    Hopeless(Verdict),
    /// Findings so far, and the vendor's name where somebody still has to say
    /// whether it is known.
    Found(Vec<Finding>, Option<String>),
}

/// Compares an extraction with the record it was made from.
pub(crate) fn look(record: &Object, extraction: &Value) -> Looked {
    let hopeless = |pointer, code, message: String| {
        Looked::Hopeless(Verdict::Reject(vec![Finding::new(pointer, code, message)]))
    };
    let Some(extraction) = extraction.as_object() else {
        return hopeless(
            "",
            "bad-shape",
            "the extraction is no JSON object".to_owned(),
        );
    };
    let id = extraction
        .get("invoice_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if id.is_empty() {
        return hopeless("/invoice_id", "bad-id", "there is no invoice id".to_owned());
    }
    match record.get("invoice_id").and_then(Value::as_str) {
        Some(own) if own != id => {
            let message = format!("`{id}` is another document's id; this is `{own}`");
            return hopeless("/invoice_id", "bad-id", message);
        }
        _ => {}
    }
    let mut found = Findings::default();
    if !is_invoice_id(id) {
        found.add(
            "/invoice_id",
            "bad-id",
            format!("`{id}` is not like `INV-2024-001`"),
        );
    }
    let doubts = doubts(extraction, &mut found);
    for field in FIELDS {
        check_presence(field, record, extraction, &doubts, &mut found);
        check_form(field, extraction, &mut found);
        check_print(field, record, extraction, &mut found);
    }
    check_presence("line_items", record, extraction, &doubts, &mut found);
    check_total(extraction, &doubts, &mut found);
    let vendor = extraction
        .get("vendor")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    let open = vendor.filter(|_| !doubts.contains(&("vendor", "unknown-vendor")));
    Looked::Found(found.list, open.map(str::to_owned))
}

#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        self.list.push(Finding::new(pointer, code, message));
    }
}

/// The declared doubts as pairs of field and code; the misshapen ones are found.
fn doubts<'a>(extraction: &'a Object, found: &mut Findings) -> Vec<(&'a str, &'a str)> {
    let list = match extraction.get("doubts") {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            found.add("/doubts", "bad-shape", "`doubts` is no list");
            return Vec::new();
        }
    };
    let mut pairs = Vec::new();
    for (at, doubt) in list.iter().enumerate() {
        let word = |key: &str| doubt.get(key).and_then(Value::as_str);
        match (word("field"), word("code")) {
            (Some(field), Some("missing")) if field == "line_items" || FIELDS.contains(&field) => {
                pairs.push((field, "missing"));
            }
            (Some("vendor"), Some("unknown-vendor")) => pairs.push(("vendor", "unknown-vendor")),
            (Some("amount"), Some("total-mismatch")) => pairs.push(("amount", "total-mismatch")),
            _ => found.add(
                format!("/doubts/{at}"),
                "bad-shape",
                format!(
                    "{} is no doubt: it has no `field` and `code` that fit",
                    shown(doubt)
                ),
            ),
        }
    }
    pairs
}

/// A field is there, or it is declared missing and really is.
fn check_presence(
    field: &str,
    record: &Object,
    extraction: &Object,
    doubts: &[(&str, &str)],
    found: &mut Findings,
) {
    let given = has(extraction, field);
    let printed = has(record, field);
    let declared = doubts.contains(&(field, "missing"));
    let pointer = format!("/{field}");
    match (given, printed, declared) {
        (true, true, false) | (false, false, true) => {}
        (_, true, true) => {
            found.add(pointer, "not-missing", format!("`{field}` is on the document: copy it and take the doubt away"));
        }
        (false, true, false) => {
            found.add(pointer, "missing", format!("`{field}` is on the document and is not copied"));
        }
        (false, false, false) => found.add(
            pointer,
            "missing",
            format!("`{field}` is not on the document: declare the doubt `missing` for it"),
        ),
        (true, false, _) => found.add(
            pointer,
            "missing",
            format!("`{field}` is not on the document: leave it empty and declare the doubt `missing` for it"),
        ),
    }
}

/// A field that is there has the right type and form.
fn check_form(field: &str, extraction: &Object, found: &mut Findings) {
    if !has(extraction, field) {
        return;
    }
    let value = extraction.get(field).unwrap_or(&Value::Null);
    let pointer = format!("/{field}");
    match (field, value) {
        ("amount", Value::Number(_)) | ("vendor", Value::String(_)) => {}
        ("amount", other) => found.add(
            pointer,
            "bad-shape",
            format!("{} is no number", shown(other)),
        ),
        ("date", Value::String(date)) if is_date(date) => {}
        ("date", other) => {
            found.add(
                pointer,
                "bad-date",
                format!("{} is no date of the form YYYY-MM-DD", shown(other)),
            );
        }
        ("status", Value::String(status)) if STATUSES.contains(&status.as_str()) => {}
        ("status", other) => {
            found.add(
                pointer,
                "bad-shape",
                format!("{} is not pending, approved or paid", shown(other)),
            );
        }
        (_, other) => found.add(pointer, "bad-shape", format!("{} is no text", shown(other))),
    }
}

/// A value is the record's. Only where the record has the form's own spelling:
/// whether `3 March` became the right date is beyond looking.
fn check_print(field: &str, record: &Object, extraction: &Object, found: &mut Findings) {
    if !has(record, field) || !has(extraction, field) {
        return;
    }
    let (Some(printed), Some(given)) = (record.get(field), extraction.get(field)) else {
        return;
    };
    let same = match (field, printed, given) {
        ("amount", Value::Number(_), Value::Number(_)) => cents(printed) == cents(given),
        ("vendor", Value::String(printed), Value::String(given)) => printed.trim() == given.trim(),
        ("date", Value::String(printed), given) if is_date(printed) => given == printed,
        ("status", Value::String(printed), given) if STATUSES.contains(&printed.as_str()) => {
            given == printed
        }
        _ => true,
    };
    if !same {
        let message = format!(
            "the document says {}: copy it letter by letter",
            shown(printed)
        );
        found.add(format!("/{field}"), "not-as-printed", message);
    }
}

/// The line items add up to the amount, or the doubt is declared.
fn check_total(extraction: &Object, doubts: &[(&str, &str)], found: &mut Findings) {
    let Some(sum) = sum_of_lines(extraction, found) else {
        return;
    };
    let Some(amount) = extraction.get("amount").and_then(cents) else {
        return;
    };
    if sum == amount || doubts.contains(&("amount", "total-mismatch")) {
        return;
    }
    let message = format!(
        "the line items add up to {} and the amount is {}: keep both as printed and declare the doubt `total-mismatch` for `amount`",
        decimal(sum),
        decimal(amount)
    );
    found.add("/amount", "total-mismatch", message);
}

/// Cents of all lines together; none when there are none or when one of them
/// cannot be read, which is found.
fn sum_of_lines(extraction: &Object, found: &mut Findings) -> Option<i64> {
    let lines = match extraction.get("line_items") {
        None | Some(Value::Null) => return None,
        Some(Value::Array(lines)) => lines,
        Some(_) => {
            found.add("/line_items", "bad-shape", "`line_items` is no list");
            return None;
        }
    };
    let mut sum = (!lines.is_empty()).then_some(0i64);
    for (at, line) in lines.iter().enumerate() {
        let mut bad = |key: &str, should: &str| {
            let pointer = format!("/line_items/{at}/{key}");
            found.add(pointer, "bad-shape", format!("`{key}` is not {should}"));
        };
        if !line.get("description").is_some_and(Value::is_string) {
            bad("description", "a text");
        }
        let quantity = line
            .get("quantity")
            .and_then(Value::as_i64)
            .filter(|n| *n >= 1);
        if quantity.is_none() {
            bad("quantity", "a whole number from 1");
        }
        let price = line.get("unit_price").and_then(cents);
        if price.is_none() {
            bad("unit_price", "a number");
        }
        let cost = quantity
            .zip(price)
            .and_then(|(quantity, price)| quantity.checked_mul(price));
        sum = sum.zip(cost).and_then(|(sum, cost)| sum.checked_add(cost));
    }
    sum
}

/// There and not null, blank or an empty list.
fn has(object: &Object, field: &str) -> bool {
    match object.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    }
}

/// A JSON number in cents, rounded; none beyond what a float keeps exactly.
fn cents(number: &Value) -> Option<i64> {
    let cents = (number.as_f64()? * 100.0).round();
    (cents.abs() < 9e15).then_some(cents as i64)
}

/// A value as JSON, cut where it would fill a message.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:02}",
        cents.unsigned_abs() / 100,
        cents.unsigned_abs() % 100
    )
}

#[cfg(test)]
mod tests;
