//! What a human is shown before they decide: all that could deceive them is named.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::canonical;
use crate::text;

/// So many bytes of the beginning are shown, and of the end.
const HEAD: usize = 6 * 1024;
const TAIL: usize = 2 * 1024;

/// So many hosts are named.
const HOSTS: usize = 64;

/// Arguments, made to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As they are bound, with their keys in order, escaped. Of much the beginning
    /// and the end, and between them how much is left out.
    pub arguments: String,
    /// Bytes that are not shown.
    pub left_out: usize,
    /// Hosts in them, as the network sees them: `xn--…` is not what it looks like.
    pub hosts: Vec<String>,
    /// Whether there are characters that cannot be seen or that turn the order round.
    pub hidden: bool,
}

/// What there is to look at. `all` leaves nothing out.
pub fn shown(arguments: &str, all: bool) -> Shown {
    // What was asked for is JSON; else it would not have been asked.
    let whole = canonical(arguments).unwrap_or_else(|| arguments.to_owned());
    let long = whole.len() > HEAD + TAIL && !all;
    let (head, tail) = match long {
        true => (
            whole.floor_char_boundary(HEAD),
            whole.ceil_char_boundary(whole.len() - TAIL),
        ),
        false => (whole.len(), whole.len()),
    };
    let part = |range: std::ops::Range<usize>| {
        let part = whole.get(range).unwrap_or_default();
        // Nothing is cut here: that was done above, and is said.
        text::line(part, usize::MAX)
    };
    let left_out = tail - head;
    let arguments = match long {
        true => format!(
            "{}\n\u{27e6}{left_out} of {} bytes are not shown here\u{27e7}\n{}",
            part(0..head),
            whole.len(),
            part(tail..whole.len())
        ),
        false => part(0..whole.len()),
    };
    let gated = text::line(&whole, usize::MAX);
    Shown {
        arguments,
        left_out,
        hosts: hosts(&whole).into_iter().take(HOSTS).collect(),
        hidden: gated != whole,
    }
}

/// The hosts of all addresses in a text, and whatever looks like a host's name and is
/// not plain.
fn hosts(text: &str) -> BTreeSet<String> {
    let inside = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '<' | '>' | '\\');
    let mut found = BTreeSet::new();
    for word in text.split(|c| !inside(c)).filter(|word| word.len() <= 2048) {
        if let Some(at) = word.find("://") {
            let from = word.get(..at).unwrap_or_default();
            let scheme = from.rfind(|c: char| !c.is_ascii_alphanumeric());
            let from = scheme.map_or(0, |at| at + 1);
            let url = word.get(from..).and_then(|url| Url::parse(url).ok());
            found.extend(url.as_ref().and_then(Url::host_str).map(str::to_owned));
        } else if !word.is_ascii() && word.contains('.') {
            let name = word.rsplit('@').next().unwrap_or(word);
            let name = name.trim_matches(|c: char| !c.is_alphanumeric());
            if let Ok(Host::Domain(host)) = Host::parse(name) {
                found.insert(host);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_named() {
        let table = [
            (
                r#"{"to":"https://bank.example/pay"}"#,
                &["bank.example"][..],
                false,
            ),
            // A Cyrillic letter in it.
            (
                "{\"to\":\"https://b\u{430}nk.example\"}",
                &["xn--bnk-6cd.example"],
                false,
            ),
            (
                "{\"to\":\"b\u{430}nk.example\"}",
                &["xn--bnk-6cd.example"],
                false,
            ),
            (
                "{\"to\":\"me@b\u{430}nk.example\"}",
                &["xn--bnk-6cd.example"],
                false,
            ),
            (
                "{\"a\":\"https://good.example@evil.example/\"}",
                &["evil.example"],
                false,
            ),
            ("{\"a\":\"\u{202e}dog\"}", &[], true),
            ("{\"a\":\"\\u001b[31m\"}", &[], false),
            ("{\"a\":\"x\u{200b}y\"}", &[], true),
            ("{\"n\":1.5}", &[], false),
        ];
        for (arguments, hosts, hidden) in table {
            let shown = shown(arguments, false);
            assert_eq!(shown.hosts, hosts, "{arguments}");
            assert_eq!(shown.hidden, hidden, "{arguments}");
            assert_eq!(shown.left_out, 0);
            let control = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}');
            assert!(!shown.arguments.contains(control));
        }
    }

    #[test]
    fn the_end_of_a_megabyte_is_shown_and_what_is_left_out_is_counted() {
        let arguments = format!(
            "{{\"a\":\"{}\",\"z\":\"DANGER\"}}",
            "\u{e9}".repeat(500_000)
        );
        let some = shown(&arguments, false);
        assert!(some.arguments.ends_with("\"z\":\"DANGER\"}"));
        assert!(some.arguments.contains(&format!(
            "{} of {} bytes",
            some.left_out,
            arguments.len()
        )));
        assert!(some.arguments.len() < HEAD + TAIL + 100);
        let all = shown(&arguments, true);
        assert_eq!((all.left_out, all.arguments), (0, arguments));
    }
}
