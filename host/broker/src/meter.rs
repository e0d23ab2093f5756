//! What a run did and what it cost: one record for each effect, one for each
//! kind of refusal.
//!
//! Records are kept in the order they were made; a reader that needs a stable
//! order sorts by step, attempt and sequence. A guest makes records by asking, so
//! each sort of them has a bound: effects by [`crate::EFFECTS`] for each attempt,
//! refusals by [`REFUSALS`], what is said by [`LOG`], calls by the effects that
//! cause them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotcell_store::guard::Guard;
use serde::Serialize;
use tokio::time::Instant;

use crate::files::FileRefusal;
use crate::llm::{Degradation, Origin, Usage};
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
    /// Set when it is not the plain answer of the model asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degradation>,
    /// How long it took, on the clock of `simulated`.
    #[serde(rename = "took_micros", serialize_with = "micros")]
    pub took: Duration,
    /// True when nobody really waited.
    pub simulated_time: bool,
    /// How long a model's provider asked to wait before the next call, in
    /// milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// JSON gets whole microseconds under a name that says so.
fn micros<S: serde::Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(whole_micros(*value))
}

pub(crate) fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
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

    /// Its number in the attempt.
    pub(crate) fn sequence(&self) -> u32 {
        self.effect.as_ref().map_or(0, |effect| effect.sequence)
    }

    /// Records the end. `fill` sees the effect with the time it really took. Of
    /// times whole microseconds are kept, here as in the journal. Gives back what
    /// is recorded as the time it took.
    pub(crate) fn end(mut self, outcome: &'static str, fill: impl FnOnce(&mut Effect)) -> Duration {
        let mut took = self.started.elapsed();
        if let Some(mut effect) = self.effect.take() {
            effect.outcome = outcome;
            effect.took = took;
            fill(&mut effect);
            took = Duration::from_micros(whole_micros(effect.took));
            effect.took = took;
            self.meter.effect(effect);
        }
        took
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

/// So many refusals are told apart in one run, and in the results of all runs:
/// 256. More are counted under one name for each plugin and capability.
pub const REFUSALS: usize = 256;

/// All that the plugins of one run may say together: 1 MiB, so no run says more
/// in a second either, however short its calls are. A line counts for at least
/// 64 bytes.
pub const LOG: usize = 1024 * 1024;

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

    /// The record of a file operation that was refused.
    pub fn of_file(access: Access<'_>, why: FileRefusal) -> Refusal {
        Refusal {
            reason: why.to_string(),
            ..Refusal::new(access, &Denial::Unavailable)
        }
    }

    /// What is written instead when there are too many to tell apart.
    fn other(self) -> Refusal {
        Refusal {
            resource: "other".to_owned(),
            reason: format!("more than {REFUSALS} different refusals"),
            allow_with: None,
            ..self
        }
    }
}

/// Refusals, counted. However many there are, it holds [`REFUSALS`] of them and
/// one `other` for each plugin and capability.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    by: BTreeMap<Refusal, u64>,
}

impl Refusals {
    /// Counts a refusal that was given so many times. Gives back how often it, or
    /// what it is counted under, was given so far.
    pub fn add(&mut self, refusal: Refusal, count: u64) -> u64 {
        let full = self.by.len() >= REFUSALS && Guard::RefusalBound.on();
        let refusal = match full && !self.by.contains_key(&refusal) {
            true => refusal.other(),
            false => refusal,
        };
        let so_far = self.by.entry(refusal).or_default();
        *so_far = so_far.saturating_add(count);
        *so_far
    }

    /// Each with how often it was given, by plugin.
    pub fn iter(&self) -> impl Iterator<Item = (&Refusal, u64)> {
        self.by.iter().map(|(refusal, count)| (refusal, *count))
    }

    /// How many are told apart.
    pub fn len(&self) -> usize {
        self.by.len()
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }
}

/// As a list, each with its `count`.
impl Serialize for Refusals {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Counted<'a> {
            #[serde(flatten)]
            refusal: &'a Refusal,
            count: u64,
        }
        to.collect_seq(
            self.iter()
                .map(|(refusal, count)| Counted { refusal, count }),
        )
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
    /// Lines of its log that were dropped, because it or its run said too much.
    pub log_dropped: u64,
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

/// What the effects of one attempt come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Time that nobody really waited.
    pub simulated: Duration,
    /// Micro-dollars.
    pub cost_micros: u64,
    /// Tokens in and out.
    pub tokens: u64,
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
    /// Refusals, counted.
    pub refusals: Refusals,
    /// Calls of plugins in the order they ended.
    pub cells: Vec<CellUse>,
    /// What plugins said.
    pub log: Vec<LogLine>,
    /// What of [`LOG`] is used up.
    #[serde(skip)]
    said: usize,
    /// How long an attempt, by step and number, was told to wait by this host.
    #[serde(skip)]
    waits: BTreeMap<(String, u32), u64>,
}

impl Meter {
    /// Records what a call of a plugin used, and what it said as far as the run
    /// may still say something; the rest is counted.
    pub fn cell(&self, mut cell: CellUse, log: Vec<LogLine>) {
        let mut records = self.lock();
        for line in log {
            if records.said >= LOG && Guard::LogRate.on() {
                cell.log_dropped += 1;
                continue;
            }
            records.said += line.text.len().max(64);
            records.log.push(line);
        }
        records.cells.push(cell);
    }

    pub(crate) fn effect(&self, effect: Effect) {
        self.lock().effects.push(effect);
    }

    pub(crate) fn refusal(&self, refusal: Refusal) -> u64 {
        self.lock().refusals.add(refusal, 1)
    }

    /// Everything so far.
    pub fn records(&self) -> Records {
        self.lock().clone()
    }

    /// What the effects of one attempt come to so far.
    pub fn spent(&self, step: &str, attempt: u32) -> Spent {
        let records = self.lock();
        let own = records
            .effects
            .iter()
            .filter(|it| it.attempt == attempt && it.step == step);
        own.fold(Spent::default(), |spent, effect| {
            let simulated = if effect.simulated_time {
                effect.took
            } else {
                Duration::ZERO
            };
            let tokens = effect
                .usage
                .input_tokens
                .saturating_add(effect.usage.output_tokens);
            Spent {
                simulated: spent.simulated.saturating_add(simulated),
                cost_micros: spent.cost_micros.saturating_add(effect.cost_micros),
                tokens: spent.tokens.saturating_add(tokens),
            }
        })
    }

    /// An attempt was refused because it, or somebody else, asks too often.
    pub(crate) fn told_to_wait(&self, step: &str, attempt: u32, after_ms: u64) {
        let mut records = self.lock();
        let wait = records.waits.entry((step.to_owned(), attempt)).or_default();
        *wait = after_ms.max(*wait);
    }

    /// How long the providers asked to wait that one attempt was refused by last,
    /// or this host did:
    /// the longest, in milliseconds. What was asked before a call that succeeded
    /// is over.
    pub fn retry_after_ms(&self, step: &str, attempt: u32) -> Option<u64> {
        let records = self.lock();
        let calls = records.effects.iter().filter(|it| {
            it.capability == Capability::Llm && it.attempt == attempt && it.step == step
        });
        let asked = calls.fold(None, |longest, call| match call.outcome {
            "ok" => None,
            _ => longest.max(call.retry_after_ms),
        });
        let own = records.waits.get(&(step.to_owned(), attempt));
        asked.max(own.copied())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(resource: &str) -> Refusal {
        let access = Access {
            plugin: "p",
            capability: Capability::Llm,
            resource,
        };
        Refusal::new(access, &Denial::NotGranted(resource.to_owned()))
    }

    #[test]
    fn refusals_without_end_are_counted_in_a_bounded_list() {
        let mut refusals = Refusals::default();
        for n in 0..10_000 {
            refusals.add(refusal(&format!("m{n}")), 1);
            refusals.add(refusal("m0"), 1);
        }
        assert_eq!(refusals.len(), REFUSALS + 1);
        let count = |resource: &str| {
            let mut found = refusals.iter().filter(|(r, _)| r.resource == resource);
            found.next().unwrap().1
        };
        assert_eq!(count("m0"), 10_001);
        assert_eq!(count("other"), 10_000 - REFUSALS as u64);
        // A resource that is called so is not taken for it.
        refusals.add(refusal("other"), 1);
        assert_eq!(refusals.len(), REFUSALS + 1);
    }

    #[test]
    fn many_short_calls_say_no_more_than_one_run_may() {
        let meter = Meter::default();
        let line = LogLine {
            plugin: "p".to_owned(),
            step: "s".to_owned(),
            attempt: 1,
            level: Level::Info,
            text: "x".repeat(1024),
        };
        let cell = CellUse {
            plugin: "p".to_owned(),
            step: "s".to_owned(),
            attempt: 1,
            outcome: "ok",
            fuel: 0,
            peak_memory: 0,
            wall: Duration::ZERO,
            log_dropped: 0,
        };
        for _ in 0..3_000 {
            meter.cell(cell.clone(), vec![line.clone()]);
        }
        let records = meter.records();
        assert_eq!(records.log.len(), LOG / 1024);
        let dropped: u64 = records.cells.iter().map(|cell| cell.log_dropped).sum();
        assert_eq!(dropped, 3_000 - LOG as u64 / 1024);
    }
}
