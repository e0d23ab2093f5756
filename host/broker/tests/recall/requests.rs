//! Requests over HTTP: what only reads may be sent again, the rest never
//! unasked. Their answers are not recorded, so this holds for those that were
//! answered as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use hotcell_broker::egress::origin::{HttpGrant, Origin};
use hotcell_broker::egress::{HttpError, Patience, Sent};
use hotcell_broker::recall::{Halt, Known, Resolution, doubts};
use hotcell_broker::{Broker, Caller, Capability, Grants, Policy};
use http_body_util::Empty;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::desk::{Desk, live};

/// Answers every request, and counts.
async fn server() -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut request = vec![0; 4096];
            drop(stream.read(&mut request).await);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    });
    (port, asked)
}

fn broker(port: u16) -> Broker {
    let grant = HttpGrant {
        origin: Origin::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
        methods: ["GET", "POST"].map(str::to_owned).into(),
        addresses: vec!["127.0.0.0/8".parse().unwrap()],
    };
    let grants = Grants {
        http: vec![grant],
        ..Grants::default()
    };
    let policy = Policy {
        plugin: BTreeMap::from([("agent".to_owned(), grants)]),
        ..Policy::default()
    };
    Broker::new(policy, BTreeMap::new(), Vec::new()).unwrap()
}

async fn send(port: u16, caller: &Caller, method: &str, path: &str) -> Result<u16, HttpError> {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:{port}/{path}"))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let mut sent = Sent::default();
    let answer = broker(port)
        .fetch(caller, request, Patience::default(), &mut sent)
        .await;
    answer.map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn a_request_that_changes_something_is_never_sent_again_unasked() {
    let (port, asked) = server().await;
    let mut desk = Desk::new();
    let caller = live(&desk.begin(), Known::default());
    assert_eq!(send(port, &caller, "GET", "a").await.unwrap(), 200);
    assert_eq!(send(port, &caller, "POST", "a").await.unwrap(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    // The host is gone before the attempt has ended.
    let run = desk.again();
    let caller = live(&run, desk.known());
    assert_eq!(send(port, &caller, "GET", "a").await.unwrap(), 200);
    let refused = send(port, &caller, "POST", "a").await;
    assert!(matches!(refused, Err(HttpError::Exhausted)), "{refused:?}");
    let Some(Halt::Doubt { capability, .. }) = caller.log.halted() else {
        panic!("{:?}", caller.log.halted());
    };
    assert_eq!(capability, Capability::Http);
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    // Somebody says that it may.
    let doubts = doubts(&desk.records()).unwrap();
    assert_eq!(doubts.len(), 1);
    let word = doubts[0].resolve(Resolution::Repeat, 9);
    run.append(vec![word]).await.unwrap();
    let run = desk.again();
    let caller = live(&run, desk.known());
    assert_eq!(send(port, &caller, "GET", "a").await.unwrap(), 200);
    assert_eq!(send(port, &caller, "POST", "a").await.unwrap(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 5);

    // Or that it may not.
    let doubts = hotcell_broker::recall::doubts(&desk.records()).unwrap();
    let word = doubts[0].resolve(Resolution::Fail, 9);
    run.append(vec![word]).await.unwrap();
    let caller = live(&desk.again(), desk.known());
    assert_eq!(send(port, &caller, "GET", "a").await.unwrap(), 200);
    let refused = send(port, &caller, "POST", "a").await;
    assert!(matches!(refused, Err(HttpError::Broken)), "{refused:?}");
    assert_eq!(caller.log.halted(), None);
    assert_eq!(asked.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn another_request_in_its_place_is_a_divergence() {
    let (port, asked) = server().await;
    let mut desk = Desk::new();
    let caller = live(&desk.begin(), Known::default());
    assert_eq!(send(port, &caller, "POST", "a").await.unwrap(), 200);
    let caller = live(&desk.again(), desk.known());
    assert!(send(port, &caller, "POST", "b").await.is_err());
    assert!(matches!(caller.log.halted(), Some(Halt::Diverged { .. })));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
