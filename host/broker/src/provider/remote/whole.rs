//! From a stream of pieces to the whole answer, as the same protocol would have sent
//! it at once. That is what `genai` then reads.
//!
//! Pieces are put where they belong by number, in a map and never in a list, so that
//! a provider's number costs nothing. All of them together are bounded.

mod blocks;
mod chat;
mod contents;
mod lines;
mod responses;

use bytes::Bytes;
use futures::Stream;
use serde_json::Value;

use super::MAX_ANSWER;
use super::failure::{broke_off, broken_in_the_middle, unavailable};
use super::protocol::Protocol;
use super::reading::{LINE, Reading};
use super::usage::Reported;
use crate::llm::LlmError;

/// The most calls, or other parts, of one answer.
const PARTS: usize = 256;

/// Why a piece does not fit.
#[derive(Debug)]
enum Odd {
    Long,
    Many,
    Shape,
    /// The provider says that it failed.
    Failed,
}

impl From<Odd> for LlmError {
    fn from(odd: Odd) -> LlmError {
        unavailable(match odd {
            Odd::Failed => return broken_in_the_middle(&Value::Null),
            Odd::Long => "the answer is longer than 8 MiB",
            Odd::Many => "the answer has more than 256 parts",
            Odd::Shape => "the answer does not have the shape of its protocol",
        })
    }
}

/// An answer that grows.
trait Growing: Send {
    /// Takes a piece; true when it was the last one.
    fn grow(&mut self, piece: Value) -> Result<bool, Odd>;

    /// The whole, unless pieces are missing.
    fn whole(self: Box<Self>) -> Option<Value>;
}

/// How much of an answer there is.
#[derive(Default)]
struct Size(usize);

impl Size {
    fn add(&mut self, text: &str) -> Result<(), Odd> {
        self.0 = self.0.saturating_add(text.len());
        match self.0 <= MAX_ANSWER {
            true => Ok(()),
            false => Err(Odd::Long),
        }
    }
}

fn growing(protocol: Protocol) -> Box<dyn Growing> {
    match protocol {
        Protocol::OpenAi => Box::<chat::Chat>::default(),
        Protocol::OpenAiResponses => Box::<responses::Responses>::default(),
        Protocol::Anthropic => Box::<blocks::Blocks>::default(),
        Protocol::Gemini => Box::<contents::Contents>::default(),
        Protocol::Ollama => Box::<lines::Lines>::default(),
    }
}

/// Reads a stream to its end.
pub(super) async fn listen<S, E>(
    protocol: Protocol,
    mut reading: Reading<S>,
    reported: &mut Reported,
) -> Result<Value, LlmError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Send,
{
    let mut whole = growing(protocol);
    // The lines of an event that began, where events have several.
    let mut data: Vec<u8> = Vec::new();
    loop {
        let line = reading.line().await?;
        let over = line.is_none();
        let line = line.unwrap_or_default();
        if protocol == Protocol::Ollama {
            data.extend_from_slice(&line);
        } else if let Some(more) = line.strip_prefix(b"data:") {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(more.strip_prefix(b" ").unwrap_or(more));
            if data.len() > LINE {
                return Err(Odd::Long.into());
            }
            continue;
        } else if !line.is_empty() {
            // The event's name, which its data repeats, or a comment.
            continue;
        }
        let event = std::mem::take(&mut data);
        if event.trim_ascii() == b"[DONE]" {
            break;
        }
        if !event.trim_ascii().is_empty() && take(protocol, &mut *whole, &event, reported)? {
            break;
        }
        if over {
            break;
        }
    }
    whole.whole().ok_or_else(broke_off)
}

/// Takes one event; true when it was the last one.
fn take(
    protocol: Protocol,
    whole: &mut dyn Growing,
    event: &[u8],
    reported: &mut Reported,
) -> Result<bool, LlmError> {
    let piece: Value =
        serde_json::from_slice(event).map_err(|_| unavailable("the answer is no JSON"))?;
    let failed = piece.get("error").filter(|error| !error.is_null());
    if let Some(error) = failed {
        return Err(broken_in_the_middle(error));
    }
    reported.note(protocol, &piece);
    Ok(whole.grow(piece)?)
}

/// Takes a text out of a value.
fn text(value: Option<&mut Value>) -> Option<String> {
    match value.map(Value::take) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
