//! A text with its escapes read, and the way back to where they stand.

use std::ops::Range;

/// A text as it is read.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Where in the text each byte begins; then the text's end.
    from: Vec<usize>,
}

/// The views of a text that has escapes: backslashes read, percent signs read.
pub(super) fn of(text: &str) -> impl Iterator<Item = View> {
    let backslash = text.contains('\\').then(|| View::new(text, backslash));
    let percent = text.contains('%').then(|| View::new(text, percent));
    backslash.into_iter().chain(percent)
}

impl View {
    /// `read` gives what an escape means and how long it is, if one is there.
    fn new(text: &str, read: impl Fn(&str) -> Option<(char, usize, bool)>) -> View {
        let mut view = View {
            bytes: Vec::with_capacity(text.len()),
            from: Vec::with_capacity(text.len() + 1),
        };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (means, length, byte) = read(rest).unwrap_or((first, first.len_utf8(), false));
            let at = text.len() - rest.len();
            if byte {
                view.bytes.push(u32::from(means) as u8);
            } else {
                let mut written = [0; 4];
                let written = means.encode_utf8(&mut written);
                view.bytes.extend_from_slice(written.as_bytes());
            }
            view.from.resize(view.bytes.len(), at);
            rest = rest.get(length..).unwrap_or_default();
        }
        view.from.push(text.len());
        view
    }

    /// The part of the text that these bytes were read from.
    pub(super) fn back(&self, at: &Range<usize>) -> Option<Range<usize>> {
        let end = self.from.get(at.end)?;
        Some(*self.from.get(at.start)?..*end)
    }
}

/// Any number of backslashes and what they mean: escapes inside of escapes. Before
/// anything that is no escape they are one of themselves.
fn backslash(text: &str) -> Option<(char, usize, bool)> {
    let rest = text.trim_start_matches('\\');
    let slashes = text.len() - rest.len();
    if slashes == 0 {
        return None;
    }
    let first = rest.chars().next()?;
    if first == 'u' {
        let unit = |text: &str| u32::from_str_radix(text.get(1..5)?, 16).ok();
        let one = unit(rest)?;
        if let Some(read) = char::from_u32(one) {
            return Some((read, slashes + 5, false));
        }
        // Half of a pair; the other must follow.
        let next = rest.get(5..)?.trim_start_matches('\\');
        let second = unit(next).filter(|_| next.starts_with('u'))?;
        let both = char::decode_utf16([one as u16, second as u16])
            .next()?
            .ok()?;
        return Some((both, text.len() - next.len() + 5, false));
    }
    let means = match first {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '"' | '/' => first,
        _ => return Some(('\\', slashes, false)),
    };
    Some((means, slashes + 1, false))
}

/// A percent sign and two digits: one byte.
fn percent(text: &str) -> Option<(char, usize, bool)> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    Some((char::from(byte), 3, true))
}
