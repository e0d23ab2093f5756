//! What must not be seen: every secret that this process knows is looked for in
//! everything that leaves it or reaches a guest, as it is and in the forms that
//! programs write texts in.
//!
//! There is one list for the whole process. A secret that is known in one place
//! must not be shown in another, and a sink that had to be handed the list could be
//! forgotten. It only grows: a value that was rotated out is looked for as well, as
//! it may still be good somewhere.
//!
//! | sink | function |
//! |---|---|
//! | a text, through the text gate | [`text()`] |
//! | JSON text: journal, results, tape | [`json`] |
//! | an answer that a guest gets | [`value`], and [`Stream`] for bytes that come in pieces |
//! | what leaves: prompts, arguments, URLs, heads, bodies | [`found`] and [`found_in`], which refuse |
//!
//! Found are, whatever their case: the value itself, reversed, in hex, in base64 (both
//! alphabets, wherever it begins in what was encoded), percent-encoded, and
//! escaped for JSON once or twice; also when escapes are mixed, in texts that are
//! there as a whole. Not found is what somebody hides on purpose in a form of his
//! own, so a value that must not leave is not given to a guest at all; and what is
//! compressed, so answers that carry a secret back must not be.

mod forms;
mod set;
mod stream;
mod views;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use set::{Redactor, TooShort};
pub use stream::Stream;

/// The shortest secret: 8 bytes. A shorter one is in too many harmless words.
pub const SHORTEST: usize = 8;

/// So many values of one name are looked for, the newest: 16.
pub const KEPT: usize = 16;

/// Whether anything is looked for at all; without secrets nothing costs anything.
static ANY: AtomicBool = AtomicBool::new(false);

static ALL: RwLock<Option<Arc<Redactor>>> = RwLock::new(None);

/// From now on a value is looked for. `name` stands where it was.
pub fn watch(name: &str, value: &str) -> Result<(), TooShort> {
    let has = |all: &Option<Arc<Redactor>>| {
        let values = all.as_ref().map(|all| all.values()).unwrap_or_default();
        values.iter().any(|(_, it)| **it == *value)
    };
    if has(&ALL.read().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(());
    }
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    if has(&all) {
        return Ok(());
    }
    let known = all.as_ref().map(|all| all.values());
    let mut values = known.unwrap_or_default().to_vec();
    values.push((name.into(), value.into()));
    let of_name = |values: &[set::Named]| values.iter().filter(|(it, _)| **it == *name).count();
    if of_name(&values) > KEPT
        && let Some(oldest) = values.iter().position(|(it, _)| **it == *name)
    {
        values.remove(oldest);
    }
    *all = Some(Arc::new(Redactor::new(values)?));
    drop(all);
    ANY.store(true, Ordering::Release);
    hotcell_store::scrub::install(in_json);
    Ok(())
}

/// Whether anything is looked for.
pub fn any() -> bool {
    ANY.load(Ordering::Acquire)
}

/// What is looked for, if anything is.
fn current() -> Option<Arc<Redactor>> {
    if !any() {
        return None;
    }
    ALL.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A text without secrets.
pub fn text(text: &str) -> Cow<'_, str> {
    match current() {
        Some(all) => all.text(text),
        None => Cow::Borrowed(text),
    }
}

/// JSON text without secrets in its strings and names. It stays JSON.
pub fn json(text: &str) -> Cow<'_, str> {
    match current() {
        Some(all) => all.json(text),
        None => Cow::Borrowed(text),
    }
}

fn in_json(text: &str) -> Option<String> {
    match json(text) {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    }
}

/// Something that a guest gets, without secrets.
pub fn value<T: Serialize + DeserializeOwned>(value: T) -> T {
    let Some(all) = current() else { return value };
    let Ok(text) = serde_json::to_string(&value) else {
        return value;
    };
    match all.json(&text) {
        Cow::Borrowed(_) => value,
        Cow::Owned(clean) => serde_json::from_str(&clean).unwrap_or(value),
    }
}

/// The name of a secret that is in this text.
pub fn found(text: &str) -> Option<Arc<str>> {
    current()?.found(text)
}

/// The name of a secret that is in what is about to leave.
pub fn found_in<T: Serialize>(value: &T) -> Option<Arc<str>> {
    let all = current()?;
    let value = serde_json::to_value(value).ok()?;
    found_below(&all, &value)
}

fn found_below(all: &Redactor, value: &Value) -> Option<Arc<str>> {
    match value {
        Value::String(text) => all.found(text),
        Value::Array(items) => items.iter().find_map(|item| found_below(all, item)),
        Value::Object(entries) => entries
            .iter()
            .find_map(|(name, item)| all.found(name).or_else(|| found_below(all, item))),
        _ => None,
    }
}

/// Bytes that are there as a whole, with stars for secrets.
pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    let Some(mut stream) = stream() else {
        return bytes.to_vec();
    };
    let mut clean = stream.push(bytes);
    clean.extend(stream.finish());
    clean
}

/// What finds secrets other than these in bytes that come in pieces.
pub fn stream_but(allowed: &BTreeSet<String>) -> Option<Stream> {
    let all = current()?;
    if allowed.is_empty() {
        return Some(Stream::new(all));
    }
    let values = all.values().iter();
    let others = values.filter(|(name, _)| !allowed.contains(&**name));
    // None of them is too short: they were looked for before.
    let others = Redactor::new(others.cloned().collect()).ok()?;
    Some(Stream::new(Arc::new(others)))
}

/// What takes secrets out of bytes that come in pieces; none if there are none to
/// be found.
pub fn stream() -> Option<Stream> {
    current().map(Stream::new)
}
