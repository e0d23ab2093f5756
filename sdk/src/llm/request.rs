//! A model call as it is put together: messages, their parts, and what the
//! answer should look like.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Json, Response, Stream, json};
use crate::import;
use crate::prompt::Prompt;
use crate::tool::{ToolCall, ToolSpec};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// A JSON value as text.
    Json(String),
    /// The model asks for a tool (role assistant).
    Call(ToolCall),
    /// The answer to a tool call (role tool).
    CallResult {
        /// The call's id.
        id: String,
        /// A JSON value as text.
        content: String,
    },
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Part>,
}

/// What the answer must look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResponseFormat {
    /// Anything.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that meets this schema (JSON text). Providers try; only the
    /// caller's own check makes it sure.
    JsonSchema(String),
}

/// One model call. Built by an agent, read by a [`crate::Model`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// An alias from the operator's host file, such as `default`.
    pub model: String,
    /// Oldest first; at least one.
    pub messages: Vec<Message>,
    /// Tools the model may ask for. The host does not call them: the caller
    /// does, see [`crate::ToolLoop`].
    pub tools: Vec<ToolSpec>,
    /// What the answer must look like.
    pub response_format: ResponseFormat,
    /// At most this many output tokens.
    pub max_tokens: Option<u32>,
    /// 0.0 to 2.0; left to the provider when none.
    pub temperature: Option<f32>,
    /// Passed on where the provider supports it.
    pub seed: Option<u64>,
    /// Up to 4 texts that end the answer.
    pub stop: Vec<String>,
    /// The first part that could not be built; the call is refused with it, so
    /// that a prompt never goes out with a hole in it.
    pub(crate) broken: Option<String>,
}

impl Request {
    /// A call to the model behind an alias.
    pub fn new(model: impl Into<String>) -> Request {
        Request {
            model: model.into(),
            ..Request::default()
        }
    }

    /// The frame: rules that hold whatever the data says.
    pub fn system(self, prompt: impl Into<Prompt>) -> Request {
        self.prompt(Role::System, prompt.into())
    }

    /// The task and its data.
    pub fn user(self, prompt: impl Into<Prompt>) -> Request {
        self.prompt(Role::User, prompt.into())
    }

    /// One more turn, as it is.
    pub fn message(mut self, message: Message) -> Request {
        self.messages.push(message);
        self
    }

    /// The answers to a message's tool calls: ids and contents.
    pub(crate) fn results(self, results: Vec<(String, String)>) -> Request {
        let part = |(id, content)| Part::CallResult { id, content };
        let content = results.into_iter().map(part).collect();
        self.message(Message {
            role: Role::Tool,
            content,
        })
    }

    /// Tools the model may ask for.
    pub fn tools(mut self, tools: impl IntoIterator<Item = ToolSpec>) -> Request {
        self.tools.extend(tools);
        self
    }

    /// The answer shall be some JSON object.
    pub fn json_object(mut self) -> Request {
        self.response_format = ResponseFormat::JsonObject;
        self
    }

    /// The answer shall be JSON that meets this schema, given as text or as a
    /// [`serde_json::Value`].
    pub fn json_schema(mut self, schema: impl fmt::Display) -> Request {
        self.response_format = ResponseFormat::JsonSchema(schema.to_string());
        self
    }

    /// At most this many output tokens.
    pub fn max_tokens(mut self, tokens: u32) -> Request {
        self.max_tokens = Some(tokens);
        self
    }

    /// 0.0 (always the likeliest word) to 2.0.
    pub fn temperature(mut self, temperature: f32) -> Request {
        self.temperature = Some(temperature);
        self
    }

    /// The same seed asks for the same answer, where the provider supports it.
    pub fn seed(mut self, seed: u64) -> Request {
        self.seed = Some(seed);
        self
    }

    /// A text that ends the answer.
    pub fn stop(mut self, text: impl Into<String>) -> Request {
        self.stop.push(text.into());
        self
    }

    /// Asks and waits for the whole answer.
    pub fn complete(&self) -> Result<Response, Error> {
        self.unbroken()?;
        import::complete(self)
    }

    /// Asks for an answer that comes piece by piece.
    pub fn stream(&self) -> Result<Stream, Error> {
        self.unbroken()?;
        import::start(self).map(|inner| Stream { inner })
    }

    /// Asks for a value of `T`. Say what it looks like with
    /// [`Request::json_schema`] first.
    ///
    /// An answer that is not JSON, or not a `T`, is asked for **once** more: the
    /// model gets its answer back together with what was wrong about it. When
    /// the second answer cannot be read either, the error is
    /// [`Error::Unavailable`]. A JSON value inside one Markdown fence is read as
    /// if the fence were not there.
    pub fn complete_json<T: DeserializeOwned>(&self) -> Result<Json<T>, Error> {
        json::complete(self, |_| Ok(()))
    }

    /// As [`Request::complete_json`], for a value that passes a check as well: one
    /// that does not is asked for once more with the check's words, a fragment
    /// such as ``"`vendor` is missing"``.
    pub fn complete_json_if<T: DeserializeOwned>(
        &self,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> Result<Json<T>, Error> {
        json::complete(self, check)
    }

    fn unbroken(&self) -> Result<(), Error> {
        match &self.broken {
            Some(text) => Err(Error::Invalid(text.clone())),
            None => Ok(()),
        }
    }

    fn prompt(mut self, role: Role, prompt: Prompt) -> Request {
        self.broken = self.broken.or(prompt.broken);
        self.message(Message {
            role,
            content: prompt.parts,
        })
    }
}

impl Part {
    /// A JSON value.
    pub fn json(value: &impl Serialize) -> Result<Part, Error> {
        serde_json::to_string(value)
            .map(Part::Json)
            .map_err(|e| Error::Invalid(format!("a part is no JSON: {e}")))
    }
}
