//! Stored values of a scripted host. They end with the script.

use std::collections::BTreeMap;

use crate::Denial;
use crate::memory::{Entry, Error, Trust};

/// What plugins keep, by namespace.
#[derive(Default)]
pub(crate) struct Kept(BTreeMap<String, Namespace>);

#[derive(Default)]
struct Namespace {
    values: BTreeMap<String, (String, u64)>,
    /// The greatest version of what was forgotten.
    floor: u64,
}

impl Kept {
    /// A namespace that may be read and written.
    pub(crate) fn lend(&mut self, namespace: &str) {
        self.0.entry(namespace.to_owned()).or_default();
    }

    fn of(&mut self, namespace: &str) -> Result<&mut Namespace, Error> {
        let denial = match self.0.is_empty() {
            true => Denial::Unavailable,
            false => Denial::NotGranted(format!("memory {namespace}")),
        };
        self.0.get_mut(namespace).ok_or(Error::Denied(denial))
    }

    pub(crate) fn get(
        &mut self,
        namespace: &str,
        key: &str,
    ) -> Result<Option<Entry<String>>, Error> {
        let found = self.of(namespace)?.values.get(key);
        Ok(found.map(|(value, version)| Entry {
            value: value.clone(),
            version: *version,
            origin: "scripted".to_owned(),
            trust: Trust::Inside,
            updated_unix_ms: 0,
        }))
    }

    pub(crate) fn set(
        &mut self,
        namespace: &str,
        key: &str,
        value: &str,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let of = self.of(namespace)?;
        let before = of.values.get(key).map(|(_, version)| *version);
        let now = before.unwrap_or(0);
        if expected.is_some_and(|it| it != now) {
            return Err(Error::VersionConflict(now));
        }
        let version = before.unwrap_or(of.floor).saturating_add(1);
        of.values
            .insert(key.to_owned(), (value.to_owned(), version));
        Ok(version)
    }

    pub(crate) fn delete(&mut self, namespace: &str, key: &str) -> Result<(), Error> {
        let of = self.of(namespace)?;
        if let Some((_, version)) = of.values.remove(key) {
            of.floor = of.floor.max(version);
        }
        Ok(())
    }

    pub(crate) fn keys(
        &mut self,
        namespace: &str,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<String>, Error> {
        let keys = self.of(namespace)?.values.keys();
        let keys = keys.filter(|key| key.starts_with(prefix));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(keys.take(limit).cloned().collect())
    }

    /// The score is the share of the question's words that are in key or value.
    pub(crate) fn search(
        &mut self,
        namespace: &str,
        query: &str,
        limit: u32,
    ) -> Result<Vec<(String, f32)>, Error> {
        let query = query.to_lowercase();
        let words: Vec<&str> = query.split_whitespace().collect();
        let of = self.of(namespace)?;
        let score = |(key, (value, _)): (&String, &(String, u64))| {
            let text = format!("{key} {value}").to_lowercase();
            let found = words.iter().filter(|word| text.contains(**word)).count();
            (found > 0).then(|| (key.clone(), found as f32 / words.len() as f32))
        };
        let mut found: Vec<(String, f32)> = of.values.iter().filter_map(score).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }
}
