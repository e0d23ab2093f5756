//! The one way out, against a server on the loopback interface: what leaves, what
//! is written down, and how many at once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

#[path = "setup/mod.rs"]
mod setup;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hotcell_broker::egress::origin::{HttpGrant, Origin, default_methods};
use hotcell_broker::egress::{Egress, HttpError, Incoming, Limits, Patience, Resolve, Sent};
use hotcell_broker::provider::remote::{Protocol, Remote, RemoteConfig, Waits};
use hotcell_broker::{Broker, Capability, Grants, Parts, Policy, Price, Route};
use http_body_util::{BodyExt, Empty};
use setup::{Setup, caller, question};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with these bytes; what arrived, and its port.
async fn server(answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let remembered = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            remembered.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
            open.push(stream);
        }
    });
    (port, seen)
}

/// Every name is this machine; counts how often it was asked.
#[derive(Default)]
struct Here(AtomicUsize);

#[async_trait]
impl Resolve for Here {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }
}

/// A broker whose plugin `agent` may send to this origin.
fn setup(origin: &str, addresses: &[&str], limits: Limits) -> (Setup, Arc<Here>) {
    let here = Arc::new(Here::default());
    let resolver: Arc<dyn Resolve> = Arc::<Here>::clone(&here);
    let grant = HttpGrant {
        origin: Origin::parse(origin).unwrap(),
        methods: default_methods(),
        addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
    };
    let mut policy = Policy::default();
    let grants = Grants {
        http: vec![grant],
        ..Grants::default()
    };
    policy.plugin.insert("agent".to_owned(), grants);
    let egress = Arc::new(Egress::new(resolver, limits));
    let broker = Broker::assemble(Parts {
        policy,
        egress,
        ..Parts::default()
    });
    let setup = Setup {
        broker: broker.unwrap(),
        caller: caller(),
    };
    (setup, here)
}

fn get(url: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(url).body(Empty::new()).unwrap()
}

async fn fetch(
    setup: &Setup,
    url: &str,
    sent: &mut Sent,
) -> Result<http::Response<Incoming>, HttpError> {
    let (broker, caller) = (&setup.broker, &setup.caller);
    broker
        .fetch(caller, get(url), Patience::default(), sent)
        .await
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const ANYWHERE_HERE: &[&str] = &["127.0.0.0/8"];

#[tokio::test]
async fn what_leaves_is_what_was_asked_for_and_a_host_that_is_ours() {
    let (port, seen) = server(HELLO).await;
    let origin = format!("http://good.test:{port}");
    let (setup, here) = setup(&origin, ANYWHERE_HERE, Limits::default());
    let mut sent = Sent::default();
    let answer = fetch(&setup, &format!("{origin}/a?b=c"), &mut sent).await;
    let body = answer.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "hello");
    assert_eq!(here.0.load(Ordering::SeqCst), 1, "one look-up");
    let expected = format!("GET /a?b=c HTTP/1.1\r\naccept: */*\r\nhost: good.test:{port}\r\n\r\n");
    assert_eq!(*seen.lock().unwrap(), [expected]);
    let effects = setup.caller.meter.records().effects;
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0].capability, Capability::Http);
    assert_eq!(effects[0].resource, origin);
    assert_eq!(effects[0].outcome, "ok");
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_written_down_at_once() {
    let (port, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let origin = format!("http://127.0.0.1:{port}");
    let (setup, _) = setup(&origin, ANYWHERE_HERE, Limits::default());
    let mut sent = Sent::default();
    let answer = fetch(&setup, &origin, &mut sent).await.unwrap();
    assert!(setup.caller.meter.records().effects.is_empty());
    drop(sent);
    let effects = setup.caller.meter.records().effects;
    assert_eq!((effects.len(), effects[0].outcome), (1, "cancelled"));
    drop(answer);
    assert_eq!(setup.caller.meter.records().effects.len(), 1);
}

#[tokio::test]
async fn an_answer_without_a_body_is_an_answer() {
    for (answer, outcome) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", "ok"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "ok"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            "cancelled",
        ),
    ] {
        let (port, _) = server(answer).await;
        let origin = format!("http://127.0.0.1:{port}");
        let (setup, _) = setup(&origin, ANYWHERE_HERE, Limits::default());
        let mut sent = Sent::default();
        drop(fetch(&setup, &origin, &mut sent).await.ok().unwrap());
        let effects = setup.caller.meter.records().effects;
        assert_eq!(effects[0].outcome, outcome, "{answer}");
    }
}

#[tokio::test]
async fn a_place_is_free_again_when_the_answer_has_been_read_or_dropped() {
    let (port, _) = server(HELLO).await;
    let origin = format!("http://127.0.0.1:{port}");
    let limits = Limits {
        per_agent: 2,
        per_tenant: 3,
        ..Limits::default()
    };
    let (setup, _) = setup(&origin, ANYWHERE_HERE, limits);
    let mut other = setup.clone();
    other.caller.run = "another run".to_owned();
    let mut stranger = setup.clone();
    stranger.caller.tenant = "another tenant".to_owned();
    let mut sent = Sent::default();
    let first = fetch(&setup, &origin, &mut sent).await.unwrap();
    let second = fetch(&setup, &origin, &mut sent).await.unwrap();
    // The plugin has its share in this run, but not in another.
    let refused = fetch(&setup, &origin, &mut sent).await.err().unwrap();
    assert_eq!(refused, HttpError::Busy);
    let third = fetch(&other, &origin, &mut sent).await.unwrap();
    // The tenant has its share; another tenant has its own.
    let refused = fetch(&other, &origin, &mut sent).await.err().unwrap();
    assert_eq!(refused, HttpError::Busy);
    fetch(&stranger, &origin, &mut sent).await.unwrap();

    drop(first);
    drop(third);
    fetch(&setup, &origin, &mut sent).await.unwrap();
    second.into_body().collect().await.unwrap();
    fetch(&setup, &origin, &mut sent).await.unwrap();
    let records = setup.caller.meter.records();
    let busy = records.effects.iter().filter(|e| e.outcome == "busy");
    assert_eq!(busy.count(), 2);
    assert!(records.refusals.is_empty(), "it was granted");
}

#[tokio::test]
async fn a_refusal_says_what_would_allow_it() {
    let origin = "http://private.test:1";
    let (setup, here) = setup(origin, &[], Limits::default());
    let mut sent = Sent::default();
    let mut line = async |url: &str| {
        let error = fetch(&setup, url, &mut sent).await.err().unwrap();
        let records = setup.caller.meter.records();
        let refusals: Vec<_> = records.refusals.iter().map(|(it, _)| it.clone()).collect();
        (error.code(), refusals)
    };
    let (code, refusals) = line("http://other.test/").await;
    assert_eq!(code, "denied");
    assert_eq!(
        refusals[0].allow_with.as_deref(),
        Some("[plugin.agent] http = [{ origin = \"http://other.test\" }]")
    );
    assert_eq!(
        here.0.load(Ordering::SeqCst),
        0,
        "no look-up before the grant"
    );
    let (code, refusals) = line(&format!("{origin}/x")).await;
    assert_eq!(code, "denied-address");
    let told = refusals.iter().find(|it| it.resource.contains("private"));
    assert_eq!(
        told.unwrap().allow_with.as_deref(),
        Some(
            "[plugin.agent] http = [{ origin = \"http://private.test:1\", methods = [\"GET\"], \
             addresses = [\"127.0.0.1/32\"] }]"
        )
    );
    let (code, _) = line("http://me@private.test:1/").await;
    assert_eq!(code, "invalid-url");
}

#[tokio::test]
async fn a_models_host_is_looked_up_once_and_may_be_private() {
    let (port, seen) = server("HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n").await;
    let provider = Remote::new(RemoteConfig {
        protocol: Protocol::OpenAi,
        base_url: format!("http://model.test:{port}/v1"),
        model: "any".to_owned(),
        api_key: None,
        stream: false,
        waits: Waits::default(),
    });
    let route = Route {
        provider: Arc::new(provider.unwrap()),
        price: Price::default(),
        timeout: Duration::from_secs(30),
        max_output_tokens: None,
    };
    let models = BTreeMap::from([("default".to_owned(), route)]);
    let mut policy = Policy::default();
    let grants = policy.plugin.entry("agent".to_owned()).or_default();
    grants.llm.insert("default".to_owned());
    let here = Arc::new(Here::default());
    let resolver: Arc<dyn Resolve> = Arc::<Here>::clone(&here);
    let egress = Arc::new(Egress::new(resolver, Limits::default()));
    let broker = Broker::assemble(Parts {
        policy,
        models,
        egress,
        ..Parts::default()
    })
    .unwrap();
    let answer = broker.complete(&caller(), question("hello")).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "unavailable: the provider failed (HTTP 500)"
    );
    assert_eq!(here.0.load(Ordering::SeqCst), 1);
    let seen = seen.lock().unwrap();
    assert!(
        seen[0].contains(&format!("host: model.test:{port}\r\n")),
        "{}",
        seen[0]
    );
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_in_time_all_the_same() {
    let (port, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let origin = format!("http://127.0.0.1:{port}");
    let limits = Limits {
        total: Duration::from_millis(200),
        per_agent: 1,
        ..Limits::default()
    };
    let (setup, _) = setup(&origin, ANYWHERE_HERE, limits);
    let mut sent = Sent::default();
    let answer = fetch(&setup, &origin, &mut sent).await.ok().unwrap();
    while setup.caller.meter.records().effects.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(setup.caller.meter.records().effects[0].outcome, "timeout");
    // Its place is free although the guest still holds the answer.
    fetch(&setup, &origin, &mut sent).await.ok().unwrap();
    let error = answer.into_body().collect().await.err().unwrap();
    assert_eq!(error, HttpError::Timeout);
}
