//! Folders that a policy lends, from the policy to the guest's own eyes, and
//! those that it must not lend.

use serde_json::json;

use crate::scene::{Scene, component, hotcell, tell};

/// A run of one attempt at files, under this policy.
fn scene(kind: &str, policy: &str) -> Scene {
    let guest = component("tests/guests/wasi-probe");
    let scene = Scene::probe("any");
    let workflow = format!(
        "workflow: files\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
         plugins:\n  wasi-probe:\n    source: {}\nsteps:\n  - id: look\n    agent: wasi-probe\n    \
         kind: {kind}\n",
        guest.display()
    );
    scene.write("workflow.yaml", &workflow);
    scene.write("policy.toml", policy);
    std::fs::create_dir_all(scene.path("lent/sub")).unwrap();
    std::fs::create_dir(scene.path("out")).unwrap();
    scene.write("lent/hello.txt", "hello");
    scene
}

fn policy(files: &str) -> String {
    format!("[plugin.wasi-probe]\nfiles = [{files}]\n")
}

#[test]
fn a_lent_folder_is_read_and_is_in_the_results() {
    let scene = scene("files-read", &policy(r#"{ path = "lent", at = "/data" }"#));
    let ran = scene.run(&["--show", "one"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.results["refusals"], json!([]));
    assert!(ran.said.contains("files /data: ok"), "{}", ran.said);
}

#[test]
fn without_a_grant_a_guest_that_asks_for_files_finds_none() {
    let ran = scene("files-none", "").run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
}

#[test]
fn what_is_lent_for_reading_is_not_written_and_the_operator_is_told() {
    let files =
        r#"{ path = "lent", at = "/data" }, { path = "out", at = "/out", access = "write" }"#;
    let scene = scene("files-write-what-is-read", &policy(files));
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let text = std::fs::read_to_string(scene.path("lent/hello.txt")).unwrap();
    assert_eq!(text, "hello");
    let refusals = ran.results["refusals"].to_string();
    for words in [
        "it is granted for reading only",
        "links are never made",
        "nothing is moved from one granted folder to another",
    ] {
        assert!(refusals.contains(words), "no {words:?} in {refusals}");
    }
}

/// What the host lives on, and what is not a folder, is refused before anything
/// runs, by `run` and by `check` alike.
#[test]
fn a_folder_that_must_not_be_lent_stops_the_command() {
    let table = [
        (
            r#"{ path = "nowhere", at = "/x" }"#,
            "policy.toml:2:19|No such file",
        ),
        (
            r#"{ path = "input.json", at = "/x" }"#,
            "this is not a folder",
        ),
        (r#"{ path = "link", at = "/x" }"#, "this is a symbolic link"),
        (
            r#"{ path = "holds-pipe", at = "/x" }"#,
            "it holds `pipe`, which is a pipe",
        ),
        (r#"{ path = "/", at = "/x" }"#, "`/` cannot be lent"),
        (r#"{ path = "/proc/self", at = "/x" }"#, "cannot be lent"),
        (r#"{ path = "/home", at = "/x" }"#, "cannot be lent"),
        (
            r#"{ path = "state", at = "/x" }"#,
            "it holds the host's own state",
        ),
        (
            r#"{ path = "state/artifacts", at = "/x" }"#,
            "among the host's own state",
        ),
        (
            r#"{ path = ".", at = "/x", access = "write" }"#,
            "cannot be lent",
        ),
        (
            r#"{ path = "lent", at = "/x", access = "write" }, { path = "lent/sub", at = "/y" }"#,
            "it overlaps with a folder of `wasi-probe`",
        ),
    ];
    for (files, words) in table {
        let scene = scene("files-none", &policy(files));
        std::os::unix::fs::symlink("lent", scene.path("link")).unwrap();
        std::fs::create_dir(scene.path("holds-pipe")).unwrap();
        std::fs::create_dir_all(scene.path("state/artifacts")).unwrap();
        let mut mkfifo = std::process::Command::new("mkfifo");
        let made = mkfifo.arg(scene.path("holds-pipe/pipe")).status().unwrap();
        assert!(made.success());
        let home = scene.path("home");
        for verb in ["run", "check"] {
            let mut command = hotcell();
            command
                .arg(verb)
                .arg(scene.dir.path())
                .env("HOTCELL_STATE", scene.path("state"))
                .env("HOME", &home);
            let told = tell(&mut command);
            assert_eq!(told.code, 3, "{verb} {files}: {}", told.stderr);
            let said = told.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            for word in words.split('|') {
                assert!(said.contains(word), "{verb}: no {word:?} in: {said}");
            }
        }
    }
}
