//! Values kept under a key until they expire: answers that may stand in for one
//! that cannot be had. A value that is damaged is absent.

use rusqlite::{OptionalExtension, params};

use super::chain::{Link, seal};
use super::{Journal, JournalError};
use crate::Digest;

/// A value that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// What was kept.
    pub value: String,
    /// Until when it is of use. It may be past.
    pub expires_unix_ms: u64,
}

impl Cached {
    fn seal(&self, key: &Digest) -> Link {
        let expires = self.expires_unix_ms.to_le_bytes();
        seal(&[b"cache", key.bytes(), &expires, self.value.as_bytes()])
    }
}

impl Journal {
    /// What is kept under this key. Whose it is must be part of the key.
    pub async fn cached(&self, key: &Digest) -> Result<Option<Cached>, JournalError> {
        let key = *key;
        let read = self.0.queue.alone(0, move |writer| {
            let mut select = writer
                .connection()
                .prepare_cached("SELECT value, expires, seal FROM cache WHERE key = ?1")?;
            let row = select.query_row([key.bytes()], |row| {
                let cached = Cached {
                    value: row.get(0)?,
                    expires_unix_ms: row.get::<_, i64>(1)?.cast_unsigned(),
                };
                Ok((cached, row.get::<_, Link>(2)?))
            });
            match row.optional().map_err(JournalError::from) {
                Ok(found) => Ok(found),
                Err(JournalError::Damaged(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let found = read
            .await?
            .filter(|(cached, seal)| cached.seal(&key) == *seal);
        Ok(found.map(|(cached, _)| cached))
    }

    /// Keeps a value under this key, instead of what was there.
    pub async fn remember(
        &self,
        key: &Digest,
        value: String,
        expires_unix_ms: u64,
    ) -> Result<(), JournalError> {
        let key = *key;
        let cached = Cached {
            value,
            expires_unix_ms,
        };
        let kept = self.0.queue.alone(cached.value.len(), move |writer| {
            writer.commit(|connection, _| {
                let mut keep = connection.prepare_cached(
                    "INSERT INTO cache (key, value, expires, seal) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (key) DO UPDATE SET value = ?2, expires = ?3, seal = ?4",
                )?;
                let expires = cached.expires_unix_ms.cast_signed();
                keep.execute(params![
                    key.bytes(),
                    cached.value,
                    expires,
                    cached.seal(&key)
                ])?;
                Ok(())
            })
        });
        kept.await
    }
}
