//! `hotcell fork`: another run that begins where one was. What happened before is
//! taken over; from the step on it is a run of its own, with another input or
//! another component if that is wanted.

use std::sync::Arc;

use clap::Args;
use hotcell_store::journal::Journal;
use hotcell_workflow::engine::history::HistoryError;
use hotcell_workflow::engine::{Fork, Job, Record};
use serde_json::Value;
use tokio::time::Instant;

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, find};
use crate::manifest::records::{self, Records};
use crate::results::Facts;
use crate::run::{self, Places, Told};
use crate::screen;
use crate::state::State;
use crate::watch::Watch;
use crate::wire::{self, Keep, Options};

#[derive(Args)]
pub(crate) struct ForkArgs {
    /// The run: its id, the beginning or the end of it, or a record's id for the
    /// newest run of that record
    run: String,
    /// The step where the new run begins, by its path
    #[arg(long, value_name = "STEP")]
    at: String,
    /// What the step is given instead of its input: `input=JSON` or `input=@FILE`
    #[arg(long, value_name = "input=JSON")]
    set: Option<String>,
    /// The component that a plugin has in the new run
    #[arg(long = "plugin", value_name = "NAME=FILE")]
    plugins: Vec<String>,
    #[command(flatten)]
    told: Told,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn fork(args: &ForkArgs, output: Output) -> Result<Exit, Problem> {
    args.told.check()?;
    let given = args.set.as_deref().map(input).transpose()?;
    let state = args.places.state();
    // A slip in a name must not make a journal.
    state.read()?;
    let journal = state.own(false)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    runtime.block_on(go(args, given, &state, journal, output))
}

async fn go(
    args: &ForkArgs,
    given: Option<String>,
    state: &State,
    journal: Journal,
    output: Output,
) -> Result<Exit, Problem> {
    let reader = journal.reader();
    let mut kept = Kept::read(state, &reader, find(state, &reader, &args.run)?)?;
    let fork = branch(args, given, &kept)?;
    for change in &args.plugins {
        kept.definition.replace(change, state)?;
    }
    let definition = kept.definition;
    let checked = definition.pin(wire::read(&definition.files.args())?, state)?;
    let record = fork.record.clone();
    let (teller, watch) = Watch::new(None)?;
    let options = Options {
        concurrency: 1,
        cache: args.places.cache(),
        keep: Some(Keep {
            state: state.clone(),
            journal,
            files: definition.files.clone(),
        }),
        pinned: Some(definition),
        tape: None,
        teller,
        bench: None,
    };
    let assembly = wire::assemble(&checked, &options).await?;
    screen::note(&format!(
        "run {} begins at `{}` of {}",
        record.run, args.at, kept.row.run
    ));
    let started = Instant::now();
    let (reports, cancelled) = run::work(&assembly, vec![Job::Fork(fork)], 1, watch).await?;
    let records = Records {
        good: vec![records::Record {
            index: 0,
            value: serde_json::from_str(&record.input).unwrap_or(Value::Null),
            id: record.task,
        }],
        bad: Vec::new(),
    };
    let gold = run::gold(&checked)?;
    let facts = Facts {
        checked: &checked,
        assembly: &assembly,
        records: &records,
        gold: gold.as_ref(),
        wall: started.elapsed(),
        concurrency: 1,
    };
    run::tell(&facts, &reports, &args.told, output, cancelled)
}

/// The new run.
fn branch(args: &ForkArgs, given: Option<String>, kept: &Kept) -> Result<Fork, Problem> {
    let (history, row) = (&kept.history, &kept.row);
    let plan = Arc::new(kept.definition.plan.clone());
    let events = history.before(&plan, &args.at).map_err(|error| {
        let help = match error {
            HistoryError::NoStep(_) => format!("it came to {}", reached(kept)),
            _ => "see `hotcell show`".to_owned(),
        };
        let report = miette::miette!(help = help, "run `{}`: {error}", row.run);
        Problem::new(Exit::CommandLine, report)
    })?;
    // Where the last of these events stands.
    let last = history.places.get(events.len().saturating_sub(1));
    let mut instead = history.begun.instead.clone();
    instead.extend(given.map(|input| (args.at.clone(), input)));
    Ok(Fork {
        record: Record {
            run: wire::new_id(),
            task: history.begun.task.clone(),
            input: history.begun.input.clone(),
            now_unix_ms: wire::now_unix_ms(),
        },
        parent: (row.run.clone(), last.map_or(0, |place| place.seq)),
        events,
        instead,
    })
}

/// The steps that a run came to, in their order.
fn reached(kept: &Kept) -> String {
    let mut steps: Vec<String> = Vec::new();
    for attempt in kept.report().attempts {
        if !steps.contains(&attempt.step) {
            steps.push(attempt.step);
        }
    }
    match steps.is_empty() {
        true => "no step".to_owned(),
        false => steps.join(", "),
    }
}

/// The input of `input=JSON` or `input=@FILE`.
fn input(set: &str) -> Result<String, Problem> {
    let wrong = |why: String| {
        let help = "write `--set input=JSON` or `--set input=@FILE`";
        let report = miette::miette!(help = help, "`--set`: {why}");
        Problem::new(Exit::CommandLine, report)
    };
    let text = match set.split_once('=') {
        Some(("input", text)) => text,
        _ => return Err(wrong(format!("`{set}` does not begin with `input=`"))),
    };
    let text = match text.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).map_err(|error| wrong(format!("`{file}`: {error}")))?
        }
        None => text.to_owned(),
    };
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
    Ok(value.to_string())
}
