//! What a plugin may do with a namespace, and within which bounds.

use serde::{Deserialize, Serialize};

/// KiB that a namespace holds if the policy does not say: 1 MiB.
pub const QUOTA_KIB: u32 = 1024;

/// The largest quota that can be granted: 1 GiB.
pub const MAX_QUOTA_KIB: u32 = 1024 * 1024;

/// Entries that a namespace holds if the policy does not say.
const ENTRIES: u32 = 1_000;

/// The most entries that can be granted. A search looks at each of them.
pub const MAX_ENTRIES: u32 = 100_000;

/// The longest time to live that can be granted: ten years.
pub const MAX_TTL_S: u64 = 10 * 366 * 24 * 3600;

/// What may be done with a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryAccess {
    /// Read what is there.
    #[default]
    Read,
    /// Read, write and forget.
    Write,
}

impl MemoryAccess {
    /// What a decision about this use of a namespace is called: `write notes`.
    pub fn of(self, namespace: &str) -> String {
        match self {
            MemoryAccess::Read => format!("read {namespace}"),
            MemoryAccess::Write => format!("write {namespace}"),
        }
    }
}

/// A namespace lent to a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryGrant {
    /// Its name: see [`is_namespace`].
    pub namespace: String,
    /// What may be done with it.
    #[serde(default)]
    pub access: MemoryAccess,
    /// This plugin writes nothing that leaves more than this in the namespace, keys
    /// included.
    #[serde(default = "quota_kib")]
    pub quota_kib: u32,
    /// Nor more entries than these.
    #[serde(default = "entries")]
    pub max_entries: u32,
    /// What this plugin writes is forgotten after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
}

impl MemoryGrant {
    /// A namespace lent with the usual bounds.
    pub fn new(namespace: &str, access: MemoryAccess) -> MemoryGrant {
        MemoryGrant {
            namespace: namespace.to_owned(),
            access,
            quota_kib: QUOTA_KIB,
            max_entries: ENTRIES,
            ttl_s: None,
        }
    }

    /// Whether it allows as much.
    pub fn allows(&self, access: MemoryAccess) -> bool {
        access == MemoryAccess::Read || self.access == MemoryAccess::Write
    }
}

fn quota_kib() -> u32 {
    QUOTA_KIB
}

fn entries() -> u32 {
    ENTRIES
}

/// Whether a policy can lend a namespace of this name: a letter from a to z, then
/// letters, digits, `.`, `_` and `-`, 64 characters at most.
pub fn is_namespace(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest)
}

/// [`MemoryAccess::of`] taken apart. A namespace alone is about reading it.
pub(crate) fn access_and_namespace(resource: &str) -> (MemoryAccess, &str) {
    if let Some(namespace) = resource.strip_prefix("write ") {
        return (MemoryAccess::Write, namespace);
    }
    let namespace = resource.strip_prefix("read ").unwrap_or(resource);
    (MemoryAccess::Read, namespace)
}
