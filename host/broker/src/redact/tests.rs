use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;

/// What stands for chance: the same numbers in every run.
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
        (self.0 >> 33) as usize % below
    }
}

const KEYS: [&str; 6] = [
    "hotcell-canary-a1B2c3D4",
    "pa\"ss\\wo/rd 7&é",
    "AKIA/+=ABCDEFGH12",
    "12345678",
    "aaaaaaaaab",
    "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----",
];

fn redactor() -> Arc<Redactor> {
    let named = KEYS.iter().enumerate();
    let values = named.map(|(at, key)| (format!("key-{at}").into(), (*key).into()));
    Arc::new(Redactor::new(values.collect()).unwrap())
}

/// A name for a form, and how it is written.
type Form = (&'static str, fn(&str) -> String);

const FORMS: [Form; 12] = [
    ("raw", str::to_owned),
    ("upper case", str::to_ascii_uppercase),
    ("reversed", |key| key.chars().rev().collect()),
    ("hex", |key| {
        key.bytes().map(|b| format!("{b:02x}")).collect()
    }),
    ("HEX", |key| {
        key.bytes().map(|b| format!("{b:02X}")).collect()
    }),
    ("base64", |key| BASE64_STANDARD.encode(key)),
    ("base64 behind one", |key| {
        BASE64_STANDARD.encode(format!(":{key}!"))
    }),
    ("base64 behind two", |key| {
        BASE64_URL_SAFE_NO_PAD.encode(format!("u:{key}@"))
    }),
    ("percent", |key| {
        url::form_urlencoded::byte_serialize(key.as_bytes()).collect()
    }),
    ("all percent", |key| {
        key.bytes().map(|b| format!("%{b:02X}")).collect()
    }),
    ("json", |key| json!(key).to_string()),
    ("json in json", |key| {
        json!(json!(key).to_string()).to_string()
    }),
];

/// So much of a form must not be left: of base64 the first and the last group
/// hold other bytes as well.
fn core(form: &str) -> &str {
    let inner = form.get(4..form.len() - 6);
    inner.filter(|inner| inner.len() >= 8).unwrap_or(form)
}

#[test]
fn no_form_of_a_secret_survives_in_a_text() {
    let all = redactor();
    for key in KEYS {
        for (name, form) in FORMS {
            let form = form(key);
            let text = format!("before {form} after");
            let clean = all.text(&text);
            assert!(!clean.contains(core(&form)), "{name} of {key}: {clean}");
            assert!(clean.contains("[redacted:key-"), "{name} of {key}: {clean}");
            assert!(all.found(&text).is_some(), "{name} of {key}");
            assert_eq!(all.text(&clean), clean, "{name} of {key}");
        }
    }
}

#[test]
fn escapes_that_are_mixed_are_read() {
    let all = redactor();
    let table = [
        r"\u0068otcell-\\u0063anary-a1B2c3D4",
        "hotcell%2dcanary%2Da1B2c3D%34",
        r"pa\u0022ss\\wo\/rd 7&\u00E9",
    ];
    for text in table {
        let clean = all.text(text);
        assert!(clean.starts_with("[redacted:key-"), "{text}: {clean}");
        assert!(clean.ends_with(']'), "{text}: {clean}");
    }
}

#[test]
fn no_chunking_lets_a_secret_through_or_changes_anything_else() {
    let all = redactor();
    let mut draws = Draws(7);
    for round in 0..600 {
        let mut text = String::new();
        let mut cores = Vec::new();
        for _ in 0..6 {
            // Words that begin like secrets, and secrets in some form.
            let key = KEYS[draws.next(KEYS.len())];
            let begun = key.chars().take(draws.next(7)).collect::<String>();
            text.push_str(&begun);
            text.push_str([" ", "", "\n", "é", "aaaa"][draws.next(5)]);
            if draws.next(2) == 0 {
                let form = FORMS[draws.next(FORMS.len())].1(key);
                cores.push(core(&form).to_owned());
                text.push_str(&form);
            }
        }
        let mut whole = Stream::new(Arc::clone(&all));
        let mut expected = whole.push(text.as_bytes());
        expected.extend(whole.finish());
        let mut stream = Stream::new(Arc::clone(&all));
        let mut out = Vec::new();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (piece, next) = rest.split_at(1 + draws.next(rest.len().min(40)));
            out.extend(stream.push(piece));
            rest = next;
        }
        out.extend(stream.finish());
        assert_eq!(out.len(), text.len(), "{round}");
        assert_eq!(out, expected, "{round}: {text}");
        assert_eq!(stream.found(), out != text.as_bytes(), "{round}");
        let out = String::from_utf8_lossy(&out);
        for core in cores {
            assert!(!out.contains(&core), "{round}: {core} in {out}");
        }
    }
}

#[test]
fn bytes_that_cannot_become_a_secret_are_not_held_back() {
    let mut stream = Stream::new(redactor());
    assert_eq!(stream.push(b"nothing here, "), b"nothing here, ");
    assert_eq!(stream.push(b"but hotcell-can"), b"but ");
    assert_eq!(stream.push(b"not!"), b"hotcell-cannot!");
    assert_eq!(stream.finish(), b"");
    assert!(!stream.found());
}

#[test]
fn json_stays_json_and_keeps_its_shape() {
    let all = redactor();
    let value = json!({
        KEYS[0]: [KEYS[1], 1, null, {"n": "plain", "d": json!({"k": KEYS[1]}).to_string()}],
    });
    for text in [
        value.to_string(),
        serde_json::to_string_pretty(&value).unwrap(),
    ] {
        let clean = all.json(&text);
        let read: Value = serde_json::from_str(&clean).unwrap();
        let expected = json!({
            "[redacted:key-0]": ["[redacted:key-1]", 1, null,
                {"n": "plain", "d": r#"{"k":"[redacted:key-1]"}"#}],
        });
        assert_eq!(read, expected);
        assert_eq!(text.lines().count(), clean.lines().count());
    }
    // An escape that belongs to no secret is not torn.
    let text = r#"{"a":"\n12345678"}"#;
    assert_eq!(all.json(text), r#"{"a":"\n[redacted:key-3]"}"#);
    assert!(matches!(all.json(r#"{"a":"\n1234567"}"#), Cow::Borrowed(_)));
}

#[test]
fn what_overlaps_is_taken_out_as_one() {
    let values = vec![
        ("a".into(), "abcdefghij".into()),
        ("b".into(), "ghijklmnop".into()),
    ];
    let all = Arc::new(Redactor::new(values).unwrap());
    assert_eq!(all.text("<abcdefghijklmnop>"), "<[redacted:a]>");
    let mut stream = Stream::new(all);
    let mut out = stream.push(b"<abcdefghij");
    out.extend(stream.push(b"klmnop>"));
    out.extend(stream.finish());
    assert_eq!(out, b"<****************>");
}

#[test]
fn what_would_be_found_everywhere_is_refused() {
    let short = |text: &str| Redactor::new(vec![("a".into(), text.into())]).err();
    assert_eq!(short("1234567"), Some(TooShort::Bytes(7)));
    assert_eq!(short(""), Some(TooShort::Bytes(0)));
    assert_eq!(short("12345678"), None);
    assert_eq!(watch("short", "1234567"), Err(TooShort::Bytes(7)));
}

#[test]
fn what_is_watched_stays_out_of_the_gate_and_of_what_leaves() {
    let old = "watched-until-rotated";
    for (at, value) in [(1, old), (2, "watched-from-then-on")] {
        watch("rotated", value).unwrap();
        watch("rotated", value).unwrap();
        let text = format!("{at}: {value} and {old}");
        let clean = format!("{at}: [redacted:rotated] and [redacted:rotated]");
        assert_eq!(crate::text::line(&text, 200), clean);
        assert_eq!(crate::text::screen(&text, false), clean);
        assert_eq!(
            found_in(&json!([{ "a": [text] }])).as_deref(),
            Some("rotated")
        );
        assert_eq!(
            super::value(json!({ "a": value }))["a"],
            "[redacted:rotated]"
        );
    }
    // Cut in its middle it would not be found.
    let long = format!("{}{old}", "x".repeat(20));
    assert!(!crate::text::line(&long, 64).contains("watched"));
    // The oldest of a name are forgotten in the end.
    for n in 0..KEPT {
        watch("rotated", &format!("value-number-{n}")).unwrap();
    }
    assert_eq!(found(old), None);
    assert_eq!(found("value-number-0").as_deref(), Some("rotated"));
}

#[test]
fn each_form_is_looked_for_once() {
    let forms = forms::of("abcdefgh");
    let distinct: BTreeSet<_> = forms.iter().collect();
    assert_eq!(forms.len(), distinct.len());
    assert!(forms.iter().all(|form| form.len() >= SHORTEST), "{forms:?}");
}
