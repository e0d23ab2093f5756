//! Model calls as the broker sees them: the types of the `llm` capability, one
//! to one with `wit/capability/llm.wit`, and the trait a provider implements.
//!
//! A provider answers; it does not decide whether it may, does not count and
//! does not price. All of that is [`crate::Broker`]'s.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::tool::{EffectKind, ToolCall, ToolSpec};
use crate::{Broker, Caller, Denial};

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The frame the agent's author sets.
    System,
    /// The task.
    User,
    /// The model.
    Assistant,
    /// The answer of a tool.
    Tool,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Words.
    Text(String),
    /// A JSON value as text.
    Json(String),
    /// The model asks for a tool.
    Call(ToolCall),
    /// The answer to a tool call: its id and the content as JSON text.
    CallResult(String, String),
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Part>,
}

/// What the answer must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseFormat {
    /// Anything.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that meets this schema (JSON text).
    JsonSchema(String),
}

/// One model call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// An alias from `host.toml`.
    pub model: String,
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Tools the model may ask for.
    pub tools: Vec<ToolSpec>,
    /// What the answer must look like.
    pub response_format: ResponseFormat,
    /// At most this many output tokens.
    pub max_tokens: Option<u32>,
    /// 0.0 to 2.0.
    pub temperature: Option<f32>,
    /// Passed on where the provider supports it.
    pub seed: Option<u64>,
    /// Up to four texts that end the answer.
    pub stop: Vec<String>,
}

impl Message {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let part = |part: &Part| match part {
            Part::Text(text) | Part::Json(text) => text.len(),
            Part::Call(call) => call.bytes(),
            Part::CallResult(id, content) => id.len().saturating_add(content.len()),
        };
        let each = |it: &Part| part(it).saturating_add(size_of::<Part>());
        size_of::<Message>().saturating_add(self.content.iter().map(each).sum())
    }
}

impl Request {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let messages: usize = self.messages.iter().map(Message::bytes).sum();
        let tools: usize = self.tools.iter().map(ToolSpec::bytes).sum();
        let stop: usize = self.stop.iter().map(String::len).sum();
        [messages, tools, stop, self.model.len()]
            .into_iter()
            .fold(size_of::<Request>(), usize::saturating_add)
    }

    /// Refuses numbers outside the ranges the contract names, before anybody is
    /// asked. The text says what to change.
    pub fn check(&self) -> Result<(), String> {
        if self.messages.is_empty() {
            return Err("`messages` is empty".to_owned());
        }
        if self.max_tokens == Some(0) {
            return Err("`max-tokens` is 0; it must be 1 or more".to_owned());
        }
        match self.temperature {
            Some(t) if !(0.0..=2.0).contains(&t) => {
                return Err(format!("`temperature` is {t}; it must be 0 to 2"));
            }
            _ => {}
        }
        if self.stop.len() > 4 {
            return Err(format!("`stop` has {} texts; at most 4", self.stop.len()));
        }
        match &self.response_format {
            ResponseFormat::JsonSchema(schema) => {
                serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(schema)
                    .map(drop)
                    .map_err(|error| format!("`json-schema` is not a JSON object: {error}"))
            }
            _ => Ok(()),
        }
    }
}

/// Tokens of one model call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input_tokens: u64,
    /// All output tokens, reasoning ones included.
    pub output_tokens: u64,
    /// Input tokens the provider had cached.
    pub cached_input_tokens: u64,
    /// Output tokens that were reasoning.
    pub reasoning_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cached_input_tokens = self
            .cached_input_tokens
            .saturating_add(other.cached_input_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
    }
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// What a provider answers. Price and alias are added by the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Role assistant.
    pub message: Message,
    /// Why the model stopped.
    pub finish: FinishReason,
    /// Tokens. A provider that reports none estimates them and says so in
    /// `usage_estimated`.
    pub usage: Usage,
    /// True when `usage` is an estimate (four characters a token).
    pub usage_estimated: bool,
    /// The model that answered, as the provider names it.
    pub model: String,
}

/// A priced answer, as the guest gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The provider's answer.
    pub completion: Completion,
    /// Micro-dollars, rounded up.
    pub cost_micros: u64,
    /// Set when this is not the plain answer of the model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degradation>,
}

/// How an answer came about when the model asked for could not give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Degradation {
    /// Another model answered.
    BackupModel,
    /// It was answered before, to a question that is much the same.
    CachedSimilar,
    /// Nobody answered; the operator has written down what is said then.
    SafeDefault,
}

/// Why there is no answer; the guest sees these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LlmError {
    /// Policy says no.
    #[error("denied: {0}")]
    Denied(Denial),
    /// The call could cost more than is left.
    #[error("budget exhausted")]
    BudgetExhausted,
    /// The provider is busy; try after so many milliseconds.
    #[error("rate limited")]
    RateLimited(Option<u32>),
    /// The provider is down or answered nonsense.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// No answer within the deadline.
    #[error("timeout")]
    Timeout,
    /// The request cannot be served as it is.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// More input than the model takes.
    #[error("context too long")]
    ContextTooLong,
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl LlmError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            LlmError::Denied(_) => "denied",
            LlmError::BudgetExhausted => "budget-exhausted",
            LlmError::RateLimited(_) => "rate-limited",
            LlmError::Unavailable(_) => "unavailable",
            LlmError::Timeout => "timeout",
            LlmError::Invalid(_) => "invalid",
            LlmError::ContextTooLong => "context-too-long",
            LlmError::Cancelled => "cancelled",
        }
    }

    /// How long the provider asked to wait, in milliseconds.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            LlmError::RateLimited(after) => after.map(u64::from),
            _ => None,
        }
    }
}

/// Texts to be made into vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedAsk {
    /// An alias.
    pub model: String,
    /// One vector is made of each.
    pub texts: Vec<String>,
}

impl EmbedAsk {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        self.texts.iter().fold(self.model.len(), |sum, text| {
            sum.saturating_add(size_of::<String>())
                .saturating_add(text.len())
        })
    }
}

/// Vectors, in the order of the texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// All of one length.
    pub vectors: Vec<Vec<f32>>,
    /// What was counted.
    pub usage: Usage,
    /// What it cost, in micro-dollars.
    pub cost_micros: u64,
}

/// Where an answer comes from. Shown wherever results are shown, so that nobody
/// takes a simulation for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A real model.
    Live,
    /// A simulator: solver plus fault model.
    Simulated,
    /// Prepared replies.
    Scripted,
    /// A model plugin; what it stands for is the plugin's business.
    Plugin,
    /// What a real model answered once, from a recording.
    Recorded,
}

impl Origin {
    /// What a crash between call and answer means: a real model may have been
    /// paid for an answer that nobody has; the others cost nobody anything.
    pub fn effect(self) -> EffectKind {
        match self {
            Origin::Live => EffectKind::UnsafeToRepeat,
            Origin::Simulated | Origin::Scripted | Origin::Plugin | Origin::Recorded => {
                EffectKind::ReadOnly
            }
        }
    }
}

/// How long an answer took, and on which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// The provider really took its time: the broker measures it.
    Wall,
    /// A simulated latency: nobody waited.
    Virtual(Duration),
}

/// What a provider gives back for one call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer or why there is none.
    pub result: Result<Completion, LlmError>,
    /// How long it took.
    pub took: Took,
    /// What it cost in micro-dollars, where that is not its usage at the route's
    /// price: when several were asked, or nobody.
    pub cost_micros: Option<u64>,
    /// Set when this is not the plain answer of the model asked for.
    pub degraded: Option<Degradation>,
}

impl Answer {
    /// The plain answer of one model.
    pub fn new(result: Result<Completion, LlmError>, took: Took) -> Answer {
        Answer {
            result,
            took,
            cost_micros: None,
            degraded: None,
        }
    }

    /// The same on the wall clock.
    pub fn wall(result: Result<Completion, LlmError>) -> Answer {
        Answer::new(result, Took::Wall)
    }
}

/// Somebody who answers model calls.
///
/// Called with `&self` from many runs at once. The broker puts the route's
/// deadline and the run's cancellation around the call; a provider only has to
/// be safe to drop.
#[async_trait]
pub trait LlmProvider: Send + Sync {
    /// Where this provider's answers come from.
    fn origin(&self) -> Origin;

    /// One call. `broker` and `caller` are for providers that run a plugin or
    /// key their draws by the attempt.
    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer;

    /// A vector for each text. Most providers make none.
    async fn embed(
        &self,
        _broker: &Broker,
        _caller: &Caller,
        _ask: &EmbedAsk,
    ) -> Result<Embedding, LlmError> {
        let text = "this model, or what stands before it, makes no vectors";
        Err(LlmError::Invalid(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_ranges_are_refused_by_name() {
        let good = Request {
            model: "m".to_owned(),
            messages: vec![Message {
                role: Role::User,
                content: Vec::new(),
            }],
            tools: Vec::new(),
            response_format: ResponseFormat::JsonSchema("{}".to_owned()),
            max_tokens: Some(1),
            temperature: Some(2.0),
            seed: None,
            stop: vec![String::new(); 4],
        };
        assert_eq!(good.check(), Ok(()));
        type Spoil = fn(&mut Request);
        let table: [(&str, Spoil); 6] = [
            ("messages", |r| r.messages.clear()),
            ("max-tokens", |r| r.max_tokens = Some(0)),
            ("temperature", |r| r.temperature = Some(-0.1)),
            ("temperature", |r| r.temperature = Some(f32::NAN)),
            ("stop", |r| r.stop.push(String::new())),
            ("json-schema", |r| {
                r.response_format = ResponseFormat::JsonSchema("[".to_owned())
            }),
        ];
        for (field, spoil) in table {
            let mut request = good.clone();
            spoil(&mut request);
            assert!(request.check().unwrap_err().contains(field), "{field}");
        }
    }
}
