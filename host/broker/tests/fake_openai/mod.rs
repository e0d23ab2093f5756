//! A server that says one thing to everybody and remembers what it was asked.
//! Raw bytes on purpose: half of what is tested here no HTTP library would send.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens after the bytes.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Close,
    KeepOpen,
}

/// One request as it arrived.
pub(crate) struct Seen {
    /// Request line and headers, as sent.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

pub(crate) struct FakeOpenAi {
    pub(crate) base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeOpenAi {
    /// Listens on a free port of the loopback interface until the test ends.
    pub(crate) async fn start(bytes: Vec<u8>, then: Then) -> FakeOpenAi {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                remembered.lock().unwrap().push(request);
                // The client may hang up in the middle of an oversized answer.
                let _sent = stream.write_all(&bytes).await;
                match then {
                    Then::Close => drop(stream),
                    Then::KeepOpen => open.push(stream),
                }
            }
        });
        FakeOpenAi { base_url, seen }
    }

    /// A server that answers with this completion.
    pub(crate) async fn answering(body: &Value) -> FakeOpenAi {
        let bytes = reply("200 OK", "application/json", "", &body.to_string());
        FakeOpenAi::start(bytes, Then::Close).await
    }

    /// A server that answers with a status, more header lines and a body.
    pub(crate) async fn failing(status: &str, headers: &str, body: &str) -> FakeOpenAi {
        FakeOpenAi::start(
            reply(status, "application/json", headers, body),
            Then::Close,
        )
        .await
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap()
    }
}

/// A whole HTTP answer. `headers` are lines that end in CRLF.
pub(crate) fn reply(status: &str, content_type: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// The body of a chat completion with this message and reason.
pub(crate) fn completion(message: Value, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-test-2024-08-06",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason }],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 30,
            "total_tokens": 150,
            "prompt_tokens_details": { "cached_tokens": 64 },
            "completion_tokens_details": { "reasoning_tokens": 10 },
        },
    })
}

async fn read(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head_end {
            let mut seen = Seen {
                head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
                body: Value::Null,
            };
            let length: usize = seen.header("content-length").unwrap().parse().unwrap();
            if bytes.len() == end + 4 + length {
                seen.body = serde_json::from_slice(&bytes[end + 4..]).unwrap();
                return seen;
            }
        }
        let read = stream.read_buf(&mut bytes).await.unwrap();
        assert!(read > 0, "the client hung up before its request was whole");
    }
}
