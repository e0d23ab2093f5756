//! Why the journal cannot do what it was asked.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

/// Why the journal cannot do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another owner has it.
    #[error("the journal is held by {owner}: end that first")]
    Locked {
        /// Who, in its own words.
        owner: String,
    },
    /// Another owner took it over: this one must not write any more.
    #[error("the journal was taken over by another owner")]
    Fenced,
    /// The disk is full. The run can be adopted again when there is space.
    #[error("the disk of the journal is full")]
    Full,
    /// The disk or the database failed. The journal writes nothing more.
    #[error("the journal failed: {0}")]
    Failed(String),
    /// A run is not what was written.
    #[error("run `{run}` is corrupt at record {seq}: {why}")]
    Corrupt {
        /// The run, as far as it can be told.
        run: String,
        /// The first record that is wrong; 0 is the run's row.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The journal is not what was written, and no run can be named.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// Acknowledged commits are not there any more.
    #[error(
        "the last {batches} commits of the journal are lost; to go on without them, \
         remove `journal.head` from its folder"
    )]
    Lost {
        /// How many.
        batches: u64,
    },
    /// A newer version wrote it.
    #[error("the journal has format {found}, this version knows {known}")]
    Version {
        /// The format that it has.
        found: i64,
        /// The newest format that is known.
        known: i64,
    },
    /// A run has as many records as it may have.
    #[error("run `{run}` would have more than {most} records")]
    TooLong {
        /// The run.
        run: String,
        /// How many it may have.
        most: u64,
    },
    /// A run's records are as large as they may be together.
    #[error("run `{run}` would have more than {most} bytes of records")]
    TooMuch {
        /// The run.
        run: String,
        /// How many bytes it may have.
        most: u64,
    },
    /// A record is larger than it may be.
    #[error("a record `{kind}` has {bytes} bytes, {most} are allowed")]
    TooLarge {
        /// What kind of record.
        kind: String,
        /// Its size.
        bytes: u64,
        /// Its greatest size.
        most: u64,
    },
    /// There is no such run.
    #[error("there is no run `{0}`")]
    Unknown(String),
    /// Several runs begin like this.
    #[error("several runs are like `{0}`: write more of it")]
    Ambiguous(String),
    /// There is such a run already.
    #[error("run `{0}` is in the journal already")]
    Exists(String),
    /// Somebody else appended to the run: what this log knows is out of date.
    #[error("run `{0}` was continued elsewhere")]
    Continued(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            JournalError::Locked { .. } => "storage.locked",
            JournalError::Fenced => "storage.fenced",
            JournalError::Full => "storage.full",
            JournalError::Failed(_) => "storage.failed",
            JournalError::Corrupt { .. } | JournalError::Damaged(_) => "storage.corrupt",
            JournalError::Lost { .. } => "storage.lost",
            JournalError::Version { .. } => "storage.version",
            JournalError::TooLong { .. } | JournalError::TooMuch { .. } => "limit.history",
            JournalError::TooLarge { .. } => "limit.record",
            JournalError::Unknown(_) => "storage.unknown",
            JournalError::Ambiguous(_) => "storage.ambiguous",
            JournalError::Exists(_) => "storage.exists",
            JournalError::Continued(_) => "storage.continued",
            JournalError::Closed => "storage.closed",
        }
    }

    /// A file of the journal cannot be used.
    pub(super) fn io(what: &str, path: &Path, error: &io::Error) -> JournalError {
        JournalError::Failed(format!("cannot {what} `{}`: {error}", path.display()))
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> JournalError {
        use rusqlite::Error;
        match &error {
            // A column that has not the type it was written with.
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows => return JournalError::Damaged(error.to_string()),
            _ => {}
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => JournalError::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                JournalError::Damaged(error.to_string())
            }
            _ => JournalError::Failed(error.to_string()),
        }
    }
}
