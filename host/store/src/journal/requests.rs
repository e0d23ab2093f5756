//! What other processes ask of the owner, which looks for it now and then.
//!
//! Asking needs no ownership. What is asked is read as hostile: it is a run's id
//! and a word, cut to what such a thing may be long.

use std::path::Path;

use rusqlite::params;

use super::{Journal, JournalError, Reader, schema};

/// How many requests may wait.
const MOST: i64 = 1000;

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
    if waiting >= MOST {
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
                let taken = take.query_map([], |row| {
                    let asked = Asked {
                        run: row.get(1)?,
                        what: row.get(2)?,
                    };
                    Ok((row.get::<_, i64>(0)?, asked))
                })?;
                let mut taken: Vec<_> = taken.collect::<Result<_, _>>()?;
                taken.sort_by_key(|(id, _)| *id);
                Ok(taken.into_iter().map(|(_, asked)| asked).collect())
            })
        });
        taken.await
    }
}
