//! `hotcell runs`: which runs are kept, the newest first; whether they are what
//! was written; and forgetting old ones.

use std::path::PathBuf;

use clap::Args;
use comfy_table::CellAlignment;
use hotcell_broker::text;
use hotcell_store::journal::{Filter, Prune, Reader, RunRow, held};
use serde_json::{Value, json};

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, all, ending};
use crate::report::{table, time, usd};
use crate::state::State;
use crate::{moment, screen, wire};

/// The longest name that is shown.
const SHOWN: usize = 64;

#[derive(Args)]
pub(crate) struct RunsArgs {
    /// Only those of this status, such as `success` or `in_doubt`
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only those of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// The newest N
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// List nothing: read every record of every run and say whether all is what
    /// was written
    #[arg(long, conflicts_with_all = ["status", "workflow", "prune_before"])]
    verify: bool,
    /// List nothing: forget the runs that ended before this day (`2026-03-01`), or
    /// so many days ago (`30d`)
    #[arg(long, value_name = "DATE", conflicts_with_all = ["status", "workflow"])]
    prune_before: Option<String>,
}

pub(crate) fn runs(args: &RunsArgs, output: Output) -> Result<Exit, Problem> {
    let state = State::at(args.state.as_deref());
    if let Some(before) = &args.prune_before {
        return prune(&state, before, output);
    }
    if !state.exists() {
        let dir = state.dir().display();
        screen::note(&format!(
            "no runs are kept in `{dir}`; `hotcell run` keeps them"
        ));
        if output.json {
            screen::json(&listing(&[]).to_string());
        }
        return Ok(Exit::Done);
    }
    let reader = state.read()?;
    match args.verify {
        true => verify(&state, &reader, output),
        false => list(&state, &reader, args, output),
    }
}

/// A run with what its records add up to.
struct Line {
    row: RunRow,
    steps: usize,
    cost_micros: u64,
}

fn list(state: &State, reader: &Reader, args: &RunsArgs, output: Output) -> Result<Exit, Problem> {
    let wrong = |error| state.problem(&error);
    let filter = Filter {
        status: args.status.clone(),
        workflow: args.workflow.clone(),
        limit: Some(args.limit),
        ..Filter::default()
    };
    let rows = reader.runs(&filter).map_err(wrong)?;
    let line = |row: RunRow| {
        let kept = Kept::read(state, reader, row)?;
        let effects = kept.report().records.effects;
        Ok(Line {
            steps: kept.steps(),
            cost_micros: effects.iter().map(|effect| effect.cost_micros).sum(),
            row: kept.row,
        })
    };
    let lines: Vec<Line> = rows.into_iter().map(line).collect::<Result<_, Problem>>()?;
    if output.json {
        screen::json(&listing(&lines).to_string());
        return Ok(Exit::Done);
    }
    let all = all(state, reader)?;
    if lines.is_empty() {
        let all = all.len();
        screen::note(&format!("no run is like that; {all} are kept in all"));
        return Ok(Exit::Done);
    }
    screen::result(&render(&lines, ending(&all)));
    let open = all.iter().filter(|row| !row.ended).count();
    if open > 0 && !held(state.dir()).map_err(wrong)? {
        screen::note(&format!(
            "{open} runs have not ended and nobody works on them: `hotcell resume` goes on"
        ));
    }
    Ok(Exit::Done)
}

fn listing(lines: &[Line]) -> Value {
    let line = |line: &Line| {
        let row = &line.row;
        json!({
            "run": row.run,
            "workflow": row.workflow,
            "task": row.task,
            "status": row.status,
            "ended": row.ended,
            "begun_unix_ms": row.created_unix_ms,
            "took_ms": took_ms(row),
            "steps": line.steps,
            "records": row.records,
            "bytes": row.bytes,
            "cost_micros": line.cost_micros,
            "parent": row.parent.as_ref().map(|(run, _)| run),
        })
    };
    let runs: Vec<Value> = lines.iter().map(line).collect();
    json!({ "format": "hotcell.runs/1", "runs": runs })
}

fn took_ms(row: &RunRow) -> u64 {
    row.updated_unix_ms.saturating_sub(row.created_unix_ms)
}

fn end_of(run: &str, short: usize) -> &str {
    let from = run.len().saturating_sub(short);
    run.get(from..).unwrap_or(run)
}

fn render(lines: &[Line], short: usize) -> String {
    let mut table = table();
    table.set_header([
        "run",
        "workflow",
        "record",
        "status",
        "begun (UTC)",
        "took",
        "steps",
        "records",
        "cost",
    ]);
    for line in lines {
        let row = &line.row;
        let name = |name: &str| text::line(name, SHOWN);
        table.add_row([
            name(end_of(&row.run, short)),
            name(&row.workflow),
            name(&row.task),
            name(&row.status),
            moment::shown(row.created_unix_ms),
            time(took_ms(row).saturating_mul(1_000)),
            line.steps.to_string(),
            row.records.to_string(),
            usd(line.cost_micros),
        ]);
    }
    for column in table.column_iter_mut().skip(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn verify(state: &State, reader: &Reader, output: Output) -> Result<Exit, Problem> {
    let verified = reader.verify().map_err(|error| state.problem(&error))?;
    let (runs, records) = (verified.runs, verified.records);
    match output.json {
        true => screen::json(&json!({ "runs": runs, "records": records }).to_string()),
        false => screen::result(&format!(
            "{runs} runs with {records} records: all is what was written"
        )),
    }
    Ok(Exit::Done)
}

fn prune(state: &State, before: &str, output: Output) -> Result<Exit, Problem> {
    let now = wire::now_unix_ms();
    let Some(before) = moment::parse(before, now) else {
        let report = miette::miette!(
            help = "a day such as `2026-03-01`, or a number of days such as `30d`",
            "`--prune-before {before}` is no day"
        );
        return Err(Problem::new(Exit::CommandLine, report));
    };
    let what = Prune {
        ended_before_unix_ms: before,
        keep: Vec::new(),
        now_unix_ms: now,
    };
    let journal = state.own(false)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(Problem::failed)?;
    let pruned = runtime.block_on(journal.prune(what));
    let pruned = pruned.map_err(|error| state.problem(&error))?;
    let (runs, records) = (pruned.runs, pruned.records);
    match output.json {
        true => screen::json(&json!({ "runs": runs, "records": records }).to_string()),
        false => screen::result(&format!(
            "{runs} runs with {records} records that ended before {} UTC are forgotten",
            moment::shown(before)
        )),
    }
    Ok(Exit::Done)
}
