//! Which values a JSON schema allows at a place of an instance. It knows just
//! enough to find an `enum`: properties, items, local references and the three
//! combinators. It validates nothing.

use serde_json::Value;

use super::alter::unescape;

/// Deep enough for any honest schema; a reference that leads back to itself
/// ends here.
const DEEPEST: u32 = 64;

/// The values listed for `pointer`; none when the schema lists none.
pub(super) fn choices<'a>(schema: &'a Value, pointer: &str) -> Option<&'a [Value]> {
    let steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    find(schema, schema, &steps, DEEPEST)
}

fn find<'a>(root: &'a Value, at: &'a Value, steps: &[String], fuel: u32) -> Option<&'a [Value]> {
    let fuel = fuel.checked_sub(1)?;
    let here = match steps {
        [] => at.get("enum").and_then(Value::as_array).map(Vec::as_slice),
        [step, rest @ ..] => {
            let property = at.get("properties").and_then(|p| p.get(step));
            let item = || at.get("items").filter(|_| step.parse::<usize>().is_ok());
            let next = property.or_else(item);
            next.and_then(|next| find(root, next, rest, fuel))
        }
    };
    let reference = || {
        let pointer = at.get("$ref")?.as_str()?.strip_prefix('#')?;
        find(root, root.pointer(pointer)?, steps, fuel)
    };
    let combined = || {
        let lists = ["allOf", "anyOf", "oneOf"].into_iter();
        let lists = lists.filter_map(|word| at.get(word).and_then(Value::as_array));
        lists
            .flatten()
            .find_map(|schema| find(root, schema, steps, fuel))
    };
    here.or_else(reference).or_else(combined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_values_of_a_place_are_found_wherever_the_schema_keeps_them() {
        let schema = json!({
            "$defs": { "route": { "enum": ["auto", "manager"] }, "loop": { "$ref": "#/$defs/loop" } },
            "properties": {
                "status": { "enum": ["paid", null] },
                "a/b": { "enum": [1, 2] },
                "route": { "$ref": "#/$defs/route" },
                "loop": { "$ref": "#/$defs/loop" },
                "maybe": { "anyOf": [{ "type": "null" }, { "enum": ["x", "y"] }] },
                "list": { "items": { "properties": { "code": { "enum": ["c"] } } } },
                "free": { "type": "string" },
            },
        });
        let table = [
            ("/status", Some(json!(["paid", null]))),
            ("/a~1b", Some(json!([1, 2]))),
            ("/route", Some(json!(["auto", "manager"]))),
            ("/loop", None),
            ("/maybe", Some(json!(["x", "y"]))),
            ("/list/7/code", Some(json!(["c"]))),
            ("/list/x/code", None),
            ("/free", None),
            ("/unknown", None),
            ("", None),
        ];
        for (pointer, expected) in table {
            let found = choices(&schema, pointer).map(|values| json!(values));
            assert_eq!(found, expected, "{pointer}");
        }
        assert_eq!(choices(&json!({ "enum": [1] }), ""), Some(&[json!(1)][..]));
    }
}
