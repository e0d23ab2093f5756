//! Tools that are HTTP requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotcell_broker::egress::origin::Origin;
use hotcell_broker::provider::secret::Secret;
use hotcell_broker::tool::credential::Credential;
use hotcell_broker::tool::http::{Body, HttpTools, Operation, Server};
use hotcell_broker::tool::{EffectKind, ToolError, ToolSpec};
use hotcell_broker::{Broker, Caller};
use serde_json::{Value, json};

use crate::server::{Asked, answer, start};
use crate::{call, offering};

const SECRET: &str = "sk-hotcell-0123456789";

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

fn server(port: u16, addresses: &[&str]) -> Server {
    let secret = Secret::new(SECRET);
    Server {
        origin: Origin::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        credential: Some(Credential::new("Authorization", "Bearer {{secret}}", secret).unwrap()),
        timeout: Duration::from_secs(5),
        most: 10_000,
    }
}

/// Reads with a place for everything, and a tool that writes.
fn operations() -> Vec<Operation> {
    let spec = |name: &str, properties: &[&str], required: &[&str], effect| {
        let properties: serde_json::Map<String, Value> = properties
            .iter()
            .map(|it| ((*it).to_owned(), json!({})))
            .collect();
        let input = json!({"type": "object", "properties": properties, "required": required});
        ToolSpec {
            name: name.to_owned(),
            description: String::new(),
            input_schema: input.to_string(),
            output_schema: None,
            effect,
        }
    };
    vec![
        Operation {
            spec: spec(
                "shop.find",
                &["id", "tags", "lang"],
                &["id"],
                EffectKind::ReadOnly,
            ),
            method: "GET".to_owned(),
            path: "/v1/items/{id}.json".to_owned(),
            query: names(&["tags"]),
            headers: BTreeMap::from([("lang".to_owned(), "x-lang".to_owned())]),
            body: Body::None,
        },
        Operation {
            spec: spec(
                "shop.order",
                &["item", "count"],
                &[],
                EffectKind::UnsafeToRepeat,
            ),
            method: "POST".to_owned(),
            path: "/v1/orders".to_owned(),
            query: BTreeSet::new(),
            headers: BTreeMap::new(),
            body: Body::Fields(names(&["item", "count"])),
        },
    ]
}

async fn shop(answer: Vec<u8>, forever: Option<&'static [u8]>) -> ((Broker, Caller), Asked) {
    let (port, asked) = start(answer, forever).await;
    let tools = HttpTools::new(server(port, &["127.0.0.1/32"]), operations()).unwrap();
    (offering(tools), asked)
}

#[tokio::test]
async fn each_value_goes_to_its_place_and_cannot_leave_it() {
    let (shop, asked) = shop(answer("200 OK", r#"{"price": 3}"#), None).await;
    let arguments = json!({"id": "a b?c#d", "tags": ["x&y=z", "é"], "lang": "de"});
    let output = call(&shop, "shop.find", arguments).await.unwrap();
    assert_eq!(
        (output.content.as_str(), output.is_error),
        (r#"{"price":3}"#, false)
    );
    let request = asked.lock().unwrap().pop().unwrap();
    let first = request.lines().next().unwrap();
    assert_eq!(
        first,
        "GET /v1/items/a%20b%3Fc%23d.json?tags=x%26y%3Dz&tags=%C3%A9 HTTP/1.1"
    );
    assert!(request.contains("\r\nx-lang: de\r\n"), "{request}");
    assert!(!request.contains("idempotency-key"), "{request}");

    let order = json!({"item": "a", "count": 2});
    call(&shop, "shop.order", order.clone()).await.unwrap();
    call(&shop, "shop.order", order).await.unwrap();
    let requests = asked.lock().unwrap().clone();
    assert!(requests[0].starts_with("POST /v1/orders HTTP/1.1\r\n"));
    assert!(
        requests[0].ends_with(r#"{"count":2,"item":"a"}"#),
        "{}",
        requests[0]
    );
    // The same call again says so.
    let key = |request: &str| {
        let line = request
            .lines()
            .find(|it| it.starts_with("idempotency-key: "));
        line.unwrap().to_owned()
    };
    assert_eq!(key(&requests[0]), key(&requests[1]));

    asked.lock().unwrap().clear();
    for arguments in [
        json!({"id": "../../admin"}),
        json!({"id": "a/b"}),
        json!({"id": "a\\b"}),
        json!({"id": "%2e%2e"}),
        json!({"id": ".."}),
        json!({"id": ""}),
        json!({"id": {"a": 1}}),
        json!({"id": "a\r\nx: y"}),
        json!({"id": "a", "lang": "de\r\nx: y"}),
        json!({"id": "a", "unknown": 1}),
        json!({"id": null}),
        json!({"id": "a".repeat(9_000)}),
    ] {
        let refused = call(&shop, "shop.find", arguments.clone()).await;
        assert!(
            matches!(refused, Err(ToolError::InvalidArguments(_))),
            "{arguments} {refused:?}"
        );
    }
    assert_eq!(asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn the_credential_is_sent_by_the_host_and_read_by_nobody() {
    let echo = format!(r#"{{"you-said": "Bearer {SECRET}"}}"#);
    let (shop, asked) = shop(answer("200 OK", &echo), None).await;
    let output = call(&shop, "shop.find", json!({"id": "1"})).await.unwrap();
    let request = asked.lock().unwrap().pop().unwrap();
    assert!(
        request.contains(&format!("authorization: Bearer {SECRET}\r\n")),
        "{request}"
    );
    assert_eq!(output.content, r#"{"you-said":"Bearer [redacted]"}"#);
}

#[tokio::test]
async fn what_a_server_answers_is_told_as_it_was_meant() {
    type Told = Result<(String, bool), &'static str>;
    let told = |content: &str, is_error| Ok((content.to_owned(), is_error));
    let table: [(&str, &str, Told); 8] = [
        ("200 OK", "plain", told("\"plain\"", false)),
        ("204 No Content", "", told("null", false)),
        (
            "404 Not Found",
            r#"{"a":1}"#,
            told(r#"{"body":{"a":1},"status":404}"#, true),
        ),
        (
            "401 Unauthorized",
            "",
            told(r#"{"body":null,"status":401}"#, true),
        ),
        (
            "302 Found\r\nlocation: http://127.0.0.1:1/",
            "",
            Err("failed"),
        ),
        ("500 Oops", "{}", Err("failed")),
        ("429 Slow\r\nretry-after: 7", "", Err("rate-limited")),
        ("200 OK", &"a".repeat(10_001), Err("failed")),
    ];
    for (status, body, expected) in table {
        let (shop, asked) = shop(answer(status, body), None).await;
        let told = call(&shop, "shop.find", json!({"id": "1"})).await;
        let after = matches!(told, Err(ToolError::RateLimited(Some(7_000))));
        // The order of an object's keys is nobody's business.
        let same = |content: &str| content.parse::<Value>().unwrap();
        let told = told.map(|it| (same(&it.content), it.is_error));
        let told = told.map_err(|it| it.code());
        let meant = expected.clone().map(|(content, is)| (same(&content), is));
        assert_eq!(told, meant, "{status}");
        assert_eq!(after, expected == Err("rate-limited"), "{status}");
        assert_eq!(asked.lock().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let (shop, _) = shop(head, Some(b"5\r\nagain\r\n")).await;
    let told = call(&shop, "shop.find", json!({"id": "1"})).await;
    let Err(ToolError::Failed(why)) = told else {
        panic!("{told:?}");
    };
    assert_eq!(why, "its answer is too large");
}

#[tokio::test]
async fn a_server_inside_is_not_reached_unless_its_network_is_named() {
    let (port, asked) = start(answer("200 OK", "{}"), None).await;
    for addresses in [&[][..], &["10.0.0.0/8"], &["127.0.0.2/32"]] {
        let tools = HttpTools::new(server(port, addresses), operations()).unwrap();
        let told = call(&offering(tools), "shop.find", json!({"id": "1"})).await;
        let why = told.unwrap_err().to_string();
        assert!(why.contains("denied-address"), "{why}");
    }
    assert_eq!(asked.lock().unwrap().len(), 0, "a packet got there");
}

#[test]
fn a_description_that_leaves_it_open_what_goes_where_is_refused() {
    type Change = fn(&mut Operation);
    let table: [(Change, &str); 9] = [
        (|it| it.path = "/v1/{missing}".into(), "`required`"),
        (|it| it.path = "v1".into(), "must start with"),
        (|it| it.path = "/v1/{id}?a=b".into(), "must start with"),
        (|it| it.path = "/../{id}".into(), "leads out"),
        (|it| it.path = "/{id".into(), "has no `}`"),
        (|it| it.query.extend(["id".to_owned()]), "two places"),
        (|it| it.query.clear(), "`tags` has no place"),
        (
            |it| {
                it.headers
                    .extend([("lang".to_owned(), "Authorization".to_owned())])
            },
            "cannot be set by a guest",
        ),
        (|it| it.body = Body::Whole("tags".into()), "has no body"),
    ];
    for (change, words) in table {
        let mut operation = operations().remove(0);
        change(&mut operation);
        let refused = HttpTools::new(server(1, &[]), vec![operation]).unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
}
