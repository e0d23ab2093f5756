//! The study that an evaluation is: what was tried, under which circumstances, and
//! what came of it. Pure but for the time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hotcell_broker::llm::Origin;
use hotcell_broker::text;
use hotcell_measure::Study;
use hotcell_measure::trial::{Arm, Benchmark, Clock, Failed, Meta, Mode, Price, Trial, Variant};
use hotcell_store::Digest;

use super::arms::Contender;
use super::rounds::{Done, Rounds};
use super::tasks::Task;
use crate::moment;
use crate::wire::{self, Assembly, ModelInUse};

/// The seed where no model has one.
const SEED: u64 = 42;

/// A model that an arm could call.
pub(super) struct ModelUsed {
    alias: String,
    what: String,
    origin: Origin,
    price: Price,
}

impl ModelUsed {
    /// All that an arm could call.
    pub(super) fn all(arm: &Contender, assembly: &Assembly) -> Vec<ModelUsed> {
        let model = |model: &ModelInUse| {
            let known = arm.checked.host.models.get(&model.alias);
            let price = known.map(|it| it.price).unwrap_or_default();
            ModelUsed {
                alias: model.alias.clone(),
                what: model.what.clone(),
                origin: model.origin,
                price: Price {
                    input_micros_per_mtok: price.input_micros_per_mtok,
                    output_micros_per_mtok: price.output_micros_per_mtok,
                },
            }
        };
        assembly.models.iter().map(model).collect()
    }
}

/// Under which circumstances it was done.
pub(super) struct Circumstances<'a> {
    pub(super) file: &'a Path,
    pub(super) bytes: &'a [u8],
    pub(super) tasks: &'a [Task],
    /// Whether these are the first tasks of the file and not all.
    pub(super) limited: bool,
    pub(super) arms: &'a [Contender],
    /// How many rounds were asked for.
    pub(super) seeds: u64,
    pub(super) baseline: Option<String>,
    pub(super) wall: Duration,
}

/// What the trials of a round are told apart by: the seed of the first simulated
/// model, counted up.
pub(super) fn seed(arms: &[Contender], round: u64) -> u64 {
    let first = arms.iter().find_map(Contender::seed);
    first.unwrap_or(SEED).wrapping_add(round)
}

impl Circumstances<'_> {
    /// Everything that was tried. Of rounds that not all arms finished none counts,
    /// unless it is the first.
    pub(super) fn study(&self, rounds: Rounds) -> Study {
        let least = rounds.arms.iter().map(|done| done.rounds.len()).min();
        let counted = least.unwrap_or_default().max(1);
        let meta = self.meta(&rounds, counted);
        let mut study = Study {
            meta,
            ..Study::default()
        };
        for (arm, done) in self.arms.iter().zip(rounds.arms) {
            study.arms.push(Arm {
                id: arm.id.clone(),
                pattern: arm.checked.workflow.plan.pattern.name().to_owned(),
                variant: Variant::default(),
                main: true,
                execution_time_s: done.wall.as_secs_f64(),
            });
            if done.rounds.is_empty() {
                study.failed.push(Failed {
                    arm: arm.id.clone(),
                    why: "it was stopped before it had tried every task".to_owned(),
                });
            }
            let trials = done.rounds.into_iter().take(counted).flatten();
            study.trials.extend(trials.collect::<Vec<Trial>>());
        }
        study
    }

    fn meta(&self, rounds: &Rounds, counted: usize) -> Meta {
        let models = || rounds.arms.iter().flat_map(|done| &done.models);
        let origins = |origin: Origin| models().any(|model| model.origin == origin);
        let simulated = |done: &&Done| {
            let mut models = done.models.iter().peekable();
            models.peek().is_some() && models.all(|model| model.origin == Origin::Simulated)
        };
        let virtually = rounds.arms.iter().filter(simulated).count();
        let timeouts = self.arms.iter();
        let timeouts = timeouts.map(|arm| arm.checked.workflow.plan.timeout_ms);
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let file = text::line(&file, text::LINE);
        let counted = u64::try_from(counted).unwrap_or(u64::MAX).min(self.seeds);
        Meta {
            benchmark: Benchmark::Own,
            mode: match origins(Origin::Simulated) && !origins(Origin::Live) {
                true => Mode::Sim,
                false => Mode::Live,
            },
            simulated: origins(Origin::Simulated),
            clock: match virtually == rounds.arms.len() {
                true => Clock::Virtual,
                false => Clock::Wall,
            },
            model: self.models(rounds),
            seeds: (0..counted).map(|round| seed(self.arms, round)).collect(),
            tasks: self.tasks.len() as u64,
            strategy: match self.limited {
                true => format!("the first of `{file}`"),
                false => format!("all of `{file}`"),
            },
            data_seed: seed(self.arms, 0),
            fault_rates: self.rates(),
            prices: prices(self.arms, rounds),
            timeout_micros: timeouts.max().unwrap_or_default().saturating_mul(1_000),
            baseline: self.baseline.clone(),
            digests: self.digests(rounds),
            notes: self.notes(rounds, virtually, counted),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timestamp: moment::rfc3339(wire::now_unix_ms()),
            execution_time_s: self.wall.as_secs_f64(),
            ..Meta::default()
        }
    }

    /// Which models answered, in words; once what all arms have in common.
    fn models(&self, rounds: &Rounds) -> String {
        let of = |done: &Done| {
            let model = |it: &ModelUsed| format!("{} = {}", it.alias, it.what);
            done.models.iter().map(model).collect::<Vec<_>>().join(", ")
        };
        let all: Vec<String> = rounds.arms.iter().map(of).collect();
        match all.first() {
            Some(first) if all.iter().all(|it| it == first) => first.clone(),
            _ => {
                let named = self.arms.iter().zip(&all);
                let named = named.map(|(arm, models)| format!("{}: {models}", arm.id));
                named.collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// The rates at which faults are injected, where all simulated models have the
    /// same.
    fn rates(&self) -> BTreeMap<String, f64> {
        let mut rates = self.arms.iter().flat_map(Contender::simulated);
        let Some((_, first)) = rates.next() else {
            return BTreeMap::new();
        };
        if rates.any(|(_, other)| other != first) {
            return BTreeMap::new();
        }
        let rates = first.rates().into_iter();
        rates
            .filter(|(_, rate)| *rate > 0.0)
            .map(|(fault, rate)| (fault.name().to_owned(), rate))
            .collect()
    }

    fn digests(&self, rounds: &Rounds) -> BTreeMap<String, String> {
        let mut digests = BTreeMap::new();
        digests.insert("tasks".to_owned(), Digest::of(self.bytes).hex());
        for (arm, done) in self.arms.iter().zip(&rounds.arms) {
            for (plugin, digest) in &done.plugins {
                digests.insert(format!("{}/{plugin}", arm.id), digest.clone());
            }
            for path in &arm.checked.files {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                // It was read a moment ago.
                if let Ok(bytes) = std::fs::read(path) {
                    digests.insert(format!("{}/{name}", arm.id), Digest::of(&bytes).hex());
                }
            }
        }
        digests
    }

    fn notes(&self, rounds: &Rounds, virtually: usize, counted: u64) -> Vec<String> {
        let mut notes = vec![
            "Of one's own workflow it is not known what a step gives when nothing goes wrong, nor \
             whose output it saw: there is no error propagation index. `right` of a step in the \
             trials says that it came to an answer."
                .to_owned(),
        ];
        let arms = rounds.arms.len();
        if virtually > 0 && virtually < arms {
            notes.push(
                "Some workflows have only simulated models: their times were drawn, those of the \
                 others were waited for."
                    .to_owned(),
            );
        }
        let mut seeds = self.arms.iter().filter_map(Contender::seed);
        let first = seeds.next();
        if first.is_some() {
            notes.push(
                "The seed of a simulated model counts up from the one in its host file with each \
                 round of trials."
                    .to_owned(),
            );
        }
        if seeds.any(|seed| Some(seed) != first) {
            notes.push(
                "The workflows' simulated models begin with different seeds; trials are named by \
                 those of the first."
                    .to_owned(),
            );
        }
        let mut timeouts = self.arms.iter();
        let timeout = |arm: &Contender| arm.checked.workflow.plan.timeout_ms;
        let first = timeouts.next().map(timeout);
        if timeouts.any(|arm| Some(timeout(arm)) != first) {
            notes.push(
                "The workflows have different timeouts: a trial that timed out enters with that of \
                 its own."
                    .to_owned(),
            );
        }
        if rounds.stopped {
            notes.push(format!(
                "It was stopped: {counted} of {} rounds count.",
                self.seeds
            ));
        }
        notes
    }
}

/// What models cost, by alias; with the arm's name where two arms differ.
fn prices(arms: &[Contender], rounds: &Rounds) -> BTreeMap<String, Price> {
    let mut prices: BTreeMap<String, Price> = BTreeMap::new();
    for (arm, done) in arms.iter().zip(&rounds.arms) {
        for model in &done.models {
            let name = match prices.get(&model.alias) {
                Some(other) if *other != model.price => format!("{}: {}", arm.id, model.alias),
                _ => model.alias.clone(),
            };
            prices.insert(name, model.price);
        }
    }
    prices
}
