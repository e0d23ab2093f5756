//! Reads an invoice record and extracts its fields.

struct Export;

use hotcell_sdk::__wit::agent::exports::hotcell::plugin::agent::{Failure, Guest, Output, Task};
use hotcell_sdk::__wit::agent::hotcell::capability::llm;

impl Guest for Export {
    fn run(task: Task) -> Result<Output, Failure> {
        let request = llm::Request {
            model: "default".into(),
            messages: vec![llm::Message {
                role: llm::Role::User,
                content: vec![llm::Part::Json(task.input)],
            }],
            tools: vec![],
            response_format: llm::ResponseFormat::JsonObject,
            max_tokens: None,
            temperature: Some(0.0),
            seed: None,
            stop: vec![],
        };
        let answer = llm::complete(&request).map_err(|e| Failure::Transient(e.to_string()))?;
        let value = answer
            .message
            .content
            .into_iter()
            .find_map(|part| match part {
                llm::Part::Json(text) | llm::Part::Text(text) => Some(text),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Output { value, confidence: None, evidence: vec![], next_state: None, plan: vec![] })
    }
}

#[cfg(target_family = "wasm")]
hotcell_sdk::__wit::agent::export!(Export with_types_in hotcell_sdk::__wit::agent);

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "a custom section")]
#[used]
#[unsafe(link_section = "hotcell:manifest")]
static MANIFEST: [u8; include_bytes!("../hotcell.toml").len()] = *include_bytes!("../hotcell.toml");
