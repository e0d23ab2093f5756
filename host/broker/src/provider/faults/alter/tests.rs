use serde_json::json;

use super::*;

fn keys() -> impl Iterator<Item = Key> {
    (0..500).map(|n| Key::of(|fields| fields.number(n)))
}

#[test]
fn places_are_listed_in_the_order_of_their_names() {
    let value = json!({ "b": [1, null, { "x": "" }], "a/~": "t", "c": true });
    assert_eq!(leaves(&value), ["/a~1~0", "/b/0", "/c"]);
    let all = ["/a~1~0", "/b", "/b/0", "/b/1", "/b/2", "/b/2/x", "/c"];
    assert_eq!(members(&value), all);
    assert_eq!(leaves(&json!("t")), [""]);
    assert!(members(&json!("t")).is_empty());
    assert!(members(&json!({})).is_empty());
    for pointer in members(&value) {
        assert!(value.pointer(&pointer).is_some(), "{pointer}");
    }
}

#[test]
fn what_is_removed_is_gone_and_the_rest_keeps_its_order() {
    let text = r#"{"z":1,"a/~":2,"m":[1,2,3],"b":4}"#;
    for (pointer, expected) in [
        ("/z", r#"{"a/~":2,"m":[1,2,3],"b":4}"#),
        ("/a~1~0", r#"{"z":1,"m":[1,2,3],"b":4}"#),
        ("/m/1", r#"{"z":1,"a/~":2,"m":[1,3],"b":4}"#),
        ("/m/9", text),
        ("/nobody", text),
        ("", text),
    ] {
        let mut value: Value = serde_json::from_str(text).unwrap();
        remove(&mut value, pointer);
        assert_eq!(value.to_string(), expected, "{pointer}");
    }
}

#[test]
fn a_wrong_value_is_wrong_and_of_the_same_kind() {
    for value in [
        json!(true),
        json!(0),
        json!(7),
        json!(-12),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(0.0),
        json!(0.05),
        json!(1234.56),
        json!(-1.5),
        json!(1.5e300),
        json!("A"),
        json!("Acme GmbH"),
        json!("INV-2024-007"),
        json!("2024-02-29"),
        json!("9999-12-31"),
        json!("0001-01-01"),
        json!("2024-12-31T10:00:00Z"),
        json!("2024-13-01"),
        json!("żółć"),
        json!("—"),
        json!("aa"),
    ] {
        for key in keys() {
            let wrong = wrong(&value, None, &key);
            assert_ne!(wrong, value);
            assert_eq!(
                std::mem::discriminant(&wrong),
                std::mem::discriminant(&value),
                "{wrong}"
            );
        }
    }
}

#[test]
fn a_wrong_amount_looks_like_an_amount() {
    let mut seen = std::collections::BTreeSet::new();
    for key in keys() {
        let wrong = wrong(&json!(1234.56), None, &key).to_string();
        let decimals = wrong.split_once('.').map_or(0, |(_, d)| d.len());
        assert!(decimals <= 2, "{wrong}");
        assert!(!wrong.starts_with('0'), "{wrong}");
        seen.insert(wrong);
    }
    for expected in ["12345.6", "123456.0", "1934.56", "1234.57"] {
        assert!(seen.contains(expected), "{expected} not in {seen:?}");
    }
}

#[test]
fn a_wrong_date_is_a_date_within_a_month() {
    let mut seen = std::collections::BTreeSet::new();
    for key in keys() {
        let wrong = wrong(&json!("2024-03-01"), None, &key);
        let text = wrong.as_str().unwrap().to_owned();
        assert!(
            ("2024-01-31".."2024-04-01").contains(&text.as_str()),
            "{text}"
        );
        seen.insert(text);
    }
    assert!(seen.contains("2024-02-29"));
    assert!(seen.contains("2024-03-31"));
    assert_eq!(seen.len(), 60);
}

#[test]
fn a_wrong_text_differs_in_one_place() {
    let mut swapped = false;
    for key in keys() {
        let wrong = wrong(&json!("Acme-1"), None, &key);
        let wrong: Vec<char> = wrong.as_str().unwrap().chars().collect();
        let pairs = "Acme-1".chars().zip(&wrong);
        let differ = pairs.filter(|(a, b)| a != *b).count();
        assert_eq!(wrong.len(), 6);
        assert_eq!(wrong[4], '-');
        assert!((1..=2).contains(&differ), "{wrong:?}");
        swapped |= wrong.iter().collect::<String>() == "Amce-1";
    }
    assert!(swapped, "no letters were swapped");
}

#[test]
fn listed_values_are_replaced_by_listed_values() {
    let listed = [json!("auto"), json!("manager"), json!(null)];
    let mut seen = std::collections::BTreeSet::new();
    for key in keys() {
        let wrong = wrong(&json!("auto"), Some(&listed), &key);
        assert_eq!(
            other(&json!("auto"), Some(&listed), &key),
            Some(wrong.clone())
        );
        seen.insert(wrong.to_string());
    }
    assert_eq!(Vec::from_iter(seen), ["\"manager\"", "null"]);
    let key = keys().next().unwrap();
    assert_eq!(other(&json!("auto"), Some(&listed[..1]), &key), None);
    assert_eq!(other(&json!("auto"), None, &key), None);
    assert_ne!(
        wrong(&json!("auto"), Some(&listed[..1]), &key),
        json!("auto")
    );
}

#[test]
fn a_broken_text_does_not_parse() {
    for text in [
        "{}",
        "[]",
        "{\"a\":{\"b\":[1,2,\"ü\"]}}\n",
        "\"abc\"",
        "true",
        "[[1]]",
    ] {
        for key in keys() {
            let broken = broken(text, &key).unwrap();
            assert!(text.starts_with(&broken) && broken.len() >= text.trim_end().len() / 2);
            assert!(serde_json::from_str::<Value>(&broken).is_err(), "{broken}");
        }
    }
    let key = keys().next().unwrap();
    for text in ["1", "12", "", " "] {
        assert_eq!(broken(text, &key), None, "{text}");
    }
}

#[test]
fn a_long_array_is_found_at_any_depth() {
    let value = json!({ "a": [1, 2], "b": { "c": [[1, 2, 3]] } });
    assert_eq!(longer_than(&value, 3), None);
    assert_eq!(longer_than(&value, 2), Some("/b/c/0".to_owned()));
    assert_eq!(longer_than(&value, 1), Some("/a".to_owned()));
    assert_eq!(longer_than(&json!([1]), 0), Some(String::new()));
}
