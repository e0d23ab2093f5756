//! What waits for the writer.
//!
//! It holds so many bytes; who wants to append more waits for room, without
//! holding anything. There is no timer: the writer takes what is there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::JournalError;
use super::log::Append;
use super::writer::Writer;

/// How many units of room the queue has.
const ROOM: usize = 32 * 1024;

/// The bytes of a unit; whatever is queued takes at least one.
const UNIT: usize = 1024;

/// How many records are committed together.
const BATCH_RECORDS: usize = 4096;

/// How many bytes are committed together.
const BATCH_BYTES: usize = 8 << 20;

/// Something for the writer to do by itself.
type Work = Box<dyn FnOnce(&mut Writer, &Queue) + Send>;

/// What the writer is to do.
pub(super) enum Job {
    /// Append to a run.
    Append(Box<Append>),
    /// Something else, by itself.
    Alone(Work),
}

impl Job {
    fn weight(&self) -> (usize, usize) {
        match self {
            Job::Append(append) => (append.records.len(), append.bytes),
            Job::Alone(_) => (BATCH_RECORDS, BATCH_BYTES),
        }
    }
}

/// What waits for the writer.
pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    come: Condvar,
    room: Arc<Semaphore>,
    /// Why nothing is written any more.
    stopped: OnceLock<JournalError>,
    holds_clock: AtomicBool,
}

#[derive(Default)]
struct Jobs {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            jobs: Mutex::default(),
            come: Condvar::new(),
            room: Arc::new(Semaphore::new(ROOM)),
            stopped: OnceLock::new(),
            holds_clock: AtomicBool::new(false),
        }
    }
}

impl Queue {
    /// Has the writer do something by itself, after all that is queued, and waits
    /// for it. When it fails, the journal does.
    pub(super) async fn alone<T: Send + 'static>(
        self: &Arc<Self>,
        bytes: usize,
        work: impl FnOnce(&mut Writer) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let room = self.room(bytes).await?;
        let (done, is_done) = oneshot::channel();
        self.push(Job::Alone(Box::new(move |writer, queue| {
            let result = work(writer);
            if let Err(why) = &result
                && *why != JournalError::Full
            {
                queue.stop(why.clone());
            }
            // Who does not wait any more does not want to know.
            drop(done.send(result));
            drop(room);
        })))?;
        self.wait(is_done).await
    }

    /// Waits for the writer's answer.
    pub(super) async fn wait<T>(
        &self,
        answer: oneshot::Receiver<Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        // A paused clock stands still while a blocking task runs.
        let (_held, end) = mpsc::channel::<()>();
        if self.holds_clock.load(Ordering::Relaxed) {
            tokio::task::spawn_blocking(move || end.recv());
        }
        answer.await.unwrap_or_else(|_| Err(self.why()))
    }

    /// See [`super::Journal::hold_clock`].
    pub(super) fn hold_clock(&self) {
        self.holds_clock.store(true, Ordering::Relaxed);
    }

    /// Waits until there is room for so many bytes.
    pub(super) async fn room(
        self: &Arc<Self>,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, JournalError> {
        let units = bytes.div_ceil(UNIT).clamp(1, ROOM);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(units).await;
        room.map_err(|_| self.why())
    }

    /// Queues a job, unless the journal was closed or has failed.
    pub(super) fn push(&self, job: Job) -> Result<(), JournalError> {
        let mut jobs = self.lock();
        if jobs.closed || self.stopped.get().is_some() {
            return Err(self.why());
        }
        jobs.jobs.push_back(job);
        self.come.notify_one();
        Ok(())
    }

    /// What is committed next: as much as one batch takes, at least one job. Waits
    /// for it; `None` when the queue was closed and is empty.
    pub(super) fn take(&self) -> Option<Vec<Job>> {
        let mut jobs = self.lock();
        while jobs.jobs.is_empty() {
            if jobs.closed {
                return None;
            }
            jobs = self.come.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut records, mut bytes) = (0, 0);
        let mut batch = Vec::new();
        while let Some(job) = jobs.jobs.front() {
            let (more_records, more_bytes) = job.weight();
            records += more_records;
            bytes += more_bytes;
            if !batch.is_empty() && (records > BATCH_RECORDS || bytes > BATCH_BYTES) {
                break;
            }
            batch.extend(jobs.jobs.pop_front());
        }
        Some(batch)
    }

    /// Takes nothing more; what is queued is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.come.notify_one();
    }

    /// Lets nothing be written any more.
    pub(super) fn stop(&self, why: JournalError) {
        // The first reason stays.
        drop(self.stopped.set(why));
        self.room.close();
    }

    /// The end of the writer, however it came: nobody waits for it in vain.
    pub(super) fn end(&self) {
        self.close();
        self.room.close();
        let left = std::mem::take(&mut self.lock().jobs);
        drop(left);
    }

    /// Why nothing is written, if so.
    pub(super) fn stopped(&self) -> Option<&JournalError> {
        self.stopped.get()
    }

    /// Why nothing is written.
    pub(super) fn why(&self) -> JournalError {
        self.stopped.get().cloned().unwrap_or(JournalError::Closed)
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
