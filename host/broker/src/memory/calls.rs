//! What plugins keep, asked for and changed on their behalf.

use super::receipt::Attempt;
use super::shelf::{KEYS, Shelf, Undone, Writer, check_key, check_value};
use super::{Entry, MemoryAccess, MemoryAsk, MemoryError, MemoryGrant, trust};
use crate::control::Worth;
use crate::perform::Terms;
use crate::recall::Question;
use crate::store::books::{Books, BooksError, Page};
use crate::tool::EffectKind;
use crate::{Broker, Caller, Capability, Denial, text};

/// What a change is made with.
pub(super) struct Place {
    books: Books,
    shelf: Shelf,
    grant: MemoryGrant,
}

impl Broker {
    /// The value under a key, if there is one. The grant is looked up each time.
    pub async fn memory_get(
        &self,
        caller: &Caller,
        namespace: &str,
        key: String,
    ) -> Result<Option<Entry>, MemoryError> {
        let place = self.memory(caller, MemoryAccess::Read, namespace)?;
        check_key(&key)?;
        let now = self.now(caller);
        place
            .read(move |shelf, page| shelf.get(page, &key, now))
            .await
    }

    /// Up to `limit` keys that start with `prefix`, sorted; never more than
    /// [`KEYS`].
    pub async fn memory_keys(
        &self,
        caller: &Caller,
        namespace: &str,
        prefix: String,
        limit: u32,
    ) -> Result<Vec<String>, MemoryError> {
        let place = self.memory(caller, MemoryAccess::Read, namespace)?;
        let limit = usize::try_from(limit).map_or(KEYS, |it| it.min(KEYS));
        let now = self.now(caller);
        place
            .read(move |shelf, page| shelf.keys(page, &prefix, limit, now))
            .await
    }

    /// Writes a value or forgets one. Gives the version that a value has now, or
    /// had before it was forgotten.
    ///
    /// It is one transaction, which keeps who made it. A write of which nobody
    /// knows whether it happened is therefore recognised, and is not made again.
    pub async fn memory_change(&self, caller: &Caller, ask: MemoryAsk) -> Result<u64, MemoryError> {
        let terms = || {
            let by = self.memory(caller, MemoryAccess::Write, ask.namespace())?;
            check_key(ask.key())?;
            if let MemoryAsk::Set { value, .. } = &ask {
                check_value(value)?;
            }
            Ok(Terms {
                effect: EffectKind::Idempotent,
                most: Worth::default(),
                by,
            })
        };
        let work = |asking: Caller, place: Place| {
            let (ask, writer) = (ask.clone(), self.writer(&asking));
            async move { place.change(ask, writer).await }
        };
        let number = caller.log.number();
        self.perform(caller, number, Question::Memory(&ask), terms, work)
            .await
    }

    fn writer(&self, asking: &Caller) -> Writer {
        let Caller {
            tenant, run, step, ..
        } = asking;
        // Without a journal nothing is ever made again by itself, and attempts are
        // not told apart by their steps.
        let attempt = asking
            .log
            .is_on()
            .then(|| Attempt::new(tenant, run, step, asking.attempt, asking.number()));
        Writer {
            plugin: asking.plugin.clone(),
            run: run.clone(),
            trust: trust(&self.inner.policy, &asking.plugin),
            now_unix_ms: self.now(asking),
            attempt,
        }
    }

    /// The namespace, if it is granted.
    pub(super) fn memory(
        &self,
        caller: &Caller,
        access: MemoryAccess,
        namespace: &str,
    ) -> Result<Place, MemoryError> {
        let wanted = access.of(namespace);
        self.allow(caller, Capability::Memory, &wanted)
            .map_err(MemoryError::Denied)?;
        let grants = self.inner.policy.plugin.get(&caller.plugin);
        let grant = grants.and_then(|it| it.memory(access, namespace));
        let (Some(grant), Some(books)) = (grant, &self.inner.books) else {
            return Err(MemoryError::Denied(Denial::Unavailable));
        };
        Ok(Place {
            books: books.clone(),
            shelf: Shelf::new(&caller.tenant, namespace),
            grant: grant.clone(),
        })
    }
}

impl Place {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Shelf, &Page<'_>) -> Result<T, BooksError> + Send + 'static,
    ) -> Result<T, MemoryError> {
        let shelf = self.shelf.clone();
        let read = self.books.write(move |page| look(&shelf, page)).await;
        read.map_err(|error| failed(&error))
    }

    async fn change(self, ask: MemoryAsk, by: Writer) -> Result<u64, MemoryError> {
        let Place {
            books,
            shelf,
            grant,
        } = self;
        let changed = books.write(move |page| match &ask {
            MemoryAsk::Set {
                key,
                value,
                expected,
                ..
            } => shelf.set(page, &grant, &by, (key, value), *expected),
            MemoryAsk::Delete { key, .. } => shelf.delete(page, &by, key),
        });
        changed.await.map_err(|undone| match undone {
            Undone::Memory(error) => error,
            Undone::Books(error) => failed(&error),
        })
    }
}

/// What a guest is told of it.
fn failed(error: &BooksError) -> MemoryError {
    MemoryError::Failed(text::line(&error.to_string(), text::LINE))
}
