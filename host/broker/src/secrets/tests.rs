use super::*;

#[test]
fn a_secret_goes_over_tls_or_stays_on_this_machine() {
    let table = [
        ("https://api.example.com", true),
        ("http://127.0.0.1:8200", true),
        ("http://[::1]:8200", true),
        ("http://[::ffff:7f00:1]:8200", true),
        ("http://api.example.com", false),
        ("http://localhost", false),
        ("http://10.0.0.1", false),
        ("http://0.0.0.0", false),
    ];
    for (origin, may) in table {
        assert_eq!(may_carry(&Origin::parse(origin).unwrap()), may, "{origin}");
    }
}
