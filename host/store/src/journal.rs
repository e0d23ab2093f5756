//! The journal: what happened, in order, so that it can be read again.
//!
//! One folder holds one journal, in SQLite. A journal has one owner at a time,
//! which appends; everybody else reads. Each run is a chain of records: every
//! record's hash covers the one before it, the run's row seals the last, and the
//! owner's row seals how many runs and records there are. So an edit, a gap, a
//! record at another place or a missing tail is an error with a place and never a
//! shorter history.
//!
//! An append returns when its records are on the disk. One thread writes: it takes
//! whatever is queued, commits it at once and then answers everybody; who comes
//! while a commit runs is in the next one. After an error of the disk nothing more
//! is written: the pages that could not be synced may be gone while the system
//! claims otherwise.
//!
//! What this cannot notice: somebody who may write the folder and computes every
//! hash anew. The seals have no key; they are against the disk, not the owner.
//!
//! The store reads no clock and no environment: times come in.

mod blobs;
mod cache;
mod chain;
mod entry;
mod error;
mod head;
mod log;
mod owner;
mod prune;
mod queue;
mod reader;
mod requests;
mod schema;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

pub use cache::Cached;
pub use entry::{Entry, MAX_BODY, MAX_BYTES, MAX_RECORDS, Record};
pub use error::JournalError;
pub use log::RunLog;
pub use owner::held;
pub use prune::{Prune, Pruned};
pub use reader::{Filter, Reader, RunRow, Verified};
pub use requests::{Asked, ask};

use queue::Queue;
use writer::Writer;

/// How a journal is opened by its owner.
#[derive(Clone, Debug)]
pub struct Options {
    /// Take the journal from an owner that was stopped and still holds it. What
    /// that one tries to write later is refused.
    pub take_over: bool,
    /// What an acknowledged append survives.
    pub sync: Sync,
    /// Who opens it, in words for whoever finds it locked.
    pub owner: String,
    /// The time.
    pub now_unix_ms: u64,
}

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// A loss of power: every commit is synced.
    #[default]
    Full,
    /// The end of the process. For measurements, and for the test that shows the
    /// difference.
    Normal,
    /// The end of the process, with nothing ever synced. For measurements.
    Off,
}

/// A run at its beginning. It is written with the first append.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which run: unique in the journal.
    pub run: String,
    /// Whose it is.
    pub tenant: String,
    /// What is run.
    pub workflow: String,
    /// What it is run on.
    pub task: String,
    /// When it began.
    pub created_unix_ms: u64,
    /// The run whose records up to this one it continues in another way.
    pub parent: Option<(String, u64)>,
}

/// Whether there is a journal in this folder.
pub fn exists(dir: &Path) -> bool {
    schema::file(dir).exists()
}

/// The owner's handle. With the last clone of it the journal is closed: what was
/// appended is written first.
#[derive(Clone)]
pub struct Journal(Arc<Owned>);

struct Owned {
    queue: Arc<Queue>,
    reader: Reader,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal of this folder as its owner, making both when they are
    /// not there.
    pub fn open(dir: &Path, options: Options) -> Result<Journal, JournalError> {
        let writer = Writer::open(dir, &options)?;
        let reader = Reader::open(dir)?;
        let queue = Arc::new(Queue::default());
        let thread = {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name("journal".to_owned())
                .spawn(move || writer.work(&queue))
        };
        let thread =
            thread.map_err(|error| JournalError::io("start the writer of", dir, &error))?;
        Ok(Journal(Arc::new(Owned {
            queue,
            reader,
            writer: Some(thread),
        })))
    }

    /// A new run. Nothing is written before its first append.
    pub fn begin(&self, head: Head) -> RunLog {
        RunLog::begin(self.0.queue.clone(), head)
    }

    /// A run that is there: its row, all its records, verified, and its log, ready
    /// to append after the last of them.
    pub fn adopt(&self, run: &str) -> Result<(RunRow, Vec<Record>, RunLog), JournalError> {
        let whole = self.0.reader.whole(run)?;
        let queue = self.0.queue.clone();
        let log = RunLog::adopt(queue, whole.num, whole.row.clone(), whole.last);
        Ok((whole.row, whole.records, log))
    }

    /// Holds tokio's clock while somebody waits for a commit. A paused clock jumps to
    /// the next timer as soon as everybody waits, and the disk is not a timer: with
    /// this, commits take none of the simulated time. It costs a thread for each who
    /// waits; for tests and simulations.
    pub fn hold_clock(&self) {
        self.0.queue.hold_clock();
    }

    /// Who only reads.
    pub fn reader(&self) -> Reader {
        self.0.reader.clone()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // It answers everybody before it ends, whatever happened to it.
            drop(writer.join());
        }
    }
}

#[cfg(test)]
mod tests;
