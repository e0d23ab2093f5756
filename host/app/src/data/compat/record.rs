//! The course's records, taken apart: what is looked at in them, and their labels.

use super::CompatError;
use super::field::Field;

/// The most transactions or entries of one record.
const MOST_ITEMS: usize = 200;

/// An invoice. What is empty is not there.
pub(super) struct Invoice {
    pub(super) vendor: Option<String>,
    /// In cents.
    pub(super) amount: Option<i64>,
    pub(super) date: Option<String>,
    pub(super) status: Option<String>,
    pub(super) has_ocr_error: bool,
    pub(super) has_missing_fields: bool,
    pub(super) is_duplicate: bool,
    /// Which field is said to be missing.
    pub(super) missing_field: Option<String>,
    pub(super) is_valid: bool,
    pub(super) reason: String,
    pub(super) correct_vendor: Option<String>,
    pub(super) approval_route: Option<String>,
}

impl Invoice {
    pub(super) fn read(field: &Field<'_>) -> Result<Invoice, CompatError> {
        let text = |key| {
            let text = field.maybe(key, Field::text)?;
            Ok::<_, CompatError>(text.filter(|text| !text.trim().is_empty()))
        };
        let flag = |key| Ok::<_, CompatError>(field.maybe(key, Field::flag)?.unwrap_or(false));
        let label = field.need("gold_label")?;
        Ok(Invoice {
            vendor: text("vendor")?,
            amount: field.maybe("amount", Field::cents)?,
            date: text("date")?,
            status: text("status")?,
            has_ocr_error: flag("has_ocr_error")?,
            has_missing_fields: flag("has_missing_fields")?,
            is_duplicate: flag("is_duplicate")?,
            missing_field: text("missing_field")?,
            is_valid: label.need("is_valid")?.flag()?,
            reason: label.need("reason")?.text()?,
            correct_vendor: label.maybe("correct_vendor", Field::text)?,
            approval_route: label.maybe("approval_route", Field::text)?,
        })
    }
}

/// A card payment.
pub(super) struct Payment {
    /// In cents, as is the average.
    pub(super) amount: i64,
    pub(super) average: i64,
    pub(super) count: f64,
    pub(super) age: f64,
    /// From 0, where the timestamp says it.
    pub(super) hour: Option<f64>,
    pub(super) is_fraud: bool,
    pub(super) fraud_type: Option<String>,
    pub(super) is_ambiguous: bool,
    pub(super) expected_action: Option<String>,
}

impl Payment {
    pub(super) fn read(field: &Field<'_>) -> Result<Payment, CompatError> {
        let behaviour = field.need("user_behavior")?;
        let timestamp = field.need("timestamp")?.text()?;
        let hour = timestamp
            .get(11..13)
            .and_then(|hour| hour.parse::<u8>().ok());
        Ok(Payment {
            amount: field.need("amount")?.cents()?,
            average: behaviour.need("avg_transaction_amount")?.cents()?,
            count: behaviour.need("transaction_count_24h")?.number()?,
            age: behaviour.need("account_age_days")?.number()?,
            hour: hour.map(f64::from),
            is_fraud: field.need("fraud_label")?.flag()?,
            fraud_type: field.maybe("fraud_type", Field::text)?,
            is_ambiguous: field.maybe("is_ambiguous", Field::flag)?.unwrap_or(false),
            expected_action: field.maybe("expected_action", Field::text)?,
        })
    }
}

/// A statement of the bank and a ledger.
pub(super) struct Statement {
    pub(super) bank: Vec<Line>,
    pub(super) ledger: Vec<Line>,
    /// Ids of the bank and of the ledger.
    pub(super) matches: Vec<(String, String)>,
    pub(super) status: String,
    /// In cents.
    pub(super) discrepancy: i64,
    /// How many challenges it is said to hold.
    pub(super) challenges: usize,
}

/// A transaction or an entry.
pub(super) struct Line {
    pub(super) id: String,
    /// `YYYY-MM-DD`, and maybe a time.
    pub(super) date: String,
    /// In cents.
    pub(super) amount: i64,
}

impl Statement {
    pub(super) fn read(field: &Field<'_>) -> Result<Statement, CompatError> {
        let lines = |list, id, date| {
            let items = field.need(list)?.items(MOST_ITEMS)?;
            let line = |item: &Field<'_>| {
                Ok(Line {
                    id: item.need(id)?.id()?,
                    date: item.need(date)?.text()?,
                    amount: item.need("amount")?.cents()?,
                })
            };
            items.iter().map(line).collect::<Result<Vec<_>, _>>()
        };
        let pairs = field.need("expected_matches")?.items(MOST_ITEMS)?;
        let pair =
            |pair: &Field<'_>| Ok((pair.need("bank_id")?.id()?, pair.need("ledger_id")?.id()?));
        let challenges = field.get("challenge_types")?;
        let challenges = challenges.map(|it| it.items(MOST_ITEMS)).transpose()?;
        Ok(Statement {
            bank: lines("bank_transactions", "transaction_id", "date")?,
            ledger: lines("ledger_entries", "entry_id", "posting_date")?,
            matches: pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?,
            status: field.need("reconciliation_status")?.text()?,
            discrepancy: field.need("discrepancy_amount")?.cents()?,
            challenges: challenges.map_or(0, |challenges| challenges.len()),
        })
    }
}
