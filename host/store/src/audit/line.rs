//! One line: how it is made, and how it is taken apart.

use super::START;
use crate::Digest;

/// The largest record, in bytes: 64 KiB.
pub const MAX_BODY: usize = 64 << 10;

/// The largest line: a record, two numbers and two hashes.
pub(super) const MAX_LINE: usize = MAX_BODY + 512;

/// What stands between a line's content and its hash.
const HASH: &str = ",\"hash\":\"";

/// A line taken apart. Nothing of it is checked but its shape.
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    pub(super) prev: &'a str,
    pub(super) hash: &'a str,
    /// What the hash is over.
    content: &'a str,
}

/// The line of a record, without the newline, and its hash.
pub(super) fn compose(seq: u64, prev: &str, body: &str) -> (String, String) {
    let fields = body.strip_prefix('{').unwrap_or(body);
    let open = fields.strip_suffix('}').unwrap_or(fields);
    let content = format!("{{\"seq\":{seq},\"prev_hash\":\"{prev}\",{open}");
    let hash = hash_of(&content);
    (format!("{content}{HASH}{hash}\"}}"), hash)
}

/// Whether a text can be the record of a line: one object in one line, not empty,
/// not too long.
pub(super) fn fits(body: &str) -> Result<(), &'static str> {
    if body.len() > MAX_BODY {
        return Err("it is too long");
    }
    let object = body.starts_with("{\"") && body.ends_with('}') && !body.contains('\n');
    match object {
        true => Ok(()),
        false => Err("it is no object in one line"),
    }
}

fn hash_of(content: &str) -> String {
    Digest::of(format!("{content}}}").as_bytes()).hex()
}

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Line<'a>> {
        let rest = line.strip_suffix("\"}")?;
        let at = rest.len().checked_sub(START.len())?;
        let (content, hash) = (rest.get(..at)?, rest.get(at..)?);
        let content = content.strip_suffix(HASH)?;
        let (seq, rest) = content.strip_prefix("{\"seq\":")?.split_once(',')?;
        let rest = rest.strip_prefix("\"prev_hash\":\"")?;
        let (prev, _) = rest.split_once("\",")?;
        Some(Line {
            seq: seq.parse().ok()?,
            prev,
            hash,
            content,
        })
    }

    /// Whether it is what was written.
    pub(super) fn is_whole(&self) -> bool {
        self.hash == hash_of(self.content)
    }
}
