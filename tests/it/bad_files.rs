//! Files that people get wrong. Each ends in a message that says what and where,
//! in the documented exit code, and the same way in `check` as in `run`. That
//! none of them is a panic, and none hangs, `scene` sees to.

use crate::scene::{Scene, Told, component, hotcell, tell};

/// A text of a file (all of it when empty), what is there instead, and what the
/// operator must be told, parted by `|`.
type Slip<'a> = (&'a str, &'a str, &'a str);

/// Makes each slip in a scene of its own and sees it refused.
fn refused(code: i32, file: &str, slips: &[Slip<'_>]) {
    for (from, to, words) in slips {
        let scene = Scene::probe("ask");
        match *from {
            "" => scene.write(file, to),
            from => scene.change(file, from, to),
        }
        both(&scene, &[], code, words);
    }
}

/// `run` and `check` refuse the scene alike.
fn both(scene: &Scene, args: &[&str], code: i32, words: &str) {
    for verb in ["run", "check"] {
        let told = told(scene, verb, args);
        let said = told.stderr;
        assert_eq!(told.code, code, "{verb}: {said}");
        for word in words.split('|') {
            assert!(said.contains(word), "{verb}: no {word:?} in: {said}");
        }
        assert!(told.stdout.is_empty(), "{verb}: {}", told.stdout);
        assert!(said.len() < 4_000, "{verb}: {} bytes said", said.len());
    }
}

fn told(scene: &Scene, verb: &str, args: &[&str]) -> Told {
    // What is refused is refused for people and for programs.
    tell(
        hotcell()
            .args([verb, "--json"])
            .arg(scene.dir.path())
            .args(args),
    )
}

#[test]
fn a_workflow_that_cannot_be_read_is_named() {
    let scene = Scene::probe("ask");
    scene.remove("workflow.yaml");
    both(&scene, &[], 3, "cannot read `|workflow.yaml`: No such file");
    std::fs::create_dir(scene.path("workflow.yaml")).unwrap();
    both(&scene, &[], 3, "workflow.yaml`: is a directory");

    let binary = Scene::probe("ask");
    std::fs::write(binary.path("workflow.yaml"), [0xff, 0xfe, 0]).unwrap();
    both(&binary, &[], 3, "workflow.yaml`: |UTF-8");

    let told = tell(hotcell().args(["run", "/nowhere/at/all"]));
    assert_eq!(told.code, 3);
    assert!(told.stderr.contains("cannot read `/nowhere/at/all`"));
}

#[test]
fn a_workflow_that_is_none_is_refused() {
    let long = format!("workflow: scene # {}", "x".repeat(1 << 20));
    let slips = [
        ("", "workflow: [scene\n", ":1:11|is not valid YAML"),
        ("", "", "a workflow must be a table"),
        ("", &bomb(), "is not valid YAML|too large or too complex"),
        ("", &long, "has 1048594 bytes|at most 1 MiB"),
    ];
    refused(3, "workflow.yaml", &slips);
}

#[test]
fn a_slip_in_a_workflow_is_shown_at_its_line_and_column() {
    let slips = [
        (
            "pattern:",
            "patern:",
            "workflow.yaml:2:1|unknown key `patern`|did you mean `pattern`?",
        ),
        (
            "agent: probe",
            "agent: prob",
            "workflow.yaml:10:12|no plugin is called `prob`|did you mean `probe`?",
        ),
        (
            "repairs: 1",
            "gates: [checker]",
            "workflow.yaml:12:13|no plugin is called `checker`",
        ),
        (
            "steps:",
            "tools: [ledger]\nsteps:",
            "workflow.yaml:8:9|no plugin is called `ledger`",
        ),
        (
            "steps:",
            "    config_files: { data: host.toml }\nsteps:",
            "workflow.yaml:8:27|host.toml` is not a JSON file",
        ),
    ];
    refused(3, "workflow.yaml", &slips);
}

/// Twelve lines that would be a million million values.
fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    text
}

#[test]
fn one_look_finds_the_problems_of_all_files() {
    let scene = Scene::probe("ask");
    scene.change("workflow.yaml", "pattern:", "patern:");
    scene.change("policy.toml", "plugin", "plugins");
    scene.change("host.toml", "scripted", "scriptd");
    both(
        &scene,
        &[],
        3,
        "3 problems|workflow.yaml:2:1|policy.toml:1:2|host.toml:2:12",
    );
}

#[test]
fn a_plugin_in_a_place_for_another_kind_is_refused() {
    let slips = [
        (
            "repairs: 1",
            "gates: [probe]",
            "`probe` is of kind `agent`; `gates` takes `validator`",
        ),
        (
            "steps:",
            "tools: [probe]\nsteps:",
            "`probe` is of kind `agent`; `tools` takes `tool`",
        ),
    ];
    refused(4, "workflow.yaml", &slips);
    for (name, kind) in [
        ("invoice-checker", "validator"),
        ("vendor-ledger", "tool"),
        ("reference-solver", "model"),
    ] {
        let scene = Scene::probe("ask");
        let source = component(&format!("plugins/{name}"));
        let plugin = format!("  {name}: {{ source: {} }}\nsteps:", source.display());
        scene.change("workflow.yaml", "steps:", &plugin);
        scene.change("workflow.yaml", "agent: probe", &format!("agent: {name}"));
        let words = format!("`{name}` is of kind `{kind}`; `agent` takes `agent`");
        both(&scene, &[], 4, &words);
    }
}

#[test]
fn records_that_are_no_list_are_refused() {
    // A file can be one line of megabytes: then the place is told in words.
    let deep = "[".repeat(100_000);
    let slips = [
        ("", "[\n  {\"id\": }\n]", "input.json:2:10|expected value"),
        (
            "",
            &deep,
            "is not valid JSON, line 1, column 128: recursion",
        ),
        ("", "{}", "holds an object, not a list"),
        ("", "[]", "holds no records"),
    ];
    refused(3, "input.json", &slips);
    let scene = Scene::probe("ask");
    scene.remove("input.json");
    both(&scene, &[], 3, "workflow.yaml:3:16|input.json|No such file");
}

#[test]
fn a_record_that_cannot_be_run_is_no_wrong_file() {
    let scene = Scene::probe("ask");
    let table = [
        (r#"[{"id": "a"}, 7]"#, 6, "it is a number, not an object"),
        (r#"[7, {"no": "id"}]"#, 5, "it has no `id`"),
    ];
    for (records, code, why) in table {
        scene.write("input.json", records);
        let ran = scene.run(&[]);
        assert_eq!(ran.code, code, "{}", ran.said);
        let said = format!("record 1 was not run: {why}");
        assert!(ran.stdout.contains(&said), "{}", ran.said);
        let told = told(&scene, "check", &[]);
        assert_eq!(told.code, 0, "{}", told.stderr);
        let said = format!("record 1 will not be run: {why}");
        assert!(told.stderr.contains(&said), "{}", told.stderr);
    }
    // The first records are those of the file, good or not.
    scene.write("input.json", r#"[{"id": "a"}, 7, {"id": "b"}]"#);
    assert_eq!(scene.run(&["--limit", "1"]).code, 0);
    let ran = scene.run(&["--limit", "2"]);
    assert_eq!(
        (ran.code, &ran.results["totals"]["success"]),
        (6, &1.into())
    );
}

#[test]
fn right_answers_that_are_none_are_refused() {
    let scene = Scene::probe("ask");
    let score = "score: { gold: gold.json, fields: [a], group_by: b }\nsteps:";
    scene.change("workflow.yaml", "steps:", score);
    both(&scene, &[], 3, "workflow.yaml:8:16|gold.json|No such file");
    let table = [
        ("{", "gold.json`: |EOF while parsing an object at line 1"),
        ("[]", "from record id to an object"),
        (r#"{"one": {"a": 1}}"#, "answer of `one` has no field `b`"),
    ];
    for (gold, words) in table {
        scene.write("gold.json", gold);
        both(&scene, &[], 3, words);
    }
}

#[test]
fn a_policy_that_says_more_than_the_host_can_enforce_is_refused() {
    let slips = [
        ("llm", "tool", "policy.toml:2:1|did you mean `tools`?"),
        ("]\nllm", "\nllm", "policy.toml:1:14|is not valid TOML"),
    ];
    refused(3, "policy.toml", &slips);
}

#[test]
fn a_host_file_that_leaves_something_open_is_refused() {
    let solver = component("plugins/reference-solver");
    let sim = format!(
        "[models.default]\nprovider = \"sim\"\nplugin = {solver:?}\nfaults = {{ flip = 1.5 }}\n\
         price = {{ input_micros_per_mtok = 0, output_micros_per_mtok = 0 }}\n"
    );
    let slips = [
        (
            "scripted",
            "scriptd",
            "host.toml:2:12|unknown provider `scriptd`|did you mean `scripted`?",
        ),
        ("price", "prize", "host.toml:4:1|did you mean `price`?"),
        ("price", "# price", "needs `price`|input_micros_per_mtok"),
        (
            "output_micros_per_mtok = 0",
            "output_micros_per_mtok = -1",
            "host.toml:4:63|must be a whole number from 0 upwards|this is -1",
        ),
        ("replies", "nothing", "host.toml:3:8|nothing.jsonl"),
        ("", &sim, "`flip` is not a rate from 0 to 1"),
    ];
    refused(3, "host.toml", &slips);
    let probe = sim
        .replace("reference_solver", "probe")
        .replace("1.5", "0.5");
    let slips = [("", &*probe, "`probe` is of kind `agent`|takes `model`")];
    refused(4, "host.toml", &slips);
}

#[test]
fn a_script_that_cannot_be_played_is_refused_by_its_line() {
    let slips = [
        (
            "",
            "{\"reply\": {\"text\": \"a\"}}\n{\"reply\": {\"txt\": \"a\"}}\n",
            "replies.jsonl`: line 2: unknown field `txt`|at column 16",
        ),
        (
            "",
            "{\"reply\": {\"error\": \"tired\"}}\n",
            "line 1: `tired` is not the code of an error",
        ),
    ];
    refused(3, "replies.jsonl", &slips);
}

#[test]
fn a_key_that_is_not_where_the_host_file_says_is_missed_before_the_run() {
    let scene = Scene::probe("ask");
    let table = [
        (
            r#"{ env = "HOTCELL_TEST_NO_SUCH_KEY" }"#,
            "the environment variable `HOTCELL_TEST_NO_SUCH_KEY` is not set",
        ),
        (
            r#"{ file = "no-key" }"#,
            "host.toml:4:20|no-key|No such file",
        ),
        (
            r#"{ file = "key" }"#,
            "`default` cannot be used: its key is empty",
        ),
        (
            r#"{ env = "A", file = "key" }"#,
            "`api_key` needs `env` or `file`, not both",
        ),
        (
            r#""sk-canary""#,
            "line 4 of `|holds a key that is written out",
        ),
    ];
    scene.write("key", "\n");
    for (key, words) in table {
        let host = format!(
            "[models.default]\nprovider = \"openai\"\nmodel = \"m\"\napi_key = {key}\n\
             base_url = \"http://127.0.0.1:1/v1\"\n\
             price = {{ input_micros_per_mtok = 0, output_micros_per_mtok = 0 }}\n"
        );
        scene.write("host.toml", &host);
        both(&scene, &[], 3, words);
        assert!(!told(&scene, "run", &[]).stderr.contains("sk-canary"));
    }
    // A model that no plugin may call is not connected, and needs no key.
    scene.change("host.toml", "default", "other");
    scene.change(
        "host.toml",
        "\"sk-canary\"",
        "{ env = \"HOTCELL_TEST_NO_SUCH_KEY\" }",
    );
    assert_eq!(told(&scene, "check", &[]).code, 0);
}

#[test]
fn a_model_or_price_that_means_nothing_is_refused() {
    let scene = Scene::probe("ask");
    let local = "openai@http://127.0.0.1:1/v1#m";
    let table: [(&[&str], i32, &str); 7] = [
        (&["--model", "defualt"], 3, "did you mean `default`?"),
        (&["--model", "openai@http://127.0.0.1/v1"], 2, "#MODEL"),
        (
            &["--model", "openai@ftp://h/v1#m"],
            2,
            "`ftp://h/v1` is not",
        ),
        (&["--model", "openai@https://h/v1#m"], 2, "--price IN,OUT"),
        (&["--model", local, "--price", "cheap"], 2, "is not a price"),
        (
            &["--model", "default", "--price", "1,2"],
            2,
            "`--price` with",
        ),
        (&["--host", "/nowhere/h.toml"], 3, "cannot read `/nowhere"),
    ];
    for (args, code, words) in table {
        both(&scene, args, code, words);
    }
}

#[test]
fn a_command_line_that_is_not_understood_is_code_2() {
    let table: [&[&str]; 10] = [
        &[],
        &["rum", "."],
        &["run"],
        &["run", ".", "--limit", "0"],
        &["run", ".", "--limit", "-1"],
        &["run", ".", "--concurrency", "0"],
        &["run", ".", "--concurrency", "5001"],
        &["run", ".", "--price", "1,2"],
        &["run", ".", "--quiet", "--verbose"],
        &["data", "cheques"],
    ];
    for args in table {
        let told = tell(hotcell().args(args));
        assert_eq!(told.code, 2, "{args:?}: {}", told.said());
        assert!(told.stdout.is_empty(), "{args:?}");
        assert!(told.stderr.contains("--help"), "{}", told.stderr);
    }
}

#[test]
fn results_that_cannot_be_written_are_missed_before_the_run() {
    let scene = Scene::probe("ask");
    for flag in ["--out", "--tape"] {
        let told = told(&scene, "run", &[flag, "/nowhere/at/all.json"]);
        assert_eq!(told.code, 1, "{}", told.said());
        let words = "cannot write `/nowhere/at/all.json`";
        assert!(told.stderr.contains(words), "{}", told.stderr);
        assert!(told.stdout.is_empty());
    }
}
