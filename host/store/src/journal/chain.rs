//! The hashes that hold records, runs and batches together.

use sha2::{Digest as _, Sha256};

use super::{Head, RunRow};

/// A hash that covers all before it.
pub(super) type Link = [u8; 32];

/// The hash of parts, each with its length: no two lists of parts are one.
pub(super) fn seal(parts: &[&[u8]]) -> Link {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What the first record of a run follows.
pub(super) fn of_head(head: &Head) -> Link {
    let (parent, seq) = match &head.parent {
        Some((parent, seq)) => (parent.as_str(), *seq),
        None => ("", 0),
    };
    seal(&[
        b"run",
        head.run.as_bytes(),
        head.tenant.as_bytes(),
        head.workflow.as_bytes(),
        head.task.as_bytes(),
        &head.created_unix_ms.to_le_bytes(),
        parent.as_bytes(),
        &seq.to_le_bytes(),
    ])
}

/// The hash of a record, its body as it is stored.
pub(super) fn of_record(
    before: &Link,
    run: &str,
    seq: u64,
    kind: &str,
    at: u64,
    body: &str,
) -> Link {
    seal(&[
        before,
        run.as_bytes(),
        &seq.to_le_bytes(),
        kind.as_bytes(),
        &at.to_le_bytes(),
        body.as_bytes(),
    ])
}

/// What seals a run's row: everything that a listing shows, and the last link.
pub(super) fn of_row(row: &RunRow, last: &Link) -> Link {
    seal(&[
        b"row",
        &of_head(&row.head()),
        row.status.as_bytes(),
        &[u8::from(row.ended)],
        &row.updated_unix_ms.to_le_bytes(),
        &row.records.to_le_bytes(),
        &row.bytes.to_le_bytes(),
        last,
    ])
}
