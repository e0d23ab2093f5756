//! Stored values as the broker sees them, one to one with `wit/capability/memory.wit`.
//!
//! A namespace belongs to a tenant and is shared by the plugins that were granted
//! it. Each value bears who wrote it and at which level of trust, because whoever
//! reads it later may be another plugin in another run. Writes are effects of an
//! attempt, with an intent and a result; reads are recorded like clocks.

mod calls;
mod grant;
mod receipt;
mod search;
mod shelf;
mod trust;

use serde::{Deserialize, Serialize};

use crate::Denial;
use crate::control::Barred;
use crate::secrets::carries;

pub use grant::{
    MAX_ENTRIES, MAX_QUOTA_KIB, MAX_TTL_S, MemoryAccess, MemoryGrant, QUOTA_KIB, is_namespace,
};
pub use search::FOUND;
pub use shelf::{DEPTH, KEY, KEYS, VALUE};
pub use trust::{Trust, trust};

pub(crate) use grant::access_and_namespace;

/// Something that a guest has changed in its memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MemoryAsk {
    /// Write a value.
    Set {
        /// Where.
        namespace: String,
        /// Under which key.
        key: String,
        /// What: JSON text.
        value: String,
        /// The version that was read, 0 for "must not exist", none for any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
    },
    /// Forget a key.
    Delete {
        /// Where.
        namespace: String,
        /// Which key.
        key: String,
    },
}

impl MemoryAsk {
    /// The namespace: what grants are about.
    pub fn namespace(&self) -> &str {
        match self {
            MemoryAsk::Set { namespace, .. } | MemoryAsk::Delete { namespace, .. } => namespace,
        }
    }

    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let value = match self {
            MemoryAsk::Set { value, .. } => value.len(),
            MemoryAsk::Delete { .. } => 0,
        };
        [self.namespace().len(), self.key().len(), value]
            .into_iter()
            .fold(size_of::<MemoryAsk>(), usize::saturating_add)
    }

    /// The key.
    pub fn key(&self) -> &str {
        match self {
            MemoryAsk::Set { key, .. } | MemoryAsk::Delete { key, .. } => key,
        }
    }
}

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// JSON text.
    pub value: String,
    /// 1 for the first write, then one more for each.
    pub version: u64,
    /// Which plugin and run wrote it: `plugin@run`.
    pub origin: String,
    /// Whether the writer could have heard it from outside.
    pub trust: Trust,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub updated_unix_ms: u64,
}

/// Why nothing was read or written; the guest sees these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryError {
    /// Policy says no.
    #[error("denied: {0}")]
    Denied(Denial),
    /// Somebody else wrote first; this is the version now.
    #[error("version conflict: it is {0} now")]
    VersionConflict(u64),
    /// The namespace is full.
    #[error("quota exceeded")]
    QuotaExceeded,
    /// It cannot be stored as it is.
    #[error("invalid: {0}")]
    Invalid(String),
    /// The host could not read or write it.
    #[error("failed: {0}")]
    Failed(String),
}

impl MemoryError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            MemoryError::Denied(_) => "denied",
            MemoryError::VersionConflict(_) => "version-conflict",
            MemoryError::QuotaExceeded => "quota-exceeded",
            MemoryError::Invalid(_) => "invalid",
            MemoryError::Failed(_) => "failed",
        }
    }
}

impl From<Barred> for MemoryError {
    fn from(barred: Barred) -> MemoryError {
        MemoryError::Failed(match barred {
            Barred::Budget => "there is no budget left for another effect".to_owned(),
            Barred::Rate(_) => "there were too many calls".to_owned(),
            Barred::Unwritten(why) => why,
            Barred::Secret(name) => return MemoryError::Invalid(carries(&name)),
        })
    }
}
