//! OpenAI's responses: the last event is the whole answer; some servers leave its
//! items to the events before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Growing, Odd, PARTS, Size, text};

#[derive(Default)]
pub(super) struct Responses {
    size: Size,
    items: BTreeMap<u64, Value>,
    whole: Option<Value>,
}

impl Growing for Responses {
    fn grow(&mut self, mut piece: Value) -> Result<bool, Odd> {
        let kind = text(piece.get_mut("type")).unwrap_or_default();
        match kind.as_str() {
            "response.output_item.done" => {
                let number = piece.get("output_index").and_then(Value::as_u64);
                let item = piece.get_mut("item").ok_or(Odd::Shape)?.take();
                self.size.add(&item.to_string())?;
                if self.items.len() >= PARTS {
                    return Err(Odd::Many);
                }
                self.items.insert(number.unwrap_or(0), item);
            }
            "response.completed" | "response.incomplete" => {
                let mut whole = piece.get_mut("response").ok_or(Odd::Shape)?.take();
                if let Value::Object(fields) = &mut whole {
                    let items = std::mem::take(&mut self.items).into_values();
                    let none = |it: &Value| it.as_array().is_none_or(Vec::is_empty);
                    if fields.get("output").is_none_or(none) {
                        fields.insert("output".to_owned(), items.collect());
                    }
                }
                self.whole = Some(whole);
            }
            "response.failed" => return Err(Odd::Failed),
            _ => {}
        }
        Ok(self.whole.is_some())
    }

    fn whole(self: Box<Self>) -> Option<Value> {
        self.whole
    }
}
