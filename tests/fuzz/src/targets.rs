//! What each target holds against any bytes, as plain functions: libFuzzer calls
//! them with what it makes up, `tests/seeds.rs` with the seeds. Each panics at
//! what may not be.

use std::net::IpAddr;

use hotcell_broker::egress::address::special;
use hotcell_broker::egress::origin::Origin;
use hotcell_broker::{Policy, text};
use url::Url;

/// The text gate: nothing hidden comes through, nothing is too long, a cut is
/// marked once, nobody else writes a mark, and JSON keeps its values.
pub fn text(data: &[u8]) {
    let Some((size, rest)) = data.split_first() else {
        return;
    };
    let max = 64 + usize::from(*size);
    let said = String::from_utf8_lossy(rest);
    let line = text::line(&said, max);
    assert!(line.len() <= max, "{} bytes, not {max}", line.len());
    assert!(!line.chars().any(|c| hidden(c) || c == '\n'), "{line:?}");
    assert_eq!(text::shorten(&line, max), line);
    let whole = text::line(&said, usize::MAX);
    assert!(!whole.contains('⟦'), "{whole:?}");
    if whole.len() <= max {
        assert_eq!(line, whole);
    } else {
        let (kept, mark) = line.split_once('⟦').expect("a mark");
        let count = mark.strip_suffix(" bytes more⟧").expect("a whole mark");
        let left: usize = count.parse().expect("a number");
        assert!(said.is_char_boundary(said.len() - left), "{line:?}");
        assert_eq!(kept, text::line(&said[..said.len() - left], usize::MAX));
    }
    for colours in [false, true] {
        let shown = text::screen(&said, colours);
        let plain = colourless(&shown, colours);
        assert!(!plain.chars().any(hidden), "{shown:?}");
        assert_eq!(text::screen(&shown, colours), shown);
    }
    let value = serde_json::json!({ said.clone(): [said] });
    let json = text::json(&value.to_string());
    assert!(!json.chars().any(|c| hidden(c) || c == '\n'), "{json:?}");
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read, value);
}

/// Told without the gate: controls besides the newline, what reorders, what has
/// no picture.
fn hidden(c: char) -> bool {
    let hidden = [
        0xad..=0xad,
        0x61c..=0x61c,
        0x180e..=0x180e,
        0x200b..=0x200f,
        0x2028..=0x202e,
        0x2060..=0x206f,
        0xfe00..=0xfe0f,
        0xfeff..=0xfeff,
        0xe0000..=0xe0fff,
    ];
    (c.is_control() && c != '\n') || hidden.iter().any(|range| range.contains(&u32::from(c)))
}

/// The text without what sets colours, where that is allowed.
fn colourless(text: &str, colours: bool) -> String {
    if !colours {
        return text.to_owned();
    }
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (numbers, rest) = part.split_once('m').expect("the end of a sequence");
        assert!(
            numbers.chars().all(|c| c.is_ascii_digit() || c == ';'),
            "{text:?}"
        );
        plain.push_str(rest);
    }
    plain
}

/// URLs: what is judged is what would be dialled, and an origin has one spelling.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(origin) = Origin::parse(text) {
        assert_eq!(
            Origin::parse(&origin.to_string()).as_ref(),
            Ok(&origin),
            "{text:?}"
        );
    }
    let Ok(url) = Url::parse(text) else {
        return;
    };
    let Ok(origin) = Origin::of(&url) else {
        return;
    };
    let host = origin.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    assert_eq!(bare.parse::<IpAddr>().ok(), origin.address(), "{text:?}");
    if let Some(IpAddr::V4(address)) = origin.address() {
        let mapped = IpAddr::V6(address.to_ipv6_mapped());
        assert_eq!(
            special(address.into()).is_some(),
            special(mapped).is_some(),
            "{text:?}"
        );
    }
    // The client hands the URL on as text, and its connector reads that again.
    if let Ok(uri) = url.as_str().parse::<http::Uri>() {
        assert_eq!(uri.host(), Some(host.as_str()), "{text:?}");
        let port = uri
            .port_u16()
            .unwrap_or(if origin.tls() { 443 } else { 80 });
        assert_eq!(Some(port), url.port_or_known_default(), "{text:?}");
    }
}

/// Policies: what is read can be written and read again, and means the same.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(policy) = toml::from_str::<Policy>(text) {
        let written = toml::to_string(&policy).expect("a policy can be written");
        assert_eq!(toml::from_str::<Policy>(&written).as_ref(), Ok(&policy));
    }
}

/// Manifests: one that is accepted has a name and limits in their ranges.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = crate::manifest::parse(data) {
        assert!(crate::manifest::is_name(&manifest.name));
        assert!(manifest.limits.check().is_ok());
    }
}
