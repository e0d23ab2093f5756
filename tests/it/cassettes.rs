//! A run against a model server, recorded once, is the same run without the server.

use crate::live_model::{Server, tokens};
use crate::scene::Scene;

#[test]
fn what_a_run_recorded_answers_for_the_server_the_next_time() {
    let server = Server::saying("hello", tokens(7, 5));
    let scene = Scene::probe("ask");
    let file = scene.path("calls.jsonl");
    let file = file.to_str().unwrap();
    let model = server.model();
    let args = ["--model", &model, "--price", "1000000,2000000"];

    let recorded = scene.run(&[&args[..], &["--record", file]].concat());
    assert_eq!(recorded.code, 0, "{}", recorded.said);
    assert_eq!(recorded.results["models"][0]["origin"], "live");
    assert_eq!(server.asked().len(), 1);

    let replayed = scene.run(&[&args[..], &["--replay", file]].concat());
    assert_eq!(replayed.code, 0, "{}", replayed.said);
    assert_eq!(replayed.results["models"][0]["origin"], "recorded");
    assert_eq!(server.asked().len(), 1, "nobody was asked");
    assert_eq!(replayed.task()["output"], recorded.task()["output"]);

    let nothing = scene.path("nothing.jsonl");
    let refused = scene.run(&[&args[..], &["--replay", nothing.to_str().unwrap()]].concat());
    assert_ne!(refused.code, 0);
    assert_eq!(server.asked().len(), 1, "nobody was asked");
}
