//! Ollama's chat: each line is a small answer, and the last one says that it is.

use serde_json::{Value, json};

use super::{Growing, Odd, PARTS, Size, text};

#[derive(Default)]
pub(super) struct Lines {
    size: Size,
    text: String,
    calls: Vec<Value>,
    reason: Option<Value>,
    over: bool,
}

impl Growing for Lines {
    fn grow(&mut self, mut piece: Value) -> Result<bool, Odd> {
        if let Some(more) = text(piece.pointer_mut("/message/content")) {
            self.size.add(&more)?;
            self.text.push_str(&more);
        }
        if let Some(Value::Array(calls)) = piece.pointer_mut("/message/tool_calls") {
            for call in calls.iter_mut() {
                self.size.add(&call.to_string())?;
                if self.calls.len() >= PARTS {
                    return Err(Odd::Many);
                }
                self.calls.push(call.take());
            }
        }
        if piece.get("done").and_then(Value::as_bool) == Some(true) {
            self.reason = piece.get_mut("done_reason").map(Value::take);
            self.over = true;
        }
        Ok(self.over)
    }

    fn whole(self: Box<Self>) -> Option<Value> {
        if !self.over {
            return None;
        }
        let mut message = json!({ "role": "assistant", "content": self.text });
        if let Value::Object(fields) = &mut message
            && !self.calls.is_empty()
        {
            fields.insert("tool_calls".to_owned(), Value::Array(self.calls));
        }
        Some(json!({ "message": message, "done": true, "done_reason": self.reason }))
    }
}
