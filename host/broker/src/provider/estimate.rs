//! How many tokens a call took when nobody says: one for each four characters
//! of everything that was sent, and of everything that came back, rounded up.
//!
//! Reports must say when they show an estimate, so whoever uses this sets
//! `usage_estimated`.

use crate::llm::{Message, Part, Request, ResponseFormat, Usage};

/// The estimate for one call.
pub(super) fn usage(request: &Request, answer: &Message) -> Usage {
    Usage {
        input_tokens: prompt(request),
        output_tokens: message(answer).div_ceil(4),
        ..Usage::default()
    }
}

/// The estimate for what is sent.
pub(super) fn prompt(request: &Request) -> u64 {
    let tools = request.tools.iter().map(|tool| {
        characters(&tool.name) + characters(&tool.description) + characters(&tool.input_schema)
    });
    let schema = match &request.response_format {
        ResponseFormat::JsonSchema(schema) => characters(schema),
        ResponseFormat::Text | ResponseFormat::JsonObject => 0,
    };
    let messages = request.messages.iter().map(message);
    let sent = messages.chain(tools).sum::<u64>() + schema;
    sent.div_ceil(4)
}

fn message(message: &Message) -> u64 {
    let part = |part: &Part| match part {
        Part::Text(text) | Part::Json(text) | Part::CallResult(_, text) => characters(text),
        Part::Call(call) => characters(&call.name) + characters(&call.arguments),
    };
    message.content.iter().map(part).sum()
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Role;
    use crate::tool::{EffectKind, ToolCall, ToolSpec};

    #[test]
    fn four_characters_are_a_token_and_a_rest_is_one_more() {
        let message = |content| Message {
            role: Role::User,
            content,
        };
        let mut request = Request {
            model: "default".into(),
            messages: vec![message(vec![
                Part::Text("ééé".into()),
                Part::Json("{}".into()),
            ])],
            tools: Vec::new(),
            response_format: ResponseFormat::Text,
            max_tokens: None,
            temperature: None,
            seed: None,
            stop: Vec::new(),
        };
        let answer = message(vec![Part::Text("12345678".into())]);
        let of = usage(&request, &answer);
        assert_eq!((of.input_tokens, of.output_tokens), (2, 2));

        request.response_format = ResponseFormat::JsonSchema("123".into());
        assert_eq!(usage(&request, &answer).input_tokens, 2);
        request.tools.push(ToolSpec {
            name: "t".into(),
            description: "d".into(),
            input_schema: "{}".into(),
            output_schema: None,
            effect: EffectKind::ReadOnly,
        });
        request
            .messages
            .push(message(vec![Part::CallResult("id".into(), "1".into())]));
        assert_eq!(usage(&request, &answer).input_tokens, 4);
        let call = ToolCall {
            id: "not counted".into(),
            name: "t".into(),
            arguments: "{}".into(),
        };
        assert_eq!(
            usage(&request, &message(vec![Part::Call(call)])).output_tokens,
            1
        );
        assert_eq!(usage(&request, &message(Vec::new())).output_tokens, 0);
    }
}
