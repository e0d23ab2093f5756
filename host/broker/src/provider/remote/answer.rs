//! From what `genai` read to a completion. Refuses an answer that says nothing
//! at all and one that is too long to pass on.

use std::collections::BTreeSet;

use genai::chat::{ChatResponse, ContentPart, StopReason};

use super::MAX_ANSWER;
use super::names::WireNames;
use super::usage::Reported;
use crate::llm::{Completion, FinishReason, LlmError, Message, Part, Request, Role};
use crate::text;
use crate::tool::ToolCall;

/// The completion of an answer to `request`.
pub(super) fn of(
    response: ChatResponse,
    reported: &Reported,
    request: &Request,
    names: &WireNames,
    model: &str,
) -> Result<Completion, LlmError> {
    let model = match &reported.model {
        Some(reported) => text::line(reported, 200),
        None => model.to_owned(),
    };
    let mut content = Vec::new();
    for part in response.content {
        match part {
            ContentPart::Text(text) => content.push(Part::Text(text)),
            ContentPart::ToolCall(call) => content.push(Part::Call(ToolCall {
                id: call.call_id,
                name: names.ours(call.fn_name),
                arguments: call.fn_arguments.to_string(),
            })),
            // Thoughts and provider specials: no agent asked for them.
            _ => {}
        }
    }
    // `genai` makes an empty answer of a body without choices.
    if content.is_empty() && response.stop_reason.is_none() {
        return Err(LlmError::Unavailable(
            "the answer holds no choice".to_owned(),
        ));
    }
    if content.iter().map(size).sum::<usize>() > MAX_ANSWER {
        return Err(LlmError::Unavailable(
            "the answer is longer than 8 MiB".to_owned(),
        ));
    }
    if let Some(id) = said_twice(&content) {
        let id = text::line(id, 100);
        return Err(LlmError::Unavailable(format!(
            "two calls of the answer have the id `{id}`"
        )));
    }
    let calls = content.iter().any(|part| matches!(part, Part::Call(_)));
    let finish = finish(response.stop_reason.as_ref(), calls);
    let message = Message {
        role: Role::Assistant,
        content,
    };
    let (usage, usage_estimated) = reported.charged(request, &message);
    Ok(Completion {
        usage,
        usage_estimated,
        message,
        finish,
        model,
    })
}

fn size(part: &Part) -> usize {
    match part {
        Part::Text(text) | Part::Json(text) | Part::CallResult(_, text) => text.len(),
        Part::Call(call) => call.arguments.len(),
    }
}

/// Some servers say `stop` although they want tools called; the calls count.
fn finish(reason: Option<&StopReason>, calls: bool) -> FinishReason {
    match reason {
        Some(StopReason::MaxTokens(_)) => FinishReason::Length,
        Some(StopReason::ContentFilter(_)) => FinishReason::ContentFilter,
        _ if calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

/// The id that two calls share: their results could not be told apart.
fn said_twice(content: &[Part]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let ids = content.iter().filter_map(|part| match part {
        Part::Call(call) => Some(call.id.as_str()),
        _ => None,
    });
    ids.into_iter().find(|id| !seen.insert(*id))
}
