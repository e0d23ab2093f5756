//! Runs that are forked, cancelled and gone on with, by the process that works on
//! them and by others.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

use crate::runs::Kept;
use crate::scene::{PATIENCE, Running, Scene, component, hotcell, start};

/// A model that takes every question and never answers.
struct Silent {
    model: String,
    questions: Receiver<TcpStream>,
}

impl Silent {
    fn new() -> Silent {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let model = format!("openai@http://{}/v1#silent", listener.local_addr().unwrap());
        let (asked, questions) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.read_exact(&mut [0; 4]).unwrap();
                // The receiver is gone when the test is over.
                asked.send(stream).ok();
            }
        });
        Silent { model, questions }
    }

    /// A host that works on the first records, one at a time, and waits for the
    /// model. As long as the stream is held, it does.
    fn wait(&self, kept: &Kept, records: &str) -> (Running, TcpStream) {
        let args = [
            "--model",
            &self.model,
            "--concurrency",
            "1",
            "--limit",
            records,
        ];
        let mut command = hotcell();
        command.arg("run").arg(kept.scene.dir.path());
        command.args(args).arg("--state").arg(kept.state());
        let running = start(&mut command);
        let question = self.questions.recv_timeout(PATIENCE);
        (running, question.expect("the model is asked"))
    }
}

fn example() -> Kept {
    component("plugins/invoice-approver");
    Kept::new(Scene::example())
}

/// The runs, the newest last, by record.
fn statuses(kept: &Kept) -> Vec<(String, String)> {
    let runs = kept.json(&["runs"])["runs"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let runs = runs.as_array().unwrap().iter().rev();
    runs.map(|run| (text(&run["task"]), text(&run["status"])))
        .collect()
}

#[test]
fn a_run_is_cancelled_by_another_process_while_its_host_goes_on() {
    let (kept, silent) = (example(), Silent::new());
    let (running, _question) = silent.wait(&kept, "2");
    // Nobody needs the journal to himself for reading it.
    let before = statuses(&kept);
    assert_eq!(before.len(), 2);
    assert!(
        before.iter().all(|(_, status)| status == "running"),
        "{before:?}"
    );
    let other = kept.run(&["--limit", "1"]);
    assert_eq!(other.code, 1, "{}", other.said);
    let holder = format!("is held by hotcell, process {}", running.id);
    assert!(other.said.contains(&holder), "{}", other.said);

    // The second has not had its turn.
    let mut command = hotcell();
    command
        .args(["cancel", "INV-2024-001", "--state"])
        .arg(kept.state());
    let second = start(&mut command);
    let first = kept.ask(&["cancel", "INV-2024-000"]);
    assert_eq!(first.code, 0, "{}", first.said());
    let said = "INV-2024-000 was ended by the process that worked on it: cancelled";
    assert!(first.stdout.contains(said), "{}", first.stdout);
    let second = second.end();
    assert_eq!(second.code, 0, "{}", second.said());
    let told = running.end();
    assert_eq!(told.code, 5, "{}", told.said());
    assert!(told.stdout.contains("2 cancelled"), "{}", told.stdout);
    assert!(
        told.stderr.contains("is cancelled, as was asked"),
        "{}",
        told.stderr
    );
    // The second was never asked of the model.
    assert!(silent.questions.try_recv().is_err());

    let again = kept.ask(&["cancel", "INV-2024-000"]);
    assert_eq!(again.code, 0);
    assert!(
        again.stdout.contains("had ended already: cancelled"),
        "{}",
        again.stdout
    );
    assert_eq!(kept.ask(&["replay", "--all"]).code, 0);
}

#[test]
fn a_run_whose_host_is_gone_is_cancelled_and_the_others_are_gone_on_with() {
    let (kept, silent) = (example(), Silent::new());
    let (running, question) = silent.wait(&kept, "2");
    running.signal("KILL");
    drop((running.end(), question));
    let listed = kept.ask(&["runs"]);
    assert!(
        listed
            .stderr
            .contains("2 runs have not ended and nobody works on them")
    );

    let told = kept.ask(&["cancel", "INV-2024-000"]);
    assert_eq!(told.code, 0, "{}", told.said());
    let said = "INV-2024-000 was ended; nobody worked on it: cancelled";
    assert!(told.stdout.contains(said), "{}", told.stdout);
    let cancelled = ("INV-2024-000".to_owned(), "cancelled".to_owned());
    let running = ("INV-2024-001".to_owned(), "running".to_owned());
    assert_eq!(statuses(&kept), [cancelled.clone(), running]);

    assert_eq!(kept.ask(&["cancel", "INV-2024-001"]).code, 0);
    let told = kept.ask(&["resume"]);
    assert_eq!(told.code, 0, "{}", told.said());
    assert!(told.stderr.contains("nothing to resume"), "{}", told.stderr);
    assert_eq!(kept.ask(&["replay", "--all"]).code, 0);
    assert_eq!(kept.ask(&["cancel", "INV-2024-009"]).code, 1);
}

#[test]
fn a_fork_does_what_comes_after_a_step_again_with_another_input() {
    let kept = example();
    let ran = kept.run(&["--limit", "1", "--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let parent = ran.task()["run"].as_str().unwrap();
    let input = &ran.task()["output"];
    assert_eq!(input["approval_route"], "manager", "{input}");

    // The same again: what was extracted is taken over.
    let out = kept.scene.path("fork.json");
    let out = out.to_str().unwrap();
    let fork = |args: &[&str]| {
        let told = kept.ask(&[&["fork", parent, "--at", "approve", "--out", out], args].concat());
        assert_eq!(told.code, 0, "{}", told.said());
        crate::scene::json(std::path::Path::new(out))["tasks"][0].clone()
    };
    let same = fork(&[]);
    assert_eq!(same["output"], ran.task()["output"]);
    assert_ne!(same["run"], ran.task()["run"]);
    assert!(
        same["llm_calls"].as_u64() < ran.task()["llm_calls"].as_u64(),
        "{same}"
    );

    let shown = kept.json(&["show", same["run"].as_str().unwrap()]);
    assert_eq!(shown["parent"]["run"], parent);
    assert!(shown["inherited"].as_u64().unwrap() > 0);
    let told = kept.ask(&["show", same["run"].as_str().unwrap()]);
    assert!(
        told.stdout.contains(&format!("fork of   {parent}")),
        "{}",
        told.stdout
    );

    // With another input: what it was given is in the journal.
    let given = kept.json(&["show", parent])["told"]["output"].to_string();
    kept.scene.write("given.json", &given);
    let other = format!("input=@{}", kept.scene.path("given.json").display());
    let told = kept.ask(&["fork", parent, "--at", "approve", "--set", &other]);
    assert_eq!(told.code, 5, "{}", told.said());
    let newest = kept.json(&["runs", "--limit", "1"])["runs"][0]["run"].clone();
    let shown = kept.json(&["show", newest.as_str().unwrap()]);
    let instead: Value =
        serde_json::from_str(shown["instead"]["approve"].as_str().unwrap()).unwrap();
    assert_eq!(instead, *input);

    let replayed = kept.json(&["replay", "--all"]);
    assert_eq!(
        (&replayed["identical"], &replayed["diverged"]),
        (&3.into(), &0.into())
    );

    for (args, said) in [
        (
            ["--at", "sign", "--set", "input={}"],
            "it came to extract, approve",
        ),
        (["--at", "approve", "--set", "input={"], "it is no JSON"),
        (
            ["--at", "approve", "--set", "out={}"],
            "does not begin with `input=`",
        ),
        (
            ["--at", "approve", "--plugin", "x=y"],
            "the run has no plugin `x`",
        ),
    ] {
        let told = kept.ask(&[&["fork", parent], &args[..]].concat());
        assert_eq!(told.code, 2, "{}", told.said());
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
    assert_eq!(kept.json(&["runs"])["runs"].as_array().unwrap().len(), 3);
}
