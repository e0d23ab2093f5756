//! Looks vendors up by name and recorded invoices by vendor, amount and date.
//!
//! The ledger is the plugin's configuration, so the answers are the same as
//! long as the operator does not change it. It asks the host for nothing and
//! changes nothing.

mod ledger;

use hotcell_sdk::{Call, Effect, Failure, Function, Tool, context};
use serde::{Deserialize, Serialize};
use serde_json::json;

use ledger::{Ledger, Vendor};

struct VendorLedger;

impl Tool for VendorLedger {
    fn functions() -> Vec<Function> {
        vec![vendor_find(), invoice_find()]
    }
}

hotcell_sdk::export!(tool: VendorLedger);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Like {
    vendor: String,
    amount: f64,
    date: String,
}

#[derive(Serialize)]
struct Found {
    invoices: Vec<String>,
}

fn vendor_find() -> Function {
    let arguments = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "The name as printed on the invoice" },
        },
        "required": ["name"],
        "additionalProperties": false,
    });
    let content = json!({
        "type": "object",
        "properties": {
            "known": { "type": "boolean" },
            "name": { "type": "string" },
            "nearest": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string" },
                        "distance": { "type": "integer" },
                    },
                    "required": ["name", "distance"],
                },
            },
        },
        "required": ["known", "nearest"],
    });
    let find = |call: Call<Name>| -> Result<Vendor, Failure> {
        let ledger: Ledger = context::config()?;
        Ok(ledger.vendor(&call.arguments.name))
    };
    let description = "Says whether a vendor of this name is known and how the ledger spells it. \
                       For an unknown name it lists known vendors within two edits, nearest first.";
    Function::new("vendor.find", description, arguments, find)
        .output_schema(content)
        .effect(Effect::ReadOnly)
}

fn invoice_find() -> Function {
    let arguments = json!({
        "type": "object",
        "properties": {
            "vendor": { "type": "string", "description": "The name as printed on the invoice" },
            "amount": { "type": "number" },
            "date": { "type": "string", "description": "YYYY-MM-DD" },
        },
        "required": ["vendor", "amount", "date"],
        "additionalProperties": false,
    });
    let content = json!({
        "type": "object",
        "properties": { "invoices": { "type": "array", "items": { "type": "string" } } },
        "required": ["invoices"],
    });
    let find = |call: Call<Like>| -> Result<Found, Failure> {
        let ledger: Ledger = context::config()?;
        let Like {
            vendor,
            amount,
            date,
        } = call.arguments;
        Ok(Found {
            invoices: ledger.invoices(&vendor, amount, &date),
        })
    };
    let description = "Lists the ids of all recorded invoices with this vendor, amount and date, \
                       sorted. The invoice asked about is among them when it is recorded.";
    Function::new("invoice.find", description, arguments, find)
        .output_schema(content)
        .effect(Effect::ReadOnly)
}

#[cfg(test)]
mod tests {
    use hotcell_sdk::testing::Host;
    use hotcell_sdk::{ToolCall, ToolOutput, dispatch};
    use serde_json::Value;

    use super::*;

    fn call(config: Value, name: &str, arguments: Value) -> Result<ToolOutput, Failure> {
        let call = ToolCall {
            id: "1".into(),
            name: name.into(),
            arguments: arguments.to_string(),
        };
        Host::new()
            .config(&config)
            .run(|| dispatch::<VendorLedger>(call))
            .result
    }

    fn content(config: Value, name: &str, arguments: Value) -> Value {
        let output = call(config, name, arguments).unwrap();
        assert!(!output.is_error, "{}", output.content);
        output.content.parse().unwrap()
    }

    #[test]
    fn both_functions_answer_from_the_configuration() {
        let config = json!({
            "vendors": ["Acme"],
            "invoices": [
                { "invoice_id": "INV-2024-001", "vendor": "Acme", "amount": 5, "date": "2024-01-02" },
            ],
        });
        let known = content(config.clone(), "vendor.find", json!({ "name": "ACME" }));
        assert_eq!(
            known,
            json!({ "known": true, "name": "Acme", "nearest": [] })
        );
        let near = content(config.clone(), "vendor.find", json!({ "name": "Acne" }));
        let nearest = json!([{ "name": "Acme", "distance": 1 }]);
        assert_eq!(near, json!({ "known": false, "nearest": nearest }));
        let like = json!({ "vendor": "Acme", "amount": 5.0, "date": "2024-01-02" });
        let found = content(config, "invoice.find", like);
        assert_eq!(found, json!({ "invoices": ["INV-2024-001"] }));
    }

    #[test]
    fn bad_arguments_are_told_to_the_model() {
        for (name, arguments) in [
            ("vendor.find", json!({})),
            ("vendor.find", json!({ "name": "Acme", "limit": 9 })),
            (
                "invoice.find",
                json!({ "vendor": "Acme", "amount": "5", "date": "2024-01-02" }),
            ),
        ] {
            let output = call(json!({}), name, arguments).unwrap();
            assert!(output.is_error && output.content.starts_with("\"bad arguments: "));
        }
    }

    #[test]
    fn a_configuration_that_is_no_ledger_is_a_permanent_failure() {
        let failure = call(
            json!({ "vendors": "Acme" }),
            "vendor.find",
            json!({ "name": "Acme" }),
        );
        assert!(matches!(failure, Err(Failure::Permanent(_))), "{failure:?}");
    }

    #[test]
    fn both_functions_may_be_repeated_after_a_crash() {
        for function in VendorLedger::functions() {
            assert_eq!(function.spec().effect, Effect::ReadOnly);
            function.spec().input_schema.parse::<Value>().unwrap();
        }
    }
}
