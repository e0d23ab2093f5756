//! What no guest may be handed: the labels of the data sets, by the names they have
//! here and in the files that users bring.

use serde_json::{Deserializer, Value};

/// What labels are called.
const DENIED: [&str; 9] = [
    "is_duplicate",
    "duplicate_of",
    "ocr_error_field",
    "missing_field",
    "is_ambiguous",
    "expected_matches",
    "reconciliation_status",
    "discrepancy_amount",
    "challenge_types",
];

/// How labels begin: `has_ocr_error`, `fraud_label`, `gold_label_confidence`.
const DENIED_STARTS: [&str; 3] = ["has_", "fraud_", "gold_"];

/// Whether a key names a label.
pub(crate) fn is_denied(key: &str) -> bool {
    DENIED.contains(&key) || DENIED_STARTS.iter().any(|start| key.starts_with(start))
}

/// The JSON pointer of every label in a value, at any depth. JSON inside of text
/// counts, whether the text is JSON as a whole or not, because prompts hold data
/// between sentences; its pointers go on behind that of the text.
///
/// Answers have fields that are called as labels are, and so have the forms that
/// ask for them: whoever looks through what a run handed to its guests has to leave
/// those places out.
pub(crate) fn leaks(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(value, String::new(), &mut found);
    found
}

/// Takes every label out of a value, at any depth.
pub(crate) fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !is_denied(key));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn walk(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = key.replace('~', "~0").replace('/', "~1");
                let pointer = format!("{pointer}/{name}");
                if is_denied(key) {
                    found.push(pointer.clone());
                }
                walk(value, pointer, found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, format!("{pointer}/{at}"), found);
            }
        }
        Value::String(text) => walk_text(text, &pointer, found),
        _ => {}
    }
}

/// Every place where JSON starts is tried. A value that does not end is given up at
/// the parser's own depth, so that this takes time in proportion to the text.
fn walk_text(text: &str, pointer: &str, found: &mut Vec<String>) {
    let mut rest = text;
    while let Some(start) = rest.find(['{', '[']) {
        rest = rest.get(start..).unwrap_or_default();
        let mut values = Deserializer::from_str(rest).into_iter::<Value>();
        let length = match values.next() {
            Some(Ok(value)) => {
                walk(&value, pointer.to_owned(), found);
                values.byte_offset()
            }
            _ => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_label_is_found_at_any_depth_and_inside_of_text() {
        let table = [
            (
                json!({"amount": 1, "status": "paid", "reason": "x"}),
                vec![],
            ),
            (json!({"has_ocr_error": false}), vec!["/has_ocr_error"]),
            (
                json!([{"a": {"gold_label": {"is_duplicate": true}}}]),
                vec!["/0/a/gold_label", "/0/a/gold_label/is_duplicate"],
            ),
            (json!({"a/b": {"fraud_x": 1}}), vec!["/a~1b/fraud_x"]),
            (
                json!({"prompt": "Look: {\"x\": [{\"challenge_types\": []}]} and [1, {\"missing_field\": 1}]."}),
                vec!["/prompt/x/0/challenge_types", "/prompt/1/missing_field"],
            ),
            (
                json!({"text": json!({"inner": json!({"duplicate_of": 1}).to_string()}).to_string()}),
                vec!["/text/inner/duplicate_of"],
            ),
            (
                json!("{ broken {\"discrepancy_amount\": 0}"),
                vec!["/discrepancy_amount"],
            ),
            (json!("is the fraud_label missing_field?"), vec![]),
        ];
        for (value, expected) in table {
            assert_eq!(leaks(&value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_stripped_leaks_nothing_and_keeps_the_rest() {
        let mut value = json!({
            "amount": 1,
            "gold_label": {"is_valid": true},
            "items": [{"is_ambiguous": true, "name": "a"}, 7],
            "has_missing_fields": false,
        });
        strip(&mut value);
        assert_eq!(value, json!({"amount": 1, "items": [{"name": "a"}, 7]}));
        assert!(leaks(&value).is_empty());
    }

    #[test]
    fn text_full_of_brackets_is_looked_through_at_once() {
        let value = json!("[{\"a\":".repeat(5_000));
        assert!(leaks(&value).is_empty());
    }
}
