//! Judges whether the extraction of an invoice is complete, adds up and says
//! what is doubtful.
//!
//! It never judges the invoice: a document may lack a date or name a vendor
//! nobody knows, as long as the extraction says so.

mod check;
mod form;

use hotcell_sdk::{Failure, Finding, Subject, Validator, Verdict, tools};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use check::Looked;

struct InvoiceChecker;

impl Validator for InvoiceChecker {
    type Input = Map<String, Value>;
    type Output = Value;

    fn check(subject: Subject<Self::Input, Value>) -> Result<Verdict, Failure> {
        match check::look(&subject.task.input, &subject.output.value) {
            Looked::Hopeless(verdict) => Ok(verdict),
            Looked::Found(mut findings, vendor) => {
                if let Some(name) = vendor {
                    findings.extend(unknown(&name)?);
                }
                Ok(Verdict::of(findings))
            }
        }
    }
}

hotcell_sdk::export!(validator: InvoiceChecker);

/// What `vendor.find` answers.
#[derive(Deserialize)]
struct Vendor {
    known: bool,
    #[serde(default)]
    nearest: Vec<Near>,
}

#[derive(Deserialize)]
struct Near {
    name: String,
}

/// The finding for a vendor that nobody knows.
fn unknown(name: &str) -> Result<Option<Finding>, Failure> {
    let vendor: Vendor = tools::call("vendor.find", &json!({ "name": name }))?;
    if vendor.known {
        return Ok(None);
    }
    let near: Vec<String> = vendor
        .nearest
        .iter()
        .map(|near| format!("`{}`", near.name))
        .collect();
    let near = match near.as_slice() {
        [] => "no known vendor is near".to_owned(),
        names => format!("the nearest known are {}", names.join(", ")),
    };
    let message = format!(
        "no vendor is called `{name}`; {near}. Keep the name as printed and declare the doubt \
         `unknown-vendor` for `vendor`"
    );
    Ok(Some(Finding::new("/vendor", "unknown-vendor", message)))
}

#[cfg(test)]
mod tests {
    use hotcell_sdk::testing::{Host, Ran};
    use hotcell_sdk::{Answer, Call, Function, Task};

    use super::*;

    fn record() -> Value {
        json!({
            "invoice_id": "INV-2024-001",
            "vendor": "Acrne",
            "amount": 10,
            "date": "2024-03-05",
            "status": "paid",
            "line_items": [{ "description": "Ink", "quantity": 1, "unit_price": 10 }],
            "doubts": [],
        })
    }

    fn ledger(answer: Value) -> Host {
        let find = move |_: Call<Value>| Ok(answer.clone());
        Host::new().function(Function::new("vendor.find", "Finds.", "{}", find))
    }

    fn check(host: Host, extraction: Value) -> Ran<Result<Verdict, Failure>> {
        let input = record().as_object().cloned().unwrap();
        let subject = Subject::new(Task::new("INV-2024-001", input), Answer::new(extraction));
        host.run(|| InvoiceChecker::check(subject))
    }

    #[test]
    fn a_known_vendor_passes() {
        let ran = check(ledger(json!({ "known": true, "nearest": [] })), record());
        assert_eq!(ran.result, Ok(Verdict::Pass));
        assert_eq!(ran.calls[0].arguments, r#"{"name":"Acrne"}"#);
    }

    #[test]
    fn an_unknown_vendor_needs_repair_and_the_finding_names_the_nearest() {
        let nearest = json!([{ "name": "Acme", "distance": 2 }, { "name": "Acne", "distance": 2 }]);
        let ran = check(
            ledger(json!({ "known": false, "nearest": nearest })),
            record(),
        );
        let Ok(Verdict::Repair(findings)) = ran.result else {
            panic!("{:?}", ran.result)
        };
        assert_eq!(
            (&*findings[0].pointer, &*findings[0].code),
            ("/vendor", "unknown-vendor")
        );
        let start = "no vendor is called `Acrne`; the nearest known are `Acme`, `Acne`. Keep";
        assert!(
            findings[0].message.starts_with(start),
            "{}",
            findings[0].message
        );
    }

    #[test]
    fn a_vendor_declared_unknown_passes_without_a_question() {
        let mut extraction = record();
        extraction["doubts"] = json!([{ "field": "vendor", "code": "unknown-vendor" }]);
        let ran = check(Host::new(), extraction);
        assert_eq!(ran.result, Ok(Verdict::Pass));
        assert!(ran.calls.is_empty());
    }

    #[test]
    fn without_the_ledger_there_is_no_verdict() {
        for error in [tools::Error::Timeout, tools::Error::Failed("gone".into())] {
            let ran = check(
                Host::new().failing_tool("vendor.find", error.clone()),
                record(),
            );
            assert_eq!(ran.result, Err(Failure::transient(error)));
        }
        let ran = check(ledger(json!("who?")), record());
        assert!(
            matches!(ran.result, Err(Failure::Transient(_))),
            "{:?}",
            ran.result
        );
    }

    #[test]
    fn what_is_hopeless_is_rejected_without_a_question() {
        let ran = check(Host::new(), json!("sorry"));
        assert!(
            matches!(ran.result, Ok(Verdict::Reject(_))),
            "{:?}",
            ran.result
        );
    }
}
