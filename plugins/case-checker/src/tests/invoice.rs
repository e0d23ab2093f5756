use super::*;

fn record() -> Value {
    json!({
        "invoice_id": "INV-2024-007", "vendor": "ACME Corp", "amount": 700.05,
        "date": "2024-03-05", "status": "paid",
        "line_items": [
            { "description": "Ink", "quantity": 7, "unit_price": 100.0 },
            { "description": "Paper", "quantity": 1, "unit_price": 0.05 },
        ],
    })
}

/// What is right at each stage.
fn right(stage: &str) -> Value {
    match stage {
        "ingest" => record(),
        "normalise" => json!({
            "invoice_id": "INV-2024-007", "vendor": "ACME Corp", "amount_cents": 70_005,
            "date": "2024-03-05", "status": "paid",
            "lines": [
                { "quantity": 7, "price_cents": 10_000 }, { "quantity": 1, "price_cents": 5 },
            ],
        }),
        "extract" => json!({
            "invoice_id": "INV-2024-007", "vendor": "ACME Corp", "amount_cents": 70_005,
            "date": "2024-03-05", "missing": [], "total_cents": 70_005, "route_cents": 70_005,
        }),
        "enrich" => json!({
            "invoice_id": "INV-2024-007", "missing": [], "route_cents": 70_005,
            "vendor_known": true, "vendor_names": ["Acme Corp"],
            "recorded": ["INV-2024-003", "INV-2024-007"],
        }),
        "check" => json!({
            "missing": [], "route_cents": 70_005, "misread": false,
            "correct_vendor": "Acme Corp", "duplicate": true,
        }),
        "decide" => json!({
            "because": "It repeats another.", "route_cents": 70_005, "is_valid": false,
            "reason": "duplicate_invoice", "correct_vendor": "Acme Corp",
            "approval_route": "manager",
        }),
        _ => json!({
            "is_valid": false, "reason": "duplicate_invoice", "correct_vendor": "Acme Corp",
            "approval_route": "manager",
        }),
    }
}

/// Where something was found.
fn judge(kind: &str, record: &Value, answer: &Value) -> Vec<String> {
    found("invoice", kind, record, answer)
}

/// This with other values at these places.
fn with(mut form: Value, changes: &Value) -> Value {
    for (pointer, value) in changes.as_object().unwrap() {
        *form.pointer_mut(pointer).unwrap() = value.clone();
    }
    form
}

const STAGES: [&str; 7] = [
    "ingest",
    "normalise",
    "extract",
    "enrich",
    "check",
    "decide",
    "record",
];

#[test]
fn what_is_right_about_an_invoice_passes() {
    for stage in STAGES {
        let found = judge(stage, &record(), &right(stage));
        assert!(found.is_empty(), "{stage}: {found:?}");
    }
    let mut bare = record();
    for name in ["vendor", "amount", "status"] {
        bare.as_object_mut().unwrap().remove(name);
    }
    let nothing = json!({ "/vendor": null, "/amount_cents": null, "/status": null });
    for (kind, answer) in [
        (
            "ingest",
            with(
                record(),
                &json!({ "/vendor": null, "/amount": null, "/status": null }),
            ),
        ),
        ("normalise", with(right("normalise"), &nothing)),
        (
            "extract",
            with(
                right("extract"),
                &json!({
                    "/vendor": null, "/amount_cents": null,
                    "/missing": ["vendor", "amount", "status"],
                }),
            ),
        ),
        (
            "extract..enrich",
            with(
                right("enrich"),
                &json!({
                    "/missing": ["vendor", "amount", "status"], "/vendor_known": null,
                    "/vendor_names": [], "/recorded": [],
                }),
            ),
        ),
        (
            "check",
            with(
                right("check"),
                &json!({
                    "/missing": ["vendor", "amount", "status"], "/correct_vendor": null,
                    "/duplicate": false,
                }),
            ),
        ),
        (
            "decide",
            with(
                right("decide"),
                &json!({ "/reason": "missing_required_fields", "/correct_vendor": null }),
            ),
        ),
    ] {
        let found = judge(kind, &bare, &answer);
        assert!(found.is_empty(), "{kind}: {found:?}");
    }
}

#[test]
fn each_mistake_about_an_invoice_that_shows_is_found() {
    for (stage, change, pointer) in [
        (
            "ingest",
            json!({ "/invoice_id": "INV-2024-008" }),
            "/invoice_id",
        ),
        ("ingest", json!({ "/vendor": "Acme Corp" }), "/vendor"),
        ("ingest", json!({ "/vendor": null }), "/vendor"),
        ("ingest", json!({ "/amount": 700.06 }), "/amount"),
        ("ingest", json!({ "/date": "2024-05-03" }), "/date"),
        ("ingest", json!({ "/status": " " }), "/status"),
        ("ingest", json!({ "/line_items": [] }), "/line_items"),
        (
            "ingest",
            json!({ "/line_items/1/description": "Pap" }),
            "/line_items/1/description",
        ),
        (
            "ingest",
            json!({ "/line_items/0/quantity": 8 }),
            "/line_items/0/quantity",
        ),
        (
            "normalise",
            json!({ "/lines/0/price_cents": 1_000 }),
            "/lines/0/price_cents",
        ),
        ("normalise", json!({ "/lines/0/quantity": 8 }), "/lines"),
        (
            "normalise",
            json!({ "/amount_cents": 700 }),
            "/amount_cents",
        ),
        ("normalise", json!({ "/status": "open" }), "/status"),
        ("extract", json!({ "/amount_cents": null }), "/amount_cents"),
        ("extract", json!({ "/total_cents": 70_000 }), "/total_cents"),
        ("extract", json!({ "/route_cents": 70_000 }), "/route_cents"),
        ("extract", json!({ "/date": "2024-05-03" }), "/date"),
        ("extract", json!({ "/missing": ["vendor"] }), "/missing"),
        ("extract", json!({ "/missing": ["date"] }), "/missing"),
        ("extract", json!({ "/amount_cents": null }), "/missing"),
        (
            "enrich",
            json!({ "/invoice_id": "INV-2024-003" }),
            "/invoice_id",
        ),
        ("enrich", json!({ "/route_cents": 0 }), "/route_cents"),
        ("enrich", json!({ "/missing": ["vendor"] }), "/vendor_known"),
        ("enrich", json!({ "/vendor_known": null }), "/vendor_names"),
        (
            "enrich",
            json!({ "/vendor_names": ["Acme Core"] }),
            "/vendor_names",
        ),
        ("enrich", json!({ "/vendor_names": [] }), "/vendor_names"),
        ("enrich", json!({ "/missing": ["date"] }), "/recorded"),
        ("check", json!({ "/route_cents": 1 }), "/route_cents"),
        (
            "check",
            json!({ "/missing": ["vendor"], "/misread": true }),
            "/misread",
        ),
        (
            "check",
            json!({ "/missing": ["vendor"] }),
            "/correct_vendor",
        ),
        (
            "check",
            json!({ "/correct_vendor": null }),
            "/correct_vendor",
        ),
        (
            "check",
            json!({ "/correct_vendor": "Acme Core" }),
            "/correct_vendor",
        ),
        ("check", json!({ "/missing": ["amount"] }), "/duplicate"),
        ("decide", json!({ "/is_valid": true }), "/is_valid"),
        ("decide", json!({ "/route_cents": null }), "/route_cents"),
        (
            "decide",
            json!({ "/approval_route": "finance" }),
            "/approval_route",
        ),
        ("record", json!({ "/is_valid": true }), "/is_valid"),
        ("record", json!({ "/reason": "valid" }), "/is_valid"),
        (
            "record",
            json!({ "/reason": "valid", "/is_valid": true, "/correct_vendor": null }),
            "/correct_vendor",
        ),
        (
            "record",
            json!({ "/reason": "valid", "/is_valid": true, "/correct_vendor": "Acme Core" }),
            "/correct_vendor",
        ),
    ] {
        let found = judge(stage, &record(), &with(right(stage), &change));
        assert!(
            found.contains(&pointer.to_owned()),
            "{stage} {change}: {found:?}"
        );
    }
}

#[test]
fn what_the_record_does_not_have_must_not_be_made_up() {
    let mut bare = record();
    for name in ["vendor", "amount", "date", "status"] {
        bare.as_object_mut().unwrap().remove(name);
    }
    let found = judge("normalise", &bare, &right("normalise"));
    assert_eq!(found, ["/vendor", "/date", "/status", "/amount_cents"]);
    let lines = with(bare.clone(), &json!({ "/line_items": [] }));
    assert_eq!(judge("ingest", &bare, &lines), ["/line_items"]);
    let valid = json!({ "/reason": "valid", "/is_valid": true, "/correct_vendor": null });
    let valid = with(right("record"), &valid);
    assert_eq!(judge("record", &bare, &valid), ["/correct_vendor"]);
}

#[test]
fn blank_is_as_good_as_null() {
    let blank = with(record(), &json!({ "/vendor": " ", "/status": "" }));
    let null = json!({ "/vendor": null, "/status": null });
    assert!(judge("ingest", &blank, &blank).is_empty());
    assert!(judge("normalise", &blank, &with(right("normalise"), &null)).is_empty());
}

#[test]
fn a_mistake_that_could_be_right_passes() {
    for (stage, change) in [
        ("enrich", json!({ "/recorded": ["INV-2024-007"] })),
        (
            "enrich",
            json!({ "/vendor_known": false, "/vendor_names": [] }),
        ),
        ("check", json!({ "/duplicate": false })),
        ("decide", json!({ "/reason": "ocr_error_detected" })),
        ("record", json!({ "/approval_route": "finance" })),
    ] {
        let found = judge(stage, &record(), &with(right(stage), &change));
        assert!(found.is_empty(), "{stage} {change}: {found:?}");
    }
}

#[test]
fn a_record_that_does_not_add_up_is_nobodys_mistake() {
    let odd = with(record(), &json!({ "/line_items/0/quantity": 6 }));
    assert!(judge("ingest", &odd, &odd).is_empty());
    let extract = with(right("extract"), &json!({ "/total_cents": 60_005 }));
    assert!(judge("extract", &odd, &extract).is_empty());
}

#[test]
fn the_route_is_that_of_the_amount_beside_it() {
    for (cents, route) in [
        (-1, "auto"),
        (49_999, "auto"),
        (50_000, "manager"),
        (1_000_000, "manager"),
        (1_000_001, "finance"),
    ] {
        let mut bare = record();
        bare.as_object_mut().unwrap().remove("amount");
        for said in ["auto", "manager", "finance"] {
            let change = json!({ "/route_cents": cents, "/approval_route": said });
            let found = judge("decide", &bare, &with(right("decide"), &change));
            assert_eq!(found.is_empty(), said == route, "{cents} {said}: {found:?}");
        }
    }
}

#[test]
fn a_flood_of_wrong_lines_is_a_few_findings() {
    let lines = |quantity: u64| {
        let line = json!({ "description": "Ink", "quantity": quantity, "unit_price": 1 });
        vec![line; 1_000]
    };
    let record = with(record(), &json!({ "/line_items": lines(1) }));
    let answer = with(record.clone(), &json!({ "/line_items": lines(2) }));
    assert_eq!(judge("ingest", &record, &answer).len(), 8);
}
