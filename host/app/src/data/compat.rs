//! The course's own three files, which whoever has them brings: read as any file of
//! a stranger is, made into tasks without their labels, and audited.
//!
//! | file | holds |
//! |---|---|
//! | `invoices_100.json` | a list of invoices |
//! | `transactions_100.json` | `metadata`, and `transactions` |
//! | `reconciliation_100.json` | `metadata`, and `reconciliations` |
//!
//! Their labels stand in the records. They are taken out of what agents are given
//! and are the gold answers; a field that the labels do not speak of is not scored.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::Difficulty;
use super::leak::strip;
use super::suite::{Set, Suite, Task};

pub(crate) mod audit;
mod field;
mod record;
#[cfg(test)]
mod tests;

use field::Field;
use record::{Invoice, Payment, Statement};

/// The largest file that is read: many times what one hundred records take.
const MOST_BYTES: u64 = 4 << 20;

/// The most records of a file.
const MOST_RECORDS: usize = 1_000;

const FILES: [&str; 3] = [
    "invoices_100.json",
    "transactions_100.json",
    "reconciliation_100.json",
];

/// Why files are not the course's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompatError {
    /// It is not there, or nothing that can be read.
    #[error("cannot read `{file}`")]
    Read {
        /// Which file.
        file: &'static str,
        #[source]
        source: io::Error,
    },
    /// Too much to look at.
    #[error("`{file}` is larger than {MOST_BYTES} bytes")]
    Size {
        /// Which file.
        file: &'static str,
    },
    /// No JSON.
    #[error("`{file}` is no JSON")]
    Json {
        /// Which file.
        file: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// JSON of another shape.
    #[error("`{file}`, at `{place}`: {what}")]
    Shape {
        /// Which file.
        file: &'static str,
        /// A JSON pointer.
        place: String,
        /// What was expected there.
        what: &'static str,
    },
}

/// The course's records, each with its label.
pub(crate) struct Compat {
    invoices: Vec<Labelled<Invoice>>,
    payments: Vec<Labelled<Payment>>,
    statements: Vec<Labelled<Statement>>,
}

/// A record twice: as agents get to see it, and taken apart.
struct Labelled<T> {
    id: String,
    input: Value,
    record: T,
}

impl Compat {
    /// Reads the three files of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Compat, CompatError> {
        let [invoices, payments, statements] = FILES;
        Compat::parse(
            &bytes(folder, invoices)?,
            &bytes(folder, payments)?,
            &bytes(folder, statements)?,
        )
    }

    /// The records of the three files' bytes.
    pub(crate) fn parse(
        invoices: &[u8],
        payments: &[u8],
        statements: &[u8],
    ) -> Result<Compat, CompatError> {
        let [first, second, third] = FILES;
        let (invoices, payments) = (json_of(invoices, first)?, json_of(payments, second)?);
        let statements = json_of(statements, third)?;
        let payments = Field::of(second, &payments);
        let statements = Field::of(third, &statements);
        Ok(Compat {
            invoices: records(&Field::of(first, &invoices), Set::Invoice, Invoice::read)?,
            payments: records(
                &payments.need("transactions")?,
                Set::Transaction,
                Payment::read,
            )?,
            statements: records(
                &statements.need("reconciliations")?,
                Set::Reconciliation,
                Statement::read,
            )?,
        })
    }

    /// The tasks, and the vendors of invoices without an OCR flag as the master list:
    /// the files bring none.
    pub(crate) fn suite(&self) -> Suite {
        let invoices = self.invoices.iter().map(invoice_task);
        let payments = self.payments.iter().map(payment_task);
        let statements = self.statements.iter().map(statement_task);
        let tasks = invoices.chain(payments).chain(statements).collect();
        let vendors = audit::invoices::pool(self);
        Suite::new(tasks, vendors.into_iter().map(str::to_owned).collect())
    }
}

/// A regular file's bytes, as long as they are few.
fn bytes(folder: &Path, file: &'static str) -> Result<Vec<u8>, CompatError> {
    let read = |source| CompatError::Read { file, source };
    let path = folder.join(file);
    // Asked before opening: to open a pipe is to wait for its writer.
    if !std::fs::metadata(&path).map_err(read)?.is_file() {
        return Err(read(io::Error::other("it is not a regular file")));
    }
    let opened = File::open(&path).map_err(read)?;
    let mut bytes = Vec::new();
    opened
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    match bytes.len() as u64 > MOST_BYTES {
        true => Err(CompatError::Size { file }),
        false => Ok(bytes),
    }
}

fn json_of(bytes: &[u8], file: &'static str) -> Result<Value, CompatError> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(CompatError::Size { file });
    }
    serde_json::from_slice(bytes).map_err(|source| CompatError::Json { file, source })
}

fn records<T>(
    list: &Field<'_>,
    set: Set,
    read: fn(&Field<'_>) -> Result<T, CompatError>,
) -> Result<Vec<Labelled<T>>, CompatError> {
    let mut ids = BTreeSet::new();
    let mut records = Vec::new();
    for field in list.items(MOST_RECORDS)? {
        let named = field.need(set.id_field())?;
        let id = named.id()?;
        if !ids.insert(id.clone()) {
            return Err(named.wrong("the id stands for another record already"));
        }
        let mut input = field.value().clone();
        strip(&mut input);
        let record = read(&field)?;
        records.push(Labelled { id, input, record });
    }
    Ok(records)
}

fn invoice_task(it: &Labelled<Invoice>) -> Task {
    let invoice = &it.record;
    let mut gold = Map::from_iter([
        ("is_valid".to_owned(), json!(invoice.is_valid)),
        ("reason".to_owned(), json!(invoice.reason)),
    ]);
    let stated = [
        ("correct_vendor", &invoice.correct_vendor),
        ("approval_route", &invoice.approval_route),
    ];
    for (field, value) in stated {
        if let Some(value) = value {
            gold.insert(field.to_owned(), json!(value));
        }
    }
    let difficulty = match invoice.reason.as_str() {
        "valid" => Difficulty::Easy,
        "duplicate_invoice" => Difficulty::Hard,
        _ => Difficulty::Medium,
    };
    task(Set::Invoice, it, gold, difficulty, !invoice.is_valid)
}

fn payment_task(it: &Labelled<Payment>) -> Task {
    let payment = &it.record;
    let mut gold = Map::from_iter([
        ("fraud_label".to_owned(), json!(payment.is_fraud)),
        ("fraud_type".to_owned(), json!(payment.fraud_type)),
    ]);
    if let Some(action) = &payment.expected_action {
        gold.insert("expected_action".to_owned(), json!(action));
    }
    let difficulty = match (payment.is_ambiguous, payment.is_fraud) {
        (true, _) => Difficulty::Hard,
        (false, true) => Difficulty::Medium,
        (false, false) => Difficulty::Easy,
    };
    let edge = payment.is_ambiguous || payment.is_fraud;
    task(Set::Transaction, it, gold, difficulty, edge)
}

fn statement_task(it: &Labelled<Statement>) -> Task {
    let statement = &it.record;
    let matches = statement.matches.iter();
    let matches: Vec<Value> = matches
        .map(|(bank, ledger)| json!({ "bank_id": bank, "ledger_id": ledger }))
        .collect();
    let gold = Map::from_iter([
        ("status".to_owned(), json!(statement.status)),
        (
            "discrepancy".to_owned(),
            json!(statement.discrepancy as f64 / 100.0),
        ),
        ("matches".to_owned(), Value::Array(matches)),
    ]);
    // Their lengths overlap, and the files do not say which was meant.
    let difficulty = match statement.bank.len() {
        ..=3 => Difficulty::Easy,
        4..=6 => Difficulty::Medium,
        _ => Difficulty::Hard,
    };
    let edge = statement.challenges > 0;
    task(Set::Reconciliation, it, gold, difficulty, edge)
}

fn task<T>(
    set: Set,
    it: &Labelled<T>,
    gold: Map<String, Value>,
    difficulty: Difficulty,
    edge: bool,
) -> Task {
    Task {
        set,
        id: it.id.clone(),
        input: it.input.clone(),
        gold,
        difficulty,
        edge,
    }
}
