//! The rules of a namespace, inside one transaction of the books: versions,
//! quotas, times to live.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::receipt::Attempt;
use super::{Entry, MemoryError, MemoryGrant, Trust};
use crate::store::books::{BooksError, Page};

/// The longest key, in bytes.
pub const KEY: usize = 256;

/// The longest value, in bytes: 64 KiB.
pub const VALUE: usize = 64 * 1024;

/// How deep a value nests.
pub const DEPTH: usize = 32;

/// The most keys that one listing gives.
pub const KEYS: usize = 1_024;

/// So many entries are looked at in one go.
const CHUNK: usize = 64;

/// What each namespace of a tenant holds.
const SIZES: &str = "memory.sizes";

/// A namespace of a tenant.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    values: String,
    sizes: String,
    namespace: String,
}

/// A value as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) value: String,
    pub(super) version: u64,
    pub(super) plugin: String,
    pub(super) run: String,
    pub(super) trust: Trust,
    pub(super) updated_unix_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_unix_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Size {
    entries: u64,
    bytes: u64,
    /// The greatest version of what was forgotten. A key that comes back goes on
    /// from here, so that a version that somebody has read never means another
    /// value.
    floor: u64,
}

/// Who writes, when, and how it is recognised should it be in doubt.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) plugin: String,
    pub(super) run: String,
    pub(super) trust: Trust,
    pub(super) now_unix_ms: u64,
    pub(super) attempt: Option<Attempt>,
}

/// Why a transaction is not made.
#[derive(Debug)]
pub(super) enum Undone {
    Books(BooksError),
    Memory(MemoryError),
}

impl From<BooksError> for Undone {
    fn from(error: BooksError) -> Undone {
        Undone::Books(error)
    }
}

impl From<MemoryError> for Undone {
    fn from(error: MemoryError) -> Undone {
        Undone::Memory(error)
    }
}

impl Kept {
    pub(super) fn is_over(&self, now_unix_ms: u64) -> bool {
        self.expires_unix_ms.is_some_and(|it| it <= now_unix_ms)
    }

    /// What it counts for.
    fn bytes(&self, key: &str) -> u64 {
        (key.len() as u64).saturating_add(self.value.len() as u64)
    }
}

impl From<Kept> for Entry {
    fn from(kept: Kept) -> Entry {
        Entry {
            origin: format!("{}@{}", kept.plugin, kept.run),
            trust: kept.trust,
            value: kept.value,
            version: kept.version,
            updated_unix_ms: kept.updated_unix_ms,
        }
    }
}

impl Size {
    fn less(&mut self, key: &str, kept: &Kept) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(kept.bytes(key));
        self.floor = self.floor.max(kept.version);
    }

    fn more(&mut self, key: &str, kept: &Kept) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(kept.bytes(key));
    }

    fn within(self, grant: &MemoryGrant) -> bool {
        self.entries <= u64::from(grant.max_entries)
            && self.bytes <= u64::from(grant.quota_kib) << 10
    }
}

impl Shelf {
    /// Names of namespaces have no `/`, so no two tenants meet on one shelf.
    pub(super) fn new(tenant: &str, namespace: &str) -> Shelf {
        Shelf {
            values: format!("memory/{tenant}/{namespace}"),
            sizes: format!("{SIZES}/{tenant}"),
            namespace: namespace.to_owned(),
        }
    }

    /// The value under a key.
    pub(super) fn get(
        &self,
        page: &Page<'_>,
        key: &str,
        now_unix_ms: u64,
    ) -> Result<Option<Entry>, BooksError> {
        let kept: Option<Kept> = page.read(&self.values, key)?;
        let kept = kept.filter(|it| !it.is_over(now_unix_ms));
        Ok(kept.map(Entry::from))
    }

    /// Up to `limit` keys that begin so, in the order of their bytes.
    pub(super) fn keys(
        &self,
        page: &Page<'_>,
        prefix: &str,
        limit: usize,
        now_unix_ms: u64,
    ) -> Result<Vec<String>, BooksError> {
        let mut keys = Vec::new();
        self.each(page, prefix, |key, kept| {
            if !kept.is_over(now_unix_ms) && keys.len() < limit {
                keys.push(key);
            }
            Ok(keys.len() < limit)
        })?;
        Ok(keys)
    }

    /// Looks at all entries under a prefix, as long as `look` says so.
    fn each(
        &self,
        page: &Page<'_>,
        prefix: &str,
        mut look: impl FnMut(String, Kept) -> Result<bool, BooksError>,
    ) -> Result<(), BooksError> {
        let mut after: Option<String> = None;
        loop {
            let some = self.some(page, prefix, after.as_deref())?;
            let Some((last, _)) = some.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for (key, kept) in some {
                if !look(key, kept)? {
                    return Ok(());
                }
            }
        }
    }

    /// The next entries under a prefix, a bounded number.
    pub(super) fn some(
        &self,
        page: &Page<'_>,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<(String, Kept)>, BooksError> {
        let some = page.list(&self.values, prefix, after, CHUNK)?.into_iter();
        let read = |(key, text): (String, String)| match serde_json::from_str(&text) {
            Ok(kept) => Ok((key, kept)),
            Err(error) => Err(BooksError::Damaged {
                shelf: self.values.clone(),
                key,
                why: error.to_string(),
            }),
        };
        some.map(read).collect()
    }

    /// Writes a value. Gives its version.
    pub(super) fn set(
        &self,
        page: &Page<'_>,
        grant: &MemoryGrant,
        by: &Writer,
        (key, value): (&str, &str),
        expected: Option<u64>,
    ) -> Result<u64, Undone> {
        if let Some(version) = by.known(page)? {
            return Ok(version);
        }
        let mut size = self.size(page)?;
        let before = self.take(page, key, &mut size, by.now_unix_ms)?;
        let now = before.unwrap_or(0);
        if expected.is_some_and(|it| it != now) {
            return Err(MemoryError::VersionConflict(now).into());
        }
        let last = before.unwrap_or(size.floor);
        let version = last.checked_add(1);
        let version =
            version.ok_or_else(|| MemoryError::Invalid("no version is left".to_owned()))?;
        let ttl_ms = grant.ttl_s.map(|ttl| ttl.saturating_mul(1_000));
        let kept = Kept {
            value: value.to_owned(),
            version,
            plugin: by.plugin.clone(),
            run: by.run.clone(),
            trust: by.trust,
            updated_unix_ms: by.now_unix_ms,
            expires_unix_ms: ttl_ms.map(|ttl| by.now_unix_ms.saturating_add(ttl)),
        };
        size.more(key, &kept);
        if !size.within(grant) {
            self.sweep(page, &mut size, by.now_unix_ms)?;
        }
        if !size.within(grant) {
            return Err(MemoryError::QuotaExceeded.into());
        }
        page.write(&self.values, key, &kept)?;
        self.resize(page, size)?;
        by.leave(page, version)?;
        Ok(version)
    }

    /// Forgets a key. Gives the version that it had, 0 if it was not there.
    pub(super) fn delete(&self, page: &Page<'_>, by: &Writer, key: &str) -> Result<u64, Undone> {
        if let Some(version) = by.known(page)? {
            return Ok(version);
        }
        let mut size = self.size(page)?;
        let before = self.take(page, key, &mut size, by.now_unix_ms)?;
        size.floor = size.floor.max(before.unwrap_or(0));
        page.remove(&self.values, key)?;
        self.resize(page, size)?;
        by.leave(page, before.unwrap_or(0))?;
        Ok(before.unwrap_or(0))
    }

    /// Counts what is under a key as gone. Gives its version, if it was not over.
    fn take(
        &self,
        page: &Page<'_>,
        key: &str,
        size: &mut Size,
        now_unix_ms: u64,
    ) -> Result<Option<u64>, BooksError> {
        let kept: Option<Kept> = page.read(&self.values, key)?;
        let Some(kept) = kept else { return Ok(None) };
        let floor = size.floor;
        size.less(key, &kept);
        if kept.is_over(now_unix_ms) {
            return Ok(None);
        }
        // It goes on under its key.
        size.floor = floor;
        Ok(Some(kept.version))
    }

    /// Forgets what is over.
    fn sweep(&self, page: &Page<'_>, size: &mut Size, now_unix_ms: u64) -> Result<(), BooksError> {
        self.each(page, "", |key, kept| {
            if kept.is_over(now_unix_ms) {
                page.remove(&self.values, &key)?;
                size.less(&key, &kept);
            }
            Ok(true)
        })
    }

    fn size(&self, page: &Page<'_>) -> Result<Size, BooksError> {
        let size = page.read(&self.sizes, &self.namespace)?;
        Ok(size.unwrap_or_default())
    }

    fn resize(&self, page: &Page<'_>, size: Size) -> Result<(), BooksError> {
        page.write(&self.sizes, &self.namespace, &size)
    }
}

impl Writer {
    fn known(&self, page: &Page<'_>) -> Result<Option<u64>, BooksError> {
        match &self.attempt {
            Some(attempt) => attempt.known(page),
            None => Ok(None),
        }
    }

    fn leave(&self, page: &Page<'_>, version: u64) -> Result<(), BooksError> {
        match &self.attempt {
            Some(attempt) => attempt.leave(page, version),
            None => Ok(()),
        }
    }
}

/// Whether something can be a key.
pub(super) fn check_key(key: &str) -> Result<(), MemoryError> {
    if key.is_empty() || key.len() > KEY || key.contains(char::is_control) {
        return Err(MemoryError::Invalid(format!(
            "a key has from 1 to {KEY} bytes and no control characters"
        )));
    }
    Ok(())
}

/// Whether something can be kept as a value.
pub(super) fn check_value(value: &str) -> Result<(), MemoryError> {
    let invalid = |why: String| Err(MemoryError::Invalid(why));
    if value.len() > VALUE {
        return invalid(format!("a value has at most {VALUE} bytes"));
    }
    match serde_json::from_str::<Value>(value) {
        Ok(value) if !is_flat(&value, DEPTH) => {
            invalid(format!("a value nests at most {DEPTH} levels deep"))
        }
        Ok(_) => Ok(()),
        Err(error) => invalid(format!("the value is no JSON: {error}")),
    }
}

/// Whether a value nests no deeper. The parser has bounded how deep this goes.
fn is_flat(value: &Value, levels: usize) -> bool {
    let Some(inside) = levels.checked_sub(1) else {
        return !value.is_array() && !value.is_object();
    };
    match value {
        Value::Array(items) => items.iter().all(|it| is_flat(it, inside)),
        Value::Object(fields) => fields.values().all(|it| is_flat(it, inside)),
        _ => true,
    }
}
