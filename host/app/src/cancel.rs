//! `hotcell cancel`: a run ends without being done. The process that works on it is
//! asked to; if there is none, the run is ended here.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use hotcell_store::journal::{RunRow, ask, held};
use hotcell_workflow::engine::{Durable, Engine};
use serde_json::json;

use crate::command::{Exit, Output, Problem};
use crate::kept::find;
use crate::run::CANCEL;
use crate::screen;
use crate::state::{State, clock};

/// So long is waited for the process that was asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a run whose process was asked.
const ASKED: &str = "was ended by the process that worked on it";

#[derive(Args)]
pub(crate) struct CancelArgs {
    /// The run: its id, the beginning or the end of it, or a record's id for the
    /// newest run of that record
    run: String,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(crate) fn cancel(args: &CancelArgs, output: Output) -> Result<Exit, Problem> {
    let state = State::at(args.state.as_deref());
    let reader = state.read()?;
    let wrong = |error| state.problem(&error);
    let row = find(&state, &reader, &args.run)?;
    if row.ended {
        tell(&row, "had ended already", output);
        return Ok(Exit::Done);
    }
    let started = Instant::now();
    let mut asked = false;
    while held(state.dir()).map_err(wrong)? {
        if !asked {
            ask(state.dir(), &row.run, CANCEL).map_err(wrong)?;
            asked = true;
        }
        let now = reader.run(&row.run).map_err(wrong)?;
        if now.ended {
            tell(&now, ASKED, output);
            return Ok(Exit::Done);
        }
        if started.elapsed() > PATIENCE {
            let help = "`hotcell show` tells when it has; if that process hangs, `hotcell resume \
                        --take-over` takes its runs";
            let report = miette::miette!(
                help = help,
                "the process that works on run `{}` was asked and has not ended it yet",
                row.run
            );
            return Err(Problem::new(Exit::Failed, report));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // It may have ended it, and itself, meanwhile.
    let now = reader.run(&row.run).map_err(wrong)?;
    if now.ended {
        tell(&now, ASKED, output);
        return Ok(Exit::Done);
    }
    let durable = Durable {
        journal: state.own(false)?,
        clock: clock(),
        definition: "".into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(Problem::failed)?;
    let forsaken = runtime.block_on(Engine::forsake(&durable, &row.run));
    forsaken.map_err(|halt| Problem::failed(&halt))?;
    let row = reader.run(&row.run).map_err(wrong)?;
    tell(&row, "was ended; nobody worked on it", output);
    Ok(Exit::Done)
}

fn tell(row: &RunRow, what: &str, output: Output) {
    let (run, task, status) = (&row.run, &row.task, &row.status);
    match output.json {
        true => {
            let value = json!({ "run": run, "task": task, "status": status, "said": what });
            screen::json(&value.to_string());
        }
        false => screen::result(&format!("{run} {task} {what}: {status}")),
    }
}
