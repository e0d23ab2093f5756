//! Anthropic's messages: blocks that begin, grow and end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Growing, Odd, PARTS, Size, text};

#[derive(Default)]
pub(super) struct Blocks {
    size: Size,
    blocks: BTreeMap<u64, Block>,
    stop: Option<Value>,
    over: bool,
}

enum Block {
    Text(String),
    Call {
        id: String,
        name: String,
        input: String,
    },
    /// Thoughts and the like: nobody asked for them.
    Other,
}

impl Growing for Blocks {
    fn grow(&mut self, mut piece: Value) -> Result<bool, Odd> {
        let kind = text(piece.get_mut("type")).unwrap_or_default();
        let number = piece.get("index").and_then(Value::as_u64).unwrap_or(0);
        match kind.as_str() {
            "content_block_start" => {
                if self.blocks.len() >= PARTS {
                    return Err(Odd::Many);
                }
                let block = piece.get_mut("content_block").ok_or(Odd::Shape)?;
                let mut said = |name: &str| text(block.get_mut(name)).unwrap_or_default();
                let block = match said("type").as_str() {
                    "text" => Block::Text(said("text")),
                    "tool_use" => Block::Call {
                        id: said("id"),
                        name: said("name"),
                        input: String::new(),
                    },
                    _ => Block::Other,
                };
                match &block {
                    Block::Text(text) => self.size.add(text)?,
                    Block::Call { id, name, .. } => {
                        self.size.add(id)?;
                        self.size.add(name)?;
                    }
                    Block::Other => {}
                }
                self.blocks.insert(number, block);
            }
            "content_block_delta" => {
                let (at, whole) = match self.blocks.get_mut(&number).ok_or(Odd::Shape)? {
                    Block::Text(text) => ("/delta/text", text),
                    Block::Call { input, .. } => ("/delta/partial_json", input),
                    Block::Other => return Ok(false),
                };
                if let Some(more) = text(piece.pointer_mut(at)) {
                    self.size.add(&more)?;
                    whole.push_str(&more);
                }
            }
            "message_delta" => {
                let stop = piece.pointer_mut("/delta/stop_reason");
                if let Some(stop) = stop.filter(|it| it.is_string()) {
                    self.stop = Some(stop.take());
                }
            }
            "message_stop" => self.over = true,
            _ => {}
        }
        Ok(self.over)
    }

    fn whole(self: Box<Self>) -> Option<Value> {
        if !self.over {
            return None;
        }
        let mut content = Vec::new();
        for block in self.blocks.into_values() {
            match block {
                Block::Text(text) if text.is_empty() => {}
                Block::Text(text) => content.push(json!({ "type": "text", "text": text })),
                Block::Call { id, name, input } => {
                    let input: Value = match input.is_empty() {
                        true => json!({}),
                        false => serde_json::from_str(&input).ok()?,
                    };
                    content.push(
                        json!({ "type": "tool_use", "id": id, "name": name, "input": input }),
                    );
                }
                Block::Other => {}
            }
        }
        Some(json!({ "content": content, "stop_reason": self.stop }))
    }
}
