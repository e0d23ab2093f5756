//! A model server on this machine that writes down every question it gets. It
//! answers each in the same words, so that an answer says whose it is.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

/// What one answer costs under [`PRICE`].
pub(crate) const COST: u64 = 7 + 2 * 5;

/// Micro-dollars for a million input and output tokens.
pub(crate) const PRICE: &str = "1000000,2000000";

/// A server that ends with the test's process.
pub(crate) struct Provider {
    address: String,
    book: Arc<Book>,
}

/// What was asked, and until when answers are held back.
#[derive(Default)]
struct Book {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Every question, in the order in which they came.
    asked: Vec<String>,
    /// So many answers are given; the others wait.
    answers: Option<usize>,
}

impl Provider {
    /// A server that answers at once.
    pub(crate) fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let book = Arc::new(Book::default());
        let its = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, book) = (stream.unwrap(), Arc::clone(&its));
                // Whoever asked may be dead by now; then there is nothing to answer.
                std::thread::spawn(move || drop(serve(&stream, &book)));
            }
        });
        Provider { address, book }
    }

    /// What `--model` says of it.
    pub(crate) fn model(&self) -> String {
        format!("openai@http://{}/v1#fake", self.address)
    }

    /// How often each question came.
    pub(crate) fn asked(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for question in &self.book.state.lock().unwrap().asked {
            *counts.entry(question.clone()).or_default() += 1;
        }
        counts
    }

    /// How many questions came.
    pub(crate) fn count(&self) -> usize {
        self.book.state.lock().unwrap().asked.len()
    }

    /// From now on only so many answers are given, counted from the first ever;
    /// none that is held: all of them.
    pub(crate) fn hold(&self, answers: Option<usize>) {
        self.book.state.lock().unwrap().answers = answers;
        self.book.changed.notify_all();
    }

    /// Waits until so many questions came, or until it is given up. Looks every
    /// millisecond.
    pub(crate) fn wait(&self, count: usize, mut given_up: impl FnMut() -> bool) -> bool {
        let mut state = self.book.state.lock().unwrap();
        while state.asked.len() < count {
            let patience = std::time::Duration::from_millis(1);
            state = self.book.changed.wait_timeout(state, patience).unwrap().0;
            if state.asked.len() < count && given_up() {
                return false;
            }
        }
        true
    }
}

fn serve(mut stream: &TcpStream, book: &Book) -> std::io::Result<()> {
    let Some(question) = read(stream)? else {
        return Ok(());
    };
    let mut state = book.state.lock().unwrap();
    let number = state.asked.len();
    state.asked.push(question.clone());
    book.changed.notify_all();
    while state.answers.is_some_and(|answers| number >= answers) {
        state = book.changed.wait(state).unwrap();
    }
    drop(state);
    let body = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "fake-2025",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": format!("answer to {question}") },
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 },
    });
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())
}

/// The question of a request; none when it was cut off.
fn read(stream: &TcpStream) -> std::io::Result<Option<String>> {
    let mut lines = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.starts_with("POST") {
                continue;
            }
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body)?;
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let question = body.and_then(|it| Some(it["messages"][0]["content"].as_str()?.to_owned()));
    Ok(question)
}
