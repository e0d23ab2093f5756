//! The database file of the books: its table, its version and how it is opened.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::BooksError;
use crate::private::only_for_owner;

/// The format that this version writes.
const FORMAT: i64 = 1;

/// `HOTB`: a database of somebody else is not taken for ours.
const APPLICATION: i64 = 0x484f_5442;

/// How long a transaction waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE pages (
    shelf TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (shelf, key)
) STRICT, WITHOUT ROWID;
";

/// The books of a folder, made when they are not there.
pub(super) fn open(dir: &Path) -> Result<Connection, BooksError> {
    fs::create_dir_all(dir).map_err(|error| BooksError::io("create", dir, &error))?;
    only_for_owner(dir, 0o700).map_err(|error| BooksError::io("protect", dir, &error))?;
    // Without `.` and `file:`, which SQLite would read as something else.
    let dir = fs::canonicalize(dir).map_err(|error| BooksError::io("find", dir, &error))?;
    let file = dir.join("books.db");
    let options = &mut fs::File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .and_then(|_| only_for_owner(&file, 0o600))
        .map_err(|error| BooksError::io("create", &file, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A key that is destroyed is not left in the file.
    connection.pragma_update(None, "secure_delete", "ON")?;
    make(&connection)?;
    Ok(connection)
}

pub(super) fn in_memory() -> Result<Connection, BooksError> {
    let connection = Connection::open_in_memory()?;
    make(&connection)?;
    Ok(connection)
}

/// Makes the table if nobody has, and checks whose it is. Two processes may come
/// at once.
fn make(connection: &Connection) -> Result<(), BooksError> {
    let number = |pragma: &str| -> Result<i64, BooksError> {
        Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
    };
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let made = (|| {
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 && number("application_id")? == 0 {
            connection.execute_batch(TABLES)?;
            connection.pragma_update(None, "application_id", APPLICATION)?;
            connection.pragma_update(None, "user_version", FORMAT)?;
        }
        match (number("application_id")?, number("user_version")?) {
            (APPLICATION, FORMAT) => Ok(()),
            (_, found) => Err(BooksError::Version {
                found,
                known: FORMAT,
            }),
        }
    })();
    connection.execute_batch(match made {
        Ok(()) => "COMMIT",
        Err(_) => "ROLLBACK",
    })?;
    made
}
