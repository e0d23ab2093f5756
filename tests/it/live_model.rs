//! Agents against a model server: a small one on this machine that speaks the
//! OpenAI chat protocol and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::scene::{Ran, Scene};

const CANARY: &str = "sk-canary-never-to-be-seen";

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Asked {
    line: String,
    authorization: Option<String>,
    body: Value,
}

/// A status line and a body.
type Reply = (&'static str, Value);

/// A server that ends with the test's process.
pub(crate) struct Server {
    base_url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn start(answer: impl Fn(&Asked) -> Reply + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                let (status, body) = answer(&request);
                remembered.lock().unwrap().push(request);
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        Server { base_url, asked }
    }

    /// A server that answers everybody with this text and these tokens.
    pub(crate) fn saying(text: &'static str, usage: Value) -> Server {
        Server::start(move |_| {
            let message = json!({ "role": "assistant", "content": text });
            ("200 OK", completion(&message, "stop", &usage))
        })
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What `--model` says of it.
    pub(crate) fn model(&self) -> String {
        format!("openai@{}#fake", self.base_url)
    }
}

fn read(stream: &TcpStream) -> Asked {
    let mut lines = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let line = next();
    let (mut authorization, mut length) = (None, 0);
    loop {
        let header = next();
        let Some((name, value)) = header.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).unwrap();
    Asked {
        line,
        authorization,
        body: serde_json::from_slice(&body).unwrap(),
    }
}

fn completion(message: &Value, finish_reason: &str, usage: &Value) -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "fake-2025",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason }],
        "usage": usage,
    })
}

pub(crate) fn tokens(input: u64, output: u64) -> Value {
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
    })
}

fn totals(ran: &Ran, names: [&str; 3]) -> [u64; 3] {
    names.map(|name| ran.results["totals"][name].as_u64().unwrap())
}

#[test]
fn the_server_is_asked_what_the_agent_asked_and_its_tokens_are_billed() {
    let server = Server::saying("hello", tokens(7, 5));
    let scene = Scene::probe("ask");
    let args = ["--model", &server.model(), "--price", "1000000,2000000"];
    let ran = scene.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.task()["output"], json!({ "parts": 1 }));

    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(asked[0].body["model"], "fake");
    let question = json!([{ "role": "user", "content": r#"{"id":"one"}"# }]);
    assert_eq!(asked[0].body["messages"], question);

    let counted = totals(&ran, ["input_tokens", "output_tokens", "cost_micros"]);
    assert_eq!(counted, [7, 5, 17]);
    assert_eq!(ran.task()["cost_micros"], 17);
    assert_eq!(ran.results["totals"]["tokens_estimated"], false);
    assert_eq!(ran.results["models"][0]["origin"], "live");
    assert_eq!(ran.results["simulated"], false);
    assert!(ran.stdout.contains("0.000017 USD"), "{}", ran.stdout);

    // Without a price, what runs on this machine is free.
    let ran = scene.run(&["--model", &server.model()]);
    assert_eq!(ran.results["totals"]["cost_micros"], 0);
}

#[test]
fn tokens_that_nobody_counted_are_estimated_and_said_to_be() {
    let server = Server::saying("hello", Value::Null);
    let args = ["--model", &server.model(), "--price", "1000000,2000000"];
    let ran = Scene::probe("ask").run(&args);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["totals"]["tokens_estimated"], true);
    let [input, output, cost] = totals(&ran, ["input_tokens", "output_tokens", "cost_micros"]);
    assert!(input > 0 && output > 0);
    assert_eq!(cost, input + 2 * output);
    assert!(ran.stdout.contains("(estimated)"), "{}", ran.stdout);
}

#[test]
fn a_server_that_fails_is_that_records_end_and_costs_nothing() {
    let table = [
        ("429 Too Many Requests", "RateLimited"),
        ("500 Internal Server Error", "Unavailable"),
        ("401 Unauthorized", "refused the host's key (HTTP 401)"),
        ("302 Found", "redirects are not followed"),
        ("200 OK", "Unavailable"),
    ];
    for (status, words) in table {
        let server = Server::start(move |_| (status, json!({ "error": { "message": "no" } })));
        let args = ["--model", &server.model(), "--price", "1000000,2000000"];
        let ran = Scene::probe("ask").run(&args);
        assert_eq!(ran.code, 5, "{status}: {}", ran.said);
        assert_eq!(ran.task()["error"]["code"], "transient", "{status}");
        assert!(ran.stdout.contains(words), "{status}: {}", ran.stdout);
        let counted = totals(&ran, ["llm_calls", "llm_errors", "cost_micros"]);
        assert_eq!(counted, [1, 1, 0], "{status}");
        // Nobody tries again behind the agent's back.
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

/// Extracts and decides as a model would that looks both things up first.
fn clerk(asked: &Asked) -> Reply {
    let schema = asked.body["response_format"].to_string();
    let messages = asked.body["messages"].as_array().unwrap();
    let tool = |id: &str, name: &str, arguments: Value| {
        let function = json!({ "name": name, "arguments": arguments.to_string() });
        json!({ "id": id, "type": "function", "function": function })
    };
    let vendor = "Alder & Finch Stationery";
    let message = if schema.contains("doubts") {
        let prompt = messages[1]["content"].as_str().unwrap();
        let record = prompt.split("```json\n").nth(1).unwrap();
        let mut record: Value =
            serde_json::from_str(record.split("\n```").next().unwrap()).unwrap();
        record["doubts"] = json!([]);
        json!({ "role": "assistant", "content": record.to_string() })
    } else if messages.iter().any(|message| message["role"] == "tool") {
        let decision = json!({
            "is_valid": true, "reason": "valid", "correct_vendor": vendor,
            "approval_route": "manager",
        });
        json!({ "role": "assistant", "content": decision.to_string() })
    } else {
        let like = json!({ "vendor": vendor, "amount": 1652.94, "date": "2024-02-03" });
        let calls = [
            tool("a", "vendor_find", json!({ "name": vendor })),
            tool("b", "invoice_find", like),
        ];
        json!({ "role": "assistant", "content": null, "tool_calls": calls })
    };
    let reason = match message["tool_calls"].is_array() {
        true => "tool_calls",
        false => "stop",
    };
    ("200 OK", completion(&message, reason, &tokens(1_000, 100)))
}

#[test]
fn a_live_model_extracts_looks_up_and_decides() {
    let server = Server::start(clerk);
    let scene = Scene::example();
    let args = ["--limit", "1", "--model", &server.model()];
    let ran = scene.run(&[&args[..], &["--price", "1000000,2000000"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.said);
    let task = ran.task();
    assert_eq!(task["output"]["correct_vendor"], "Alder & Finch Stationery");
    assert_eq!(ran.results["score"]["all"]["right"], 1);
    let counted = totals(&ran, ["llm_calls", "tool_calls", "cost_micros"]);
    // The third tool call is the checker's.
    assert_eq!(counted, [3, 3, 3 * (1_000 + 2 * 100)]);

    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    let names = |asked: &Asked| -> Vec<Value> {
        let tools = asked.body["tools"].as_array();
        let tools = tools.into_iter().flatten();
        tools.map(|tool| tool["function"]["name"].clone()).collect()
    };
    assert_eq!(names(&asked[0]), [""; 0]);
    assert_eq!(names(&asked[1]), ["invoice_find", "vendor_find"]);
    // What the tools said goes back under the ids of the calls.
    let messages = asked[2].body["messages"].as_array().unwrap();
    let results: Vec<_> = messages.iter().filter(|m| m["role"] == "tool").collect();
    let said = |at: usize| -> Value {
        serde_json::from_str(results[at]["content"].as_str().unwrap()).unwrap()
    };
    assert_eq!(results.len(), 2);
    assert_eq!(
        (&results[0]["tool_call_id"], &results[1]["tool_call_id"]),
        (&json!("a"), &json!("b"))
    );
    assert_eq!(said(0)["known"], true);
    assert_eq!(said(1), json!({ "invoices": ["INV-2024-000"] }));
}

/// A host file whose model is this server, with its key here.
fn host(server: &Server, key: &str) -> String {
    format!(
        "[models.default]\nprovider = \"openai\"\nbase_url = \"{}\"\nmodel = \"fake\"\n\
         api_key = {key}\n\
         price = {{ input_micros_per_mtok = 0, output_micros_per_mtok = 0 }}\n",
        server.base_url
    )
}

#[test]
fn a_key_is_sent_to_its_server_and_seen_nowhere_else() {
    // A server that tells the whole world the key it was given.
    let chatty = || {
        Server::start(|asked| {
            let said = format!("bad key {:?}", asked.authorization);
            ("400 Bad Request", json!({ "error": { "message": said } }))
        })
    };
    let kind = || Server::saying("hello", tokens(1, 1));
    let keys = [r#"{ env = "HOTCELL_TEST_KEY" }"#, r#"{ file = "secret" }"#];
    for (server, code) in [(kind(), 0), (chatty(), 5)] {
        for key in keys {
            let scene = Scene::probe("ask");
            scene.write("secret", &format!("{CANARY}\n"));
            scene.write("host.toml", &host(&server, key));
            let tape = scene.path("tape.jsonl");
            let args = [
                "--verbose",
                "--show",
                "one",
                "--tape",
                tape.to_str().unwrap(),
            ];
            let ran = scene.run_in(&args, &[("HOTCELL_TEST_KEY", CANARY)]);
            assert_eq!(ran.code, code, "{}", ran.said);
            let sent = server.asked().last().unwrap().authorization.clone();
            assert_eq!(sent.unwrap(), format!("Bearer {CANARY}"));
            let files = ["results.json", "tape.jsonl"].map(|name| {
                let text = std::fs::read_to_string(scene.path(name)).unwrap();
                assert!(text.len() > 100, "{name}");
                text
            });
            for text in files.iter().chain([&ran.stdout, &ran.stderr]) {
                assert!(!text.contains("sk-canary"), "{text}");
            }
        }
    }
}

#[test]
fn the_operators_own_key_is_not_given_to_whoever_listens_here() {
    let server = Server::saying("hello", tokens(1, 1));
    let scene = Scene::probe("ask");
    let ran = scene.run_in(&["--model", &server.model()], &[("OPENAI_API_KEY", CANARY)]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(server.asked()[0].authorization, None);
}

#[test]
fn proxies_of_the_environment_see_nothing() {
    let server = Server::saying("hello", tokens(1, 1));
    let proxy = Server::saying("gotcha", tokens(1, 1));
    let url = proxy.base_url.trim_end_matches("/v1").to_owned();
    let variables = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let variables = variables.map(|name| (name, url.as_str()));
    let variables = [&variables[..], &[("NO_PROXY", ""), ("no_proxy", "")]].concat();
    let ran = Scene::probe("ask").run_in(&["--model", &server.model()], &variables);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!((server.asked().len(), proxy.asked().len()), (1, 0));
}
