//! `hotcell replay`: runs once more, from the journal alone. Every call is
//! executed again and must give the same bytes; no model, tool, file or network
//! is there to be asked.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use hotcell_broker::text;
use hotcell_workflow::engine::{Engine, Replayed};
use serde_json::json;

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, all, find};
use crate::run::Places;
use crate::state::State;
use crate::{screen, wire};

/// The longest text of a side of a divergence that is shown; the rest is in the
/// JSON.
const SHOWN: usize = 400;

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// The runs: their ids, the beginnings or the ends of them, or a record's id for
    /// the newest run of that record
    #[arg(
        value_name = "RUN",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    runs: Vec<String>,
    /// All runs that are kept
    #[arg(long)]
    all: bool,
    /// Execute this component instead of the one that the run used: does it still
    /// do the same?
    #[arg(long = "plugin", value_name = "NAME=FILE")]
    plugins: Vec<String>,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn replay(args: &ReplayArgs, output: Output) -> Result<Exit, Problem> {
    let state = args.places.state();
    let reader = state.read()?;
    let rows = match args.all {
        true => all(&state, &reader)?,
        false => {
            let rows = args.runs.iter().map(|run| find(&state, &reader, run));
            rows.collect::<Result<_, _>>()?
        }
    };
    // Those that are made of the same share an engine.
    let mut alike: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    for row in rows {
        let mut kept = Kept::read(&state, &reader, row)?;
        for change in &args.plugins {
            kept.definition.replace(change, &state)?;
        }
        alike.entry(kept.definition.text()?).or_default().push(kept);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    let mut done = Vec::new();
    for runs in alike.into_values() {
        done.extend(runtime.block_on(again(args, &state, &runs))?);
    }
    tell(&done, output)?;
    let same = done.iter().all(|replayed| replayed.divergence.is_none());
    Ok(match same {
        true => Exit::Done,
        false => Exit::Diverged,
    })
}

/// Replays runs that are made of the same.
async fn again(args: &ReplayArgs, state: &State, runs: &[Kept]) -> Result<Vec<Replayed>, Problem> {
    let Some(first) = runs.first() else {
        return Ok(Vec::new());
    };
    let cache = args.places.cache();
    let (engine, _sandbox) = wire::assemble_offline(&first.definition, state, &cache)?;
    let mut all = Vec::new();
    for kept in runs {
        all.push(one(&engine, kept).await?);
    }
    Ok(all)
}

async fn one(engine: &Engine, kept: &Kept) -> Result<Replayed, Problem> {
    let replayed = engine.replay(&kept.row.run, &kept.history).await;
    replayed.map_err(|error| Problem::failed(format!("run `{}`: {error}", kept.row.run)))
}

fn tell(all: &[Replayed], output: Output) -> Result<(), Problem> {
    let other = all.iter().filter(|it| it.divergence.is_some()).count();
    let same = all.len() - other;
    if output.json {
        let value = json!({
            "format": "hotcell.replay/1",
            "identical": same,
            "diverged": other,
            "runs": all,
        });
        let text = serde_json::to_string_pretty(&value).map_err(Problem::failed)?;
        screen::json(&text);
        return Ok(());
    }
    for replayed in all {
        screen::result(&render(replayed));
    }
    if all.len() > 1 {
        screen::note(&format!("{same} runs are identical, {other} are not"));
    }
    Ok(())
}

fn render(replayed: &Replayed) -> String {
    let line = |it: &str| text::line(it, SHOWN);
    let mut out = format!("{} {}: ", line(&replayed.run), line(&replayed.task));
    let executed = replayed.executed;
    let Some(divergence) = &replayed.divergence else {
        let until = replayed.status.unwrap_or("as far as it has come");
        let _ = write!(out, "identical ({until}), {executed} calls executed again");
        for (why, count) in &replayed.taken {
            let _ = write!(out, ", {count} taken as recorded: {why}");
        }
        return out;
    };
    let step = match divergence.step.as_str() {
        "" => "its end".to_owned(),
        step => format!("step {}, try {}", line(step), divergence.attempt),
    };
    let _ = write!(
        out,
        "DIVERGED at {step}, after {executed} calls that were the same\n  \
         recorded  {}\n  now       {}",
        line(&divergence.recorded),
        line(&divergence.now)
    );
    out
}
