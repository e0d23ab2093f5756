//! From a request to what `genai` sends. Refuses what would be dropped on the
//! way: a part in a message whose role cannot carry it.

use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ContentPart, JsonSpec,
    MessageContent, Tool, ToolCall, ToolResponse,
};
use serde_json::Value;

use super::Protocol;
use super::names::{WireNames, plain};
use crate::llm::{LlmError, Message, Part, Request, ResponseFormat, Role};

/// The conversation and its options.
pub(super) fn of(
    protocol: Protocol,
    request: &Request,
    names: &WireNames,
) -> Result<(ChatRequest, ChatOptions), LlmError> {
    if protocol == Protocol::OpenAiResponses && !request.stop.is_empty() {
        return Err(LlmError::Invalid(
            "`stop`: this model's protocol has no texts that end an answer".to_owned(),
        ));
    }
    let messages = request.messages.iter().map(|m| message(m, names));
    let mut chat = ChatRequest::new(messages.collect::<Result<_, _>>()?);
    if !request.tools.is_empty() {
        let mut tools = Vec::with_capacity(request.tools.len());
        for spec in &request.tools {
            let what = || format!("the input schema of tool `{}`", spec.name);
            let tool = Tool::new(names.theirs(&spec.name))
                .with_description(spec.description.clone())
                .with_schema(json(&spec.input_schema, what)?);
            tools.push(tool);
        }
        chat = chat.with_tools(tools);
    }
    let options = ChatOptions {
        response_format: response_format(&request.response_format)?,
        max_tokens: request.max_tokens,
        temperature: request.temperature.map(temperature).transpose()?,
        seed: request.seed,
        stop_sequences: request.stop.clone(),
        ..ChatOptions::default()
    };
    Ok((chat, options))
}

fn message(message: &Message, names: &WireNames) -> Result<ChatMessage, LlmError> {
    let parts = message.content.iter().map(|p| part(p, message.role, names));
    let content = MessageContent::from_parts(parts.collect::<Result<Vec<_>, _>>()?);
    Ok(match message.role {
        Role::System => ChatMessage::system(content),
        Role::User => ChatMessage::user(content),
        Role::Assistant => ChatMessage::assistant(content),
        Role::Tool => ChatMessage::tool(content),
    })
}

fn part(part: &Part, role: Role, names: &WireNames) -> Result<ContentPart, LlmError> {
    match (part, role) {
        (Part::Text(text) | Part::Json(text), Role::System | Role::User | Role::Assistant) => {
            Ok(ContentPart::Text(text.clone()))
        }
        (Part::Call(call), Role::Assistant) => Ok(ContentPart::ToolCall(ToolCall {
            call_id: call.id.clone(),
            fn_name: names.theirs(&call.name),
            fn_arguments: json(&call.arguments, || {
                format!("the arguments of call `{}`", call.id)
            })?,
            thought_signatures: None,
        })),
        (Part::CallResult(id, content), Role::Tool) => Ok(ContentPart::ToolResponse(
            ToolResponse::new(id.clone(), content.clone()),
        )),
        (Part::Text(_) | Part::Json(_), Role::Tool) => Err(LlmError::Invalid(
            "a `tool` message holds `call-result` parts only".to_owned(),
        )),
        (Part::Call(_), _) => Err(LlmError::Invalid(
            "a `call` part belongs into an `assistant` message".to_owned(),
        )),
        (Part::CallResult(..), _) => Err(LlmError::Invalid(
            "a `call-result` part belongs into a `tool` message".to_owned(),
        )),
    }
}

fn response_format(format: &ResponseFormat) -> Result<Option<ChatResponseFormat>, LlmError> {
    Ok(match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(ChatResponseFormat::JsonMode),
        ResponseFormat::JsonSchema(text) => {
            let schema = json(text, || "the response format's schema".to_owned())?;
            let title = schema.get("title").and_then(Value::as_str);
            let name = plain(title.unwrap_or("answer"));
            Some(ChatResponseFormat::JsonSpec(JsonSpec::new(name, schema)))
        }
    })
}

/// The shortest decimal that means this number, so that 0.7 is not sent as
/// 0.699999988079071.
fn temperature(value: f32) -> Result<f64, LlmError> {
    let decimal = value.to_string().parse::<f64>();
    let finite = decimal.ok().filter(|decimal| decimal.is_finite());
    finite.ok_or_else(|| LlmError::Invalid("`temperature` is not a number".to_owned()))
}

fn json(text: &str, what: impl FnOnce() -> String) -> Result<Value, LlmError> {
    let invalid = |error| LlmError::Invalid(format!("{} is no JSON: {error}", what()));
    serde_json::from_str(text).map_err(invalid)
}
