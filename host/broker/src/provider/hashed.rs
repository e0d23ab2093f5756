//! Vectors of texts for hosts without a model that makes them: words hashed, by
//! [`crate::hashed`]. It is no model, knows no meanings and costs nothing, and counts as
//! simulated wherever its work is shown.

use async_trait::async_trait;

use crate::llm::{Answer, EmbedAsk, Embedding, LlmError, LlmProvider, Origin, Request, Usage};
use crate::{Broker, Caller, hashed};

/// Hashes words.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashedEmbedder;

#[async_trait]
impl LlmProvider for HashedEmbedder {
    fn origin(&self) -> Origin {
        Origin::Simulated
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        let text = "`hashed-embedder` makes vectors; it answers no questions";
        Answer::wall(Err(LlmError::Invalid(text.to_owned())))
    }

    async fn embed(&self, _: &Broker, _: &Caller, asked: &EmbedAsk) -> Result<Embedding, LlmError> {
        Ok(Embedding {
            vectors: asked.texts.iter().map(|text| hashed::embed(text)).collect(),
            usage: Usage::default(),
            cost_micros: 0,
        })
    }
}
