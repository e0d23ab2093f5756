//! Findings whose every word was chosen by somebody who means harm.

use serde_json::{Map, Value};

use super::super::{charts, html, json, markdown};
use super::fixture::agentarch;
use super::{named, parse, words};
use crate::findings::Findings;

/// Ends whatever it stands in: text, attributes, cells, items, code, lines.
const HARM: &str =
    "\u{202e}\u{0}<script>alert(1)</script>\" onload='x' & | ]]> --> `y` ](z) ![i](j)\n# h\n";

/// Fields whose words are the program's own.
const OURS: [&str; 6] = [
    "benchmark",
    "mode",
    "clock",
    "quantity",
    "family",
    "reading",
];

/// Maps whose keys are names that came from outside.
const NAMES: [&str; 7] = [
    "sets",
    "kinds",
    "fields",
    "statuses",
    "digests",
    "prices",
    "fault_rates",
];

/// The same words in the same places everywhere, so that names still match.
pub(super) fn study() -> Findings {
    let mut value = serde_json::to_value(agentarch()).unwrap();
    poison(&mut value, "");
    serde_json::from_value(value).unwrap()
}

fn poison(value: &mut Value, field: &str) {
    match value {
        Value::String(text) if !OURS.contains(&field) => text.push_str(HARM),
        Value::Array(values) => values.iter_mut().for_each(|value| poison(value, field)),
        Value::Object(values) => {
            let renamed = std::mem::take(values)
                .into_iter()
                .map(|(mut key, mut value)| {
                    poison(&mut value, &key);
                    if NAMES.contains(&field) {
                        key.push_str(HARM);
                    }
                    (key, value)
                });
            let renamed: Map<String, Value> = renamed.collect();
            *values = renamed;
        }
        _ => {}
    }
}

#[test]
fn no_word_does_anything_in_a_page_or_a_chart() {
    let findings = study();
    let page = html(&findings);
    let mut files: Vec<_> = charts(&findings).into_iter().map(|(_, svg)| svg).collect();
    assert_eq!(files.len(), 9);
    files.push(page);
    for file in files {
        let doc = parse(&file);
        assert!(named(&doc, "script").is_empty());
        for node in doc.descendants() {
            for attribute in node.attributes() {
                assert!(!attribute.name().starts_with("on"), "{}", attribute.name());
            }
        }
        let said = words(doc.root_element());
        assert!(
            said.contains("<script>alert(1)</script>\" onload='x' & |"),
            "{said}"
        );
        assert!(said.contains("\\u{202e}\\u{0}"));
        assert!(!file.contains('\u{202e}') && !file.contains('\u{0}'));
    }
}

#[test]
fn no_word_does_anything_in_markdown() {
    let text = markdown(&study());
    for harm in ["<script", "</script", "\u{202e}", "\u{0}"] {
        assert!(!text.contains(harm), "{harm:?}");
    }
    assert!(text.contains("\\](z)"), "nothing of it is there");
    for line in text.lines() {
        assert!(!line.starts_with("# h"), "{line}");
        assert!(!line.replace("\\](", "").contains("](z)"), "{line}");
        assert!(!line.replace("\\](", "").contains("](j)"), "{line}");
        assert!(!line.replace("\\`", "").contains("`y"), "{line}");
    }
}

#[test]
fn no_word_is_lost_or_hidden_in_json() {
    let findings = study();
    let text = json(&findings).unwrap();
    assert!(!text.contains('\u{202e}') && !text.contains('\u{0}'));
    let again: Findings = serde_json::from_str(&text).unwrap();
    assert!(again.failed == findings.failed && again.meta.notes[1..] == findings.meta.notes);
}
