//! Secrets from the host file to the server, and twelve of them that a guest gives
//! away wherever it can.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::scene::{Ran, Scene, component};

/// What a server got, as text.
#[derive(Clone, Default)]
struct Got(Arc<Mutex<Vec<String>>>);

impl Got {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A server on loopback and its port. It answers with what `answer` makes of a
/// request: fields and a body, which it sends in pieces of three bytes.
fn server(answer: impl Fn(&str) -> (String, Vec<u8>) + Send + 'static) -> (u16, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let got = Got::default();
    let kept = got.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever goes away early has been written down by then.
            let served = stream.and_then(|stream| serve(stream, &kept, &answer));
            drop(served);
        }
    });
    (port, got)
}

fn serve(
    mut stream: TcpStream,
    got: &Got,
    answer: impl Fn(&str) -> (String, Vec<u8>),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let at = {
        let mut all = got.0.lock().unwrap();
        all.push(head.clone());
        all.len() - 1
    };
    if head.contains("transfer-encoding: chunked") {
        let mut byte = [0];
        while reader.read(&mut byte)? == 1 {
            let all = &mut got.0.lock().unwrap()[at];
            all.push(char::from(byte[0]));
            if all.ends_with("\r\n0\r\n\r\n") {
                break;
            }
        }
    }
    let (fields, body) = answer(&head);
    let head = format!(
        "HTTP/1.1 200 OK\r\n{fields}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    for piece in body.chunks(3) {
        stream.write_all(piece)?;
        stream.flush()?;
    }
    Ok(())
}

/// A server that sends back what it got, in the head and in the body.
fn echo() -> (u16, Got) {
    server(|head| {
        let field = head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: "));
        let field = field.unwrap_or("nothing");
        let hex: String = field.bytes().map(|byte| format!("{byte:02x}")).collect();
        let fields = format!("x-echo: {field}\r\nx-hex: {hex}\r\n");
        (fields, format!("<{field}> <{hex}>").into_bytes())
    })
}

/// A scene of one step of this kind, with these requests as its record.
fn scene(kind: &str, requests: &str, host: &str, policy: &str) -> Scene {
    let guest = component("tests/guests/http-probe");
    let scene = Scene::probe("fetch");
    let workflow = format!(
        "workflow: secrets\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
         defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  http-probe:\n    source: {}\nsteps:\n  \
         - id: ask\n    agent: http-probe\n    kind: {kind}\n",
        guest.display()
    );
    scene.write("workflow.yaml", &workflow);
    let models = std::fs::read_to_string(scene.path("host.toml")).unwrap();
    scene.write("host.toml", &format!("{models}\n{host}"));
    scene.write("policy.toml", policy);
    scene.write(
        "input.json",
        &json!([{ "id": "one", "requests": requests }]).to_string(),
    );
    scene
}

/// A grant of requests to this port.
fn grant(ports: &[u16]) -> String {
    let grant = |port: &u16| {
        format!(
            "{{ origin = \"http://127.0.0.1:{port}\", methods = [\"GET\", \"POST\"], \
             addresses = [\"127.0.0.1/32\"] }}"
        )
    };
    let grants: Vec<_> = ports.iter().map(grant).collect();
    format!("[plugin.http-probe]\nhttp = [{}]\n", grants.join(", "))
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

const VALUE: &str = "ghp_A1b2C3d4E5f6G7h8";

/// A scene in which a secret of this file goes to the first port.
fn with_file(requests: &str, ports: &[u16], granted: &str) -> Scene {
    let host = format!(
        "[secrets.github]\nfile = \"token\"\norigins = [\"http://127.0.0.1:{}\"]\n",
        ports[0]
    );
    let scene = scene("opens", requests, &host, &(grant(ports) + granted));
    private(&scene.path("token"), &format!("{VALUE}\n"));
    scene
}

#[test]
fn a_secret_is_attached_where_it_may_go_and_does_not_come_back() {
    let (port, got) = echo();
    let url = format!("http://127.0.0.1:{port}/a");
    let scene = with_file(
        &format!("github | {url}"),
        &[port],
        "secrets = [\"github\"]\n",
    );
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let head = &got.all()[0];
    assert!(
        head.contains(&format!("authorization: Bearer {VALUE}\r\n")),
        "{head}"
    );
    // What comes back compressed could not be looked through.
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    let stars = "*".repeat(VALUE.len());
    let hex = "426561726572 20".replace(' ', "");
    let body = format!("<Bearer {stars}> <{hex}{stars}{stars}>");
    let came = format!("200 {} bytes {body} for github", body.len());
    assert_eq!(ran.task()["output"]["came"], came);
    let uses = ran.results["effects"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    drop(uses);
    assert_eq!(ran.results["refusals"], json!([]));
}

#[test]
fn a_secret_goes_nowhere_else() {
    let (good, _) = echo();
    let (other, got) = echo();
    let ports = [good, other];
    let granted = "secrets = [\"github\"]\n";
    let table = [
        // Not granted, not known, not to this origin, not in a URL.
        (
            format!("github | http://127.0.0.1:{good}/"),
            "",
            "secrets = [\\\"github\\\"]",
        ),
        (
            format!("gitlab | http://127.0.0.1:{good}/"),
            granted,
            "secrets gitlab",
        ),
        (
            format!("github | http://127.0.0.1:{other}/"),
            granted,
            "does not let it go to http://127.0.0.1",
        ),
        (
            format!("github | http://127.0.0.1:{good}/?k={{{{secret:github}}}}"),
            granted,
            "never put into a URL",
        ),
        (
            format!("github | http://127.0.0.1:{good}/%7b%7Bsecret%3Agithub%7d%7D"),
            granted,
            "never put into a URL",
        ),
    ];
    for (requests, granted, words) in table {
        let ran = with_file(&requests, &ports, granted).run(&[]);
        assert_eq!(
            ran.task()["error"]["code"],
            "refused",
            "{requests}: {}",
            ran.said
        );
        let refusals = ran.results["refusals"].to_string();
        assert!(refusals.contains(words), "{requests}: {refusals}");
    }
    assert_eq!(got.all(), Vec::<String>::new());
}

#[test]
fn an_answer_to_a_secret_that_is_compressed_is_refused() {
    let (port, _) = server(|_| ("content-encoding: gzip\r\n".to_owned(), vec![31, 139, 8]));
    let requests = format!("github | http://127.0.0.1:{port}/");
    let ran = with_file(&requests, &[port], "secrets = [\"github\"]\n").run(&[]);
    let said = ran.task()["error"].to_string();
    assert!(said.contains("HttpResponseContentCoding"), "{said}");
}

#[test]
fn a_secret_file_that_others_could_use_stops_the_run_before_it_begins() {
    let (port, got) = echo();
    let requests = format!("github | http://127.0.0.1:{port}/");
    let scene = with_file(&requests, &[port], "secrets = [\"github\"]\n");
    let token = scene.path("token");
    let refused = |words: &str| {
        let ran = scene.run(&[]);
        assert_eq!(ran.code, 3, "{}", ran.said);
        assert!(ran.said.contains(words), "{}", ran.said);
        assert!(!ran.said.contains(VALUE), "{}", ran.said);
    };
    std::fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    refused("has mode 0644");
    private(&token, "short");
    refused("a secret has at least 8");
    std::fs::rename(&token, scene.path("real")).unwrap();
    refused("cannot read");
    private(&scene.path("real"), VALUE);
    symlink(scene.path("real"), &token).unwrap();
    refused("is a symbolic link");
    assert_eq!(got.all(), Vec::<String>::new());
}

#[test]
fn a_secret_comes_from_a_vault_which_is_asked_with_a_token() {
    let (vault, asked) = server(|_| {
        let answer = json!({"data": {"data": {"token": VALUE}, "metadata": {"version": 3}}});
        (
            "content-type: application/json\r\n".to_owned(),
            answer.to_string().into_bytes(),
        )
    });
    let (port, got) = echo();
    let host = format!(
        "[secrets.github]\norigins = [\"http://127.0.0.1:{port}\"]\n\
         vault = {{ url = \"http://127.0.0.1:{vault}/v1/secret/data/ci\", \
         token = {{ env = \"VAULT_TOKEN\" }}, field = \"token\" }}\n"
    );
    let line = format!("github | http://127.0.0.1:{port}/");
    let policy = grant(&[port]) + "secrets = [\"github\"]\n";
    let scene = scene("opens", &line, &host, &policy);
    let ran = scene.run_in(&[], &[("VAULT_TOKEN", "hvs.not-a-real-token")]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(got.all()[0].contains(VALUE));
    let asked = asked.all();
    assert_eq!(asked.len(), 1, "it is kept for a while: {asked:?}");
    assert!(
        asked[0].starts_with("GET /v1/secret/data/ci HTTP/1.1\r\n"),
        "{asked:?}"
    );
    assert!(
        asked[0].contains("x-vault-token: hvs.not-a-real-token\r\n"),
        "{asked:?}"
    );

    scene.change("host.toml", "field = \"token\"", "field = \"other\"");
    let ran = scene.run_in(&[], &[("VAULT_TOKEN", "hvs.not-a-real-token")]);
    assert!(
        ran.said.contains("the vault has no text `other` there"),
        "{}",
        ran.said
    );
    let ran = scene.run(&[]);
    assert!(
        ran.said.contains("`VAULT_TOKEN` is not set"),
        "{}",
        ran.said
    );
}

#[test]
fn a_host_file_says_where_a_secret_is_and_where_it_may_go() {
    let table = [
        ("github = \"ghp_1\"", "holds a secret that is written out"),
        ("github = { env = \"A\" }", "a secret needs `origins`"),
        (
            "github = { env = \"A\", origins = [] }",
            "`origins` is empty",
        ),
        (
            "github = { env = \"A\", file = \"b\", origins = [\"https://a.test\"] }",
            "a secret needs one of `env`, `file` and `vault`",
        ),
        (
            "github = { env = \"A\", origins = [\"http://a.test\"] }",
            "a secret goes over `https` only",
        ),
        (
            "github = { env = \"A\", origins = [\"https://*.a.test\"] }",
            "there are no wildcards",
        ),
        (
            "github = { vault = { url = \"https://v.test/a\", token = \"t\", field = \"f\" }, \
             origins = [\"https://a.test\"] }",
            "holds a token that is written out",
        ),
    ];
    for (line, words) in table {
        let ran = scene("opens", "", &format!("[secrets]\n{line}\n"), "").run(&[]);
        assert_eq!(ran.code, 3, "{line}: {}", ran.said);
        assert!(ran.said.contains(words), "{line}: {}", ran.said);
        assert!(!ran.said.contains("ghp_1"), "{}", ran.said);
    }
}

/// Everything that leaves a guest.
const SINKS: [&str; 13] = [
    "log",
    "progress",
    "result",
    "failure",
    "trap",
    "prompt",
    "alias",
    "tool",
    "tool-name",
    "secret-name",
    "url",
    "field",
    "body",
];

/// Twelve canaries, none like another: with characters that each encoding treats
/// in its own way.
fn canaries() -> Vec<(String, String)> {
    let tail = [
        "", "\"q\"", "/+=", "a b c", "\\n\\", "%25%", "&<>'", "{}[]", "~^`|", "é", "zzzz", "007",
    ];
    let canary = |(at, tail): (usize, &&str)| {
        (
            format!("canary-{at}"),
            format!("Hotcell-CANARY-{at:02}{tail}-end{at}"),
        )
    };
    tail.iter().enumerate().map(canary).collect()
}

/// The forms of P06 that this test makes for itself.
fn forms(value: &str) -> Vec<String> {
    let hex = |byte: u8| format!("{byte:02x}");
    let escaped = json!(value).to_string();
    let twice = json!(escaped).to_string();
    let inner = |text: &str, quotes: usize| text[quotes..text.len() - quotes].to_owned();
    vec![
        value.to_owned(),
        value.chars().rev().collect(),
        value.bytes().map(hex).collect(),
        value.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        inner(&escaped, 1),
        inner(&twice, 3),
    ]
}

/// All bytes below a folder.
fn read_all(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => read_all(&path, into),
            false => {
                into.insert(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }
}

#[test]
fn no_canary_leaves_by_any_way_in_any_form() {
    let (port, got) = echo();
    let canaries = canaries();
    let mut host = String::new();
    for (name, _) in &canaries {
        // Where they may go, nobody listens.
        host += &format!("[secrets.{name}]\nfile = \"{name}\"\norigins = [\"https://a.test\"]\n");
    }
    let names: Vec<_> = canaries
        .iter()
        .map(|(name, _)| format!("{name:?}"))
        .collect();
    let names_of = |sink: &str| {
        let names: Vec<_> = canaries.iter().map(|(name, _)| name.as_str()).collect();
        format!("{sink} http://127.0.0.1:{port}/ {}", names.join(" "))
    };
    let list = names.join(", ");
    let policy = grant(&[port])
        + &format!("llm = [\"default\"]\nsecrets = [{list}]\nsecrets_reveal = [{list}]\n");
    let scene = scene("leak", "", &host, &policy);
    for (name, value) in &canaries {
        private(&scene.path(name), value);
    }
    let records = SINKS.map(|sink| json!({ "id": sink, "requests": names_of(sink) }));
    scene.write("input.json", &json!(records).to_string());
    let (state, tape) = (scene.path("state"), scene.path("tape.jsonl"));
    let (state_arg, tape_arg) = (state.display().to_string(), tape.display().to_string());
    let ran = scene.run(&["--state", &state_arg, "--tape", &tape_arg, "--verbose"]);

    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    read_all(&state, &mut seen);
    seen.insert("the tape".into(), std::fs::read(&tape).unwrap());
    seen.insert("what was said".into(), ran.said.clone().into_bytes());
    seen.insert(
        "the results".into(),
        std::fs::read(scene.path("results.json")).unwrap(),
    );
    seen.insert("the server".into(), got.all().join("").into_bytes());
    let by_name = |name: &str| seen.keys().any(|key| key.ends_with(name));
    assert!(by_name("journal.db"), "{:?}", seen.keys());
    for (what, bytes) in &seen {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for (name, value) in &canaries {
            for form in forms(value) {
                let form = form.to_lowercase();
                assert!(!text.contains(&form), "{name} as {form} in {what}");
            }
        }
        // All values begin alike, so this is all of base64, wherever it begins.
        for begin in [
            "SG90Y2VsbC1DQU5BUl",
            "hvdGNlbGwtQ0FOQVJZ",
            "b3RjZWxsLUNBTkFSW",
        ] {
            assert!(!text.contains(&begin.to_lowercase()), "{begin} in {what}");
        }
    }
    sinks_were_used(&ran);
    let asked = got.all();
    let asked: Vec<&String> = asked.iter().filter(|it| it.starts_with("GET")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

/// A canary that was never there would not be found either: each way was really
/// tried, and ended as it must.
fn sinks_were_used(ran: &Ran) {
    let tasks = ran.results["tasks"].as_array().unwrap();
    let text = |sink: &str| -> String {
        let task = tasks.iter().find(|task| task["task"] == sink);
        task.unwrap_or(&Value::Null).to_string()
    };
    let table = [
        ("result", "[redacted:canary-11]", 8),
        ("failure", "[redacted:canary-11]", 1),
        ("trap", "unreachable", 1),
        ("prompt", "it carries the secret", 1),
        ("tool", "Denied", 1),
        ("url", "HttpRequestDenied", 1),
        ("field", "HttpRequestDenied", 1),
        ("body", "HttpRequestDenied", 1),
    ];
    for (sink, words, least) in table {
        let found = text(sink).matches(words).count();
        assert!(found >= least, "{sink}: {}", text(sink));
    }
}
