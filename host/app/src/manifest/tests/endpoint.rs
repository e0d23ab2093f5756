use hotcell_broker::Price;

use super::super::endpoint::{BadUrl, Endpoint, ModelChoice, choose};
use super::super::host::{ApiKey, Provider};
use super::{Folder, HOST, POLICY, WORKFLOW};

#[test]
fn a_host_counts_as_this_machine_only_when_its_address_says_so() {
    let table = [
        ("http://127.0.0.1:8080/v1", Ok(true)),
        ("http://127.9.9.9", Ok(true)),
        ("http://localhost:1/v1", Ok(true)),
        ("https://LOCALHOST/v1", Ok(true)),
        ("http://[::1]:8080/v1", Ok(true)),
        ("http://[::2]/v1", Ok(false)),
        ("http://127.0.0.1.example.com/v1", Ok(false)),
        ("http://localhost.example.com", Ok(false)),
        ("http://10.0.0.1/v1", Ok(false)),
        ("https://api.example.com/v1", Ok(false)),
        ("ftp://localhost", Err(BadUrl::Scheme)),
        ("localhost:8080", Err(BadUrl::Scheme)),
        ("http://127.0.0.1@example.com/v1", Err(BadUrl::Credentials)),
        ("http://user:word@127.0.0.1/v1", Err(BadUrl::Credentials)),
        ("http://", Err(BadUrl::Host)),
        ("http:///v1", Err(BadUrl::Host)),
        ("http://[::1/v1", Err(BadUrl::Host)),
        ("http://[example]/v1", Err(BadUrl::Host)),
        ("http://exämple.com", Err(BadUrl::Host)),
        ("http://127.0.0.1:0", Err(BadUrl::Port)),
        ("http://127.0.0.1:99999", Err(BadUrl::Port)),
        ("http://127.0.0.1:", Err(BadUrl::Port)),
        ("http://[::1]8080", Err(BadUrl::Port)),
        ("http://127.0.0.1/v1?key=1", Err(BadUrl::Tail)),
        ("http://127.0.0.1\\.example.com", Err(BadUrl::Tail)),
        ("http://127.0.0.1/v 1", Err(BadUrl::Tail)),
    ];
    for (url, expected) in table {
        assert_eq!(
            Endpoint::parse(url).map(|endpoint| endpoint.loopback),
            expected,
            "{url}"
        );
    }
    assert_eq!(
        Endpoint::parse("http://[::1]/v1//").unwrap().base_url,
        "http://[::1]/v1"
    );
}

#[test]
fn a_server_on_the_command_line_needs_a_price_unless_it_is_this_machine() {
    let price = |input, output| Price {
        input_micros_per_mtok: input,
        output_micros_per_mtok: output,
    };
    let key = Some(ApiKey::Env("OPENAI_API_KEY".to_owned()));
    let table = [
        (
            "openai@http://127.0.0.1:8080/v1#a/b:c",
            None,
            "a/b:c",
            price(0, 0),
            None,
        ),
        (
            "openai@http://127.0.0.1:8080/v1#m",
            Some("1,2"),
            "m",
            price(1, 2),
            None,
        ),
        (
            "openai@https://localhost/v1#m",
            None,
            "m",
            price(0, 0),
            None,
        ),
        (
            "openai@http://10.0.0.1/v1#m",
            Some("1, 2"),
            "m",
            price(1, 2),
            None,
        ),
        (
            "openai@https://api.example.com/v1#m#n",
            Some("0,0"),
            "m#n",
            price(0, 0),
            key,
        ),
    ];
    for (text, given, name, price, key) in table {
        let Ok(ModelChoice::Server(chosen)) = choose(text, given) else {
            panic!("{text}")
        };
        assert_eq!(chosen.price, price, "{text}");
        let Provider::Remote { model, api_key, .. } = chosen.provider else {
            panic!("{text}")
        };
        assert_eq!((model.as_str(), api_key), (name, key), "{text}");
    }
}

#[test]
fn a_model_that_cannot_be_meant_is_refused_with_what_to_write() {
    let form = "() write it as `openai@http://127.0.0.1:11434/v1#MODEL`";
    let unknown = "what `m` at `https://api.example.com/v1` costs is unknown () add `--price \
                   IN,OUT`: micro-dollars for a million input and output tokens";
    let price = "is not a price () write two whole numbers, such as `--price 150000,600000`";
    let table = [
        (
            "openai@http://127.0.0.1",
            None,
            format!("`openai@http://127.0.0.1` does not name a model {form}"),
        ),
        (
            "openai@#",
            None,
            format!("`openai@#` does not name a model {form}"),
        ),
        (
            "openai@ftp://x#m",
            None,
            format!("`ftp://x` is not usable: it must start with `http://` or `https://` {form}"),
        ),
        (
            "openai@https://api.example.com/v1#m",
            None,
            unknown.to_owned(),
        ),
        (
            "openai@https://api.example.com/v1#m",
            Some("free"),
            format!("`free` {price}"),
        ),
        (
            "openai@http://127.0.0.1#m",
            Some("-1,2"),
            format!("`-1,2` {price}"),
        ),
        (
            "local",
            Some("1,2"),
            "`--price` with the alias `local` () the price of an alias stands in the host file; \
             leave `--price` out"
                .to_owned(),
        ),
    ];
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    for (text, given, expected) in table {
        assert_eq!(
            folder.line(&choose(text, given).unwrap_err()),
            expected,
            "{text}"
        );
    }
}

#[test]
fn the_chosen_model_takes_the_place_of_the_default_one() {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    let mut host = folder.check().unwrap().host;
    host.set_default(choose("replies", None).unwrap()).unwrap();
    assert!(matches!(
        host.models["default"].provider,
        Provider::Scripted { .. }
    ));
    host.set_default(choose("openai@http://localhost/v1#m", None).unwrap())
        .unwrap();
    assert!(matches!(
        host.models["default"].provider,
        Provider::Remote { .. }
    ));
    let refused = host
        .set_default(choose("lokal", None).unwrap())
        .unwrap_err();
    let expected = "no model is called `lokal` () did you mean `local`? the models: `default`, \
                    `local`, `plain`, `replies`";
    assert_eq!(folder.line(&refused), expected);
}
