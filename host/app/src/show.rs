//! `hotcell show`: one run as the journal has it. Nothing is executed.

mod diagram;

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use hotcell_broker::text;
use hotcell_workflow::engine::Report;
use hotcell_workflow::machine::Audit;
use serde_json::json;

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, find};
use crate::report::{time, usd};
use crate::state::State;
use crate::{moment, screen, timeline};

/// The longest text that is shown.
const SHOWN: usize = 160;

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// The run: its id, the beginning or the end of it, or a record's id for the
    /// newest run of that record
    run: String,
    /// Draw it as a sequence diagram in the language of Mermaid
    #[arg(long, conflicts_with = "json")]
    mermaid: bool,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(crate) fn show(args: &ShowArgs, output: Output) -> Result<Exit, Problem> {
    let state = State::at(args.state.as_deref());
    let reader = state.read()?;
    let kept = Kept::read(&state, &reader, find(&state, &reader, &args.run)?)?;
    let report = kept.report();
    match output.json {
        true => screen::json(&json(&kept, &report)?),
        false if args.mermaid => screen::result(&diagram::diagram(&report)),
        false => screen::result(&render(&kept, &report)),
    }
    Ok(Exit::Done)
}

fn json(kept: &Kept, report: &Report) -> Result<String, Problem> {
    let (row, begun) = (&kept.row, &kept.history.begun);
    let parent = row.parent.as_ref();
    let value = json!({
        "format": "hotcell.run/1",
        "workflow": row.workflow,
        "status": row.status,
        "ended": row.ended,
        "begun_unix_ms": row.created_unix_ms,
        "updated_unix_ms": row.updated_unix_ms,
        "records": row.records,
        "bytes": row.bytes,
        "parent": parent.map(|(run, seq)| json!({ "run": run, "record": seq })),
        "inherited": begun.inherited,
        "instead": begun.instead,
        "told": report,
    });
    serde_json::to_string_pretty(&value).map_err(Problem::failed)
}

fn render(kept: &Kept, report: &Report) -> String {
    let row = &kept.row;
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<9} {}", text::line(value, SHOWN));
    };
    line("run", &row.run);
    line("workflow", &row.workflow);
    line("status", &status(report));
    line(
        "begun",
        &format!("{} UTC", moment::shown(row.created_unix_ms)),
    );
    if let Some((parent, seq)) = &row.parent {
        let inherited = kept.history.begun.inherited;
        line(
            "fork of",
            &format!("{parent}, after its record {seq}; {inherited} events are from there"),
        );
    }
    for (step, input) in &kept.history.begun.instead {
        line("given", &format!("{step}: {input}"));
    }
    let (records, bytes) = (row.records, row.bytes);
    line(
        "records",
        &format!("{records} in the journal, {bytes} bytes"),
    );
    let _ = writeln!(out, "{}", timeline::render(report));
    for audit in &report.audit {
        let _ = writeln!(out, "audit: {}", text::shorten(&audited(audit), 2 * SHOWN));
    }
    out.trim_end().to_owned()
}

/// The status, and what it means for a run that has not ended.
fn status(report: &Report) -> String {
    let what = match report.status {
        "in_doubt" => ": see `hotcell resume --in-doubt`",
        "waiting" => ": see `hotcell approvals list`",
        "interrupted" | "running" => ": it has not ended",
        _ => "",
    };
    format!("{}{what}", report.status)
}

fn audited(audit: &Audit) -> String {
    match audit {
        Audit::Step {
            path,
            agent,
            attempts,
            status,
            fallback,
            trouble,
            used,
        } => {
            let place = match &**path {
                "" => "the workflow",
                path => path,
            };
            let mut line = text::line(place, SHOWN);
            if let Some(agent) = agent {
                let _ = write!(line, " by {}", text::line(agent, SHOWN));
            }
            let (took, cost) = (time(used.micros), usd(used.cost_micros));
            let _ = write!(
                line,
                ": {}, tries: {attempts}, {took}, {cost}",
                text::line(status, SHOWN)
            );
            if let Some(fallback) = fallback {
                let _ = write!(line, ", stood in for by: {}", text::line(fallback, SHOWN));
            }
            if let Some(trouble) = trouble {
                let (code, said) = trouble.words();
                let said = format!(", because: {code} {said}");
                line.push_str(&text::line(&said, SHOWN));
            }
            line
        }
        Audit::Transition {
            path,
            from,
            to,
            rule,
            taken,
        } => {
            let from = from.as_deref().unwrap_or("the beginning");
            let went = match taken {
                true => "went",
                false => "was kept from going",
            };
            let line = format!("{path} {went} from {from} to {to} by {rule}");
            text::line(&line, 2 * SHOWN)
        }
    }
}
