//! Small folders with a workflow in them, and the command run over them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The built command, with one folder of compiled components for all tests and
/// nothing of the caller's environment that could change a result.
pub fn hotcell() -> Command {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    let state = STATE.get_or_init(|| root().join("target/tests/state"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command.env("HOTCELL_STATE", state).env_remove("OPENAI_API_KEY").stdin(Stdio::null());
    command
}

/// The component of a guest crate, built once in this process.
pub fn component(folder: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folders = [

            "plugins/invoice-checker",
            "plugins/invoice-extractor",

            "plugins/vendor-ledger",
            "tests/guests/probe",
            "tests/guests/wasi-probe",
        ];
        let output =
            hotcell().arg("build").args(folders.map(|f| root().join(f))).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let paths = String::from_utf8(output.stdout).unwrap();
        let paths = paths.lines().map(PathBuf::from);
        folders.iter().map(|f| (*f).to_owned()).zip(paths).collect()
    });
    let found = built.iter().find(|(name, _)| name == folder);
    found.unwrap_or_else(|| panic!("{folder} is not built")).1.clone()
}

/// Everything a command said.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A folder with a workflow of one step over one plugin, to be changed before
/// it is run.
pub struct Scene {
    pub dir: TempDir,
}

/// How a scene's run went.
pub struct Ran {
    pub code: i32,
    pub said: String,
    pub results: Value,
}

impl Ran {
    /// The only record's result.
    pub fn task(&self) -> &Value {
        &self.results["tasks"][0]
    }
}

impl Scene {
    /// A workflow whose step asks the probe for one behaviour, over one record,
    /// with a scripted model that answers anything.
    pub fn probe(kind: &str) -> Scene {
        let scene = Scene { dir: tempfile::tempdir().unwrap() };
        let probe = component("tests/guests/probe");
        scene.write(
            "workflow.yaml",
            &format!(
                "workflow: scene\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
                 plugins:\n  probe:\n    source: {}\nsteps:\n  - id: act\n    agent: probe\n    \
                 kind: {kind}\n    repairs: 1\n",
                probe.display()
            ),
        );
        scene.write("input.json", r#"[{"id": "one"}]"#);
        scene.write("policy.toml", "[plugin.probe]\nllm = [\"default\"]\n");
        scene.write(
            "host.toml",
            "[models.default]\nprovider = \"scripted\"\nfile = \"replies.jsonl\"\n\
             price = { input_micros_per_mtok = 0, output_micros_per_mtok = 0 }\n",
        );
        scene.write("replies.jsonl", r#"{"reply": {"text": "hello"}}"#);
        scene
    }

    /// Writes a file of the scene.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Replaces a text in a file; it must be there.
    pub fn change(&self, name: &str, from: &str, to: &str) {
        let path = self.dir.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Ran {
        let out = self.dir.path().join("results.json");
        let output = hotcell()
            .arg("run")
            .arg(self.dir.path())
            .arg("--out")
            .arg(&out)
            .args(args)
            .output()
            .unwrap();
        let results = std::fs::read(&out).map(|bytes| serde_json::from_slice(&bytes).unwrap());
        Ran {
            code: output.status.code().unwrap_or(-1),
            said: said(&output),
            results: results.unwrap_or(Value::Null),
        }
    }
}
