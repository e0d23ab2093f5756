//! The live provider against a server on the loopback interface: what it sends,
//! what it makes of each kind of answer, and what it never tells.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod embed;
mod failures;
#[path = "../fake_openai/mod.rs"]
mod fake_openai;
mod protocols;
#[path = "../setup/mod.rs"]
mod setup;
mod streams;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use fake_openai::{FakeOpenAi, completion};
use hotcell_broker::llm::{
    FinishReason, Message, Origin, Part, Request, ResponseFormat, Role, Usage,
};
use hotcell_broker::provider::remote::{Protocol, Remote, RemoteConfig, Waits};
use hotcell_broker::provider::secret::Secret;
use hotcell_broker::tool::{EffectKind, ToolCall, ToolSpec};
use serde_json::json;
use setup::{Setup, question};

const KEY: &str = "sk-never-to-be-seen";
const PROMPT: &str = "the prompt that nobody else may read";

fn asking(base_url: &str, timeout: Duration) -> Setup {
    asking_for(base_url, "gpt-test", Some(KEY), timeout)
}

fn asking_for(base_url: &str, model: &str, key: Option<&str>, timeout: Duration) -> Setup {
    asking_in(Protocol::OpenAi, base_url, model, key, timeout)
}

fn asking_in(
    protocol: Protocol,
    base_url: &str,
    model: &str,
    key: Option<&str>,
    timeout: Duration,
) -> Setup {
    asking_with(
        protocol,
        base_url,
        model,
        key,
        timeout,
        false,
        Waits::default(),
    )
}

fn asking_with(
    protocol: Protocol,
    base_url: &str,
    model: &str,
    key: Option<&str>,
    timeout: Duration,
    stream: bool,
    waits: Waits,
) -> Setup {
    let provider = Remote::new(RemoteConfig {
        protocol,
        base_url: base_url.to_owned(),
        model: model.to_owned(),
        api_key: key.map(Secret::new),
        stream,
        waits,
    });
    Setup::new(Arc::new(provider.unwrap()), timeout)
}

const LONG: Duration = Duration::from_secs(30);

fn message(role: Role, content: Vec<Part>) -> Message {
    Message { role, content }
}

fn plain() -> Request {
    question(PROMPT)
}

#[tokio::test]
async fn a_whole_conversation_arrives_and_its_answer_comes_back_priced() {
    let content = json!({ "role": "assistant", "content": "{\"vendor\":\"Acme\"}" });
    let server = FakeOpenAi::answering(&completion(content, "stop")).await;
    let setup = asking(&server.base_url, LONG);
    let call = ToolCall {
        id: "call-1".to_owned(),
        name: "vendor.find".to_owned(),
        arguments: "{\"name\":\"Acme\"}".to_owned(),
    };
    let schema = json!({
        "title": "invoice decision",
        "type": "object",
        "properties": { "vendor": { "type": "string" } },
        "required": ["vendor"],
        "additionalProperties": false,
    });
    let request = Request {
        messages: vec![
            message(Role::System, vec![Part::Text("be exact".to_owned())]),
            message(
                Role::User,
                vec![
                    Part::Text("judge".to_owned()),
                    Part::Json("{\"a\":1}".to_owned()),
                ],
            ),
            message(Role::Assistant, vec![Part::Call(call)]),
            message(
                Role::Tool,
                vec![Part::CallResult(
                    "call-1".to_owned(),
                    "{\"known\":true}".to_owned(),
                )],
            ),
        ],
        tools: vec![ToolSpec {
            name: "vendor.find".to_owned(),
            description: "finds a vendor".to_owned(),
            input_schema: "{\"type\":\"object\"}".to_owned(),
            output_schema: None,
            effect: EffectKind::ReadOnly,
        }],
        response_format: ResponseFormat::JsonSchema(schema.to_string()),
        max_tokens: Some(500),
        temperature: Some(0.7),
        seed: Some(42),
        stop: vec!["END".to_owned()],
        ..plain()
    };

    let response = setup.ask(request).await.unwrap();

    let answer = &response.completion;
    assert_eq!(answer.message.role, Role::Assistant);
    assert_eq!(
        answer.message.content,
        [Part::Text("{\"vendor\":\"Acme\"}".to_owned())]
    );
    assert_eq!(answer.finish, FinishReason::Stop);
    assert_eq!(answer.model, "gpt-test-2024-08-06");
    assert!(!answer.usage_estimated);
    let usage = Usage {
        input_tokens: 120,
        output_tokens: 30,
        cached_input_tokens: 64,
        reasoning_tokens: 10,
    };
    assert_eq!(answer.usage, usage);
    assert_eq!(response.cost_micros, 180);
    let effects = setup.caller.meter.records().effects;
    assert_eq!(effects[0].origin, Some(Origin::Live));
    assert!(!effects[0].simulated_time);

    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0]
            .head
            .starts_with("POST /v1/chat/completions HTTP/1.1\r\n")
    );
    assert_eq!(
        seen[0].header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(seen[0].header("accept-encoding"), None);
    let expected = json!({
        "model": "gpt-test",
        "stream": false,
        "tools": [{
            "type": "function",
            "function": {
                "name": "vendor_find",
                "description": "finds a vendor",
                "parameters": { "type": "object" },
                "strict": false,
            },
        }],
        "messages": [
            { "role": "system", "content": "be exact" },
            { "role": "user", "content": "judge\n\n{\"a\":1}" },
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{
                    "type": "function",
                    "id": "call-1",
                    "function": { "name": "vendor_find", "arguments": "{\"name\":\"Acme\"}" },
                }],
            },
            { "role": "tool", "content": "{\"known\":true}", "tool_call_id": "call-1" },
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": { "name": "invoice_decision", "strict": true, "schema": schema },
        },
        "max_tokens": 500,
        "temperature": 0.7,
        "seed": 42,
        "stop": ["END"],
    });
    assert_eq!(seen[0].body, expected);
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_sent() {
    let content = json!({ "role": "assistant", "content": "hello" });
    let server = FakeOpenAi::answering(&completion(content, "stop")).await;
    asking_for(&server.base_url, "team::x-high", None, LONG)
        .ask(plain())
        .await
        .unwrap();
    let seen = server.seen();
    let messages = json!([{ "role": "user", "content": PROMPT }]);
    // The model's name arrives whole, whatever `genai` would read into it.
    let expected = json!({ "model": "team::x-high", "stream": false, "messages": messages });
    assert_eq!(seen[0].body, expected);
    assert_eq!(seen[0].header("authorization"), None);
    assert!(
        seen[0]
            .head
            .starts_with("POST /v1/chat/completions HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn a_json_object_can_be_asked_for_without_a_schema() {
    let content = json!({ "role": "assistant", "content": "{}" });
    let server = FakeOpenAi::answering(&completion(content, "stop")).await;
    let request = Request {
        response_format: ResponseFormat::JsonObject,
        ..plain()
    };
    asking(&server.base_url, LONG).ask(request).await.unwrap();
    assert_eq!(
        server.seen()[0].body["response_format"],
        json!({ "type": "json_object" })
    );
}

#[tokio::test]
async fn tool_calls_come_back_under_the_names_they_were_offered() {
    let call = |id: &str, name: &str, arguments: &str| {
        let function = json!({ "name": name, "arguments": arguments });
        json!({ "id": id, "type": "function", "function": function })
    };
    let calls = [
        call("call-1", "vendor_find", "{\"name\": \"Acme\", \"a\": 1}"),
        call("call-2", "made_up", "{}"),
    ];
    let content = json!({ "role": "assistant", "content": null, "tool_calls": calls });
    let server = FakeOpenAi::answering(&completion(content, "tool_calls")).await;
    let mut request = plain();
    request.tools.push(ToolSpec {
        name: "vendor.find".to_owned(),
        description: String::new(),
        input_schema: "{}".to_owned(),
        output_schema: None,
        effect: EffectKind::ReadOnly,
    });
    let answer = asking(&server.base_url, LONG)
        .ask(request)
        .await
        .unwrap()
        .completion;
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    let call = |id: &str, name: &str, arguments: &str| {
        Part::Call(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        })
    };
    let expected = [
        call("call-1", "vendor.find", "{\"name\":\"Acme\",\"a\":1}"),
        call("call-2", "made_up", "{}"),
    ];
    assert_eq!(answer.message.content, expected);
}

#[tokio::test]
async fn every_reason_to_stop_has_its_word() {
    let call =
        json!([{ "id": "c", "type": "function", "function": { "name": "t", "arguments": "{}" } }]);
    let table = [
        (json!({ "content": "x" }), "stop", FinishReason::Stop),
        (json!({ "content": "x" }), "length", FinishReason::Length),
        (json!({ "content": null }), "length", FinishReason::Length),
        (
            json!({ "content": "" }),
            "content_filter",
            FinishReason::ContentFilter,
        ),
        (
            json!({ "content": null, "tool_calls": call }),
            "stop",
            FinishReason::ToolCalls,
        ),
        (
            json!({ "content": "x", "tool_calls": null }),
            "something new",
            FinishReason::Stop,
        ),
    ];
    for (content, reason, finish) in table {
        let server = FakeOpenAi::answering(&completion(content, reason)).await;
        let answer = asking(&server.base_url, LONG)
            .ask(plain())
            .await
            .unwrap()
            .completion;
        assert_eq!(answer.finish, finish, "{reason}");
    }
}
