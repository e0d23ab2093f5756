//! Other people's words, made safe for each form a report has.
//!
//! Arms, tasks, models and notes are named by whoever made the study. This crate
//! is a leaf and cannot pass them through the host's text gate, so what reorders
//! or hides text is made visible here in the same way.

use std::fmt::Write;

/// The longest text that a report shows, in characters.
const LONGEST: usize = 2000;

/// One line in which every character can be seen.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// The same, at most so many characters long.
pub(super) fn short(text: &str, most: usize) -> String {
    let text = line(text);
    if text.chars().count() <= most {
        return text;
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// For HTML and SVG, in text and in quoted attributes alike.
pub(super) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Allowed in no XML 1.0 document, however it is written.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// For Markdown, in paragraphs, items of lists and cells of tables alike.
pub(super) fn markdown(text: &str) -> String {
    let text = line(text);
    let text = text.trim();
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    // A line's beginning can make it a heading, an item or a rule.
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let mut at = 0;
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => out.push(c),
            '_' => out.push_str("\\_"),
            '#' | '-' | '+' | '=' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if at == digits && at > 0 && after == ' ' => {
                out.push('\\');
                out.push(c);
            }
            // Otherwise made a link without being asked.
            ':' if after == '/' => out.push_str("\\:"),
            '.' if out.ends_with("www") => out.push_str("\\."),
            '@' => out.push_str("\\@"),
            c => out.push(c),
        }
        before = c;
        at += 1;
    }
    out
}

/// JSON as serde writes it, with what reorders or hides text as `\u` escapes: it
/// stands inside strings only, so the values are the same.
pub(super) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Controls, separators of lines, and what Unicode calls default ignorable: as
/// the text gate has them.
fn is_hidden(c: char) -> bool {
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
    fn markup_cannot_be_broken_out_of() {
        assert_eq!(
            markup("<script>alert('1')</script>\" onload=\"x\n&"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x &amp;"
        );
        assert_eq!(
            markup("a\u{0}b\u{202e}c\u{ffff}"),
            "a\\u{0}b\\u{202e}c\u{fffd}"
        );
    }

    #[test]
    fn markdown_says_what_it_says() {
        let table = [
            ("a|b", "a\\|b"),
            ("a\nb", "a b"),
            ("state_machine", "state_machine"),
            ("_x_", "\\_x\\_"),
            ("# x", "\\# x"),
            ("  - x", "\\- x"),
            ("12. x", "12\\. x"),
            ("0.5 of 1.5", "0.5 of 1.5"),
            ("![x](y)", "!\\[x\\](y)"),
            ("<b>&", "&lt;b&gt;&amp;"),
            ("`x` *y* ~z~ $w$ \\", "\\`x\\` \\*y\\* \\~z\\~ \\$w\\$ \\\\"),
            ("https://x www.y a@b", "https\\://x www\\.y a\\@b"),
        ];
        for (text, safe) in table {
            assert_eq!(markdown(text), safe, "{text}");
        }
    }

    #[test]
    fn json_keeps_its_values_and_hides_nothing() {
        let value = serde_json::json!({"a": "\u{202e}x\u{e0041}\n"});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && is_hidden(c)), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn a_long_text_is_cut_where_one_can_see_it() {
        assert_eq!(short("voting", 6), "voting");
        assert_eq!(short("votings", 6), "votin…");
        assert_eq!(line(&"x".repeat(LONGEST + 9)).chars().count(), LONGEST + 1);
    }
}
