//! A workflow, a state folder and a model server, and the command run over them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::provider::{PRICE, Provider};

/// Where the process dies: see `hotcell_store::crash`.
pub(crate) use hotcell_store::crash::SWITCH as CRASH_AT;

/// The steps of most scenes: four questions, two of them at once.
pub(crate) const STEPS: &[&str] = &["ask-first", "both-then"];

pub(crate) struct Scene {
    dir: TempDir,
    pub(crate) provider: Provider,
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
    /// Null when it came to none.
    pub(crate) results: Value,
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

fn hotcell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command
        .env("HOTCELL_CACHE", root().join("target/tests/cache"))
        .env_remove("OPENAI_API_KEY")
        .stdin(Stdio::null());
    command
}

/// The component of a guest, built once in this process.
fn component(name: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let guests = ["tests/guests/clerk", "tests/guests/desk"].map(|path| root().join(path));
        let output = hotcell().arg("build").args(guests).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let paths = String::from_utf8(output.stdout).unwrap();
        paths.lines().map(PathBuf::from).collect()
    });
    built
        .iter()
        .find(|path| path.ends_with(format!("{name}.wasm")))
        .unwrap_or_else(|| panic!("{name} is not among {built:?}"))
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

impl Scene {
    /// So many records that go through these steps; each is a kind of what the
    /// clerk does.
    pub(crate) fn new(records: usize, steps: &[&str]) -> Scene {
        let steps: String = steps
            .iter()
            .map(|kind| format!("  - {{ id: {kind}, agent: clerk }}\n"))
            .collect();
        Scene::of(records, &steps)
    }

    /// The same with steps as a workflow has them.
    pub(crate) fn of(records: usize, steps: &str) -> Scene {
        let scene = Scene {
            dir: tempfile::tempdir().unwrap(),
            provider: Provider::start(),
        };
        let workflow = format!(
            "workflow: crash\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
             defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  clerk: {{ source: {} }}\n  \
             desk: {{ source: {} }}\ntools: [desk]\nsteps:\n{steps}",
            component("clerk").display(),
            component("desk").display()
        );
        scene.write("workflow.yaml", &workflow);
        let ids: Vec<_> = (1..=records)
            .map(|n| format!(r#"{{"id": "r{n}"}}"#))
            .collect();
        scene.write("input.json", &format!("[{}]", ids.join(", ")));
        scene.write("host.toml", "");
        std::fs::create_dir(scene.path("desk")).unwrap();
        scene.grant("llm = [\"default\"]\ntools = [\"desk.look\", \"desk.put\", \"desk.send\"]");
        scene
    }

    /// What the clerk may do from now on.
    pub(crate) fn grant(&self, clerk: &str) {
        let files = r#"{ path = "desk", at = "/desk", access = "write" }"#;
        let policy = format!("[plugin.clerk]\n{clerk}\n\n[plugin.desk]\nfiles = [{files}]\n");
        self.write("policy.toml", &policy);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where its runs are kept.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The lines that the desk has written.
    pub(crate) fn desk(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("desk/calls.txt")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// `hotcell run`, with these arguments more.
    pub(crate) fn start(&self, args: &[&str]) -> Command {
        let mut command = self.command("run");
        command.arg(self.dir.path());
        command.args(["--model", &self.provider.model(), "--price", PRICE]);
        command.args(args);
        command
    }

    /// `hotcell resume`, with these arguments more.
    pub(crate) fn resume(&self, args: &[&str]) -> Command {
        let mut command = self.command("resume");
        command.args(args);
        command
    }

    /// Goes on until everything has ended, in every doubt with this decision.
    pub(crate) fn finish(&self, decision: &str) -> Ran {
        let mut ran = self.ran(&mut self.resume(&[]));
        while ran.status.code() == Some(8) {
            ran = self.ran(&mut self.resume(&["--in-doubt", decision]));
        }
        ran.expect(0)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = hotcell();
        command.arg(verb).arg("--quiet");
        command.arg("--state").arg(self.state());
        command.arg("--out").arg(self.path("results.json"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn ran(&self, command: &mut Command) -> Ran {
        self.end(self.spawn(command))
    }

    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        // Results of an earlier command would be taken for this one's.
        drop(std::fs::remove_file(self.path("results.json")));
        command.spawn().unwrap()
    }

    /// Waits for the end of a command.
    pub(crate) fn end(&self, child: Child) -> Ran {
        let output = child.wait_with_output().unwrap();
        let said = said(&output);
        assert!(!said.contains("panicked"), "{said}");
        let bytes = std::fs::read(self.path("results.json")).unwrap_or_default();
        Ran {
            status: output.status,
            said,
            results: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// Sends a process a signal, such as `STOP`.
    pub(crate) fn signal(child: &Child, name: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args([&format!("-{name}"), &child.id().to_string()]);
        assert!(sent.status().unwrap().success(), "kill -{name}");
    }
}

impl Ran {
    /// Whether a point or a signal ended it.
    pub(crate) fn was_killed(&self) -> bool {
        self.status.code().is_none()
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ran {
        assert_eq!(self.status.code(), Some(code), "{}", self.said);
        self
    }
}
