//! The one thread that writes.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::head::{self, HeadFile};
use super::log::{Append, Log};
use super::owner::{self, Totals};
use super::queue::{Job, Queue};
use super::{JournalError, Options, chain, schema};
use crate::crash::{self, Point};

/// So much is written before the database file gets what the log in front of it
/// holds.
const CHECKPOINT_BYTES: usize = 4 << 20;

/// What a commit writes beside the bodies of its records, about.
const COMMIT_BYTES: usize = 16 << 10;

/// A log file that has grown to so many pages is cut when nobody reads it.
const LONG_LOG_PAGES: i64 = 16 << 10;

/// What writes: the connection, and what belongs to being the owner.
pub(super) struct Writer {
    connection: Connection,
    head: HeadFile,
    totals: Totals,
    /// What was written since the last checkpoint.
    written: usize,
    /// Held as long as this process is the owner.
    _lock: File,
}

/// One run's part of a batch: its log, its appends in order, and how it went.
struct Part {
    log: Arc<Log>,
    appends: Vec<Append>,
    done: Result<i64, JournalError>,
}

impl Writer {
    pub(super) fn open(dir: &Path, options: &Options) -> Result<Writer, JournalError> {
        let dir = schema::prepare(dir)?;
        let lock = owner::lock(&dir, &options.owner, options.take_over)?;
        // Before the database: an owner that is stopped now wrote them in turn.
        let note = head::read(&dir)?;
        let (mut connection, is_new) = schema::owner(&dir)?;
        let found = match is_new {
            true => None,
            false => Totals::read(&connection)?,
        };
        owner::compare(note, found.as_ref())?;
        schema::make_writer(&mut connection, options.sync, is_new)?;
        let mut writer = Writer {
            head: HeadFile::open(&dir)?,
            totals: found.clone().unwrap_or_default(),
            connection,
            written: 0,
            _lock: lock,
        };
        if found.is_none() {
            writer.totals.insert(&writer.connection)?;
        }
        writer.commit(|_, next| {
            next.epoch += 1;
            next.cover(&options.now_unix_ms.to_le_bytes());
            Ok(())
        })?;
        Ok(writer)
    }

    /// Works until the queue is closed and empty.
    pub(super) fn work(mut self, queue: &Queue) {
        /// Whatever happens here, those who wait hear of it.
        struct Ends<'a>(&'a Queue);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.end();
            }
        }
        let _ends = Ends(queue);
        while let Some(jobs) = queue.take() {
            let mut appends = Vec::new();
            for job in jobs {
                match job {
                    Job::Append(append) => appends.push(*append),
                    Job::Alone(_) if queue.stopped().is_some() => {}
                    Job::Alone(work) => work(&mut self, queue),
                }
            }
            if !appends.is_empty() {
                self.append(appends, queue);
            }
            self.checkpoint_when_due(queue);
        }
        if queue.stopped().is_none() {
            // Only tidiness: what is in the log in front is as safe as in the database.
            drop(self.checkpoint("TRUNCATE"));
        }
    }

    /// Commits appends together and answers all of them.
    fn append(&mut self, appends: Vec<Append>, queue: &Queue) {
        let mut parts = parts(appends);
        for part in &mut parts {
            let stopped = queue.stopped().cloned();
            if let Some(why) = stopped.or_else(|| part.log.broken()) {
                part.done = Err(why);
            }
        }
        if parts.iter().any(|part| part.done.is_ok()) {
            let committed = self.commit(|connection, next| {
                let ready = parts.iter_mut().filter(|part| part.done.is_ok());
                for part in ready {
                    part.done = write(connection, part, next)?;
                }
                Ok(())
            });
            if let Err(why) = committed {
                if why != JournalError::Full {
                    queue.stop(why.clone());
                }
                for part in parts.iter_mut().filter(|part| part.done.is_ok()) {
                    part.done = Err(why.clone());
                }
            }
        }
        for part in parts {
            if let Err(why) = &part.done {
                part.log.fail(why);
            }
            for append in part.appends {
                let done = part.done.clone().map(|num| {
                    part.log.num.get_or_init(|| num);
                    append.row.records
                });
                self.written += append.bytes;
                // Who does not wait any more does not want to know.
                drop(append.done.send(done));
            }
        }
    }

    /// One transaction of the owner: does something, counts it and notes it.
    pub(super) fn commit<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Totals) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        let mut next = self.totals.next();
        let done = work(&transaction, &mut next)?;
        if !self.totals.replace(&transaction, &next)? {
            return Err(JournalError::Fenced);
        }
        crash::point(Point::BeforeCommit);
        transaction.commit()?;
        crash::point(Point::AfterCommit);
        self.totals = next;
        self.written += COMMIT_BYTES;
        let noted = self.head.write(&self.totals.note());
        noted.map_err(|error| JournalError::Failed(format!("cannot write its head: {error}")))?;
        Ok(done)
    }

    /// To read what this thread wrote.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    #[cfg(test)]
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Moves what the log in front of the database holds into the database, so that
    /// neither the log nor the time to read it grows without end.
    fn checkpoint_when_due(&mut self, queue: &Queue) {
        if self.written < CHECKPOINT_BYTES || queue.stopped().is_some() {
            return;
        }
        self.written = 0;
        let done = match self.checkpoint("PASSIVE") {
            Ok(pages) if pages > LONG_LOG_PAGES => self.checkpoint("TRUNCATE"),
            done => done,
        };
        if let Err(why) = done
            && why != JournalError::Full
        {
            queue.stop(why);
        }
    }

    pub(super) fn checkpoint(&self, how: &str) -> Result<i64, JournalError> {
        // While somebody reads, not everything can be moved: then it is moved later,
        // and nobody who appends waits for who reads.
        self.connection.busy_timeout(Duration::ZERO)?;
        let sql = format!("PRAGMA wal_checkpoint({how})");
        let pages = self.connection.query_row(&sql, [], |row| row.get(1));
        self.connection.busy_timeout(schema::BUSY)?;
        Ok(pages?)
    }
}

/// The appends by run, each run's in their order.
fn parts(appends: Vec<Append>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut places = HashMap::new();
    for append in appends {
        let place = *places
            .entry(Arc::as_ptr(&append.log))
            .or_insert(parts.len());
        match parts.get_mut(place) {
            Some(part) => part.appends.push(append),
            None => parts.push(Part {
                log: append.log.clone(),
                done: Ok(0),
                appends: vec![append],
            }),
        }
    }
    parts
}

/// Writes one run's part. What only this run can do nothing about is its own
/// error; any other ends the transaction.
fn write(
    connection: &Connection,
    part: &Part,
    totals: &mut Totals,
) -> Result<Result<i64, JournalError>, JournalError> {
    let (Some(first), Some(last)) = (part.appends.first(), part.appends.last()) else {
        return Ok(part.done.clone());
    };
    let row = &last.row;
    let seal = chain::of_row(row, &last.last);
    let num = match first.after {
        None => {
            let (parent, parent_seq) = row.parent.clone().unzip();
            let mut insert = connection.prepare_cached(
                "INSERT INTO runs (run, tenant, workflow, task, created, parent, parent_seq, \
                 status, ended, updated, records, bytes, last, seal) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
                 ON CONFLICT DO NOTHING",
            )?;
            let inserted = insert.execute(params![
                row.run,
                row.tenant,
                row.workflow,
                row.task,
                row.created_unix_ms.cast_signed(),
                parent,
                parent_seq.map(u64::cast_signed),
                row.status,
                row.ended,
                row.updated_unix_ms.cast_signed(),
                row.records.cast_signed(),
                row.bytes.cast_signed(),
                last.last,
                seal,
            ])?;
            if inserted == 0 {
                return Ok(Err(JournalError::Exists(row.run.clone())));
            }
            totals.runs += 1;
            connection.last_insert_rowid()
        }
        Some((records, link)) => {
            let Some(num) = part.log.num.get() else {
                return Ok(Err(JournalError::Unknown(row.run.clone())));
            };
            let mut update = connection.prepare_cached(
                "UPDATE runs SET status = ?1, ended = ?2, updated = ?3, records = ?4, bytes = ?5, \
                 last = ?6, seal = ?7 WHERE num = ?8 AND records = ?9 AND last = ?10",
            )?;
            let updated = update.execute(params![
                row.status,
                row.ended,
                row.updated_unix_ms.cast_signed(),
                row.records.cast_signed(),
                row.bytes.cast_signed(),
                last.last,
                seal,
                num,
                records.cast_signed(),
                link,
            ])?;
            if updated == 0 {
                return Ok(Err(JournalError::Continued(row.run.clone())));
            }
            *num
        }
    };
    let mut insert = connection.prepare_cached(
        "INSERT INTO records (run, seq, kind, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut blob = connection.prepare_cached(
        "INSERT INTO blobs (digest, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?;
    let mut used = connection
        .prepare_cached("INSERT INTO uses (run, digest) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for record in part.appends.iter().flat_map(|append| &append.records) {
        insert.execute(params![
            num,
            record.seq.cast_signed(),
            record.kind,
            record.at_unix_ms.cast_signed(),
            record.body.text,
            record.hash,
        ])?;
        for (digest, text) in &record.body.blobs {
            blob.execute(params![digest.bytes(), text])?;
            used.execute(params![num, digest.bytes()])?;
        }
        totals.records += 1;
        crash::point(Point::MidBatch);
    }
    totals.cover(&last.last);
    Ok(Ok(num))
}
