//! What a job may do inside its transaction.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::BooksError;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The longest value, in bytes: 4 MiB.
pub const MAX_VALUE: usize = 4 << 20;

/// The books, inside a transaction. What is read is true until it commits.
pub struct Page<'t> {
    pub(super) connection: &'t Connection,
}

impl Page<'_> {
    /// The text under a key.
    pub fn get(&self, shelf: &str, key: &str) -> Result<Option<String>, BooksError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT value FROM pages WHERE shelf = ?1 AND key = ?2")?;
        let row = select.query_row([shelf, key], |row| row.get(0));
        Ok(row.optional()?)
    }

    /// Writes a text under a key, over what is there.
    pub fn put(&self, shelf: &str, key: &str, value: &str) -> Result<(), BooksError> {
        let sizes = [
            ("a key", key.len(), MAX_KEY),
            ("a value", value.len(), MAX_VALUE),
        ];
        for (what, bytes, most) in sizes {
            if bytes > most {
                return Err(BooksError::TooLarge { what, bytes, most });
            }
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO pages (shelf, key, value) VALUES (?1, ?2, ?3) \
             ON CONFLICT (shelf, key) DO UPDATE SET value = ?3",
        )?;
        insert.execute(params![shelf, key, value])?;
        Ok(())
    }

    /// Forgets a key. Whether it was there.
    pub fn remove(&self, shelf: &str, key: &str) -> Result<bool, BooksError> {
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM pages WHERE shelf = ?1 AND key = ?2")?;
        Ok(delete.execute([shelf, key])? > 0)
    }

    /// Up to `limit` keys and values of a shelf whose keys begin with `prefix`, in
    /// the order of the keys' bytes, behind `after` if that is given.
    pub fn list(
        &self,
        shelf: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, String)>, BooksError> {
        // From the prefix on, until it is not the prefix any more: no key of another
        // prefix is read but the first.
        let mut select = self.connection.prepare_cached(
            "SELECT key, value FROM pages WHERE shelf = ?1 AND key >= ?2 \
             AND (?3 IS NULL OR key > ?3) ORDER BY key",
        )?;
        let mut rows = select.query(params![shelf, prefix, after])?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(row) = rows.next()? else { break };
            let key: String = row.get(0)?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key, row.get(1)?));
        }
        Ok(found)
    }

    /// What is written under a key as JSON.
    pub fn read<T: DeserializeOwned>(
        &self,
        shelf: &str,
        key: &str,
    ) -> Result<Option<T>, BooksError> {
        let text = self.get(shelf, key)?;
        let read = text.map(|text| serde_json::from_str(&text));
        read.transpose().map_err(|error| BooksError::Damaged {
            shelf: shelf.to_owned(),
            key: key.to_owned(),
            why: error.to_string(),
        })
    }

    /// Writes something under a key as JSON.
    pub fn write<T: Serialize>(&self, shelf: &str, key: &str, value: &T) -> Result<(), BooksError> {
        let text = serde_json::to_string(value)
            .map_err(|error| BooksError::Failed(format!("`{key}` is no JSON: {error}")))?;
        self.put(shelf, key, &text)
    }
}
