//! What several processes write: accounts, quotas, values that plugins keep, who
//! was asked to allow what.
//!
//! The journal has one owner; these books have none. A folder's books are one
//! SQLite database that any number of processes open, and whoever writes does so
//! in a transaction that no other process writes beside. What is read in it is
//! what is true until it commits, so a rule that reads, decides and writes inside
//! one transaction holds between processes as it does between tasks.
//!
//! One thread writes: it takes whatever is queued, does each job in a savepoint of
//! its own, commits all of them with one sync and then answers everybody. A job
//! that fails leaves nothing behind and takes nobody with it.
//!
//! What is on a page are texts under a shelf and a key. What they mean is the
//! business of those who write them; nothing here reads a clock.

mod page;
mod schema;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

pub use page::{MAX_KEY, MAX_VALUE, Page};

use writer::{Job, Writer};

/// Why the books cannot do what they were asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BooksError {
    /// The disk is full. It can be tried again when there is space.
    #[error("the disk of the books is full")]
    Full,
    /// The disk or the database failed.
    #[error("the books failed: {0}")]
    Failed(String),
    /// A newer version wrote them, or somebody else.
    #[error("`books.db` has format {found}, this version knows {known}")]
    Version {
        /// The format that it has.
        found: i64,
        /// The format that is known.
        known: i64,
    },
    /// A key or a value is larger than it may be.
    #[error("{what} of {bytes} bytes in the books, at most {most} are allowed")]
    TooLarge {
        /// `a key` or `a value`.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// Its greatest size.
        most: usize,
    },
    /// What is on a page is not what is written there.
    #[error("the books are damaged at `{shelf}`, `{key}`: {why}")]
    Damaged {
        /// Whose page it is.
        shelf: String,
        /// Which.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl BooksError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            BooksError::Full => "storage.full",
            BooksError::Failed(_) | BooksError::TooLarge { .. } => "storage.failed",
            BooksError::Version { .. } => "storage.version",
            BooksError::Damaged { .. } => "storage.damaged",
        }
    }

    fn io(what: &str, path: &Path, error: &std::io::Error) -> BooksError {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => BooksError::Full,
            _ => BooksError::Failed(format!("cannot {what} `{}`: {error}", path.display())),
        }
    }
}

impl From<rusqlite::Error> for BooksError {
    fn from(error: rusqlite::Error) -> BooksError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => BooksError::Full,
            _ => BooksError::Failed(error.to_string()),
        }
    }
}

/// The books of one folder, or of this process alone. Cheap to clone.
#[derive(Clone)]
pub struct Books(Arc<Kind>);

enum Kind {
    /// In a folder, behind the thread that writes.
    Kept(Writer),
    /// In memory: whoever writes does so at once.
    Memory(Mutex<Connection>),
}

impl Books {
    /// Opens the books of this folder, making both when they are not there. Any
    /// number of processes may have them open.
    pub fn open(dir: &Path) -> Result<Books, BooksError> {
        let connection = schema::open(dir)?;
        Ok(Books(Arc::new(Kind::Kept(Writer::start(connection)?))))
    }

    /// Books that end with this process.
    pub fn in_memory() -> Result<Books, BooksError> {
        let connection = schema::in_memory()?;
        Ok(Books(Arc::new(Kind::Memory(Mutex::new(connection)))))
    }

    /// Does something in one transaction: all of what it writes or, when it gives
    /// back an error, nothing. Returns when that is on the disk.
    ///
    /// It costs a sync of the disk, shared with all who write at the same time, and
    /// in memory some microseconds.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Page<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<BooksError> + Send + 'static,
    {
        match &*self.0 {
            Kind::Kept(writer) => {
                let (job, answer) = job(work);
                writer.push(job).map_err(E::from)?;
                answer.await.unwrap_or_else(|_| Err(ended().into()))
            }
            Kind::Memory(_) => self.write_now(work),
        }
    }

    /// The same for who may block: commands, and tests.
    pub fn write_now<T, E>(
        &self,
        work: impl FnOnce(&Page<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<BooksError> + Send + 'static,
    {
        let (job, mut answer) = job(work);
        match &*self.0 {
            Kind::Kept(writer) => {
                writer.push(job).map_err(E::from)?;
                // Not `blocking_recv`, which refuses threads that drive tasks: a
                // command's own thread does, and nothing else waits for it.
                loop {
                    match answer.try_recv() {
                        Ok(result) => return result,
                        Err(oneshot::error::TryRecvError::Closed) => return Err(ended().into()),
                        Err(oneshot::error::TryRecvError::Empty) => writer.wait(),
                    }
                }
            }
            Kind::Memory(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                writer::commit(&connection, vec![job]);
                answer.try_recv().unwrap_or_else(|_| Err(ended().into()))
            }
        }
    }
}

fn ended() -> BooksError {
    BooksError::Failed("their writer has ended".to_owned())
}

/// Something to do in a transaction, and where its result will be.
fn job<T, E>(
    work: impl FnOnce(&Page<'_>) -> Result<T, E> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<BooksError> + Send + 'static,
{
    let (done, answer) = oneshot::channel();
    let job = Job::new(move |page| {
        let result = match page {
            Ok(page) => work(page),
            Err(why) => Err(why.into()),
        };
        let keeps = result.is_ok();
        let tell = move |committed: Result<(), BooksError>| {
            let result = match (result, committed) {
                (Ok(_), Err(why)) => Err(why.into()),
                (result, _) => result,
            };
            // Who does not wait any more does not want to know.
            drop(done.send(result));
        };
        (keeps, Box::new(tell) as _)
    });
    (job, answer)
}

#[cfg(test)]
mod tests;
