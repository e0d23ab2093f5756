//! Invoices: faults that are flagged and not there, and what can be seen.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::record::Invoice;
use super::super::{Compat, Labelled};
use super::{Grouped, Share};
use crate::data::suite::Set;

/// What was found in the invoices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InvoiceAudit {
    /// Invoices flagged for an OCR fault whose vendor is none of the clean pool.
    pub(crate) ocr_visible: Share,
    /// Invoices flagged for a missing field that still have it.
    pub(crate) missing_still_there: Share,
    /// Labels that the best rule over visible content tells.
    pub(crate) visible_rule: Share,
    /// Labels that the flags in the record tell.
    pub(crate) flags: Share,
}

/// The vendors of invoices that are not flagged for an OCR fault.
pub(in crate::data::compat) fn pool(compat: &Compat) -> BTreeSet<&str> {
    let clean = compat.invoices.iter().map(|it| &it.record);
    let clean = clean.filter(|invoice| !invoice.has_ocr_error);
    clean.filter_map(|it| it.vendor.as_deref()).collect()
}

impl InvoiceAudit {
    pub(super) fn new(compat: &Compat, undecidable: &mut Grouped) -> InvoiceAudit {
        let pool = pool(compat);
        let copies = copies(&compat.invoices);
        let records = || compat.invoices.iter().map(|it| &it.record);
        let seen =
            |it: &Labelled<Invoice>| visible(&it.record, copies.contains(it.id.as_str()), &pool);
        for it in &compat.invoices {
            let (seen, label) = (seen(it), it.record.reason.as_str());
            if seen != label {
                let why = format!("labelled `{label}`, its content says `{seen}`");
                undecidable.add(Set::Invoice, why, &it.id);
            }
        }
        InvoiceAudit {
            ocr_visible: Share::of(records().filter(|it| it.has_ocr_error), |it| {
                let vendor = it.vendor.as_deref();
                vendor.is_some_and(|vendor| !pool.contains(vendor))
            }),
            missing_still_there: Share::of(records().filter(|it| it.has_missing_fields), |it| {
                match it.missing_field.as_deref() {
                    Some(field) => it.has(field),
                    None => REQUIRED.iter().all(|field| it.has(field)),
                }
            }),
            visible_rule: Share::of(&compat.invoices, |it| seen(it) == it.record.reason),
            flags: Share::of(records(), |it| flagged(it) == it.reason),
        }
    }

    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let rows = [
            (
                "OCR faults that show: vendor unlike the clean pool",
                self.ocr_visible,
            ),
            (
                "missing fields that are still there",
                self.missing_still_there,
            ),
            ("labels told by the best visible rule", self.visible_rule),
            ("labels told by the flags (leak)", self.flags),
        ];
        let row = |(check, share): (&str, Share)| (check.to_owned(), share.to_string());
        rows.map(row).to_vec()
    }
}

const REQUIRED: [&str; 4] = ["vendor", "amount", "date", "status"];

impl Invoice {
    fn has(&self, field: &str) -> bool {
        match field {
            "vendor" => self.vendor.is_some(),
            "amount" => self.amount.is_some(),
            "date" => self.date.is_some(),
            "status" => self.status.is_some(),
            _ => false,
        }
    }
}

/// The ids of invoices that repeat an earlier one's vendor, amount and date.
fn copies(invoices: &[Labelled<Invoice>]) -> BTreeSet<&str> {
    let mut first: BTreeMap<(&str, i64, &str), &str> = BTreeMap::new();
    let mut copies = BTreeSet::new();
    for Labelled { id, record, .. } in invoices {
        let (vendor, date) = (record.vendor.as_deref(), record.date.as_deref());
        if let (Some(vendor), Some(amount), Some(date)) = (vendor, record.amount, date)
            && *first.entry((vendor, amount, date)).or_insert(id) != id
        {
            copies.insert(id.as_str());
        }
    }
    copies
}

/// The reason by content: a duplicate, then a field that is missing, then a vendor
/// one character off a clean one.
fn visible(invoice: &Invoice, copy: bool, pool: &BTreeSet<&str>) -> &'static str {
    let misread = |vendor: &str| {
        let near = |name: &&str| is_one_off(name, vendor);
        !pool.contains(vendor) && pool.iter().any(near)
    };
    if copy {
        "duplicate_invoice"
    } else if !REQUIRED.iter().all(|field| invoice.has(field)) {
        "missing_required_fields"
    } else if invoice.vendor.as_deref().is_some_and(misread) {
        "ocr_error_detected"
    } else {
        "valid"
    }
}

/// The reason by the flags that stand in the record.
fn flagged(invoice: &Invoice) -> &'static str {
    if invoice.is_duplicate {
        "duplicate_invoice"
    } else if invoice.has_missing_fields {
        "missing_required_fields"
    } else if invoice.has_ocr_error {
        "ocr_error_detected"
    } else {
        "valid"
    }
}

/// Whether two texts of equal length differ in one character.
fn is_one_off(one: &str, other: &str) -> bool {
    let alike = one.chars().count() == other.chars().count();
    let differ = one.chars().zip(other.chars()).filter(|(a, b)| a != b);
    alike && differ.take(2).count() == 1
}
