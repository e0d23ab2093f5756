//! Requests over HTTP, from the policy to the server and back to the results.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

use crate::scene::{Scene, component};

/// A server on loopback that answers one request with what it was told; its
/// port.
fn server() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request[..read].to_vec()).unwrap()
    });
    (port, served)
}

/// A run of one request of the probe under this policy.
fn scene(request: &str, policy: &str) -> Scene {
    let guest = component("tests/guests/http-probe");
    let scene = Scene::probe("fetch");
    let workflow = format!(
        "workflow: http\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
         plugins:\n  http-probe:\n    source: {}\nsteps:\n  - id: ask\n    agent: http-probe\n    \
         kind: fetch\n",
        guest.display()
    );
    scene.write("workflow.yaml", &workflow);
    scene.write("policy.toml", policy);
    let input = json!([{ "id": "one", "requests": request }]);
    scene.write("input.json", &input.to_string());
    scene
}

#[test]
fn a_granted_request_is_sent_and_is_in_the_results() {
    let (port, served) = server();
    let policy = format!(
        "[plugin.http-probe]\nhttp = [{{ origin = \"http://127.0.0.1:{port}\", \
         addresses = [\"127.0.0.0/8\"] }}]\n"
    );
    let ran = scene(&format!("http://127.0.0.1:{port}/a?b=c"), &policy).run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.task()["output"]["came"], "200 5 bytes hello");
    let request = served.join().unwrap();
    assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains(&format!("host: 127.0.0.1:{port}\r\n")),
        "{request}"
    );
    assert_eq!(ran.results["totals"]["http_requests"], 1);
    assert_eq!(ran.results["refusals"], json!([]));
}

#[test]
fn a_refused_request_names_the_line_that_would_allow_it() {
    let ran = scene("http://127.0.0.1:9/", "").run(&[]);
    assert_eq!(ran.code, 5, "{}", ran.said);
    assert_eq!(ran.task()["error"]["code"], "refused");
    let line = "[plugin.http-probe] http = [{ origin = \"http://127.0.0.1:9\" }]";
    assert_eq!(ran.results["refusals"][0]["allow_with"], line);
    assert!(ran.said.contains(line), "{}", ran.said);

    // The origin alone is not enough for an address of this machine.
    let policy = "[plugin.http-probe]\nhttp = [{ origin = \"http://127.0.0.1:9\" }]\n";
    let ran = scene("http://127.0.0.1:9/", policy).run(&[]);
    let line = "[plugin.http-probe] http = [{ origin = \"http://127.0.0.1:9\", methods = \
                [\"GET\"], addresses = [\"127.0.0.1/32\"] }]";
    assert_eq!(
        ran.results["refusals"][0]["allow_with"], line,
        "{}",
        ran.said
    );
}
