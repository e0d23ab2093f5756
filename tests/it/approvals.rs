//! Plugins that ask a human: the run waits, holds nothing, and goes on with what was
//! answered.

use serde_json::{Value, json};

use crate::runs::Kept;
use crate::scene::{Ran, Scene, component};

/// A workflow whose step asks whether it may pay, over these records.
fn scene(input: &Value) -> Kept {
    let scene = Scene::probe("any");
    let clerk = component("tests/guests/clerk");
    scene.write(
        "workflow.yaml",
        &format!(
            "workflow: payments\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
             defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  clerk:\n    source: {}\nsteps:\n  \
             - id: ask\n    agent: clerk\n    kind: pay\n",
            clerk.display()
        ),
    );
    scene.write("input.json", &input.to_string());
    scene.write(
        "policy.toml",
        "[plugin.clerk]\napproval = [\"pay invoice\"]\n",
    );
    scene.write("host.toml", "[approvals]\nself_approval = true\n");
    Kept::new(scene)
}

fn one() -> Value {
    json!([{ "id": "i-1", "pay": { "to": "https://bank.example/a", "cents": 1 }, "dollars": 250 }])
}

/// A run that waits for an answer.
pub(crate) fn waiting() -> Kept {
    let kept = scene(&one());
    let ran = kept.run(&[]);
    assert_eq!(ran.code, 8, "{}", ran.said);
    kept
}

/// What waits.
fn asked(kept: &Kept) -> Vec<Value> {
    let listed = kept.json(&["approvals", "list"]);
    listed["questions"].as_array().unwrap().clone()
}

fn output(ran: &Ran) -> &Value {
    &ran.task()["output"]
}

/// Goes on, and what came of the only record.
fn resumed(kept: &Kept) -> Value {
    let out = kept.scene.path("resumed.json");
    let told = kept.ask(&["resume", "--out", out.to_str().unwrap()]);
    let results = crate::scene::json(&out);
    assert!([0, 5, 8].contains(&told.code), "{}", told.said());
    results["tasks"][0].clone()
}

#[test]
fn a_run_waits_for_a_human_and_goes_on_with_the_answer() {
    for (word, approved) in [("approve", true), ("reject", false)] {
        let kept = scene(&one());
        let ran = kept.run(&[]);
        assert_eq!(ran.code, 8, "{}", ran.said);
        assert_eq!(ran.task()["status"], "waiting", "{}", ran.said);
        assert!(ran.said.contains("hotcell approvals list"), "{}", ran.said);
        let questions = asked(&kept);
        let [question] = questions.as_slice() else {
            panic!("{questions:?}");
        };
        let id = question["id"].as_str().unwrap();
        // Nobody has answered: it waits still, and asks nobody twice.
        assert_eq!(resumed(&kept)["status"], "waiting");
        assert_eq!(asked(&kept), questions);
        let show = kept.ask(&["approvals", "show", &id[..6]]);
        for part in [
            r#"{"cents":1,"to":"https://bank.example/a"}"#,
            "bank.example",
            "pay invoice",
            "250.000000 USD",
            "of 100",
            question["question"]["bound"]["arguments"].as_str().unwrap(),
        ] {
            assert!(show.stdout.contains(part), "{part}: {}", show.said());
        }
        let args = [
            "approvals",
            word,
            id,
            "--comment",
            "as agreed",
            "--as",
            "jo",
        ];
        let told = kept.ask(&args);
        assert_eq!(told.code, 0, "{}", told.said());
        // Once.
        assert_eq!(kept.ask(&args).code, 1);
        let task = resumed(&kept);
        assert_eq!(task["status"], "success", "{task}");
        let answer = &task["output"];
        assert_eq!(answer["approved"], approved, "{task}");
        assert_eq!(answer["comment"], "as agreed");
        let approver = answer["approver"].as_str().unwrap();
        assert!(approver.starts_with("jo (user "), "{approver}");
        assert!(asked(&kept).is_empty());
        // It is written down who decided, about what.
        let found = kept.json(&["audit", "search", "--retention", "decisions"]);
        let record = &found["last"][0];
        assert_eq!(
            record["decision"],
            if approved { "approved" } else { "rejected" }
        );
        assert_eq!(record["claims"], "jo");
        assert_eq!(
            record["arguments"],
            question["question"]["bound"]["arguments"]
        );
        let replay = kept.ask(&["replay", "--all"]);
        assert_eq!(replay.code, 0, "{}", replay.said());
        let verified = kept.ask(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}", verified.said());
    }
}

#[test]
fn who_started_the_run_may_not_say_yes_unless_the_operator_allows_it() {
    let kept = scene(&one());
    kept.scene.write("host.toml", "");
    kept.run(&[]);
    let id = asked(&kept)[0]["id"].as_str().unwrap().to_owned();
    for claims in [&[][..], &["--as", "somebody-else"]] {
        let told = kept.ask(&[&["approvals", "approve", &id], claims].concat());
        assert_eq!(told.code, 1, "{}", told.said());
        assert!(
            told.said().contains("may not decide about it"),
            "{}",
            told.said()
        );
    }
    assert_eq!(asked(&kept).len(), 1);
    assert_eq!(kept.ask(&["approvals", "reject", &id]).code, 0);
    assert_eq!(resumed(&kept)["output"]["approved"], false);
}

#[test]
fn other_arguments_than_those_that_were_looked_at_are_not_approved() {
    let kept = scene(&one());
    kept.run(&[]);
    let question = asked(&kept)[0].clone();
    let id = question["id"].as_str().unwrap();
    let zeros = format!("sha256:{}", "0".repeat(64));
    let told = kept.ask(&["approvals", "approve", id, "--digest", &zeros]);
    assert_eq!(told.code, 1);
    assert!(told.said().contains("approval.invalid"), "{}", told.said());
    let digest = question["question"]["bound"]["arguments"].as_str().unwrap();
    let told = kept.ask(&["approvals", "approve", id, "--digest", digest]);
    assert_eq!(told.code, 0, "{}", told.said());
}

#[test]
fn nobody_who_answers_in_time_is_a_no() {
    let kept = scene(&one());
    kept.scene.write(
        "host.toml",
        "[approvals]\nexpires_s = 1\nself_approval = true\n",
    );
    kept.run(&[]);
    let id = kept.json(&["approvals", "list", "--all"])["questions"][0]["id"].clone();
    let id = id.as_str().unwrap();
    // A command takes longer than it is open; each looks at the clock once.
    while !asked(&kept).is_empty() {}
    let told = kept.ask(&["approvals", "approve", id]);
    assert_eq!(told.code, 1, "{}", told.said());
    assert!(told.said().contains("its time is over"), "{}", told.said());
    let task = resumed(&kept);
    assert!(
        task["output"]["error"]
            .as_str()
            .unwrap()
            .contains("in time"),
        "{task}"
    );
}

#[test]
fn a_plugin_that_asks_and_asks_is_refused_beyond_its_share() {
    let records: Vec<Value> = (0..6)
        .map(|n| json!({ "id": format!("i-{n}"), "pay": n }))
        .collect();
    let kept = scene(&records.into());
    kept.scene
        .write("host.toml", "[approvals]\nmax_pending = 4\n");
    let ran = kept.run(&[]);
    let totals = &ran.results["totals"];
    assert_eq!(
        (&totals["waiting"], &totals["success"]),
        (&4.into(), &2.into()),
        "{}",
        ran.said
    );
    assert_eq!(asked(&kept).len(), 4);
    let list = kept.ask(&["approvals", "list"]);
    assert!(
        list.stdout.contains("4 of clerk for pay invoice"),
        "{}",
        list.said()
    );
}

#[test]
fn what_scores_less_than_the_operator_says_is_approved_by_policy() {
    let kept = scene(&one());
    kept.scene
        .write("host.toml", "[approvals]\nauto_below = 60\n");
    let ran = kept.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(output(&ran)["approver"], "policy");
    assert!(asked(&kept).is_empty());
}

#[test]
fn without_a_grant_or_where_nothing_is_kept_nobody_is_asked() {
    let kept = scene(&one());
    let ran = kept.run(&["--ephemeral"]);
    let error = output(&ran)["error"].as_str().unwrap();
    assert!(error.contains("approval denied"), "{error}");
    kept.scene.write(
        "policy.toml",
        "[plugin.clerk]\napproval = [\"ship goods\"]\n",
    );
    let ran = kept.run(&[]);
    let error = output(&ran)["error"].as_str().unwrap();
    assert!(error.contains("not granted"), "{error}");
    let line = "[plugin.clerk] approval = [\"pay invoice\"]";
    let refusal = &ran.results["refusals"][0];
    assert_eq!(refusal["allow_with"], line, "{}", ran.said);
}
