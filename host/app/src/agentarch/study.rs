//! The circumstances of a study, and what its trials depend on. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hotcell_measure::trial::{Arm, Benchmark, Clock, Fitted, Meta, Mode};
use hotcell_store::Digest;
use serde_json::json;

use super::args::Settings;
use super::arms::{self, Pattern, Wanted};
use super::files::{self, Unit};
use super::rates::{self, Rates};
use crate::data::suite::{Set, Task};

/// What keeps the draws of patterns apart: two patterns that do the same first step
/// do not meet the same faults. Variants of one pattern do, so that what differs
/// between them is the variant.
pub(super) fn fault_seed(seed: u64, pattern: Pattern) -> u64 {
    let text = format!("agentarch {seed} {}", pattern.name());
    // What TOML can hold, and JavaScript.
    Digest::of(text.as_bytes()).first_u64() >> 12
}

/// What the trials are made from.
pub(super) struct Made<'a> {
    pub(super) settings: &'a Settings,
    pub(super) rates: &'a Rates,
    pub(super) tasks: &'a [&'a Task],
    pub(super) data_seed: u64,
    pub(super) strategy: &'static str,
    /// Plugin to digest.
    pub(super) plugins: BTreeMap<String, Digest>,
}

impl Made<'_> {
    fn is_simulated(&self) -> bool {
        self.settings.mode == Mode::Sim
    }

    fn model(&self) -> String {
        match &self.settings.endpoint {
            Some(endpoint) => format!("{} at {}", endpoint.name, endpoint.base_url),
            None => format!(
                "reference-solver with faults, priced as {}",
                self.settings.priced_as.0
            ),
        }
    }

    /// Name to digest: plugins, tasks, workflows.
    fn digests(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = self
            .plugins
            .iter()
            .map(|(name, digest)| (format!("plugin {name}"), digest.hex()))
            .collect();
        let tasks = self
            .tasks
            .iter()
            .map(|task| json!([task.set, task.id, task.input, task.gold]));
        let tasks: Vec<_> = tasks.map(|task| task.to_string()).collect();
        all.insert(
            "tasks".to_owned(),
            Digest::of(tasks.join("\n").as_bytes()).hex(),
        );
        // However many arms there are now, later ones belong to the same study.
        let arms = arms::arms(&Wanted {
            patterns: Pattern::ALL.to_vec(),
            stages: vec![7, 3],
            rho: Vec::new(),
            without: Vec::new(),
            adaptive: true,
            gates: true,
        });
        let text = |arm: &Arm| -> Option<String> {
            let unit = Unit {
                arm,
                pattern: Pattern::named(&arm.pattern)?,
                set: Set::Invoice,
                seed: 0,
                fault_seed: 0,
                plugins: "",
                timeout_ms: 0,
            };
            Some(unit.workflow("", ["", ""]))
        };
        let texts: Vec<String> = arms.iter().filter_map(text).collect();
        all.insert(
            "workflows".to_owned(),
            Digest::of(texts.concat().as_bytes()).hex(),
        );
        all
    }

    /// Everything that decides how a trial ends, beside its arm, task and seed.
    pub(super) fn fingerprint(&self) -> String {
        let rates = self
            .is_simulated()
            .then(|| json!([self.rates.faults, self.rates.scale]));
        let all = json!([
            env!("CARGO_PKG_VERSION"),
            self.settings.mode.name(),
            self.model(),
            self.rates.price,
            rates,
            self.digests(),
        ]);
        Digest::of(all.to_string().as_bytes()).hex()
    }

    /// The circumstances.
    pub(super) fn meta(&self, timestamp: String, execution_time_s: f64) -> Meta {
        let simulated = self.is_simulated();
        let stages = self.settings.wanted.stages.first().copied().unwrap_or(7);
        Meta {
            benchmark: Benchmark::Agentarch,
            mode: self.settings.mode,
            simulated,
            clock: if simulated {
                Clock::Virtual
            } else {
                Clock::Wall
            },
            model: self.model(),
            seeds: self.settings.seeds.clone(),
            tasks: self.tasks.len() as u64,
            strategy: self.strategy.to_owned(),
            data_seed: self.data_seed,
            stages: files::chain(stages)
                .iter()
                .map(|(id, ..)| (*id).to_owned())
                .collect(),
            fault_rates: match simulated {
                true => self.rates.effective(),
                false => BTreeMap::new(),
            },
            fitted: simulated.then(|| Fitted {
                name: "scale of the rates of content faults".to_owned(),
                value: self.rates.scale,
                how: match self.rates.scale.total_cmp(&rates::SCALE) {
                    Ordering::Equal => rates::FITTED.to_owned(),
                    _ => format!("given by hand; the fitted number is {}", rates::SCALE),
                },
            }),
            prices: BTreeMap::from([(self.model(), self.rates.price)]),
            timeout_micros: rates::TIMEOUT_MICROS,
            baseline: None,
            digests: self.digests(),
            notes: notes(simulated),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timestamp,
            execution_time_s,
        }
    }
}

fn notes(simulated: bool) -> Vec<String> {
    let mut notes = vec![
        "Every pattern has the same agents: one plugin that does one or several of seven stages, \
         with the same rules and forms however the work is cut."
            .to_owned(),
        "Only the state machine has validators between its stages; every pattern has retries, \
         a repair of answers that do not fit their form, and a single agent as its fallback."
            .to_owned(),
        "Breakers are off: a breaker hears of all runs of a host, so with it a result would \
         depend on which task is worked on when."
            .to_owned(),
        "What makes a success is an answer that is right in every scored field; where a task \
         needs tools, the right tools with the right arguments as well, as in the benchmark of \
         the same name (arXiv 2509.10769), from which pass^k and the rate of hallucinated tools \
         are taken too."
            .to_owned(),
    ];
    if simulated {
        notes.push(
            "A call that does the work of several stages draws its content faults as often as \
             they would: cutting the work neither helps nor harms by itself. A call takes as \
             long whatever it does, and is billed by its tokens, four characters each."
                .to_owned(),
        );
        notes.push(
            "Patterns draw their faults apart; variants of one pattern draw the same ones, so \
             that what differs is the variant."
                .to_owned(),
        );
    }
    notes
}
