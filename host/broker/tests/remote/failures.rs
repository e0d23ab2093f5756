//! Everything that is not an answer, and what the guest is told about it.

use std::time::Duration;

use hotcell_broker::llm::{LlmError, Part, Request, ResponseFormat, Role};
use hotcell_broker::tool::ToolCall;
use serde_json::{Value, json};

use crate::fake_openai::{FakeOpenAi, Then, completion, reply};
use crate::{KEY, LONG, PROMPT, asking, message, plain};

async fn told_by(server: &FakeOpenAi) -> LlmError {
    asking(&server.base_url, LONG)
        .ask(plain())
        .await
        .unwrap_err()
}

fn unavailable(text: &str) -> LlmError {
    LlmError::Unavailable(text.to_owned())
}

#[tokio::test]
async fn a_busy_provider_says_when_to_come_back() {
    let body = "{\"error\":{\"message\":\"slow down\"}}";
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let until = "retry-after: Sun, 06 Nov 1994 08:49:40 GMT\r\n";
    for (headers, ms) in [
        (String::new(), None),
        ("retry-after: 2\r\n".to_owned(), Some(2000)),
        ("Retry-After-Ms: 150\r\n".to_owned(), Some(150)),
        (format!("{date}{until}"), Some(3000)),
    ] {
        let server = FakeOpenAi::failing("429 Too Many Requests", &headers, body).await;
        assert_eq!(
            told_by(&server).await,
            LlmError::RateLimited(ms),
            "{headers}"
        );
        assert_eq!(server.seen().len(), 1, "nothing is retried here");
    }
}

#[tokio::test]
async fn a_failing_provider_is_unavailable_and_its_words_stay_out() {
    let body = format!("{{\"error\":{{\"message\":\"{PROMPT} {KEY}\"}}}}");
    for (status, error) in [
        (
            "500 Internal Server Error",
            unavailable("the provider failed (HTTP 500)"),
        ),
        (
            "401 Unauthorized",
            unavailable("the provider refused the host's key (HTTP 401)"),
        ),
        ("408 Request Timeout", LlmError::Timeout),
    ] {
        let server = FakeOpenAi::failing(status, "", &body).await;
        assert_eq!(told_by(&server).await, error);
        assert_eq!(server.seen().len(), 1, "nothing is retried here");
    }
}

#[tokio::test]
async fn a_request_the_provider_refuses_says_why_without_the_key() {
    let body = format!("{{\"error\":{{\"message\":\"bad {KEY}\",\"code\":\"nope\"}}}}");
    let server = FakeOpenAi::failing("400 Bad Request", "", &body).await;
    let text = "the provider refused the request (HTTP 400): bad …";
    assert_eq!(told_by(&server).await, LlmError::Invalid(text.to_owned()));
    let body = "{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}";
    let server = FakeOpenAi::failing("400 Bad Request", "", body).await;
    assert_eq!(told_by(&server).await, LlmError::ContextTooLong);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_a_timeout() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let server = FakeOpenAi::start(head.as_bytes().to_vec(), Then::KeepOpen).await;
    let setup = asking(&server.base_url, Duration::from_millis(150));
    assert_eq!(setup.ask(plain()).await.unwrap_err(), LlmError::Timeout);
    let effects = setup.caller.meter.records().effects;
    assert_eq!((effects[0].outcome, effects[0].cost_micros), ("timeout", 0));
    assert!(effects[0].took >= Duration::from_millis(150));
}

#[tokio::test]
async fn senseless_answers_are_unavailable() {
    let json = "application/json";
    let bad_arguments = completion(
        json!({ "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "t", "arguments": "{" } }] }),
        "tool_calls",
    );
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"a\"";
    for (bytes, text) in [
        (
            reply("200 OK", json, "", "{\"choices\": [}"),
            "the answer is no JSON",
        ),
        (reply("200 OK", json, "", ""), "the answer is no JSON"),
        (
            reply("200 OK", "text/html", "", "<p>"),
            "the answer's content type is not JSON",
        ),
        (
            reply("200 OK", json, "", "{}"),
            "the answer holds no choice",
        ),
        (
            reply("200 OK", json, "", "[1]"),
            "the answer holds no choice",
        ),
        (
            reply("200 OK", json, "", "{\"choices\":[]}"),
            "the answer holds no choice",
        ),
        (
            reply("200 OK", json, "", &bad_arguments.to_string()),
            "the answer does not have the shape of a chat completion",
        ),
        (cut.as_bytes().to_vec(), "the answer broke off"),
        (
            b"HTTP/1.1 ".to_vec(),
            "the connection to the provider broke",
        ),
        (
            b"nonsense\r\n\r\n".to_vec(),
            "the connection to the provider broke",
        ),
    ] {
        let server = FakeOpenAi::start(bytes, Then::Close).await;
        assert_eq!(told_by(&server).await, unavailable(text));
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = asking(&base_url, LONG).ask(plain()).await.unwrap_err();
    assert_eq!(error, unavailable("no connection to the provider"));
}

#[tokio::test]
async fn an_oversized_answer_is_not_passed_on() {
    let content = json!({ "role": "assistant", "content": "x".repeat(8 * 1024 * 1024 + 1) });
    let server = FakeOpenAi::answering(&completion(content, "stop")).await;
    assert_eq!(
        told_by(&server).await,
        unavailable("the answer is longer than 8 MiB")
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let content = json!({ "role": "assistant", "content": "gotcha" });
    let elsewhere = FakeOpenAi::answering(&completion(content, "stop")).await;
    for status in ["302 Found", "307 Temporary Redirect"] {
        let location = format!("location: {}/chat/completions\r\n", elsewhere.base_url);
        let server = FakeOpenAi::failing(status, &location, "{}").await;
        let error = told_by(&server).await;
        assert!(
            error.to_string().ends_with("redirects are not followed"),
            "{error}"
        );
    }
    assert!(
        elsewhere.seen().is_empty(),
        "the key must not go where nobody sent it"
    );
}

#[tokio::test]
async fn a_request_that_would_lose_a_part_on_the_way_is_refused() {
    let server = FakeOpenAi::answering(&Value::Null).await;
    let setup = asking(&server.base_url, LONG);
    let call = |arguments: &str| {
        Part::Call(ToolCall {
            id: "c".to_owned(),
            name: "t".to_owned(),
            arguments: arguments.to_owned(),
        })
    };
    let result = || Part::CallResult("c".to_owned(), "{}".to_owned());
    let table = [
        (
            Role::User,
            call("{}"),
            "a `call` part belongs into an `assistant` message",
        ),
        (
            Role::Tool,
            call("{}"),
            "a `call` part belongs into an `assistant` message",
        ),
        (
            Role::Assistant,
            result(),
            "a `call-result` part belongs into a `tool` message",
        ),
        (
            Role::System,
            result(),
            "a `call-result` part belongs into a `tool` message",
        ),
        (
            Role::Tool,
            Part::Text("x".to_owned()),
            "a `tool` message holds `call-result` parts only",
        ),
    ];
    for (role, part, text) in table {
        let request = Request {
            messages: vec![message(role, vec![part])],
            ..plain()
        };
        let error = setup.ask(request).await.unwrap_err();
        assert_eq!(error, LlmError::Invalid(text.to_owned()));
    }
    let broken = [
        Request {
            messages: vec![message(Role::Assistant, vec![call("{")])],
            ..plain()
        },
        Request {
            response_format: ResponseFormat::JsonSchema("{".to_owned()),
            ..plain()
        },
        Request {
            temperature: Some(f32::NAN),
            ..plain()
        },
    ];
    for request in broken {
        let error = setup.ask(request).await.unwrap_err();
        assert_eq!(error.code(), "invalid", "{error}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_cancelled_call_ends_at_once() {
    let server = FakeOpenAi::start(Vec::new(), Then::KeepOpen).await;
    let setup = asking(&server.base_url, LONG);
    let cancel = setup.caller.cancel.clone();
    let asked = async {
        while server.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(setup.ask(plain()), asked);
    assert_eq!(result.unwrap_err(), LlmError::Cancelled);
}
