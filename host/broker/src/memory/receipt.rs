//! What an attempt wrote last, so that a write in doubt is recognised.
//!
//! A write happens in one transaction with its receipt. When the host dies before
//! the result is in the journal, the attempt is executed again and asks for the
//! same write: the receipt says that it happened, and which version came of it. A
//! guest has one call under way at a time and goes on when its result is durable,
//! so one receipt for each attempt is enough, the last.

use serde::{Deserialize, Serialize};

use crate::store::Digest;
use crate::store::books::{BooksError, Page};

/// So many attempts of a tenant have one: 4,096. The oldest goes first.
const RECEIPTS: u64 = 4_096;

/// How many receipts each tenant has.
const COUNTS: &str = "memory.receipt-counts";

/// Whose write it is.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    shelf: String,
    /// Ids of runs begin with the moment of their start, so the first key is the
    /// oldest.
    key: String,
    tenant: String,
    /// The number of the effect.
    sequence: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    sequence: u32,
    version: u64,
}

impl Attempt {
    pub(super) fn new(tenant: &str, run: &str, step: &str, attempt: u32, sequence: u32) -> Attempt {
        let of = Digest::of(format!("{step}\n{attempt}").as_bytes());
        Attempt {
            shelf: format!("memory.receipts/{tenant}"),
            key: format!("{run}/{of}"),
            tenant: tenant.to_owned(),
            sequence,
        }
    }

    /// The version that came of this write, if it has happened.
    pub(super) fn known(&self, page: &Page<'_>) -> Result<Option<u64>, BooksError> {
        let receipt: Option<Receipt> = page.read(&self.shelf, &self.key)?;
        let same = receipt.filter(|it| it.sequence == self.sequence);
        Ok(same.map(|it| it.version))
    }

    /// It happens now.
    pub(super) fn leave(&self, page: &Page<'_>, version: u64) -> Result<(), BooksError> {
        if page.get(&self.shelf, &self.key)?.is_none() {
            let mut count: u64 = page.read(COUNTS, &self.tenant)?.unwrap_or_default();
            while count >= RECEIPTS {
                let oldest = page.list(&self.shelf, "", None, 1)?;
                for (key, _) in &oldest {
                    page.remove(&self.shelf, key)?;
                }
                count = match oldest.is_empty() {
                    true => 0,
                    false => count.saturating_sub(1),
                };
            }
            page.write(COUNTS, &self.tenant, &count.saturating_add(1))?;
        }
        let sequence = self.sequence;
        page.write(&self.shelf, &self.key, &Receipt { sequence, version })
    }
}
