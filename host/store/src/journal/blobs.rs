//! Large strings of a record are stored beside it, once for all that are alike.
//!
//! In a body as it is stored, `{"$blob":"<64 hex digits>"}` stands for a string.
//! What was appended may have keys of that name itself, and guests may have made
//! it: such a key gets one more `$` when it is stored and loses it when it is read,
//! so that nobody gets a string by naming its digest. Everything works on the text:
//! what is read is, byte for byte, what was appended.

use std::collections::HashMap;

use super::MAX_BODY;
use crate::Digest;

/// Strings that are longer than this, as JSON text, are stored apart.
const LARGE: usize = 4096;

/// What stands where a string was.
const BEFORE: &str = "{\"$blob\":\"";
const AFTER: &str = "\"}";

/// A large string, as JSON text with its quotes.
pub(super) type Blob = (Digest, String);

/// The body as it is stored, and the strings that were taken out.
pub(super) fn split(body: String) -> (String, Vec<Blob>) {
    if body.len() <= LARGE && !may_name_one(&body) {
        return (body, Vec::new());
    }
    let mut stored = String::with_capacity(body.len().min(2 * LARGE));
    let mut blobs = Vec::new();
    for token in Tokens(&body) {
        match token {
            Token::Key(key) if is_name(key) => {
                stored.push_str("\"$");
                stored.push_str(key.get(1..).unwrap_or_default());
            }
            Token::Value(text) if text.len() > LARGE => {
                let digest = Digest::of(text.as_bytes());
                stored.push_str(BEFORE);
                stored.push_str(&digest.hex());
                stored.push_str(AFTER);
                blobs.push((digest, text.to_owned()));
            }
            Token::Key(text) | Token::Value(text) | Token::Other(text) => stored.push_str(text),
        }
    }
    (stored, blobs)
}

/// The body as it was appended. Strings are asked for by the hex digits of their
/// digest; what is wrong is said in words.
pub(super) fn join(
    stored: String,
    mut find: impl FnMut(&str) -> Result<Option<String>, super::JournalError>,
) -> Result<Result<String, String>, super::JournalError> {
    if !may_name_one(&stored) {
        return Ok(Ok(stored));
    }
    let mut found: HashMap<&str, String> = HashMap::new();
    let mut body = String::with_capacity(stored.len());
    let mut rest = stored.as_str();
    // Outside of strings there is no quote after a `{` but that of a key, and in a
    // string there is none: so this is what `split` wrote, and keys alone are left.
    while let Some((before, after)) = rest.split_once(BEFORE) {
        keys_back(before, &mut body);
        let Some((hex, after)) = after.split_once(AFTER) else {
            return Ok(Err("a string is named and not ended".to_owned()));
        };
        if !found.contains_key(hex) {
            match find(hex)? {
                Some(text) if Digest::of(text.as_bytes()).hex() == hex => {
                    found.insert(hex, text);
                }
                Some(_) => return Ok(Err(format!("string {hex} is not what was written"))),
                None => return Ok(Err(format!("string {hex} is missing"))),
            }
        }
        let text = found.get(hex).map(String::as_str).unwrap_or_default();
        if (body.len() + text.len()) as u64 > MAX_BODY {
            return Ok(Err("it is larger than a record can be".to_owned()));
        }
        body.push_str(text);
        rest = after;
    }
    keys_back(rest, &mut body);
    Ok(Ok(body))
}

/// Takes the `$` from keys that have one too many.
fn keys_back(stored: &str, body: &mut String) {
    for token in Tokens(stored) {
        match token {
            Token::Key(key) if is_name(key) && key.starts_with("\"$") => {
                body.push('"');
                body.push_str(key.get(2..).unwrap_or_default());
            }
            Token::Key(text) | Token::Value(text) | Token::Other(text) => body.push_str(text),
        }
    }
}

/// Whether a key of ours may be in there, however it is spelt.
fn may_name_one(text: &str) -> bool {
    text.contains("blob") || text.contains("\\u")
}

/// Whether this key, with its quotes, is `$blob` with any number of `$`.
fn is_name(key: &str) -> bool {
    if !may_name_one(key) {
        return false;
    }
    let key: Result<String, _> = serde_json::from_str(key);
    key.is_ok_and(|key| key.starts_with('$') && key.trim_start_matches('$') == "blob")
}

/// The pieces of a JSON text: strings with their quotes, and what is between.
struct Tokens<'a>(&'a str);

enum Token<'a> {
    Key(&'a str),
    Value(&'a str),
    Other(&'a str),
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.0;
        let end = match text.find('"') {
            _ if text.is_empty() => return None,
            Some(0) => string_end(text),
            Some(quote) => quote,
            None => text.len(),
        };
        let (token, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        self.0 = rest;
        Some(if !token.starts_with('"') {
            Token::Other(token)
        } else if rest.trim_ascii_start().starts_with(':') {
            Token::Key(token)
        } else {
            Token::Value(token)
        })
    }
}

/// Where the string ends that this text begins with.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
