//! Finding things in a conversation: JSON blocks in what the user said, and
//! what tools answered.
//!
//! It knows no agent's wording: a block is a JSON part, a fenced part of a text
//! or a text that is JSON as a whole.

use std::collections::BTreeMap;

use hotcell_sdk::llm::{Message, Part, Request, Role};
use serde_json::{Map, Value};

/// The first JSON object with this field in the last user message that shows
/// one, and all JSON values of that message.
pub(crate) fn record(request: &Request, id: &str) -> Option<(Map<String, Value>, Vec<Value>)> {
    let users = request
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::User);
    users.map(blocks).find_map(|blocks| {
        let mut objects = blocks.iter().filter_map(Value::as_object);
        let record = objects.find(|object| object.contains_key(id))?.clone();
        Some((record, blocks))
    })
}

/// The JSON objects of the last user message that shows one, in order.
pub(crate) fn objects(request: &Request) -> Vec<Map<String, Value>> {
    let users = request
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::User);
    let objects = |message: &Message| -> Vec<Map<String, Value>> {
        let blocks = blocks(message).into_iter();
        blocks
            .filter_map(|block| match block {
                Value::Object(object) => Some(object),
                _ => None,
            })
            .collect()
    };
    users
        .map(objects)
        .find(|all| !all.is_empty())
        .unwrap_or_default()
}

/// The last answer of each tool, by the tool's name. One that is no JSON counts as
/// a text: it was answered, and asking again would not help.
pub(crate) fn tool_answers(request: &Request) -> BTreeMap<String, Value> {
    let mut names = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for part in request.messages.iter().flat_map(|message| &message.content) {
        match part {
            Part::Call(call) => {
                names.insert(&call.id, &call.name);
            }
            Part::CallResult { id, content } => {
                if let Some(name) = names.get(id) {
                    let text = |_| Value::String(content.clone());
                    answers.insert((*name).clone(), content.parse().unwrap_or_else(text));
                }
            }
            Part::Text(_) | Part::Json(_) => {}
        }
    }
    answers
}

/// All JSON values of a message, in order.
fn blocks(message: &Message) -> Vec<Value> {
    let mut found = Vec::new();
    for part in &message.content {
        match part {
            Part::Json(text) => found.extend(text.parse::<Value>().ok()),
            Part::Text(text) => match text.parse() {
                Ok(value) => found.push(value),
                Err(_) => found.extend(fenced(text)),
            },
            Part::Call(_) | Part::CallResult { .. } => {}
        }
    }
    found
}

/// The JSON values between Markdown fences. A fence ends with the first line
/// that is a row of backticks at least as long as the one it began with.
fn fenced(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = opening(line) else { continue };
        let ends = |line: &&str| {
            let line = line.trim();
            line.len() >= fence && line.bytes().all(|byte| byte == b'`')
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| !ends(line)).collect();
        found.extend(body.join("\n").parse::<Value>().ok());
    }
    found
}

/// The length of the row of backticks that opens a fence on this line.
fn opening(line: &str) -> Option<usize> {
    let line = line.trim();
    let rest = line.trim_start_matches('`');
    let fence = line.len() - rest.len();
    (fence >= 3 && !rest.contains('`')).then_some(fence)
}

#[cfg(test)]
mod tests {
    use hotcell_sdk::ToolCall;
    use hotcell_sdk::prompt::Prompt;
    use serde_json::json;

    use super::*;

    const ID: &str = "invoice_id";

    fn record() -> Value {
        json!({ "invoice_id": "INV-2024-001", "vendor": "A```\n````B" })
    }

    #[test]
    fn the_record_is_found_in_every_kind_of_block() {
        let text = format!(
            "Look:\n```\n{}\n```\nThat is all.",
            json!({ "invoice_id": "x" })
        );
        for (prompt, expected) in [
            (Prompt::new().json(&record()), record()),
            (Prompt::new().data("record", &record()), record()),
            (Prompt::new().text(record().to_string()), record()),
            (
                Prompt::new()
                    .text("Hello.")
                    .data("other", &[1])
                    .json(&record()),
                record(),
            ),
            (Prompt::new().text(text), json!({ "invoice_id": "x" })),
        ] {
            let request = Request::new("m").system("```json\n{}\n```").user(prompt);
            let (found, _) = super::record(&request, ID).unwrap();
            assert_eq!(Value::Object(found), expected);
        }
    }

    #[test]
    fn the_last_message_with_a_record_counts() {
        let request = Request::new("m")
            .user(Prompt::new().json(&json!({ "invoice_id": "old" })))
            .user(
                Prompt::new()
                    .json(&json!({ "invoice_id": "new" }))
                    .json(&json!([1])),
            )
            .user("Your answer cannot be used: answer again.");
        let (found, blocks) = super::record(&request, ID).unwrap();
        assert_eq!(found.get("invoice_id"), Some(&json!("new")));
        assert_eq!(blocks.get(1), Some(&json!([1])));
    }

    #[test]
    fn a_fence_within_a_fence_is_text() {
        let text = "````text\n```\n```json\n{\"invoice_id\":\"x\"}\n```\n````";
        assert_eq!(super::record(&Request::new("m").user(text), ID), None);
    }

    #[test]
    fn only_the_user_shows_records() {
        let request = Request::new("m")
            .system(Prompt::new().json(&record()))
            .user("```\n{\n```");
        assert_eq!(super::record(&request, ID), None);
    }

    #[test]
    fn answers_of_tools_are_found_by_name_and_the_last_one_counts() {
        let call = |id: &str, name: &str| {
            Part::Call(ToolCall {
                id: id.into(),
                name: name.into(),
                arguments: "{}".into(),
            })
        };
        let result = |id: &str, content: &str| Part::CallResult {
            id: id.into(),
            content: content.into(),
        };
        let request = Request::new("m")
            .message(Message {
                role: Role::Assistant,
                content: vec![call("1", "a"), call("2", "b"), call("4", "c")],
            })
            .message(Message {
                role: Role::Tool,
                content: vec![result("2", "22"), result("1", "11"), result("4", "gone")],
            })
            .message(Message {
                role: Role::Assistant,
                content: vec![call("3", "a")],
            })
            .message(Message {
                role: Role::Tool,
                content: vec![result("3", "33"), result("9", "99")],
            });
        let answers = tool_answers(&request);
        let expected = [("a", json!(33)), ("b", json!(22)), ("c", json!("gone"))];
        let expected = expected.map(|(name, answer)| (name.to_owned(), answer));
        assert_eq!(answers, BTreeMap::from(expected));
    }
}
