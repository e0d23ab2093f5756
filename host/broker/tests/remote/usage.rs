//! What a provider says of tokens, and what is charged for.

use hotcell_broker::llm::{LlmError, Request, Usage};
use serde_json::{Value, json};

use crate::fake_openai::{FakeOpenAi, completion};
use crate::{LONG, PROMPT, asking, plain};

#[tokio::test]
async fn a_lie_about_tokens_is_charged_within_bounds_and_flagged() {
    // 4,000 characters are 1,000 tokens by the estimate, and 125 at the very least.
    let content = json!({ "role": "assistant", "content": "x".repeat(4_000) });
    let asked = PROMPT.len() as u64;
    let guess = asked.div_ceil(4);
    let request = Request {
        max_tokens: Some(2_000),
        ..plain()
    };
    let most = serde_json::to_vec(&request).unwrap().len() as u64;
    let table = [
        (Value::Null, guess, 1_000, true),
        (json!({}), guess, 1_000, true),
        (json!("free"), guess, 1_000, true),
        (json!({ "prompt_tokens": 30 }), 30, 1_000, true),
        (
            json!({ "prompt_tokens": 30, "completion_tokens": 900 }),
            30,
            900,
            false,
        ),
        (
            json!({ "prompt_tokens": 30, "completion_tokens": 125 }),
            30,
            125,
            false,
        ),
        (
            json!({ "prompt_tokens": 30, "completion_tokens": 124 }),
            30,
            1_000,
            true,
        ),
        (
            json!({ "prompt_tokens": 0, "completion_tokens": 0 }),
            guess,
            1_000,
            true,
        ),
        (
            json!({ "prompt_tokens": -5, "completion_tokens": 900 }),
            guess,
            900,
            true,
        ),
        (
            json!({ "prompt_tokens": 1.5, "completion_tokens": 900 }),
            guess,
            900,
            true,
        ),
        (
            json!({ "prompt_tokens": "NaN", "completion_tokens": 900 }),
            guess,
            900,
            true,
        ),
        (
            json!({ "prompt_tokens": 30, "completion_tokens": 2_001 }),
            30,
            2_000,
            true,
        ),
        (
            json!({ "prompt_tokens": 1_u64 << 40, "completion_tokens": 900 }),
            most,
            900,
            true,
        ),
        (
            json!({ "prompt_tokens": 1_u64 << 63, "completion_tokens": 900 }),
            guess,
            900,
            true,
        ),
        (
            json!({ "prompt_tokens": i32::MAX, "completion_tokens": i32::MAX }),
            most,
            2_000,
            true,
        ),
    ];
    for (usage, input, output, estimated) in table {
        let mut body = completion(content.clone(), "stop");
        body["usage"] = usage.clone();
        let server = FakeOpenAi::answering(&body).await;
        let setup = asking(&server.base_url, LONG);
        let answer = setup.ask(request.clone()).await.unwrap().completion;
        let expected = Usage {
            input_tokens: input,
            output_tokens: output,
            ..Usage::default()
        };
        assert_eq!(answer.usage, expected, "{usage}");
        assert_eq!(answer.usage_estimated, estimated, "{usage}");
        let effects = setup.caller.meter.records().effects;
        assert_eq!(effects[0].usage_estimated, estimated, "{usage}");
        assert_eq!(effects[0].cost_micros, input + 2 * output, "{usage}");
    }
}

#[tokio::test]
async fn parts_of_a_number_are_no_more_than_the_number() {
    let mut body = completion(json!({ "role": "assistant", "content": "hello" }), "stop");
    body["usage"]["prompt_tokens_details"]["cached_tokens"] = json!(1_000_000);
    body["usage"]["completion_tokens_details"]["reasoning_tokens"] = json!(-1);
    let server = FakeOpenAi::answering(&body).await;
    let answer = asking(&server.base_url, LONG).ask(plain()).await.unwrap();
    let usage = answer.completion.usage;
    assert_eq!((usage.input_tokens, usage.cached_input_tokens), (120, 120));
    assert_eq!((usage.output_tokens, usage.reasoning_tokens), (30, 0));
}

#[tokio::test]
async fn calls_that_share_an_id_are_no_answer() {
    let call = json!({ "id": "c", "type": "function",
        "function": { "name": "t", "arguments": "{}" } });
    let message = json!({ "role": "assistant", "content": null, "tool_calls": [call, call] });
    let server = FakeOpenAi::answering(&completion(message, "tool_calls")).await;
    let told = asking(&server.base_url, LONG).ask(plain()).await;
    let text = "two calls of the answer have the id `c`";
    assert_eq!(told, Err(LlmError::Unavailable(text.to_owned())));
}
