//! Finds which bank transactions and ledger entries may belong together: by
//! amount and day, and by nothing else.
//!
//! It computes and judges nothing. It asks the host for nothing and changes
//! nothing.

mod pairs;

use hotcell_sdk::{Call, Effect, Failure, Function, Tool};
use serde_json::{Value, json};

use pairs::{Candidates, Lists};

/// More are refused: what comes back grows with the product.
const MOST: usize = 200;

struct LedgerMatcher;

impl Tool for LedgerMatcher {
    fn functions() -> Vec<Function> {
        vec![match_candidates()]
    }
}

hotcell_sdk::export!(tool: LedgerMatcher);

fn match_candidates() -> Function {
    let list = |id: &str, date: &str| {
        let text = json!({ "type": "string" });
        let item = json!({
            "type": "object",
            "properties": { id: text, date: text, "amount": { "type": "number" } },
            "required": [id, date, "amount"],
        });
        json!({ "type": "array", "maxItems": MOST, "items": item })
    };
    let arguments = json!({
        "type": "object",
        "properties": {
            "bank_transactions": list("transaction_id", "date"),
            "ledger_entries": list("entry_id", "posting_date"),
            "days": { "type": "integer", "minimum": 0, "maximum": 366 },
            "amount": { "type": "number", "minimum": 0 },
        },
        "required": ["bank_transactions", "ledger_entries", "days", "amount"],
        "additionalProperties": false,
    });
    let description = "Lists every pair of a bank transaction and a ledger entry that are at most \
                       so many days and so much money apart, with both differences, nearest first.";
    let find = |call: Call<Lists>| -> Result<Candidates, Failure> {
        let lists = call.arguments;
        if lists.longest() > MOST {
            let text = format!("more than {MOST} transactions or entries");
            return Err(Failure::invalid_input(text));
        }
        Ok(lists.candidates())
    };
    Function::new("match.candidates", description, arguments, find)
        .output_schema(content())
        .effect(Effect::ReadOnly)
}

fn content() -> Value {
    json!({
        "type": "object",
        "properties": {
            "candidates": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "bank_id": { "type": "string" },
                        "ledger_id": { "type": "string" },
                        "days": { "type": "integer" },
                        "amount": { "type": "number" },
                    },
                    "required": ["bank_id", "ledger_id", "days", "amount"],
                },
            },
        },
        "required": ["candidates"],
    })
}

#[cfg(test)]
mod tests {
    use hotcell_sdk::testing::Host;
    use hotcell_sdk::{ToolCall, ToolOutput, dispatch};

    use super::*;

    fn call(arguments: Value) -> ToolOutput {
        let call = ToolCall {
            id: "1".into(),
            name: "match.candidates".into(),
            arguments: arguments.to_string(),
        };
        let ran = Host::new().run(|| dispatch::<LedgerMatcher>(call));
        ran.result.unwrap()
    }

    fn bank(count: usize) -> Vec<Value> {
        let one = json!({ "transaction_id": "B", "date": "2024-02-28", "amount": 10.1 });
        vec![one; count]
    }

    #[test]
    fn a_pair_comes_with_its_differences() {
        let output = call(json!({
            "bank_transactions": bank(1),
            "ledger_entries": [{ "entry_id": "L", "posting_date": "2024-03-01", "amount": 10.4, "text": "ACME" }],
            "days": 2,
            "amount": 0.3,
        }));
        let found = json!({ "bank_id": "B", "ledger_id": "L", "days": 2, "amount": 0.3 });
        let content: Value = output.content.parse().unwrap();
        assert_eq!(content, json!({ "candidates": [found] }));
    }

    #[test]
    fn too_many_are_refused_and_so_is_what_is_no_list() {
        let lists = |bank: Value| json!({ "bank_transactions": bank, "ledger_entries": [], "days": 0, "amount": 0 });
        assert!(!call(lists(json!(bank(MOST)))).is_error);
        for bad in [
            json!(bank(MOST + 1)),
            json!("all"),
            json!([{ "date": "2024-01-01" }]),
        ] {
            assert!(call(lists(bad.clone())).is_error, "{bad}");
        }
    }

    #[test]
    fn it_may_be_repeated_after_a_crash() {
        for function in LedgerMatcher::functions() {
            assert_eq!(function.spec().effect, Effect::ReadOnly);
            function.spec().input_schema.parse::<Value>().unwrap();
        }
    }
}
