//! The text gate: every string that comes from a guest, a model or a stranger's
//! file passes here before it reaches a log, a terminal, a record or a report.
//! There is no second gate; each sink has one function with one contract. Known
//! secrets do not pass it ([`crate::redact`]).
//!
//! | sink | function | what it promises |
//! |---|---|---|
//! | one line of a log, a record, a table | [`line()`] | no character that moves, hides or reorders; at most so many bytes, a mark where something was cut |
//! | a line that is shown shorter than it is kept | [`shorten`] | the same, for text that has been through [`line()`] |
//! | a file or a stream of JSON | [`json`] | the same characters as JSON escapes; the values are unchanged and not cut |
//! | the terminal, as the last step | [`screen`] | newlines and, where asked for, colours; nothing else that a terminal obeys |
//!
//! Sinks to come keep to the shape `fn(text, bounds) -> String`: HTML is [`line()`]
//! with `& < > " '` escaped, in text and in quoted attributes alike; a metric's
//! label is one of a fixed list or `other`, so that no guest makes new series.
//!
//! What was escaped can be told from nothing else only in JSON: in a line, `\n`
//! may be a newline or two characters that a guest wrote. Marks of cuts are the
//! gate's alone: their first character is escaped in everybody else's text.

use std::fmt::Write;

use hotcell_store::guard::Guard;

use crate::redact;

/// The longest line a guest may put anywhere, mark included: 8 KiB.
pub const LINE: usize = 8 * 1024;

/// How a mark starts: MATHEMATICAL LEFT WHITE SQUARE BRACKET.
const OPEN: char = '\u{27e6}';

/// No mark is longer, whatever it counts.
const MARK: usize = 40;

/// The text made safe for one line of at most `max` bytes, the mark of a cut
/// included (64 or more). One pass over what is kept, and one allocation.
pub fn line(text: &str, max: usize) -> String {
    let on = Guard::TextGate.on();
    // Before anything is escaped or cut: half of a secret would not be found.
    cut(&redact::text(text), max, |c, out| match c {
        _ if !on => out.push(c),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c == OPEN || is_hidden(c) => escape(c, out),
        c => out.push(c),
    })
}

/// A text that has been through [`line()`], at most `max` bytes long. Marks it
/// bears stay as they are; doing it again changes nothing.
pub fn shorten(gated: &str, max: usize) -> String {
    cut(gated, max, |c, out| out.push(c))
}

/// JSON text, as serde writes it, with the characters that a terminal or a
/// reader may act on as `\u` escapes. It means the same values: in JSON such
/// characters stand inside strings only.
pub fn json(text: &str) -> String {
    let on = Guard::TextGate.on();
    let text = redact::json(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !on || !is_hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// What is about to be written to a terminal, whoever made it: newlines stay,
/// and with `colours` the sequences that colour text. Strangers' words have been
/// through [`line()`] before; this is for those that were forgotten.
pub fn screen(text: &str, colours: bool) -> String {
    let on = Guard::TextGate.on();
    let mut out = String::with_capacity(text.len());
    let text = redact::text(text);
    let mut rest = &*text;
    while let Some(c) = rest.chars().next() {
        let colour = colour(rest);
        let (this, next) = rest.split_at(match colours {
            true if colour > 0 => colour,
            _ => c.len_utf8(),
        });
        rest = next;
        if c == '\n' || !on || !is_hidden(c) || this.len() > c.len_utf8() {
            out.push_str(this);
        } else {
            escape(c, &mut out);
        }
    }
    out
}

/// The length of the sequence that sets colours at the start of this text, 0 if
/// there is none: `ESC [`, digits and semicolons, `m`.
fn colour(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let numbers = body.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    match numbers.strip_prefix('m') {
        Some(rest) => text.len() - rest.len(),
        None => 0,
    }
}

fn cut(text: &str, max: usize, put: impl Fn(char, &mut String)) -> String {
    let room = max.saturating_sub(MARK);
    let mut out = String::with_capacity(text.len().min(max));
    // How much of both to keep if there is too much.
    let (mut kept, mut read) = (0, 0);
    for (at, c) in text.char_indices() {
        put(c, &mut out);
        if out.len() > max {
            out.truncate(kept);
            let _ = write!(out, "{OPEN}{} bytes more⟧", text.len() - read);
            return out;
        }
        if out.len() <= room {
            (kept, read) = (out.len(), at + c.len_utf8());
        }
    }
    out
}

fn escape(c: char, out: &mut String) {
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

/// Controls, separators of lines, and what Unicode calls default ignorable:
/// characters without a picture of their own, which reorder or hide text or
/// carry words that only a model reads (tags, variation selectors).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_cannot_be_drawn_on() {
        assert_eq!(line("\u{1b}[31mred\u{7}", 100), "\\u{1b}[31mred\\u{7}");
        assert_eq!(line("a\r\nb\tc", 100), "a\\r\\nb\\tc");
        assert_eq!(
            screen("a\n\u{1b}[1;33mb\u{1b}[0m\u{1b}[2J\u{9b}c\r", true),
            "a\n\u{1b}[1;33mb\u{1b}[0m\\u{1b}[2J\\u{9b}c\\u{d}"
        );
        assert_eq!(screen("\u{1b}[31mred\n", false), "\\u{1b}[31mred\n");
    }

    #[test]
    fn text_cannot_be_reordered_or_carry_hidden_words() {
        assert_eq!(line("ab\u{202e}cd", 100), "ab\\u{202e}cd");
        assert_eq!(
            line("a\u{e0041}\u{fe01}\u{ad}", 100),
            "a\\u{e0041}\\u{fe01}\\u{ad}"
        );
    }

    #[test]
    fn json_keeps_its_values_and_shows_nothing_hidden() {
        let value = serde_json::json!({"a\u{202e}": "\u{9b}31m\u{e0041}\u{1b}\n\u{7f}é\u{27e6}"});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && is_hidden(c)), "{text}");
        assert!(
            text.contains("\\u009b31m\\udb40\\udc41\\u001b\\n\\u007f"),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn a_long_text_is_cut_and_the_cut_is_marked() {
        let long = "a".repeat(100);
        let cut = format!("{}⟦76 bytes more⟧", "a".repeat(24));
        assert_eq!(line(&long, 64), cut);
        assert_eq!(line(&long[..64], 64), long[..64]);
        // Two bytes each: the cut is never in the middle of one.
        let cut = format!("{}⟦78 bytes more⟧", "é".repeat(11));
        assert_eq!(line(&format!("a{}", "é".repeat(50)), 63), format!("a{cut}"));
    }

    #[test]
    fn a_cut_is_marked_once_and_nobody_else_can_write_a_mark() {
        let long = line(&"a".repeat(1000), 100);
        assert_eq!(shorten(&long, 100), long);
        assert_eq!(line("ab⟦2 bytes more⟧", 100), "ab\\u{27e6}2 bytes more⟧");
        let mark = format!("⟦{} bytes more⟧", usize::MAX);
        assert!(mark.len() <= MARK, "{}", mark.len());
    }
}
