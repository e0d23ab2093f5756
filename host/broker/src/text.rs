//! The text gate: every string that comes from a guest, a model or a stranger's
//! file passes here before it reaches a log, a terminal or a report.
//!
//! Control characters, ANSI escapes and bidirectional overrides are shown as
//! escapes, so that no plugin can draw on the operator's terminal or hide what
//! a line says; long texts are cut and the cut is marked.

/// The longest line a guest may put anywhere: 8 KiB.
pub const LINE: usize = 8 * 1024;

/// The text made safe for one line, at most `max` bytes before the mark of the
/// cut. Costs one pass and one allocation.
pub fn line(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for (at, c) in text.char_indices() {
        if out.len() >= max {
            out.push_str(&format!("… ({} bytes more)", text.len() - at));
            return out;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Controls (C0, C1, DEL) and the invisible characters that reorder or hide
/// text: U+200B–200F, U+2028–202E, U+2060–2069, U+FEFF.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_terminal_cannot_be_drawn_on() {
        assert_eq!(line("\u{1b}[31mred\u{7}", 100), "\\u{1b}[31mred\\u{7}");
        assert_eq!(line("a\r\nb\tc", 100), "a\\r\\nb\\tc");
    }

    #[test]
    fn text_cannot_be_reordered() {
        assert_eq!(line("ab\u{202e}cd", 100), "ab\\u{202e}cd");
    }

    #[test]
    fn a_long_text_is_cut_and_the_cut_is_marked() {
        assert_eq!(line("abcdef", 4), "abcd… (2 bytes more)");
        assert_eq!(line("ééé", 3), "éé… (2 bytes more)");
    }
}
