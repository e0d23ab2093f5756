//! Which values are nearest in meaning to a question.

use super::shelf::Kept;
use super::{MemoryAccess, MemoryError};
use crate::hashed::{cosine, embed};
use crate::{Broker, Caller};

/// The most keys that one search finds.
pub const FOUND: usize = 64;

/// The longest question, in bytes.
const QUERY: usize = 8 * 1024;

/// So many bytes of a value are looked at.
const LOOKED_AT: usize = 2 * 1024;

/// The nearest so far, best first.
struct Best {
    found: Vec<(String, f32)>,
    most: usize,
}

impl Best {
    fn add(&mut self, key: String, score: f32) {
        if score <= 0.0 {
            return;
        }
        // Of those that are equally near the key that sorts first stays first.
        let at = self.found.partition_point(|(_, other)| *other >= score);
        if at < self.most {
            self.found.insert(at, (key, score));
            self.found.truncate(self.most);
        }
    }
}

impl Broker {
    /// Up to `limit` keys nearest to the query, best first; never more than
    /// [`FOUND`]. Keys that have nothing in common with it are not found.
    ///
    /// It looks at all entries of the namespace, a few at a time, so that others
    /// write meanwhile.
    pub async fn memory_search(
        &self,
        caller: &Caller,
        namespace: &str,
        query: String,
        limit: u32,
    ) -> Result<Vec<(String, f32)>, MemoryError> {
        let place = self.memory(caller, MemoryAccess::Read, namespace)?;
        if query.len() > QUERY {
            let why = format!("a query has at most {QUERY} bytes");
            return Err(MemoryError::Invalid(why));
        }
        let most = usize::try_from(limit).map_or(FOUND, |it| it.min(FOUND));
        let mut best = Best {
            found: Vec::new(),
            most,
        };
        let wanted = embed(&query);
        let now = self.now(caller);
        let mut after = None;
        loop {
            let from = after.clone();
            let some = place
                .read(move |shelf, page| shelf.some(page, "", from.as_deref()))
                .await?;
            let Some((last, _)) = some.last() else {
                return Ok(best.found);
            };
            after = Some(last.clone());
            for (key, kept) in some {
                if !kept.is_over(now) {
                    let score = cosine(&wanted, &embed(&words(&key, &kept)));
                    best.add(key, score);
                }
            }
            // A guest waits here, and its time may be up.
            tokio::task::yield_now().await;
        }
    }
}

/// What an entry is about: its key and the beginning of its value.
fn words(key: &str, kept: &Kept) -> String {
    let until = kept.value.floor_char_boundary(LOOKED_AT);
    let begin = kept.value.get(..until).unwrap_or_default();
    format!("{key} {begin}")
}
