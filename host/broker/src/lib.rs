//! May it, who does it, and what did it cost.
//!
//! Guests reach models and tools through a [`Broker`] and through nothing else.
//! For each call it looks up the grant, finds the provider, puts a deadline and
//! the run's cancellation around it, prices the answer and writes it down in the
//! run's [`Meter`]. It refuses by default. It never looks into an answer: what
//! the words mean is the agents' business.

pub mod approval;
pub mod audit;
pub mod bulkhead;
mod calls;
mod control;
pub mod delegate;
pub mod egress;
pub mod embed;
pub mod files;
pub mod hashed;
pub mod ledger;
pub mod llm;
pub mod memory;
pub mod meter;
mod perform;
pub mod pii;
pub mod policy;
pub mod provider;
pub mod recall;
pub mod redact;
pub mod secrets;
pub mod text;
pub mod tool;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use hotcell_store as store;
use serde::{Deserialize, Serialize};
use store::books::Books;
use store::guard::Guard;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use delegate::AgentProvider;
use egress::Egress;
use files::{FileGrant, FileRefusal};
use ledger::Ledger;
use llm::{LlmProvider, Usage};
use meter::{Effect, Meter, OpenEffect, Refusal};
pub use policy::{Access, Capability, Denial, Grants, Policy};
use recall::{AttemptLog, Clock, Unrecorded};
use secrets::Secrets;
use tool::registry::Tools;
use tool::{ToolProvider, ToolSpec, UnusableTool};

/// The most calls a guest may make at once: 64. They all count towards what the
/// host does at one time, so one guest must not ask for any number.
pub const BATCH: usize = 64;

/// The most effects of one attempt: 4,096. Each is a record that the host keeps
/// and most cost money; an honest attempt has a few dozen.
pub const EFFECTS: u32 = 4_096;

/// Micro-dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For a million input tokens.
    pub input_micros_per_mtok: u64,
    /// For a million output tokens.
    pub output_micros_per_mtok: u64,
}

impl Price {
    /// What a call cost, in micro-dollars. Rounded up once, over both parts, so
    /// that no call that used a token of a priced model is free.
    pub fn of(self, usage: Usage) -> u64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = part(usage.input_tokens, self.input_micros_per_mtok)
            .saturating_add(part(usage.output_tokens, self.output_micros_per_mtok));
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// What a token costs that has to be paid to both.
    pub fn plus(self, other: Price) -> Price {
        Price {
            input_micros_per_mtok: self
                .input_micros_per_mtok
                .saturating_add(other.input_micros_per_mtok),
            output_micros_per_mtok: self
                .output_micros_per_mtok
                .saturating_add(other.output_micros_per_mtok),
        }
    }
}

/// Where an alias leads.
#[derive(Clone)]
pub struct Route {
    /// Who answers.
    pub provider: Arc<dyn LlmProvider>,
    /// What it costs.
    pub price: Price,
    /// The longest one call may take.
    pub timeout: Duration,
    /// The most output tokens of one call, whatever it asks for.
    pub max_output_tokens: Option<u32>,
}

/// The attempt on whose behalf the broker acts.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The run.
    pub run: String,
    /// On whose behalf the run was started.
    pub tenant: String,
    /// The record being worked on. Unlike the run's id it is the same in every
    /// execution, so draws are keyed by it.
    pub task: String,
    /// The step's path.
    pub step: String,
    /// The try of the step, from 1.
    pub attempt: u32,
    /// The plugin, by the name in its manifest.
    pub plugin: String,
    /// Moment of the run, milliseconds since 1970-01-01 UTC.
    pub now_unix_ms: u64,
    /// When this call will be stopped, on the host's clock.
    pub deadline: Instant,
    /// Where effects and refusals are written.
    pub meter: Arc<Meter>,
    /// Ends the call early.
    pub cancel: CancellationToken,
    /// Numbers the effects of this attempt.
    pub sequence: Arc<AtomicU32>,
    /// How many calls of plugins this one is inside of: 0 for a step.
    pub depth: u8,
    /// The plugins whose calls this one is inside of: they pay for it, too.
    pub behalf: Arc<[String]>,
    /// The place of the call that this one is inside of.
    pub parent: Option<bulkhead::Place>,
    /// What the journal knows of the attempt, and gets to know.
    pub log: AttemptLog,
}

impl Caller {
    /// The caller that a nested cell gets, such as a tool's: same run, its own
    /// step path and numbering, never a later deadline. It has no journal: for
    /// that, the call it is made for is the effect, as a whole.
    pub fn nested(&self, plugin: &str, step: String) -> Caller {
        Caller {
            plugin: plugin.to_owned(),
            step,
            sequence: Arc::default(),
            depth: self.depth.saturating_add(1),
            behalf: self.behalf.iter().chain([&self.plugin]).cloned().collect(),
            log: AttemptLog::off(),
            ..self.clone()
        }
    }

    /// The caller that a provider is handed: of several calls made at once each
    /// knows its own number, however far the attempt's counter is by then.
    fn asking(&self, sequence: u32) -> Caller {
        Caller {
            sequence: Arc::new(AtomicU32::new(sequence.saturating_add(1))),
            ..self.clone()
        }
    }

    /// The number of the call that a provider is asked for; the same as the
    /// effect's.
    pub fn number(&self) -> u32 {
        self.sequence.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Whether the attempt asked for more than [`EFFECTS`]. What it asks from
    /// there on is refused; whoever runs the attempt should end it.
    pub fn asked_too_much(&self) -> bool {
        Guard::Effects.on() && self.sequence.load(Ordering::Relaxed) > EFFECTS
    }

    /// The number of the next effect, if there may be one.
    fn next(&self) -> Option<u32> {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        if number < EFFECTS || !Guard::Effects.on() {
            return Some(number);
        }
        // Never round to the first number again.
        self.sequence.store(EFFECTS + 1, Ordering::Relaxed);
        None
    }
}

/// Decides, calls, prices, records. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    egress: Arc<Egress>,
    models: BTreeMap<String, Route>,
    tools: Tools,
    agents: BTreeMap<String, Arc<dyn AgentProvider>>,
    books: Option<Books>,
    ledger: Option<Ledger>,
    audit: Option<audit::Trail>,
    clock: Option<Clock>,
    approvals: approval::queue::Rules,
    secrets: Arc<Secrets>,
}

/// What a broker is made of. By default it has nothing, and grants nothing.
#[derive(Default)]
pub struct Parts {
    /// Who may do what.
    pub policy: Policy,
    /// Models by alias.
    pub models: BTreeMap<String, Route>,
    /// Who offers tools.
    pub tools: Vec<Arc<dyn ToolProvider>>,
    /// Agents that others may ask.
    pub agents: Vec<Arc<dyn AgentProvider>>,
    /// The way out: the system's resolver and the limits of
    /// [`egress::Limits`] by default.
    pub egress: Arc<Egress>,
    /// Where budgets, quotas, stored values and approvals are written. Without
    /// books there are none of them.
    pub books: Option<Books>,
    /// What may be spent, and how often. Without one there is no cap.
    pub ledger: Option<Ledger>,
    /// Where what is done is written down. Without it nothing is.
    pub audit: Option<audit::Trail>,
    /// What time it is. Without a clock it is always the moment of the run.
    pub clock: Option<Clock>,
    /// How humans are asked.
    pub approvals: approval::queue::Rules,
    /// What plugins may use by name.
    pub secrets: Secrets,
}

impl Broker {
    /// A broker over these routes (by alias) and tools, and nothing else.
    pub fn new(
        policy: Policy,
        models: BTreeMap<String, Route>,
        tools: Vec<Arc<dyn ToolProvider>>,
    ) -> Result<Broker, UnusableTool> {
        Broker::assemble(Parts {
            policy,
            models,
            tools,
            ..Parts::default()
        })
    }

    /// A broker of these parts. Refuses tools whose names could be taken for one
    /// another, since a call must mean one thing, and schemas that are no use.
    pub fn assemble(parts: Parts) -> Result<Broker, UnusableTool> {
        let by_name = |agent: Arc<dyn AgentProvider>| (agent.name().to_owned(), agent);
        Ok(Broker {
            inner: Arc::new(Inner {
                policy: parts.policy,
                egress: parts.egress,
                models: parts.models,
                tools: Tools::new(parts.tools)?,
                agents: parts.agents.into_iter().map(by_name).collect(),
                books: parts.books,
                ledger: parts.ledger,
                audit: parts.audit,
                clock: parts.clock,
                approvals: parts.approvals,
                secrets: Arc::new(parts.secrets),
            }),
        })
    }

    /// Where this host keeps what is written in books.
    pub(crate) fn books(&self) -> Option<&Books> {
        self.inner.books.as_ref()
    }

    /// What time it is, in milliseconds since 1970-01-01 UTC.
    pub(crate) fn now(&self, caller: &Caller) -> u64 {
        let clock = self.inner.clock.as_ref();
        clock.map_or(caller.now_unix_ms, |clock| clock())
    }

    pub(crate) fn egress(&self) -> &Egress {
        &self.inner.egress
    }

    /// Opens the record of an effect, unless the attempt has had its share.
    fn begin(
        &self,
        caller: &Caller,
        capability: Capability,
        resource: &str,
        origin: Option<llm::Origin>,
    ) -> Option<OpenEffect> {
        let sequence = caller.next()?;
        Some(self.open(caller, sequence, capability, resource, origin))
    }

    /// Opens the record of an effect with this number.
    fn open(
        &self,
        caller: &Caller,
        sequence: u32,
        capability: Capability,
        resource: &str,
        origin: Option<llm::Origin>,
    ) -> OpenEffect {
        let effect = Effect {
            plugin: caller.plugin.clone(),
            step: caller.step.clone(),
            attempt: caller.attempt,
            sequence,
            capability,
            resource: resource.to_owned(),
            outcome: "cancelled",
            origin,
            usage: Usage::default(),
            usage_estimated: false,
            cost_micros: 0,
            degraded: None,
            took: Duration::ZERO,
            simulated_time: false,
            retry_after_ms: None,
        };
        OpenEffect::new(Arc::clone(&caller.meter), effect)
    }

    /// What is granted, on whose behalf, and by which file.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// The tools a plugin may call, sorted by name.
    pub fn tools(&self, plugin: &str) -> Vec<ToolSpec> {
        let tools = self.inner.tools.specs();
        let may = |spec: &&ToolSpec| {
            let access = Access {
                plugin,
                capability: Capability::Tools,
                resource: &spec.name,
            };
            policy::decide(&self.inner.policy, access).is_ok()
        };
        tools.filter(may).cloned().collect()
    }

    /// The folders that a plugin was lent.
    pub fn folders(&self, plugin: &str) -> impl Iterator<Item = &FileGrant> {
        let grants = self.inner.policy.plugin.iter();
        let of_plugin =
            move |(name, _): &(&String, &Grants)| *name == plugin || !Guard::FilesScope.on();
        grants
            .filter(of_plugin)
            .flat_map(|(_, grants)| &grants.files)
    }

    /// Records that a cell begins to use a folder, unless the attempt has had its
    /// share of effects. Each read and write would be too many records, and a
    /// guest chooses how many.
    pub fn use_folder(&self, caller: &Caller, folder: &FileGrant) -> bool {
        let what = format_args!("files {}", folder.at);
        if !caller.log.leaves(caller, Unrecorded::Files, what) {
            return false;
        }
        let effect = self.begin(caller, Capability::Files, &folder.at, None);
        let begun = effect.is_some();
        if let Some(effect) = effect {
            effect.end("ok", |_| {});
        }
        begun
    }

    /// Records why a file operation was refused.
    pub fn refused_file(&self, caller: &Caller, at: &str, why: FileRefusal) {
        let access = Access {
            plugin: &caller.plugin,
            capability: Capability::Files,
            resource: at,
        };
        self.refuse(caller, Refusal::of_file(access, why));
    }

    /// Records a refusal that was given before, as if it were given now.
    pub fn refused(&self, caller: &Caller, capability: Capability, resource: &str, why: &Denial) {
        let access = Access {
            plugin: &caller.plugin,
            capability,
            resource,
        };
        caller.meter.refusal(Refusal::new(access, why));
    }

    /// Looks up the grant, first thing in every call; a "no" is recorded.
    pub fn allow(
        &self,
        caller: &Caller,
        capability: Capability,
        resource: &str,
    ) -> Result<(), Denial> {
        let access = Access {
            plugin: &caller.plugin,
            capability,
            resource,
        };
        policy::decide(&self.inner.policy, access)
            .inspect_err(|denial| self.refuse(caller, Refusal::new(access, denial)))
    }

    /// Counts a refusal, and writes it down: the first, the second, the fourth and so
    /// on, so that a guest that asks without end fills no disk.
    pub(crate) fn refuse(&self, caller: &Caller, refusal: Refusal) {
        let count = caller.meter.refusal(refusal.clone());
        if let Some(trail) = self
            .inner
            .audit
            .as_ref()
            .filter(|_| count.is_power_of_two())
        {
            trail.refused(caller, &refusal, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_exact_and_never_rounds_to_free() {
        let price = Price {
            input_micros_per_mtok: 150_000,
            output_micros_per_mtok: 600_000,
        };
        let usage = |input, output| Usage {
            input_tokens: input,
            output_tokens: output,
            ..Usage::default()
        };
        let table = [
            (0, 0, 0),
            (1, 0, 1),
            (7, 0, 2),
            (1_000_000, 1_000_000, 750_000),
        ];
        for (input, output, cost) in table {
            assert_eq!(price.of(usage(input, output)), cost, "{input} {output}");
        }
        let dear = Price {
            input_micros_per_mtok: u64::MAX,
            output_micros_per_mtok: u64::MAX,
        };
        assert_eq!(dear.of(usage(u64::MAX, u64::MAX)), u64::MAX);
    }
}
