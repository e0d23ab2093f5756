//! The scripted provider: which line answers, and which files it refuses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod setup;

use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::Denial;
use hotcell_broker::llm::{
    FinishReason, LlmError, Message, Origin, Part, Request, Response, Role, Usage,
};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::tool::ToolCall;
use setup::{Setup, question};

fn playing(lines: &[&str]) -> Setup {
    let script = Scripted::from_jsonl(&lines.join("\n")).unwrap();
    Setup::new(Arc::new(script), Duration::from_secs(60))
}

fn text(response: Result<Response, LlmError>) -> String {
    match response.unwrap().completion.message.content.as_slice() {
        [Part::Text(text)] => text.clone(),
        other => panic!("not one text: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_line_that_matches_answers() {
    let mut setup = playing(&[
        r#"{"match":{"task":"t-2"},"reply":{"text":"by task"}}"#,
        r#"{"match":{"step":"check","attempt":2},"reply":{"text":"by step and attempt"}}"#,
        "",
        r#"{"match":{"contains":"Acme"},"reply":{"text":"by words"}}"#,
        r#"{"reply":{"text":"by default"}}"#,
        r#"{"reply":{"text":"never"}}"#,
    ]);
    for (task, step, attempt, words, expected) in [
        ("t-2", "check", 2, "Acme", "by task"),
        ("t-1", "check", 2, "Acme", "by step and attempt"),
        ("t-1", "check", 1, "of Acme Ltd", "by words"),
        ("t-1", "check", 1, "acme", "by default"),
        ("t-1", "check", 1, "Acme", "by words"),
    ] {
        setup.caller.task = task.to_owned();
        setup.caller.step = step.to_owned();
        setup.caller.attempt = attempt;
        assert_eq!(text(setup.ask(question(words)).await), expected);
    }
}

#[tokio::test]
async fn words_are_found_in_every_kind_of_part() {
    let call = ToolCall {
        id: "hidden".to_owned(),
        name: "vendor.find".to_owned(),
        arguments: "{\"name\":\"Globex\"}".to_owned(),
    };
    let parts = [
        (Part::Json("\"Acme\"".to_owned()), "Acme"),
        (Part::Call(call.clone()), "vendor.find"),
        (Part::Call(call), "Globex"),
        (
            Part::CallResult("hidden".to_owned(), "{\"known\":true}".to_owned()),
            "known",
        ),
    ];
    for (part, words) in parts {
        let line = format!(r#"{{"match":{{"contains":"{words}"}},"reply":{{"text":"found"}}}}"#);
        let setup = playing(&[&line]);
        let mut request = question("nothing");
        request.messages.push(Message {
            role: Role::Assistant,
            content: vec![part],
        });
        assert_eq!(text(setup.ask(request).await), "found");
        assert_eq!(
            setup.ask(question("hidden")).await.unwrap_err().code(),
            "unavailable"
        );
    }
}

#[tokio::test]
async fn a_line_that_is_used_up_leaves_the_answer_to_the_next() {
    let setup = playing(&[
        r#"{"reply":{"text":"twice"},"times":2}"#,
        r#"{"reply":{"text":"never"},"times":0}"#,
        r#"{"reply":{"text":"once"},"times":1}"#,
    ]);
    for expected in ["twice", "twice", "once"] {
        assert_eq!(text(setup.ask(question("x")).await), expected);
    }
    let error = setup.ask(question("x")).await.unwrap_err();
    let message = "no scripted reply for task `task`, step `step`, attempt 1";
    assert_eq!(error, LlmError::Unavailable(message.to_owned()));
}

#[tokio::test]
async fn json_comes_as_text_and_usage_as_written() {
    let usage = r#"{"input_tokens":7,"output_tokens":3,"cached_input_tokens":2}"#;
    let line = format!(r#"{{"reply":{{"json":{{"b":1,"a":null}}}},"usage":{usage}}}"#);
    let response = playing(&[&line]).ask(question("x")).await.unwrap();
    let usage = Usage {
        input_tokens: 7,
        output_tokens: 3,
        cached_input_tokens: 2,
        reasoning_tokens: 0,
    };
    assert_eq!(
        (response.completion.usage, response.cost_micros),
        (usage, 13)
    );
    assert!(!response.completion.usage_estimated);
    assert_eq!(response.completion.finish, FinishReason::Stop);
    assert_eq!(text(Ok(response)), "{\"b\":1,\"a\":null}");
    assert_eq!(
        text(
            playing(&[r#"{"reply":{"json":null}}"#])
                .ask(question("x"))
                .await
        ),
        "null"
    );
}

#[tokio::test]
async fn usage_that_is_not_written_is_estimated() {
    let response = playing(&[r#"{"reply":{"text":"12345","finish":"length"}}"#])
        .ask(question("1234"))
        .await
        .unwrap();
    let usage = response.completion.usage;
    assert!(response.completion.usage_estimated);
    assert_eq!((usage.input_tokens, usage.output_tokens), (1, 2));
    assert_eq!(response.completion.finish, FinishReason::Length);
}

#[tokio::test]
async fn tool_calls_are_numbered_through_the_conversation() {
    let setup = playing(&[concat!(
        r#"{"reply":{"tool_calls":[{"name":"a","arguments":{"x":1}},"#,
        r#"{"name":"b","arguments":"{broken","id":"mine"}]}}"#
    )]);
    let call = |id: &str, name: &str, arguments: &str| {
        Part::Call(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        })
    };
    let mut request: Request = question("x");
    for first in ["call-1", "call-3"] {
        let answer = setup.ask(request.clone()).await.unwrap().completion;
        let expected = [call(first, "a", "{\"x\":1}"), call("mine", "b", "{broken")];
        assert_eq!(answer.message.content, expected);
        assert_eq!(answer.finish, FinishReason::ToolCalls);
        request.messages.push(answer.message);
    }
}

#[tokio::test]
async fn every_error_can_be_scripted() {
    let invalid = |text: &str| LlmError::Invalid(text.to_owned());
    for (reply, error) in [
        (
            r#"{"error":"denied","message":"llm x"}"#,
            LlmError::Denied(Denial::NotGranted("llm x".to_owned())),
        ),
        (r#"{"error":"budget-exhausted"}"#, LlmError::BudgetExhausted),
        (r#"{"error":"rate-limited"}"#, LlmError::RateLimited(None)),
        (
            r#"{"error":"rate-limited","retry_after_ms":9}"#,
            LlmError::RateLimited(Some(9)),
        ),
        (
            r#"{"error":"unavailable"}"#,
            LlmError::Unavailable("as scripted".to_owned()),
        ),
        (r#"{"error":"timeout"}"#, LlmError::Timeout),
        (r#"{"error":"invalid","message":"no"}"#, invalid("no")),
        (r#"{"error":"context-too-long"}"#, LlmError::ContextTooLong),
        (r#"{"error":"cancelled"}"#, LlmError::Cancelled),
    ] {
        let setup = playing(&[&format!(r#"{{"reply":{reply}}}"#)]);
        assert_eq!(setup.ask(question("x")).await.unwrap_err(), error);
        let effects = setup.caller.meter.records().effects;
        assert_eq!(
            (effects[0].outcome, effects[0].origin),
            (error.code(), Some(Origin::Scripted))
        );
    }
}

#[tokio::test]
async fn a_latency_is_told_and_not_waited_for() {
    let setup = playing(&[
        r#"{"match":{"attempt":1},"reply":{"text":"x"},"latency_ms":59000}"#,
        r#"{"reply":{"text":"x"}}"#,
    ]);
    setup.ask(question("x")).await.unwrap();
    let mut second = setup.clone();
    second.caller.attempt = 2;
    second.ask(question("x")).await.unwrap();
    let effects = setup.caller.meter.records().effects;
    assert_eq!(
        (effects[0].took, effects[0].simulated_time),
        (Duration::from_secs(59), true)
    );
    assert!(!effects[1].simulated_time);
}

#[test]
fn a_script_that_cannot_be_played_is_refused_with_the_line() {
    let one = "`reply` holds exactly one of `text`, `json`, `tool_calls` and `error`";
    for (line, message) in [
        (r#"{"reply":{}}"#, one),
        (r#"{"reply":{"text":"x","json":1}}"#, one),
        (r#"{"reply":{"text":"x","error":"timeout"}}"#, one),
        (
            r#"{"reply":{"error":"tired"}}"#,
            "`tired` is not the code of an error",
        ),
        (
            r#"{"reply":{"text":"x","message":"y"}}"#,
            "`message` has no effect here",
        ),
        (
            r#"{"reply":{"error":"timeout","message":"y"}}"#,
            "`message` has no effect here",
        ),
        (
            r#"{"reply":{"error":"timeout","retry_after_ms":1}}"#,
            "`retry_after_ms` has no effect here",
        ),
        (
            r#"{"reply":{"error":"timeout","finish":"stop"}}"#,
            "`finish` has no effect here",
        ),
        (
            r#"{"reply":{"error":"timeout"},"usage":{"input_tokens":1,"output_tokens":1}}"#,
            "`usage` has no effect here",
        ),
        (r#"{"reply":{"text":"x"},"time":1}"#, "unknown field `time`"),
        (r#"{"reply":{"txt":"x"}}"#, "unknown field `txt`"),
        (
            r#"{"reply":{"text":"x"},"match":{"tusk":"x"}}"#,
            "unknown field `tusk`",
        ),
        (
            r#"{"reply":{"tool_calls":[{"name":"x"}]}}"#,
            "missing field `arguments`",
        ),
        (
            r#"{"reply":{"text":"x"},"usage":{"input_tokens":1}}"#,
            "missing field `output_tokens`",
        ),
        (r#"{}"#, "missing field `reply`"),
        ("{", "EOF while parsing"),
        ("# comment", "expected value"),
    ] {
        let script = format!("{}\n\n{line}", r#"{"reply":{"text":"good"}}"#);
        let error = Scripted::from_jsonl(&script).err().unwrap();
        assert_eq!(error.line, 3, "{line}");
        assert!(error.message.contains(message), "{line}: {error}");
        assert!(error.to_string().starts_with("line 3: "));
    }
}
