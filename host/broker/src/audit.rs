//! Who did what, with what, and what did it cost: one record before an effect that
//! it may be done, one after it of what came of it, one for every refusal.
//!
//! The first is durable before anybody is asked. When it cannot be written the
//! effect is not made: no effect without audit. What comes after is queued and goes
//! with the next; a process that ends in between leaves a decision without an
//! effect, and the run that goes on writes `in-doubt` for it.
//!
//! What a guest sends and gets may be somebody's. A record has its digest, keyed so
//! that it cannot be guessed, and which kinds of personal values were found. The
//! beginning of the text itself, without those values, is sealed under a key of its
//! case: the record that the run works on. Destroying that key erases it, and the
//! chain of records still verifies.

mod keys;
mod record;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::audit::{Audit, AuditError};
use store::books::{Books, BooksError};

use crate::control::{Wanted, Worth};
use crate::llm::Request;
use crate::meter::{Refusal, whole_micros};
use crate::recall::{Answer, Clock, Question};
use crate::{Caller, pii, redact, store, text};
pub use keys::{CaseKey, erase, open_case};
use keys::{Keys, case_of};
use record::{Facets, Record};
pub use record::{Personal, decided, erased, in_doubt, open};

/// So much of a text is sealed into a record, in bytes.
const EXCERPT: usize = 2048;

/// The longest name of a resource in a record, in bytes.
const NAME: usize = 256;

/// Why something could not be written down. The effect is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit.unavailable: {0}")]
pub struct Unavailable(pub(crate) String);

impl From<AuditError> for Unavailable {
    fn from(error: AuditError) -> Unavailable {
        Unavailable(error.to_string())
    }
}

impl From<BooksError> for Unavailable {
    fn from(error: BooksError) -> Unavailable {
        Unavailable(error.to_string())
    }
}

/// What is the same in every record of one host and one workflow.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The workflow's name.
    pub workflow: String,
    /// Who started it: the operating system's user.
    pub user: String,
    /// The digest of the policy.
    pub policy: String,
    /// The digests of the plugins, by name.
    pub agents: BTreeMap<String, String>,
    /// What answers for an alias, in words.
    pub models: BTreeMap<String, String>,
}

/// Where effects are written down. Cheap to clone.
#[derive(Clone)]
pub struct Trail(Arc<Inner>);

struct Inner {
    audit: Audit,
    keys: Keys,
    clock: Clock,
    facts: Facts,
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trail")
    }
}

impl Trail {
    /// A trail into this audit, with its keys in these books.
    pub fn new(audit: Audit, books: Books, clock: Clock, facts: Facts) -> Trail {
        Trail(Arc::new(Inner {
            audit,
            keys: Keys::new(books),
            clock,
            facts,
        }))
    }

    /// What is the same in every record.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// The moment on the wall, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        (self.0.clock)()
    }

    /// Writes down that an effect may be done, and returns when that is durable.
    pub(crate) async fn allowed(
        &self,
        caller: &Caller,
        wanted: &Wanted<'_>,
    ) -> Result<Noted, Unavailable> {
        let key = self
            .0
            .keys
            .of(&case_of(&caller.tenant, &caller.task))
            .await?;
        let mut record = self.record("decision", caller, wanted.capability.name());
        record.sequence = Some(wanted.sequence);
        record.resource = name(wanted.resource);
        record.decision = Some("allowed");
        record.retention = "operations";
        if let Question::Llm(request) = wanted.question {
            record.model = self.0.facts.models.get(&request.model).cloned();
            record.params = Some(params(request));
        }
        let input = wanted.question.json();
        let mut facets = Facets::default();
        record.input_hash = Some(key.digest("input", &input));
        record.sealed = Some(facets.seal(&key, "input", &input));
        record.say(&facets);
        self.0.audit.append(record.line()).await?;
        record.kind = "effect";
        record.decision = None;
        record.sealed = None;
        Ok(Noted {
            trail: self.clone(),
            record: Some(Box::new(record)),
            key,
        })
    }

    /// Writes down a refusal that was given so many times. Which of them are
    /// written is the meter's choice: a guest chooses how many there are.
    pub(crate) fn refused(&self, caller: &Caller, refusal: &Refusal, count: u64) {
        let mut record = self.record("decision", caller, refusal.capability.name());
        record.resource = name(&refusal.resource);
        record.decision = Some("refused");
        record.reason = Some(pii::sweep(&redact::text(&refusal.reason)).text);
        record.count = Some(count);
        record.retention = "security";
        self.note(&record);
    }

    fn record(&self, kind: &'static str, caller: &Caller, capability: &'static str) -> Record {
        let facts = &self.0.facts;
        Record {
            kind,
            timestamp_ms: (self.0.clock)(),
            workflow_id: facts.workflow.clone(),
            run_id: caller.run.clone(),
            case: caller.task.clone(),
            tenant: caller.tenant.clone(),
            user: facts.user.clone(),
            agent_name: caller.plugin.clone(),
            agent_digest: facts.agents.get(&caller.plugin).cloned(),
            step_id: caller.step.clone(),
            attempt: caller.attempt,
            capability,
            policy: facts.policy.clone(),
            ..Record::default()
        }
    }

    /// Nobody waits for it. What cannot be written now is kept and written later;
    /// that the writer is gone, the next decision finds out.
    fn note(&self, record: &Record) {
        drop(self.0.audit.note(record.line()));
    }
}

/// An effect that is written down as about to be done. Dropped without its end, it
/// is one of which nobody knows what came.
#[derive(Debug)]
pub(crate) struct Noted {
    trail: Trail,
    /// None once written.
    record: Option<Box<Record>>,
    key: Arc<CaseKey>,
}

impl Noted {
    /// What was answered.
    pub(crate) fn answered(&mut self, answer: &Answer, took: Duration) {
        let Some(record) = &mut self.record else {
            return;
        };
        // Answers are plain data; none fails to be JSON.
        let output = serde_json::to_string(answer).unwrap_or_default();
        let mut facets = Facets::default();
        record.output_hash = Some(self.key.digest("output", &output));
        record.sealed = Some(facets.seal(&self.key, "output", &output));
        record.say(&facets);
        record.duration_ms = Some(whole_micros(took) / 1000);
    }

    /// How it ended, and what it came to.
    pub(crate) fn end(mut self, outcome: &'static str, cost: Worth) {
        if let Some(record) = &mut self.record {
            record.tokens = Some(cost.tokens);
            record.cost_micros = Some(cost.micros);
        }
        self.write(outcome);
    }

    fn write(&mut self, outcome: &'static str) {
        if let Some(mut record) = self.record.take() {
            record.timestamp_ms = (self.trail.0.clock)();
            record.outcome = Some(outcome);
            self.trail.note(&record);
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.write("unknown");
    }
}

fn name(resource: &str) -> String {
    text::line(&pii::sweep(&redact::text(resource)).text, NAME)
}

fn params(request: &Request) -> serde_json::Value {
    serde_json::json!({
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
    })
}
