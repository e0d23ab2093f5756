//! `hotcell audit`: who did what, with which secret, and what did it cost; and
//! whether that is what was written.

mod filter;
mod found;
pub(crate) mod mend;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hotcell_broker::audit::{erase, erased, open, open_case};
use hotcell_broker::text;
use hotcell_store::audit::{AuditError, WalkError, append_now, head, verify, walk};
use hotcell_store::books::Books;
use serde_json::{Value, json};

use crate::command::{Exit, Output, Problem};
use crate::operator::operator;
use crate::screen;
use crate::state::State;
use crate::wire::{self, audit::folder};
use filter::Filter;
use found::Found;

#[derive(Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    what: What,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Read every record and say which is the first that is not what was written
    Verify {
        /// The hash of a head that was kept elsewhere: records taken off the end
        /// are found by it
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// Print the last record's number and hash, to keep elsewhere
    Head,
    /// Print records as they are, one JSON line each
    Export {
        #[command(flatten)]
        filter: Filter,
        /// Also print what is sealed, where its case's key is still there
        #[arg(long)]
        open: bool,
    },
    /// Find records, and add up what they cost
    Search {
        #[command(flatten)]
        filter: Filter,
        /// The last N
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Destroy the key of a case: what is sealed in its records is gone
    Erase {
        /// The record that runs worked on, by its id
        case: String,
        /// On whose behalf
        #[arg(long, value_name = "NAME", default_value = "local")]
        tenant: String,
    },
}

pub(crate) fn audit(args: &AuditArgs, output: Output) -> Result<Exit, Problem> {
    let state = State::at(args.state.as_deref());
    match &args.what {
        What::Verify { head } => verified(&state, head.as_deref(), output),
        What::Head => print_head(&state, output),
        What::Export { filter, open } => export(&state, filter, *open),
        What::Search { filter, limit } => search(&state, filter, *limit, output),
        What::Erase { case, tenant } => forget(&state, tenant, case, output),
    }
}

fn verified(state: &State, anchor: Option<&str>, output: Output) -> Result<Exit, Problem> {
    let anchor = anchor.map(|hash| hash.strip_prefix("sha256:").unwrap_or(hash));
    let found = verify(&folder(state.dir()), anchor).map_err(|error| wrong(state, &error))?;
    let Some(found) = found else {
        return nothing(state, output);
    };
    let head = &found.head;
    if output.json {
        let value = json!({
            "records": head.seq,
            "head": head.hash,
            "unsealed": found.unsealed,
            "unfinished_bytes": found.unfinished,
        });
        screen::json(&value.to_string());
        return Ok(Exit::Done);
    }
    screen::result(&format!(
        "{} records: all is what was written\nhead {}",
        head.seq, head.hash
    ));
    if found.unsealed > 0 || found.unfinished > 0 {
        screen::note(&format!(
            "a process ended while it wrote: {} records are behind the sealed head, and {} bytes \
             of one that nobody was told of",
            found.unsealed, found.unfinished
        ));
    }
    if anchor.is_none() {
        screen::note(
            "who can write the folder can also take all of it back: keep `hotcell audit head` \
             elsewhere, and give it to `--head`",
        );
    }
    Ok(Exit::Done)
}

fn print_head(state: &State, output: Output) -> Result<Exit, Problem> {
    let dir = folder(state.dir());
    let Some(head) = head(&dir).map_err(|error| wire::audit::unavailable(&dir, &error))? else {
        return nothing(state, output);
    };
    match output.json {
        true => screen::json(&json!({ "record": head.seq, "hash": head.hash }).to_string()),
        false => screen::result(&format!("{} {}", head.seq, head.hash)),
    }
    Ok(Exit::Done)
}

fn nothing(state: &State, output: Output) -> Result<Exit, Problem> {
    let dir = state.dir().display();
    screen::note(&format!(
        "there is no audit in `{dir}`; `hotcell run` keeps one"
    ));
    if output.json {
        screen::json(&json!({ "records": 0 }).to_string());
    }
    Ok(Exit::Done)
}

/// Shows each record that a filter lets through, in their order.
fn each(
    state: &State,
    filter: &Filter,
    mut visit: impl FnMut(&str, Value) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let filter = filter.ready()?;
    let walked = walk::<Stopped>(&folder(state.dir()), |_, line| {
        // It is what was written, and that was JSON.
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            return Ok(());
        };
        match filter.lets(&record) {
            true => visit(line, record).map_err(Stopped::Visit),
            false => Ok(()),
        }
    });
    match walked {
        Ok(_) => Ok(()),
        Err(Stopped::Walk(error)) => Err(wrong(state, &error)),
        Err(Stopped::Visit(problem)) => Err(problem),
    }
}

enum Stopped {
    Walk(WalkError),
    Visit(Problem),
}

impl From<WalkError> for Stopped {
    fn from(error: WalkError) -> Stopped {
        Stopped::Walk(error)
    }
}

fn export(state: &State, filter: &Filter, opened: bool) -> Result<Exit, Problem> {
    let books = match opened {
        true => Some(Books::open(state.dir()).map_err(Problem::failed)?),
        false => None,
    };
    each(state, filter, |line, mut record| {
        let Some(books) = &books else {
            screen::json(line);
            return Ok(());
        };
        let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
        let key = open_case(books, text("tenant"), text("case")).map_err(Problem::failed)?;
        if let Some(personal) = open(&record, key.as_ref())
            && let Value::Object(fields) = &mut record
        {
            let value = personal
                .text
                .map_or(json!({ "erased": true }), Value::String);
            fields.insert(personal.what, value);
        }
        screen::json(&record.to_string());
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn search(state: &State, filter: &Filter, limit: usize, output: Output) -> Result<Exit, Problem> {
    let mut found = Found::new(limit);
    each(state, filter, |_, record| {
        found.add(record);
        Ok(())
    })?;
    match output.json {
        true => screen::json(&found.json().to_string()),
        false => screen::result(&found.render()),
    }
    Ok(Exit::Done)
}

fn forget(state: &State, tenant: &str, case: &str, output: Output) -> Result<Exit, Problem> {
    let dir = folder(state.dir());
    if !dir.exists() {
        return nothing(state, output);
    }
    let books = Books::open(state.dir()).map_err(Problem::failed)?;
    // First what is going to be done: a key that is gone without a word would look
    // like a loss.
    let record = erased(tenant, case, &operator(), wire::now_unix_ms());
    append_now(&dir, &[record]).map_err(|error| wire::audit::unavailable(&dir, &error))?;
    let gone = erase(&books, tenant, case).map_err(Problem::failed)?;
    let shown = text::line(case, 256);
    match output.json {
        true => {
            screen::json(&json!({ "case": case, "tenant": tenant, "erased": gone }).to_string())
        }
        false if gone => screen::result(&format!(
            "the key of `{shown}` is destroyed: what was sealed in its records is gone, the chain is \
             as it was. The journal keeps its runs until `hotcell runs --prune-before`"
        )),
        false => screen::result(&format!("`{shown}` has no key: nothing of it is sealed")),
    }
    Ok(Exit::Done)
}

/// What is wrong with the files, and what to do.
fn wrong(state: &State, error: &WalkError) -> Problem {
    let dir = folder(state.dir());
    let broken = match error {
        WalkError::Audit(error @ AuditError::Damaged(_)) => error.to_string(),
        WalkError::Audit(error) => return wire::audit::unavailable(&dir, error),
        WalkError::Broken(broken) => broken.to_string(),
    };
    let report = miette::miette!(
        code = "audit.broken",
        help = "the disk or somebody changed it: keep it as it is and compare it with a copy",
        "the audit in `{}` is not what was written: {broken}",
        dir.display()
    );
    Problem::new(Exit::Diverged, report)
}
