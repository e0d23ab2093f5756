//! The one thread of a process that writes the books.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::{BooksError, Page, ended};

/// So many jobs wait; who comes then waits for room.
const QUEUE: usize = 1024;

/// So many jobs are committed together.
const BATCH: usize = 256;

/// Hears whether what was done is on the disk.
type Tell = Box<dyn FnOnce(Result<(), BooksError>) + Send>;

type Work = Box<dyn FnOnce(Result<&Page<'_>, BooksError>) -> (bool, Tell) + Send>;

/// Something to do in a transaction.
pub(super) struct Job(Work);

impl Job {
    /// `work` gets a page, or why there is none. It says whether what it did is kept,
    /// and who hears how that went.
    pub(super) fn new(
        work: impl FnOnce(Result<&Page<'_>, BooksError>) -> (bool, Tell) + Send + 'static,
    ) -> Job {
        Job(Box::new(work))
    }
}

pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    done: std::sync::Arc<(Mutex<u64>, Condvar)>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Writer, BooksError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let done = std::sync::Arc::<(Mutex<u64>, Condvar)>::default();
        let told = done.clone();
        let thread = std::thread::Builder::new()
            .name("books".to_owned())
            .spawn(move || work(&connection, &queue, &told))
            .map_err(|error| BooksError::Failed(format!("cannot start their writer: {error}")))?;
        Ok(Writer {
            jobs: Some(jobs),
            thread: Some(thread),
            done,
        })
    }

    pub(super) fn push(&self, job: Job) -> Result<(), BooksError> {
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_| ended())
    }

    /// Waits until something was committed, or a little.
    pub(super) fn wait(&self) {
        let (count, come) = &*self.done;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(come.wait_timeout(count, Duration::from_millis(1)));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.take();
        // The last handle may be dropped by the writer itself, inside a job.
        let own = |thread: &JoinHandle<()>| thread.thread().id() == std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(|thread| !own(thread)) {
            drop(thread.join());
        }
    }
}

fn work(connection: &Connection, queue: &Receiver<Job>, done: &(Mutex<u64>, Condvar)) {
    while let Ok(first) = queue.recv() {
        let more = queue.try_iter().take(BATCH - 1);
        let jobs: Vec<Job> = std::iter::once(first).chain(more).collect();
        commit(connection, jobs);
        let mut count = done.0.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.wrapping_add(1);
        done.1.notify_all();
    }
}

/// Does these in one transaction, each in a savepoint of its own, and answers all
/// of them.
pub(super) fn commit(connection: &Connection, jobs: Vec<Job>) {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    let mut told: Vec<Tell> = Vec::with_capacity(jobs.len());
    let mut went = begun.map_err(BooksError::from);
    for Job(work) in jobs {
        match &went {
            Ok(()) => went = savepoint(connection, work, &mut told),
            Err(why) => told.push(work(Err(why.clone())).1),
        }
    }
    let end = match &went {
        Ok(()) => connection.execute_batch("COMMIT").map_err(BooksError::from),
        Err(why) => Err(why.clone()),
    };
    if end.is_err() && !connection.is_autocommit() {
        // Nothing is kept either way.
        drop(connection.execute_batch("ROLLBACK"));
    }
    for tell in told {
        tell(end.clone());
    }
}

fn savepoint(connection: &Connection, work: Work, told: &mut Vec<Tell>) -> Result<(), BooksError> {
    if let Err(error) = connection.execute_batch("SAVEPOINT job") {
        let why = BooksError::from(error);
        told.push(work(Err(why.clone())).1);
        return Err(why);
    }
    let (keeps, tell) = work(Ok(&Page { connection }));
    told.push(tell);
    if !keeps {
        connection.execute_batch("ROLLBACK TO job")?;
    }
    Ok(connection.execute_batch("RELEASE job")?)
}
