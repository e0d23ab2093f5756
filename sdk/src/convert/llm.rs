//! The types of model calls. Both directions: an agent sends requests and reads
//! responses, a model plugin does the reverse.

use crate::llm::{
    Chunk, Degradation, Error, FinishReason, Message, Part, Request, Response, ResponseFormat,
    Role, Usage,
};
use crate::wit::agent::hotcell::capability::llm as wit;

impl From<Role> for wit::Role {
    fn from(role: Role) -> wit::Role {
        match role {
            Role::System => wit::Role::System,
            Role::User => wit::Role::User,
            Role::Assistant => wit::Role::Assistant,
            Role::Tool => wit::Role::Tool,
        }
    }
}

impl From<wit::Role> for Role {
    fn from(role: wit::Role) -> Role {
        match role {
            wit::Role::System => Role::System,
            wit::Role::User => Role::User,
            wit::Role::Assistant => Role::Assistant,
            wit::Role::Tool => Role::Tool,
        }
    }
}

impl From<Part> for wit::Part {
    fn from(part: Part) -> wit::Part {
        match part {
            Part::Text(text) => wit::Part::Text(text),
            Part::Json(text) => wit::Part::Json(text),
            Part::Call(call) => wit::Part::Call(call.into()),
            Part::CallResult { id, content } => wit::Part::CallResult((id, content)),
        }
    }
}

impl From<wit::Part> for Part {
    fn from(part: wit::Part) -> Part {
        match part {
            wit::Part::Text(text) => Part::Text(text),
            wit::Part::Json(text) => Part::Json(text),
            wit::Part::Call(call) => Part::Call(call.into()),
            wit::Part::CallResult((id, content)) => Part::CallResult { id, content },
        }
    }
}

impl From<Message> for wit::Message {
    fn from(message: Message) -> wit::Message {
        wit::Message {
            role: message.role.into(),
            content: message.content.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wit::Message> for Message {
    fn from(message: wit::Message) -> Message {
        Message {
            role: message.role.into(),
            content: message.content.into_iter().map(Part::from).collect(),
        }
    }
}

impl From<ResponseFormat> for wit::ResponseFormat {
    fn from(format: ResponseFormat) -> wit::ResponseFormat {
        match format {
            ResponseFormat::Text => wit::ResponseFormat::Text,
            ResponseFormat::JsonObject => wit::ResponseFormat::JsonObject,
            ResponseFormat::JsonSchema(schema) => wit::ResponseFormat::JsonSchema(schema),
        }
    }
}

impl From<wit::ResponseFormat> for ResponseFormat {
    fn from(format: wit::ResponseFormat) -> ResponseFormat {
        match format {
            wit::ResponseFormat::Text => ResponseFormat::Text,
            wit::ResponseFormat::JsonObject => ResponseFormat::JsonObject,
            wit::ResponseFormat::JsonSchema(schema) => ResponseFormat::JsonSchema(schema),
        }
    }
}

impl From<Request> for wit::Request {
    fn from(request: Request) -> wit::Request {
        wit::Request {
            model: request.model,
            messages: request.messages.into_iter().map(Into::into).collect(),
            tools: request.tools.into_iter().map(Into::into).collect(),
            response_format: request.response_format.into(),
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            seed: request.seed,
            stop: request.stop,
        }
    }
}

impl From<wit::Request> for Request {
    fn from(request: wit::Request) -> Request {
        Request {
            model: request.model,
            messages: request.messages.into_iter().map(Message::from).collect(),
            tools: request.tools.into_iter().map(Into::into).collect(),
            response_format: request.response_format.into(),
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            seed: request.seed,
            stop: request.stop,
            broken: None,
        }
    }
}

impl From<FinishReason> for wit::FinishReason {
    fn from(finish: FinishReason) -> wit::FinishReason {
        match finish {
            FinishReason::Stop => wit::FinishReason::Stop,
            FinishReason::Length => wit::FinishReason::Length,
            FinishReason::ToolCalls => wit::FinishReason::ToolCalls,
            FinishReason::ContentFilter => wit::FinishReason::ContentFilter,
        }
    }
}

impl From<wit::FinishReason> for FinishReason {
    fn from(finish: wit::FinishReason) -> FinishReason {
        match finish {
            wit::FinishReason::Stop => FinishReason::Stop,
            wit::FinishReason::Length => FinishReason::Length,
            wit::FinishReason::ToolCalls => FinishReason::ToolCalls,
            wit::FinishReason::ContentFilter => FinishReason::ContentFilter,
        }
    }
}

impl From<Degradation> for wit::Degradation {
    fn from(degradation: Degradation) -> wit::Degradation {
        match degradation {
            Degradation::BackupModel => wit::Degradation::BackupModel,
            Degradation::CachedSimilar => wit::Degradation::CachedSimilar,
            Degradation::SafeDefault => wit::Degradation::SafeDefault,
        }
    }
}

impl From<wit::Degradation> for Degradation {
    fn from(degradation: wit::Degradation) -> Degradation {
        match degradation {
            wit::Degradation::BackupModel => Degradation::BackupModel,
            wit::Degradation::CachedSimilar => Degradation::CachedSimilar,
            wit::Degradation::SafeDefault => Degradation::SafeDefault,
        }
    }
}

impl From<Usage> for wit::Usage {
    fn from(usage: Usage) -> wit::Usage {
        wit::Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

impl From<wit::Usage> for Usage {
    fn from(usage: wit::Usage) -> Usage {
        Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

impl From<Response> for wit::Response {
    fn from(response: Response) -> wit::Response {
        wit::Response {
            message: response.message.into(),
            finish: response.finish.into(),
            usage: response.usage.into(),
            model: response.model,
            cost_micros: response.cost_micros,
            degraded: response.degraded.map(Into::into),
        }
    }
}

impl From<wit::Response> for Response {
    fn from(response: wit::Response) -> Response {
        Response {
            message: response.message.into(),
            finish: response.finish.into(),
            usage: response.usage.into(),
            model: response.model,
            cost_micros: response.cost_micros,
            degraded: response.degraded.map(Degradation::from),
        }
    }
}

impl From<wit::Chunk> for Chunk {
    fn from(chunk: wit::Chunk) -> Chunk {
        match chunk {
            wit::Chunk::Text(text) => Chunk::Text(text),
            wit::Chunk::CallDelta(call) => Chunk::CallDelta(call.into()),
            wit::Chunk::Done(response) => Chunk::Done(Box::new(response.into())),
        }
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> wit::Error {
        match error {
            Error::Denied(denial) => wit::Error::Denied(denial.into()),
            Error::BudgetExhausted => wit::Error::BudgetExhausted,
            Error::RateLimited(ms) => wit::Error::RateLimited(ms),
            Error::Unavailable(text) => wit::Error::Unavailable(text),
            Error::Timeout => wit::Error::Timeout,
            Error::Invalid(text) => wit::Error::Invalid(text),
            Error::ContextTooLong => wit::Error::ContextTooLong,
            Error::Cancelled => wit::Error::Cancelled,
        }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Error {
        match error {
            wit::Error::Denied(denial) => Error::Denied(denial.into()),
            wit::Error::BudgetExhausted => Error::BudgetExhausted,
            wit::Error::RateLimited(ms) => Error::RateLimited(ms),
            wit::Error::Unavailable(text) => Error::Unavailable(text),
            wit::Error::Timeout => Error::Timeout,
            wit::Error::Invalid(text) => Error::Invalid(text),
            wit::Error::ContextTooLong => Error::ContextTooLong,
            wit::Error::Cancelled => Error::Cancelled,
        }
    }
}
