//! Gemini's contents: each piece is a small answer, and the last one says why it ends.

use serde_json::{Value, json};

use super::{Growing, Odd, PARTS, Size};

#[derive(Default)]
pub(super) struct Contents {
    size: Size,
    parts: Vec<Value>,
    finish: Option<Value>,
}

impl Growing for Contents {
    fn grow(&mut self, mut piece: Value) -> Result<bool, Odd> {
        if let Some(Value::Array(parts)) = piece.pointer_mut("/candidates/0/content/parts") {
            for part in parts.iter_mut() {
                let words = part.get("text").and_then(Value::as_str);
                match words {
                    Some(words) => self.size.add(words)?,
                    None => self.size.add(&part.to_string())?,
                }
                let thought = part.get("thought").and_then(Value::as_bool) == Some(true);
                if thought || words == Some("") {
                    continue;
                }
                if let Some(words) = words
                    && let Some(last) = self.parts.last_mut()
                    && let Some(Value::String(text)) = last.get_mut("text")
                {
                    text.push_str(words);
                    continue;
                }
                if self.parts.len() >= PARTS {
                    return Err(Odd::Many);
                }
                let part = match words {
                    Some(words) => json!({ "text": words }),
                    None => part.take(),
                };
                self.parts.push(part);
            }
        }
        let finish = piece.pointer_mut("/candidates/0/finishReason");
        if let Some(finish) = finish.filter(|it| it.is_string()) {
            self.finish = Some(finish.take());
        }
        // A question that is blocked gets no candidate.
        if piece.pointer("/promptFeedback/blockReason").is_some() {
            self.finish = Some(json!("SAFETY"));
        }
        Ok(false)
    }

    fn whole(self: Box<Self>) -> Option<Value> {
        let finish = self.finish?;
        let content = json!({ "role": "model", "parts": self.parts });
        Some(json!({ "candidates": [{ "content": content, "finishReason": finish }] }))
    }
}
