//! What other processes ask of the owner, which looks for it now and then.
//!
//! Asking needs no ownership. What is asked is read as hostile: it is a run's id
//! and a word, cut to what such a thing may be long.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::params;

use super::{Journal, JournalError, Reader, schema};

/// How many requests may wait.
const MOST: usize = 1000;

/// How long the id of a run in a request may be.
const RUN: usize = 256;

/// How long the word of a request may be.
const WORD: usize = 64;

/// Something that was asked of the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of which run.
    pub run: String,
    /// What to do with it.
    pub what: String,
}

/// Asks the owner of this folder's journal to do something with a run, and says
/// which run that is: the id may be cut as for [`Reader::run`]. The same is not
/// asked twice.
pub fn ask(dir: &Path, run: &str, what: &str) -> Result<Asked, JournalError> {
    let run = Reader::open(dir)?.run(run)?.run;
    if what.is_empty() || what.len() > WORD {
        return Err(JournalError::Failed(format!(
            "a request has between 1 and {WORD} bytes"
        )));
    }
    let connection = schema::asker(dir)?;
    let waiting: i64 =
        connection.query_row("SELECT count(*) FROM requests", [], |row| row.get(0))?;
    if usize::try_from(waiting).is_ok_and(|waiting| waiting >= MOST) {
        return Err(JournalError::Failed(format!(
            "{MOST} requests wait already: no owner is there to take them"
        )));
    }
    connection.execute(
        "INSERT INTO requests (run, what) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![run, what],
    )?;
    let what = what.to_owned();
    Ok(Asked { run, what })
}

impl Journal {
    /// Takes what other processes asked, in their order.
    pub async fn asked(&self) -> Result<Vec<Asked>, JournalError> {
        let taken = self.0.queue.alone(0, |writer| {
            let mut any = writer
                .connection()
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM requests)")?;
            if !any.query_row([], |row| row.get(0))? {
                return Ok(Vec::new());
            }
            drop(any);
            writer.commit(|connection, _| {
                let mut take =
                    connection.prepare_cached("DELETE FROM requests RETURNING id, run, what")?;
                let mut rows = take.query([])?;
                let mut taken = BTreeMap::new();
                while let Some(row) = rows.next()? {
                    // What is no request is none: nobody can stop the owner with it.
                    let text = |at, most| match row.get_ref(at).map(|value| value.as_str()) {
                        Ok(Ok(text)) if text.len() <= most => Some(text.to_owned()),
                        _ => None,
                    };
                    if let (Some(run), Some(what)) = (text(1, RUN), text(2, WORD))
                        && taken.len() < MOST
                    {
                        taken.insert(row.get::<_, i64>(0)?, Asked { run, what });
                    }
                }
                Ok(taken.into_values().collect())
            })
        });
        taken.await
    }
}
