//! The protocols that servers are spoken to in. What differs between them is here
//! and in `genai`.

use genai::Headers;
use genai::adapter::AdapterKind;

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

    /// Where a request without a key goes, after the base URL, and its headers.
    pub(super) fn keyless(self, model: &str) -> (String, Headers) {
        let path = match self {
            Protocol::OpenAi => "chat/completions".to_owned(),
            Protocol::OpenAiResponses => "responses".to_owned(),
            Protocol::Anthropic => "messages".to_owned(),
            Protocol::Gemini => format!("models/{model}:generateContent"),
            Protocol::Ollama => "api/chat".to_owned(),
        };
        let headers = match self {
            Protocol::Anthropic => Headers::from(("anthropic-version", "2023-06-01")),
            _ => Headers::default(),
        };
        (path, headers)
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
}
