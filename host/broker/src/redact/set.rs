//! All values that are looked for, in all their forms, at once.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{SHORTEST, forms, views};

/// A value and the name that stands where it was.
pub(super) type Named = (Arc<str>, Arc<str>);

/// A value that cannot be looked for. It is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooShort {
    /// Fewer than [`SHORTEST`] bytes.
    #[error("it has {0} bytes; a secret has at least {SHORTEST}, or it would be found everywhere")]
    Bytes(usize),
    /// More than can be looked for.
    #[error("it is too long to be looked for")]
    Forms,
}

/// Finds values in texts.
pub struct Redactor {
    values: Vec<Named>,
    automaton: AhoCorasick,
    /// Whose form each pattern is.
    owners: Vec<usize>,
    /// All forms, in lower case and in order.
    sorted: Vec<Vec<u8>>,
    /// Bytes that a form begins with, in both cases.
    begins: [bool; 256],
    longest: usize,
}

/// A piece of a text that is a secret, and whose it is.
pub(super) struct Hit {
    pub(super) at: Range<usize>,
    owner: usize,
}

impl Redactor {
    /// What finds these values: each a name and a text.
    pub(super) fn new(values: Vec<Named>) -> Result<Redactor, TooShort> {
        let (mut patterns, mut owners) = (Vec::new(), Vec::new());
        for (owner, (_, value)) in values.iter().enumerate() {
            if value.len() < SHORTEST {
                return Err(TooShort::Bytes(value.len()));
            }
            for form in forms::of(value) {
                patterns.push(form.into_bytes());
                owners.push(owner);
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .map_err(|_| TooShort::Forms)?;
        let mut begins = [false; 256];
        for byte in patterns.iter().filter_map(|form| form.first()) {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                if let Some(begins) = begins.get_mut(usize::from(byte)) {
                    *begins = true;
                }
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        patterns.sort_unstable();
        patterns.dedup();
        Ok(Redactor {
            values,
            automaton,
            owners,
            sorted: patterns,
            begins,
            longest,
        })
    }

    pub(super) fn values(&self) -> &[Named] {
        &self.values
    }

    /// The name of a secret that is in this text, escapes of all kinds read.
    pub(super) fn found(&self, text: &str) -> Option<Arc<str>> {
        let owner = |text: &[u8]| {
            let hit = self.automaton.find(text)?;
            self.owners.get(hit.pattern().as_usize()).copied()
        };
        let found = owner(text.as_bytes()).or_else(|| {
            let mut views = views::of(text);
            views.find_map(|view| owner(&view.bytes))
        });
        Some(Arc::clone(&self.values.get(found?)?.0))
    }

    /// The text with a name where each secret was.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let hits = self.hits_in(text);
        if hits.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for Hit { at, owner } in hits {
            out.push_str(text.get(done..at.start).unwrap_or_default());
            let name = self.values.get(owner).map_or("", |(name, _)| name);
            out.push_str("[redacted:");
            out.push_str(name);
            out.push(']');
            done = at.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// The same for the strings and names of a JSON text.
    pub(super) fn json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.automaton.is_match(text) && !text.contains('\\') && !text.contains('%') {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        let (mut copied, mut rest) = (0, text);
        while let Some(quote) = rest.find('"') {
            let begin = text.len() - rest.len() + quote;
            let body = text.get(begin + 1..).unwrap_or_default();
            let Some(length) = end_of_string(body) else {
                break;
            };
            let end = begin + 1 + length + 1;
            let literal = text.get(begin..end).unwrap_or_default();
            if let Ok(read) = serde_json::from_str::<String>(literal)
                && let Cow::Owned(clean) = self.text(&read)
            {
                out.push_str(text.get(copied..begin).unwrap_or_default());
                out.push_str(&serde_json::Value::from(clean).to_string());
                copied = end;
            }
            rest = text.get(end..).unwrap_or_default();
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// Where secrets are in a text that is there as a whole.
    fn hits_in(&self, text: &str) -> Vec<Hit> {
        let mut hits = self.hits(text.as_bytes());
        for view in views::of(text) {
            let seen = self.hits(&view.bytes);
            hits.extend(seen.into_iter().filter_map(|hit| {
                let at = view.back(&hit.at)?;
                Some(Hit { at, ..hit })
            }));
        }
        merged(hits)
    }

    /// Where secrets are in these bytes: pieces that do not overlap, in order.
    pub(super) fn hits(&self, bytes: &[u8]) -> Vec<Hit> {
        // Most texts hold none, and then this is all.
        let Some(first) = self.automaton.find(bytes) else {
            return Vec::new();
        };
        let begin = first.end().saturating_sub(self.longest);
        let tail = bytes.get(begin..).unwrap_or_default();
        let hits = self.automaton.find_overlapping_iter(tail).map(|hit| Hit {
            at: begin + hit.start()..begin + hit.end(),
            owner: self
                .owners
                .get(hit.pattern().as_usize())
                .copied()
                .unwrap_or(0),
        });
        merged(hits.collect())
    }

    /// Where the last bytes begin that could become a secret with more behind them.
    pub(super) fn open(&self, bytes: &[u8]) -> usize {
        let first = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let could = |at: &usize| {
            let tail = bytes.get(*at..).unwrap_or_default();
            let begins = tail
                .first()
                .and_then(|it| self.begins.get(usize::from(*it)));
            begins.is_some_and(|begins| *begins) && self.begins_one(&tail.to_ascii_lowercase())
        };
        (first..bytes.len()).find(could).unwrap_or(bytes.len())
    }

    /// Whether a form begins with this and goes on.
    fn begins_one(&self, tail: &[u8]) -> bool {
        let at = self.sorted.partition_point(|form| form.as_slice() <= tail);
        let next = self.sorted.get(at);
        next.is_some_and(|form| form.starts_with(tail))
    }
}

/// Pieces that overlap are one, under the name of the first.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.at.start, std::cmp::Reverse(hit.at.end), hit.owner));
    let mut all: Vec<Hit> = Vec::new();
    for hit in hits {
        match all.last_mut() {
            Some(last) if hit.at.start < last.at.end => last.at.end = last.at.end.max(hit.at.end),
            _ => all.push(hit),
        }
    }
    all
}

/// The bytes of a JSON string up to its closing quote.
fn end_of_string(body: &str) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}
