//! What takes out of a text what must never be written: secrets, which a crate
//! above knows.

use std::sync::OnceLock;

/// Gives a JSON text without what it must not hold; none if it held nothing.
pub type Scrub = fn(&str) -> Option<String>;

static SCRUB: OnceLock<Scrub> = OnceLock::new();

/// From now on everything is scrubbed before it is written. The first one stays:
/// there is one list of secrets for the process.
pub fn install(scrub: Scrub) {
    SCRUB.get_or_init(|| scrub);
}

/// A JSON text as it may be written.
pub(crate) fn scrubbed(text: String) -> String {
    let clean = SCRUB.get().and_then(|scrub| scrub(&text));
    clean.unwrap_or(text)
}
