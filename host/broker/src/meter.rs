//! What a run did and what it cost: one record for each effect, one for each
//! refusal.
//!
//! Records are kept in the order they were made; a reader that needs a stable
//! order sorts by step, attempt and sequence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::llm::{Origin, Usage};
use crate::policy::{Access, Capability, Denial, line_that_allows};
use crate::text;

/// One host call with an outside consequence.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// Who called.
    pub plugin: String,
    /// In which step.
    pub step: String,
    /// In which try of it, from 1.
    pub attempt: u32,
    /// Which call of that attempt, from 0.
    pub sequence: u32,
    /// Which capability.
    pub capability: Capability,
    /// Which alias or tool.
    pub resource: String,
    /// `ok` or the error's code.
    pub outcome: &'static str,
    /// Where a model's answer came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Tokens, for model calls.
    pub usage: Usage,
    /// True when the provider did not report usage and it was estimated.
    pub usage_estimated: bool,
    /// Micro-dollars.
    pub cost_micros: u64,
    /// How long it took, on the clock of `simulated`.
    #[serde(rename = "took_micros", serialize_with = "micros")]
    pub took: Duration,
    /// True when nobody really waited.
    pub simulated_time: bool,
}

/// JSON gets whole microseconds under a name that says so.
fn micros<S: serde::Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX))
}

/// An effect that has begun. It is recorded when it ends, and also when nobody
/// waits for its end any more: a cell that is stopped in the middle of a call
/// does not make the call unseen.
pub(crate) struct OpenEffect {
    pub(crate) started: Instant,
    meter: Arc<Meter>,
    /// None once recorded.
    effect: Option<Effect>,
}

impl OpenEffect {
    /// `effect.outcome` is what is recorded if nobody waits for the end.
    pub(crate) fn new(meter: Arc<Meter>, effect: Effect) -> OpenEffect {
        OpenEffect {
            started: Instant::now(),
            meter,
            effect: Some(effect),
        }
    }

    /// Records the end. `fill` sees the effect with the time it really took.
    pub(crate) fn end(mut self, outcome: &'static str, fill: impl FnOnce(&mut Effect)) {
        if let Some(mut effect) = self.effect.take() {
            effect.outcome = outcome;
            effect.took = self.started.elapsed();
            fill(&mut effect);
            self.meter.effect(effect);
        }
    }
}

impl Drop for OpenEffect {
    fn drop(&mut self) {
        if let Some(mut effect) = self.effect.take() {
            effect.took = self.started.elapsed();
            self.meter.effect(effect);
        }
    }
}

/// The longest name of a resource that a refusal repeats, in bytes.
const RESOURCE: usize = 256;

/// One "no" to a plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refusal {
    /// Who asked.
    pub plugin: String,
    /// For what.
    pub capability: Capability,
    /// For which resource of it.
    pub resource: String,
    /// What the plugin was told.
    pub reason: String,
    /// What the operator would write in `policy.toml` to allow it; none when
    /// the host does not offer the capability.
    pub allow_with: Option<String>,
}

impl Refusal {
    /// The record of a decision against an access. What was asked for are the
    /// guest's words, whatever they are, so they pass the text gate here.
    pub fn new(access: Access<'_>, denial: &Denial) -> Refusal {
        let resource = text::line(access.resource, RESOURCE);
        let access = Access {
            resource: &resource,
            ..access
        };
        let allow_with = matches!(denial, Denial::NotGranted(_)).then(|| line_that_allows(access));
        Refusal {
            plugin: access.plugin.to_owned(),
            capability: access.capability,
            reason: text::line(&denial.to_string(), RESOURCE),
            allow_with,
            resource,
        }
    }
}

/// What one call of a plugin used.
#[derive(Clone, Debug, Serialize)]
pub struct CellUse {
    /// The plugin.
    pub plugin: String,
    /// In which step.
    pub step: String,
    /// In which try of it, from 1.
    pub attempt: u32,
    /// How the call ended: `ok`, `failed`, `refused`, `limit.fuel`, `trap`, …
    pub outcome: &'static str,
    /// Fuel charged. After a trap the whole allowance is charged, because the
    /// meter cannot be trusted then (bytecodealliance/wasmtime#13802).
    pub fuel: u64,
    /// The most memory it held at one time, in bytes: memories and tables.
    pub peak_memory: u64,
    /// Wall clock from taking the cell to giving it back, host calls included.
    #[serde(rename = "wall_micros", serialize_with = "micros")]
    pub wall: Duration,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Every detail.
    Trace,
    /// For finding a defect.
    Debug,
    /// What happens.
    Info,
    /// Something is odd; standard error of a WASI guest lands here.
    Warn,
    /// Something broke.
    Error,
}

/// One line a plugin said, already through the text gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Who.
    pub plugin: String,
    /// In which step.
    pub step: String,
    /// In which try of it.
    pub attempt: u32,
    /// How much it matters.
    pub level: Level,
    /// Escaped and cut.
    pub text: String,
}

/// Collects what one run does. Cheap to share; never blocks for long.
#[derive(Debug, Default)]
pub struct Meter {
    records: Mutex<Records>,
}

/// What a meter has collected.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Records {
    /// Effects in the order they ended.
    pub effects: Vec<Effect>,
    /// Refusals in the order they were given.
    pub refusals: Vec<Refusal>,
    /// Calls of plugins in the order they ended.
    pub cells: Vec<CellUse>,
    /// What plugins said.
    pub log: Vec<LogLine>,
}

impl Meter {
    /// Records what a call of a plugin used and said.
    pub fn cell(&self, cell: CellUse, log: Vec<LogLine>) {
        let mut records = self.lock();
        records.cells.push(cell);
        records.log.extend(log);
    }

    pub(crate) fn effect(&self, effect: Effect) {
        self.lock().effects.push(effect);
    }

    pub(crate) fn refusal(&self, refusal: Refusal) {
        self.lock().refusals.push(refusal);
    }

    /// Everything so far.
    pub fn records(&self) -> Records {
        self.lock().clone()
    }

    /// Time that simulated calls say they took, over all effects so far. Add it
    /// to the wall clock to get what a real provider would have cost in time.
    pub fn virtual_time(&self) -> Duration {
        let records = self.lock();
        records
            .effects
            .iter()
            .filter(|e| e.simulated_time)
            .map(|e| e.took)
            .sum()
    }

    /// A poisoned lock only means that another thread panicked between two
    /// pushes; the records are still whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
