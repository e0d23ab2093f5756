use std::fs;
use std::path::Path;
use std::time::Duration;

use hotcell_broker::files::{FileAccess, FileGrant};
use hotcell_broker::provider::faults::FaultModel;
use hotcell_broker::provider::remote::Protocol;
use hotcell_broker::{Grants, Policy, Price};
use hotcell_runtime::manifest::Limits;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use serde_json::json;

use super::host::{ApiKey, Provider};
use super::*;

mod budgets;
mod endpoint;
mod grants;
mod models;
mod rounds;
mod slips;
mod state_machine;
mod steps;
mod voting;

const WORKFLOW: &str = r#"workflow: invoices
description: A few invoices.
pattern: sequential
input: { file: invoices.json, id: invoice_id }
plugins:
  reader: { source: reader }
  checker: { source: checker.wasm }
  ledger:
    source: ledger
    config: { strict: true }
    config_files: { vendors: vendors.json }
    limits: { fuel: 1000000, memory_mib: 32, deadline_ms: 10000 }
tools: [ledger]
steps:
  - id: read
    agent: reader
    gates: [checker]
  - { id: decide, agent: reader, kind: decision }
score: { gold: gold.json, fields: [ok], group_by: fault }
"#;

const HOST: &str = r#"[models.default]
provider = "sim"
plugin = "reader"
price = { input_micros_per_mtok = 150000, output_micros_per_mtok = 600000 }
[models.default.faults]
hallucination = 0.03
[models.local]
provider = "openai"
base_url = "http://127.0.0.1:11434/v1/"
model = "llama3.1"
api_key = { env = "KEY" }
timeout_ms = 5000
price = { input_micros_per_mtok = 0, output_micros_per_mtok = 0 }
[models.replies]
provider = "scripted"
file = "invoices.json"
price = { input_micros_per_mtok = 1, output_micros_per_mtok = 2 }
[models.plain]
provider = "plugin"
plugin = "checker.wasm"
price = { input_micros_per_mtok = 1, output_micros_per_mtok = 2 }
"#;

const POLICY: &str = r#"[plugin.reader]
llm = ["default"]
[plugin.checker]
tools = ["vendor.find"]
files = [{ path = "granted", at = "/data" },
         { path = "out", at = "/out", access = "write", quota_mib = 2 }]
"#;

/// A folder with these three files and what they refer to.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new(workflow: &str, host: &str, policy: &str) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        for name in ["reader", "ledger", "empty"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (name, text) in [
            ("workflow.yaml", workflow),
            ("host.toml", host),
            ("policy.toml", policy),
            ("reader/Cargo.toml", ""),
            ("ledger/Cargo.toml", ""),
            ("checker.wasm", ""),
            ("invoices.json", "[]"),
            ("vendors.json", "[\"Acme\"]"),
            ("broken.json", "[1,"),
            ("gold.json", "{}"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Folder { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn check(&self) -> Result<Checked, Problems> {
        let workflow = self.folder.path().to_owned();
        check(&Files {
            workflow,
            host: None,
            policy: None,
            own_records: true,
        })
    }

    /// A diagnostic as a terminal without colours shows it.
    fn shown(&self, diagnostic: &dyn Diagnostic) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
        let mut text = String::new();
        handler
            .with_width(96)
            .render_report(&mut text, diagnostic)
            .unwrap();
        self.relative(&text)
            .lines()
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect()
    }

    /// A diagnostic in one line: `FILE:LINE:COLUMN MESSAGE (LABELS) HELP`.
    fn line(&self, diagnostic: &dyn Diagnostic) -> String {
        let mut place = String::new();
        let mut labels = Vec::new();
        for label in diagnostic.labels().into_iter().flatten() {
            let source = diagnostic.source_code().unwrap();
            let at = source.read_span(label.inner(), 0, 0).unwrap();
            if place.is_empty() {
                place = format!(
                    "{}:{}:{} ",
                    at.name().unwrap(),
                    at.line() + 1,
                    at.column() + 1
                );
            }
            labels.push(label.label().unwrap().to_owned());
        }
        let labels = labels.join(", ");
        let help = diagnostic
            .help()
            .map(|help| format!(" {help}"))
            .unwrap_or_default();
        self.relative(&format!("{place}{diagnostic} ({labels}){help}"))
    }

    fn lines(&self, problems: &Problems) -> Vec<String> {
        match problems.related() {
            Some(several) => several.map(|problem| self.line(problem)).collect(),
            None => vec![self.line(problems)],
        }
    }

    /// Without the folder, which is another one each time.
    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn good_files_become_checked_types() {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    let checked = folder.check().unwrap();
    assert!(checked.warnings.is_empty());

    let workflow = &checked.workflow;
    assert_eq!(workflow.plan.name, "invoices");
    assert_eq!(workflow.input.file, folder.path("invoices.json"));
    assert_eq!(workflow.input.id, "invoice_id");
    let ledger = &workflow.plugins["ledger"];
    assert_eq!(ledger.source, folder.path("ledger"));
    assert_eq!(
        json!(ledger.config),
        json!({"strict": true, "vendors": ["Acme"]})
    );
    let limits = Limits {
        fuel: Some(1_000_000),
        memory_mib: Some(32),
        deadline_ms: Some(10_000),
        ..Limits::default()
    };
    assert_eq!(ledger.limits, limits);
    assert_eq!(workflow.plugins["reader"].limits, Limits::default());
    assert_eq!(workflow.tools[0].name, "ledger");
    let score = workflow.score.as_ref().unwrap();
    assert_eq!(score.gold, folder.path("gold.json"));
    assert_eq!(score.fields, ["ok"]);
    assert_eq!(score.group_by.as_deref(), Some("fault"));

    let models = &checked.host.models;
    let price = Price {
        input_micros_per_mtok: 150_000,
        output_micros_per_mtok: 600_000,
    };
    assert_eq!(
        (models["default"].price, models["default"].timeout),
        (price, host::DEFAULT_TIMEOUT)
    );
    let Provider::Sim {
        plugin,
        seed,
        faults,
    } = &models["default"].provider
    else {
        panic!()
    };
    let expected = FaultModel {
        hallucination: 0.03,
        ..FaultModel::default()
    };
    assert_eq!(
        (plugin, *seed, faults),
        (&folder.path("reader"), 42, &expected)
    );
    assert_eq!(models["local"].timeout, Duration::from_secs(5));
    let Provider::Remote {
        protocol: Protocol::OpenAi,
        endpoint,
        model,
        api_key,
        ..
    } = &models["local"].provider
    else {
        panic!()
    };
    assert_eq!(
        (endpoint.base_url.as_str(), model.as_str()),
        ("http://127.0.0.1:11434/v1", "llama3.1")
    );
    assert_eq!(*api_key, Some(ApiKey::Env("KEY".to_owned())));
    let Provider::Scripted { file } = &models["replies"].provider else {
        panic!()
    };
    assert_eq!(*file, folder.path("invoices.json"));
    let Provider::Plugin { plugin } = &models["plain"].provider else {
        panic!()
    };
    assert_eq!(*plugin, folder.path("checker.wasm"));

    let grants = |llm: &[&str], tools: &[&str], files: Vec<FileGrant>| Grants {
        llm: llm.iter().map(|name| (*name).to_owned()).collect(),
        tools: tools.iter().map(|name| (*name).to_owned()).collect(),
        files,
        ..Grants::default()
    };
    let policy = &checked.policy.policy.plugin;
    assert_eq!(policy.len(), 2);
    let lent = |path: &str, at: &str, access, quota_mib| FileGrant {
        path: folder.path(path),
        at: at.to_owned(),
        access,
        quota_mib,
        max_files: 1_000,
    };
    let files = vec![
        lent("granted", "/data", FileAccess::Read, 16),
        lent("out", "/out", FileAccess::Write, 2),
    ];
    assert_eq!(policy["reader"], grants(&["default"], &[], Vec::new()));
    assert_eq!(policy["checker"], grants(&[], &["vendor.find"], files));
}

#[test]
fn the_policy_reads_as_the_broker_would_read_it() {
    let http = r#"http = [
        { origin = "https://api.example.com" },
        { origin = "http://127.0.0.1:8080", methods = ["POST"], addresses = ["127.0.0.0/8"] },
    ]"#;
    let policy = POLICY.replace("path = \"", "path = \"/");
    for policy in [policy.clone(), format!("{policy}{http}\n")] {
        let checked = Folder::new(WORKFLOW, HOST, &policy).check().unwrap();
        let digest = hotcell_broker::store::Digest::of(policy.as_bytes()).to_string();
        let expected = Policy {
            digest,
            ..toml::from_str(&policy).unwrap()
        };
        assert_eq!(checked.policy.policy, expected);
    }
}

#[test]
fn yes_and_on_are_words_not_booleans() {
    let workflow = WORKFLOW.replace("id: invoice_id", "id: on");
    let checked = Folder::new(&workflow, HOST, POLICY).check().unwrap();
    assert_eq!(checked.workflow.input.id, "on");
}

#[test]
fn a_file_of_more_than_one_mebibyte_is_not_read() {
    let comment = "# more\n".repeat(1024 * 1024 / 7 + 1);
    let folder = Folder::new(&(WORKFLOW.to_owned() + &comment), HOST, POLICY);
    let bytes = WORKFLOW.len() + comment.len();
    let expected = format!("`workflow.yaml` has {bytes} bytes () such a file has at most 1 MiB");
    assert_eq!(folder.lines(&folder.check().unwrap_err()), [expected]);
}

#[test]
fn without_host_and_policy_there_are_no_models_and_no_grants() {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    fs::remove_file(folder.path("host.toml")).unwrap();
    fs::remove_file(folder.path("policy.toml")).unwrap();
    let checked = folder.check().unwrap();
    assert!(checked.host.models.is_empty());
    assert!(checked.policy.policy.plugin.is_empty());
    let warnings: Vec<_> = checked.warnings.iter().map(|it| folder.line(it)).collect();
    let expected = [
        "there is no `host.toml` beside the workflow: no models are offered ()",
        "there is no `policy.toml` beside the workflow: nothing is granted ()",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let folder = Folder::new(WORKFLOW, HOST, POLICY);
    let named = |workflow: &str, host: Option<&str>, policy: Option<&str>| {
        let path = |name: &str| folder.path(name);
        let files = Files {
            workflow: path(workflow),
            host: host.map(path),
            policy: policy.map(path),
            own_records: true,
        };
        check(&files)
            .map(|_| ())
            .map_err(|problems| folder.lines(&problems).join("\n"))
    };
    let all = named("workflow.yaml", Some("host.toml"), Some("policy.toml"));
    assert_eq!(all, Ok(()));
    for (result, name) in [
        (named("none.yaml", None, None), "none.yaml"),
        (named("empty", None, None), "empty/workflow.yaml"),
        (named("", Some("none.toml"), None), "none.toml"),
        (named("", None, Some("none.toml")), "none.toml"),
    ] {
        let problem = result.unwrap_err();
        let expected = format!("cannot read `{name}`: ");
        assert!(
            problem.starts_with(&expected) && !problem.contains('\n'),
            "{problem}"
        );
    }
}

#[test]
fn problems_of_all_three_files_are_told_at_once() {
    let workflow = WORKFLOW
        .replace("sequential", "parallel")
        .replace("tools: [", "tools: [x, ");
    let folder = Folder::new(
        &workflow,
        &HOST.replace("\"sim\"", "\"smi\""),
        &POLICY.replace("llm", "lmm"),
    );
    let lines = folder.lines(&folder.check().unwrap_err());
    let starts: Vec<_> = lines
        .iter()
        .map(|line| line.split(" (").next().unwrap())
        .collect();
    let expected = [
        "workflow.yaml:3:10 unknown pattern `parallel`",
        "workflow.yaml:13:9 no plugin is called `x`",
        "host.toml:2:12 unknown provider `smi`",
        "policy.toml:2:1 unknown key `lmm`",
    ];
    assert_eq!(starts, expected);
}

#[test]
fn one_problem_is_shown_at_its_line_with_the_word_that_was_meant() {
    let folder = Folder::new(
        &WORKFLOW.replace("agent: reader\n", "agnet: reader\n"),
        HOST,
        POLICY,
    );
    let shown = folder.shown(&folder.check().unwrap_err());
    let expected = "  \
  × unknown key `agnet`
    ╭─[workflow.yaml:16:5]
 15 │   - id: read
 16 │     agnet: reader
    ·     ──┬──
    ·       ╰── not a key of a step
 17 │     gates: [checker]
    ╰────
  help: did you mean `agent`? the keys of a step: `id`, `agent`, `workflow`, `kind`, `gates`,
        `repairs`, `timeout_ms`, `retry`, `breaker`, `fallback`, `optional`, `needs`,
        `compensate`
";
    assert_eq!(shown, expected);
}

#[test]
fn several_problems_are_shown_under_their_number() {
    let workflow = WORKFLOW.replace("id: decide", "id: read");
    let folder = Folder::new(
        &workflow,
        &HOST.replacen("price = {", "prise = {", 1),
        POLICY,
    );
    let shown = folder.shown(&folder.check().unwrap_err());
    let expected = "  \
  × 2 problems

Error:
  × two steps are called `read`
    ╭─[workflow.yaml:15:9]
 14 │ steps:
 15 │   - id: read
    ·         ──┬─
    ·           ╰── the first
 16 │     agent: reader
 17 │     gates: [checker]
 18 │   - { id: read, agent: reader, kind: decision }
    ·           ──┬─
    ·             ╰── the second
 19 │ score: { gold: gold.json, fields: [ok], group_by: fault }
    ╰────
  help: give one of them another `id`

Error:
  × unknown key `prise`
   ╭─[host.toml:4:1]
 3 │ plugin = \"reader\"
 4 │ prise = { input_micros_per_mtok = 150000, output_micros_per_mtok = 600000 }
   · ──┬──
   ·   ╰── not a key of a `sim` model
 5 │ [models.default.faults]
   ╰────
  help: did you mean `price`? the keys of a `sim` model: `provider`, `price`, `timeout_ms`,
        `budget_usd`, `rate`, `max_output_tokens`, `record`, `plugin`, `seed`, `faults`,
        `fallback`, `safe_default`, `remember`, `fit_tokens`
";
    assert_eq!(shown, expected);
}

#[test]
fn a_slip_between_the_files_is_a_warning_and_stops_nothing() {
    let workflow = WORKFLOW.replace("tools: [ledger]\n", "");
    let policy = "[plugin.raeder]\nllm = [\"default\", \"defualt\"]\n";
    let folder = Folder::new(&workflow, HOST, policy);
    let warnings = folder.check().unwrap().warnings;
    let lines: Vec<_> = warnings
        .iter()
        .map(|warning| folder.line(warning))
        .collect();
    let expected = [
        "workflow.yaml:8:3 the plugin `ledger` is never used (declared here) name it in a step or \
         under `tools`, or leave it out",
        "policy.toml:1:9 the workflow has no plugin `raeder` (granted to nobody) did you mean \
         `reader`? the plugins of the workflow: `checker`, `ledger`, `reader`",
        "policy.toml:2:19 the host has no model `defualt` (grants `raeder` nothing) did you mean \
         `default`? the models: `default`, `local`, `plain`, `replies`",
    ];
    assert_eq!(lines, expected);
    assert!(
        warnings
            .iter()
            .all(|it| it.severity() == Some(miette::Severity::Warning))
    );
}

#[test]
fn the_example_checks_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/01-invoices");
    let checked = check(&Files {
        workflow: folder,
        host: None,
        policy: None,
        own_records: true,
    });
    let checked = checked.unwrap_or_else(|problems| panic!("{:?}", miette::Report::new(problems)));
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    let records = records::load_records(&checked.workflow.input.file, &checked.workflow.input.id);
    assert_eq!(records.unwrap().good.len(), 100);
    let score = checked.workflow.score.unwrap();
    let gold = fs::read_to_string(score.gold).unwrap();
    crate::score::Gold::parse(&gold, &score.fields, score.group_by.as_deref()).unwrap();
    let ledger = &checked.workflow.plugins["vendor-ledger"].config;
    assert_eq!(ledger["vendors"].as_array().unwrap().len(), 30);
    assert_eq!(ledger["invoices"].as_array().unwrap().len(), 100);
}
