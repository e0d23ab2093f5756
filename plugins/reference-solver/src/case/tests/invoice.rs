use super::*;

/// The ledger's own logic, so that nothing here answers in another way.
#[path = "../../../../vendor-ledger/src/ledger.rs"]
mod ledger;

use ledger::Ledger;

const INVOICES: &str = include_str!("../../../../../examples/01-invoices/invoices.json");
const GOLD: &str = include_str!("../../../../../examples/01-invoices/gold.json");
const VENDORS: &str = include_str!("../../../../../examples/01-invoices/vendors.json");

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn invoices() -> Vec<Form> {
    let all: Vec<_> = serde_json::from_str(INVOICES).unwrap();
    assert_eq!(all.len(), 100);
    all
}

/// The first invoice whose right answer has this reason.
fn one(reason: &str) -> Form {
    let gold = read(GOLD);
    let is = |invoice: &Form| {
        let whole = !invoice.values().any(Value::is_null) && invoice.len() == 6;
        gold[invoice["invoice_id"].as_str().unwrap()]["reason"] == reason && whole
    };
    invoices().into_iter().find(is).unwrap()
}

fn find() -> impl Fn(&str, &Value) -> Value {
    let known = json!({ "vendors": read(VENDORS), "invoices": read(INVOICES) });
    let ledger: Ledger = serde_json::from_value(known).unwrap();
    move |name, arguments| {
        let text = |name: &str| arguments[name].as_str().unwrap();
        match name {
            "vendor.find" => json!(ledger.vendor(text("name"))),
            "invoice.find" => {
                let amount = arguments["amount"].as_f64().unwrap();
                json!({ "invoices": ledger.invoices(text("vendor"), amount, text("date")) })
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn however_an_invoice_is_worked_on_the_answer_is_right() {
    let (gold, find) = (read(GOLD), find());
    let mut asked = [0, 0];
    for invoice in invoices() {
        let (answer, calls) = every_way("invoice", &invoice, &find);
        let mut gold = gold[invoice["invoice_id"].as_str().unwrap()].clone();
        gold.as_object_mut().unwrap().remove("fault");
        assert_eq!(answer, gold, "{invoice:?}");
        for (tool, arguments) in calls {
            match tool {
                "vendor.find" => asked[0] += 1,
                _ => asked[1] += 1,
            }
            // As printed, whatever the stages before did with it.
            for (name, value) in arguments.as_object().unwrap() {
                let printed = if name == "name" { "vendor" } else { name };
                assert_eq!(*value, invoice[printed], "{tool} for {invoice:?}");
            }
        }
    }
    // Two invoices name no vendor; seven lack a vendor, an amount or a date.
    assert_eq!(asked, [98, 93]);
}

#[test]
fn a_critic_asks_the_tools_itself() {
    let (invoice, find) = (one("duplicate_invoice"), find());
    let (right, _) = in_parts("invoice", &invoice, &["record"], &find);
    assert!(accepts("invoice", &invoice, &right, &find));
    for name in right.keys() {
        let mut wrong = right.clone();
        wrong.insert(name.clone(), "wrong".into());
        assert!(!accepts("invoice", &invoice, &wrong, &find), "{name}");
    }
    // Somebody who did not ask cannot know that there was an earlier one.
    let blind = |_: &str, _: &Value| json!({ "error": "gone" });
    assert!(!accepts("invoice", &invoice, &right, &blind));
}

/// What it comes to when this is said at the end of this stage.
fn after(stage: &str, invoice: &Form, said: &[(&str, Value)]) -> Form {
    let find = find();
    let (mut form, _) = in_parts("invoice", invoice, &[stage], &find);
    for (name, value) in said {
        let before = form.insert((*name).to_owned(), value.clone());
        assert!(before.is_some_and(|before| before != *value), "{name}");
    }
    let title = format!("invoice-record-from-{stage}");
    object(answered(&title, &[form], &find).0)
}

#[test]
fn a_mistake_stays_unless_it_does_not_matter() {
    let invoice = one("valid");
    let right = after("extract", &invoice, &[]);
    for (stage, name, value) in [
        ("ingest", "status", json!("sent")),
        ("extract", "total_cents", json!(1)),
        ("extract", "invoice_id", json!("INV-2023-001")),
        ("enrich", "recorded", json!([])),
        ("decide", "because", json!("no reason")),
    ] {
        let spoilt = after(stage, &invoice, &[(name, value)]);
        assert_eq!(spoilt, right, "{stage} {name}");
    }
    for (stage, name, value, field, becomes) in [
        (
            "ingest",
            "date",
            json!(null),
            "reason",
            "missing_required_fields",
        ),
        (
            "extract",
            "missing",
            json!(["date"]),
            "reason",
            "missing_required_fields",
        ),
        (
            // Under a higher number it repeats itself.
            "extract",
            "invoice_id",
            json!("INV-2024-999"),
            "reason",
            "duplicate_invoice",
        ),
        (
            "extract",
            "vendor",
            json!("Nobody"),
            "reason",
            "ocr_error_detected",
        ),
        (
            "extract",
            "route_cents",
            json!(1_000_001),
            "approval_route",
            "finance",
        ),
        (
            "enrich",
            "recorded",
            json!(["INV-2023-999"]),
            "reason",
            "duplicate_invoice",
        ),
        (
            "enrich",
            "vendor_names",
            json!(["Nobody"]),
            "correct_vendor",
            "Nobody",
        ),
        (
            "check",
            "misread",
            json!(true),
            "reason",
            "ocr_error_detected",
        ),
        (
            "decide",
            "approval_route",
            json!("finance"),
            "approval_route",
            "finance",
        ),
    ] {
        let wrong = after(stage, &invoice, &[(name, value)]);
        assert_ne!(wrong[field], right[field], "{stage} {name}");
        assert_eq!(wrong[field], becomes, "{stage} {name}");
    }
}

#[test]
fn an_answer_that_says_nothing_leaves_the_vendor_unknown() {
    let invoice = one("valid");
    for said in [
        json!({ "error": "bad arguments" }),
        json!({ "known": false, "nearest": [] }),
        json!({ "known": "yes", "nearest": "many", "invoices": 7 }),
        json!("sorry"),
        json!(null),
    ] {
        let tool = |_: &str, _: &Value| said.clone();
        let (answer, _) = every_way("invoice", &invoice, &tool);
        assert_eq!(answer["reason"], "ocr_error_detected", "{said}");
        assert_eq!(answer["correct_vendor"], Value::Null, "{said}");
    }
}

#[test]
fn blank_is_missing_and_the_lines_stand_in_for_the_amount() {
    let mut invoice = one("valid");
    invoice.insert("status".to_owned(), " ".into());
    invoice.insert("vendor".to_owned(), "".into());
    invoice.insert("amount".to_owned(), Value::Null);
    let line = |quantity: u64, price: f64| json!({ "description": "", "quantity": quantity, "unit_price": price });
    for (lines, route) in [
        (json!([]), "auto"),
        (json!([line(3, 166.66)]), "auto"),
        (json!([line(3, 166.66), line(2, 0.01)]), "manager"),
        (json!([line(u64::MAX, 1e300)]), "finance"),
    ] {
        invoice.insert("line_items".to_owned(), lines);
        let extract = solved("invoice-extract-from-record", &invoice);
        assert_eq!(extract["missing"], json!(["vendor", "amount", "status"]));
        // Nobody can misread what is not there.
        let check = solved("invoice-check-from-record", &invoice);
        assert_eq!(check["misread"], false);
        let (answer, calls) = every_way("invoice", &invoice, &no_tools);
        assert_eq!(answer["approval_route"], route, "{extract:?}");
        assert_eq!(answer["reason"], "missing_required_fields");
        assert!(calls.is_empty());
    }
}

#[test]
fn the_route_goes_by_the_amount_whatever_the_lines_add_up_to() {
    let (mut invoice, find) = (one("valid"), find());
    for (amount, route) in [
        (json!(0), "auto"),
        (json!(499.99), "auto"),
        (json!(500), "manager"),
        (json!(10_000.0), "manager"),
        (json!(10_000.01), "finance"),
    ] {
        invoice.insert("amount".to_owned(), amount);
        let (answer, _) = every_way("invoice", &invoice, &find);
        assert_eq!(answer["approval_route"], route, "{invoice:?}");
    }
}

#[test]
fn of_what_no_specialist_said_nothing_holds() {
    let decided = |said: Value| solved("invoice-record-from-check", &object(said));
    let answer = decided(json!({ "missing": [], "route_cents": 100 }));
    assert_eq!(
        (&answer["reason"], &answer["correct_vendor"]),
        (&json!("valid"), &Value::Null)
    );
    let answer = decided(json!({ "duplicate": true }));
    assert_eq!(answer["reason"], "duplicate_invoice");
    assert_eq!(answer["approval_route"], "finance");
}

#[test]
fn what_a_form_lacks_is_named() {
    for (title, form, what) in [
        ("invoice-ingest-from-record", json!({}), "invoice_id"),
        (
            "invoice-ingest-from-record",
            json!({ "invoice_id": "1", "amount": "12" }),
            "amount",
        ),
        (
            "invoice-ingest-from-record",
            json!({ "invoice_id": "1", "line_items": [1] }),
            "line_items",
        ),
        (
            "invoice-extract-from-normalise",
            json!({ "amount_cents": 1 }),
            "vendor",
        ),
        ("invoice-enrich-from-extract", json!({}), "vendor"),
        ("invoice-decide-from-check", json!({}), "missing"),
        ("invoice-record-from-decide", json!({}), "is_valid"),
        ("invoice-duplicate-from-normalise", json!({}), "vendor"),
    ] {
        let job = Job::titled(title).unwrap();
        let failed = job.solve(&[object(form)], &Answers::new()).err();
        assert_eq!(failed, Some(what), "{title}");
    }
}
