//! Reading: by the owner, and by anybody else while the owner writes.
//!
//! Everything that is read is verified first. What is shown of a run comes from
//! its row, whose seal covers all of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::chain::{self, Link};
use super::owner::{self, Totals};
use super::{Head, JournalError, MAX_BYTES, Record, blobs, head, schema};
use crate::Digest;

/// The columns of a run's row, for [`stored`].
pub(super) const COLUMNS: &str = "num, run, tenant, workflow, task, created, parent, parent_seq, status, \
                       ended, updated, records, bytes, last, seal";

/// Reads a journal. Clones share a connection.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    connection: Mutex<Connection>,
}

/// What is known of a run without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Which run.
    pub run: String,
    /// Whose it is.
    pub tenant: String,
    /// What was run.
    pub workflow: String,
    /// What it was run on.
    pub task: String,
    /// What was said of it last; `running` if nothing was.
    pub status: String,
    /// Whether that was its end.
    pub ended: bool,
    /// When it began.
    pub created_unix_ms: u64,
    /// When its last record was made.
    pub updated_unix_ms: u64,
    /// How many records it has.
    pub records: u64,
    /// How many bytes their bodies have.
    pub bytes: u64,
    /// The run whose records up to this one it continues in another way.
    pub parent: Option<(String, u64)>,
}

impl RunRow {
    pub(super) fn head(&self) -> Head {
        Head {
            run: self.run.clone(),
            tenant: self.tenant.clone(),
            workflow: self.workflow.clone(),
            task: self.task.clone(),
            created_unix_ms: self.created_unix_ms,
            parent: self.parent.clone(),
        }
    }
}

/// Which runs.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this status.
    pub status: Option<String>,
    /// Those of this workflow.
    pub workflow: Option<String>,
    /// Those that have not ended.
    pub open: bool,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// How much of a journal was verified: all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many runs.
    pub runs: u64,
    /// How many records.
    pub records: u64,
}

/// A run with all that belongs to it.
pub(super) struct Whole {
    pub(super) num: i64,
    pub(super) row: RunRow,
    pub(super) last: Link,
    pub(super) records: Vec<Record>,
}

/// A run's row as it is stored.
pub(super) struct Stored {
    pub(super) num: i64,
    pub(super) row: RunRow,
    pub(super) last: Link,
}

impl Reader {
    /// Opens the journal of this folder to read it. It must be there; whether an
    /// owner has it open makes no difference.
    pub fn open(dir: &Path) -> Result<Reader, JournalError> {
        if !schema::file(dir).exists() {
            return Err(JournalError::Failed(format!(
                "there is no journal in `{}`",
                dir.display()
            )));
        }
        let dir =
            std::fs::canonicalize(dir).map_err(|error| JournalError::io("find", dir, &error))?;
        let connection = Mutex::new(schema::reader(&dir)?);
        let reader = Reader(Arc::new(Shared { dir, connection }));
        reader.read(|_, _| Ok(()))?;
        Ok(reader)
    }

    /// The runs, the newest first.
    pub fn runs(&self, filter: &Filter) -> Result<Vec<RunRow>, JournalError> {
        self.read(|connection, totals| {
            expect_runs(connection, totals)?;
            let only_open = if filter.open { "WHERE ended = 0" } else { "" };
            let sql = format!("SELECT {COLUMNS} FROM runs {only_open} ORDER BY num DESC");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                if filter.limit.is_some_and(|limit| found.len() >= limit) {
                    break;
                }
                let row = stored(row)?.row;
                let asked = |asked: &Option<String>, is: &str| {
                    asked.as_deref().is_none_or(|asked| asked == is)
                };
                if asked(&filter.status, &row.status) && asked(&filter.workflow, &row.workflow) {
                    found.push(row);
                }
            }
            Ok(found)
        })
    }

    /// The run of this id, or the only one whose id begins like this.
    pub fn run(&self, id: &str) -> Result<RunRow, JournalError> {
        self.read(|connection, totals| Ok(find(connection, totals, id)?.row))
    }

    /// All records of a run, verified. The id may be cut as for [`Reader::run`].
    pub fn records(&self, run: &str) -> Result<Vec<Record>, JournalError> {
        Ok(self.whole(run)?.records)
    }

    /// Verifies the whole journal: every run with every record.
    pub fn verify(&self) -> Result<Verified, JournalError> {
        self.read(|connection, totals| {
            expect_runs(connection, totals)?;
            let mut statement =
                connection.prepare(&format!("SELECT {COLUMNS} FROM runs ORDER BY num"))?;
            let mut rows = statement.query([])?;
            let (mut runs, mut records) = (0, 0);
            while let Some(row) = rows.next()? {
                let stored = stored(row)?;
                records += read_records(connection, &stored)?.len() as u64;
                runs += 1;
            }
            let all: i64 = connection.query_row("SELECT count(*) FROM records", [], |r| r.get(0))?;
            if (runs, records, all.cast_unsigned()) != (totals.runs, totals.records, records) {
                return Err(JournalError::Damaged(format!(
                    "{runs} runs with {records} of {all} records are there, {} with {} were written",
                    totals.runs, totals.records
                )));
            }
            Ok(Verified { runs, records })
        })
    }

    pub(super) fn whole(&self, run: &str) -> Result<Whole, JournalError> {
        self.read(|connection, totals| {
            let stored = find(connection, totals, run)?;
            let records = read_records(connection, &stored)?;
            Ok(Whole {
                num: stored.num,
                row: stored.row,
                last: stored.last,
                records,
            })
        })
    }

    /// Reads from one state of the journal, which is not older than what the owner
    /// noted beside it.
    fn read<T>(
        &self,
        what: impl FnOnce(&Connection, &Totals) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut connection = self.connection();
        // Before the database: the owner may go on meanwhile.
        let note = head::read(&self.0.dir)?;
        let transaction = connection.transaction()?;
        let totals = Totals::read(&transaction)?;
        owner::compare(note, totals.as_ref())?;
        what(&transaction, &totals.unwrap_or_default())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        let connection = &self.0.connection;
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is missing leaves no gap; the number of runs tells.
fn expect_runs(connection: &Connection, totals: &Totals) -> Result<(), JournalError> {
    let mut count = connection.prepare_cached("SELECT count(*) FROM runs")?;
    let runs: i64 = count.query_row([], |row| row.get(0))?;
    if runs.cast_unsigned() != totals.runs {
        return Err(JournalError::Damaged(format!(
            "{runs} runs are there, {} were written",
            totals.runs
        )));
    }
    Ok(())
}

fn find(connection: &Connection, totals: &Totals, id: &str) -> Result<Stored, JournalError> {
    let exact = format!("SELECT {COLUMNS} FROM runs WHERE run = ?1");
    let mut exact = connection.prepare_cached(&exact)?;
    if let Some(found) = exact.query_row([id], |row| Ok(stored(row))).optional()? {
        return found;
    }
    let begin = format!("SELECT {COLUMNS} FROM runs WHERE run > ?1 AND run < ?1 || ?2 LIMIT 2");
    let mut begin = connection.prepare_cached(&begin)?;
    let mut rows = begin.query(params![id, char::MAX.to_string()])?;
    let found = match rows.next()? {
        Some(row) if !id.is_empty() => stored(row)?,
        _ => {
            expect_runs(connection, totals)?;
            return Err(JournalError::Unknown(id.to_owned()));
        }
    };
    if rows.next()?.is_some() {
        return Err(JournalError::Ambiguous(id.to_owned()));
    }
    Ok(found)
}

/// A run's row, if its seal is right.
pub(super) fn stored(row: &Row<'_>) -> Result<Stored, JournalError> {
    let run: String = row.get(1)?;
    let corrupt = |why: &str| JournalError::Corrupt {
        run: run.clone(),
        seq: 0,
        why: why.to_owned(),
    };
    let read = || -> rusqlite::Result<(Stored, Link)> {
        let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let parent = match row.get::<_, Option<String>>(6)? {
            Some(parent) => Some((parent, number(7)?)),
            None => None,
        };
        let read = RunRow {
            run: run.clone(),
            tenant: row.get(2)?,
            workflow: row.get(3)?,
            task: row.get(4)?,
            status: row.get(8)?,
            ended: row.get(9)?,
            created_unix_ms: number(5)?,
            updated_unix_ms: number(10)?,
            records: number(11)?,
            bytes: number(12)?,
            parent,
        };
        let stored = Stored {
            num: row.get(0)?,
            row: read,
            last: row.get(13)?,
        };
        Ok((stored, row.get(14)?))
    };
    let (stored, seal) = read().map_err(|error| corrupt(&error.to_string()))?;
    if chain::of_row(&stored.row, &stored.last) != seal {
        return Err(corrupt("the run's row is not what was written"));
    }
    Ok(stored)
}

/// The records of a run, each following the one before, the last one sealed.
fn read_records(connection: &Connection, of: &Stored) -> Result<Vec<Record>, JournalError> {
    let run = &of.row.run;
    let corrupt = |seq: u64, why: String| JournalError::Corrupt {
        run: run.clone(),
        seq,
        why,
    };
    let mut statement = connection.prepare_cached(
        "SELECT seq, kind, at, body, hash FROM records WHERE run = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([of.num])?;
    let mut last = chain::of_head(&of.row.head());
    let mut records: Vec<Record> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let seq = records.len() as u64 + 1;
        if seq > of.row.records {
            return Err(corrupt(seq, format!("{} records were written", seq - 1)));
        }
        let read = || -> rusqlite::Result<(Record, Link)> {
            let record = Record {
                seq: row.get::<_, i64>(0)?.cast_unsigned(),
                kind: row.get(1)?,
                at_unix_ms: row.get::<_, i64>(2)?.cast_unsigned(),
                body: row.get(3)?,
            };
            Ok((record, row.get(4)?))
        };
        let (record, hash) = read().map_err(|error| corrupt(seq, error.to_string()))?;
        if record.seq != seq {
            return Err(corrupt(
                seq,
                format!("record {} is in its place", record.seq),
            ));
        }
        last = chain::of_record(
            &last,
            run,
            seq,
            &record.kind,
            record.at_unix_ms,
            &record.body,
        );
        if last != hash {
            return Err(corrupt(seq, "it is not what was written".to_owned()));
        }
        let body = blobs::join(record.body, |hex| read_blob(connection, hex))?;
        let body = body.map_err(|why| corrupt(seq, why))?;
        bytes += body.len() as u64;
        if bytes > of.row.bytes.min(MAX_BYTES) {
            return Err(corrupt(
                seq,
                "it is larger than what was written".to_owned(),
            ));
        }
        records.push(Record { body, ..record });
    }
    let there = records.len() as u64;
    if there != of.row.records || last != of.last {
        let written = of.row.records;
        let why = format!("{there} records are there, {written} were written");
        return Err(corrupt(there + 1, why));
    }
    Ok(records)
}

/// A large string, by the hex digits of its digest. What it is is not checked here.
fn read_blob(connection: &Connection, hex: &str) -> Result<Option<String>, JournalError> {
    let Some(digest) = Digest::from_hex(hex) else {
        return Ok(None);
    };
    let mut select = connection.prepare_cached("SELECT text FROM blobs WHERE digest = ?1")?;
    let text = select.query_row([digest.bytes()], |row| row.get(0));
    Ok(text.optional()?)
}
