use super::*;

fn holds_for(source: &str, input: &str) -> Result<bool, Unanswered> {
    let name = |it: &str| Arc::<str>::from(it);
    Guard::new(source)
        .unwrap_or_else(|error| panic!("`{source}`: {error}"))
        .holds(&Facts {
            input,
            output: Some(r#"{"risk": "HIGH", "score": 0.25}"#),
            outputs: &[(name("SUBMIT"), name(r#"{"ok": true}"#))].into(),
            path: &[name("SUBMIT"), name("VALIDATE")],
            visits: &[(name("SUBMIT"), 1), (name("VALIDATE"), 2)].into(),
        })
}

const INPUT: &str = r#"{
    "amount": 10000, "exact": 10000.0, "more": 10000.5, "huge": 18446744073709551615,
    "text": "urgent: pay", "flag": true, "none": null, "list": [1, 2.5, "x"],
    "rows": [{"n": 1}, {"n": 2}], "map": {"b": 1, "a": 2}, "same": {"a": 2, "b": 1}
}"#;

#[test]
fn conditions_see_typed_data() {
    let table = [
        // Integers and fractions compare as numbers, whichever the JSON has.
        ("input.amount > 10000.0", false),
        ("input.amount >= 10000.0", true),
        ("input.amount == 10000.0", true),
        ("input.exact == 10000", true),
        ("input.exact >= 10000", true),
        ("input.more > 10000", true),
        ("10000 < input.more", true),
        ("input.amount + 1 == 10001", true),
        ("double(input.amount) * 1.5 == 15000.0", true),
        ("input.huge > 10000", true),
        ("input.huge > 1.0e10", true),
        // The rest.
        ("input.flag && !has(input.nothing)", true),
        ("has(input.none) && input.none == null", true),
        (
            "input.text.startsWith('urgent') && input.text.contains(':')",
            true,
        ),
        ("size(input.list) == 3 && 'x' in input.list", true),
        ("input.list[1] == 2.5", true),
        ("'a' in input.map && input.map.a == 2", true),
        ("input.map == input.same && input.map['b'] == 1", true),
        (
            "input.map.size() == 2 && input.map.all(k, k in ['a', 'b'])",
            true,
        ),
        ("input.rows.exists(row, row.n == 2)", true),
        ("input.rows.exists_one(row, row.n > 0)", false),
        (
            "input.rows.all(row, row.n > 0) && input.list.exists(x, x == 'x')",
            true,
        ),
        ("output.risk == 'HIGH' && output.score < 0.5", true),
        ("outputs.SUBMIT.ok", true),
        ("'VALIDATE' in path && !('APPROVE' in path)", true),
        ("path[size(path) - 1] == 'VALIDATE'", true),
        ("visits.VALIDATE == 2 && !has(visits.APPROVE)", true),
        // What decides without it needs no answer.
        ("false && input.nothing", false),
        ("input.nothing > 1 || true", true),
    ];
    for (source, answer) in table {
        assert_eq!(holds_for(source, INPUT), Ok(answer), "{source}");
    }
}

#[test]
fn what_cannot_be_answered_is_an_error_and_never_true() {
    let table = [
        ("input.nothing > 1", "there is no `nothing`"),
        ("outputs.APPROVE.ok", "there is no `APPROVE`"),
        ("input.text > 1", "types"),
        ("input.amount * 1.5 > 1.0", "types"),
        ("input.none.field == 1", "types"),
        ("input[1] == 1", "types"),
        ("input.amount", "neither true nor false"),
        ("input.map", "types"),
        ("input.amount / 0 == 1", "no value"),
        ("input.list[3] == 1", "no value"),
        ("input.amount * 9223372036854775807 > 0", "no value"),
        ("int(input.text) == 1", "no value"),
    ];
    for (source, words) in table {
        let error = holds_for(source, INPUT).expect_err(source).to_string();
        assert!(error.contains(words), "{source}: {error}");
        // The same words each time.
        for _ in 0..8 {
            assert_eq!(
                holds_for(source, INPUT).expect_err(source).to_string(),
                error
            );
        }
    }
}

#[test]
fn a_guests_names_go_through_the_gate_and_its_size_is_bounded() {
    let input = r#"{"key": "\u001b[31m\u202e"}"#;
    let error = holds_for("outputs[input.key].ok", input).expect_err("missing");
    assert!(error.to_string().is_ascii() || !error.to_string().contains('\u{202e}'));
    assert!(!error.to_string().contains('\u{1b}'));
    let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(DATA));
    let error = holds_for("input.text == ''", &large).expect_err("too much");
    assert!(matches!(error, Unanswered::TooMuch { .. }), "{error}");
    // What it does not look at does not count.
    assert_eq!(holds_for("output.risk == 'HIGH'", &large), Ok(true));
}

#[test]
fn a_condition_names_only_what_exists_and_does_only_what_is_bounded() {
    let long = format!("'{}' == ''", "x".repeat(SOURCE));
    let deep = format!("{}1{} == 1", "[".repeat(80), "][0]".repeat(80));
    let sum = format!("1{} > 0", "+1".repeat(2_000));
    let chain = format!("input{}", ".x".repeat(2_000));
    let table = [
        ("", "it is not CEL"),
        ("input.amount >", "it is not CEL"),
        (&long, "more than 4096"),
        (&deep, ""),
        (&sum, ""),
        (&chain, ""),
        ("inptu.amount > 1", "`inptu`"),
        ("now() > 1", "`now`"),
        ("input.text.matches('a+')", "`matches`"),
        ("input.rows.map(row, row.n) == [1]", "`map` and `filter`"),
        (
            "size(input.rows.filter(row, row.n > 1)) == 1",
            "`map` and `filter`",
        ),
        (
            "input.rows.exists(a, input.rows.exists(b, a == b))",
            "inside of another",
        ),
        ("input.rows.exists(a, true) && a", "`a`"),
        ("{'a': 1}.a == 1", "braces"),
        ("Point{x: 1}.x == 1", "braces"),
    ];
    for (source, words) in table {
        match Guard::new(source) {
            Ok(_) => panic!("`{source:.60}` is taken"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(words), "{source:.60}: {error}");
            }
        }
    }
}

#[test]
fn a_condition_travels_as_its_text() {
    let guard = Guard::new("input.amount > 1").expect("CEL");
    let text = serde_json::to_string(&guard).expect("text");
    assert_eq!(text, r#""input.amount > 1""#);
    assert_eq!(serde_json::from_str::<Guard>(&text).expect("CEL"), guard);
    assert!(serde_json::from_str::<Guard>(r#""input.""#).is_err());
}
