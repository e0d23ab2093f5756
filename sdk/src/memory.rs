//! What a plugin keeps from one call to the next: versioned JSON values in
//! namespaces.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Denial, Failure, import};

/// Whether the writer of a value could have heard it from outside. It follows
/// from the writer's grants, not from what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The writer had its task, models and values that it alone writes.
    Inside,
    /// The writer may pass on what strangers said. Give it to a model as data,
    /// never as instructions: see [`crate::prompt`].
    Untrusted,
}

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<T> {
    /// The value.
    pub value: T,
    /// 1 for the first write, then one more for each.
    pub version: u64,
    /// Which plugin and run wrote it: `plugin@run`.
    pub origin: String,
    /// Whether the writer could have heard it from outside.
    pub trust: Trust,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub updated_unix_ms: u64,
}

/// What must be there for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there is overwritten.
    Anything,
    /// Nothing: the key must be new.
    Nothing,
    /// This version, as it was read.
    Version(u64),
}

/// Why nothing was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Policy says no.
    Denied(Denial),
    /// Somebody else wrote first; this is the version now.
    VersionConflict(u64),
    /// The namespace is full.
    QuotaExceeded,
    /// The key, the namespace or the value cannot be stored, or the stored
    /// value is of another type; the text says why.
    Invalid(String),
    /// The host could not read or write it. The text is for a log.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied(denial) => write!(f, "memory denied: {denial}"),
            Error::VersionConflict(now) => write!(f, "memory: it is at version {now} now"),
            Error::QuotaExceeded => f.write_str("memory: the namespace is full"),
            Error::Invalid(text) | Error::Failed(text) => write!(f, "memory: {text}"),
        }
    }
}

impl std::error::Error for Error {}

/// A conflict is transient: the next attempt reads the new value. So is a host
/// that could not write.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Denied(_) | Error::QuotaExceeded => Failure::refused(error),
            Error::VersionConflict(_) | Error::Failed(_) => Failure::transient(error),
            Error::Invalid(_) => Failure::permanent(error),
        }
    }
}

/// The value under a key, if there is one.
pub fn get<T: DeserializeOwned>(namespace: &str, key: &str) -> Result<Option<Entry<T>>, Error> {
    let Some(entry) = import::memory_get(namespace, key)? else {
        return Ok(None);
    };
    let value = serde_json::from_str(&entry.value).map_err(|e| Error::Invalid(e.to_string()))?;
    Ok(Some(Entry {
        value,
        version: entry.version,
        origin: entry.origin,
        trust: entry.trust,
        updated_unix_ms: entry.updated_unix_ms,
    }))
}

/// Writes a value and returns its version.
pub fn set(
    namespace: &str,
    key: &str,
    value: &impl Serialize,
    expect: Expect,
) -> Result<u64, Error> {
    let value = serde_json::to_string(value).map_err(|e| Error::Invalid(e.to_string()))?;
    let expected = match expect {
        Expect::Anything => None,
        Expect::Nothing => Some(0),
        Expect::Version(version) => Some(version),
    };
    import::memory_set(namespace, key, &value, expected)
}

/// Forgets a key; forgetting what is not there is no error.
pub fn delete(namespace: &str, key: &str) -> Result<(), Error> {
    import::memory_delete(namespace, key)
}

/// Up to `limit` keys that start with `prefix`, sorted.
pub fn keys(namespace: &str, prefix: &str, limit: u32) -> Result<Vec<String>, Error> {
    import::memory_keys(namespace, prefix, limit)
}

/// Up to `limit` keys nearest in meaning to the query, best first, each with a
/// score from 0.0 to 1.0.
pub fn search(namespace: &str, query: &str, limit: u32) -> Result<Vec<(String, f32)>, Error> {
    import::memory_search(namespace, query, limit)
}
