//! What a workflow's broker may spend and how often it may ask, over the books of
//! the folder where its runs are kept.

use std::path::Path;

use hotcell_broker::ledger::{Alerts, Ledger, Rules};
use hotcell_store::books::{Books, BooksError};

use super::now_unix_ms;
use crate::command::{Exit, Problem};
use crate::manifest::Checked;

/// The ledger of these files over these books.
pub(super) fn ledger(checked: &Checked, books: &Books) -> Result<Ledger, Problem> {
    let rates = checked.host.models.iter();
    let rates = rates.filter_map(|(alias, model)| Some((alias.clone(), model.rate?)));
    let rules = Rules {
        host_rates: rates.collect(),
        ..checked.policy.rules.clone()
    };
    let ledger = Ledger::open(books.clone(), rules, now_unix_ms(), Alerts::default());
    ledger.map_err(unwritten)
}

/// The books of a folder, or of this process alone.
pub(super) fn books(state: Option<&Path>) -> Result<Books, Problem> {
    let books = match state {
        Some(dir) => Books::open(dir),
        None => Books::in_memory(),
    };
    books.map_err(unwritten)
}

fn unwritten(error: BooksError) -> Problem {
    let report = miette::miette!(code = error.code(), "{error}");
    Problem::new(Exit::Failed, report)
}
