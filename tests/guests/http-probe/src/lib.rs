//! A guest that sends requests. Its input is plain text, one request a line:
//! `GET http://example.com/path`, or a record with one of them under `requests`;
//! the task's kind says what is done with them.
//!
//! It answers when all were answered, is `refused` when all were refused, and
//! fails as `permanent` when some were and some were not: always with one word
//! for each.

#![cfg(target_family = "wasm")]
#![allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated bindings, and a guest that misbehaves on purpose"
)]

wit_bindgen::generate!({
    path: [
        "../../../wit/capability",
        "../../../wit/plugin",
        "wit/io.wit",
        "wit/clocks.wit",
        "wit/http.wit",
    ],
    inline: "
        package hotcell:http-probe;
        world http-probe {
            include hotcell:plugin/agent-world@0.1.0;
            import wasi:http/outgoing-handler@0.2.6;
        }
    ",
    world: "hotcell:http-probe/http-probe",
    generate_all,
});

mod leak;

use exports::hotcell::plugin::agent::{Failure, Guest, Output, Task};
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasi::io::streams::StreamError;

const MANIFEST: &[u8] = include_bytes!("../hotcell.toml");

#[used]
#[unsafe(link_section = "hotcell:manifest")]
static SECTION: [u8; MANIFEST.len()] = {
    let mut bytes = [0; MANIFEST.len()];
    bytes.copy_from_slice(MANIFEST);
    bytes
};

struct Probe;

/// What came of one thing that was tried.
type Came = Result<String, String>;

impl Guest for Probe {
    fn run(task: Task) -> Result<Output, Failure> {
        let input = requests(&task.input);
        let lines = || input.lines().map(str::trim).filter(|l| !l.is_empty());
        let came: Vec<Came> = match task.kind.as_str() {
            "fetch" => lines().map(fetch).collect(),
            "upload" => lines().map(upload).collect(),
            "unfinished" => lines().map(unfinished).collect(),
            "impatient" => lines().map(impatient).collect(),
            "fields" => lines().map(many_fields).collect(),
            "set" => lines().map(set).collect(),
            "send-field" => lines().map(send_field).collect(),
            "break" => broken(input),
            "trailers" => lines().map(trailers).collect(),
            "flood" => lines().map(flood).collect(),
            "abandon" => lines().map(abandon).collect(),
            "opens" => lines().map(opens).collect(),
            "leak" => leak::leak(input.trim())?,
            other => return Err(Failure::InvalidInput(format!("no behaviour `{other}`"))),
        };
        let words = came.iter().map(|came| match came {
            Ok(word) | Err(word) => word.as_str(),
        });
        let words = words.collect::<Vec<_>>().join(", ");
        if came.iter().all(Result::is_err) {
            return Err(Failure::Refused(words));
        }
        if came.iter().any(Result::is_err) {
            return Err(Failure::Permanent(words));
        }
        Ok(Output {
            value: format!("{{\"came\": {words:?}}}"),
            confidence: None,
            evidence: Vec::new(),
            next_state: None,
            plan: Vec::new(),
        })
    }
}

/// The input's text: all of it, or what a record has under `requests`.
fn requests(input: &str) -> &str {
    let key = "\"requests\":\"";
    let found = input
        .split_once(key)
        .and_then(|(_, rest)| rest.split_once('"'));
    found.map_or(input, |(requests, _)| requests)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

/// The request of a line, with these fields.
fn request(line: &str, fields: Fields) -> Result<OutgoingRequest, String> {
    let (name, url) = line.split_once(' ').unwrap_or(("GET", line));
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(fields);
    let wrong = |what: &str| format!("bad {what}");
    request
        .set_method(&method(name))
        .map_err(|()| wrong("method"))?;
    request
        .set_scheme(Some(&scheme))
        .map_err(|()| wrong("scheme"))?;
    request
        .set_authority(Some(authority))
        .map_err(|()| wrong("authority"))?;
    let path = (!path.is_empty()).then_some(path);
    request
        .set_path_with_query(path)
        .map_err(|()| wrong("path"))?;
    Ok(request)
}

/// The name of an error's case.
fn word(error: ErrorCode) -> String {
    let text = format!("{error:?}");
    let name = text.strip_prefix("ErrorCode::").unwrap_or(&text);
    name.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

fn wait(answer: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    answer.subscribe().block();
    answer.get().unwrap().unwrap().map_err(word)
}

/// The status, the body's length, and how it begins.
fn read(response: IncomingResponse) -> Result<(u16, usize, Vec<u8>), String> {
    let status = response.status();
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let (mut length, mut begin) = (0, Vec::new());
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => {
                length += piece.len();
                begin.extend(piece.iter().take(400_usize.saturating_sub(begin.len())));
            }
            Err(StreamError::Closed) => return Ok((status, length, begin)),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasi::http::types::http_error_code(&error);
                return Err(code.map_or_else(|| error.to_debug_string(), word));
            }
        }
    }
}

fn came(response: IncomingResponse) -> Came {
    let (status, length, begin) = read(response)?;
    let text = String::from_utf8_lossy(&begin);
    Ok(format!("{status} {length} bytes {text}"))
}

fn fetch(line: &str) -> Came {
    let request = request(line, Fields::new())?;
    came(wait(&handle(request, None).map_err(word)?)?)
}

/// `1000000 POST http://…`: a body of so many bytes.
fn upload(line: &str) -> Came {
    let (bytes, line) = line.split_once(' ').unwrap();
    let mut left: u64 = bytes.parse().unwrap();
    let request = request(line, Fields::new())?;
    let body = request.body().unwrap();
    let answer = handle(request, None).map_err(word)?;
    let stream = body.write().unwrap();
    while left > 0 {
        let now = left.min(4096);
        if stream
            .blocking_write_and_flush(&vec![b'x'; now as usize])
            .is_err()
        {
            break;
        }
        left -= now;
    }
    drop(stream);
    // Fails when nobody takes the rest, which the answer tells as well.
    let _ = OutgoingBody::finish(body, None);
    came(wait(&answer)?)
}

/// Begins a body and drops it.
fn unfinished(line: &str) -> Came {
    let request = request(line, Fields::new())?;
    let body = request.body().unwrap();
    let answer = handle(request, None).map_err(word)?;
    let stream = body.write().unwrap();
    let _ = stream.blocking_write_and_flush(b"half of");
    drop(stream);
    drop(body);
    came(wait(&answer)?)
}

/// Smuggles a field behind the body.
fn trailers(line: &str) -> Came {
    let request = request(line, Fields::new())?;
    let body = request.body().unwrap();
    let answer = handle(request, None).map_err(word)?;
    let stream = body.write().unwrap();
    let _ = stream.blocking_write_and_flush(b"body");
    drop(stream);
    let trailers = Fields::new();
    for name in ["x-late", "authorization"] {
        trailers.append(name, b"smuggled").unwrap();
    }
    OutgoingBody::finish(body, Some(trailers)).map_err(word)?;
    came(wait(&answer)?)
}

/// Asks for all the time in the world, and for none.
fn impatient(line: &str) -> Came {
    let (nanoseconds, line) = line.split_once(' ').unwrap();
    let options = RequestOptions::new();
    let time = nanoseconds.parse().ok();
    options.set_connect_timeout(time).unwrap();
    options.set_first_byte_timeout(time).unwrap();
    options.set_between_bytes_timeout(time).unwrap();
    let request = request(line, Fields::new())?;
    came(wait(&handle(request, Some(options)).map_err(word)?)?)
}

/// `200 10 GET http://…`: so many fields of so many bytes.
fn many_fields(line: &str) -> Came {
    let mut parts = line.splitn(3, ' ');
    let mut number = || parts.next().unwrap().parse::<usize>().unwrap();
    let (count, length) = (number(), number());
    let fields = Fields::new();
    for n in 0..count {
        let value = vec![b'v'; length];
        fields
            .append(&format!("x-{n}"), &value)
            .map_err(|error| format!("{error:?}"))?;
    }
    let request = request(parts.next().unwrap(), fields)?;
    came(wait(&handle(request, None).map_err(word)?)?)
}

/// Sets a field: `name: value`, with `\r`, `\n` and `\0` for what they mean.
fn set(line: &str) -> Came {
    let (name, value) = unescape(line);
    let fields = Fields::new();
    match fields.append(&name, value.as_bytes()) {
        Ok(()) => Ok(format!("{name} was set")),
        Err(error) => Err(format!("{error:?}")),
    }
}

fn unescape(line: &str) -> (String, String) {
    let line = line.replace("\\r", "\r").replace("\\n", "\n");
    let line = line.replace("\\0", "\0");
    let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
    (name.to_owned(), value.to_owned())
}

/// `name: value | GET http://…`: a request with a field, if it can be set.
fn send_field(line: &str) -> Came {
    let (field, line) = line.split_once(" | ").unwrap();
    let (name, value) = unescape(field);
    let fields = Fields::new();
    fields
        .append(&name, value.as_bytes())
        .map_err(|error| format!("{error:?}"))?;
    let request = request(line, fields)?;
    came(wait(&handle(request, None).map_err(word)?)?)
}

/// Methods, schemes, authorities and paths with something in them that would
/// break out of the request's first line. The input is a host and its port.
fn broken(host: &str) -> Vec<Came> {
    let host = host.trim();
    let mut came = Vec::new();
    let outs = [
        "\r\n",
        "\n",
        "\r",
        "\0",
        " HTTP/1.1\r\nHost: evil\r\n\r\n",
        "\r\n\r\nGET /second HTTP/1.1\r\nHost: evil\r\n\r\n",
        "\u{85}\r\n x",
    ];
    let mut try_one = |what: &str, result: Result<(), ()>, request: OutgoingRequest| {
        came.push(match result {
            Err(()) => Err(format!("bad {what}")),
            Ok(()) => handle(request, None)
                .map_err(word)
                .and_then(|answer| wait(&answer))
                .map(|answer| format!("{what} was sent: {}", answer.status())),
        });
    };
    let plain = || {
        let request = OutgoingRequest::new(Fields::new());
        request.set_scheme(Some(&Scheme::Http)).unwrap();
        request.set_authority(Some(host)).unwrap();
        request
    };
    for out in outs {
        let request = plain();
        let set = request.set_method(&Method::Other(format!("GET{out}")));
        try_one("method", set, request);
        let request = plain();
        let set = request.set_path_with_query(Some(&format!("/echo{out}")));
        try_one("path", set, request);
        let request = plain();
        let set = request.set_authority(Some(&format!("{host}{out}")));
        try_one("authority", set, request);
        let request = plain();
        let set = request.set_scheme(Some(&Scheme::Other(format!("http{out}"))));
        try_one("scheme", set, request);
    }
    // Absolute, and in no form that a request line has.
    for path in ["http://other.test/", "*", "echo", "\\"] {
        let request = plain();
        let set = request.set_path_with_query(Some(path));
        try_one("path", set, request);
    }
    came
}

/// `100 GET http://…`: so many at once, all held. Waits for the last of them.
fn flood(line: &str) -> Came {
    let (count, line) = line.split_once(' ').unwrap();
    let count: usize = count.parse().unwrap();
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(handle(request(line, Fields::new())?, None).map_err(word)?);
    }
    held.last().unwrap().subscribe().block();
    let is_refused = |answer: &&FutureIncomingResponse| {
        answer.subscribe().block();
        matches!(
            answer.get(),
            Some(Ok(Err(ErrorCode::ConnectionLimitReached)))
        )
    };
    // From the end, where the refused ones are, to the first that goes on.
    let refused = held
        .iter()
        .rev()
        .take(count - 16)
        .filter(is_refused)
        .count();
    Err(format!("{refused} of {count} refused"))
}

/// `NAME | GET http://…`: a request that takes a secret along.
fn opens(line: &str) -> Came {
    let (name, line) = line.split_once(" | ").unwrap();
    let secret = hotcell::capability::secrets::open(name);
    let secret = secret.map_err(|denial| format!("{denial:?}"))?;
    let fields = Fields::new();
    let value = format!("Bearer {}", secret.placeholder());
    fields.append("authorization", value.as_bytes()).unwrap();
    fields.append("accept-encoding", b"gzip").unwrap();
    let request = request(line, fields)?;
    let answered = came(wait(&handle(request, None).map_err(word)?)?)?;
    Ok(format!("{answered} for {}", secret.name()))
}

/// Sends and does not wait.
fn abandon(line: &str) -> Came {
    let answer = handle(request(line, Fields::new())?, None).map_err(word)?;
    drop(answer);
    Ok("left alone".to_owned())
}

export!(Probe);
