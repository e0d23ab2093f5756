//! Has the trials done: round by round, in each of which every workflow tries every
//! task once. So whatever changes with time, such as a busy provider, changes for
//! all of them alike, and what was done when somebody stopped it can be compared.

use std::path::PathBuf;
use std::time::Duration;

use hotcell_measure::trial::Trial;
use hotcell_store::journal::Journal;
use hotcell_workflow::engine::Report;
use hotcell_workflow::engine::progress::Teller;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::arms::Contender;
use super::judge::Judge;
use super::study::{self, ModelUsed};
use super::tasks::Task;
use super::trial::Seen;
use crate::command::Problem;
use crate::definition::FilesUsed;
use crate::manifest::records::Record;
use crate::run;
use crate::screen;
use crate::state::{State, halted};
use crate::watch::Watch;
use crate::wire::{self, Assembly, Keep, Options, Workshop};

/// Everything that the trials share.
pub(super) struct Stage<'a> {
    pub(super) tasks: &'a [Task],
    pub(super) judge: &'a Judge,
    pub(super) arms: &'a [Contender],
    pub(super) seeds: u64,
    pub(super) concurrency: usize,
    pub(super) cache: PathBuf,
    /// Where runs are kept, if they are.
    pub(super) keep: Option<State>,
}

/// What was done.
#[derive(Default)]
pub(super) struct Rounds {
    /// In the order of the arms.
    pub(super) arms: Vec<Done>,
    /// Whether somebody stopped it.
    pub(super) stopped: bool,
}

/// What one arm did.
pub(super) struct Done {
    /// The trials of each round that was finished.
    pub(super) rounds: Vec<Vec<Trial>>,
    /// How long they took.
    pub(super) wall: Duration,
    pub(super) models: Vec<ModelUsed>,
    /// Name and digest of each plugin.
    pub(super) plugins: Vec<(String, String)>,
}

impl Rounds {
    /// Trials that stopped before their end: no journal could be written, or nobody
    /// knows whether a call was made.
    pub(super) fn unfinished(&self) -> usize {
        let rounds = self.arms.iter().flat_map(|arm| &arm.rounds);
        let trials = rounds.flatten();
        trials.filter(|it| is_unfinished(&it.status)).count()
    }
}

fn is_unfinished(status: &str) -> bool {
    matches!(
        status,
        "running" | "waiting" | "in_doubt" | "interrupted" | "diverged"
    )
}

impl Stage<'_> {
    pub(super) async fn run(&self) -> Result<Rounds, Problem> {
        let journal = self.keep.as_ref().map(|state| state.own(false));
        let journal = journal.transpose()?;
        let (teller, mut watch) = Watch::new(None)?;
        let options = |arm: &Contender| self.options(arm, journal.as_ref(), &teller);
        let Some(first) = self.arms.first() else {
            return Ok(Rounds::default());
        };
        let workshop = Workshop::new(&options(first))?;
        // All are ready before any of them costs anything.
        let mut ready = Vec::new();
        let mut done = Vec::new();
        for arm in self.arms {
            let assembly = workshop.assemble(&arm.in_round(0), &options(arm)).await?;
            for model in &assembly.models {
                screen::note(&format!("{}: {} is {}", arm.id, model.alias, model.what));
            }
            done.push(Done::new(arm, &assembly));
            ready.push(Some(assembly));
        }
        let cancel = CancellationToken::new();
        let listener = run::on_interrupt(cancel.clone())?;
        let rounds = usize::try_from(self.seeds).unwrap_or(usize::MAX);
        let bar = screen::bar(self.tasks.len() * self.arms.len() * rounds);
        let mut stopped = false;
        'all: for round in 0..self.seeds {
            let places = self.arms.iter().zip(&mut ready).zip(&mut done);
            for ((arm, ready), done) in places {
                let assembly = match ready.take() {
                    Some(assembly) => assembly,
                    // Nothing that one round has left behind reaches the next.
                    None => {
                        workshop
                            .assemble(&arm.in_round(round), &options(arm))
                            .await?
                    }
                };
                let starts = self.tasks.iter().map(|task| {
                    wire::start_record(&Record {
                        index: task.line,
                        id: task.id.clone(),
                        value: task.input.clone(),
                    })
                });
                let batch = wire::new_id();
                let jobs = assembly.engine.enlist(starts.collect(), &batch).await;
                let jobs = jobs.map_err(|halt| halted(&halt))?;
                let started = Instant::now();
                let reports =
                    run::perform(&assembly, jobs, self.concurrency, &mut watch, &bar, &cancel);
                let reports = reports.await;
                done.wall += started.elapsed();
                stopped = cancel.is_cancelled();
                let is_cut =
                    |report: &Report| report.status == "cancelled" || is_unfinished(report.status);
                if !stopped || !reports.iter().any(is_cut) {
                    let seen = Seen {
                        arm,
                        seed: study::seed(self.arms, round),
                        judge: self.judge,
                        simulated: assembly.simulated(),
                    };
                    let trials = self.tasks.iter().zip(&reports);
                    let trials = trials.map(|(task, report)| seen.trial(task, report, &assembly));
                    done.rounds.push(trials.collect());
                }
                if stopped {
                    break 'all;
                }
            }
        }
        listener.abort();
        watch.finish();
        bar.finish_and_clear();
        Ok(Rounds {
            arms: done,
            stopped,
        })
    }

    fn options(&self, arm: &Contender, journal: Option<&Journal>, teller: &Teller) -> Options {
        let keep = self.keep.as_ref().zip(journal);
        Options {
            concurrency: self.concurrency,
            cache: self.cache.clone(),
            keep: keep.map(|(state, journal)| Keep {
                state: state.clone(),
                journal: journal.clone(),
                files: FilesUsed::of(&arm.args),
            }),
            teller: teller.clone(),
            ..Options::default()
        }
    }
}

impl Done {
    fn new(arm: &Contender, assembly: &Assembly) -> Done {
        let plugins = assembly.plugins.iter();
        let plugins = plugins.map(|it| (it.manifest.name.clone(), it.digest.hex()));
        Done {
            rounds: Vec::new(),
            wall: Duration::ZERO,
            models: ModelUsed::all(arm, assembly),
            plugins: plugins.collect(),
        }
    }
}
