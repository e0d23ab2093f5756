//! The database file: its tables, its version and how it is opened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{JournalError, Sync};
use crate::private::only_for_owner;

/// The format that this version writes.
pub(super) const FORMAT: i64 = 1;

/// `HOTC`: a database of somebody else is not taken for ours.
const APPLICATION: i64 = 0x484f_5443;

/// How long a statement waits for another process that writes: one that asks
/// something of the owner, or an owner that is being replaced.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// Records lie in the order in which they came, with an index to find those of a
/// run: three times as fast as a table in the order of runs.
const TABLES: &str = "
CREATE TABLE owner (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    chain BLOB NOT NULL,
    runs INTEGER NOT NULL,
    records INTEGER NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE TABLE runs (
    num INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    workflow TEXT NOT NULL,
    task TEXT NOT NULL,
    created INTEGER NOT NULL,
    parent TEXT,
    parent_seq INTEGER,
    status TEXT NOT NULL,
    ended INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE INDEX runs_open ON runs (num) WHERE ended = 0;
CREATE INDEX runs_ended ON runs (updated, num) WHERE ended = 1;
CREATE INDEX runs_forked ON runs (parent) WHERE parent IS NOT NULL;
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_of_run ON records (run, seq);
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE uses (
    run INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (run, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_of_blob ON uses (digest);
CREATE TABLE cache (
    key BLOB PRIMARY KEY,
    value TEXT NOT NULL,
    expires INTEGER NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE INDEX cache_expiry ON cache (expires);
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    what TEXT NOT NULL,
    UNIQUE (run, what)
) STRICT;
";

/// The database file of a journal's folder.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("journal.db")
}

/// Makes the folder and an empty file for the owner alone. What SQLite puts beside
/// the file gets the file's mode.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf, JournalError> {
    fs::create_dir_all(dir).map_err(|error| JournalError::io("create", dir, &error))?;
    only_for_owner(dir, 0o700).map_err(|error| JournalError::io("protect", dir, &error))?;
    // Without `.` and `file:`, which SQLite would read as something else.
    let dir = fs::canonicalize(dir).map_err(|error| JournalError::io("find", dir, &error))?;
    open_file(&file(&dir)).map_err(|error| JournalError::io("create", &file(&dir), &error))?;
    fs::File::open(&dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| JournalError::io("sync", &dir, &error))?;
    Ok(dir)
}

/// A file of the journal, for its owner alone, made when it is not there.
pub(super) fn open_file(path: &Path) -> io::Result<fs::File> {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    only_for_owner(path, 0o600)?;
    Ok(file)
}

/// The connection that will write, and whether there is nothing in its database
/// yet. Nothing is written before [`make_writer`]: what is found may be evidence.
pub(super) fn owner(dir: &Path) -> Result<(Connection, bool), JournalError> {
    let connection = connect(dir)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = tables == 0 && number(&connection, "application_id")? == 0;
    if !is_new {
        check(&connection)?;
    }
    Ok((connection, is_new))
}

/// Makes a connection write as it should, and the tables when there are none.
pub(super) fn make_writer(
    connection: &mut Connection,
    sync: Sync,
    is_new: bool,
) -> Result<(), JournalError> {
    if is_new {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // It answers before it is done: only the end of it tells whether it is.
    let mut mode = String::new();
    let mut change = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = change.query([])?;
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    drop(rows);
    drop(change);
    if mode != "wal" {
        return Err(JournalError::Failed(format!(
            "its database cannot be changed from `{mode}` to `wal`"
        )));
    }
    let sync = match sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
        Sync::Off => "OFF",
    };
    connection.pragma_update(None, "synchronous", sync)?;
    if is_new {
        let tables = connection.transaction()?;
        tables.execute_batch(TABLES)?;
        tables.pragma_update(None, "application_id", APPLICATION)?;
        tables.pragma_update(None, "user_version", FORMAT)?;
        tables.commit()?;
    }
    Ok(())
}

/// A connection that only reads. It may be opened while an owner writes.
pub(super) fn reader(dir: &Path) -> Result<Connection, JournalError> {
    let connection = connect(dir)?;
    connection.pragma_update(None, "query_only", true)?;
    check(&connection)?;
    Ok(connection)
}

/// A connection that leaves a request to the owner.
pub(super) fn asker(dir: &Path) -> Result<Connection, JournalError> {
    let connection = connect(dir)?;
    check(&connection)?;
    Ok(connection)
}

fn connect(dir: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file(dir), flags)?;
    connection.busy_timeout(BUSY)?;
    // Whoever closes last would otherwise fold a damaged log into the database and
    // remove it, and with it what could tell that something is missing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // The owner's writer does it itself, between commits, and hears when it fails.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

fn check(connection: &Connection) -> Result<(), JournalError> {
    if number(connection, "application_id")? != APPLICATION {
        return Err(JournalError::Damaged(
            "`journal.db` is not the database of a journal".to_owned(),
        ));
    }
    match number(connection, "user_version")? {
        FORMAT => Ok(()),
        found => Err(JournalError::Version {
            found,
            known: FORMAT,
        }),
    }
}

fn number(connection: &Connection, pragma: &str) -> Result<i64, JournalError> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}
