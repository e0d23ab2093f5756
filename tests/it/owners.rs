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

/// Forks, and reads what was written to the last argument.
fn fork_at(kept: &Kept, parent: &str, step: &str, args: &[&str]) -> Value {
    let told = kept.ask(&[&["fork", parent, "--at", step], args].concat());
    assert_eq!(told.code, 0, "{}", told.said());
    crate::scene::json(std::path::Path::new(args.last().unwrap()))
}

#[test]
fn a_fork_does_what_comes_after_a_step_again_with_another_input() {
    let kept = example();
    let ran = kept.run(&["--limit", "1", "--model", "reference"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let parent = ran.task()["run"].as_str().unwrap();

    // The same again: what was extracted is taken over.
    let out = kept.scene.path("fork.json");
    let out = out.to_str().unwrap();
    let same = fork_at(&kept, parent, "approve", &["--out", out])["tasks"][0].clone();
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

    // Another invoice in the place of the first, which comes out as in its own run.
    let records = crate::scene::json(&kept.scene.path("invoices.json"));
    kept.scene.write("other.json", &records[2].to_string());
    let other = format!("input=@{}", kept.scene.path("other.json").display());
    let forked = fork_at(&kept, parent, "extract", &["--set", &other, "--out", out]);
    let forked = forked["tasks"][0].clone();
    let gold = crate::scene::json(&kept.scene.path("gold.json"));
    let of_other = |field: &str| gold["INV-2024-002"][field].clone();
    assert_eq!(
        forked["output"]["correct_vendor"],
        of_other("correct_vendor"),
        "{forked}"
    );
    assert_ne!(forked["output"], ran.task()["output"]);
    let shown = kept.json(&["show", forked["run"].as_str().unwrap()]);
    let instead = shown["instead"]["extract"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(instead).unwrap(), records[2]);

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

#[test]
fn a_call_that_nobody_knows_the_end_of_is_decided_by_a_person() {
    for (decision, code, status) in [("repeat", 5, "cancelled"), ("fail", 5, "failure")] {
        let (kept, silent) = (example(), Silent::new());
        let steps = "\nsteps:";
        let once = "\ndefaults: { retry: { max: 0 } }\nsteps:";
        kept.scene.change("workflow.yaml", steps, once);
        let (running, question) = silent.wait(&kept, "1");
        let id = kept.json(&["runs"])["runs"][0]["run"].clone();
        let id = id.as_str().unwrap();
        running.signal("KILL");
        drop((running.end(), question));

        let told = kept.ask(&["resume"]);
        assert_eq!(told.code, 8, "{}", told.said());
        assert!(told.stdout.contains("1 in doubt"), "{}", told.stdout);
        for said in [
            "nobody knows whether call 0 of llm `default` was made",
            &format!("`hotcell resume {id} --in-doubt repeat` makes the call again"),
            "`--in-doubt fail` tells the plugin",
        ] {
            assert!(told.stderr.contains(said), "{said}: {}", told.stderr);
        }
        let in_doubt = ("INV-2024-000".to_owned(), "in_doubt".to_owned());
        assert_eq!(statuses(&kept), [in_doubt]);
        let shown = kept.ask(&["show", id]);
        assert!(
            shown
                .stdout
                .contains("in_doubt: see `hotcell resume --in-doubt`")
        );

        let mut command = hotcell();
        command
            .args(["resume", id, "--in-doubt", decision, "--state"])
            .arg(kept.state());
        let resumed = start(&mut command);
        let question = (decision == "repeat").then(|| {
            let asked = silent.questions.recv_timeout(PATIENCE);
            let cancelled = kept.ask(&["cancel", id]);
            assert_eq!(cancelled.code, 0, "{}", cancelled.said());
            asked.expect("the model is asked again")
        });
        let told = resumed.end();
        drop(question);
        assert_eq!(told.code, code, "{}", told.said());
        assert_eq!(
            statuses(&kept),
            [("INV-2024-000".to_owned(), status.to_owned())]
        );
        assert!(silent.questions.try_recv().is_err());
        assert_eq!(kept.ask(&["replay", "--all"]).code, 0);
    }
}

#[test]
fn a_host_that_hangs_loses_its_runs_to_the_one_that_takes_over() {
    let (kept, silent) = (example(), Silent::new());
    let (running, question) = silent.wait(&kept, "1");
    running.signal("STOP");
    let told = kept.ask(&["resume"]);
    assert_eq!(told.code, 1, "{}", told.said());
    assert!(
        told.stderr.contains("`hotcell resume --take-over`"),
        "{}",
        told.stderr
    );
    let told = kept.ask(&["resume", "--take-over"]);
    assert_eq!(told.code, 8, "{}", told.said());
    // It wakes up, and may not write any more.
    running.signal("CONT");
    running.signal("INT");
    let late = running.end();
    assert_eq!(late.code, 130, "{}", late.said());
    assert!(late.stdout.contains("1 interrupted"), "{}", late.said());
    drop(question);
    assert_eq!(
        statuses(&kept),
        [("INV-2024-000".to_owned(), "in_doubt".to_owned())]
    );
    assert_eq!(kept.ask(&["runs", "--verify"]).code, 0);
}
