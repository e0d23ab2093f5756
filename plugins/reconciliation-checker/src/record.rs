//! What was to be reconciled and what is claimed about it.

use serde::{Deserialize, Serialize};

/// The record, as far as it is checked.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) bank_transactions: Vec<Transaction>,
    pub(crate) ledger_entries: Vec<Entry>,
}

/// A movement on the bank's statement.
#[derive(Debug, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) transaction_id: String,
    pub(crate) date: String,
    pub(crate) amount: f64,
}

/// A line of the ledger.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) entry_id: String,
    pub(crate) posting_date: String,
    pub(crate) amount: f64,
    #[serde(default)]
    pub(crate) account: String,
}

/// What an agent answered.
#[derive(Debug, Deserialize)]
pub(crate) struct Claim {
    pub(crate) matches: Vec<Match>,
    pub(crate) duplicates: Vec<String>,
    pub(crate) discrepancy: f64,
    pub(crate) status: Status,
}

/// A transaction and the entry that books it.
#[derive(Debug, Deserialize)]
pub(crate) struct Match {
    pub(crate) bank_id: String,
    pub(crate) ledger_id: String,
}

/// What a reconciliation comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    PerfectMatch,
    ResolvableWithLogic,
    ManualReviewRequired,
}

impl Status {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::PerfectMatch => "perfect_match",
            Status::ResolvableWithLogic => "resolvable_with_logic",
            Status::ManualReviewRequired => "manual_review_required",
        }
    }
}
