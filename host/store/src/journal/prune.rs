//! Forgetting: runs that ended long ago, and what nobody refers to any more.
//!
//! It happens in pieces between commits, so that nobody who appends waits long. A
//! run that is not what was written is left for [`super::Reader::verify`] to find,
//! and a run that another was forked from stays as long as that one.

use rusqlite::{Connection, params};

use super::owner::Totals;
use super::reader::{COLUMNS, Stored, stored};
use super::{Journal, JournalError};

/// A piece ends with the run that makes it so many records.
const PIECE: u64 = 5000;

/// So many pages are given back at once.
const PAGES: u32 = 1000;

/// What is to be forgotten.
#[derive(Clone, Debug)]
pub struct Prune {
    /// Runs that ended, and whose last record is older than this.
    pub ended_before_unix_ms: u64,
    /// Runs of these statuses are kept all the same.
    pub keep: Vec<String>,
    /// The time: values that expired before it are forgotten too.
    pub now_unix_ms: u64,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Their records.
    pub records: u64,
    /// Large strings that no other run had.
    pub blobs: u64,
    /// Values that had expired.
    pub cached: u64,
}

/// Where the next piece begins: after this time, and this run of that time.
type Place = (i64, i64);

impl Journal {
    /// Forgets runs and values, and gives their space back.
    pub async fn prune(&self, what: Prune) -> Result<Pruned, JournalError> {
        let queue = &self.0.queue;
        let mut pruned = Pruned::default();
        let mut from = Some((i64::MIN, i64::MIN));
        while let Some(place) = from {
            let prune = what.clone();
            let piece = queue.alone(0, move |writer| {
                writer.commit(|connection, totals| forget(connection, totals, &prune, place))
            });
            let (piece, next) = piece.await?;
            pruned.runs += piece.runs;
            pruned.records += piece.records;
            pruned.blobs += piece.blobs;
            from = next;
        }
        loop {
            let now = what.now_unix_ms.cast_signed();
            let expired = queue.alone(0, move |writer| {
                writer.commit(|connection, _| {
                    let expired = connection.execute(
                        "DELETE FROM cache WHERE rowid IN \
                         (SELECT rowid FROM cache WHERE expires < ?1 LIMIT ?2)",
                        params![now, PIECE.cast_signed()],
                    )?;
                    Ok(expired as u64)
                })
            });
            match expired.await? {
                0 => break,
                expired => pruned.cached += expired,
            }
        }
        while queue
            .alone(0, |writer| writer.commit(|c, _| give_back(c)))
            .await?
        {}
        queue
            .alone(0, |writer| writer.checkpoint("TRUNCATE"))
            .await?;
        Ok(pruned)
    }
}

/// Forgets one piece, and says where the next one begins if there may be one.
fn forget(
    connection: &Connection,
    totals: &mut Totals,
    prune: &Prune,
    from: Place,
) -> Result<(Pruned, Option<Place>), JournalError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE ended = 1 AND updated < ?1 AND (updated, num) > (?2, ?3) \
         AND NOT EXISTS (SELECT 1 FROM runs AS fork WHERE fork.parent = runs.run) \
         ORDER BY updated, num"
    ))?;
    let before = i64::try_from(prune.ended_before_unix_ms).unwrap_or(i64::MAX);
    let mut rows = select.query(params![before, from.0, from.1])?;
    let mut pruned = Pruned::default();
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let place: Place = (row.get("updated")?, row.get("num")?);
        looked_at += 1;
        if let Ok(run) = stored(row)
            && !prune.keep.contains(&run.row.status)
            && is_whole(connection, &run)?
        {
            let uses = [run.num];
            pruned.blobs += connection
                .prepare_cached(
                    "DELETE FROM blobs WHERE digest IN (SELECT digest FROM uses WHERE run = ?1) \
                     AND NOT EXISTS (SELECT 1 FROM uses \
                     WHERE uses.digest = blobs.digest AND uses.run <> ?1)",
                )?
                .execute(uses)? as u64;
            for sql in [
                "DELETE FROM uses WHERE run = ?1",
                "DELETE FROM records WHERE run = ?1",
                "DELETE FROM runs WHERE num = ?1",
            ] {
                connection.prepare_cached(sql)?.execute(uses)?;
            }
            totals.runs -= 1;
            totals.records -= run.row.records;
            totals.cover(&run.last);
            pruned.runs += 1;
            pruned.records += run.row.records;
        }
        if looked_at + pruned.records >= PIECE {
            return Ok((pruned, Some(place)));
        }
    }
    Ok((pruned, None))
}

/// Whether all records of a run are there: otherwise the numbers would be wrong
/// afterwards.
fn is_whole(connection: &Connection, run: &Stored) -> Result<bool, JournalError> {
    let mut count = connection.prepare_cached("SELECT count(*) FROM records WHERE run = ?1")?;
    let records: i64 = count.query_row([run.num], |row| row.get(0))?;
    Ok(records.cast_unsigned() == run.row.records)
}

/// Gives some pages back, and says whether there are more.
fn give_back(connection: &Connection) -> Result<bool, JournalError> {
    let free = || connection.pragma_query_value(None, "freelist_count", |row| row.get(0));
    let before: i64 = free()?;
    let mut give = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = give.query([])?;
    while rows.next()?.is_some() {}
    let after: i64 = free()?;
    Ok(after > 0 && after < before)
}
