//! A server that gives one prepared answer to everything and remembers what it
//! was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The requests of a server, as they came.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// Its port, and what it is asked. Each connection gets the same bytes; with
/// `forever` the last piece again and again.
pub(crate) async fn start(answer: Vec<u8>, forever: Option<&'static [u8]>) -> (u16, Asked) {
    converse(move |_| answer.clone(), forever).await
}

/// The same with an answer to each request. What goes on forever goes on after
/// answers that do not say how long they are, or say so and are not.
pub(crate) async fn converse(
    answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    forever: Option<&'static [u8]>,
) -> (u16, Asked) {
    let answers = Arc::new(answers);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Asked::default();
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let (answers, heard) = (Arc::clone(&answers), Arc::clone(&heard));
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !is_whole(&request) {
                    match stream.read(&mut piece).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => request.extend_from_slice(&piece[..n]),
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let answer = answers(&text);
                heard.lock().unwrap().push(text);
                let forever = forever.filter(|_| !is_whole(&answer));
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
                while let Some(more) = forever {
                    if stream.write_all(more).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, asked)
}

/// An answer with this status and JSON.
pub(crate) fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into()
}

/// Whether a message has the body that its head promises; one that promises none
/// by not closing is a request.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is = name.eq_ignore_ascii_case("content-length");
        is.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let answers = head.starts_with("HTTP/") && length.is_none();
    !answers && body.len() >= length.unwrap_or(0)
}
