//! From what `genai` read to a completion. Refuses an answer that says nothing
//! at all and one that is too long to pass on.

use genai::chat::{ChatResponse, ContentPart, StopReason};

use super::MAX_ANSWER;
use super::names::WireNames;
use crate::llm::{Completion, FinishReason, LlmError, Message, Part, Request, Role, Usage};
use crate::provider::estimate;
use crate::text;
use crate::tool::ToolCall;

/// The completion of an answer to `request`.
pub(super) fn of(
    response: ChatResponse,
    request: &Request,
    names: &WireNames,
    model: &str,
) -> Result<Completion, LlmError> {
    let reported = response.provider_model_iden.model_name;
    let model = if reported == response.model_iden.model_name {
        model.to_owned()
    } else {
        text::line(&reported, 200)
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
    let calls = content.iter().any(|part| matches!(part, Part::Call(_)));
    let finish = finish(response.stop_reason.as_ref(), calls);
    let message = Message {
        role: Role::Assistant,
        content,
    };
    let reported = reported_usage(&response.usage);
    Ok(Completion {
        usage: reported.unwrap_or_else(|| estimate::usage(request, &message)),
        usage_estimated: reported.is_none(),
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

/// None when the provider left out either number, or wrote one that cannot be.
fn reported_usage(usage: &genai::chat::Usage) -> Option<Usage> {
    let count = |tokens: Option<i32>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    let prompt = usage.prompt_tokens_details.as_ref();
    let completion = usage.completion_tokens_details.as_ref();
    Some(Usage {
        input_tokens: count(usage.prompt_tokens)?,
        output_tokens: count(usage.completion_tokens)?,
        cached_input_tokens: count(prompt.and_then(|d| d.cached_tokens)).unwrap_or(0),
        reasoning_tokens: count(completion.and_then(|d| d.reasoning_tokens)).unwrap_or(0),
    })
}
