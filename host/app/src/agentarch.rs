//! `hotcell bench agentarch`: five ways of working together, and an agent that works
//! alone, on the same three hundred tasks.
//!
//! `args` says what was asked for, `arms` what is compared, `files` which workflow
//! each arm is, `rates` how the simulated model errs. `runner` has the trials done,
//! `trial` and `lineage` read what happened out of the reports, `kept` keeps it.
//! What the trials are worth is `hotcell-measure`'s.

mod args;
mod arms;
mod files;
mod kept;
mod lineage;
pub(crate) mod observer;
mod rates;
mod runner;
mod study;
mod told;
pub(crate) mod trial;

use std::collections::BTreeSet;
use std::path::Path;

use futures::stream::{self, StreamExt};
use hotcell_broker::provider::capped::Budget;
use hotcell_measure::trial::{Arm, Failed, Study, Trial};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Exit, Output, Problem};
use crate::data::compat::Compat;
use crate::data::compat::audit::audit;
use crate::data::leak::leaks;
use crate::data::suite::{Suite, Task};
use crate::wire::{self, Options, Workshop};
use crate::{moment, run, screen};
use args::Settings;
use kept::{Kept, Key};
use rates::Rates;
use runner::Stage;
use study::Made;

pub(crate) use args::AgentarchArgs;

/// The plugins that the arms are made of.
const PLUGINS: [&str; 5] = [
    "case-worker",
    "case-checker",
    "case-merger",
    "vendor-ledger",
    "reference-solver",
];

pub(crate) fn agentarch(args: &AgentarchArgs, output: Output) -> Result<Exit, Problem> {
    let settings = args.settings()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    runtime.block_on(go(args, &settings, output))
}

async fn go(args: &AgentarchArgs, settings: &Settings, output: Output) -> Result<Exit, Problem> {
    let suite = match &args.compat {
        None => Suite::generate(args.seed),
        Some(folder) => compat(folder, output)?,
    };
    let mut tasks = suite.select(settings.tasks, args.strategy, args.seed);
    tasks.retain(|task| args.sets.is_empty() || args.sets.contains(&task.set));
    // Whatever made the tasks: what is right must not be in what agents are given.
    if let Some(task) = tasks.iter().find(|task| !leaks(&task.input).is_empty()) {
        return Err(Problem::failed(format!(
            "the task `{}` gives its answer away",
            task.id
        )));
    }
    let arms = arms::arms(&settings.wanted);
    let rates = Rates::published(settings.priced_as.1, settings.scale);
    let plugins = std::path::absolute(&args.plugins).map_err(Problem::failed)?;
    let cache = wire::default_cache();
    let concurrency = usize::from(args.concurrency);
    let options = Options {
        // Every arm that works has its trials in cells at the same time.
        concurrency: concurrency.saturating_mul(AT_ONCE),
        cache: cache.clone(),
        ..Options::default()
    };
    let workshop = Workshop::new(&options)?;
    let sources = PLUGINS.map(|name| (name, plugins.join(name)));
    let made = Made {
        settings,
        rates: &rates,
        tasks: &tasks,
        data_seed: args.seed,
        strategy: args.strategy.name(),
        plugins: workshop.digests(&sources)?,
    };
    runner::make(&args.out)?;
    // Whoever verifies takes nothing as done, and leaves what is there alone.
    let (mut kept, before) = match args.verify {
        true => (None, Vec::new()),
        false => {
            let path = args.out.join("trials.jsonl");
            let (kept, before) = Kept::open(&path, &made.fingerprint())?;
            (Some(kept), before)
        }
    };
    let cancel = CancellationToken::new();
    let listener = run::on_interrupt(cancel.clone())?;
    let done: BTreeSet<Key> = before.iter().map(kept::key).collect();
    let budget = settings.budget.map(Budget::new);
    let plugins = plugins.display().to_string();
    let cassettes = args
        .cassettes
        .clone()
        .unwrap_or_else(|| args.out.join("cassettes"));
    let stage = Stage {
        workshop: &workshop,
        suite: &suite,
        tasks: &tasks,
        rates: &rates,
        settings,
        budget: budget.as_ref(),
        folder: &args.out,
        plugins: &plugins,
        cassettes: &cassettes,
        decidable: args.compat.is_none(),
        cache: &cache,
        concurrency,
        cancel: &cancel,
        done: &done,
    };
    stage.write_data()?;
    let started = Instant::now();
    let wanted = |trial: &Trial| is_wanted(trial, &arms, &tasks, &settings.seeds);
    let before = before.into_iter().filter(wanted).collect();
    let (trials, ended) = work(&stage, &arms, &mut kept, before).await?;
    listener.abort();
    if cancel.is_cancelled() {
        screen::note(&format!(
            "stopped after {} trials; the same command goes on with the others",
            trials.len()
        ));
        return Ok(Exit::Interrupted);
    }
    let timestamp = moment::rfc3339(wire::now_unix_ms());
    let mut study = Study {
        meta: made.meta(timestamp, started.elapsed().as_secs_f64()),
        trials,
        ..Study::default()
    };
    for (arm, Ended { outcome, seconds }) in arms.into_iter().zip(ended) {
        if let Err(problem) = outcome {
            let (arm, why) = (arm.id.clone(), problem.report.to_string());
            study.failed.push(Failed { arm, why });
        }
        study.arms.push(Arm {
            execution_time_s: seconds,
            ..arm
        });
    }
    if settings.seeds.is_empty() {
        return solved(&study, output);
    }
    let findings = hotcell_measure::analyse(&study).map_err(Problem::failed)?;
    if args.verify {
        return told::verify(&findings, &args.out);
    }
    told::report(&findings, &args.out, output)?;
    // One that fails does not stop the others; all of them are no result.
    Ok(match findings.pattern_results.is_empty() {
        true => Exit::NothingSucceeded,
        false => Exit::Done,
    })
}

/// So many arms work at the same time: all patterns. More would only wait for each
/// other, and real deadlines that mean nothing here would pass meanwhile.
const AT_ONCE: usize = 6;

/// How an arm ended, and after how long.
struct Ended {
    outcome: Result<(), Problem>,
    seconds: f64,
}

/// Has all arms work side by side, and keeps their trials as they are done. One that
/// fails does not stop the others.
async fn work(
    stage: &Stage<'_>,
    arms: &[Arm],
    kept: &mut Option<Kept>,
    mut trials: Vec<Trial>,
) -> Result<(Vec<Trial>, Vec<Ended>), Problem> {
    let bar = screen::bar(arms.len() * stage.tasks.len() * stage.settings.seeds.len());
    bar.inc(trials.len() as u64);
    if !trials.is_empty() {
        screen::note(&format!("{} trials are done already", trials.len()));
    }
    let (to, mut from) = mpsc::channel::<Vec<Trial>>(16);
    // Each has an end of the channel of its own: when the last is dropped, all is told.
    let each: Vec<(&Arm, _)> = arms.iter().map(|arm| (arm, to.clone())).collect();
    drop(to);
    let working = stream::iter(each)
        .map(|(arm, to)| async move {
            let started = Instant::now();
            let outcome = stage.arm(arm, &to).await;
            let seconds = started.elapsed().as_secs_f64();
            Ended { outcome, seconds }
        })
        .buffered(AT_ONCE)
        .collect::<Vec<Ended>>();
    let collecting = async {
        while let Some(new) = from.recv().await {
            if let Some(kept) = kept {
                kept.add(&new)?;
            }
            bar.inc(new.len() as u64);
            trials.extend(new);
        }
        Ok::<(), Problem>(())
    };
    let (ended, collected) = tokio::join!(working, collecting);
    collected?;
    bar.finish_and_clear();
    Ok((trials, ended))
}

/// Whether every arm solves every task when nothing goes wrong.
fn solved(study: &Study, output: Output) -> Result<Exit, Problem> {
    let (failed, arms) = (study.failed.len(), study.arms.len());
    match output.json {
        true => {
            screen::json(&serde_json::json!({ "arms": arms, "failed": study.failed }).to_string())
        }
        false => screen::result(&format!(
            "{} of {arms} arms solve all of {} tasks when nothing goes wrong",
            arms - failed.min(arms),
            study.meta.tasks,
        )),
    }
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::NothingSucceeded
    })
}

/// The course's own tasks, and what is to be said of them.
fn compat(folder: &Path, output: Output) -> Result<Suite, Problem> {
    let files = Compat::read(folder).map_err(|error| {
        let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
        let why = why.unwrap_or_default();
        let help = "`--compat` names the folder with the course's three files";
        let report = miette::miette!(help = help, "{}: {error}{why}", folder.display());
        Problem::new(Exit::Files, report)
    })?;
    let audit = audit(&files);
    match output.json {
        true => screen::note(&audit.to_string()),
        false => screen::result(&audit.to_string()),
    }
    Ok(files.suite())
}

/// Whether a trial that was done before belongs to what is asked for now.
fn is_wanted(trial: &Trial, arms: &[Arm], tasks: &[&Task], seeds: &[u64]) -> bool {
    seeds.contains(&trial.seed)
        && arms.iter().any(|arm| arm.id == trial.arm)
        && tasks
            .iter()
            .any(|task| task.id == trial.task && task.set.name() == trial.set)
}
