//! What the journal holds of an attempt: one body for each kind of record, and
//! how it is read back.
//!
//! A body is written by this host and read by later ones, perhaps after somebody
//! else has had the file: each carries its version, and what does not fit is a
//! typed error, never a guess. The golden bodies below are what versions to come
//! must still read.

use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use store::journal::Record;

use crate::approval::{ApprovalAsk, ApprovalDecision, ApprovalError};
use crate::delegate::{DelegateAsk, DelegateError};
use crate::llm::{Degradation, EmbedAsk, Embedding, LlmError, Origin, Request, Response, Usage};
use crate::memory::{MemoryAsk, MemoryError};
use crate::meter::Effect;
use crate::tool::{EffectKind, ToolCall, ToolError, ToolOutput};
use crate::{Capability, store, text};

/// A call is about to be made.
pub const INTENT: &str = "effect.intent";
/// What came of it.
pub const RESULT: &str = "effect.result";
/// A call that was not made.
pub const REFUSED: &str = "effect.refused";
/// What somebody decided about a call of which nobody knows whether it was made.
pub const RESOLVED: &str = "effect.resolved";
/// A value that the guest was given and that differs from run to run.
pub const READ: &str = "read";
/// From here on not everything is recorded.
pub const OPAQUE: &str = "opaque";

/// The longest text of a guest that a description repeats, in bytes.
pub(super) const TOLD: usize = 256;

/// A record that is not one of ours, or does not fit the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of the journal cannot be used: {why}")]
pub struct BadRecord {
    /// Its number in the run.
    pub seq: u64,
    /// What is the matter, through the text gate.
    pub why: String,
}

impl BadRecord {
    pub(super) fn new(record: &Record, why: &str) -> BadRecord {
        BadRecord {
            seq: record.seq,
            why: text::line(why, TOLD),
        }
    }
}

/// The version of all bodies: 1, and nothing else is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Version, D::Error> {
        match u64::deserialize(from)? {
            1 => Ok(Version),
            found => Err(D::Error::custom(format!(
                "it is of version {found}; this host reads version 1"
            ))),
        }
    }
}

/// What every body begins with. The rest is for whoever reads the kind.
#[derive(Deserialize)]
pub(super) struct Head {
    #[expect(dead_code, reason = "read for the check of the version")]
    v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
}

/// The body of [`INTENT`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    pub(super) v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) call: u32,
    /// The number of the effect, which refused calls have not.
    pub(super) sequence: u32,
    /// What may be done about it after a crash.
    pub(super) effect: EffectKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
    /// Whether there was an intent before, of which nobody knows what came.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) repeats: bool,
    /// Of the whole question.
    pub(super) digest: String,
    pub(super) ask: Ask,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Ask {
    /// A model.
    Llm(Delta),
    /// A tool.
    Tools(ToolCall),
    /// A server, to change something. What it answers is not recorded, so such a
    /// call never has a result.
    Http(Departure),
    /// A model, for vectors.
    Embed(EmbedAsk),
    /// What a plugin keeps.
    Memory(MemoryAsk),
    /// Another agent.
    Delegate(DelegateAsk),
    /// A human.
    Approval(ApprovalAsk),
}

/// A request over HTTP. What else is in it is the guest's to say again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Departure {
    pub(crate) method: String,
    pub(crate) origin: String,
    /// SHA-256 of the URL: it may hold what must not be kept.
    pub(crate) url: String,
}

/// A request without what it has in common with an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Base>,
    /// Its messages and tools come after those of the base.
    pub(super) rest: Request,
}

/// Which earlier call a request begins like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    pub(super) call: u32,
    /// So many messages at the start are the same.
    pub(super) messages: usize,
    /// So many tools at the start are the same.
    pub(super) tools: usize,
}

/// What a guest was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// By a model.
    Llm(Result<Response, LlmError>),
    /// By a tool.
    Tools(Result<ToolOutput, ToolError>),
    /// By a model, with vectors.
    Embed(Result<Embedding, LlmError>),
    /// With the version that a key has now.
    Memory(Result<u64, MemoryError>),
    /// By another agent.
    Delegate(Result<String, DelegateError>),
    /// By a human.
    Approval(Result<ApprovalDecision, ApprovalError>),
}

impl Answer {
    pub(super) fn capability(&self) -> Capability {
        match self {
            Answer::Llm(_) | Answer::Embed(_) => Capability::Llm,
            Answer::Tools(_) => Capability::Tools,
            Answer::Memory(_) => Capability::Memory,
            Answer::Delegate(_) => Capability::Delegate,
            Answer::Approval(_) => Capability::Approval,
        }
    }

    /// `ok` or the error's code: the word in the meter. Taken from the answer,
    /// so that it is one of the words this host knows.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Answer::Llm(answer) => answer.as_ref().map_or_else(LlmError::code, |_| "ok"),
            Answer::Tools(answer) => answer.as_ref().map_or_else(ToolError::code, |_| "ok"),
            Answer::Embed(answer) => answer.as_ref().map_or_else(LlmError::code, |_| "ok"),
            Answer::Memory(answer) => answer.as_ref().map_or_else(MemoryError::code, |_| "ok"),
            Answer::Delegate(answer) => answer.as_ref().map_or_else(DelegateError::code, |_| "ok"),
            Answer::Approval(answer) => answer.as_ref().map_or_else(ApprovalError::code, |_| "ok"),
        }
    }

    /// Whether a model's answer is not the plain one.
    fn degraded(&self) -> Option<Degradation> {
        match self {
            Answer::Llm(Ok(response)) => response.degraded,
            _ => None,
        }
    }

    /// How long a model's provider asked to wait.
    pub(super) fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Answer::Llm(Err(error)) | Answer::Embed(Err(error)) => error.retry_after_ms(),
            _ => None,
        }
    }
}

/// What a call used, as the meter has it. Most calls have little of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Spent {
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) usage: Usage,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) usage_estimated: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) cost_micros: u64,
    pub(crate) took_micros: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) simulated_time: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The body of [`RESULT`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    pub(super) v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) call: u32,
    /// Told by the answer as well; here for whoever reads the journal.
    pub(super) outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
    pub(super) spent: Spent,
    pub(super) answer: Answer,
}

impl Outcome {
    /// What is in the meter for it, as it was then. `plugin` made it.
    pub(super) fn effect(&self, plugin: &str, sequence: u32, resource: &str) -> Effect {
        let spent = self.spent;
        Effect {
            plugin: plugin.to_owned(),
            step: self.step.clone(),
            attempt: self.attempt,
            sequence,
            capability: self.answer.capability(),
            resource: resource.to_owned(),
            outcome: self.answer.outcome(),
            origin: self.origin,
            usage: spent.usage,
            usage_estimated: spent.usage_estimated,
            cost_micros: spent.cost_micros,
            degraded: self.answer.degraded(),
            took: Duration::from_micros(spent.took_micros),
            simulated_time: spent.simulated_time,
            retry_after_ms: self.answer.retry_after_ms(),
        }
    }
}

/// The body of [`REFUSED`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    pub(super) v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) call: u32,
    pub(super) digest: String,
    /// Whether it took the number of an effect all the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) numbered: bool,
    /// The question in words, through the text gate.
    pub(super) told: String,
    pub(super) answer: Answer,
}

/// What was decided about a call in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// It is made again.
    Repeat,
    /// The guest is told that it failed.
    Fail,
}

/// The body of [`RESOLVED`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    pub(super) v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) call: u32,
    pub(super) how: Resolution,
}

/// The body of [`READ`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    pub(super) v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
    /// The number of the read, from 0.
    pub(super) read: u32,
    pub(super) what: String,
    pub(super) value: Value,
}

/// The body of [`OPAQUE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opaque {
    pub(super) v: Version,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) why: Unrecorded,
}

/// What is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unrecorded {
    /// What is in the files of a folder.
    Files,
    /// What came over HTTP.
    Http,
    /// The value of a secret.
    Secrets,
    /// Reads and refusals beyond the bound.
    Reads,
}

/// Reads a body.
pub(super) fn body<T: DeserializeOwned>(record: &Record) -> Result<T, BadRecord> {
    serde_json::from_str(&record.body).map_err(|error| BadRecord::new(record, &error.to_string()))
}

/// Which attempt a record belongs to, step and number; none if it is not of one
/// of the kinds that are written here.
pub fn key(record: &Record) -> Result<Option<(String, u32)>, BadRecord> {
    if ![INTENT, RESULT, REFUSED, RESOLVED, READ, OPAQUE].contains(&record.kind.as_str()) {
        return Ok(None);
    }
    let head: Head = body(record)?;
    Ok(Some((head.step, head.attempt)))
}
