//! One hundred invoices whose right answers follow from what can be seen.
//!
//! Exact counts, not draws: 15 invoices carry an OCR fault, 10 lack a field, 8
//! are duplicates. They overlap on purpose, so that the precedence duplicate >
//! missing > OCR is put to the test:
//!
//! | invoices | OCR | missing | duplicate | decisive fault |
//! |---|---|---|---|---|
//! | 5 copies of clean originals | | | 5 | duplicate |
//! | 2 copies of OCR-damaged originals | 2 | | 2 | duplicate |
//! | 1 copy that lacks its status | | 1 | 1 | duplicate |
//! | 1 OCR-damaged, status missing | 1 | 1 | | missing |
//! | 1 OCR-damaged, date missing | 1 | 1 | | missing |
//! | 7 without vendor (2), amount (2), date (2), status (1) | | 7 | | missing |
//! | 2 OCR-damaged originals of copies | 2 | | | ocr |
//! | 9 OCR-damaged | 9 | | | ocr |
//! | 72 clean, 6 of them originals, 4 at the edges of the routes | | | | none |
//! | 100 | 15 | 10 | 8 | |
//!
//! A copy repeats vendor text, amount, date and line items of one original with
//! a lower id, and an original lacks none of them. No two other invoices share an
//! amount, so nothing is a duplicate by accident. OCR damage replaces exactly one
//! character; the result is one edit from one vendor of the list and at least two
//! from every other. Amounts are log-normal between 10.00 and 50 000.00, and the
//! line items add up to the cent. The records never say which fault they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use serde::Serialize;

use super::File;
use super::draw::{Draw, exp};
use super::written::{Cents, day_of_2024, pretty};

pub(super) mod vendors;

use vendors::{VENDORS, misreadings};

#[cfg(test)]
pub(super) mod tests;

/// How many invoices there are.
const COUNT: usize = 100;

const ITEMS: [&str; 16] = [
    "Annual licence",
    "Cable and connectors",
    "Consulting hours",
    "Courier service",
    "Desk chairs",
    "Installation",
    "Laboratory consumables",
    "Maintenance visit",
    "On-site training",
    "Printer paper, box",
    "Replacement parts",
    "Safety equipment",
    "Shipping and handling",
    "Site survey",
    "Support plan, month",
    "Toner cartridge",
];

/// The last amount of a route and the first of the next, in cents.
const EDGES: [u64; 4] = [49_999, 50_000, 1_000_000, 1_000_001];

const STATUSES: [&str; 3] = ["pending", "approved", "paid"];

/// One position of an invoice.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LineItem {
    pub(crate) description: &'static str,
    pub(crate) quantity: u64,
    pub(crate) unit_price: Cents,
}

/// What an agent is given.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Invoice {
    pub(crate) invoice_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<Cents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<&'static str>,
    pub(crate) line_items: Vec<LineItem>,
}

/// Why an invoice is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    Valid,
    DuplicateInvoice,
    MissingRequiredFields,
    OcrErrorDetected,
}

/// The fault that decides, by precedence. For grouping results, not for agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    None,
    Ocr,
    Missing,
    Duplicate,
}

/// Who has to approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    Auto,
    Manager,
    Finance,
}

/// The right answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gold {
    pub(crate) is_valid: bool,
    pub(crate) reason: Reason,
    pub(crate) correct_vendor: Option<&'static str>,
    pub(crate) approval_route: Route,
    pub(crate) fault: Fault,
}

/// The whole set.
pub(crate) struct InvoiceSet {
    /// Sorted by id.
    pub(crate) invoices: Vec<Invoice>,
    /// By invoice id.
    pub(crate) gold: BTreeMap<String, Gold>,
    /// The master list.
    pub(crate) vendors: Vec<&'static str>,
}

impl Invoice {
    /// Whether its amount is the last of a route or the first of the next.
    pub(super) fn is_at_an_edge(&self) -> bool {
        EDGES.contains(&total(&self.line_items))
    }
}

impl InvoiceSet {
    /// `invoices.json`, `gold.json` and `vendors.json`.
    pub(crate) fn files(&self) -> Vec<File> {
        vec![
            File {
                name: "invoices.json",
                text: pretty(&self.invoices),
            },
            File {
                name: "gold.json",
                text: pretty(&self.gold),
            },
            File {
                name: "vendors.json",
                text: pretty(&self.vendors),
            },
        ]
    }
}

/// A field that can be missing.
#[derive(Clone, Copy)]
enum Field {
    Vendor,
    Amount,
    Date,
    Status,
}

/// What is wrong with an invoice that is nobody's copy.
#[derive(Clone, Copy)]
enum Role {
    Clean,
    Edge(u64),
    Ocr,
    Missing(Field),
    OcrAndMissing(Field),
}

/// An original's role, and the field that its copy lacks.
const PAIRS: [(Role, Option<Field>); 8] = [
    (Role::Clean, None),
    (Role::Clean, None),
    (Role::Clean, None),
    (Role::Clean, None),
    (Role::Clean, None),
    (Role::Clean, Some(Field::Status)),
    (Role::Ocr, None),
    (Role::Ocr, None),
];

/// The invoices that are neither in a pair nor clean.
const SINGLES: [Role; 22] = [
    Role::OcrAndMissing(Field::Status),
    Role::OcrAndMissing(Field::Date),
    Role::Missing(Field::Vendor),
    Role::Missing(Field::Vendor),
    Role::Missing(Field::Amount),
    Role::Missing(Field::Amount),
    Role::Missing(Field::Date),
    Role::Missing(Field::Date),
    Role::Missing(Field::Status),
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Ocr,
    Role::Edge(EDGES[0]),
    Role::Edge(EDGES[1]),
    Role::Edge(EDGES[2]),
    Role::Edge(EDGES[3]),
];

/// The set of a seed.
pub(crate) fn generate(seed: u64) -> InvoiceSet {
    let mut made = Made {
        seed,
        amounts: EDGES.into(),
        invoices: BTreeMap::new(),
    };
    let mut numbers = Draw::new(seed, "roles").shuffled(COUNT).into_iter();
    for (role, lacks) in PAIRS {
        let (Some(one), Some(other)) = (numbers.next(), numbers.next()) else {
            break;
        };
        let (invoice, vendor) = made.add(one.min(other), role);
        made.copy(one.max(other), invoice, vendor, lacks);
    }
    for (number, role) in numbers.zip(SINGLES.into_iter().chain(iter::repeat(Role::Clean))) {
        made.add(number, role);
    }
    let (invoices, gold) = made.invoices.into_values().unzip::<_, _, Vec<_>, Vec<_>>();
    let gold = invoices
        .iter()
        .map(|invoice| invoice.invoice_id.clone())
        .zip(gold)
        .collect();
    InvoiceSet {
        invoices,
        gold,
        vendors: VENDORS.to_vec(),
    }
}

/// The set while it grows.
struct Made {
    seed: u64,
    /// Amounts that are taken.
    amounts: BTreeSet<u64>,
    invoices: BTreeMap<usize, (Invoice, Gold)>,
}

impl Made {
    /// Adds an invoice that is nobody's copy; returns it with its true vendor.
    fn add(&mut self, number: usize, role: Role) -> (Invoice, &'static str) {
        // A stream of its own: what one invoice draws never moves another.
        let mut draw = Draw::new(self.seed, &format!("invoice {number}"));
        let vendor = draw.pick(&VENDORS).copied().unwrap_or_default();
        let amount = match role {
            Role::Edge(amount) => amount,
            _ => loop {
                let amount = log_normal(&mut draw);
                if self.amounts.insert(amount) {
                    break amount;
                }
            },
        };
        let mut invoice = Invoice {
            invoice_id: invoice_id(number),
            vendor: Some(vendor.to_owned()),
            amount: Some(Cents(amount)),
            date: Some(day_of_2024(draw.below(366))),
            status: draw.pick(&STATUSES).copied(),
            line_items: line_items(&mut draw, amount),
        };
        if let Role::Ocr | Role::OcrAndMissing(_) = role {
            invoice.vendor = draw.pick(&misreadings(vendor)).cloned();
        }
        let (reason, fault) = match role {
            Role::Clean | Role::Edge(_) => (Reason::Valid, Fault::None),
            Role::Ocr => (Reason::OcrErrorDetected, Fault::Ocr),
            Role::Missing(field) | Role::OcrAndMissing(field) => {
                remove(&mut invoice, field);
                (Reason::MissingRequiredFields, Fault::Missing)
            }
        };
        let printed = invoice.vendor.as_ref().map(|_| vendor);
        let gold = gold(reason, fault, printed, amount);
        self.invoices.insert(number, (invoice.clone(), gold));
        (invoice, vendor)
    }

    /// Adds a copy of an original under a number of its own.
    fn copy(
        &mut self,
        number: usize,
        original: Invoice,
        vendor: &'static str,
        lacks: Option<Field>,
    ) {
        let mut copy = Invoice {
            invoice_id: invoice_id(number),
            ..original
        };
        if let Some(field) = lacks {
            remove(&mut copy, field);
        }
        let amount = total(&copy.line_items);
        let gold = gold(
            Reason::DuplicateInvoice,
            Fault::Duplicate,
            Some(vendor),
            amount,
        );
        self.invoices.insert(number, (copy, gold));
    }
}

fn gold(reason: Reason, fault: Fault, correct_vendor: Option<&'static str>, amount: u64) -> Gold {
    let approval_route = match amount {
        ..50_000 => Route::Auto,
        50_000..=1_000_000 => Route::Manager,
        _ => Route::Finance,
    };
    Gold {
        is_valid: reason == Reason::Valid,
        reason,
        correct_vendor,
        approval_route,
        fault,
    }
}

fn remove(invoice: &mut Invoice, field: Field) {
    match field {
        Field::Vendor => invoice.vendor = None,
        Field::Amount => invoice.amount = None,
        Field::Date => invoice.date = None,
        Field::Status => invoice.status = None,
    }
}

fn total(items: &[LineItem]) -> u64 {
    items
        .iter()
        .map(|item| item.quantity * item.unit_price.0)
        .sum()
}

fn invoice_id(number: usize) -> String {
    format!("INV-2024-{number:03}")
}

/// Cents. The mean of the logarithms of the amount is (ln 10 + ln 50000) / 2 and
/// their deviation (ln 50000 - ln 10) / 6, so that 10.00 and 50 000.00 lie three
/// deviations out; what falls beyond is moved to the limit.
fn log_normal(draw: &mut Draw) -> u64 {
    const MEAN: f64 = 6.561_181_688_702_165;
    const DEVIATION: f64 = 1.419_532_198_569_373;
    let amount = exp(MEAN + DEVIATION * draw.normal()).clamp(10.0, 50_000.0);
    (amount * 100.0).round() as u64
}

/// One to three positions that add up to the amount exactly. All but the last
/// take 20 to 60 per cent of what is left, rounded down to whole unit prices; the
/// last takes the rest, in the largest quantity up to a drawn one that divides it.
fn line_items(draw: &mut Draw, amount: u64) -> Vec<LineItem> {
    let mut descriptions = draw.shuffled(ITEMS.len()).into_iter();
    let mut line_item = |quantity, unit_price| LineItem {
        description: descriptions
            .next()
            .and_then(|n| ITEMS.get(n))
            .copied()
            .unwrap_or_default(),
        quantity,
        unit_price: Cents(unit_price),
    };
    let others = draw.below(3);
    let mut left = amount;
    let mut items = Vec::new();
    for _ in 0..others {
        let share = left * (20 + draw.below(41) as u64) / 100;
        let quantity = 1 + draw.below(10) as u64;
        items.push(line_item(quantity, share / quantity));
        left -= share / quantity * quantity;
    }
    let most = 1 + draw.below(10) as u64;
    let quantity = (1..=most)
        .rev()
        .find(|quantity| left.is_multiple_of(*quantity))
        .unwrap_or(1);
    items.push(line_item(quantity, left / quantity));
    items
}
