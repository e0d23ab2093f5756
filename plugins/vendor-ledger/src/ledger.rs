//! The ledger and its two questions. Pure: everything it knows is in the
//! configuration it was read from.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Farther names are no help: two wrong letters make another word.
const MAX_DISTANCE: usize = 2;

/// So many near names are listed at most.
const MAX_NEAREST: usize = 3;

/// The configuration.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Ledger {
    #[serde(default)]
    vendors: Vec<String>,
    #[serde(default, deserialize_with = "usable")]
    invoices: Vec<Recorded>,
}

/// The records that are invoices. The list may be the very file that a run works
/// through, and one bad record in it must not take the ledger from all others.
fn usable<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Recorded>, D::Error> {
    let records = Vec::<Value>::deserialize(from)?;
    Ok(records
        .into_iter()
        .filter_map(|record| serde_json::from_value(record).ok())
        .collect())
}

/// A recorded invoice. What a document did not have is absent here, too; such
/// an invoice is never found.
#[derive(Debug, Deserialize)]
struct Recorded {
    invoice_id: String,
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    amount: Option<f64>,
    #[serde(default)]
    date: Option<String>,
}

/// What is known about a name.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Vendor {
    pub(crate) known: bool,
    /// As the ledger spells it, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// When it is not known.
    pub(crate) nearest: Vec<Near>,
}

/// A known vendor with nearly that name.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Near {
    pub(crate) name: String,
    pub(crate) distance: usize,
}

impl Ledger {
    /// The vendor of this name, or the ones with nearly this name.
    pub(crate) fn vendor(&self, name: &str) -> Vendor {
        let wanted = name.to_lowercase();
        if let Some(known) = self
            .vendors
            .iter()
            .find(|vendor| vendor.to_lowercase() == wanted)
        {
            return Vendor {
                known: true,
                name: Some(known.clone()),
                nearest: Vec::new(),
            };
        }
        let near = |vendor: &String| Near {
            name: vendor.clone(),
            distance: strsim::levenshtein(&vendor.to_lowercase(), &wanted),
        };
        let mut nearest: Vec<Near> = self
            .vendors
            .iter()
            .map(near)
            .filter(|near| near.distance <= MAX_DISTANCE)
            .collect();
        nearest.sort_by(|a, b| {
            a.distance
                .cmp(&b.distance)
                .then_with(|| a.name.cmp(&b.name))
        });
        nearest.truncate(MAX_NEAREST);
        Vendor {
            known: false,
            name: None,
            nearest,
        }
    }

    /// The ids of the recorded invoices with this vendor text, amount and date,
    /// sorted.
    pub(crate) fn invoices(&self, vendor: &str, amount: f64, date: &str) -> Vec<String> {
        let wanted = vendor.to_lowercase();
        let same = |invoice: &&Recorded| {
            invoice
                .vendor
                .as_ref()
                .is_some_and(|vendor| vendor.to_lowercase() == wanted)
                && invoice
                    .amount
                    .is_some_and(|recorded| cents(recorded) == cents(amount))
                && invoice.date.as_deref() == Some(date)
        };
        let same = self.invoices.iter().filter(same);
        let mut ids: Vec<String> = same.map(|invoice| invoice.invoice_id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

/// Whole cents: two amounts that are printed alike are the same amount, however
/// they were computed.
fn cents(amount: f64) -> f64 {
    (amount * 100.0).round()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ledger() -> Ledger {
        let invoice = |id: &str, vendor: &str, amount: f64, date: &str| {
            json!({
                "invoice_id": id, "vendor": vendor, "amount": amount, "date": date,
                "status": "paid",
            })
        };
        let config = json!({
            "vendors": ["Acme Corp", "Acne Corp", "Globex", "Acme Core", "Acme Cord", "Straße AG"],
            "invoices": [
                invoice("INV-2024-007", "Acme Corp", 12.3, "2024-03-05"),
                invoice("INV-2024-003", "ACME Corp", 12.3, "2024-03-05"),
                invoice("INV-2024-004", "Acme Corp", 12.31, "2024-03-05"),
                invoice("INV-2024-005", "Acme Corp", 12.3, "2024-03-06"),
                invoice("INV-2024-006", "Globex", 12.3, "2024-03-05"),
                { "invoice_id": "INV-2024-008", "vendor": "Acme Corp", "date": "2024-03-05" },
                // No invoices, and no reason to know nothing of the others.
                7,
                { "vendor": "Acme Corp", "amount": 12.3, "date": "2024-03-05" },
                { "invoice_id": "INV-2024-009", "vendor": "Acme Corp", "amount": "a lot" },
            ],
        });
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn a_known_vendor_is_given_as_the_ledger_spells_it() {
        for name in ["Acme Corp", "ACME CORP", "acme corp"] {
            let vendor = ledger().vendor(name);
            assert!(vendor.known, "{name}");
            assert_eq!(vendor.name.as_deref(), Some("Acme Corp"));
            assert_eq!(vendor.nearest, []);
        }
        assert!(ledger().vendor("straße ag").known);
    }

    #[test]
    fn an_unknown_vendor_comes_with_its_nearest_names() {
        let near = |name: &str| -> Vec<(String, usize)> {
            let vendor = ledger().vendor(name);
            assert!(!vendor.known && vendor.name.is_none(), "{name}");
            vendor
                .nearest
                .into_iter()
                .map(|near| (near.name, near.distance))
                .collect()
        };
        let pairs = |list: &[(&str, usize)]| -> Vec<(String, usize)> {
            list.iter()
                .map(|(name, distance)| ((*name).to_owned(), *distance))
                .collect()
        };
        assert_eq!(near("Gl0bex"), pairs(&[("Globex", 1)]));
        assert_eq!(near("GLOBX"), pairs(&[("Globex", 1)]));
        // Four are within two edits; the farthest are cut, ties go by name.
        let three = pairs(&[("Acme Cord", 1), ("Acme Core", 1), ("Acme Corp", 1)]);
        assert_eq!(near("Acme Corx"), three);
        assert_eq!(near("Initech"), []);
        assert_eq!(near(""), []);
    }

    #[test]
    fn invoices_are_the_same_when_vendor_amount_and_date_are() {
        let find = |vendor: &str, amount: f64, date: &str| ledger().invoices(vendor, amount, date);
        let both = ["INV-2024-003", "INV-2024-007"];
        assert_eq!(find("acme corp", 12.3, "2024-03-05"), both);
        assert_eq!(find("Acme Corp", 12.1 + 0.2, "2024-03-05"), both);
        assert_eq!(find("Acme Corp", 12.31, "2024-03-05"), ["INV-2024-004"]);
        assert!(find("Acme Corp", 99.0, "2024-03-05").is_empty());
        assert!(find("Acme", 12.3, "2024-03-05").is_empty());
    }

    #[test]
    fn an_empty_configuration_is_an_empty_ledger() {
        let empty: Ledger = serde_json::from_str("{}").unwrap();
        assert_eq!(empty.vendor("Acme").nearest, []);
        assert!(empty.invoices("Acme", 1.0, "2024-01-01").is_empty());
    }
}
