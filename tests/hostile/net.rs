//! The network that attacks on it meet: a server that answers as it is asked to,
//! one that never speaks, traps where nothing may arrive, and names that lead to
//! them. Nothing here leaves the machine.
//!
//! In a case's file `@web` stands for the port of the server, which listens on
//! 127.0.0.1 alone; on 127.0.0.2 the same port is a trap. `@trap` is the port of
//! traps on every other way to say "this machine", `@mute` that of a server that
//! accepts and says nothing. Arriving at a trap turns a case red, whatever its
//! guest says.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::egress::{Egress, Limits, Resolve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The ports that cases name.
pub(crate) struct Net {
    web: u16,
    trap: u16,
    mute: u16,
}

/// Connections that no request may make.
static TRAPPED: AtomicU64 = AtomicU64::new(0);

/// How many connections have arrived where none may.
pub(crate) fn trapped() -> u64 {
    TRAPPED.load(Ordering::SeqCst)
}

/// A case's text with the ports in it.
pub(crate) fn with_ports(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let net = net();
    [("@web", net.web), ("@trap", net.trap), ("@mute", net.mute)]
        .iter()
        .fold(text.to_owned(), |text, (word, port)| {
            text.replace(word, &port.to_string())
        })
}

fn net() -> &'static Net {
    static NET: OnceLock<Net> = OnceLock::new();
    NET.get_or_init(|| {
        let (ports, told) = std::sync::mpsc::channel();
        // Beside the host under attack, so that it cannot be starved by it.
        let serve = move || {
            let tokio = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            tokio.block_on(async move {
                ports.send(start().await).unwrap();
                std::future::pending::<()>().await;
            });
        };
        std::thread::spawn(serve);
        told.recv().unwrap()
    })
}

async fn start() -> Net {
    let (web, _) = together("127.0.0.1", &["127.0.0.2"]).await;
    let (trap, port) = together("127.0.0.2", &["127.0.0.1", "127.255.255.254", "::1"]).await;
    accept(trap, trapped_by);
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let net = Net {
        web: web.local_addr().unwrap().port(),
        trap: port,
        mute: mute.local_addr().unwrap().port(),
    };
    accept(web, |stream| async move { drop(serve(stream).await) });
    accept(
        mute,
        |mut stream| async move { drop(drain(&mut stream).await) },
    );
    net
}

/// A listener, and traps on the same port of other addresses.
async fn together(address: &str, traps: &[&str]) -> (TcpListener, u16) {
    'other: loop {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut bound = Vec::new();
        for trap in traps {
            match TcpListener::bind((*trap, port)).await {
                Ok(trap) => bound.push(trap),
                // A machine without IPv6 has no such way in.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue 'other,
                Err(_) => {}
            }
        }
        for trap in bound {
            accept(trap, trapped_by);
        }
        return (listener, port);
    }
}

async fn trapped_by(stream: TcpStream) {
    TRAPPED.fetch_add(1, Ordering::SeqCst);
    drop(stream);
}

fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
}

/// Reads until the other side is gone.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// Reads a head, answers as its path says, and closes.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let head_of = |more: &str| format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{more}\r\n");
    match path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((&path[1..], ""))
    {
        ("redirect", status) => {
            let answer =
                format!("HTTP/1.1 {status} x\r\nlocation: {query}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
        }
        ("stall", _) => drain(&mut stream).await?,
        ("endless-head", _) => {
            let mut line = b"HTTP/1.1 200 OK\r\n".to_vec();
            loop {
                stream.write_all(&line).await?;
                line = b"x-more: and more\r\n".to_vec();
                tokio::task::yield_now().await;
            }
        }
        ("fields", count) => {
            let count: usize = count.parse().unwrap();
            let fields: String = (0..count).map(|n| format!("x-{n}: v\r\n")).collect();
            let answer = head_of(&format!("content-length: 0\r\n{fields}"));
            stream.write_all(answer.as_bytes()).await?;
        }
        ("long-field", length) => {
            let value = "v".repeat(length.parse().unwrap());
            let answer = head_of(&format!("content-length: 0\r\nx-long: {value}\r\n"));
            stream.write_all(answer.as_bytes()).await?;
        }
        ("continue", _) => loop {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            every(1).await;
        },
        ("chunks", _) => {
            let head = head_of("transfer-encoding: chunked\r\n");
            stream.write_all(head.as_bytes()).await?;
            let chunk = [b"4000\r\n", [b'x'; 0x4000].as_slice(), b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        ("slow", _) => {
            stream.write_all(head_of("").as_bytes()).await?;
            loop {
                stream.write_all(b"x").await?;
                every(20).await;
            }
        }
        ("slow-head", _) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            loop {
                stream.write_all(b"x").await?;
                every(20).await;
            }
        }
        ("lengths", _) => {
            let answer = head_of("content-length: 4\r\ncontent-length: 5\r\n");
            stream
                .write_all(format!("{answer}four5").as_bytes())
                .await?;
        }
        ("gzip", _) => {
            // Twelve bytes that say they are gzip: nobody may look inside.
            let answer = head_of("content-encoding: gzip\r\ncontent-length: 12\r\n");
            stream.write_all(answer.as_bytes()).await?;
            stream.write_all(b"\x1f\x8b\x08bomb bomb").await?;
        }
        // What arrived, as it arrived.
        (path, _) => {
            let chunked = head.to_ascii_lowercase().contains("chunked");
            while chunked && !request.ends_with(b"0\r\n\r\n") {
                if stream.read_buf(&mut request).await? == 0 {
                    return Ok(());
                }
                // Large bodies are counted, not kept.
                if request.len() > 64 * 1024 {
                    request.drain(..32 * 1024);
                }
            }
            if path == "no-trailers" && request.windows(8).any(|it| it == b"smuggled") {
                TRAPPED.fetch_add(1, Ordering::SeqCst);
            }
            let answer = head_of(&format!("content-length: {}\r\n", request.len()));
            stream.write_all(answer.as_bytes()).await?;
            stream.write_all(&request).await?;
        }
    }
    stream.shutdown().await?;
    drain(&mut stream).await
}

/// Lets so much time pass.
async fn every(milliseconds: u64) {
    let mut tick = tokio::time::interval(Duration::from_millis(milliseconds));
    tick.tick().await;
    tick.tick().await;
}

/// A way out with names of our own, and caps that are soon reached.
pub(crate) fn egress(total: Duration) -> Arc<Egress> {
    static NAMES: LazyLock<Arc<Names>> = LazyLock::new(Arc::default);
    let names: Arc<Names> = Arc::clone(&NAMES);
    let limits = Limits {
        total,
        request_body: 256 << 10,
        response_body: 1 << 20,
        per_tenant: 512,
        ..Limits::default()
    };
    Arc::new(Egress::new(names, limits))
}

/// Names that lie.
#[derive(Default)]
struct Names {
    asked: AtomicUsize,
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let rebinds = usize::from(name == "rebind.test");
        let asked = self.asked.fetch_add(rebinds, Ordering::SeqCst);
        let addresses: &[&str] = match name {
            "good.test" => &["127.0.0.1"],
            // The first answer is harmless, the second is not, and so on.
            "rebind.test" if asked.is_multiple_of(2) => &["127.0.0.1"],
            "rebind.test" => &["127.0.0.2"],
            "mixed.test" => &["127.0.0.1", "127.0.0.2"],
            "mixed-six.test" => &["127.0.0.1", "::1"],
            "mapped.test" => &["::ffff:127.0.0.2"],
            "inside.test" | "localhost" => &["127.0.0.2"],
            "metadata.test" => &["169.254.169.254"],
            "none.test" => &[],
            "never.test" => return std::future::pending().await,
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(addresses.iter().map(|it| it.parse().unwrap()).collect())
    }
}
