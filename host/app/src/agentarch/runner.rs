//! Does the trials: one unit (an arm, a seed, a set) after the other within an arm,
//! all arms side by side. Every unit is files like anybody's, run by the engine in
//! real cells.
//!
//! A unit is run up to three times: once to have the trials, once more for those
//! that a fault hit, without its first fault (the twins), and once for all seeds
//! without any fault (the reference, which says what is right at each stage).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use hotcell_broker::provider::capped::Budget;
use hotcell_broker::provider::faults::Injected;
use hotcell_measure::propagation::cascade;
use hotcell_measure::trial::{Arm, Mode, Trial};
use hotcell_workflow::engine::{Job, Report};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::args::Settings;
use super::arms::Pattern;
use super::files::Unit;
use super::kept::Key;
use super::observer::Observer;
use super::rates::{Answers, Rates, TIMEOUT_MICROS};
use super::study::fault_seed;
use super::trial::{self, Hit, Ran, Reference};
use crate::command::{Problem, WorkflowArgs};
use crate::data::suite::{Set, Suite, Task};
use crate::findings;
use crate::manifest::records;
use crate::wire::{self, Bench, Options, Workshop};

/// Everything that the trials share.
pub(super) struct Stage<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) suite: &'a Suite,
    pub(super) tasks: &'a [&'a Task],
    pub(super) rates: &'a Rates,
    pub(super) settings: &'a Settings,
    /// What all calls together may cost.
    pub(super) budget: Option<&'a Budget>,
    /// Where the files of units are written.
    pub(super) folder: &'a Path,
    pub(super) plugins: &'a str,
    /// Where recordings are.
    pub(super) cassettes: &'a Path,
    pub(super) cache: &'a Path,
    pub(super) concurrency: usize,
    pub(super) cancel: &'a CancellationToken,
    /// Whether every task can be solved from what it shows.
    pub(super) decidable: bool,
    /// What was done before: these trials are not done again.
    pub(super) done: &'a BTreeSet<Key>,
}

/// Which of the times that a unit is run.
enum Run {
    /// Without any fault: what is right at each stage.
    Reference,
    /// As it is measured.
    Trial,
    /// Without these faults, and with all others.
    Twin(Vec<Injected>),
}

impl Stage<'_> {
    /// All trials of an arm, unit by unit.
    pub(super) async fn arm(
        &self,
        arm: &Arm,
        to: &mpsc::Sender<Vec<Trial>>,
    ) -> Result<(), Problem> {
        let Some(pattern) = Pattern::named(&arm.pattern) else {
            return Err(Problem::failed(format!(
                "there is no pattern `{}`",
                arm.pattern
            )));
        };
        for set in Set::ALL {
            let tasks = self.tasks.iter().copied().filter(|it| it.set == set);
            let of_set: Vec<&Task> = tasks.collect();
            let open = |seed: u64| -> Vec<&Task> {
                let name = set.name().to_owned();
                let key = |task: &Task| (arm.id.clone(), name.clone(), task.id.clone(), seed);
                let tasks = of_set.iter().copied();
                tasks.filter(|it| !self.done.contains(&key(it))).collect()
            };
            let seeds = &self.settings.seeds;
            if !seeds.is_empty() && seeds.iter().all(|seed| open(*seed).is_empty()) {
                continue;
            }
            let unit = |seed, fault_seed| Unit {
                arm,
                pattern,
                set,
                seed,
                fault_seed,
                plugins: self.plugins,
                timeout_ms: match self.settings.mode {
                    // Real time decides nothing: a busy machine must not change a result.
                    Mode::Sim => 3_600_000,
                    Mode::Record | Mode::Replay | Mode::Live => TIMEOUT_MICROS / 1_000,
                },
            };
            let mut alone = unit(0, 0);
            if pattern == Pattern::Voting && !seeds.is_empty() {
                // Voters who never err say five times what one of them says.
                alone.pattern = Pattern::Sequential;
            }
            let right = self.run(&alone, Run::Reference, &of_set).await?;
            if self.decidable {
                self.sound(arm, &of_set, &right)?;
            }
            let references: BTreeMap<&str, Reference> = (of_set.iter().zip(&right))
                .map(|(task, ran)| (task.id.as_str(), trial::reference(ran)))
                .collect();
            for seed in seeds {
                let unit = unit(*seed, fault_seed(*seed, pattern));
                for tasks in open(*seed).chunks(self.chunk()) {
                    let trials = self.unit(&unit, tasks, &references).await?;
                    // What was cut short is no result.
                    if self.cancel.is_cancelled() || to.send(trials).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends an arm that the budget is too small for: a trial whose calls were refused
    /// says nothing about its pattern.
    fn afford(&self) -> Result<(), Problem> {
        match self.budget.map(Budget::spending) {
            Some(spending) if spending.refused > 0 => Err(Problem::failed(format!(
                "the budget of {:.2} USD is spent; what was finished is kept, and a larger \
                 `--budget-usd` goes on from there",
                spending.cap as f64 / 1e6,
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses to measure with agents that get a task wrong when nothing goes wrong:
    /// every later figure would be about that.
    fn sound(&self, arm: &Arm, tasks: &[&Task], ran: &[Ran]) -> Result<(), Problem> {
        let wrong = tasks.iter().zip(ran).filter(|(task, ran)| {
            !self.cancel.is_cancelled() && !trial::is_right(task, ran.report.output.as_ref())
        });
        let wrong: Vec<&str> = wrong.map(|(task, _)| task.id.as_str()).collect();
        match wrong.first() {
            None => Ok(()),
            Some(first) => Err(Problem::failed(format!(
                "without any fault {} of {} tasks are wrong in the arm `{}`, `{first}` first",
                wrong.len(),
                tasks.len(),
                arm.id,
            ))),
        }
    }

    /// So many tasks are kept at once: what is lost when somebody pulls the plug.
    fn chunk(&self) -> usize {
        match self.settings.mode {
            Mode::Sim => 100,
            // Calls that were paid for.
            Mode::Record | Mode::Replay | Mode::Live => self.concurrency.max(1),
        }
    }

    /// The trials of one unit.
    async fn unit(
        &self,
        unit: &Unit<'_>,
        tasks: &[&Task],
        references: &BTreeMap<&str, Reference>,
    ) -> Result<Vec<Trial>, Problem> {
        let ran = self.run(unit, Run::Trial, tasks).await?;
        self.afford()?;
        let nothing = Reference::default();
        let reference = |task: &Task| references.get(task.id.as_str()).unwrap_or(&nothing);
        let mut all: Vec<Hit> = (tasks.iter().zip(&ran))
            .map(|(task, ran)| {
                let steps = trial::steps(task, &ran.report, reference(task));
                let (faults, injected) = trial::faults(&steps, &ran.faults).into_iter().unzip();
                Hit {
                    steps,
                    faults,
                    injected,
                    cascade: None,
                }
            })
            .collect();
        let spared: Vec<Injected> = all
            .iter()
            .filter_map(|it| it.injected.first().cloned())
            .collect();
        let hit = || {
            all.iter()
                .zip(tasks)
                .filter(|(it, _)| !it.injected.is_empty())
        };
        let twin_tasks: Vec<&Task> = hit().map(|(_, task)| *task).collect();
        let twins = self.run(unit, Run::Twin(spared), &twin_tasks).await?;
        let hit = all.iter_mut().filter(|it| !it.injected.is_empty());
        for ((hit, task), twin) in hit.zip(&twin_tasks).zip(&twins) {
            let twin = trial::steps(task, &twin.report, reference(task));
            hit.cascade = cascade(&hit.steps, &twin, &hit.faults);
        }
        let trials = tasks.iter().zip(&ran).zip(all).map(|((task, ran), hit)| {
            trial::trial(&unit.arm.id, unit.seed, task, ran, reference(task), hit)
        });
        Ok(trials.collect())
    }

    /// Runs tasks in a unit.
    async fn run(&self, unit: &Unit<'_>, run: Run, tasks: &[&Task]) -> Result<Vec<Ran>, Problem> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let args = self.write(unit, &run)?;
        let checked = wire::read(&args)?;
        let observer = Observer::default();
        let budget = match run {
            // The solver costs nothing.
            Run::Reference => None,
            Run::Trial | Run::Twin(_) => self.budget.cloned(),
        };
        let options = Options {
            concurrency: self.concurrency,
            cache: self.cache.to_owned(),
            bench: Some(Bench {
                spared: match run {
                    Run::Twin(spared) => spared,
                    Run::Reference | Run::Trial => Vec::new(),
                },
                observer: observer.clone(),
                budget,
            }),
            ..Options::default()
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
        let ended = |_: &Report| {};
        let reports = engine.run_all(jobs.collect(), self.concurrency, self.cancel, ended);
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
    fn write(&self, unit: &Unit<'_>, run: &Run) -> Result<WorkflowArgs, Problem> {
        let name = format!("{}-{}", unit.arm.id, unit.set.name());
        let folder = self.folder.join("work").join(&name);
        let seed = unit.seed;
        if self.settings.mode == Mode::Record {
            make(self.cassettes)?;
        }
        let cassette = self.cassettes.join(format!("{name}-seed-{seed}.jsonl"));
        let cassette = std::path::absolute(&cassette).map_err(Problem::failed)?;
        let cassette = cassette.display().to_string();
        let answers = match (run, self.settings.mode, &self.settings.endpoint) {
            (Run::Reference, ..) => Answers::Right,
            (_, Mode::Record, Some(endpoint)) => Answers::Real(endpoint, Some(&cassette)),
            (_, Mode::Replay, Some(endpoint)) => Answers::Recorded(endpoint, &cassette),
            (_, Mode::Live, Some(endpoint)) => Answers::Real(endpoint, None),
            (_, _, _) => Answers::Simulated(self.rates),
        };
        let host = match run {
            Run::Reference => folder.join("reference.host.toml"),
            // A twin has the same files: what it is spared stands in none.
            Run::Trial | Run::Twin(_) => folder.join(format!("seed-{seed}.host.toml")),
        };
        let tasks = format!("../../data/{}.json", unit.set.name());
        let ledger = ["../../data/vendors.json", "../../data/invoices.json"];
        let (workflow, policy) = (folder.join("workflow.yaml"), folder.join("policy.toml"));
        for (path, text) in [
            (&workflow, unit.workflow(&tasks, ledger)),
            (&policy, unit.policy()),
            (&host, unit.host(answers)),
        ] {
            write(path, &text)?;
        }
        Ok(WorkflowArgs {
            workflow,
            host: Some(host),
            policy: Some(policy),
            model: None,
            price: None,
            record: None,
            replay: None,
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

/// Makes a folder and those above it.
pub(super) fn make(folder: &Path) -> Result<(), Problem> {
    let made = std::fs::create_dir_all(folder);
    made.map_err(|error| Problem::failed(format!("cannot make `{}`: {error}", folder.display())))
}

/// Writes a file and the folders above it.
fn write(path: &Path, text: &str) -> Result<(), Problem> {
    if let Some(above) = path.parent() {
        make(above)?;
    }
    findings::write(path, text)
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Problem> {
    let text = serde_json::to_string_pretty(value).map_err(Problem::failed)?;
    write(path, &format!("{text}\n"))
}
