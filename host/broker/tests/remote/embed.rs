//! Vectors of texts, from servers and without one.

use std::sync::Arc;

use hotcell_broker::llm::{EmbedAsk, LlmError};
use hotcell_broker::provider::hashed::HashedEmbedder;
use hotcell_broker::provider::remote::Protocol;
use serde_json::{Value, json};

use crate::fake_openai::FakeOpenAi;
use crate::setup::Setup;
use crate::{KEY, LONG, asking_in};

fn asked(texts: &[&str]) -> EmbedAsk {
    EmbedAsk {
        model: "default".to_owned(),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
    }
}

/// Two vectors, told in the wrong order by the server that numbers them.
fn told(protocol: Protocol) -> Option<(&'static str, &'static str, Value)> {
    Some(match protocol {
        Protocol::OpenAi | Protocol::OpenAiResponses => (
            "/v1/embeddings",
            "/input/1",
            json!({ "data": [{ "index": 1, "embedding": [0.0, -1.5] },
                { "index": 0, "embedding": [1.0, 2.0] }],
                "usage": { "prompt_tokens": 9, "input_tokens": 9, "total_tokens": 9 } }),
        ),
        Protocol::Ollama => (
            "/v1/api/embed",
            "/input/1",
            json!({ "embeddings": [[1, 2], [0, -1.5]], "prompt_eval_count": 9 }),
        ),
        Protocol::Gemini => (
            "/v1/models/m:batchEmbedContents",
            "/requests/1/content/parts/0/text",
            json!({ "embeddings": [{ "values": [1, 2] }, { "values": [0, -1.5] }] }),
        ),
        Protocol::Anthropic => return None,
    })
}

#[tokio::test]
async fn every_protocol_that_makes_vectors_makes_one_for_each_text_in_order() {
    for (word, protocol) in Protocol::ALL {
        let Some((path, second, answer)) = told(protocol) else {
            let setup = asking_in(protocol, "http://127.0.0.1:1", "m", None, LONG);
            let told = setup.broker.embed(&setup.caller, asked(&["one"])).await;
            assert!(
                matches!(told, Err(LlmError::Invalid(_))),
                "{word}: {told:?}"
            );
            continue;
        };
        let server = FakeOpenAi::answering(&answer).await;
        let setup = asking_in(protocol, &server.base_url, "m", Some(KEY), LONG);
        let made = setup
            .broker
            .embed(&setup.caller, asked(&["one", "two texts"]));
        let made = made.await.expect(word);
        assert_eq!(made.vectors, [[1.0, 2.0], [0.0, -1.5]], "{word}");
        // Gemini says nothing of tokens: twelve characters are three.
        let tokens = match protocol {
            Protocol::Gemini => 3,
            _ => 9,
        };
        assert_eq!(made.usage.input_tokens, tokens, "{word}");
        assert_eq!(made.cost_micros, tokens, "{word}");
        let effects = setup.caller.meter.records().effects;
        assert_eq!((effects[0].outcome, effects[0].cost_micros), ("ok", tokens));
        let seen = server.seen();
        assert!(
            seen[0].head.starts_with(&format!("POST {path} ")),
            "{}",
            seen[0].head
        );
        assert_eq!(
            seen[0].body.pointer(second),
            Some(&json!("two texts")),
            "{word}"
        );
    }
}

#[tokio::test]
async fn vectors_that_do_not_fit_their_texts_are_no_answer_but_are_paid_for() {
    for vectors in [
        json!([]),
        json!([[1, 2]]),
        json!([[1, 2], [3]]),
        json!([[], []]),
        json!([[1e39, 0], [0, 0]]),
        json!([[1, 2], [3, 4], [5, 6]]),
        json!([["1", "2"], [3, 4]]),
        json!("none"),
    ] {
        let answer = json!({ "embeddings": vectors, "prompt_eval_count": 9 });
        let server = FakeOpenAi::answering(&answer).await;
        let setup = asking_in(Protocol::Ollama, &server.base_url, "m", None, LONG);
        let made = setup
            .broker
            .embed(&setup.caller, asked(&["one", "two texts"]));
        assert!(
            matches!(made.await, Err(LlmError::Unavailable(_))),
            "{vectors}"
        );
        assert_eq!(
            setup.caller.meter.records().effects[0].outcome,
            "unavailable"
        );
    }
}

#[tokio::test]
async fn without_a_model_words_are_hashed_and_nobody_is_paid() {
    let setup = Setup::new(Arc::new(HashedEmbedder), LONG);
    let texts = ["unpaid invoices", "invoices, unpaid", "cheese"];
    let made = setup
        .broker
        .embed(&setup.caller, asked(&texts))
        .await
        .unwrap();
    assert_eq!(made.vectors[0].len(), 256);
    assert_eq!(made.vectors[0], made.vectors[1]);
    assert_ne!(made.vectors[0], made.vectors[2]);
    assert_eq!(made.cost_micros, 0);
}

#[tokio::test]
async fn who_may_not_and_what_is_too_much_is_refused_before_anybody_is_asked() {
    let setup = Setup::new(Arc::new(HashedEmbedder), LONG);
    let embed = async |model: &str, texts: Vec<String>| {
        let asked = EmbedAsk {
            model: model.to_owned(),
            texts,
        };
        setup.broker.embed(&setup.caller, asked).await.unwrap_err()
    };
    let one = || vec!["one".to_owned()];
    assert!(matches!(embed("other", one()).await, LlmError::Denied(_)));
    for (texts, word) in [
        (Vec::new(), "empty"),
        (vec![String::new(); 257], "257 texts"),
        (vec!["x".repeat(600_000); 2], "1200000 bytes"),
    ] {
        let told = embed("default", texts).await;
        assert!(told.to_string().contains(word), "{told}");
    }
    assert!(setup.caller.meter.records().effects.is_empty());
}
