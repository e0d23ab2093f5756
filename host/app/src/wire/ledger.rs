//! What a workflow's broker may spend and how often it may ask, over the books of
//! the folder where its runs are kept.

use hotcell_broker::ledger::{Alerts, Ledger, Rules};
use hotcell_store::books::Books;

use super::now_unix_ms;
use crate::command::Problem;
use crate::manifest::Checked;

/// The ledger of these files over these books.
pub(super) fn ledger(checked: &Checked, books: &Books) -> Result<Ledger, Problem> {
    let rates = checked.host.models.iter();
    let rates = rates.filter_map(|(alias, model)| Some((alias.clone(), model.rate?)));
    let rules = Rules {
        host_rates: rates.collect(),
        ..checked.policy.rules.clone()
    };
    Ledger::open(books.clone(), rules, now_unix_ms(), Alerts::default()).map_err(Problem::failed)
}
