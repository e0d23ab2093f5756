//! Does the trials: one unit (an arm, a seed, a set) after the other within an arm,
//! all arms side by side. Every unit is files like anybody's, run by the engine in
//! real cells.
//!
//! A unit is run up to three times: once to have the trials, once more for those
//! that a fault hit, without its first fault (the twins), and once for all seeds
//! without any fault (the reference, which says what is right at each stage).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotcell_broker::provider::faults::Injected;
use hotcell_measure::propagation::cascade;
use hotcell_measure::trial::{Arm, Trial};
use hotcell_store::Digest;
use hotcell_workflow::engine::progress::Teller;
use hotcell_workflow::engine::{Job, Report};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::arms::Pattern;
use super::files::Unit;
use super::observer::Observer;
use super::rates::Rates;
use super::trial::{self, Ran, Reference};
use crate::command::{Problem, WorkflowArgs};
use crate::data::suite::{Set, Suite, Task};
use crate::manifest::records;
use crate::wire::{self, Bench, Options, Workshop};

/// Everything that the trials share.
pub(super) struct Stage<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) suite: &'a Suite,
    pub(super) tasks: &'a [&'a Task],
    pub(super) rates: &'a Rates,
    pub(super) seeds: &'a [u64],
    /// Where the files of units are written.
    pub(super) folder: &'a Path,
    pub(super) plugins: &'a str,
    pub(super) cache: &'a Path,
    pub(super) concurrency: usize,
    pub(super) cancel: &'a CancellationToken,
    /// What was done before: these trials are not done again.
    pub(super) done: &'a BTreeMap<(String, String, u64), usize>,
}

/// Some trials that belong together, done.
pub(super) struct Done {
    pub(super) trials: Vec<Trial>,
}

/// What keeps the draws of patterns apart: two patterns that do the same first step
/// do not meet the same faults. Variants of one pattern do, so that what differs
/// between them is the variant.
pub(super) fn fault_seed(seed: u64, pattern: Pattern) -> u64 {
    let text = format!("agentarch {seed} {}", pattern.name());
    // What TOML can hold, and JavaScript.
    Digest::of(text.as_bytes()).first_u64() >> 12
}

impl Stage<'_> {
    /// All trials of an arm, unit by unit.
    pub(super) async fn arm(&self, arm: &Arm, to: &mpsc::Sender<Done>) -> Result<(), Problem> {
        let Some(pattern) = Pattern::named(&arm.pattern) else {
            return Err(Problem::failed(format!(
                "there is no pattern `{}`",
                arm.pattern
            )));
        };
        for set in Set::ALL {
            let of_set: Vec<&Task> = self
                .tasks
                .iter()
                .copied()
                .filter(|it| it.set == set)
                .collect();
            let open = |seed: u64| -> Vec<&Task> {
                let key = |task: &Task| (arm.id.clone(), task.id.clone(), seed);
                of_set
                    .iter()
                    .copied()
                    .filter(|it| !self.done.contains_key(&key(it)))
                    .collect()
            };
            if self.seeds.iter().all(|seed| open(*seed).is_empty()) {
                continue;
            }
            let unit = |fault_seed| Unit {
                arm,
                pattern,
                set,
                fault_seed,
                plugins: self.plugins,
            };
            let right = self
                .run(&unit(0), "reference", None, &of_set, Vec::new())
                .await?;
            let references: BTreeMap<&str, Reference> = (of_set.iter().zip(&right))
                .map(|(task, ran)| (task.id.as_str(), trial::reference(ran)))
                .collect();
            for seed in self.seeds {
                let tasks = open(*seed);
                if tasks.is_empty() || self.cancel.is_cancelled() {
                    continue;
                }
                let unit = unit(fault_seed(*seed, pattern));
                let done = self.unit(&unit, *seed, &tasks, &references).await?;
                if to.send(Done { trials: done }).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The trials of one unit.
    async fn unit(
        &self,
        unit: &Unit<'_>,
        seed: u64,
        tasks: &[&Task],
        references: &BTreeMap<&str, Reference>,
    ) -> Result<Vec<Trial>, Problem> {
        let name = format!("seed-{seed}");
        let ran = self
            .run(unit, &name, Some(self.rates), tasks, Vec::new())
            .await?;
        let nothing = Reference::default();
        let reference = |task: &Task| references.get(task.id.as_str()).unwrap_or(&nothing);
        let steps: Vec<_> = (tasks.iter().zip(&ran))
            .map(|(task, ran)| trial::steps(task, &ran.report, reference(task)))
            .collect();
        let faults: Vec<_> = (steps.iter().zip(&ran))
            .map(|(steps, ran)| trial::faults(steps, &ran.faults))
            .collect();
        // The twins: without the first fault, and with all others.
        let hit: Vec<usize> = (0..tasks.len())
            .filter(|at| faults.get(*at).is_some_and(|all| !all.is_empty()))
            .collect();
        let first = |at: &usize| {
            faults
                .get(*at)?
                .first()
                .map(|(_, injected)| injected.clone())
        };
        let spared: Vec<Injected> = hit.iter().filter_map(first).collect();
        let twin_tasks: Vec<&Task> = hit
            .iter()
            .filter_map(|at| tasks.get(*at).copied())
            .collect();
        let twins = self
            .run(unit, &name, Some(self.rates), &twin_tasks, spared)
            .await?;
        let mut cascades = BTreeMap::new();
        for ((at, task), twin) in hit.iter().zip(&twin_tasks).zip(&twins) {
            let twin = trial::steps(task, &twin.report, reference(task));
            let own = (steps.get(*at), faults.get(*at));
            if let (Some(steps), Some(faults)) = own {
                let faults: Vec<_> = faults.iter().map(|(fault, _)| fault.clone()).collect();
                cascades.insert(*at, cascade(steps, &twin, &faults));
            }
        }
        let trials = tasks.iter().zip(&ran).enumerate().map(|(at, (task, ran))| {
            let cascade = cascades.remove(&at).flatten();
            trial::trial(&unit.arm.id, seed, task, ran, reference(task), cascade)
        });
        Ok(trials.collect())
    }

    /// Runs tasks in a unit: with these rates or without faults, and without these
    /// faults.
    async fn run(
        &self,
        unit: &Unit<'_>,
        name: &str,
        rates: Option<&Rates>,
        tasks: &[&Task],
        spared: Vec<Injected>,
    ) -> Result<Vec<Ran>, Problem> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let args = self.write(unit, name, rates)?;
        let checked = wire::read(&args)?;
        let observer = Observer::default();
        let options = Options {
            concurrency: self.concurrency,
            cache: self.cache.to_owned(),
            keep: None,
            pinned: None,
            tape: None,
            teller: Teller::default(),
            bench: Some(Bench {
                spared,
                observer: observer.clone(),
            }),
        };
        let assembly = self.workshop.assemble(&checked, &options).await?;
        let jobs = tasks.iter().enumerate().map(|(index, task)| {
            Job::Run(wire::start_record(&records::Record {
                index,
                id: task.id.clone(),
                value: task.input.clone(),
            }))
        });
        let engine = Arc::clone(&assembly.engine);
        let reports = engine.run_all(
            jobs.collect(),
            self.concurrency,
            self.cancel,
            |_: &Report| {},
        );
        let reports = reports.await;
        let log = assembly
            .models
            .iter()
            .find_map(|model| model.faults.clone());
        let ran = |report: Report| Ran {
            faults: log
                .as_ref()
                .map(|log| log.take(&report.task))
                .unwrap_or_default(),
            asked: observer.take(&report.task),
            report,
        };
        Ok(reports.into_iter().map(ran).collect())
    }

    /// Writes the files of a unit.
    fn write(
        &self,
        unit: &Unit<'_>,
        name: &str,
        rates: Option<&Rates>,
    ) -> Result<WorkflowArgs, Problem> {
        let tasks = format!("../../data/{}.json", unit.set.name());
        let ledger = ["../../data/vendors.json", "../../data/invoices.json"];
        let folder = self
            .folder
            .join("work")
            .join(format!("{}-{}", unit.arm.id, unit.set.name()));
        let host = folder.join(format!("{name}.host.toml"));
        let workflow = folder.join("workflow.yaml");
        let policy = folder.join("policy.toml");
        for (path, text) in [
            (&workflow, unit.workflow(&tasks, ledger)),
            (&policy, unit.policy()),
            (&host, unit.host(rates)),
        ] {
            write(path, &text)?;
        }
        Ok(WorkflowArgs {
            workflow,
            host: Some(host),
            policy: Some(policy),
            model: None,
            price: None,
        })
    }

    /// Writes the tasks, and what tools know, where the units look for them.
    pub(super) fn write_data(&self) -> Result<(), Problem> {
        let folder = self.folder.join("data");
        for set in Set::ALL {
            let of_set = self.tasks.iter().filter(|task| task.set == set);
            let inputs: Vec<_> = of_set.clone().map(|task| &task.input).collect();
            write_json(&folder.join(format!("{}.json", set.name())), &inputs)?;
            let gold: BTreeMap<_, _> = of_set.map(|task| (&task.id, &task.gold)).collect();
            let name = format!("{}.json", set.name());
            write_json(&folder.join("gold").join(name), &gold)?;
        }
        write_json(&folder.join("vendors.json"), &self.suite.ledger.vendors)?;
        write_json(&folder.join("invoices.json"), &self.suite.ledger.invoices)
    }
}

/// Writes a file and the folders above it.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let above: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    std::fs::create_dir_all(above)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Problem::failed(format!("cannot write `{}`: {error}", path.display())))
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Problem> {
    let text = serde_json::to_string_pretty(value).map_err(Problem::failed)?;
    write(path, &format!("{text}\n"))
}
