//! `hotcell:capability/llm`: model calls, through the broker. The translations
//! serve both directions, because a model plugin is asked with the same types.

use std::collections::VecDeque;

use hotcell_broker::llm as broker;
use hotcell_broker::{self as host, tool};
use wasmtime::component::Resource;

use super::tools::{call_to_guest, call_to_host};
use crate::bindings::capability::llm::{
    Chunk, Degradation, Error, FinishReason, Host, HostCompletion, Message, Part, Request,
    Response, ResponseFormat, Role,
};
use crate::bindings::capability::types::{Denial, EffectKind, ToolSpec, Usage};
use crate::cell::State;
use crate::limits::Hold;

/// A streamed answer: what is still to be told.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Completion {
    chunks: VecDeque<Result<Chunk, Error>>,
    /// What it takes in the host counts as the guest's.
    _held: Hold,
}

pub(crate) fn denial(reason: host::Denial) -> Denial {
    match reason {
        host::Denial::NotGranted(what) => Denial::NotGranted(what),
        host::Denial::Expired => Denial::Expired,
        host::Denial::Revoked => Denial::Revoked,
        host::Denial::Unavailable => Denial::Unavailable,
    }
}

pub(crate) fn denial_to_host(reason: Denial) -> host::Denial {
    match reason {
        Denial::NotGranted(what) => host::Denial::NotGranted(what),
        Denial::Expired => host::Denial::Expired,
        Denial::Revoked => host::Denial::Revoked,
        Denial::Unavailable => host::Denial::Unavailable,
    }
}

pub(crate) fn spec_to_guest(spec: tool::ToolSpec) -> ToolSpec {
    ToolSpec {
        name: spec.name,
        description: spec.description,
        input_schema: spec.input_schema,
        output_schema: spec.output_schema,
        effect: match spec.effect {
            tool::EffectKind::ReadOnly => EffectKind::ReadOnly,
            tool::EffectKind::Idempotent => EffectKind::Idempotent,
            tool::EffectKind::UnsafeToRepeat => EffectKind::UnsafeToRepeat,
        },
    }
}

pub(crate) fn spec_to_host(spec: ToolSpec) -> tool::ToolSpec {
    tool::ToolSpec {
        name: spec.name,
        description: spec.description,
        input_schema: spec.input_schema,
        output_schema: spec.output_schema,
        effect: match spec.effect {
            EffectKind::ReadOnly => tool::EffectKind::ReadOnly,
            EffectKind::Idempotent => tool::EffectKind::Idempotent,
            EffectKind::UnsafeToRepeat => tool::EffectKind::UnsafeToRepeat,
        },
    }
}

fn message_to_host(message: Message) -> broker::Message {
    broker::Message {
        role: match message.role {
            Role::System => broker::Role::System,
            Role::User => broker::Role::User,
            Role::Assistant => broker::Role::Assistant,
            Role::Tool => broker::Role::Tool,
        },
        content: message
            .content
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => broker::Part::Text(text),
                Part::Json(json) => broker::Part::Json(json),
                Part::Call(call) => broker::Part::Call(call_to_host(call)),
                Part::CallResult((id, content)) => broker::Part::CallResult(id, content),
            })
            .collect(),
    }
}

fn message_to_guest(message: broker::Message) -> Message {
    Message {
        role: match message.role {
            broker::Role::System => Role::System,
            broker::Role::User => Role::User,
            broker::Role::Assistant => Role::Assistant,
            broker::Role::Tool => Role::Tool,
        },
        content: message
            .content
            .into_iter()
            .map(|part| match part {
                broker::Part::Text(text) => Part::Text(text),
                broker::Part::Json(json) => Part::Json(json),
                broker::Part::Call(call) => Part::Call(call_to_guest(call)),
                broker::Part::CallResult(id, content) => Part::CallResult((id, content)),
            })
            .collect(),
    }
}

fn request_to_host(request: Request) -> broker::Request {
    broker::Request {
        model: request.model,
        messages: request.messages.into_iter().map(message_to_host).collect(),
        tools: request.tools.into_iter().map(spec_to_host).collect(),
        response_format: match request.response_format {
            ResponseFormat::Text => broker::ResponseFormat::Text,
            ResponseFormat::JsonObject => broker::ResponseFormat::JsonObject,
            ResponseFormat::JsonSchema(schema) => broker::ResponseFormat::JsonSchema(schema),
        },
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        seed: request.seed,
        stop: request.stop,
    }
}

pub(crate) fn request_to_guest(request: broker::Request) -> Request {
    Request {
        model: request.model,
        messages: request.messages.into_iter().map(message_to_guest).collect(),
        tools: request.tools.into_iter().map(spec_to_guest).collect(),
        response_format: match request.response_format {
            broker::ResponseFormat::Text => ResponseFormat::Text,
            broker::ResponseFormat::JsonObject => ResponseFormat::JsonObject,
            broker::ResponseFormat::JsonSchema(schema) => ResponseFormat::JsonSchema(schema),
        },
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        seed: request.seed,
        stop: request.stop,
    }
}

fn response_to_guest(response: broker::Response) -> Response {
    let broker::Response {
        completion,
        cost_micros,
        degraded,
    } = response;
    Response {
        message: message_to_guest(completion.message),
        finish: match completion.finish {
            broker::FinishReason::Stop => FinishReason::Stop,
            broker::FinishReason::Length => FinishReason::Length,
            broker::FinishReason::ToolCalls => FinishReason::ToolCalls,
            broker::FinishReason::ContentFilter => FinishReason::ContentFilter,
        },
        usage: Usage {
            input_tokens: completion.usage.input_tokens,
            output_tokens: completion.usage.output_tokens,
            cached_input_tokens: completion.usage.cached_input_tokens,
            reasoning_tokens: completion.usage.reasoning_tokens,
        },
        model: completion.model,
        cost_micros,
        degraded: degraded.map(|how| match how {
            broker::Degradation::BackupModel => Degradation::BackupModel,
            broker::Degradation::CachedSimilar => Degradation::CachedSimilar,
            broker::Degradation::SafeDefault => Degradation::SafeDefault,
        }),
    }
}

pub(crate) fn response_to_host(response: Response) -> broker::Completion {
    broker::Completion {
        message: message_to_host(response.message),
        finish: match response.finish {
            FinishReason::Stop => broker::FinishReason::Stop,
            FinishReason::Length => broker::FinishReason::Length,
            FinishReason::ToolCalls => broker::FinishReason::ToolCalls,
            FinishReason::ContentFilter => broker::FinishReason::ContentFilter,
        },
        usage: broker::Usage {
            input_tokens: response.usage.input_tokens,
            output_tokens: response.usage.output_tokens,
            cached_input_tokens: response.usage.cached_input_tokens,
            reasoning_tokens: response.usage.reasoning_tokens,
        },
        usage_estimated: false,
        model: response.model,
    }
}

fn error_to_guest(error: broker::LlmError) -> Error {
    use broker::LlmError as E;
    match error {
        E::Denied(reason) => Error::Denied(denial(reason)),
        E::BudgetExhausted => Error::BudgetExhausted,
        E::RateLimited(after) => Error::RateLimited(after),
        E::Unavailable(text) => Error::Unavailable(text),
        E::Timeout => Error::Timeout,
        E::Invalid(text) => Error::Invalid(text),
        E::ContextTooLong => Error::ContextTooLong,
        E::Cancelled => Error::Cancelled,
    }
}

pub(crate) fn error_to_host(error: Error) -> broker::LlmError {
    use broker::LlmError as E;
    match error {
        Error::Denied(reason) => E::Denied(denial_to_host(reason)),
        Error::BudgetExhausted => E::BudgetExhausted,
        Error::RateLimited(after) => E::RateLimited(after),
        Error::Unavailable(text) => E::Unavailable(text),
        Error::Timeout => E::Timeout,
        Error::Invalid(text) => E::Invalid(text),
        Error::ContextTooLong => E::ContextTooLong,
        Error::Cancelled => E::Cancelled,
    }
}

fn result_to_guest(result: Result<broker::Response, broker::LlmError>) -> Result<Response, Error> {
    result.map(response_to_guest).map_err(error_to_guest)
}

impl Host for State {
    async fn complete(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let request = request_to_host(request);
        let result = self
            .outside(request.bytes(), async |broker, caller| {
                broker.complete(caller, request).await
            })
            .await?;
        let result = result_to_guest(result);
        self.hand("llm.complete", &result);
        Ok(result)
    }

    async fn complete_all(
        &mut self,
        requests: Vec<Request>,
    ) -> wasmtime::Result<Vec<Result<Response, Error>>> {
        let requests: Vec<_> = requests.into_iter().map(request_to_host).collect();
        let bytes = requests.iter().map(broker::Request::bytes).sum();
        let results = self
            .outside(bytes, async |broker, caller| {
                broker.complete_all(caller, requests).await
            })
            .await?;
        let results: Vec<_> = results.into_iter().map(result_to_guest).collect();
        self.hand("llm.complete-all", &results);
        Ok(results)
    }

    /// The whole answer, told in pieces once the journal has it: a run that is done
    /// again from the journal hears the same pieces. Providers that stream do it for
    /// the host's own sake.
    async fn start(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<Result<Resource<Completion>, Error>> {
        let request = request_to_host(request);
        let result = self
            .outside(request.bytes(), async |broker, caller| {
                broker.complete(caller, request).await
            })
            .await?;
        // The answer is kept until the guest has read it, and once more in pieces.
        let bytes = result
            .as_ref()
            .map_or(0, |it| it.completion.message.bytes().saturating_mul(2));
        let held = self.hold(bytes)?;
        let result = result_to_guest(result);
        self.hand("llm.start", &result);
        let response = match result {
            Ok(response) => response,
            Err(error) => return Ok(Err(error)),
        };
        let pieces = response
            .message
            .content
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) | Part::Json(text) => Some(Ok(Chunk::Text(text.clone()))),
                Part::Call(call) => Some(Ok(Chunk::CallDelta(call.clone()))),
                Part::CallResult(_) => None,
            });
        let mut chunks: VecDeque<_> = pieces.collect();
        chunks.push_back(Ok(Chunk::Done(response)));
        Ok(Ok(self.table.push(Completion {
            chunks,
            _held: held,
        })?))
    }

    async fn embed(
        &mut self,
        model: String,
        texts: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Vec<f32>>, Error>> {
        let asked = broker::EmbedAsk { model, texts };
        let result = self
            .outside(asked.bytes(), async |broker, caller| {
                broker.embed(caller, asked).await
            })
            .await?;
        let result = result.map(|made| made.vectors).map_err(error_to_guest);
        self.hand("llm.embed", &result);
        Ok(result)
    }
}

impl HostCompletion for State {
    async fn next(
        &mut self,
        completion: Resource<Completion>,
    ) -> wasmtime::Result<Result<Option<Chunk>, Error>> {
        let chunks = &mut self.table.get_mut(&completion)?.chunks;
        // A piece of an answer that the journal has as a whole.
        let chunk = chunks.pop_front().transpose();
        self.hand("completion.next", &chunk);
        Ok(chunk)
    }

    async fn drop(&mut self, completion: Resource<Completion>) -> wasmtime::Result<()> {
        self.table.delete(completion)?;
        Ok(())
    }
}
