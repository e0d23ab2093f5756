//! The one thread of a process that adds to the audit.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::AuditError;
use super::files::Files;
use super::line;

/// So many records wait; who comes then waits for room.
const QUEUE: usize = 1024;

/// So many are written together.
const BATCH: usize = 256;

/// So many at most: those that could not be written before go first.
pub(super) const MOST: usize = QUEUE + BATCH;

type Done = oneshot::Sender<Result<(), AuditError>>;

struct Job {
    body: String,
    done: Option<Done>,
}

pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(dir: &Path) -> Result<Writer, AuditError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let dir = dir.to_owned();
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || work(&dir, &queue))
            .map_err(|error| AuditError::Failed(format!("cannot start its writer: {error}")))?;
        Ok(Writer {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(super) fn push(&self, body: String, done: Option<Done>) -> Result<(), AuditError> {
        // Here, so that one record that does not fit does not take others with it.
        line::fits(&body).map_err(|why| AuditError::Unfit {
            bytes: body.len(),
            why,
        })?;
        let jobs = self.jobs.as_ref().ok_or_else(AuditError::ended)?;
        jobs.send(Job { body, done })
            .map_err(|_| AuditError::ended())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What nobody waits for and could not be written yet is kept, and goes before
/// whatever comes next: a disk that is full for a while loses nothing.
fn work(dir: &Path, queue: &Receiver<Job>) {
    let mut kept: Vec<Job> = Vec::new();
    while let Ok(first) = queue.recv() {
        let more = queue.try_iter().take(BATCH - 1);
        let mut jobs = std::mem::take(&mut kept);
        jobs.push(first);
        jobs.extend(more);
        let written = Files::lock(dir)
            .and_then(|mut files| files.append(jobs.iter().map(|job| job.body.as_str())))
            .map(drop);
        for job in jobs {
            match (job.done, &written) {
                // Who does not wait any more does not want to know.
                (Some(done), _) => drop(done.send(written.clone())),
                (None, Err(_)) if kept.len() < QUEUE => {
                    let (body, done) = (job.body, None);
                    kept.push(Job { body, done });
                }
                (None, _) => {}
            }
        }
    }
    if !kept.is_empty() {
        let bodies = kept.iter().map(|job| job.body.as_str());
        // The last chance; nobody is left who could be told.
        drop(Files::lock(dir).and_then(|mut files| files.append(bodies)));
    }
}
