//! The benchmark's three hundred tasks: what an agent is given, and apart from it
//! what is right.
//!
//! | set | tasks | easy | medium | hard |
//! |---|---|---|---|---|
//! | invoice | 100 | 68 valid | 11 OCR, 7 missing, 4 valid at the edge of a route | 8 duplicates, 2 with two faults |
//! | transaction | 100 | 35 ordinary | 35 decoys, 10 frauds | 20 near |
//! | reconciliation | 100 | 30 short | 35 middling | 35 long |
//! | all | 300 | 133 | 102 | 65 |
//!
//! An edge case is whatever is not the ordinary case of its set: an invoice with a
//! fault or at the edge of a route (32), a payment that is near, a decoy or a fraud
//! (65), a reconciliation that holds a challenge (72); 169 in all.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Difficulty;
use super::invoices::{self, Fault, Gold as InvoiceGold, Invoice, InvoiceSet};
use super::reconciliations::{self, Challenge};
use super::transactions::{self, Case};

pub(crate) mod select;
#[cfg(test)]
mod tests;

/// A type of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Set {
    /// Is an invoice valid, and who approves it
    Invoice,
    /// Is a card payment a fraud, and what becomes of it
    Transaction,
    /// Which bank transactions and ledger entries belong together
    Reconciliation,
}

impl Set {
    /// In the order of their tasks.
    pub(crate) const ALL: [Set; 3] = [Set::Invoice, Set::Transaction, Set::Reconciliation];

    /// Its name in files and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Set::Invoice => "invoice",
            Set::Transaction => "transaction",
            Set::Reconciliation => "reconciliation",
        }
    }

    /// The field of a record that holds its id.
    pub(crate) fn id_field(self) -> &'static str {
        match self {
            Set::Invoice => "invoice_id",
            Set::Transaction => "transaction_id",
            Set::Reconciliation => "reconciliation_id",
        }
    }

    /// What an answer must say, and is scored by.
    pub(crate) fn fields(self) -> &'static [&'static str] {
        match self {
            Set::Invoice => &["is_valid", "reason", "correct_vendor", "approval_route"],
            Set::Transaction => &["fraud_label", "fraud_type", "expected_action"],
            Set::Reconciliation => &["status", "discrepancy", "matches"],
        }
    }
}

/// One record to work on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Task {
    pub(crate) set: Set,
    /// Unique within its set.
    pub(crate) id: String,
    /// All that an agent is given.
    pub(crate) input: Value,
    /// The scored fields and no others. Never for agents.
    pub(crate) gold: Map<String, Value>,
    pub(crate) difficulty: Difficulty,
    /// Whether it is anything but the ordinary case of its set.
    pub(crate) edge: bool,
}

/// What the plugin `vendor-ledger` is configured with: it is asked whether a vendor
/// is known and an invoice was seen before.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Ledger {
    /// The master list.
    pub(crate) vendors: Vec<String>,
    /// Every invoice as agents see it.
    pub(crate) invoices: Vec<Value>,
}

/// The tasks of a benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Suite {
    /// By set and id.
    pub(crate) tasks: Vec<Task>,
    pub(crate) ledger: Ledger,
}

impl Suite {
    /// The three hundred tasks of a seed, one hundred of each set.
    pub(crate) fn generate(data_seed: u64) -> Suite {
        let invoices = invoices::generate(data_seed);
        let mut tasks = invoice_tasks(&invoices);
        let payments = transactions::generate(&transactions::BENCHMARK, data_seed);
        for it in &payments.transactions {
            let id = &it.transaction_id;
            let Some(gold) = payments.gold.get(id) else {
                continue;
            };
            let difficulty = match gold.case {
                Case::Ordinary => Difficulty::Easy,
                Case::Decoy | Case::Fraud => Difficulty::Medium,
                Case::Near => Difficulty::Hard,
            };
            let edge = gold.case != Case::Ordinary;
            tasks.push(Task::new(Set::Transaction, id, it, gold, difficulty, edge));
        }
        let ledgers = reconciliations::generate(&reconciliations::BENCHMARK, data_seed);
        for it in &ledgers.reconciliations {
            let id = &it.reconciliation_id;
            let Some(gold) = ledgers.gold.get(id) else {
                continue;
            };
            let difficulty = gold.difficulty.unwrap_or(Difficulty::Medium);
            let edge = gold.challenge != Challenge::None;
            tasks.push(Task::new(
                Set::Reconciliation,
                id,
                it,
                gold,
                difficulty,
                edge,
            ));
        }
        Suite::new(tasks, vendors(&invoices))
    }

    /// Tasks in their order, with the ledger that goes with them.
    pub(super) fn new(mut tasks: Vec<Task>, vendors: Vec<String>) -> Suite {
        tasks.sort_by(|a, b| (a.set, &a.id).cmp(&(b.set, &b.id)));
        let invoices = tasks.iter().filter(|task| task.set == Set::Invoice);
        let invoices = invoices.map(|task| task.input.clone()).collect();
        Suite {
            tasks,
            ledger: Ledger { vendors, invoices },
        }
    }
}

impl Task {
    fn new(
        set: Set,
        id: &str,
        input: &impl Serialize,
        gold: &impl Serialize,
        difficulty: Difficulty,
        edge: bool,
    ) -> Task {
        // The types of a set hold string keys and finite numbers only, which JSON
        // can say.
        let json = |gold| serde_json::to_value(gold).unwrap_or_default();
        let gold = match serde_json::to_value(gold) {
            Ok(Value::Object(mut gold)) => {
                gold.retain(|field, _| set.fields().contains(&field.as_str()));
                gold
            }
            _ => Map::new(),
        };
        Task {
            set,
            id: id.to_owned(),
            input: json(input),
            gold,
            difficulty,
            edge,
        }
    }
}

fn invoice_tasks(set: &InvoiceSet) -> Vec<Task> {
    let task = |invoice: &Invoice| {
        let gold = set.gold.get(&invoice.invoice_id)?;
        let edge = gold.fault != Fault::None || invoice.is_at_an_edge();
        let difficulty = match gold.fault {
            Fault::Duplicate => Difficulty::Hard,
            Fault::Missing if is_damaged(invoice, gold) => Difficulty::Hard,
            Fault::Missing | Fault::Ocr => Difficulty::Medium,
            Fault::None if edge => Difficulty::Medium,
            Fault::None => Difficulty::Easy,
        };
        let id = &invoice.invoice_id;
        Some(Task::new(Set::Invoice, id, invoice, gold, difficulty, edge))
    };
    set.invoices.iter().filter_map(task).collect()
}

/// Whether the vendor is printed otherwise than it is called.
fn is_damaged(invoice: &Invoice, gold: &InvoiceGold) -> bool {
    invoice.vendor.is_some() && invoice.vendor.as_deref() != gold.correct_vendor
}

fn vendors(set: &InvoiceSet) -> Vec<String> {
    set.vendors.iter().map(|name| (*name).to_owned()).collect()
}
