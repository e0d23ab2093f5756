//! Guests attacking from inside. Each must end in its own typed way, name it to
//! the operator, and leave the host standing.

use serde_json::json;

use crate::scene::{Scene, component};

#[test]
fn each_attack_ends_in_its_own_typed_way() {
    // Behaviour, end of the run, how the cell ended, words for the operator.
    let table = [
        ("spin", "failure", "limit.fuel", "stopped at a limit"),
        ("grow", "failure", "limit.memory", "stopped at a limit"),
        ("trap", "failure", "trap", "unreachable"),
        ("recurse", "failure", "limit.stack", "stopped at a limit"),
        (
            "hold-streams",
            "failure",
            "limit.handles",
            "stopped at a limit",
        ),
        (
            "big-prompt",
            "failure",
            "limit.hostcall-bytes",
            "stopped at a limit",
        ),
        ("not-json", "validation_failed", "ok", "not JSON"),
        ("off-schema", "validation_failed", "ok", "42 is not of type"),
        ("refuse", "failure", "refused", "cannot go on"),
        (
            "no-such-behaviour",
            "failure",
            "invalid-input",
            "no behaviour",
        ),
    ];
    for (kind, status, end, words) in table {
        let ran = Scene::probe(kind).run(&[]);
        assert_eq!(ran.code, 5, "{kind}: {}", ran.said);
        assert_eq!(ran.task()["status"], status, "{kind}: {}", ran.said);
        assert!(ran.said.contains(words), "{kind}: {}", ran.said);
        let plugin = &ran.results["plugins"][0];
        if end == "ok" {
            // Off its schema twice: the first try and the one repair.
            assert_eq!(plugin["calls"], 2, "{kind}");
        } else {
            assert_eq!(plugin["ends"], json!({ end: 1 }), "{kind}: {}", ran.said);
            assert_eq!(ran.task()["error"]["code"], end, "{kind}");
        }
    }
}

#[test]
fn a_guest_with_fuel_to_spare_is_stopped_by_its_deadline() {
    let scene = Scene::probe("spin");
    scene.change(
        "workflow.yaml",
        "steps:",
        "    limits: { fuel: 1000000000000, deadline_ms: 200 }\nsteps:",
    );
    let ran = scene.run(&[]);
    assert_eq!(ran.task()["status"], "timeout", "{}", ran.said);
    assert_eq!(ran.results["plugins"][0]["ends"], json!({"deadline": 1}));
    // Fifty times its deadline is late on any machine.
    let wall = ran.task()["wall_micros"].as_u64().unwrap();
    assert!(wall < 10_000_000, "stopped after {wall} µs");
}

#[test]
fn limits_of_the_workflow_go_before_the_manifests() {
    let scene = Scene::probe("flood-log");
    assert_eq!(scene.run(&[]).code, 0);
    scene.change(
        "workflow.yaml",
        "steps:",
        "    limits: { fuel: 10000 }\nsteps:",
    );
    let ran = scene.run(&[]);
    assert_eq!(ran.task()["error"]["code"], "limit.fuel", "{}", ran.said);
}

#[test]
fn a_trap_costs_the_whole_fuel_and_an_answer_what_it_used() {
    let fuel = |kind| Scene::probe(kind).run(&[]).results["plugins"][0]["fuel_max"].clone();
    assert_eq!(fuel("trap"), 100_000_000);
    assert!(fuel("echo").as_u64().unwrap() < 100_000);
}

#[test]
fn one_bad_record_never_stops_the_batch() {
    let scene = Scene::probe("echo");
    scene.write(
        "input.json",
        r#"[{"id": "a"}, 7, {"id": "b"}, {"no": "id"}, {"id": "a"}]"#,
    );
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 6, "{}", ran.said);
    assert_eq!(ran.results["totals"]["success"], 2);
    let indexes: Vec<_> = ran.results["bad_records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["index"].clone())
        .collect();
    assert_eq!(indexes, [1, 3, 4]);
    assert!(ran.said.contains("record 1 was not run"), "{}", ran.said);
}

#[test]
fn what_is_not_granted_is_refused_and_the_operator_told_the_line() {
    let scene = Scene::probe("ask");
    assert_eq!(scene.run(&[]).task()["output"], json!({"parts": 1}));
    scene.write("policy.toml", "");
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 5);
    assert_eq!(ran.task()["error"]["code"], "refused");
    assert_eq!(ran.results["refusals"][0]["count"], 1);
    assert!(
        ran.said.contains("[plugin.probe] llm = [\"default\"]"),
        "{}",
        ran.said
    );
    assert_eq!(ran.results["totals"]["llm_calls"], 0);
}

#[test]
fn a_tool_that_is_not_granted_is_refused() {
    let scene = Scene::probe("call-tool");
    let ledger = component("plugins/vendor-ledger");
    let declared = format!(
        "  vendor-ledger:\n    source: {}\n    config: {{ vendors: [Acme], invoices: [] }}\ntools: [vendor-ledger]\nsteps:",
        ledger.display()
    );
    scene.change("workflow.yaml", "steps:", &declared);
    scene.write("input.json", r#"[{"id": "one", "name": "Acme"}]"#);
    let ran = scene.run(&[]);
    assert_eq!(
        (ran.code, &ran.task()["error"]["code"]),
        (5, &json!("refused")),
        "{}",
        ran.said
    );
    assert!(
        ran.said
            .contains("[plugin.probe] tools = [\"vendor.find\"]"),
        "{}",
        ran.said
    );
    assert_eq!(ran.results["totals"]["tool_calls"], 0);

    scene.write("policy.toml", "[plugin.probe]\ntools = [\"vendor.find\"]\n");
    let ran = scene.run(&[]);
    // The argument `id` is none of the tool's, which is not even asked.
    assert_eq!(ran.results["totals"]["tool_calls"], 0, "{}", ran.said);
    assert!(ran.said.contains("InvalidArguments"), "{}", ran.said);
    assert!(ran.said.contains("('id' was unexpected)"), "{}", ran.said);
}

#[test]
fn capabilities_that_are_not_granted_or_not_offered_are_refused() {
    let ran = Scene::probe("unavailable").run(&[]);
    let all = json!({
        "memory": "not-granted",
        "delegate": "not-granted",
        "approval": "not-granted",
        "secrets": "not-granted",
    });
    assert_eq!(ran.task()["output"], all, "{}", ran.said);
    assert_eq!(ran.results["refusals"].as_array().unwrap().len(), 4);
}

#[test]
fn a_streamed_answer_comes_in_pieces_and_ends() {
    let ran = Scene::probe("stream").run(&[]);
    assert_eq!(
        ran.task()["output"],
        json!({"pieces": ["text hello", "done 1"]}),
        "{}",
        ran.said
    );
    assert_eq!(ran.results["totals"]["llm_calls"], 1);
}

#[test]
fn a_trap_is_told_with_its_cause_and_place() {
    let ran = Scene::probe("trap").run(&[]);
    let message = ran.task()["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("wasm trap: wasm `unreachable` instruction executed, in "));
    assert!(
        message.contains("in hotcell:plugin/agent@0.1.0#run"),
        "{message}"
    );
}

#[test]
fn no_guest_draws_on_the_operators_terminal() {
    for kind in ["escape-log", "escape-name", "deny-text", "trap"] {
        let ran = Scene::probe(kind).run(&["--verbose"]);
        assert!(!ran.said.contains('\u{1b}'), "{kind}: {:?}", ran.said);
    }
    let ran = Scene::probe("escape-log").run(&["--verbose"]);
    assert!(
        ran.said.contains("\\u{1b}[31mred\\r\\nforged line"),
        "{}",
        ran.said
    );
    let ran = Scene::probe("escape-name").run(&[]);
    assert_eq!(ran.results["refusals"][0]["count"], 1, "{}", ran.said);
    assert!(ran.said.len() < 10_000, "{} bytes", ran.said.len());
}

#[test]
fn a_flood_of_log_lines_ends_in_a_count() {
    let ran = Scene::probe("flood-log").run(&["--verbose"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.said.contains("936 more lines were dropped"),
        "{}",
        ran.said.len()
    );
    assert!(ran.said.len() < 300 * 1024);
}

#[test]
fn of_wasi_a_guest_gets_the_harmless_part_and_nothing_of_this_machine() {
    let scene = Scene::wasi();
    let ran = scene.run(&["--verbose"]);
    let saw = &ran.task()["output"];
    assert_eq!(saw["arguments"], 0, "{}", ran.said);
    assert_eq!(saw["variables"], 0);
    assert_eq!(saw["input_bytes"], 0);
    assert_eq!(saw["coarse"], true);
    assert!(ran.said.contains("to standard output"), "{}", ran.said);
    assert!(
        ran.said.contains("to standard \\u{1b}[31merror"),
        "{}",
        ran.said
    );
    // Random numbers are the attempt's: the same record draws the same again.
    assert_eq!(saw["random"], scene.run(&[]).task()["output"]["random"]);
}

#[test]
fn a_provider_that_is_down_is_said_to_be_down() {
    let scene = Scene::probe("ask");
    // Nobody listens on port 1.
    let ran = scene.run(&["--model", "openai@http://127.0.0.1:1/v1#any"]);
    assert_eq!(ran.code, 5, "{}", ran.said);
    assert_eq!(ran.task()["error"]["code"], "transient");
    assert!(ran.said.contains("Unavailable"), "{}", ran.said);
    assert_eq!(ran.results["totals"]["llm_errors"], 1);
}
