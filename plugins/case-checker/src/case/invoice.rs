//! An invoice.

use hotcell_sdk::Finding;
use serde_json::{Map, Value, json};

use super::{contradiction, not_in_record, same};
use crate::Findings;

type Form = Map<String, Value>;

/// So many findings about lines are enough: whoever mends them looks at all again.
const LINES: usize = 8;

pub(super) fn check(stage: &str, record: &Form, answer: &Form) -> Findings {
    let copied = |names: &[&str]| copied(answer, record, names);
    match stage {
        "ingest" => [
            copied(&["invoice_id", "vendor", "amount", "date", "status"]),
            lines(answer, "line_items", &INGESTED, record),
            sum(answer, record),
        ]
        .concat(),
        "normalise" => [
            copied(&["invoice_id", "vendor", "date", "status"]),
            amount(answer, "amount_cents", record),
            lines(answer, "lines", &NORMALISED, record),
            sum(answer, record),
        ]
        .concat(),
        "extract" => [
            copied(&["invoice_id", "vendor", "date"]),
            amount(answer, "amount_cents", record),
            sum(answer, record),
            extracted(answer),
        ]
        .concat(),
        "enrich" => [
            copied(&["invoice_id"]),
            route_cents(answer, record),
            enriched(answer, record),
        ]
        .concat(),
        "check" => [route_cents(answer, record), checked(answer, record)].concat(),
        "decide" => [route_cents(answer, record), decided(answer, record)].concat(),
        "record" => decided(answer, record),
        _ => Vec::new(),
    }
}

/// A field that is there: not absent, null or blank.
fn there<'a>(form: &'a Form, name: &str) -> Option<&'a Value> {
    form.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    })
}

/// Findings about fields that are copied, null where the record has nothing.
fn copied(answer: &Form, record: &Form, names: &[&str]) -> Findings {
    let wrong = |name: &&&str| {
        let equal = match (there(answer, name), there(record, name)) {
            (Some(said), Some(of_record)) => same(said, of_record),
            (said, of_record) => said.is_none() && of_record.is_none(),
        };
        answer.contains_key(**name) && !equal
    };
    let finding = |name: &&str| strange(answer, name, there(record, name).cloned());
    names.iter().filter(wrong).map(finding).collect()
}

/// A field that is not what the record says, which is null where it says nothing.
fn strange(answer: &Form, name: &str, of_record: Option<Value>) -> Finding {
    let said = answer.get(name).unwrap_or(&Value::Null);
    not_in_record(&format!("/{name}"), said, &of_record.unwrap_or_default())
}

fn cents(money: &Value) -> Option<i64> {
    Some((money.as_f64()? * 100.0).round() as i64)
}

/// An amount in cents that is not the record's.
fn amount(answer: &Form, name: &str, record: &Form) -> Findings {
    let of_record = there(record, "amount").and_then(cents);
    let right = |said: &Value| match of_record {
        Some(cents) => said.as_i64() == Some(cents),
        None => said.is_null(),
    };
    match answer.get(name).is_none_or(right) {
        true => Vec::new(),
        false => vec![strange(answer, name, of_record.map(|cents| json!(cents)))],
    }
}

/// What the route goes by is the record's amount where it has one.
fn route_cents(answer: &Form, record: &Form) -> Findings {
    match there(record, "amount") {
        Some(_) => amount(answer, "route_cents", record),
        None => Vec::new(),
    }
}

/// A field of a line, as the stage and the record call it.
type Field = (&'static str, &'static str);

const INGESTED: [Field; 3] = [
    ("description", "description"),
    ("quantity", "quantity"),
    ("unit_price", "unit_price"),
];

const NORMALISED: [Field; 2] = [("quantity", "quantity"), ("price_cents", "unit_price")];

/// Lines that are not the record's.
fn lines(answer: &Form, name: &str, fields: &[Field], record: &Form) -> Findings {
    let Some(said) = answer.get(name).and_then(Value::as_array) else {
        return Vec::new();
    };
    let of_record = record.get("line_items").and_then(Value::as_array);
    let of_record = of_record.map(Vec::as_slice).unwrap_or_default();
    if said.len() != of_record.len() {
        let (said, of_record) = (json!(said.len()), json!(of_record.len()));
        let message = format!("it has {said} lines, and the record has {of_record}");
        return vec![Finding::new(format!("/{name}"), "not-in-record", message)];
    }
    let mut findings = Vec::new();
    for (number, (said, of_record)) in said.iter().zip(of_record).enumerate() {
        for (field, of_field) in fields {
            let (Some(said), Some(of_record)) = (said.get(*field), of_record.get(*of_field)) else {
                continue;
            };
            let of_record = match field.ends_with("_cents") {
                true => cents(of_record).map_or(Value::Null, |cents| json!(cents)),
                false => of_record.clone(),
            };
            if !same(said, &of_record) {
                let pointer = format!("/{name}/{number}/{field}");
                findings.push(not_in_record(&pointer, said, &of_record));
            }
        }
    }
    findings.truncate(LINES);
    findings
}

/// Where a document has a total or lines that come to one, that total, and its
/// amount, in cents.
fn totals(form: &Form) -> Option<(&'static str, i64, i64)> {
    let amount = match form.get("amount_cents") {
        Some(said) => said.as_i64()?,
        None => cents(there(form, "amount")?)?,
    };
    if let Some(total) = form.get("total_cents") {
        return Some(("/total_cents", total.as_i64()?, amount));
    }
    let (pointer, lines) = match form.get("lines") {
        Some(lines) => ("/lines", lines),
        None => ("/line_items", form.get("line_items")?),
    };
    let total = lines.as_array()?.iter().try_fold(0i64, |sum, line| {
        let price = match line.get("price_cents") {
            Some(price) => price.as_i64()?,
            None => cents(line.get("unit_price")?)?,
        };
        sum.checked_add(line.get("quantity")?.as_i64()?.checked_mul(price)?)
    })?;
    Some((pointer, total, amount))
}

/// An amount that the lines do not add up to, unless the record is such a one.
fn sum(answer: &Form, record: &Form) -> Findings {
    let differ = |form| totals(form).filter(|(_, total, amount)| total != amount);
    match (differ(answer), differ(record)) {
        (Some((pointer, total, amount)), None) => {
            let text = format!("the lines add up to {total} cents, and the amount is {amount}");
            vec![contradiction(pointer, &text)]
        }
        _ => Vec::new(),
    }
}

fn lists(form: &Form, name: &str) -> Option<Vec<String>> {
    let list = form.get(name)?.as_array()?.iter().filter_map(Value::as_str);
    Some(list.map(str::to_owned).collect())
}

/// Each rule that does not hold, as a contradiction.
fn broken<const N: usize>(rules: [(bool, &str, &str); N]) -> Findings {
    let broken = rules.into_iter().filter(|(holds, _, _)| !holds);
    broken
        .map(|(_, pointer, text)| contradiction(pointer, text))
        .collect()
}

fn extracted(answer: &Form) -> Findings {
    let Some(missing) = lists(answer, "missing") else {
        return Vec::new();
    };
    let lacks = |name: &str| missing.iter().any(|it| it == name);
    let null = |name: &str| there(answer, name).is_none();
    let said = |name: &str| answer.get(name).and_then(Value::as_i64);
    let amount = said("amount_cents").or(said("total_cents"));
    broken([
        (
            lacks("vendor") == null("vendor")
                && lacks("amount") == null("amount_cents")
                && lacks("date") == null("date"),
            "/missing",
            "a field is missing exactly when it is null",
        ),
        (
            amount.is_none() || said("route_cents") == amount,
            "/route_cents",
            "the route goes by the amount, or without one by the total",
        ),
    ])
}

/// Whether two names differ in the case of their letters at most.
fn same_name(one: Option<&str>, other: Option<&str>) -> bool {
    let lower = |name: Option<&str>| name.map(|name| name.trim().to_lowercase());
    lower(one) == lower(other)
}

fn vendor(record: &Form) -> Option<&str> {
    there(record, "vendor").and_then(Value::as_str)
}

fn enriched(answer: &Form, record: &Form) -> Findings {
    let lists = |name| lists(answer, name);
    let (missing, names, recorded) = (lists("missing"), lists("vendor_names"), lists("recorded"));
    let (Some(missing), Some(names), Some(recorded)) = (missing, names, recorded) else {
        return Vec::new();
    };
    let lacks = |name: &str| missing.iter().any(|it| it == name);
    let known = answer.get("vendor_known").and_then(Value::as_bool);
    let as_printed = match names.as_slice() {
        [name] => same_name(Some(name), vendor(record)),
        _ => false,
    };
    broken([
        (
            lacks("vendor") == known.is_none(),
            "/vendor_known",
            "it is null exactly when the vendor is missing",
        ),
        (
            known.is_some() || names.is_empty(),
            "/vendor_names",
            "without a vendor there are no names",
        ),
        (
            known != Some(true) || as_printed,
            "/vendor_names",
            "a known vendor has the one name that is printed, whatever the case of its letters",
        ),
        (
            recorded.is_empty() || !["vendor", "amount", "date"].iter().any(|it| lacks(it)),
            "/recorded",
            "nothing is recorded for an invoice without vendor, amount and date",
        ),
    ])
}

fn checked(answer: &Form, record: &Form) -> Findings {
    let Some(missing) = lists(answer, "missing") else {
        return Vec::new();
    };
    let lacks = |name: &str| missing.iter().any(|it| it == name);
    let holds = |name: &str| answer.get(name) == Some(&Value::Bool(true));
    let correct = answer.get("correct_vendor").and_then(Value::as_str);
    broken([
        (
            !lacks("vendor") || !holds("misread"),
            "/misread",
            "a vendor that is missing is not misread",
        ),
        (
            !lacks("vendor") || correct.is_none(),
            "/correct_vendor",
            "without a vendor there is no correct one",
        ),
        (
            lacks("vendor") || holds("misread") || same_name(correct, vendor(record)),
            "/correct_vendor",
            "a vendor that is not misread is called as printed, whatever the case of its letters",
        ),
        (
            !holds("duplicate") || !["vendor", "amount", "date"].iter().any(|it| lacks(it)),
            "/duplicate",
            "an invoice without vendor, amount and date is no duplicate",
        ),
    ])
}

/// A decision whose parts do not belong together.
fn decided(answer: &Form, record: &Form) -> Findings {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let (valid, correct) = (text("reason") == Some("valid"), text("correct_vendor"));
    let route = match answer.get("route_cents").and_then(Value::as_i64) {
        None => text("approval_route"),
        Some(..50_000) => Some("auto"),
        Some(50_000..=1_000_000) => Some("manager"),
        Some(_) => Some("finance"),
    };
    broken([
        (
            answer.get("is_valid") == Some(&Value::Bool(valid)),
            "/is_valid",
            "an invoice is valid exactly when the reason is `valid`",
        ),
        (
            text("approval_route") == route,
            "/approval_route",
            "the route is not that of the amount",
        ),
        (
            !valid || (correct.is_some() && same_name(correct, vendor(record))),
            "/correct_vendor",
            "the vendor of a valid invoice is called as printed, whatever the case of its letters",
        ),
    ])
}
