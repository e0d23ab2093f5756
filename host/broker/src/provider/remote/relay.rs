//! Where `genai` sends its requests: to us.
//!
//! `genai` knows how each protocol is written and read, and can do that only around a
//! request of its own. It reads answers whole, whatever their length, waits as long
//! as they take, and adds what they say of tokens in 32 bits. So it is given an
//! address on this machine that lives for one call: what it sends there is what is
//! sent out, by us, and what it gets back is what we have read and checked.
//!
//! The address holds 128 random bits. Who connects without them, such as another
//! user of the machine, is not answered; what he would learn is that a call is made.

use std::fmt::Write as _;
use std::io;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest head of a request.
const HEAD: usize = 16 << 10;

/// Strangers that are listened to at one time.
const STRANGERS: usize = 64;

/// An address for one call.
pub(super) struct Relay {
    listener: TcpListener,
    base: String,
    /// How the first line of the one request begins.
    line: String,
}

/// The request that came, and where its answer goes.
pub(super) struct Asked {
    pub(super) payload: Value,
    stream: TcpStream,
}

impl Relay {
    pub(super) async fn open() -> io::Result<Relay> {
        let mut bits = [0_u8; 16];
        let random = SystemRandom::new().fill(&mut bits);
        random.map_err(|_| io::Error::other("no random numbers"))?;
        let mut secret = String::new();
        for byte in bits {
            write!(secret, "{byte:02x}").map_err(io::Error::other)?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok(Relay {
            listener,
            base: format!("http://{address}/{secret}/"),
            line: format!("POST /{secret}/"),
        })
    }

    /// The base URL for `genai`.
    pub(super) fn base(&self) -> String {
        self.base.clone()
    }

    /// The one request.
    pub(super) async fn asked(&self) -> io::Result<Asked> {
        let mut callers = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if callers.len() < STRANGERS => {
                    callers.push(read(accepted?.0, &self.line));
                }
                Some(asked) = callers.next() => {
                    if let Some(asked) = asked {
                        return Ok(asked);
                    }
                }
            }
        }
    }
}

impl Asked {
    /// Hands `genai` a whole answer.
    pub(super) async fn answer(mut self, answer: &Value) -> io::Result<()> {
        let body = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body.as_bytes()).await?;
        self.stream.flush().await
    }
}

/// A request that begins with this line; none from a stranger.
async fn read(mut stream: TcpStream, line: &str) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        let known = bytes.iter().zip(line.as_bytes());
        if read == 0 || !known.into_iter().all(|(a, b)| a == b) {
            return None;
        }
        match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => break end,
            None if bytes.len() > HEAD => return None,
            None => {}
        }
    };
    let fields = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let length = fields.lines().find_map(|field| {
        let (name, value) = field.split_once(':')?;
        let length = name.eq_ignore_ascii_case("content-length");
        length.then(|| value.trim().parse::<usize>().ok())?
    })?;
    let mut body = bytes.split_off(head.checked_add(4)?);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let payload = serde_json::from_slice(&body).ok()?;
    Some(Asked { payload, stream })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn say(relay: &Relay, text: &str) -> TcpStream {
        let authority = relay.base.strip_prefix("http://").unwrap();
        let address = authority.split('/').next().unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn only_who_knows_the_address_is_heard() {
        let relay = Relay::open().await.unwrap();
        let silent = say(&relay, "").await;
        let mut stranger = say(
            &relay,
            "POST /00000000000000000000000000000000/v1 HTTP/1.1\r\ncontent-length: 2\r\n\r\n[]",
        )
        .await;
        let request = format!(
            "{}chat HTTP/1.1\r\nContent-Length: 7\r\n\r\n{{\"a\":1}}",
            relay.line
        );
        let mut known = say(&relay, &request).await;
        let asked = relay.asked().await.unwrap();
        assert_eq!(asked.payload, serde_json::json!({ "a": 1 }));
        asked.answer(&Value::Null).await.unwrap();
        let mut told = String::new();
        known.read_to_string(&mut told).await.unwrap();
        assert!(told.ends_with("\r\n\r\nnull"), "{told}");
        told.clear();
        drop(stranger.read_to_string(&mut told).await);
        assert_eq!(told, "");
        drop(silent);
    }
}
