//! Vectors from a server: one request of our own, because the answer is all there is.

use serde_json::{Value, json};

use super::Remote;
use super::failure::{no_connection, unavailable};
use super::protocol::Protocol;
use super::usage::Reported;
use crate::egress::Egress;
use crate::llm::{EmbedAsk, Embedding, LlmError};

impl Remote {
    /// A vector for each text.
    pub(super) async fn vectors(
        &self,
        egress: &Egress,
        asked: &EmbedAsk,
    ) -> Result<Embedding, LlmError> {
        let (model, texts) = (&self.model, &asked.texts);
        let (path, payload) = match self.protocol {
            Protocol::OpenAi | Protocol::OpenAiResponses => (
                "embeddings".to_owned(),
                json!({ "model": model, "input": texts, "encoding_format": "float" }),
            ),
            Protocol::Ollama => (
                "api/embed".to_owned(),
                json!({ "model": model, "input": texts }),
            ),
            Protocol::Gemini => {
                let named = format!("models/{model}");
                let each = texts.iter().map(
                    |text| json!({ "model": named, "content": { "parts": [{ "text": text }] } }),
                );
                let requests: Vec<Value> = each.collect();
                (
                    format!("{named}:batchEmbedContents"),
                    json!({ "requests": requests }),
                )
            }
            Protocol::Anthropic => {
                let text = "this model's protocol makes no vectors";
                return Err(LlmError::Invalid(text.to_owned()));
            }
        };
        let url = self.base.join(&path);
        let url = url.map_err(|_| unavailable("the request could not be sent"))?;
        let mut reported = Reported::default();
        let sent = self.send(&url, &payload, &mut reported);
        let within = egress.within(&self.origin, sent).await;
        let mut answer = within.map_err(|_| no_connection())??;
        let vectors = vectors(self.protocol, &mut answer);
        let shape = "the answer does not have the shape of its protocol";
        Ok(Embedding {
            vectors: vectors.ok_or_else(|| unavailable(shape))?,
            usage: reported.charged_for(asked),
            cost_micros: 0,
        })
    }
}

/// The vectors in the order of the texts. Whether they are as many is the broker's
/// business.
fn vectors(protocol: Protocol, answer: &mut Value) -> Option<Vec<Vec<f32>>> {
    let (list, at) = match protocol {
        Protocol::OpenAi | Protocol::OpenAiResponses => ("data", Some("embedding")),
        Protocol::Gemini => ("embeddings", Some("values")),
        Protocol::Ollama | Protocol::Anthropic => ("embeddings", None),
    };
    let Value::Array(mut items) = answer.get_mut(list)?.take() else {
        return None;
    };
    // Only some number them; a sort keeps the others as they are.
    items.sort_by_key(|item| item.get("index").and_then(Value::as_u64));
    let vector = |item: &Value| {
        let numbers = at.map_or(Some(item), |at| item.get(at))?.as_array()?;
        let number = |number: &Value| Some(number.as_f64()? as f32);
        numbers.iter().map(number).collect::<Option<Vec<f32>>>()
    };
    items.iter().map(vector).collect()
}
