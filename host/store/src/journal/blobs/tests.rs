use super::*;
use crate::journal::JournalError;

/// What is read when this was appended, from a store that keeps everything.
fn there_and_back(body: &str) -> (String, Vec<Blob>, String) {
    let (stored, blobs) = split(String::from(body));
    let find = |hex: &str| {
        let found = blobs.iter().find(|(digest, _)| digest.hex() == hex);
        Ok(found.map(|(_, text)| text.clone()))
    };
    let back = join(stored.clone(), find).unwrap().unwrap();
    (stored, blobs, back)
}

fn nothing(_: &str) -> Result<Option<String>, JournalError> {
    Ok(None)
}

#[test]
fn every_body_comes_back_as_it_was() {
    let long = "x".repeat(LARGE);
    let quotes = r#"\"\\"#.repeat(LARGE);
    let mark = format!("{BEFORE}{}{AFTER}", "0".repeat(64));
    let escaped = mark.replace('"', "\\\"");
    let bodies = [
        (0, "{}".to_owned()),
        (0, r#"{"a":1e999,"b":18446744073709551615}"#.to_owned()),
        (1, format!(r#""{long}""#)),
        (1, format!(r#"{{"z":"{long}","a":["{long}",1.0]}}"#)),
        (2, format!(r#"{{"z":"{quotes}","a":"{long}ü"}}"#)),
        (0, format!(r#"{{"{long}":1}}"#)),
        (0, mark.clone()),
        (1, format!(r#"{{"a":"{long}","b":{mark}}}"#)),
        (0, format!(r#"{{"a":"{escaped}"}}"#)),
        (1, format!(r#"{{"a":"{escaped}{long}"}}"#)),
        (0, r#"{"$$blob":"","$blob" : "","blob":"$blob"}"#.to_owned()),
        (0, r#"{"\u0024blob":1,"$\u0062lob":2,"$$":3}"#.to_owned()),
        (0, r#"["$blob","{","$$blob"]"#.to_owned()),
    ];
    for (strings, body) in bodies {
        let (stored, mut blobs, back) = there_and_back(&body);
        assert_eq!(back, body);
        blobs.dedup();
        assert_eq!(blobs.len(), strings, "{stored}");
    }
}

#[test]
fn what_names_a_string_without_having_it_does_not_get_it() {
    let secret = Digest::of(b"\"secret\"").hex();
    for key in ["$blob", "\\u0024blob", "$\\u0062lob"] {
        let body = format!("{{\"{key}\":\"{secret}\"}}");
        let (stored, _) = split(body.clone());
        let find = |_: &str| Ok(Some("\"secret\"".to_owned()));
        assert_eq!(join(stored, find), Ok(Ok(body)));
    }
}

#[test]
fn a_string_that_is_missing_or_another_is_said() {
    let (stored, _) = split(format!("\"{}\"", "x".repeat(LARGE)));
    let missing = join(stored.clone(), nothing).unwrap().unwrap_err();
    assert!(missing.ends_with("is missing"), "{missing}");
    let other = |_: &str| Ok(Some("\"y\"".to_owned()));
    let other = join(stored.clone(), other).unwrap().unwrap_err();
    assert!(other.ends_with("is not what was written"), "{other}");
    let cut = stored.trim_end_matches(AFTER).to_owned();
    assert!(join(cut, nothing).unwrap().is_err());
}

#[test]
fn a_body_that_names_a_string_too_often_is_not_made() {
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    let digest = Digest::of(text.as_bytes()).hex();
    let stored = format!(
        "[{}]",
        vec![format!("{BEFORE}{digest}{AFTER}"); 9].join(",")
    );
    let find = |_: &str| Ok(Some(text.clone()));
    let error = join(stored, find).unwrap().unwrap_err();
    assert!(error.contains("larger"), "{error}");
}
