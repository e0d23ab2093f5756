//! Every protocol, from the request on the wire to the priced answer.

use hotcell_broker::llm::{FinishReason, Part, Request, ResponseFormat, Role, Usage};
use hotcell_broker::provider::remote::Protocol;
use hotcell_broker::tool::{EffectKind, ToolCall, ToolSpec};
use serde_json::{Value, json};

use crate::fake_openai::FakeOpenAi;
use crate::{KEY, LONG, PROMPT, asking_in, message, plain};

/// What a server of a protocol is asked and says.
pub(crate) struct Spoken {
    pub(crate) protocol: Protocol,
    /// After the base URL, which ends in `/v1`.
    path: &'static str,
    /// The header with the key, and what stands before it.
    key: (&'static str, &'static str),
    /// Where the question stands in what is sent.
    question: &'static str,
    /// Where the name of the tool stands.
    tool: &'static str,
    pub(crate) answer: Value,
}

/// All of them answer `hello`, call `vendor.find` and count alike: 120 tokens in,
/// 64 of them from a cache, and 30 out, 10 of them thoughts where it is said.
pub(crate) fn spoken() -> [Spoken; 5] {
    [
        Spoken {
            protocol: Protocol::OpenAi,
            path: "/v1/chat/completions",
            key: ("authorization", "Bearer "),
            question: "/messages/1/content",
            tool: "/tools/0/function/name",
            answer: json!({
                "model": "m-1",
                "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": {
                    "role": "assistant", "content": "hello", "tool_calls": [{
                        "id": "c-1", "type": "function",
                        "function": { "name": "vendor_find", "arguments": "{\"a\":1}" },
                    }],
                } }],
                "usage": { "prompt_tokens": 120, "completion_tokens": 30,
                    "prompt_tokens_details": { "cached_tokens": 64 },
                    "completion_tokens_details": { "reasoning_tokens": 10 } },
            }),
        },
        Spoken {
            protocol: Protocol::OpenAiResponses,
            path: "/v1/responses",
            key: ("authorization", "Bearer "),
            question: "/input/1/content",
            tool: "/tools/0/name",
            answer: json!({
                "id": "resp-1", "object": "response", "status": "completed", "model": "m-1",
                "output": [
                    { "type": "message", "role": "assistant", "id": "msg-1", "status": "completed",
                      "content": [{ "type": "output_text", "text": "hello", "annotations": [] }] },
                    { "type": "function_call", "id": "fc-1", "call_id": "c-1",
                      "name": "vendor_find", "arguments": "{\"a\":1}" },
                ],
                "usage": { "input_tokens": 120, "output_tokens": 30, "total_tokens": 150,
                    "input_tokens_details": { "cached_tokens": 64 },
                    "output_tokens_details": { "reasoning_tokens": 10 } },
            }),
        },
        Spoken {
            protocol: Protocol::Anthropic,
            path: "/v1/messages",
            key: ("x-api-key", ""),
            question: "/messages/0/content",
            tool: "/tools/0/name",
            answer: json!({
                "id": "msg-1", "type": "message", "role": "assistant", "model": "m-1",
                "content": [
                    { "type": "text", "text": "hello" },
                    { "type": "tool_use", "id": "c-1", "name": "vendor_find", "input": { "a": 1 } },
                ],
                "stop_reason": "tool_use",
                "usage": { "input_tokens": 50, "cache_creation_input_tokens": 6,
                    "cache_read_input_tokens": 64, "output_tokens": 30,
                    "output_tokens_details": { "thinking_tokens": 10 } },
            }),
        },
        Spoken {
            protocol: Protocol::Gemini,
            path: "/v1/models/m:generateContent",
            key: ("x-goog-api-key", ""),
            question: "/contents/0/parts/0/text",
            tool: "/tools/0/functionDeclarations/0/name",
            answer: json!({
                "candidates": [{ "finishReason": "STOP", "content": { "role": "model", "parts": [
                    { "text": "hello" },
                    { "functionCall": { "id": "c-1", "name": "vendor_find", "args": { "a": 1 } } },
                ] } }],
                "usageMetadata": { "promptTokenCount": 120, "cachedContentTokenCount": 64,
                    "candidatesTokenCount": 20, "thoughtsTokenCount": 10, "totalTokenCount": 150 },
                "modelVersion": "m-1",
            }),
        },
        Spoken {
            protocol: Protocol::Ollama,
            path: "/v1/api/chat",
            key: ("authorization", "Bearer "),
            question: "/messages/1/content",
            tool: "/tools/0/function/name",
            answer: json!({
                "model": "m-1", "done": true, "done_reason": "stop",
                "message": { "role": "assistant", "content": "hello", "tool_calls": [
                    { "id": "c-1", "function": { "name": "vendor_find", "arguments": { "a": 1 } } },
                ] },
                "prompt_eval_count": 120, "prompt_eval_cached_count": 64, "eval_count": 30,
            }),
        },
    ]
}

pub(crate) fn asked() -> Request {
    let mut request = plain();
    let system = message(Role::System, vec![Part::Text("be exact".to_owned())]);
    request.messages.insert(0, system);
    request.tools.push(ToolSpec {
        name: "vendor.find".to_owned(),
        description: "finds a vendor".to_owned(),
        input_schema: "{\"type\":\"object\"}".to_owned(),
        output_schema: None,
        effect: EffectKind::ReadOnly,
    });
    request
}

#[tokio::test]
async fn every_protocol_carries_the_question_the_tool_and_what_was_counted() {
    for spoken in spoken() {
        let word = spoken.protocol.word();
        let server = FakeOpenAi::answering(&spoken.answer).await;
        let setup = asking_in(spoken.protocol, &server.base_url, "m", Some(KEY), LONG);
        let response = setup.ask(asked()).await.expect(word);

        let answer = response.completion;
        let call = ToolCall {
            id: "c-1".to_owned(),
            name: "vendor.find".to_owned(),
            arguments: "{\"a\":1}".to_owned(),
        };
        let expected = [Part::Text("hello".to_owned()), Part::Call(call)];
        assert_eq!(answer.message.content, expected, "{word}");
        assert_eq!(answer.finish, FinishReason::ToolCalls, "{word}");
        let usage = Usage {
            input_tokens: 120,
            output_tokens: 30,
            cached_input_tokens: 64,
            reasoning_tokens: match spoken.protocol {
                Protocol::Ollama => 0,
                _ => 10,
            },
        };
        assert_eq!(answer.usage, usage, "{word}");
        assert!(!answer.usage_estimated, "{word}");
        assert_eq!(response.cost_micros, 180, "{word}");

        let seen = server.seen();
        assert_eq!(seen.len(), 1, "{word}");
        let line = format!("POST {} HTTP/1.1\r\n", spoken.path);
        assert!(seen[0].head.starts_with(&line), "{word}: {}", seen[0].head);
        let (name, before) = spoken.key;
        let key = format!("{before}{KEY}");
        assert_eq!(seen[0].header(name), Some(key.as_str()), "{word}");
        let at = |pointer| seen[0].body.pointer(pointer).and_then(Value::as_str);
        assert_eq!(
            at(spoken.question),
            Some(PROMPT),
            "{word}: {}",
            seen[0].body
        );
        assert_eq!(
            at(spoken.tool),
            Some("vendor_find"),
            "{word}: {}",
            seen[0].body
        );
    }
}

#[tokio::test]
async fn what_must_be_written_another_way_for_a_protocol_is() {
    let schema = json!({ "type": "object" });
    let spoken = spoken();
    let sent = async |protocol: Protocol, request: Request| {
        let answer = spoken.iter().find(|it| it.protocol == protocol).unwrap();
        let server = FakeOpenAi::answering(&answer.answer).await;
        let setup = asking_in(protocol, &server.base_url, "a::b-high", None, LONG);
        let result = setup.ask(request).await;
        let seen = server.seen();
        (
            result,
            seen.first().map(|it| it.body.clone()).unwrap_or_default(),
        )
    };
    let with = |format: ResponseFormat| Request {
        response_format: format,
        seed: Some(7),
        ..plain()
    };
    let (_, body) = sent(
        Protocol::Ollama,
        with(ResponseFormat::JsonSchema(schema.to_string())),
    )
    .await;
    assert_eq!(body["format"], schema);
    assert_eq!(body["options"]["seed"], 7);
    let (_, body) = sent(Protocol::Gemini, with(ResponseFormat::JsonObject)).await;
    let expected = json!({ "seed": 7, "responseMimeType": "application/json" });
    assert_eq!(body["generationConfig"], expected);
    let (_, body) = sent(Protocol::OpenAiResponses, with(ResponseFormat::Text)).await;
    assert_eq!(body.get("seed"), None);
    let stop = Request {
        stop: vec!["END".to_owned()],
        ..plain()
    };
    let (told, _) = sent(Protocol::OpenAiResponses, stop).await;
    assert!(told.unwrap_err().to_string().contains("`stop`"));
    for (_, protocol) in Protocol::ALL {
        // A model's name is a name, whatever `genai` would read into it.
        let (_, body) = sent(protocol, plain()).await;
        if protocol != Protocol::Gemini {
            assert_eq!(body["model"], "a::b-high", "{protocol:?}");
        }
        for effort in [
            "reasoning",
            "reasoning_effort",
            "thinking",
            "think",
            "output_config",
        ] {
            assert_eq!(body.get(effort), None, "{protocol:?}");
        }
        assert_eq!(body.pointer("/generationConfig/thinkingConfig"), None);
    }
}
