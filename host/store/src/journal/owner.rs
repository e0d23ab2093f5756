//! Who owns the journal, and what the owner's row says of the whole.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::JournalError;
use super::chain::{Link, seal};
use super::head::Note;
use super::schema;

/// What the owner's row says: which owner, which commit, and how much there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) epoch: u64,
    pub(super) batch: u64,
    pub(super) chain: Link,
    pub(super) runs: u64,
    pub(super) records: u64,
}

impl Totals {
    /// The row, if the journal was ever owned. `None` is a new journal.
    pub(super) fn read(connection: &Connection) -> Result<Option<Totals>, JournalError> {
        let mut statement = connection
            .prepare_cached("SELECT epoch, batch, chain, runs, records, seal FROM owner")?;
        let row = statement.query_row([], |row| {
            let totals = Totals {
                epoch: row.get::<_, i64>(0)?.cast_unsigned(),
                batch: row.get::<_, i64>(1)?.cast_unsigned(),
                chain: row.get(2)?,
                runs: row.get::<_, i64>(3)?.cast_unsigned(),
                records: row.get::<_, i64>(4)?.cast_unsigned(),
            };
            Ok((totals, row.get::<_, Link>(5)?))
        });
        match row.optional()? {
            Some((totals, seal)) if totals.seal() == seal => Ok(Some(totals)),
            Some(_) => Err(JournalError::Damaged(
                "the owner's row is not what was written".to_owned(),
            )),
            None => Ok(None),
        }
    }

    /// Writes the next row over this one. False means that another owner did.
    pub(super) fn replace(
        &self,
        connection: &Connection,
        next: &Totals,
    ) -> Result<bool, JournalError> {
        let mut statement = connection.prepare_cached(
            "UPDATE owner SET epoch = ?1, batch = ?2, chain = ?3, runs = ?4, records = ?5, \
             seal = ?6 WHERE epoch = ?7 AND batch = ?8",
        )?;
        let changed = statement.execute(params![
            next.epoch.cast_signed(),
            next.batch.cast_signed(),
            next.chain,
            next.runs.cast_signed(),
            next.records.cast_signed(),
            next.seal(),
            self.epoch.cast_signed(),
            self.batch.cast_signed(),
        ])?;
        Ok(changed == 1)
    }

    /// Makes the first row.
    pub(super) fn insert(&self, connection: &Connection) -> Result<(), JournalError> {
        connection.execute(
            "INSERT INTO owner VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.epoch.cast_signed(),
                self.batch.cast_signed(),
                self.chain,
                self.runs.cast_signed(),
                self.records.cast_signed(),
                self.seal(),
            ],
        )?;
        Ok(())
    }

    /// The row after one more commit.
    pub(super) fn next(&self) -> Totals {
        let batch = self.batch + 1;
        Totals {
            batch,
            chain: seal(&[&self.chain, &self.epoch.to_le_bytes(), &batch.to_le_bytes()]),
            ..self.clone()
        }
    }

    /// Makes what this commit did part of the chain of commits.
    pub(super) fn cover(&mut self, what: &[u8]) {
        self.chain = seal(&[&self.chain, what]);
    }

    pub(super) fn note(&self) -> Note {
        Note {
            epoch: self.epoch,
            batch: self.batch,
            chain: self.chain,
        }
    }

    fn seal(&self) -> Link {
        seal(&[
            b"owner",
            &self.epoch.to_le_bytes(),
            &self.batch.to_le_bytes(),
            &self.chain,
            &self.runs.to_le_bytes(),
            &self.records.to_le_bytes(),
        ])
    }
}

/// Refuses a database that is older than the note beside it. The note must be
/// read before the database, which may go on meanwhile.
pub(super) fn compare(note: Option<Note>, totals: Option<&Totals>) -> Result<(), JournalError> {
    let Some(note) = note else { return Ok(()) };
    let there = totals.map(Totals::note).unwrap_or_default();
    if note.batch > there.batch {
        let batches = note.batch - there.batch;
        return Err(JournalError::Lost { batches });
    }
    if note.batch == there.batch && note != there {
        return Err(JournalError::Damaged(
            "the last commit is not the one that `journal.head` tells of".to_owned(),
        ));
    }
    Ok(())
}

/// Whether some process owns the journal of this folder now. Who opens it in the
/// same moment may be told that it is locked.
pub fn held(dir: &Path) -> Result<bool, JournalError> {
    let path = dir.join("owner.lock");
    let fail = |error| JournalError::io("look at", &path, &error);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(fail(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

/// Locks the journal for this process, until the file is dropped.
pub(super) fn lock(dir: &Path, owner: &str, take_over: bool) -> Result<File, JournalError> {
    let path = dir.join("owner.lock");
    let fail = |error| JournalError::io("lock", &path, &error);
    let mut file = schema::open_file(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if take_over => {
            // The stopped owner keeps its lock on a file that has no name any more.
            let fresh = dir.join("owner.lock.new");
            file = schema::open_file(&fresh).map_err(fail)?;
            file.try_lock().map_err(|_| JournalError::Locked {
                owner: "another that takes it over".to_owned(),
            })?;
            std::fs::rename(&fresh, &path).map_err(fail)?;
        }
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // What cannot be read is not shown; it is locked all the same.
            drop(file.take(1000).read_to_string(&mut owner));
            if owner.is_empty() {
                owner.push_str("an unknown process");
            }
            return Err(JournalError::Locked { owner });
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(owner.as_bytes())
    };
    write(&mut file).map_err(fail)?;
    Ok(file)
}
