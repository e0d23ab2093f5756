//! Who did what: lines that are only ever added, each bound to the one before it.
//!
//! A folder has one file, `audit.jsonl`, that any number of processes add to. A
//! line is a JSON object that begins with its number `seq` and the `hash` of the
//! line before it, `prev_hash`, and ends with its own `hash`: SHA-256 over the
//! line's bytes without `,"hash":"…"`. So whoever has the file can check it with
//! nothing but SHA-256, and a byte that changes, a line that is missing, moved or
//! there twice is found, and which.
//!
//! A chain says nothing about its end. `audit.head` is written after each line and
//! says which was the last: a file that is shorter was cut, and nothing is added to
//! it. Who can write both files can take both back; for that the hash of a head is
//! kept elsewhere and [`verify`] is told it.
//!
//! One thread of a process writes: it takes whatever is queued, locks the folder,
//! reads what others have added, adds its own, waits for the disk once and then
//! answers everybody. What the lines mean is the business of those who write them.

mod files;
mod line;
mod walk;
mod writer;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub use line::MAX_BODY;
pub use walk::{Broken, Verified, WalkError, verify, walk};

use writer::Writer;

/// The file with the lines.
pub const FILE: &str = "audit.jsonl";

/// The file that says which line was the last.
pub const HEAD: &str = "audit.head";

/// What the first line has for the hash of the line before it.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The last line: its number, where it ends and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its number, from 1; 0 when there is none.
    pub seq: u64,
    /// So many bytes of the file end with it.
    pub bytes: u64,
    /// Its hash, 64 hex digits.
    pub hash: String,
}

impl Head {
    /// The head of a file without lines.
    fn start() -> Head {
        Head {
            seq: 0,
            bytes: 0,
            hash: START.to_owned(),
        }
    }
}

/// Why something was not written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The disk is full. It can be tried again when there is space.
    #[error("the disk of the audit is full")]
    Full,
    /// The disk failed, or somebody took the right to write.
    #[error("the audit failed: {0}")]
    Failed(String),
    /// The files are not what was written; nothing is added to them.
    #[error("the audit is damaged: {0}")]
    Damaged(String),
    /// A record is larger than it may be, or is no object.
    #[error("a record of {bytes} bytes cannot be written down: {why}")]
    Unfit {
        /// Its size.
        bytes: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl AuditError {
    fn io(what: &str, path: &Path, error: &std::io::Error) -> AuditError {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => AuditError::Full,
            _ => AuditError::Failed(format!("cannot {what} `{}`: {error}", path.display())),
        }
    }

    fn ended() -> AuditError {
        AuditError::Failed("its writer has ended".to_owned())
    }
}

/// The audit of one folder. Cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Writer>);

impl Audit {
    /// Opens the audit of this folder, making both when they are not there. Fails
    /// when nothing could be added.
    pub fn open(dir: &Path) -> Result<Audit, AuditError> {
        drop(files::Files::lock(dir)?);
        Ok(Audit(Arc::new(Writer::start(dir)?)))
    }

    /// Adds a record, a JSON object, and returns when it is on the disk.
    pub async fn append(&self, body: String) -> Result<(), AuditError> {
        let (done, answer) = oneshot::channel();
        self.0.push(body, Some(done))?;
        answer.await.unwrap_or_else(|_| Err(AuditError::ended()))
    }

    /// Adds a record that nobody waits for. It goes with the next that is waited
    /// for, or when the last handle is dropped.
    pub fn note(&self, body: String) -> Result<(), AuditError> {
        self.0.push(body, None)
    }
}

/// Adds records at once, for commands that do nothing else.
pub fn append_now(dir: &Path, bodies: &[String]) -> Result<Head, AuditError> {
    let mut files = files::Files::lock(dir)?;
    files.append(bodies.iter().map(String::as_str))
}

/// The last line, as the folder says itself; none when there is no audit.
pub fn head(dir: &Path) -> Result<Option<Head>, AuditError> {
    files::look(dir)
}

#[cfg(test)]
mod tests;
