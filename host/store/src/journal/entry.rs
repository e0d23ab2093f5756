//! What is appended, and what is read.

use serde::Serialize;

use super::JournalError;
use super::blobs::{self, Blob};
use super::chain::Link;
use crate::scrub;

/// How many records a run may have.
pub const MAX_RECORDS: u64 = 50_000;

/// How many bytes the bodies of a run's records may have together: whoever reads a
/// run holds all of them.
pub const MAX_BYTES: u64 = 512 << 20;

/// How many bytes the body of a record may have.
pub const MAX_BODY: u64 = 8 << 20;

/// Something that happened, to be appended.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) kind: &'static str,
    pub(super) at_unix_ms: u64,
    pub(super) body: Result<Body, JournalError>,
}

/// What happened, as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) text: String,
    /// The large strings that were taken out of it.
    pub(super) blobs: Vec<Blob>,
    /// Its bytes before that.
    pub(super) bytes: u64,
}

impl Entry {
    /// Something of this kind that happened at this time. What is wrong with the
    /// body is said by the append. Large strings in it are stored once for all
    /// that are alike; a record reads back as what is given here.
    pub fn new<T: Serialize>(kind: &'static str, at_unix_ms: u64, body: &T) -> Entry {
        let body = match serde_json::to_string(body).map(scrub::scrubbed) {
            Ok(body) if body.len() as u64 <= MAX_BODY => {
                let bytes = body.len() as u64;
                let (text, blobs) = blobs::split(body);
                Ok(Body { text, blobs, bytes })
            }
            Ok(body) => Err(JournalError::TooLarge {
                kind: kind.to_owned(),
                bytes: body.len() as u64,
                most: MAX_BODY,
            }),
            Err(error) => Err(JournalError::Failed(format!(
                "a record `{kind}` is no JSON: {error}"
            ))),
        };
        Entry {
            kind,
            at_unix_ms,
            body,
        }
    }

    /// How much room it takes.
    pub(super) fn size(&self) -> usize {
        let body = self.body.as_ref();
        body.map_or(0, |body| usize::try_from(body.bytes).unwrap_or(usize::MAX))
    }
}

/// Something that happened, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the run, from 1.
    pub seq: u64,
    /// What kind of thing happened.
    pub kind: String,
    /// When.
    pub at_unix_ms: u64,
    /// What, as JSON.
    pub body: String,
}

/// An entry that has got its place, as it is stored.
pub(super) struct Placed {
    pub(super) seq: u64,
    pub(super) kind: &'static str,
    pub(super) at_unix_ms: u64,
    pub(super) body: Body,
    pub(super) hash: Link,
}
