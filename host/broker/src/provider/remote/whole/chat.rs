//! Chat completions: pieces of one text, and of calls by their number.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Growing, Odd, PARTS, Size, text};

#[derive(Default)]
pub(super) struct Chat {
    size: Size,
    text: String,
    calls: BTreeMap<u64, Call>,
    finish: Option<Value>,
}

#[derive(Default)]
struct Call {
    id: Option<String>,
    name: String,
    arguments: String,
}

impl Growing for Chat {
    fn grow(&mut self, mut piece: Value) -> Result<bool, Odd> {
        // The piece with the usage has no choice.
        let Some(choice) = piece.pointer_mut("/choices/0") else {
            return Ok(false);
        };
        if let Some(more) = text(choice.pointer_mut("/delta/content")) {
            self.size.add(&more)?;
            self.text.push_str(&more);
        }
        if let Some(Value::Array(calls)) = choice.pointer_mut("/delta/tool_calls") {
            for (place, call) in calls.iter_mut().enumerate() {
                let number = call.get("index").and_then(Value::as_u64);
                let number = number.unwrap_or(place as u64);
                if !self.calls.contains_key(&number) && self.calls.len() >= PARTS {
                    return Err(Odd::Many);
                }
                let known = self.calls.entry(number).or_default();
                if let Some(id) = text(call.get_mut("id")).filter(|id| !id.is_empty()) {
                    self.size.add(&id)?;
                    known.id.get_or_insert(id);
                }
                for (at, whole) in [
                    ("/function/name", &mut known.name),
                    ("/function/arguments", &mut known.arguments),
                ] {
                    if let Some(more) = text(call.pointer_mut(at)) {
                        self.size.add(&more)?;
                        whole.push_str(&more);
                    }
                }
            }
        }
        if let Some(finish) = choice.get_mut("finish_reason").filter(|it| it.is_string()) {
            self.finish = Some(finish.take());
        }
        // Usage may follow, and then `[DONE]`.
        Ok(false)
    }

    fn whole(self: Box<Self>) -> Option<Value> {
        let finish = self.finish?;
        let calls = self.calls.into_iter().map(|(number, call)| {
            let Call {
                id,
                name,
                arguments,
            } = call;
            // A tool without parameters is called with nothing at all by some.
            let arguments = match arguments.is_empty() {
                true => "{}".to_owned(),
                false => arguments,
            };
            let id = id.unwrap_or_else(|| format!("call_{number}"));
            let function = json!({ "name": name, "arguments": arguments });
            json!({ "id": id, "type": "function", "function": function })
        });
        let calls: Vec<Value> = calls.collect();
        let mut message = json!({ "role": "assistant", "content": self.text });
        if let Value::Object(fields) = &mut message
            && !calls.is_empty()
        {
            fields.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        Some(json!({ "choices": [{ "index": 0, "message": message, "finish_reason": finish }] }))
    }
}
