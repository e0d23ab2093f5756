//! A tool of three functions that do the same and say another thing about being
//! repeated. Each call is a line in a file, so that a test can count them.

use std::fs::OpenOptions;
use std::io::Write;

use hotcell_sdk::{Call, Effect, Failure, Function, Tool};
use serde::Deserialize;
use serde_json::json;

/// Where the policy lends it a folder.
const CALLS: &str = "/desk/calls.txt";

struct Desk;

impl Tool for Desk {
    fn functions() -> Vec<Function> {
        vec![
            function("look", Effect::ReadOnly),
            function("put", Effect::Idempotent),
            function("send", Effect::UnsafeToRepeat),
        ]
    }
}

hotcell_sdk::export!(tool: Desk);

#[derive(Deserialize)]
struct Arguments {
    r#for: String,
}

fn function(name: &'static str, effect: Effect) -> Function {
    let arguments = json!({
        "type": "object",
        "properties": { "for": { "type": "string" } },
        "required": ["for"],
    });
    let body = move |call: Call<Arguments>| -> Result<String, Failure> {
        let line = format!("{name} {} {}\n", call.arguments.r#for, call.id);
        let mut calls = OpenOptions::new()
            .create(true)
            .append(true)
            .open(CALLS)
            .map_err(Failure::permanent)?;
        calls
            .write_all(line.as_bytes())
            .map_err(Failure::permanent)?;
        Ok(format!("{name} is done"))
    };
    Function::new(
        format!("desk.{name}"),
        "Writes the call down.",
        arguments,
        body,
    )
    .effect(effect)
}
