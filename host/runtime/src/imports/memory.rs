//! `hotcell:capability/memory`: what plugins keep, through the broker.
//!
//! A change is an effect. What is read differs from run to run, as a clock does,
//! so it is recorded with the question and given again when the attempt is
//! executed again.

use hotcell_broker::memory as broker;
use hotcell_broker::{self as host, Broker, Caller, Capability, text};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::llm::{denial, denial_to_host};
use crate::bindings::capability::memory::{Entry, Error, Host, Trust};
use crate::cell::State;

/// The longest question that is recorded with its answer, in bytes.
const ASKED: usize = 256;

fn entry_to_guest(entry: broker::Entry) -> Entry {
    Entry {
        value: entry.value,
        version: entry.version,
        origin: entry.origin,
        trust: match entry.trust {
            broker::Trust::Inside => Trust::Inside,
            broker::Trust::Untrusted => Trust::Untrusted,
        },
        updated_unix_ms: entry.updated_unix_ms,
    }
}

fn error_to_guest(error: broker::MemoryError) -> Error {
    use broker::MemoryError as E;
    match error {
        E::Denied(reason) => Error::Denied(denial(reason)),
        E::VersionConflict(now) => Error::VersionConflict(now),
        E::QuotaExceeded => Error::QuotaExceeded,
        E::Invalid(text) => Error::Invalid(text),
        E::Failed(text) => Error::Failed(text),
    }
}

impl State {
    /// Reads something, unless the guest was told before.
    async fn look_up<T, G>(
        &mut self,
        what: &str,
        (namespace, words): (&str, &str),
        look: impl AsyncFnOnce(&Broker, &Caller) -> Result<T, broker::MemoryError>,
        to_guest: impl FnOnce(T) -> G,
    ) -> wasmtime::Result<Result<G, Error>>
    where
        G: Serialize + DeserializeOwned,
    {
        let asked = text::line(&format!("memory.{what} {namespace} {words}"), ASKED);
        if let Some(known) = self.recall::<Result<G, Error>>(&asked)? {
            if let Err(Error::Denied(reason)) = &known {
                let why: host::Denial = denial_to_host(reason.clone());
                let wanted = format!("read {namespace}");
                self.broker
                    .refused(&self.caller, Capability::Memory, &wanted, &why);
            }
            return Ok(known);
        }
        let bytes = namespace.len().saturating_add(words.len());
        let found = self.outside(bytes, look).await?;
        let found = found.map(to_guest).map_err(error_to_guest);
        Ok(self.read(&asked, found))
    }

    async fn change(&mut self, ask: broker::MemoryAsk) -> wasmtime::Result<Result<u64, Error>> {
        let result = self
            .outside(ask.bytes(), async |broker, caller| {
                broker.memory_change(caller, ask).await
            })
            .await?;
        Ok(result.map_err(error_to_guest))
    }
}

impl Host for State {
    async fn get(
        &mut self,
        namespace: String,
        key: String,
    ) -> wasmtime::Result<Result<Option<Entry>, Error>> {
        let (of, word) = (namespace.clone(), key.clone());
        let look = async move |broker: &Broker, caller: &Caller| {
            broker.memory_get(caller, &of, word).await
        };
        let to_guest = |found: Option<broker::Entry>| found.map(entry_to_guest);
        self.look_up("get", (&namespace, &key), look, to_guest)
            .await
    }

    async fn set(
        &mut self,
        namespace: String,
        key: String,
        value: String,
        expected: Option<u64>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let ask = broker::MemoryAsk::Set {
            namespace,
            key,
            value,
            expected,
        };
        let result = self.change(ask).await?;
        self.hand("memory.set", &result);
        Ok(result)
    }

    async fn delete(
        &mut self,
        namespace: String,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let ask = broker::MemoryAsk::Delete { namespace, key };
        let result = self.change(ask).await?.map(|_| ());
        self.hand("memory.delete", &result);
        Ok(result)
    }

    async fn keys(
        &mut self,
        namespace: String,
        prefix: String,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let (of, begin) = (namespace.clone(), prefix.clone());
        let look = async move |broker: &Broker, caller: &Caller| {
            broker.memory_keys(caller, &of, begin, limit).await
        };
        let words = format!("{limit} {prefix}");
        self.look_up("keys", (&namespace, &words), look, |keys| keys)
            .await
    }

    async fn search(
        &mut self,
        namespace: String,
        query: String,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<(String, f32)>, Error>> {
        let (of, words) = (namespace.clone(), query.clone());
        let look = async move |broker: &Broker, caller: &Caller| {
            broker.memory_search(caller, &of, words, limit).await
        };
        let words = format!("{limit} {query}");
        self.look_up("search", (&namespace, &words), look, |found| found)
            .await
    }
}
