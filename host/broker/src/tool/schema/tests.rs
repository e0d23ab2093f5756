use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

fn schema(value: &Value) -> Result<Schema, BadSchema> {
    Schema::new(&value.to_string())
}

fn code(value: &Value) -> &'static str {
    schema(value).err().map_or("ok", |bad| bad.code())
}

#[test]
fn a_value_is_checked_and_each_finding_says_where() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {"n": {"type": "integer"}, "of": {"$ref": "#/$defs/word"}},
        "required": ["n"],
        "additionalProperties": false,
        "$defs": {"word": {"type": "string", "pattern": "^[a-z]+$"}},
    }))
    .unwrap();
    let table = [
        (json!({"n": 1, "of": "abc"}), None),
        (json!({"n": "1"}), Some("at `/n`")),
        (json!({"n": 1, "of": "A"}), Some("at `/of`")),
        (json!({}), Some("at ``: \"n\" is a required property")),
        (json!({"n": 1, "x": 2}), Some("'x' was unexpected")),
    ];
    for (value, finding) in table {
        let found = schema.check(&value).err();
        match finding {
            None => assert_eq!(found, None, "{value}"),
            Some(words) => assert!(found.as_ref().unwrap().contains(words), "{found:?}"),
        }
    }
}

#[test]
fn nothing_outside_of_a_schema_is_looked_at() {
    for reference in [
        "http://169.254.169.254/latest/meta-data/",
        "https://json-schema.org/draft/2020-12/schema",
        "file:///etc/passwd",
        "other.json#/a",
        "//127.0.0.1/x",
        "urn:x",
        "",
    ] {
        for place in [
            json!({"$ref": reference}),
            json!({"properties": {"$ref": {"$ref": reference}}}),
            json!({"$defs": {"never": {"$ref": reference}}}),
            json!({"anyOf": [true, {"items": {"$ref": reference}}]}),
        ] {
            assert_eq!(code(&place), "schema.remote_ref", "{place}");
        }
    }
    for (place, expected) in [
        (json!({"$ref": "#/nowhere"}), "schema.reference"),
        (json!({"$ref": "#anchor"}), "schema.reference"),
        (json!({"$dynamicRef": "#x"}), "schema.keyword"),
        (
            json!({"items": {"$id": "http://a.test/"}}),
            "schema.keyword",
        ),
        (
            json!({"$schema": "http://127.0.0.1:1/meta"}),
            "schema.invalid",
        ),
        (json!({"default": {"$ref": "http://a.test"}}), "ok"),
        (
            json!({"properties": {"default": {"$ref": "x"}}}),
            "schema.remote_ref",
        ),
    ] {
        assert_eq!(code(&place), expected, "{place}");
    }
}

#[test]
fn a_schema_that_is_too_much_is_refused_before_it_is_compiled() {
    let nested = |levels: usize| {
        (0..levels).fold(json!(true), |inner, _| json!({"properties": {"a": inner}}))
    };
    let all_of =
        |levels: usize| (0..levels).fold(json!(true), |inner, _| json!({"allOf": [inner]}));
    let choices: Vec<usize> = (0..1_001).collect();
    let patterns: Vec<Value> = (0..201)
        .map(|n| json!({"pattern": format!("a{n}")}))
        .collect();
    let many: Vec<Value> = (0..20_000).map(|_| json!({})).collect();
    let references: Vec<Value> = (0..1_001).map(|_| json!({"$ref": "#/$defs/a"})).collect();
    let table = [
        (nested(40), "schema.too_large"),
        (nested(20), "ok"),
        (all_of(40), "schema.too_large"),
        (all_of(10), "ok"),
        (json!({"enum": choices}), "schema.too_large"),
        (json!({"anyOf": patterns}), "schema.too_large"),
        (json!({"anyOf": many}), "schema.too_large"),
        (
            json!({"anyOf": references, "$defs": {"a": true}}),
            "schema.too_large",
        ),
        (json!({"pattern": "a".repeat(1_025)}), "schema.too_large"),
        (json!({"pattern": "(a{1000}){1000}"}), "schema.invalid"),
        (json!({"pattern": "(?=a)b"}), "schema.invalid"),
        (json!({"$ref": "#"}), "schema.loop"),
        (
            json!({"allOf": [{"anyOf": [{"$ref": "#"}]}]}),
            "schema.loop",
        ),
        (json!({"items": {"$ref": "#"}}), "ok"),
        (
            json!({"description": "a".repeat(MAX_BYTES)}),
            "schema.too_large",
        ),
        (json!([]), "schema.invalid"),
    ];
    for (value, expected) in table {
        let mut shown = value.to_string();
        shown.truncate(100);
        assert_eq!(code(&value), expected, "{shown}");
    }
}

/// Seconds would be hours without the count; milliseconds are expected.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_schema_that_doubles_at_each_level_is_not_begun() {
    let started = Instant::now();
    // Two references to the next, thirty times: a thousand million schemas.
    let mut defs = serde_json::Map::new();
    for n in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        defs.insert(format!("d{n}"), json!({"allOf": [next, next]}));
    }
    defs.insert("d30".to_owned(), json!({"type": "string"}));
    let doubling = json!({"$ref": "#/$defs/d0", "$defs": defs});
    if let Ok(schema) = schema(&doubling) {
        assert!(schema.check(&json!("x")).is_err());
    }
    // Each level of the value is looked at twice as often as the one around it.
    let twice = schema(&json!({"oneOf": [
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["b"]},
        {"type": "null"},
    ]}))
    .unwrap();
    let value = |levels| (0..levels).fold(Value::Null, |inner, _| json!({"a": inner}));
    assert_eq!(twice.check(&value(3)), Ok(()));
    let refused = twice.check(&value(60)).unwrap_err();
    assert!(refused.contains("too long to check"), "{refused}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn an_evil_pattern_takes_linear_time() {
    let started = Instant::now();
    let schema = schema(&json!({"pattern": "^(a+)+$"})).unwrap();
    let text = "a".repeat(60_000) + "!";
    assert!(schema.check(&json!(text)).is_err());
    let long = "a".repeat(70_000);
    assert!(schema.check(&json!(long)).unwrap_err().contains("too long"));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}
