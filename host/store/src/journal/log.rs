//! The log of one run: gives each entry its place and its link in the chain.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::chain::{self, Link};
use super::entry::{MAX_BODY, Placed};
use super::queue::{Job, Queue};
use super::{Entry, Head, JournalError, MAX_BYTES, MAX_RECORDS, RunRow};

/// The status of a run that was given no other.
const RUNNING: &str = "running";

/// Appends to one run. Clones append to the same run, in the order of their calls.
#[derive(Clone)]
pub struct RunLog(Arc<Log>);

/// One run, as those who append and the writer share it.
pub(super) struct Log {
    queue: Arc<Queue>,
    state: Mutex<State>,
    /// The number of its row, once that is written.
    pub(super) num: OnceLock<i64>,
}

/// What the next append follows.
struct State {
    /// Whether its row is written, or will be before anything appended now.
    begun: bool,
    row: RunRow,
    last: Link,
    notes: Vec<Entry>,
    /// The bytes of the notes.
    noted: usize,
    broken: Option<JournalError>,
}

impl State {
    fn new(begun: bool, row: RunRow, last: Link) -> State {
        State {
            begun,
            row,
            last,
            notes: Vec::new(),
            noted: 0,
            broken: None,
        }
    }

    /// Gives the entries their places, after what there is.
    fn place<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<Vec<Placed>, JournalError> {
        let mut placed = Vec::new();
        for entry in entries {
            let body = entry.body.clone()?;
            let row = &mut self.row;
            row.records += 1;
            row.bytes += body.bytes;
            row.updated_unix_ms = entry.at_unix_ms;
            if row.records > MAX_RECORDS {
                let run = row.run.clone();
                let most = MAX_RECORDS;
                return Err(JournalError::TooLong { run, most });
            }
            if row.bytes > MAX_BYTES {
                let run = row.run.clone();
                let most = MAX_BYTES;
                return Err(JournalError::TooMuch { run, most });
            }
            let (kind, at) = (entry.kind, entry.at_unix_ms);
            self.last = chain::of_record(&self.last, &row.run, row.records, kind, at, &body.text);
            placed.push(Placed {
                seq: row.records,
                kind,
                at_unix_ms: at,
                body,
                hash: self.last,
            });
        }
        Ok(placed)
    }
}

/// An append that has its place.
pub(super) struct Append {
    pub(super) log: Arc<Log>,
    /// How many records the run has before it, and the last link of them; `None`
    /// when there is not even a row.
    pub(super) after: Option<(u64, Link)>,
    pub(super) records: Vec<Placed>,
    pub(super) bytes: usize,
    /// The run's row and last link after it.
    pub(super) row: RunRow,
    pub(super) last: Link,
    pub(super) done: oneshot::Sender<Result<u64, JournalError>>,
    /// Given back when the append is done.
    pub(super) _room: OwnedSemaphorePermit,
}

impl RunLog {
    pub(super) fn begin(queue: Arc<Queue>, head: Head) -> RunLog {
        let last = chain::of_head(&head);
        let row = RunRow {
            run: head.run,
            tenant: head.tenant,
            workflow: head.workflow,
            task: head.task,
            status: RUNNING.to_owned(),
            ended: false,
            created_unix_ms: head.created_unix_ms,
            updated_unix_ms: head.created_unix_ms,
            records: 0,
            bytes: 0,
            parent: head.parent,
        };
        RunLog(Arc::new(Log {
            queue,
            state: Mutex::new(State::new(false, row, last)),
            num: OnceLock::new(),
        }))
    }

    pub(super) fn adopt(queue: Arc<Queue>, num: i64, row: RunRow, last: Link) -> RunLog {
        RunLog(Arc::new(Log {
            queue,
            state: Mutex::new(State::new(true, row, last)),
            num: OnceLock::from(num),
        }))
    }

    /// Appends these entries, all or none of them, and returns the last one's
    /// number when they are durable. They have their place by then even if nobody
    /// waits any more.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<u64, JournalError> {
        self.put(entries, None).await
    }

    /// Keeps an entry that goes with the next append of this run, before it. If
    /// there is none, it is not written.
    pub fn note(&self, entry: Entry) {
        let mut state = self.0.lock();
        // What is too much is kept in part, so that the append says that it is.
        if state.noted as u64 <= MAX_BODY && state.notes.len() as u64 <= MAX_RECORDS {
            state.noted += entry.size();
            state.notes.push(entry);
        }
    }

    /// Appends, and says with it what the run's status is from now on.
    pub async fn status(&self, status: &str, entries: Vec<Entry>) -> Result<u64, JournalError> {
        self.put(entries, Some((status, false))).await
    }

    /// Appends, and says with it how the run ended.
    pub async fn end(&self, status: &str, entries: Vec<Entry>) -> Result<u64, JournalError> {
        self.put(entries, Some((status, true))).await
    }

    async fn put(
        &self,
        entries: Vec<Entry>,
        status: Option<(&str, bool)>,
    ) -> Result<u64, JournalError> {
        let queue = &self.0.queue;
        let bytes = entries.iter().map(Entry::size).sum();
        let room = queue.room(bytes).await?;
        let (done, is_done) = oneshot::channel();
        {
            let mut state = self.0.lock();
            if let Some(broken) = &state.broken {
                return Err(broken.clone());
            }
            let mut next = State::new(true, state.row.clone(), state.last);
            let placed = next.place(state.notes.iter().chain(&entries))?;
            if let Some((status, ended)) = status {
                next.row.status = status.to_owned();
                next.row.ended = ended;
            }
            let append = Append {
                log: self.0.clone(),
                after: state.begun.then_some((state.row.records, state.last)),
                bytes: bytes + state.noted,
                records: placed,
                row: next.row.clone(),
                last: next.last,
                done,
                _room: room,
            };
            queue.push(Job::Append(Box::new(append)))?;
            *state = next;
        }
        queue.wait(is_done).await
    }
}

impl Log {
    /// The run cannot be continued with what this log knows.
    pub(super) fn fail(&self, why: &JournalError) {
        self.lock().broken.get_or_insert_with(|| why.clone());
    }

    /// Why the run cannot be continued, if so.
    pub(super) fn broken(&self) -> Option<JournalError> {
        self.lock().broken.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
