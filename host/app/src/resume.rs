//! `hotcell resume`: runs that a host left unfinished go on, as they were begun.
//! Runs that were started together are told together, those that had ended
//! included.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use hotcell_broker::recall::{Resolution, doubts};
use hotcell_broker::tool::EffectKind;
use hotcell_store::journal::{Filter, Journal, RunRow};
use hotcell_workflow::engine::history::History;
use hotcell_workflow::engine::{Durable, Engine, Job, Record, Report, told};
use serde_json::Value;
use tokio::time::Instant;

use crate::audit::mend::mend;
use crate::command::{Exit, Output, Problem};
use crate::definition::Definition;
use crate::kept::find;
use crate::manifest::records::{self, Records};
use crate::results::Facts;
use crate::run::{self, Places, Told};
use crate::screen;
use crate::state::{State, clock, halted};
use crate::watch::Watch;
use crate::wire::{self, Keep, Options};

#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// Only this run, by its id or the beginning of it
    run: Option<String>,
    /// What becomes of calls of which nobody knows whether they were made
    #[arg(long, value_name = "WHAT")]
    in_doubt: Option<InDoubt>,
    /// Take the runs from a process that hangs. What it tries to write later is
    /// refused
    #[arg(long)]
    take_over: bool,
    /// Records worked on at once: 1 to 5000
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=5000))]
    concurrency: u16,
    #[command(flatten)]
    told: Told,
    #[command(flatten)]
    places: Places,
}

/// What becomes of a call in doubt.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum InDoubt {
    /// Make it again: what it did may be done twice
    Repeat,
    /// Do not: the plugin is told that it failed
    Fail,
}

/// Runs that were started together.
struct Batch {
    definition: Definition,
    runs: Vec<(RunRow, History)>,
    /// Whether all of them are there.
    complete: bool,
}

pub(crate) fn resume(args: &ResumeArgs, output: Output) -> Result<Exit, Problem> {
    args.told.check()?;
    let state = args.places.state();
    let journal = state.own(args.take_over)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    runtime.block_on(go(args, &state, &journal, output))
}

async fn go(
    args: &ResumeArgs,
    state: &State,
    journal: &Journal,
    output: Output,
) -> Result<Exit, Problem> {
    let batches = batches(state, journal, args.run.as_deref())?;
    if batches.is_empty() {
        screen::note("nothing to resume");
    }
    let mut worst = Exit::Done;
    for batch in batches {
        if !batch.complete {
            forsake(journal, &batch).await?;
            continue;
        }
        if let Some(how) = args.in_doubt {
            decide(state, journal, &batch, how).await?;
        }
        let exit = go_on(args, state, journal, batch, output).await?;
        if exit != Exit::Done {
            worst = exit;
        }
    }
    Ok(worst)
}

/// What is unfinished, with all that was started together with it.
fn batches(state: &State, journal: &Journal, only: Option<&str>) -> Result<Vec<Batch>, Problem> {
    let reader = journal.reader();
    let wrong = |error| state.problem(&error);
    let open = match only {
        Some(id) => vec![find(state, &reader, id)?],
        None => {
            let filter = Filter {
                open: true,
                ..Filter::default()
            };
            reader.runs(&filter).map_err(wrong)?
        }
    };
    let read = |row: RunRow| {
        let records = reader.records(&row.run).map_err(wrong)?;
        let history = History::of(&records).map_err(Problem::failed)?;
        Ok((row, history))
    };
    let mut batches: BTreeMap<String, Vec<(RunRow, History)>> = BTreeMap::new();
    for row in open {
        if row.ended {
            screen::note(&format!("{} has ended: {}", row.run, row.status));
            continue;
        }
        let (row, history) = read(row)?;
        let batch = history.begun.batch.as_ref();
        let name = batch.map_or(&row.run, |batch| &batch.id).clone();
        batches.entry(name).or_default().push((row, history));
    }
    let mut whole = Vec::new();
    for (name, mut runs) in batches {
        let Some((first, history)) = runs.first() else {
            continue;
        };
        let definition = Definition::of(history)?;
        let filter = Filter {
            workflow: Some(first.workflow.clone()),
            ..Filter::default()
        };
        let alone = only.is_some() || history.begun.batch.is_none();
        let rows = match alone {
            true => Vec::new(),
            false => reader.runs(&filter).map_err(wrong)?,
        };
        for row in rows.into_iter().filter(|row| row.ended) {
            let (row, history) = read(row)?;
            if history.begun.batch.as_ref().is_some_and(|it| it.id == name) {
                runs.push((row, history));
            }
        }
        // Ids are made in the order of the records.
        runs.sort_by(|a, b| a.0.run.cmp(&b.0.run));
        let of = history_of(&runs);
        let complete = alone || runs.len() as u64 >= of;
        whole.push(Batch {
            definition,
            runs,
            complete,
        });
    }
    Ok(whole)
}

/// How many runs there should be.
fn history_of(runs: &[(RunRow, History)]) -> u64 {
    let batch = runs.first().and_then(|(_, it)| it.begun.batch.as_ref());
    batch.map_or(1, |batch| batch.of)
}

/// A batch that was cut off while its runs were being begun: nothing has been
/// done for any of them, and those that are missing are not known.
async fn forsake(journal: &Journal, batch: &Batch) -> Result<(), Problem> {
    let durable = Durable {
        journal: journal.clone(),
        clock: clock(),
        definition: "".into(),
    };
    for (row, _) in batch.runs.iter().filter(|(row, _)| !row.ended) {
        let forsaken = Engine::forsake(&durable, &row.run).await;
        forsaken.map_err(|halt| halted(&halt))?;
    }
    let (there, of) = (batch.runs.len(), history_of(&batch.runs));
    screen::note(&format!(
        "{}: only {there} of {of} runs had been begun and none had started; they are cancelled, \
         run it again: hotcell run {}",
        batch.definition.plan.name,
        batch.definition.files.workflow.display(),
    ));
    Ok(())
}

/// Decides the calls in doubt of a batch.
async fn decide(
    state: &State,
    journal: &Journal,
    batch: &Batch,
    how: InDoubt,
) -> Result<(), Problem> {
    let how = match how {
        InDoubt::Repeat => Resolution::Repeat,
        InDoubt::Fail => Resolution::Fail,
    };
    for (row, history) in batch.runs.iter().filter(|(row, _)| !row.ended) {
        let (_, records, log) = journal.adopt(&row.run).map_err(|e| state.problem(&e))?;
        let mut doubts = doubts(&records).map_err(Problem::failed)?;
        // Others may be repeated without asking, and what an attempt left that has
        // ended is over.
        doubts.retain(|it| it.effect == EffectKind::UnsafeToRepeat);
        doubts.retain(|it| !history.has_ended(&it.step, it.attempt));
        let now = wire::now_unix_ms();
        let entries: Vec<_> = doubts.iter().map(|it| it.resolve(how, now)).collect();
        if !entries.is_empty() {
            log.append(entries).await.map_err(|e| state.problem(&e))?;
        }
    }
    Ok(())
}

async fn go_on(
    args: &ResumeArgs,
    state: &State,
    journal: &Journal,
    batch: Batch,
    output: Output,
) -> Result<Exit, Problem> {
    let Batch {
        definition, runs, ..
    } = batch;
    let checked = definition.pin(wire::read(&definition.files.args())?, state)?;
    let keep = Keep {
        state: state.clone(),
        journal: journal.clone(),
        files: definition.files.clone(),
    };
    let (teller, watch) = Watch::new(None)?;
    let options = Options {
        concurrency: usize::from(args.concurrency),
        cache: args.places.cache(),
        keep: Some(keep),
        pinned: Some(definition.clone()),
        tape: None,
        teller,
        bench: None,
    };
    let assembly = wire::assemble(&checked, &options).await?;
    let unended = runs.iter().filter(|(row, _)| !row.ended);
    let lost = mend(state, &unended.map(|(row, _)| row.run.as_str()).collect())?;
    if lost > 0 {
        screen::note(&format!(
            "{lost} effects were about to be made when the host was gone: in the audit they are in doubt"
        ));
    }
    let open: Vec<Job> = runs
        .iter()
        .filter(|(row, _)| !row.ended)
        .map(|(row, history)| Job::Resume(record(row, history)))
        .collect();
    let (going_on, all) = (open.len(), runs.len());
    screen::note(&format!(
        "{}: {going_on} of {all} runs go on",
        definition.plan.name
    ));
    let started = Instant::now();
    let (resumed, cancelled) = run::work(&assembly, open, options.concurrency, watch).await?;
    let plan = std::sync::Arc::new(definition.plan.clone());
    let mut resumed: BTreeMap<String, Report> = resumed
        .into_iter()
        .map(|report| (report.run.clone(), report))
        .collect();
    let reports: Vec<Report> = runs
        .iter()
        .map(|(row, history)| {
            let now = resumed.remove(&row.run);
            now.unwrap_or_else(|| told(&plan, &row.run, history))
        })
        .collect();
    let good = runs.iter().enumerate().map(|(index, (_, history))| {
        let value = serde_json::from_str(&history.begun.input).unwrap_or(Value::Null);
        records::Record {
            index,
            id: history.begun.task.clone(),
            value,
        }
    });
    let records = Records {
        good: good.collect(),
        bad: Vec::new(),
    };
    let gold = run::gold(&checked)?;
    let wall: Duration = started.elapsed();
    let facts = Facts {
        checked: &checked,
        assembly: &assembly,
        records: &records,
        gold: gold.as_ref(),
        wall,
        concurrency: options.concurrency,
    };
    run::tell(&facts, &reports, &args.told, output, cancelled)
}

fn record(row: &RunRow, history: &History) -> Record {
    Record {
        run: row.run.clone(),
        task: history.begun.task.clone(),
        input: history.begun.input.clone(),
        now_unix_ms: history.begun.now_unix_ms,
    }
}
