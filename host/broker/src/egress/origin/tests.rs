use super::*;

#[test]
fn an_origin_has_one_spelling() {
    for (text, shown) in [
        ("https://api.example.com", "https://api.example.com"),
        ("https://API.example.com", "https://api.example.com"),
        ("HTTPS://api.example.com:443", "https://api.example.com"),
        ("http://api.example.com:80", "http://api.example.com"),
        ("http://api.example.com:443", "http://api.example.com:443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://my_service", "http://my_service"),
        (
            "https://xn--bcher-kva.example",
            "https://xn--bcher-kva.example",
        ),
    ] {
        assert_eq!(Origin::parse(text).unwrap().to_string(), shown);
    }
}

#[test]
fn what_is_no_origin_is_refused_with_a_reason() {
    for (text, why) in [
        ("", "not a URL"),
        ("api.example.com", "not a URL"),
        ("api.example.com:443", "must start with"),
        ("ftp://example.com", "must start with"),
        ("file:///etc/passwd", "must start with"),
        ("ws://example.com", "must start with"),
        ("https://", "not a URL"),
        ("https://*.example.com", "no wildcards"),
        ("https://*", "no wildcards"),
        ("https://example.com.", "no wildcards"),
        ("https://me@example.com", "a user or password"),
        ("https://:secret@example.com", "a user or password"),
        ("https://example.com/", "it means `https://example.com`"),
        ("https://example.com/v1", "must end after the host"),
        ("https://example.com?x", "must end after the host"),
        ("https://example.com#x", "must end after the host"),
        ("https://example.com:0", "its port"),
        ("https://example.com:99999", "not a URL"),
        (
            "https://bücher.example",
            "it means `https://xn--bcher-kva.example`",
        ),
        ("https://ex%61mple.com", "it means `https://example.com`"),
        ("https:example.com", "it means `https://example.com`"),
        ("https:\\\\example.com", "it means `https://example.com`"),
        (" https://example.com", "it means `https://example.com`"),
        ("https://exam\tple.com", "it means `https://example.com`"),
        ("http://127.1", "it means `http://127.0.0.1`"),
        ("http://0x7f000001", "it means `http://127.0.0.1`"),
        ("http://2130706433", "it means `http://127.0.0.1`"),
        ("http://[0:0::1]", "it means `http://[::1]`"),
        (
            "http://[::ffff:127.0.0.1]",
            "it means `http://[::ffff:7f00:1]`",
        ),
        ("http://[fe80::1%25eth0]", "not a URL"),
    ] {
        let error = Origin::parse(text).expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

/// Hosts that look like a granted one to somebody who compares texts.
#[test]
fn no_url_is_taken_for_an_origin_that_it_does_not_lead_to() {
    let good = Origin::parse("https://good.com").unwrap();
    let leads = |text: &str| {
        let url = Url::parse(text).map_err(|_| BadOrigin::Url);
        url.and_then(|url| Origin::of(&url)) == Ok(good.clone())
    };
    for text in [
        "https://good.com",
        "https://good.com/",
        "https://GOOD.com:443/a?b#c",
        "https://good.com/@evil.test",
        "https://good.com?@evil.test",
        "https://good.com#@evil.test",
        "https://good.com\\@evil.test",
        "https://g\u{ff4f}od.com",
        "https://good%2ecom",
    ] {
        assert!(leads(text), "{text}");
    }
    let mut vectors = 0;
    let between = [
        "", ".", "..", "-", "_", "@", ":@", "%00", "%2e", "%40", "%23", "%2f",
    ];
    for between in between {
        for text in [
            format!("https://good.com{between}.evil.test"),
            format!("https://good.com{between}evil.test"),
            format!("https://evil.test{between}good.com"),
            format!("https://evil{between}.good.com"),
            format!("https://good.com:443{between}evil.test"),
            format!("https://evil.test#{between}good.com"),
            format!("https://evil.test?{between}good.com"),
            format!("https://evil.test/{between}good.com"),
            format!("https://evil.test\\{between}good.com"),
            format!("http://good.com{between}"),
            format!("https://good.com{between}:8443"),
        ] {
            // An empty user is no user.
            if text.contains("//good.com@:") {
                continue;
            }
            assert!(!leads(&text), "{text}");
            vectors += 1;
        }
    }
    for text in [
        "https://good.com.",
        "https://go\u{43e}d.com",
        "https://xn--gd-emca.com",
        "https://good.com:80",
        "https://good.co",
        "https://ood.com",
        "https://good.com@",
        "https://good.com:443@evil.test",
        "https://evil.test/https://good.com",
        "https://user@good.com",
        "https://:x@good.com",
        "//good.com",
        "good.com",
        "javascript://good.com/%0aalert(1)",
        "https://good\u{3002}com.evil.test",
    ] {
        assert!(!leads(text), "{text}");
        vectors += 1;
    }
    assert!(vectors > 140, "{vectors}");
}

#[test]
fn a_grant_reads_back_what_it_writes() {
    let grant = HttpGrant {
        origin: Origin::parse("http://[::1]:8080").unwrap(),
        methods: default_methods(),
        addresses: vec!["::1/128".parse().unwrap()],
    };
    let text = serde_json::to_string(&grant).unwrap();
    assert_eq!(serde_json::from_str::<HttpGrant>(&text).unwrap(), grant);
    let short = r#"{"origin": "http://[::1]:8080", "addresses": ["::1/128"]}"#;
    assert_eq!(serde_json::from_str::<HttpGrant>(short).unwrap(), grant);
    for wrong in [
        r#"{"origin": "http://[::1]:8080/x"}"#,
        r#"{"origin": "http://[::1]:8080", "path": "/"}"#,
        r#"{"origin": "http://[::1]:8080", "addresses": ["::1"]}"#,
    ] {
        assert!(serde_json::from_str::<HttpGrant>(wrong).is_err(), "{wrong}");
    }
}
