use serde_json::json;

use super::*;

fn record() -> Value {
    json!({
        "invoice_id": "INV-2024-001",
        "vendor": "Acme Corp",
        "amount": 42.3,
        "date": "2024-03-05",
        "status": "pending",
        "line_items": [
            { "description": "Paper", "quantity": 3, "unit_price": 4.1 },
            { "description": "Ink", "quantity": 1, "unit_price": 30.0 },
        ],
    })
}

fn with_doubts(mut value: Value, doubts: Value) -> Value {
    value["doubts"] = doubts;
    value
}

fn with(mut value: Value, field: &str, other: Value) -> Value {
    value[field] = other;
    value
}

/// Pointers and codes of what looking finds.
fn found(record: &Value, extraction: &Value) -> Vec<(String, String)> {
    match look(record.as_object().unwrap(), extraction) {
        Looked::Found(list, _) => list.into_iter().map(|f| (f.pointer, f.code)).collect(),
        Looked::Hopeless(verdict) => panic!("{verdict:?}"),
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned()))
        .collect()
}

#[test]
fn a_faithful_extraction_leaves_only_the_vendor_to_ask_about() {
    let extraction = with_doubts(record(), json!([]));
    let looked = look(record().as_object().unwrap(), &extraction);
    assert_eq!(looked, Looked::Found(vec![], Some("Acme Corp".to_owned())));
}

#[test]
fn no_object_no_id_and_another_documents_id_are_hopeless() {
    let record = record();
    for (extraction, pointer, code) in [
        (json!("INV-2024-001"), "", "bad-shape"),
        (json!(null), "", "bad-shape"),
        (json!([]), "", "bad-shape"),
        (json!({}), "/invoice_id", "bad-id"),
        (json!({ "invoice_id": null }), "/invoice_id", "bad-id"),
        (json!({ "invoice_id": "" }), "/invoice_id", "bad-id"),
        (json!({ "invoice_id": 7 }), "/invoice_id", "bad-id"),
        (
            with(record.clone(), "invoice_id", json!("INV-2024-002")),
            "/invoice_id",
            "bad-id",
        ),
    ] {
        let looked = look(record.as_object().unwrap(), &extraction);
        let Looked::Hopeless(Verdict::Reject(list)) = looked else {
            panic!("{extraction}: {looked:?}");
        };
        assert_eq!(
            (list[0].pointer.as_str(), list[0].code.as_str()),
            (pointer, code)
        );
    }
}

#[test]
fn a_value_of_the_wrong_form_is_found_at_its_place() {
    let line =
        |line: Value| json!([line, { "description": "Ink", "quantity": 1, "unit_price": 1 }]);
    for (field, value, expected) in [
        ("vendor", json!(7), pairs(&[("/vendor", "bad-shape")])),
        ("amount", json!("42.30"), pairs(&[("/amount", "bad-shape")])),
        (
            "date",
            json!("March 5"),
            pairs(&[("/date", "bad-date"), ("/date", "not-as-printed")]),
        ),
        (
            "date",
            json!("2024-02-30"),
            pairs(&[("/date", "bad-date"), ("/date", "not-as-printed")]),
        ),
        (
            "status",
            json!("late"),
            pairs(&[("/status", "bad-shape"), ("/status", "not-as-printed")]),
        ),
        (
            "line_items",
            json!("two"),
            pairs(&[("/line_items", "bad-shape")]),
        ),
        (
            "line_items",
            line(json!(1)),
            pairs(&[
                ("/line_items/0/description", "bad-shape"),
                ("/line_items/0/quantity", "bad-shape"),
                ("/line_items/0/unit_price", "bad-shape"),
            ]),
        ),
        (
            "line_items",
            line(json!({ "description": "Paper", "quantity": 1.5, "unit_price": 1 })),
            pairs(&[("/line_items/0/quantity", "bad-shape")]),
        ),
        ("doubts", json!({}), pairs(&[("/doubts", "bad-shape")])),
        (
            "doubts",
            json!([{ "field": "vendor" }]),
            pairs(&[("/doubts/0", "bad-shape")]),
        ),
        (
            "doubts",
            json!([{ "field": "date", "code": "unknown-vendor" }]),
            pairs(&[("/doubts/0", "bad-shape")]),
        ),
    ] {
        assert_eq!(
            found(&record(), &with(record(), field, value.clone())),
            expected,
            "{field} {value}"
        );
    }
    let id = with(record(), "invoice_id", json!("INV-24-1"));
    assert_eq!(found(&id, &id), pairs(&[("/invoice_id", "bad-id")]));
}

#[test]
fn a_field_is_there_or_declared_missing_and_really_is() {
    for field in ["vendor", "amount", "date", "status", "line_items"] {
        let pointer = format!("/{field}");
        let mut without = record();
        without.as_object_mut().unwrap().remove(field);
        let doubt = json!([{ "field": field, "code": "missing" }]);
        let is = |code: &str| vec![(pointer.clone(), code.to_owned())];
        for (printed, given, doubts, expected) in [
            (record(), record(), json!([]), vec![]),
            (without.clone(), without.clone(), doubt.clone(), vec![]),
            (
                without.clone(),
                with(record(), field, json!(null)),
                doubt.clone(),
                vec![],
            ),
            (
                with(record(), field, json!(null)),
                without.clone(),
                doubt.clone(),
                vec![],
            ),
            (without.clone(), without.clone(), json!([]), is("missing")),
            (record(), without.clone(), json!([]), is("missing")),
            (record(), without.clone(), doubt.clone(), is("not-missing")),
            (record(), record(), doubt.clone(), is("not-missing")),
            (without.clone(), record(), json!([]), is("missing")),
            (without.clone(), record(), doubt.clone(), is("missing")),
        ] {
            let extraction = with_doubts(given, doubts);
            assert_eq!(
                found(&printed, &extraction),
                expected,
                "{printed} {extraction}"
            );
        }
    }
}

#[test]
fn what_does_not_add_up_is_found_unless_it_is_declared() {
    let wrong = with(record(), "amount", json!(42.31));
    assert_eq!(
        found(&wrong, &wrong),
        pairs(&[("/amount", "total-mismatch")])
    );
    let declared = json!([{ "field": "amount", "code": "total-mismatch" }]);
    assert_eq!(found(&wrong, &with_doubts(wrong.clone(), declared)), []);
    let Looked::Found(list, _) = look(wrong.as_object().unwrap(), &wrong) else {
        panic!("hopeless")
    };
    assert!(
        list[0]
            .message
            .starts_with("the line items add up to 42.30 and the amount is 42.31")
    );
}

#[test]
fn a_value_that_is_not_the_records_is_found() {
    for (field, value) in [
        ("vendor", json!("Acme Corporation")),
        ("date", json!("2024-03-06")),
        ("status", json!("paid")),
    ] {
        let expected = pairs(&[(&format!("/{field}"), "not-as-printed")]);
        assert_eq!(found(&record(), &with(record(), field, value)), expected);
    }
    let other = found(&record(), &with(record(), "amount", json!(42.0)));
    assert_eq!(
        other,
        pairs(&[("/amount", "not-as-printed"), ("/amount", "total-mismatch")])
    );
    // What the record spells in another way may be spelled right in the form.
    for (field, printed) in [
        ("amount", json!("$42.30")),
        ("date", json!("March 5, 2024")),
        ("status", json!("PENDING")),
        ("vendor", json!(" Acme Corp ")),
    ] {
        assert_eq!(
            found(&with(record(), field, printed), &record()),
            [],
            "{field}"
        );
    }
}

#[test]
fn a_vendor_that_is_declared_unknown_or_missing_needs_no_question() {
    let open = |extraction: Value| match look(record().as_object().unwrap(), &extraction) {
        Looked::Found(_, open) => open,
        Looked::Hopeless(verdict) => panic!("{verdict:?}"),
    };
    let doubt = json!([{ "field": "vendor", "code": "unknown-vendor" }]);
    assert_eq!(open(record()), Some("Acme Corp".to_owned()));
    assert_eq!(open(with_doubts(record(), doubt)), None);
    assert_eq!(open(with(record(), "vendor", json!(null))), None);
}

#[test]
fn a_long_value_is_cut_in_a_message() {
    assert_eq!(shown(&json!("ab")), "\"ab\"");
    assert_eq!(shown(&json!("ä".repeat(500))).chars().count(), 101);
}
