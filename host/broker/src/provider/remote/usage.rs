//! What a provider says of tokens, and what is charged.
//!
//! A provider can leave it out, write nonsense, or lie. What it says is believed
//! between two bounds: no fewer tokens than one for each 32 characters that went
//! over the wire, which no tokenizer of words does better than, and no more than the
//! call could have taken, for which a budget has set money aside. Outside of them
//! the estimate or the bound is charged, and the answer says `usage_estimated`.

use serde_json::Value;

use super::protocol::Protocol;
use crate::llm::{EmbedAsk, Message, Request, Usage};
use crate::provider::{capped, estimate};

/// Characters of the estimate's token that a real token may hold.
const FLOOR: u64 = 8;

/// Output tokens of a request that names no bound: no model writes more at once.
const MOST: u64 = 1_000_000;

/// A number of tokens as a provider wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    Nothing,
    /// Negative, broken, a text, or more than any number of tokens.
    Nonsense,
    Tokens(u64),
}

impl Said {
    fn of(value: Option<&Value>) -> Said {
        match value {
            None | Some(Value::Null) => Said::Nothing,
            Some(value) => {
                let tokens = value.as_u64().filter(|tokens| *tokens < 1 << 53);
                tokens.map_or(Said::Nonsense, Said::Tokens)
            }
        }
    }

    fn plus(self, more: Said) -> Said {
        match (self, more) {
            (said, Said::Nothing) | (Said::Nothing, said) => said,
            (Said::Tokens(a), Said::Tokens(b)) => Said::Tokens(a.saturating_add(b)),
            _ => Said::Nonsense,
        }
    }

    /// What is said twice counts once: the most. Nonsense stays nonsense.
    fn raise(&mut self, other: Said) {
        *self = match (*self, other) {
            (said, Said::Nothing) | (Said::Nothing, said) => said,
            (Said::Tokens(a), Said::Tokens(b)) => Said::Tokens(a.max(b)),
            _ => Said::Nonsense,
        };
    }

    fn or_none(self) -> u64 {
        match self {
            Said::Tokens(tokens) => tokens,
            Said::Nothing | Said::Nonsense => 0,
        }
    }
}

/// What a provider said of itself beside its answer.
#[derive(Debug, Default)]
pub(super) struct Reported {
    input: Said,
    output: Said,
    cached: Said,
    reasoning: Said,
    /// The model that answered.
    pub(super) model: Option<String>,
}

impl Reported {
    /// Takes in what an answer or a piece of one says.
    pub(super) fn note(&mut self, protocol: Protocol, said: &Value) {
        let inner = match protocol {
            Protocol::OpenAiResponses => said.get("response").unwrap_or(said),
            Protocol::Anthropic => said.get("message").unwrap_or(said),
            _ => said,
        };
        let model = match protocol {
            Protocol::Gemini => "modelVersion",
            _ => "model",
        };
        if let Some(model) = inner.get(model).and_then(Value::as_str) {
            self.model = Some(model.to_owned());
        }
        let usage = match protocol {
            Protocol::Gemini => inner.get("usageMetadata"),
            Protocol::Ollama => Some(inner),
            _ => inner.get("usage"),
        };
        let Some(usage) = usage else { return };
        let at = |pointer: &str| Said::of(usage.pointer(pointer));
        let [input, output, cached, reasoning] = match protocol {
            Protocol::OpenAi => [
                at("/prompt_tokens"),
                at("/completion_tokens"),
                at("/prompt_tokens_details/cached_tokens"),
                at("/completion_tokens_details/reasoning_tokens"),
            ],
            Protocol::OpenAiResponses => [
                at("/input_tokens"),
                at("/output_tokens"),
                at("/input_tokens_details/cached_tokens"),
                at("/output_tokens_details/reasoning_tokens"),
            ],
            // What was cached is not in the number of input tokens here.
            Protocol::Anthropic => [
                at("/input_tokens")
                    .plus(at("/cache_creation_input_tokens"))
                    .plus(at("/cache_read_input_tokens")),
                at("/output_tokens"),
                at("/cache_read_input_tokens"),
                at("/output_tokens_details/thinking_tokens"),
            ],
            // Nor are thoughts in the number of output tokens here.
            Protocol::Gemini => [
                at("/promptTokenCount"),
                at("/candidatesTokenCount").plus(at("/thoughtsTokenCount")),
                at("/cachedContentTokenCount"),
                at("/thoughtsTokenCount"),
            ],
            Protocol::Ollama => [
                at("/prompt_eval_count"),
                at("/eval_count"),
                at("/prompt_eval_cached_count"),
                Said::Nothing,
            ],
        };
        self.input.raise(input);
        self.output.raise(output);
        self.cached.raise(cached);
        self.reasoning.raise(reasoning);
    }

    /// What is charged for this answer to this request, and whether that is an
    /// estimate.
    pub(super) fn charged(&self, request: &Request, answer: &Message) -> (Usage, bool) {
        let estimate = estimate::usage(request, answer);
        let worst = capped::worst(request);
        let most = request.max_tokens.map_or(MOST, u64::from);
        let (input, guessed) = charge(self.input, estimate.input_tokens, worst.input_tokens);
        let (output, also) = charge(self.output, estimate.output_tokens, most);
        let usage = Usage {
            input_tokens: input,
            output_tokens: output,
            cached_input_tokens: self.cached.or_none().min(input),
            reasoning_tokens: self.reasoning.or_none().min(output),
        };
        (usage, guessed || also)
    }

    /// What is charged for vectors: there is nothing but input.
    pub(super) fn charged_for(&self, asked: &EmbedAsk) -> Usage {
        let estimate = asked.estimate().input_tokens;
        let most = asked.worst().input_tokens;
        Usage {
            input_tokens: charge(self.input, estimate, most).0,
            ..Usage::default()
        }
    }
}

fn charge(said: Said, estimate: u64, most: u64) -> (u64, bool) {
    match said {
        Said::Tokens(tokens) if tokens > most => (most, true),
        Said::Tokens(tokens) if tokens >= estimate / FLOOR => (tokens, false),
        Said::Tokens(_) | Said::Nothing | Said::Nonsense => (estimate.min(most), true),
    }
}

/// Takes the numbers out of an answer: `genai` adds them in 32 bits.
pub(super) fn strip(protocol: Protocol, answer: &mut Value) {
    let Value::Object(fields) = answer else {
        return;
    };
    let names: &[&str] = match protocol {
        Protocol::Gemini => &["usageMetadata"],
        Protocol::Ollama => &[
            "prompt_eval_count",
            "prompt_eval_cached_count",
            "eval_count",
        ],
        _ => &["usage"],
    };
    for name in names {
        fields.remove(*name);
    }
}
