//! An invoice, by the rules that the examples publish.

use serde_json::{Map, Value, json};

use super::{Answers, Case, Form, Solved, Step, flag, given, text, whole};
use crate::decision::{rank, route};

pub(super) const CASE: Case = Case {
    name: "invoice",
    stage,
    plan,
    aspect,
};

const FIND_VENDOR: &str = "vendor.find";

const FIND_INVOICE: &str = "invoice.find";

/// A tool and what it is asked.
type Wish = (&'static str, Value);

fn stage(stage: usize, from: &Form, answers: &Answers) -> Solved<Step> {
    Ok(Step::Done(match stage {
        0 => ingest(from)?,
        1 => normalise(from)?,
        2 => extract(from)?,
        3 => return enrich(from, answers),
        4 => check(from)?,
        5 => decide(from)?,
        _ => record(from)?,
    }))
}

fn ingest(invoice: &Form) -> Solved<Value> {
    let mut fields = Map::new();
    fields.insert("invoice_id".to_owned(), text(invoice, "invoice_id")?.into());
    for name in ["vendor", "amount", "date", "status"] {
        // What the record does not have is null from here on.
        let value = invoice.get(name).cloned().unwrap_or_default();
        let fits = match name {
            "amount" => value.is_number(),
            _ => value.is_string(),
        };
        if !fits && !value.is_null() {
            return Err(name);
        }
        fields.insert(name.to_owned(), value);
    }
    let lines = match invoice.get("line_items") {
        None | Some(Value::Null) => Vec::new(),
        Some(lines) => items(lines)?,
    };
    fields.insert("line_items".to_owned(), Value::Array(lines));
    Ok(Value::Object(fields))
}

/// Line items with the form's fields and no others.
fn items(lines: &Value) -> Solved<Vec<Value>> {
    let lines = lines.as_array().ok_or("line_items")?;
    let item = |line: &Value| {
        let field = |name: &str| line.get(name).cloned().ok_or("line_items");
        Ok(json!({
            "description": field("description")?,
            "quantity": field("quantity")?,
            "unit_price": field("unit_price")?,
        }))
    };
    lines.iter().map(item).collect()
}

fn normalise(ingested: &Form) -> Solved<Value> {
    let amount = ingested.get("amount").ok_or("amount")?;
    let amount = match amount {
        Value::Null => None,
        amount => Some(in_cents(amount).ok_or("amount")?),
    };
    let lines = ingested.get("line_items").and_then(Value::as_array);
    let line = |line: &Value| {
        let line = line.as_object().ok_or("line_items")?;
        let price = line.get("unit_price").and_then(in_cents);
        Ok(json!({
            "quantity": whole(line, "quantity")?,
            "price_cents": price.ok_or("unit_price")?,
        }))
    };
    let lines = lines.ok_or("line_items")?.iter().map(line);
    Ok(json!({
        "invoice_id": text(ingested, "invoice_id")?,
        "vendor": printed(ingested, "vendor")?,
        "amount_cents": amount,
        "date": printed(ingested, "date")?,
        "status": printed(ingested, "status")?,
        "lines": lines.collect::<Solved<Vec<Value>>>()?,
    }))
}

/// Money in cents. Beyond all measure it stays the largest: a stage has to answer
/// something.
fn in_cents(money: &Value) -> Option<i64> {
    Some((money.as_f64()? * 100.0).round() as i64)
}

/// A text that may be null; blank is as good as null.
fn printed<'a>(form: &'a Form, name: &'static str) -> Solved<Option<&'a str>> {
    match form.get(name) {
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|it| !it.trim().is_empty())),
        Some(Value::Null) => Ok(None),
        _ => Err(name),
    }
}

/// A whole number that may be null.
fn counted(form: &Form, name: &'static str) -> Solved<Option<i64>> {
    match form.get(name) {
        Some(Value::Null) => Ok(None),
        _ => whole(form, name).map(Some),
    }
}

fn extract(normalised: &Form) -> Solved<Value> {
    let fields = fields(normalised)?;
    Ok(json!({
        "invoice_id": text(normalised, "invoice_id")?,
        "vendor": printed(normalised, "vendor")?,
        "amount_cents": counted(normalised, "amount_cents")?,
        "date": printed(normalised, "date")?,
        "missing": fields.missing,
        "total_cents": fields.total,
        "route_cents": fields.route,
    }))
}

/// What the invoice's own fields come to.
struct Fields {
    missing: Vec<&'static str>,
    /// What the lines add up to.
    total: i64,
    /// What the route goes by.
    route: i64,
}

fn fields(normalised: &Form) -> Solved<Fields> {
    let amount = counted(normalised, "amount_cents")?;
    let there = [
        ("vendor", printed(normalised, "vendor")?.is_some()),
        ("amount", amount.is_some()),
        ("date", printed(normalised, "date")?.is_some()),
        ("status", printed(normalised, "status")?.is_some()),
    ];
    let missing = there.into_iter().filter(|(_, there)| !there);
    let lines = normalised.get("lines").and_then(Value::as_array);
    let mut total = 0i64;
    for line in lines.ok_or("lines")? {
        let line = line.as_object().ok_or("lines")?;
        let price = whole(line, "price_cents")?;
        total = total.saturating_add(whole(line, "quantity")?.saturating_mul(price));
    }
    Ok(Fields {
        missing: missing.map(|(name, _)| name).collect(),
        total,
        route: amount.unwrap_or(total),
    })
}

fn enrich(extract: &Form, answers: &Answers) -> Solved<Step> {
    let open = [vendor_wish(extract)?, invoice_wish(extract)?];
    let open: Vec<Wish> = open.into_iter().flatten().collect();
    asked(open, answers, || {
        let vendor = vendor(extract, answers)?;
        Ok(json!({
            "invoice_id": text(extract, "invoice_id")?,
            "missing": missing(extract)?,
            "route_cents": whole(extract, "route_cents")?,
            "vendor_known": vendor.known,
            "vendor_names": vendor.names,
            "recorded": recorded(extract, answers)?,
        }))
    })
}

/// What follows once every tool has answered; until then, the open wishes.
fn asked(
    mut wishes: Vec<Wish>,
    answers: &Answers,
    then: impl FnOnce() -> Solved<Value>,
) -> Solved<Step> {
    wishes.retain(|(tool, _)| !answers.contains_key(*tool));
    match wishes.is_empty() {
        true => then().map(Step::Done),
        false => Ok(Step::Ask(wishes)),
    }
}

fn vendor_wish(form: &Form) -> Solved<Option<Wish>> {
    let vendor = printed(form, "vendor")?;
    Ok(vendor.map(|name| (FIND_VENDOR, json!({ "name": name }))))
}

fn invoice_wish(form: &Form) -> Solved<Option<Wish>> {
    let like = (
        printed(form, "vendor")?,
        counted(form, "amount_cents")?,
        printed(form, "date")?,
    );
    Ok(match like {
        (Some(vendor), Some(cents), Some(date)) => {
            let amount = cents as f64 / 100.0;
            let like = json!({ "vendor": vendor, "amount": amount, "date": date });
            Some((FIND_INVOICE, like))
        }
        _ => None,
    })
}

/// What the ledger says of a vendor.
struct Vendor {
    /// None if there was nobody to ask about.
    known: Option<bool>,
    /// As the ledger spells it, or the nearest names.
    names: Vec<String>,
}

fn vendor(form: &Form, answers: &Answers) -> Solved<Vendor> {
    if vendor_wish(form)?.is_none() {
        let (known, names) = (None, Vec::new());
        return Ok(Vendor { known, names });
    }
    // Of an answer that is none, such as an error, nothing is known.
    let answer = answers.get(FIND_VENDOR);
    let field = |name: &str| answer.and_then(|answer| answer.get(name));
    let known = field("known") == Some(&Value::Bool(true));
    let names: Vec<&Value> = match known {
        true => field("name").into_iter().collect(),
        false => {
            let nearest = field("nearest").and_then(Value::as_array);
            let nearest = nearest.into_iter().flatten();
            nearest.filter_map(|near| near.get("name")).collect()
        }
    };
    let names = names.into_iter().filter_map(Value::as_str);
    Ok(Vendor {
        known: Some(known),
        names: names.map(str::to_owned).collect(),
    })
}

/// The ids of recorded invoices with the same vendor, amount and date.
fn recorded(form: &Form, answers: &Answers) -> Solved<Vec<String>> {
    if invoice_wish(form)?.is_none() {
        return Ok(Vec::new());
    }
    let answer = answers.get(FIND_INVOICE);
    let ids = answer.and_then(|answer| answer.get("invoices")?.as_array());
    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
    Ok(ids.map(str::to_owned).collect())
}

/// The missing fields, as a form lists them.
fn missing(form: &Form) -> Solved<&Vec<Value>> {
    let missing = form.get("missing").and_then(Value::as_array);
    missing.ok_or("missing")
}

fn check(enriched: &Form) -> Solved<Value> {
    let known = match enriched.get("vendor_known") {
        Some(Value::Null) => None,
        _ => Some(flag(enriched, "vendor_known")?),
    };
    let list = |name| enriched.get(name).and_then(Value::as_array).ok_or(name);
    let ids = list("recorded")?.iter().filter_map(Value::as_str);
    Ok(json!({
        "missing": missing(enriched)?,
        "route_cents": whole(enriched, "route_cents")?,
        "misread": known == Some(false),
        "correct_vendor": list("vendor_names")?.first(),
        "duplicate": repeats(text(enriched, "invoice_id")?, ids),
    }))
}

/// Whether one of the ids is lower than its own.
fn repeats<'a>(own: &str, mut ids: impl Iterator<Item = &'a str>) -> bool {
    ids.any(|id| rank(id) < rank(own))
}

/// Of what a specialist should have said and did not, nothing holds.
fn decide(checked: &Form) -> Solved<Value> {
    if checked.is_empty() {
        return Err("missing");
    }
    let holds = |name: &str| checked.get(name) == Some(&Value::Bool(true));
    let missing = checked.get("missing").and_then(Value::as_array);
    let missing = missing.and_then(|missing| missing.first()?.as_str());
    let (reason, because) = match missing {
        _ if holds("duplicate") => (
            "duplicate_invoice",
            "an earlier invoice is alike".to_owned(),
        ),
        Some(field) => ("missing_required_fields", format!("it has no {field}")),
        None if holds("misread") => ("ocr_error_detected", "its vendor is not known".to_owned()),
        None => ("valid", "nothing is wrong with it".to_owned()),
    };
    let cents = match checked.get("route_cents") {
        None => None,
        Some(_) => counted(checked, "route_cents")?,
    };
    Ok(json!({
        "because": because,
        "route_cents": cents,
        "is_valid": reason == "valid",
        "reason": reason,
        "correct_vendor": checked.get("correct_vendor"),
        // Without an amount somebody has to look.
        "approval_route": cents.map_or("finance", route),
    }))
}

fn record(decided: &Form) -> Solved<Value> {
    let field = |name: &'static str| decided.get(name).ok_or(name);
    Ok(json!({
        "is_valid": field("is_valid")?,
        "reason": field("reason")?,
        "correct_vendor": field("correct_vendor")?,
        "approval_route": field("approval_route")?,
    }))
}

/// What each specialist needs.
const GIVEN: [(&str, &[&str]); 3] = [
    (
        "fields",
        &["vendor", "amount_cents", "date", "status", "lines"],
    ),
    ("vendor", &["vendor"]),
    (
        "duplicate",
        &["invoice_id", "vendor", "amount_cents", "date"],
    ),
];

fn plan(normalised: &Form) -> Solved<Value> {
    given(normalised, &GIVEN)
}

fn aspect(name: &str, given: &Form, answers: &Answers) -> Option<Solved<Step>> {
    Some(match name {
        "fields" => fields(given).map(|fields| {
            Step::Done(json!({ "missing": fields.missing, "route_cents": fields.route }))
        }),
        "vendor" => known(given, answers),
        "duplicate" => duplicate(given, answers),
        _ => return None,
    })
}

fn known(given: &Form, answers: &Answers) -> Solved<Step> {
    asked(Vec::from_iter(vendor_wish(given)?), answers, || {
        let vendor = vendor(given, answers)?;
        Ok(json!({
            "misread": vendor.known == Some(false),
            "correct_vendor": vendor.names.first(),
        }))
    })
}

fn duplicate(given: &Form, answers: &Answers) -> Solved<Step> {
    asked(Vec::from_iter(invoice_wish(given)?), answers, || {
        let ids = recorded(given, answers)?;
        let ids = ids.iter().map(String::as_str);
        Ok(json!({ "duplicate": repeats(text(given, "invoice_id")?, ids) }))
    })
}
