//! A model's answer, as an agent reads it and as a model plugin writes it.

use serde::Serialize;

use super::{Error, Message, Part, Role};
use crate::tool::ToolCall;

/// Tokens of one model call, as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens, the cached ones included.
    pub input_tokens: u64,
    /// All output tokens, the reasoning ones included.
    pub output_tokens: u64,
    /// The part of the input that the provider had cached.
    pub cached_input_tokens: u64,
    /// The part of the output that was reasoning and is not shown.
    pub reasoning_tokens: u64,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It hit the token limit.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// The provider's filter cut in.
    ContentFilter,
}

/// How an answer came about when the model asked for could not give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degradation {
    /// Another model answered.
    BackupModel,
    /// The answer to a similar question was at hand.
    CachedSimilar,
    /// The operator's safe answer.
    SafeDefault,
}

/// A model's answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Response {
    /// Role assistant: texts and tool calls.
    pub message: Message,
    /// Why the model stopped.
    pub finish: FinishReason,
    /// What was counted.
    pub usage: Usage,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// What it cost, in micro-dollars, rounded up.
    pub cost_micros: u64,
    /// Set when this is not the plain answer of the model asked for.
    pub degraded: Option<Degradation>,
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// The next words.
    Text(String),
    /// A tool call, or the next piece of its arguments.
    CallDelta(ToolCall),
    /// The whole answer, last.
    Done(Box<Response>),
}

impl Response {
    /// An answer of these parts. The finish reason follows from them.
    pub fn new(model: impl Into<String>, content: Vec<Part>) -> Response {
        let calls = content.iter().any(|part| matches!(part, Part::Call(_)));
        Response {
            message: Message {
                role: Role::Assistant,
                content,
            },
            finish: if calls {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            },
            usage: Usage::default(),
            model: model.into(),
            cost_micros: 0,
            degraded: None,
        }
    }

    /// An answer in words.
    pub fn of_text(model: impl Into<String>, text: impl Into<String>) -> Response {
        Response::new(model, vec![Part::Text(text.into())])
    }

    /// An answer in JSON, as the text that a model writes.
    pub fn of_json(model: impl Into<String>, value: &impl Serialize) -> Result<Response, Error> {
        let text = serde_json::to_string(value)
            .map_err(|e| Error::Invalid(format!("the answer is no JSON: {e}")))?;
        Ok(Response::of_text(model, text))
    }

    /// An answer that asks for tools.
    pub fn of_calls(model: impl Into<String>, calls: Vec<ToolCall>) -> Response {
        Response::new(model, calls.into_iter().map(Part::Call).collect())
    }

    /// The same answer with its tokens counted.
    pub fn usage(mut self, usage: Usage) -> Response {
        self.usage = usage;
        self
    }

    /// All words and JSON of the answer, in order.
    pub fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) | Part::Json(text) => Some(text.clone()),
            Part::Call(_) | Part::CallResult { .. } => None,
        };
        self.message.content.iter().filter_map(text).collect()
    }

    /// The tools the model asks for, in order.
    pub fn calls(&self) -> Vec<ToolCall> {
        let call = |part: &Part| match part {
            Part::Call(call) => Some(call.clone()),
            _ => None,
        };
        self.message.content.iter().filter_map(call).collect()
    }
}
