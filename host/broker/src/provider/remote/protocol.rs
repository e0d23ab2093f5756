//! The protocols that servers are spoken to in: where each sends its requests, how it
//! shows its key, and what is mended in what `genai` makes of a request.

use genai::adapter::AdapterKind;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::llm::{Request, ResponseFormat};

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's chat completions, which most servers understand.
    OpenAi,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
    /// Ollama's own chat.
    Ollama,
}

/// What `genai` may have read out of a model's name. The operator's name is a name.
const READ_INTO: [&str; 4] = ["reasoning_effort", "reasoning", "thinking", "think"];

impl Protocol {
    /// All of them, by the words that files and the command line use.
    pub const ALL: [(&'static str, Protocol); 5] = [
        ("openai", Protocol::OpenAi),
        ("openai-responses", Protocol::OpenAiResponses),
        ("anthropic", Protocol::Anthropic),
        ("gemini", Protocol::Gemini),
        ("ollama", Protocol::Ollama),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::OpenAi => "openai",
            Protocol::OpenAiResponses => "openai-responses",
            Protocol::Anthropic => "anthropic",
            Protocol::Gemini => "gemini",
            Protocol::Ollama => "ollama",
        }
    }

    /// The variable that its users keep its key in, where there is one.
    pub fn key_variable(self) -> Option<&'static str> {
        match self {
            Protocol::OpenAi | Protocol::OpenAiResponses => Some("OPENAI_API_KEY"),
            Protocol::Anthropic => Some("ANTHROPIC_API_KEY"),
            Protocol::Gemini => Some("GEMINI_API_KEY"),
            Protocol::Ollama => None,
        }
    }

    pub(super) fn adapter(self) -> AdapterKind {
        match self {
            Protocol::OpenAi => AdapterKind::OpenAI,
            Protocol::OpenAiResponses => AdapterKind::OpenAIResp,
            Protocol::Anthropic => AdapterKind::Anthropic,
            Protocol::Gemini => AdapterKind::Gemini,
            Protocol::Ollama => AdapterKind::Ollama,
        }
    }

    /// Where a model is asked, after the base URL.
    pub(super) fn path(self, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Protocol::OpenAi, _) => "chat/completions".to_owned(),
            (Protocol::OpenAiResponses, _) => "responses".to_owned(),
            (Protocol::Anthropic, _) => "messages".to_owned(),
            (Protocol::Gemini, false) => format!("models/{model}:generateContent"),
            (Protocol::Gemini, true) => format!("models/{model}:streamGenerateContent?alt=sse"),
            (Protocol::Ollama, _) => "api/chat".to_owned(),
        }
    }

    /// The fields of a request's head that are the protocol's. None when the key
    /// holds what no field can.
    pub(super) fn head(self, key: Option<&str>) -> Option<HeaderMap> {
        let mut head = HeaderMap::new();
        if self == Protocol::Anthropic {
            let version = HeaderName::from_static("anthropic-version");
            head.insert(version, HeaderValue::from_static("2023-06-01"));
        }
        let Some(key) = key else { return Some(head) };
        if key.is_empty() {
            return None;
        }
        let (name, value) = match self {
            Protocol::OpenAi | Protocol::OpenAiResponses | Protocol::Ollama => {
                (AUTHORIZATION, format!("Bearer {key}"))
            }
            Protocol::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
            Protocol::Gemini => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        head.insert(name, value);
        Some(head)
    }

    /// Makes of what `genai` wrote what was asked for: the model's whole name, no
    /// effort that nobody named, the format it leaves out, and a stream.
    pub(super) fn mend(self, payload: &mut Value, model: &str, request: &Request, stream: bool) {
        let Value::Object(fields) = payload else {
            return;
        };
        for read in READ_INTO {
            fields.remove(read);
        }
        if let Some(Value::Object(config)) = fields.get_mut("output_config") {
            config.remove("effort");
        }
        match self {
            Protocol::Gemini => {
                let config = fields
                    .entry("generationConfig")
                    .or_insert_with(|| json!({}));
                if let Value::Object(config) = config {
                    config.remove("thinkingConfig");
                    if request.response_format == ResponseFormat::JsonObject {
                        config.insert("responseMimeType".to_owned(), json!("application/json"));
                    }
                }
                return;
            }
            Protocol::Ollama => {
                if let ResponseFormat::JsonSchema(schema) = &request.response_format {
                    let schema = serde_json::from_str(schema).unwrap_or_else(|_| json!("json"));
                    fields.insert("format".to_owned(), schema);
                }
            }
            Protocol::OpenAi if stream => {
                let options = json!({ "include_usage": true });
                fields.insert("stream_options".to_owned(), options);
            }
            // It knows neither a seed nor texts that end an answer.
            Protocol::OpenAiResponses => {
                fields.remove("seed");
            }
            Protocol::OpenAi | Protocol::Anthropic => {}
        }
        fields.insert("model".to_owned(), json!(model));
        fields.insert("stream".to_owned(), json!(stream));
    }
}
