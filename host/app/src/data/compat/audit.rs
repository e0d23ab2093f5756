//! What is wrong with the course's data as a benchmark: labels that no content
//! tells, and content that tells labels. Pure: the files in, counts out.
//!
//! It judges the files that were brought, and nobody's answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;

use super::{Compat, Labelled};
use crate::data::suite::Set;

pub(super) mod invoices;
mod payments;
mod statements;

pub(crate) use invoices::InvoiceAudit;
pub(crate) use payments::PaymentAudit;
pub(crate) use statements::StatementAudit;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Share {
    pub(crate) count: usize,
    pub(crate) of: usize,
}

impl Share {
    /// How many of these it is true of.
    fn of<T>(items: impl IntoIterator<Item = T>, is: impl Fn(&T) -> bool) -> Share {
        let mut share = Share::default();
        for item in items {
            share.count += usize::from(is(&item));
            share.of += 1;
        }
        share
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count, self.of)
    }
}

/// Records whose label nobody can tell from their content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Undecidable {
    pub(crate) set: Set,
    pub(crate) why: String,
    /// In the order of the file.
    pub(crate) ids: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Audit {
    /// Tasks that differ from one another by more than their id.
    pub(crate) distinct: Share,
    /// How many different ones a suite has on average that draws as many tasks of
    /// each set with replacement, as the course's does.
    pub(crate) distinct_when_replaced: f64,
    pub(crate) invoices: InvoiceAudit,
    pub(crate) transactions: PaymentAudit,
    pub(crate) reconciliations: StatementAudit,
    pub(crate) undecidable: Vec<Undecidable>,
}

/// Looks through the files.
pub(crate) fn audit(compat: &Compat) -> Audit {
    let mut undecidable = Grouped::default();
    let invoices = InvoiceAudit::new(compat, &mut undecidable);
    let transactions = PaymentAudit::new(&compat.payments, &mut undecidable);
    let reconciliations = StatementAudit::new(&compat.statements, &mut undecidable);
    let (a, b, c) = (
        distinct(&compat.invoices, Set::Invoice),
        distinct(&compat.payments, Set::Transaction),
        distinct(&compat.statements, Set::Reconciliation),
    );
    Audit {
        distinct: Share {
            count: a.count + b.count + c.count,
            of: a.of + b.of + c.of,
        },
        distinct_when_replaced: [a.of, b.of, c.of].into_iter().map(when_replaced).sum(),
        invoices,
        transactions,
        reconciliations,
        undecidable: undecidable.0.into_iter().map(Undecidable::from).collect(),
    }
}

/// Ids by set and reason.
#[derive(Default)]
struct Grouped(BTreeMap<(Set, String), Vec<String>>);

impl Grouped {
    fn add(&mut self, set: Set, why: impl Into<String>, id: &str) {
        let ids = self.0.entry((set, why.into())).or_default();
        ids.push(id.to_owned());
    }
}

impl From<((Set, String), Vec<String>)> for Undecidable {
    fn from(((set, why), ids): ((Set, String), Vec<String>)) -> Undecidable {
        Undecidable { set, why, ids }
    }
}

fn distinct<T>(records: &[Labelled<T>], set: Set) -> Share {
    let content = |it: &Labelled<T>| {
        let mut input = it.input.clone();
        if let Value::Object(fields) = &mut input {
            fields.remove(set.id_field());
        }
        input.to_string()
    };
    let contents: BTreeSet<String> = records.iter().map(content).collect();
    Share {
        count: contents.len(),
        of: records.len(),
    }
}

/// The mean number of different ones among `n` draws from `n`: n(1 - (1 - 1/n)^n).
fn when_replaced(records: usize) -> f64 {
    let n = records as f64;
    match records {
        0 => 0.0,
        _ => n * (1.0 - (1.0 - 1.0 / n).powf(n)),
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["set", "check", "result"]);
        let replaced = format!("{:.0} of {}", self.distinct_when_replaced, self.distinct.of);
        let own = vec![
            ("distinct, ids aside".to_owned(), self.distinct.to_string()),
            (
                "distinct on average, drawn with replacement".to_owned(),
                replaced,
            ),
        ];
        let rows = [
            ("all", own),
            ("invoice", self.invoices.rows()),
            ("transaction", self.transactions.rows()),
            ("reconciliation", self.reconciliations.rows()),
        ];
        for (set, rows) in rows {
            for (at, (check, result)) in rows.into_iter().enumerate() {
                let set = if at == 0 { set } else { "" };
                table.add_row([set, &check, &result]);
            }
        }
        writeln!(f, "{table}")?;
        for Undecidable { set, why, ids } in &self.undecidable {
            let (set, count) = (set.name(), ids.len());
            writeln!(f, "{set}, {count}: {why}: {}", ids.join(", "))?;
        }
        Ok(())
    }
}
