//! Streams, whole and broken, without a connection.

use futures::{StreamExt, stream};
use serde_json::json;

use super::*;

async fn heard(protocol: Protocol, text: &str) -> Result<Value, LlmError> {
    let pieces = text.as_bytes().chunks(7);
    let pieces = pieces.map(|it| Ok::<_, ()>(Bytes::copy_from_slice(it)));
    let reading = Reading::new(stream::iter(pieces.collect::<Vec<_>>()), None, None);
    listen(protocol, reading, &mut Reported::default()).await
}

fn events(events: &[Value]) -> String {
    events.iter().map(|it| format!("data: {it}\n\n")).collect()
}

#[tokio::test]
async fn a_stream_without_its_end_broke_off() {
    let chat = json!({ "choices": [{ "delta": { "content": "x" } }] });
    let begun = json!({ "type": "content_block_start", "index": 0,
        "content_block": { "type": "text", "text": "x" } });
    let part = json!({ "candidates": [{ "content": { "parts": [{ "text": "x" }] } }] });
    let item = json!({ "type": "response.output_item.done", "output_index": 0, "item": {} });
    let line = json!({ "message": { "content": "x" }, "done": false });
    for (protocol, text) in [
        (Protocol::OpenAi, events(&[chat])),
        (Protocol::Anthropic, events(&[begun])),
        (Protocol::Gemini, events(&[part])),
        (Protocol::OpenAiResponses, events(&[item])),
        (Protocol::Ollama, format!("{line}\n")),
    ] {
        for text in [text, String::new()] {
            let told = heard(protocol, &text).await;
            assert_eq!(told, Err(broke_off()), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn what_a_number_says_costs_no_memory_and_parts_are_counted() {
    let call = |index: u64| {
        json!({ "choices": [{ "delta": { "tool_calls": [
            { "index": index, "id": "c", "function": { "name": "t", "arguments": "{}" } },
        ] }, "finish_reason": "tool_calls" }] })
    };
    let answer = heard(Protocol::OpenAi, &events(&[call(u64::MAX)])).await;
    let calls = answer.unwrap();
    let calls = calls.pointer("/choices/0/message/tool_calls").unwrap();
    assert_eq!(calls.as_array().unwrap().len(), 1);
    let many: Vec<Value> = (0..257).map(call).collect();
    let told = heard(Protocol::OpenAi, &events(&many)).await;
    assert_eq!(told, Err(Odd::Many.into()));
}

#[tokio::test]
async fn text_that_never_ends_is_ended() {
    let piece = json!({ "choices": [{ "delta": { "content": "x".repeat(1 << 20) } }] });
    let piece = Bytes::from(events(&[piece]));
    let endless = stream::repeat(piece).map(Ok::<_, ()>);
    let reading = Reading::new(endless, None, None);
    let told = listen(Protocol::OpenAi, reading, &mut Reported::default()).await;
    assert_eq!(told, Err(Odd::Long.into()));
}

#[tokio::test]
async fn nonsense_and_failures_in_the_middle_are_told_apart() {
    let unavailable = |text: &str| Err(unavailable(text));
    let middle = "the provider failed in the middle of its answer";
    let secret = json!({ "error": { "message": "sk-1", "type": "server_error" } });
    let busy = json!({ "type": "error", "error": { "type": "overloaded_error" } });
    let failed = json!({ "type": "response.failed", "response": { "error": { "code": "x" } } });
    let invalid = "data: {\"choices\": [\u{0}]}\n\n".to_owned();
    for (protocol, text, told) in [
        (Protocol::OpenAi, events(&[secret]), unavailable(middle)),
        (
            Protocol::Anthropic,
            events(&[busy]),
            Err(LlmError::RateLimited(None)),
        ),
        (
            Protocol::OpenAiResponses,
            events(&[failed]),
            unavailable(middle),
        ),
        (
            Protocol::OpenAi,
            invalid,
            unavailable("the answer is no JSON"),
        ),
        (
            Protocol::Anthropic,
            events(&[json!({ "type": "content_block_delta", "index": 3 })]),
            Err(Odd::Shape.into()),
        ),
    ] {
        assert_eq!(heard(protocol, &text).await, told, "{text}");
    }
    // A character that was cut in two, and one that is none.
    let bytes = |bytes: &'static [u8]| stream::iter([Ok::<_, ()>(Bytes::from_static(bytes))]);
    let reading = Reading::new(bytes(b"data: {\"a\":\"\xff\xfe\"}\n\n"), None, None);
    let told = listen(Protocol::OpenAi, reading, &mut Reported::default()).await;
    assert_eq!(told, unavailable("the answer is no JSON"));
}
