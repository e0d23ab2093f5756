//! What one record holds.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseKey, EXCERPT};
use crate::approval::queue::Asked;
use crate::{Capability, pii, redact, text};

/// One record, without its place in the chain. Fields that do not apply are left
/// out.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Record {
    /// `decision` or `effect`.
    pub(super) kind: &'static str,
    pub(super) timestamp_ms: u64,
    pub(super) workflow_id: String,
    pub(super) run_id: String,
    pub(super) case: String,
    pub(super) tenant: String,
    pub(super) user: String,
    pub(super) agent_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agent_digest: Option<String>,
    pub(super) step_id: String,
    pub(super) attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<u32>,
    pub(super) capability: &'static str,
    pub(super) resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_hash: Option<String>,
    /// `ok` or the error's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost_micros: Option<u64>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) pii: BTreeSet<&'static str>,
    pub(super) pii_detected: bool,
    pub(super) redaction_applied: bool,
    /// Who answered a question, as the operating system knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decider: Option<String>,
    /// Who they said they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claims: Option<String>,
    /// What they answered about: the digest of the arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) risk: Option<u32>,
    pub(super) retention: &'static str,
    pub(super) policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<Sealed>,
}

/// The beginning of a text, that only its case's key opens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    /// `input` or `output`.
    what: String,
    /// Base64.
    text: String,
}

/// What was found in the texts of a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Facets {
    kinds: BTreeSet<&'static str>,
    /// Whether a secret was in them.
    redacted: bool,
}

impl Facets {
    /// Seals the beginning of a JSON text, without secrets and what looks like
    /// somebody's.
    pub(super) fn seal(&mut self, key: &CaseKey, what: &str, text: &str) -> Sealed {
        let text = redact::json(text);
        self.redacted |= matches!(text, Cow::Owned(_));
        let swept = pii::sweep(&text);
        self.kinds.extend(swept.kinds);
        let excerpt = text::line(&swept.text, EXCERPT);
        Sealed {
            what: what.to_owned(),
            // Without random numbers nothing is sealed, and nothing is shown.
            text: key.seal(what, &excerpt).unwrap_or_default(),
        }
    }
}

impl Record {
    /// Adds what was found.
    pub(super) fn say(&mut self, facets: &Facets) {
        self.pii.extend(facets.kinds.iter().copied());
        self.pii_detected = !self.pii.is_empty();
        self.redaction_applied |= self.pii_detected || facets.redacted;
    }

    /// As it is written.
    pub(super) fn line(&self) -> String {
        // Plain data with texts as keys; it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A text that was sealed, for who has its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// `input` or `output`.
    pub what: String,
    /// Its beginning; none when this is not its key.
    pub text: Option<String>,
}

/// Opens what a record holds sealed, if it holds something. `key` is that of its
/// case; none when it was erased.
pub fn open(record: &Value, key: Option<&CaseKey>) -> Option<Personal> {
    let sealed: Sealed = serde_json::from_value(record.get("sealed")?.clone()).ok()?;
    let text = key.and_then(|key| key.open(&sealed.what, &sealed.text));
    Some(Personal {
        what: sealed.what,
        text,
    })
}

/// The record of an erasure, which is written before it is done.
pub fn erased(tenant: &str, case: &str, user: &str, now_unix_ms: u64) -> String {
    let record = Record {
        kind: "erasure",
        timestamp_ms: now_unix_ms,
        case: case.to_owned(),
        tenant: tenant.to_owned(),
        user: user.to_owned(),
        decision: Some("erased"),
        retention: "erasure",
        ..Record::default()
    };
    record.line()
}

/// The record of a human's answer, which is written before it counts.
pub fn decided(asked: &Asked) -> String {
    let bound = &asked.bound;
    let decided = asked.decided.as_ref();
    let swept = |text: &String| pii::sweep(&redact::text(text)).text;
    let record = Record {
        kind: "approval",
        timestamp_ms: decided.map_or(0, |it| it.at_unix_ms),
        run_id: bound.run.clone(),
        case: bound.task.clone(),
        tenant: bound.tenant.clone(),
        user: asked.started_by.clone(),
        agent_name: bound.agent.clone(),
        agent_digest: Some(bound.component.clone()),
        step_id: bound.step.clone(),
        attempt: bound.attempt,
        capability: Capability::Approval.name(),
        resource: super::name(&bound.action),
        decision: decided.map(|it| if it.approved { "approved" } else { "rejected" }),
        reason: decided.and_then(|it| it.comment.as_ref()).map(swept),
        decider: decided.map(|it| it.by.clone()),
        claims: decided.and_then(|it| it.claims.clone()),
        arguments: Some(bound.arguments.clone()),
        risk: Some(asked.risk.score),
        retention: "decisions",
        ..Record::default()
    };
    record.line()
}

/// The record of an effect of which only the decision was written down: whoever was
/// about to make it is gone.
pub fn in_doubt(mut decision: Value, now_unix_ms: u64) -> String {
    if let Value::Object(fields) = &mut decision {
        for key in ["seq", "prev_hash", "hash", "decision", "sealed"] {
            fields.remove(key);
        }
        let set = [
            ("kind", Value::from("effect")),
            ("outcome", Value::from("in-doubt")),
            ("timestamp_ms", Value::from(now_unix_ms)),
        ];
        fields.extend(set.map(|(key, value)| (key.to_owned(), value)));
    }
    decision.to_string()
}
