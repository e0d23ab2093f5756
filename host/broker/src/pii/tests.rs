use super::*;

#[test]
fn what_looks_like_somebodys_is_taken_out_and_the_rest_stays() {
    let table = [
        (
            "write to jo.doe+x@mail.example.org.",
            "write to [email].",
            "email",
        ),
        ("a@b.co,c@d.io", "[email],[email]", "email"),
        ("card 4111 1111 1111 1111 ok", "card [card] ok", "card"),
        ("5500-0000-0000-0004", "[card]", "card"),
        ("378282246310005!", "[card]!", "card"),
        ("ssn 123-45-6789.", "ssn [ssn].", "ssn"),
        ("call +44 20 7946 0958 now", "call [phone] now", "phone"),
        ("call (555) 555-0100 now", "call [phone] now", "phone"),
        ("call 555-555-0100", "call [phone]", "phone"),
        (
            "to GB82 WEST 1234 5698 7654 32 today",
            "to [iban] today",
            "iban",
        ),
        ("DE89370400440532013000", "[iban]", "iban"),
        (
            r#"{"Phone_Number": 5, "n": 1}"#,
            r#"{"Phone_Number":"[phone]","n":1}"#,
            "phone",
        ),
        (r#"{"n": 4111111111111111}"#, r#"{"n":"[card]"}"#, "card"),
        (
            r#"["{\"e-mail\":\"x\"}"]"#,
            r#"["{\"e-mail\":\"[email]\"}"]"#,
            "email",
        ),
    ];
    for (text, expected, kind) in table {
        let swept = sweep(text);
        assert_eq!(swept.text, expected);
        assert_eq!(swept.kinds, BTreeSet::from([kind]), "{text}");
        assert_eq!(sweep(&swept.text).text, expected);
    }
}

#[test]
fn what_only_resembles_it_stays() {
    let table = [
        "",
        "2026-11-22 12:30:45.123",
        "invoice 2026-000123 of 1,234.56",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "000-12-3456 and 666-12-3456 and 123-00-4567",
        "GB83 WEST 1234 5698 7654 32",
        "x@y and @handle and a@b.c",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "0191e0f2-5a6b-7c8d-9e0f-1a2b3c4d5e6f",
        "+1",
        "((((((((",
        "ünïcödé 🦀",
        r#"{"email": null, "emailed": "yes"}"#,
    ];
    for text in table {
        let swept = sweep(text);
        assert!(swept.kinds.is_empty(), "{text}: {swept:?}");
    }
}

#[test]
fn keys_are_in_order_so_that_each_is_found() {
    assert!(KEYS.is_sorted());
    for (key, kind) in KEYS {
        assert_eq!(kind_of(key), Some(kind));
    }
}

#[test]
fn a_text_made_to_be_slow_is_read_about_once() {
    for unit in [
        "@", "a@", "+1 ", "1 ", "(", "A", "GB82 ", "4111 ", "1-", "a.@a.",
    ] {
        let text = unit.repeat(200_000 / unit.len());
        let started = std::time::Instant::now();
        sweep(&text);
        // What went back to the beginning each time would take minutes.
        assert!(started.elapsed().as_secs() < 5, "{unit}");
    }
}
