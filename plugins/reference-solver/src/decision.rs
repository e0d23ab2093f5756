//! The task `invoice-decision`: look the vendor and the duplicates up, then
//! decide by rule.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::invoice::{amount, field, text, total};

/// In cents: below it nobody needs to look.
const MANAGER_FROM: i64 = 50_000;

/// In cents: up to it a manager may decide.
const MANAGER_UP_TO: i64 = 1_000_000;

const REQUIRED: [&str; 4] = ["vendor", "amount", "date", "status"];

/// What to answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// These tools first: names and arguments.
    Ask(Vec<(&'static str, Value)>),
    /// The decision.
    Decide(Value),
}

#[derive(Deserialize)]
struct Vendor {
    known: bool,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    nearest: Vec<Near>,
}

#[derive(Deserialize)]
struct Near {
    name: String,
}

#[derive(Deserialize)]
struct Recorded {
    invoices: Vec<String>,
}

/// The next step for an extraction, given what tools have answered so far. The
/// error names a tool whose answer is no use.
pub(crate) fn solve(
    extraction: &Map<String, Value>,
    answers: &BTreeMap<String, Value>,
) -> Result<Step, &'static str> {
    let mut ask = Vec::new();
    let mut answer = |name: &'static str, arguments: Value| match answers.get(name) {
        Some(answer) => Some(answer.clone()),
        None => {
            ask.push((name, arguments));
            None
        }
    };
    let vendor = text(extraction, "vendor");
    let find_vendor = vendor.and_then(|name| answer("vendor.find", json!({ "name": name })));
    let like = vendor.zip(amount(extraction)).zip(text(extraction, "date"));
    let find_invoice = like.and_then(|((vendor, _), date)| {
        let amount = field(extraction, "amount");
        answer(
            "invoice.find",
            json!({ "vendor": vendor, "amount": amount, "date": date }),
        )
    });
    if !ask.is_empty() {
        return Ok(Step::Ask(ask));
    }
    let vendor: Option<Vendor> = read(find_vendor).map_err(|()| "vendor.find")?;
    let recorded: Option<Recorded> = read(find_invoice).map_err(|()| "invoice.find")?;
    Ok(Step::Decide(decide(extraction, vendor, recorded)))
}

fn read<T: for<'de> Deserialize<'de>>(answer: Option<Value>) -> Result<Option<T>, ()> {
    answer
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| ())
}

fn decide(
    extraction: &Map<String, Value>,
    vendor: Option<Vendor>,
    recorded: Option<Recorded>,
) -> Value {
    let own = text(extraction, "invoice_id").unwrap_or_default();
    let earlier = |id: &String| rank(id) < rank(own);
    let reason = if recorded.is_some_and(|found| found.invoices.iter().any(earlier)) {
        "duplicate_invoice"
    } else if REQUIRED
        .iter()
        .any(|name| field(extraction, name).is_none())
    {
        "missing_required_fields"
    } else if vendor.as_ref().is_some_and(|vendor| !vendor.known) {
        "ocr_error_detected"
    } else {
        "valid"
    };
    let correct = vendor.and_then(|vendor| {
        if vendor.known {
            vendor.name
        } else {
            vendor.nearest.into_iter().next().map(|n| n.name)
        }
    });
    json!({
        "is_valid": reason == "valid",
        "reason": reason,
        "correct_vendor": correct,
        "approval_route": route(amount(extraction).or_else(|| total(extraction)).unwrap_or(0)),
    })
}

/// Who has to approve so many cents.
pub(crate) fn route(cents: i64) -> &'static str {
    match cents {
        ..MANAGER_FROM => "auto",
        MANAGER_FROM..=MANAGER_UP_TO => "manager",
        _ => "finance",
    }
}

/// Ids in the order they were given out: by year, then by number. An id of
/// another form comes after all of them, by its text.
pub(crate) fn rank(id: &str) -> (u64, u64, &str) {
    let parts = id
        .strip_prefix("INV-")
        .and_then(|rest| rest.split_once('-'));
    let numbers = parts.and_then(|(year, number)| Some((year.parse().ok()?, number.parse().ok()?)));
    let (year, number) = numbers.unwrap_or((u64::MAX, u64::MAX));
    (year, number, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extraction() -> Value {
        json!({
            "invoice_id": "INV-2024-010",
            "vendor": "Acme",
            "amount": 499.99,
            "date": "2024-03-05",
            "status": "paid",
            "line_items": [{ "description": "Ink", "quantity": 2, "unit_price": 6000.0 }],
            "doubts": [],
        })
    }

    fn without(name: &str) -> Value {
        let mut extraction = extraction();
        extraction[name] = json!(null);
        extraction
    }

    fn known() -> Value {
        json!({ "known": true, "name": "ACME Inc", "nearest": [] })
    }

    fn unknown() -> Value {
        let nearest = json!([{ "name": "Acne", "distance": 1 }, { "name": "Acre", "distance": 2 }]);
        json!({ "known": false, "nearest": nearest })
    }

    fn step(extraction: &Value, answers: &[(&str, Value)]) -> Result<Step, &'static str> {
        let answers = answers
            .iter()
            .map(|(name, answer)| ((*name).to_owned(), answer.clone()));
        solve(extraction.as_object().unwrap(), &answers.collect())
    }

    fn decided(extraction: &Value, vendor: Value, invoices: &[&str]) -> Value {
        let answers = [
            ("vendor.find", vendor),
            ("invoice.find", json!({ "invoices": invoices })),
        ];
        match step(extraction, &answers) {
            Ok(Step::Decide(decision)) => decision,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_asks_what_the_invoice_allows_and_has_not_been_answered() {
        let find_vendor = ("vendor.find", json!({ "name": "Acme" }));
        let like = json!({ "vendor": "Acme", "amount": 499.99, "date": "2024-03-05" });
        let find_invoice = ("invoice.find", like);
        let both = Step::Ask(vec![find_vendor.clone(), find_invoice.clone()]);
        assert_eq!(step(&extraction(), &[]), Ok(both));
        let answered = step(&extraction(), &[("vendor.find", known())]);
        assert_eq!(answered, Ok(Step::Ask(vec![find_invoice])));
        for name in ["amount", "date"] {
            assert_eq!(
                step(&without(name), &[]),
                Ok(Step::Ask(vec![find_vendor.clone()]))
            );
        }
        assert!(matches!(step(&without("vendor"), &[]), Ok(Step::Decide(_))));
    }

    #[test]
    fn the_first_reason_that_holds_counts() {
        let own = ["INV-2024-010"];
        let older = ["INV-2024-009", "INV-2024-010"];
        let younger = ["INV-2024-010", "INV-2024-011"];
        for (extraction, vendor, invoices, reason) in [
            (extraction(), known(), &own[..], "valid"),
            (extraction(), known(), &younger[..], "valid"),
            (extraction(), known(), &[][..], "valid"),
            (extraction(), known(), &older[..], "duplicate_invoice"),
            (extraction(), unknown(), &own[..], "ocr_error_detected"),
            (extraction(), unknown(), &older[..], "duplicate_invoice"),
            (
                without("status"),
                known(),
                &own[..],
                "missing_required_fields",
            ),
            (
                without("status"),
                unknown(),
                &own[..],
                "missing_required_fields",
            ),
            (
                without("status"),
                unknown(),
                &older[..],
                "duplicate_invoice",
            ),
            (
                without("date"),
                known(),
                &older[..],
                "missing_required_fields",
            ),
            (
                without("vendor"),
                known(),
                &older[..],
                "missing_required_fields",
            ),
        ] {
            let decision = decided(&extraction, vendor, invoices);
            assert_eq!(
                decision["reason"],
                json!(reason),
                "{extraction} {invoices:?}"
            );
            assert_eq!(decision["is_valid"], json!(reason == "valid"));
        }
    }

    #[test]
    fn earlier_means_a_lower_number_and_not_an_earlier_text() {
        let mut late = extraction();
        late["invoice_id"] = json!("INV-2024-1000");
        let decision = decided(&late, known(), &["INV-2024-1000", "INV-2024-999"]);
        assert_eq!(decision["reason"], json!("duplicate_invoice"));
    }

    #[test]
    fn the_vendor_is_spelled_as_the_ledger_does_or_else_as_its_nearest_name() {
        let correct = |extraction: &Value, vendor: Value| {
            decided(extraction, vendor, &[])["correct_vendor"].clone()
        };
        assert_eq!(correct(&extraction(), known()), json!("ACME Inc"));
        assert_eq!(correct(&extraction(), unknown()), json!("Acne"));
        let nobody = json!({ "known": false, "nearest": [] });
        assert_eq!(correct(&extraction(), nobody), json!(null));
        assert_eq!(correct(&without("vendor"), known()), json!(null));
    }

    #[test]
    fn the_route_goes_by_the_amount_and_without_one_by_the_lines() {
        for (amount, route) in [
            (json!(0), "auto"),
            (json!(499.99), "auto"),
            (json!(500), "manager"),
            (json!(10000.0), "manager"),
            (json!(10000.01), "finance"),
            (json!(null), "finance"),
        ] {
            let mut extraction = extraction();
            extraction["amount"] = amount.clone();
            let decision = decided(&extraction, known(), &["INV-2024-001"]);
            assert_eq!(decision["approval_route"], json!(route), "{amount}");
        }
    }

    #[test]
    fn an_answer_that_is_no_use_is_named() {
        let error = json!({ "error": "gone" });
        let answers = [("vendor.find", known()), ("invoice.find", error)];
        assert_eq!(step(&extraction(), &answers), Err("invoice.find"));
    }

    #[test]
    fn ids_are_ordered_by_year_and_number() {
        for (lower, higher) in [
            ("INV-2024-009", "INV-2024-010"),
            ("INV-2023-999", "INV-2024-001"),
            ("INV-2024-999", "INV-2024-1000"),
            ("INV-2024-999", "A-1"),
            ("A-1", "B-1"),
        ] {
            assert!(rank(lower) < rank(higher), "{lower} {higher}");
        }
    }
}
