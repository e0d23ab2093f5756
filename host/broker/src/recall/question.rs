//! What a guest asks, told apart by a digest over all of it and kept without
//! what an earlier question held already.

use std::borrow::Cow;
use std::sync::Arc;

use store::Digest;

use super::record::{Ask, Base, Delta, Departure, TOLD};
use crate::approval::ApprovalAsk;
use crate::delegate::DelegateAsk;
use crate::llm::{EmbedAsk, Message, Part, Request};
use crate::memory::MemoryAsk;
use crate::tool::{ToolCall, ToolSpec};
use crate::{Capability, redact, store, text};

/// A call that a guest makes.
#[derive(Clone, Copy)]
pub(crate) enum Question<'a> {
    Llm(&'a Request),
    Embed(&'a EmbedAsk),
    Tools(&'a ToolCall),
    Http(&'a Departure),
    Memory(&'a MemoryAsk),
    Delegate(&'a DelegateAsk),
    Approval(&'a ApprovalAsk),
}

impl<'a> Question<'a> {
    pub(crate) fn capability(self) -> Capability {
        match self {
            Question::Llm(_) | Question::Embed(_) => Capability::Llm,
            Question::Tools(_) => Capability::Tools,
            Question::Http(_) => Capability::Http,
            Question::Memory(_) => Capability::Memory,
            Question::Delegate(_) => Capability::Delegate,
            Question::Approval(_) => Capability::Approval,
        }
    }

    /// The alias or the tool's name, in the guest's words.
    pub(crate) fn resource(self) -> &'a str {
        match self {
            Question::Llm(request) => &request.model,
            Question::Tools(call) => &call.name,
            Question::Http(departure) => &departure.origin,
            Question::Embed(ask) => &ask.model,
            Question::Memory(ask) => ask.namespace(),
            Question::Delegate(ask) => &ask.agent,
            Question::Approval(ask) => &ask.action,
        }
    }

    /// The name of a secret that is in it. Whoever asks with one would give it away.
    pub(crate) fn carries(self) -> Option<Arc<str>> {
        match self {
            Question::Llm(request) => redact::found_in(request),
            Question::Embed(ask) => redact::found_in(ask),
            Question::Tools(call) => redact::found_in(call),
            Question::Http(departure) => redact::found_in(departure),
            Question::Memory(ask) => redact::found_in(ask),
            Question::Delegate(ask) => redact::found_in(ask),
            Question::Approval(ask) => redact::found_in(ask),
        }
    }

    /// All of it, as one text.
    pub(crate) fn json(self) -> String {
        // Plain data; none fails to be JSON.
        let json = match self {
            Question::Llm(request) => serde_json::to_string(request),
            Question::Embed(ask) => serde_json::to_string(ask),
            Question::Tools(call) => serde_json::to_string(call),
            Question::Http(departure) => serde_json::to_string(departure),
            Question::Memory(ask) => serde_json::to_string(ask),
            Question::Delegate(ask) => serde_json::to_string(ask),
            Question::Approval(ask) => serde_json::to_string(ask),
        };
        json.unwrap_or_default()
    }

    /// What a decision about it is called: the resource, and what is done with it
    /// where a grant tells that apart.
    pub(super) fn wanted(self) -> Cow<'a, str> {
        match self {
            Question::Memory(ask) => Cow::Owned(format!("write {}", ask.namespace())),
            _ => Cow::Borrowed(self.resource()),
        }
    }

    /// In words, for people: through the text gate and short.
    pub(super) fn told(self) -> String {
        match self {
            Question::Llm(request) => told_model(&request.model, request.messages.last()),
            Question::Tools(call) => told_tool(call),
            Question::Http(departure) => departure.told(),
            Question::Embed(ask) => told_embed(ask),
            Question::Memory(ask) => told_memory(ask),
            Question::Delegate(ask) => told_delegate(ask),
            Question::Approval(ask) => told_approval(ask),
        }
    }
}

impl Ask {
    pub(super) fn told(&self) -> String {
        match self {
            Ask::Llm(delta) => told_model(&delta.rest.model, delta.rest.messages.last()),
            Ask::Tools(call) => told_tool(call),
            Ask::Http(departure) => departure.told(),
            Ask::Embed(ask) => told_embed(ask),
            Ask::Memory(ask) => told_memory(ask),
            Ask::Delegate(ask) => told_delegate(ask),
            Ask::Approval(ask) => told_approval(ask),
        }
    }

    pub(super) fn capability(&self) -> Capability {
        match self {
            Ask::Llm(_) | Ask::Embed(_) => Capability::Llm,
            Ask::Tools(_) => Capability::Tools,
            Ask::Http(_) => Capability::Http,
            Ask::Memory(_) => Capability::Memory,
            Ask::Delegate(_) => Capability::Delegate,
            Ask::Approval(_) => Capability::Approval,
        }
    }

    pub(super) fn resource(&self) -> &str {
        match self {
            Ask::Llm(delta) => &delta.rest.model,
            Ask::Tools(call) => &call.name,
            Ask::Http(departure) => &departure.origin,
            Ask::Embed(ask) => &ask.model,
            Ask::Memory(ask) => ask.namespace(),
            Ask::Delegate(ask) => &ask.agent,
            Ask::Approval(ask) => &ask.action,
        }
    }
}

impl Departure {
    fn told(&self) -> String {
        text::line(&format!("http {} {}", self.method, self.origin), TOLD)
    }
}

fn told_embed(ask: &EmbedAsk) -> String {
    let texts = ask.texts.len();
    text::line(&format!("llm {}: embed {texts} texts", ask.model), TOLD)
}

fn told_memory(ask: &MemoryAsk) -> String {
    let verb = match ask {
        MemoryAsk::Set { .. } => "set",
        MemoryAsk::Delete { .. } => "delete",
    };
    let (namespace, key) = (ask.namespace(), ask.key());
    text::line(&format!("memory {namespace}: {verb} {key}"), TOLD)
}

fn told_delegate(ask: &DelegateAsk) -> String {
    let DelegateAsk { agent, kind, input } = ask;
    text::line(&format!("delegate {agent}: {kind} {input}"), TOLD)
}

fn told_approval(ask: &ApprovalAsk) -> String {
    let ApprovalAsk {
        action, arguments, ..
    } = ask;
    text::line(&format!("approval {action} {arguments}"), TOLD)
}

fn told_tool(call: &ToolCall) -> String {
    text::line(&format!("tools {} {}", call.name, call.arguments), TOLD)
}

fn told_model(model: &str, last: Option<&Message>) -> String {
    let said = last.and_then(|message| message.content.last());
    let said = match said {
        Some(Part::Text(said) | Part::Json(said) | Part::CallResult(_, said)) => said.as_str(),
        Some(Part::Call(call)) => call.name.as_str(),
        None => "",
    };
    text::line(&format!("llm {model}: {said}"), TOLD)
}

/// What a question is known by. Of a conversation each message is kept as its
/// digest, so that the next request is compared and not the words.
#[derive(Clone, Default)]
pub(super) struct Print {
    pub(super) digest: String,
    messages: Vec<Digest>,
    tools: Vec<Digest>,
}

impl Print {
    /// The digest of a request is over the digests of its messages and tools and
    /// over the JSON of all else; that of a tool call over its JSON.
    pub(super) fn of(question: Question<'_>) -> Print {
        let request = match question {
            Question::Tools(call) => return Print::whole(call),
            Question::Http(departure) => return Print::whole(departure),
            Question::Embed(ask) => return Print::whole(ask),
            Question::Memory(ask) => return Print::whole(ask),
            Question::Delegate(ask) => return Print::whole(ask),
            Question::Approval(ask) => return Print::whole(ask),
            Question::Llm(request) => request,
        };
        let messages: Vec<_> = request.messages.iter().map(json).collect();
        let tools: Vec<_> = request.tools.iter().map(json).collect();
        let mut all = json(&rest(request, usize::MAX, usize::MAX)).to_string();
        for (list, what) in [(&messages, "message"), (&tools, "tool")] {
            for digest in list {
                all.push_str(&format!("\n{what} {digest}"));
            }
        }
        Print {
            digest: Digest::of(all.as_bytes()).to_string(),
            messages,
            tools,
        }
    }

    /// Of something that is compared as a whole.
    fn whole<T: serde::Serialize>(value: &T) -> Print {
        Print {
            digest: json(value).to_string(),
            ..Print::default()
        }
    }

    /// The request without what it has in common with the one before it.
    pub(super) fn delta(&self, request: &Request, before: Option<&(u32, Print)>) -> Delta {
        let base = before.map(|(call, print)| Base {
            call: *call,
            messages: shared(&self.messages, &print.messages),
            tools: shared(&self.tools, &print.tools),
        });
        let base = base.filter(|base| base.messages > 0 || base.tools > 0);
        let (messages, tools) = base.map_or((0, 0), |base| (base.messages, base.tools));
        Delta {
            base,
            rest: rest(request, messages, tools),
        }
    }
}

/// What a request is known by, also outside of a journal.
pub(crate) fn digest(request: &Request) -> String {
    Print::of(Question::Llm(request)).digest
}

/// How many of both lists' first items are the same.
fn shared(ours: &[Digest], theirs: &[Digest]) -> usize {
    let pairs = ours.iter().zip(theirs);
    pairs.take_while(|(a, b)| a == b).count()
}

/// The request without its first messages and tools.
fn rest(request: &Request, messages: usize, tools: usize) -> Request {
    let kept: &[Message] = request.messages.get(messages..).unwrap_or_default();
    let tools: &[ToolSpec] = request.tools.get(tools..).unwrap_or_default();
    Request {
        model: request.model.clone(),
        messages: kept.to_vec(),
        tools: tools.to_vec(),
        response_format: request.response_format.clone(),
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        seed: request.seed,
        stop: request.stop.clone(),
    }
}

/// The JSON of these types cannot fail: they hold no maps with odd keys.
fn json<T: serde::Serialize>(value: &T) -> Digest {
    Digest::of(&serde_json::to_vec(value).unwrap_or_default())
}
