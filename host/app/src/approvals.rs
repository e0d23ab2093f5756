//! `hotcell approvals`: what plugins ask humans to allow, and the answers.

mod shown;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hotcell_broker::approval::queue::{Asked, Decided, NotTaken, Seen, decide, find, list};
use hotcell_broker::audit::decided;
use hotcell_broker::text;
use hotcell_store::audit::append_now;
use hotcell_store::books::Books;
use serde_json::json;

use crate::command::{Exit, Output, Problem};
use crate::operator::operator;
use crate::screen;
use crate::state::State;
use crate::wire::{self, audit::folder};

/// The longest comment, in bytes.
const COMMENT: usize = 4096;

#[derive(Args)]
pub(crate) struct ApprovalsArgs {
    #[command(subcommand)]
    what: What,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// List what waits for an answer, by plugin and action
    List {
        /// Also what was answered, and what nobody answered in time
        #[arg(long)]
        all: bool,
    },
    /// Show what exactly is asked
    Show {
        /// The question's id, or the beginning of it
        id: String,
        /// Leave nothing out, however long the arguments are
        #[arg(long)]
        full: bool,
    },
    /// Say yes; `hotcell resume` goes on with the run then
    Approve(Answer),
    /// Say no; `hotcell resume` goes on with the run then
    Reject(Answer),
}

#[derive(Args)]
struct Answer {
    /// The question's id, or the beginning of it
    id: String,
    /// Why, for the plugin and for the audit
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The digest of the arguments that you have seen: anything else is not answered
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Who you say you are; written down beside who the system says you are
    #[arg(long = "as", value_name = "NAME")]
    claims: Option<String>,
}

pub(crate) fn approvals(args: &ApprovalsArgs, output: Output) -> Result<Exit, Problem> {
    let state = State::at(args.state.as_deref());
    if !state.exists() {
        let dir = state.dir().display();
        screen::note(&format!(
            "no runs are kept in `{dir}`, so nothing is asked there"
        ));
        if output.json {
            screen::json(&shown::json(&[]).to_string());
        }
        return Ok(Exit::Done);
    }
    let books = Books::open(state.dir()).map_err(Problem::failed)?;
    let now = wire::now_unix_ms();
    match &args.what {
        What::List { all } => {
            let seen = list(&books, *all, now).map_err(Problem::failed)?;
            match output.json {
                true => screen::json(&shown::json(&seen).to_string()),
                false if seen.is_empty() => screen::note("nothing waits for an answer"),
                false => screen::result(&shown::table(&seen, now)),
            }
        }
        What::Show { id, full } => {
            let seen = find(&books, id, now).map_err(|error| wrong(&error))?;
            match output.json {
                true => screen::json(&shown::one(&seen).to_string()),
                false => screen::result(&shown::render(&seen, *full)),
            }
        }
        What::Approve(answer) => take(&state, &books, answer, true, output)?,
        What::Reject(answer) => take(&state, &books, answer, false, output)?,
    }
    Ok(Exit::Done)
}

fn take(
    state: &State,
    books: &Books,
    answer: &Answer,
    approved: bool,
    output: Output,
) -> Result<(), Problem> {
    let line = |text: &String| text::line(text, COMMENT);
    let decision = Decided {
        approved,
        by: operator(),
        claims: answer.claims.as_ref().map(line),
        comment: answer.comment.as_ref().map(line),
        at_unix_ms: wire::now_unix_ms(),
    };
    let dir = folder(state.dir());
    // An answer that is not written down is none.
    let write = move |asked: &Asked| {
        let written = append_now(&dir, &[decided(asked)]);
        written
            .map(drop)
            .map_err(|error| format!("audit.unavailable: {error}"))
    };
    let digest = answer.digest.clone();
    let seen = decide(books, &answer.id, digest, decision, write).map_err(|error| wrong(&error))?;
    tell(&seen, output);
    Ok(())
}

fn tell(seen: &Seen, output: Output) {
    let run = &seen.asked.bound.run;
    match output.json {
        true => {
            let value = json!({ "id": seen.id, "state": seen.state, "run": run });
            screen::json(&value.to_string());
        }
        false => screen::result(&format!(
            "{} is {}: `hotcell resume {run}` goes on",
            seen.id, seen.state
        )),
    }
}

fn wrong(error: &NotTaken) -> Problem {
    let help = match error {
        NotTaken::Unknown(_) | NotTaken::Ambiguous(_) => {
            "`hotcell approvals list --all` lists them"
        }
        NotTaken::Decided(_) => "an answer is given once",
        NotTaken::Expired => "the plugin is told so when its run goes on; it may ask again",
        NotTaken::Other => "look at it again: `hotcell approvals show`",
        NotTaken::SamePerson(_) => {
            "somebody else must; or, where one person is enough, `[approvals] self_approval = \
             true` in the host file before the run is started"
        }
        NotTaken::Unwritten(_) => "nothing is decided that cannot be written down",
        NotTaken::Books(_) => "see `--state`",
    };
    let exit = match error {
        NotTaken::Unknown(_) | NotTaken::Ambiguous(_) => Exit::CommandLine,
        _ => Exit::Failed,
    };
    Problem::new(exit, miette::miette!(help = help, "{error}"))
}
