//! Answers in pieces: the same as those that come at once, and what ends those that
//! never would.

use std::time::{Duration, Instant};

use hotcell_broker::llm::LlmError;
use hotcell_broker::provider::remote::{Protocol, Waits};
use serde_json::{Value, json};

use crate::fake_openai::{FakeOpenAi, Then, completion, reply};
use crate::protocols::{asked, spoken};
use crate::setup::Setup;
use crate::{KEY, LONG, asking_with, plain};

fn streaming(protocol: Protocol, server: &FakeOpenAi, waits: Waits) -> Setup {
    asking_with(
        protocol,
        &server.base_url,
        "m",
        Some(KEY),
        LONG,
        true,
        waits,
    )
}

/// What each protocol sends in pieces for the answer that [`spoken`] has whole.
fn pieces(protocol: Protocol) -> String {
    let named = |events: &[Value]| -> String {
        let name = |it: &Value| it["type"].as_str().unwrap_or_default().to_owned();
        let event = |it: &Value| format!("event: {}\ndata: {it}\n\n", name(it));
        events.iter().map(event).collect()
    };
    let plain = |events: &[Value]| -> String {
        events
            .iter()
            .map(|it| format!("data: {it}\r\n\r\n"))
            .collect()
    };
    match protocol {
        Protocol::OpenAi => {
            let delta = |delta: Value| json!({ "model": "m-1", "choices": [{ "delta": delta }] });
            let call = |call: Value| delta(json!({ "tool_calls": [call] }));
            let events = plain(&[
                delta(json!({ "role": "assistant", "content": "" })),
                delta(json!({ "content": "hel" })),
                delta(json!({ "content": "lo" })),
                call(json!({ "index": 0, "id": "c-1", "type": "function",
                    "function": { "name": "vendor_find", "arguments": "" } })),
                call(json!({ "index": 0, "function": { "arguments": "{\"a\"" } })),
                call(json!({ "index": 0, "function": { "arguments": ":1}" } })),
                json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] }),
                // Twice: the most counts, and once.
                json!({ "choices": [], "usage": { "prompt_tokens": 1, "completion_tokens": 1 } }),
                json!({ "choices": [], "usage": { "prompt_tokens": 120, "completion_tokens": 30,
                    "prompt_tokens_details": { "cached_tokens": 64 },
                    "completion_tokens_details": { "reasoning_tokens": 10 } } }),
            ]);
            format!(": a comment\n\n{events}data: [DONE]\n\n")
        }
        Protocol::OpenAiResponses => {
            let whole = spoken().into_iter().find(|it| it.protocol == protocol);
            let mut whole = whole.unwrap().answer;
            let items = whole["output"].take();
            let done = |number: usize| {
                json!({ "type": "response.output_item.done", "output_index": number,
                    "item": items[number] })
            };
            named(&[
                json!({ "type": "response.created", "response": { "model": "m-1" } }),
                json!({ "type": "response.output_text.delta", "delta": "hello" }),
                done(1),
                done(0),
                json!({ "type": "response.completed", "response": whole }),
            ])
        }
        Protocol::Anthropic => named(&[
            json!({ "type": "message_start", "message": { "model": "m-1", "content": [],
                "usage": { "input_tokens": 50, "cache_creation_input_tokens": 6,
                    "cache_read_input_tokens": 64, "output_tokens": 1 } } }),
            json!({ "type": "ping" }),
            json!({ "type": "content_block_start", "index": 0,
                "content_block": { "type": "thinking", "thinking": "" } }),
            json!({ "type": "content_block_delta", "index": 0,
                "delta": { "type": "thinking_delta", "thinking": "hm" } }),
            json!({ "type": "content_block_start", "index": 1,
                "content_block": { "type": "text", "text": "" } }),
            json!({ "type": "content_block_delta", "index": 1,
                "delta": { "type": "text_delta", "text": "hello" } }),
            json!({ "type": "content_block_stop", "index": 1 }),
            json!({ "type": "content_block_start", "index": 2, "content_block":
                { "type": "tool_use", "id": "c-1", "name": "vendor_find", "input": {} } }),
            json!({ "type": "content_block_delta", "index": 2,
                "delta": { "type": "input_json_delta", "partial_json": "{\"a\"" } }),
            json!({ "type": "content_block_delta", "index": 2,
                "delta": { "type": "input_json_delta", "partial_json": ": 1}" } }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" },
                "usage": { "output_tokens": 30,
                    "output_tokens_details": { "thinking_tokens": 10 } } }),
            json!({ "type": "message_stop" }),
        ]),
        Protocol::Gemini => {
            let part = |part: Value| json!({ "candidates": [{ "content": { "parts": [part] } }] });
            plain(&[
                part(json!({ "text": "thinking", "thought": true })),
                part(json!({ "text": "hel" })),
                part(json!({ "text": "lo" })),
                part(json!({ "functionCall":
                    { "id": "c-1", "name": "vendor_find", "args": { "a": 1 } } })),
                json!({ "candidates": [{ "finishReason": "STOP" }], "modelVersion": "m-1",
                    "usageMetadata": { "promptTokenCount": 120, "cachedContentTokenCount": 64,
                        "candidatesTokenCount": 20, "thoughtsTokenCount": 10 } }),
            ])
        }
        Protocol::Ollama => [
            json!({ "model": "m-1", "message": { "content": "hel" }, "done": false }),
            json!({ "model": "m-1", "message": { "content": "lo" }, "done": false }),
            json!({ "message": { "content": "", "tool_calls": [
                { "id": "c-1", "function": { "name": "vendor_find", "arguments": { "a": 1 } } },
            ] }, "done": false }),
            json!({ "model": "m-1", "message": { "content": "" }, "done": true,
                "done_reason": "stop", "prompt_eval_count": 120,
                "prompt_eval_cached_count": 64, "eval_count": 30 }),
        ]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect(),
    }
}

#[tokio::test]
async fn an_answer_in_pieces_is_the_answer_that_comes_at_once() {
    for spoken in spoken() {
        let protocol = spoken.protocol;
        let whole = FakeOpenAi::answering(&spoken.answer).await;
        // A server that was asked for pieces may send all at once.
        let expected = streaming(protocol, &whole, Waits::default());
        let expected = expected.ask(asked()).await.unwrap();

        let kind = match protocol {
            Protocol::Ollama => "application/x-ndjson",
            _ => "text/event-stream; charset=utf-8",
        };
        let server = reply("200 OK", kind, "", &pieces(protocol));
        let server = FakeOpenAi::start(server, Then::Close).await;
        let setup = streaming(protocol, &server, Waits::default());
        let answer = setup.ask(asked()).await.unwrap();
        assert_eq!(answer, expected, "{protocol:?}");

        let seen = server.seen();
        match protocol {
            Protocol::Gemini => {
                let line = "POST /v1/models/m:streamGenerateContent?alt=sse HTTP/1.1\r\n";
                assert!(seen[0].head.starts_with(line), "{}", seen[0].head);
            }
            _ => assert_eq!(seen[0].body["stream"], true, "{protocol:?}"),
        }
        let usage = json!({ "include_usage": true });
        let asked_for_usage = seen[0].body.get("stream_options") == Some(&usage);
        assert_eq!(
            asked_for_usage,
            protocol == Protocol::OpenAi,
            "{protocol:?}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_goes_silent_is_a_timeout_long_before_the_call_is() {
    let short = Some(Duration::from_millis(100));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let begun = format!("{head}data: {{}}\n\n");
    let (first, idle) = (
        Waits {
            first_byte: short,
            idle: None,
        },
        Waits {
            first_byte: None,
            idle: short,
        },
    );
    for (bytes, waits) in [("", first), (head, first), (begun.as_str(), idle)] {
        let server = FakeOpenAi::start(bytes.as_bytes().to_vec(), Then::KeepOpen).await;
        let started = Instant::now();
        let told = streaming(Protocol::OpenAi, &server, waits)
            .ask(plain())
            .await;
        assert_eq!(told, Err(LlmError::Timeout), "{bytes}");
        assert!(started.elapsed() < LONG / 2, "{bytes}");
    }
}

#[tokio::test]
async fn a_line_without_end_is_ended() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ";
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(100 << 20, b'x');
    let server = FakeOpenAi::start(bytes, Then::KeepOpen).await;
    let setup = streaming(Protocol::OpenAi, &server, Waits::default());
    let text = "a line of the answer is longer than 16 MiB";
    let told = setup.ask(plain()).await;
    assert_eq!(told, Err(LlmError::Unavailable(text.to_owned())));
}

#[tokio::test]
async fn a_failure_in_the_middle_says_nothing_of_the_providers_words() {
    let error = json!({ "error": { "message": format!("leak {KEY}"), "type": "server_error" } });
    let mut body = completion(json!({ "content": "x" }), "stop").to_string();
    body = format!("data: {body}\n\ndata: {error}\n\n");
    let server = reply("200 OK", "text/event-stream", "", &body);
    let server = FakeOpenAi::start(server, Then::Close).await;
    let setup = streaming(Protocol::OpenAi, &server, Waits::default());
    let text = "the provider failed in the middle of its answer";
    let told = setup.ask(plain()).await;
    assert_eq!(told, Err(LlmError::Unavailable(text.to_owned())));
}
