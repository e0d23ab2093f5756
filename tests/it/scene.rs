//! Small folders with a workflow in them, and the command run over them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A command that takes longer hangs: the slowest here takes some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The plugins of the example.
pub(crate) const PLUGINS: [&str; 5] = [
    "invoice-approver",
    "invoice-checker",
    "invoice-extractor",
    "reference-solver",
    "vendor-ledger",
];

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The built command, with one folder of compiled components for all tests and
/// nothing of the caller's environment that could change a result.
pub(crate) fn hotcell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command
        .env("HOTCELL_CACHE", root().join("target/tests/cache"))
        .env("HOTCELL_STATE", fresh_state())
        .env_remove("OPENAI_API_KEY")
        .stdin(Stdio::null());
    command
}

/// A folder for runs that nobody else uses: a journal has one owner at a time.
fn fresh_state() -> PathBuf {
    static ALL: OnceLock<PathBuf> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let all = ALL.get_or_init(|| {
        let all = root().join("target/tests/it-state");
        drop(std::fs::remove_dir_all(&all));
        all
    });
    all.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string())
}

/// The component of a guest crate, built once in this process.
pub(crate) fn component(folder: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let guests = [
            "actor",
            "clerk",
            "http-probe",
            "keeper",
            "kernels",
            "probe",
            "wasi-probe",
        ]
        .map(|name| format!("tests/guests/{name}"));
        let plugins = std::fs::read_dir(root().join("plugins")).unwrap();
        let plugins = plugins.map(|it| it.unwrap().file_name().into_string().unwrap());
        let plugins = plugins.map(|name| format!("plugins/{name}"));
        let folders: Vec<String> = plugins.chain(guests).collect();
        let output = hotcell()
            .arg("build")
            .args(folders.iter().map(|folder| root().join(folder)))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let paths = String::from_utf8(output.stdout).unwrap();
        let paths = paths.lines().map(PathBuf::from);
        folders.into_iter().zip(paths).collect()
    });
    let found = built.iter().find(|(name, _)| name == folder);
    found
        .unwrap_or_else(|| panic!("{folder} is not built"))
        .1
        .clone()
}

/// A file of an example with the components in place of the folders they are
/// built from.
pub(crate) fn built(text: &str) -> String {
    let mut parts = text.split("../../plugins/");
    let mut with = parts.next().unwrap().to_owned();
    for part in parts {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let (name, rest) = part.split_at(part.find(|c| !name(c)).unwrap_or(part.len()));
        with += component(&format!("plugins/{name}")).to_str().unwrap();
        with += rest;
    }
    with
}

/// Everything a command said.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// What a command said and how it ended.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Told {
    /// Everything it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A command under way.
pub(crate) struct Running {
    pub(crate) id: u32,
    ended: Receiver<Output>,
}

/// Starts a command.
pub(crate) fn start(command: &mut Command) -> Running {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (id, (sender, ended)) = (child.id(), mpsc::channel());
    std::thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        // Nobody listens any more when the test has given up.
        sender.send(output).ok();
    });
    Running { id, ended }
}

impl Running {
    /// Sends it a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args([&format!("-{name}"), &self.id.to_string()]);
        assert!(sent.status().unwrap().success(), "kill -{name}");
    }

    /// Waits for its end. That the host panicked, or hangs, fails any test.
    pub(crate) fn end(self) -> Told {
        let Ok(output) = self.ended.recv_timeout(PATIENCE) else {
            self.signal("KILL");
            panic!("the command hangs");
        };
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let told = Told {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!told.stderr.contains("panicked"), "{}", told.stderr);
        told
    }
}

/// Runs a command to its end.
pub(crate) fn tell(command: &mut Command) -> Told {
    start(command).end()
}

/// A run of a workflow, not started yet; its results go to `out`.
pub(crate) fn command(workflow: &Path, out: &Path, args: &[&str]) -> Command {
    let mut command = hotcell();
    command.arg("run").arg(workflow);
    command.arg("--out").arg(out).args(args);
    command
}

/// Runs a command that writes its results to `out`.
pub(crate) fn ran(mut command: Command, out: &Path) -> Ran {
    // Results of an earlier run would be taken for this one's.
    std::fs::remove_file(out).ok();
    let told = tell(&mut command);
    // An empty file is what a run leaves that ends before it has results.
    let bytes = std::fs::read(out).unwrap_or_default();
    let results = (!bytes.is_empty()).then(|| serde_json::from_slice(&bytes).unwrap());
    Ran {
        code: told.code,
        said: told.said(),
        stdout: told.stdout,
        stderr: told.stderr,
        results: results.unwrap_or(Value::Null),
    }
}

/// The example, as it is in the repository.
pub(crate) fn example() -> PathBuf {
    root().join("examples/01-invoices")
}

/// Runs the example. Its plugins are built beforehand, outside of any patience.
pub(crate) fn run_example(args: &[&str]) -> Ran {
    component("plugins/invoice-approver");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("results.json");
    ran(command(&example(), &out, args), &out)
}

/// Reads a JSON file.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A folder with a workflow of one step over one plugin, to be changed before
/// it is run.
pub(crate) struct Scene {
    pub(crate) dir: TempDir,
}

/// How a scene's run went.
pub(crate) struct Ran {
    pub(crate) code: i32,
    /// Everything it said.
    pub(crate) said: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) results: Value,
}

impl Ran {
    /// The only record's result.
    pub(crate) fn task(&self) -> &Value {
        &self.results["tasks"][0]
    }
}

impl Scene {
    /// A workflow whose step asks the probe for one behaviour, over one record,
    /// with a scripted model that answers anything.
    pub(crate) fn probe(kind: &str) -> Scene {
        let scene = Scene {
            dir: tempfile::tempdir().unwrap(),
        };
        let probe = component("tests/guests/probe");
        scene.write(
            "workflow.yaml",
            &format!(
                "workflow: scene\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
                 defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  probe:\n    source: {}\nsteps:\n  - id: act\n    agent: probe\n    \
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

    /// One record and the guest that looks for everything WASI could give it.
    pub(crate) fn wasi() -> Scene {
        let scene = Scene::probe("any");
        let guest = component("tests/guests/wasi-probe");
        scene.write(
            "workflow.yaml",
            &format!(
                "workflow: scene\npattern: sequential\ninput: {{ file: input.json, id: id }}\n\
                 defaults: {{ retry: {{ max: 0 }} }}\nplugins:\n  wasi-probe:\n    source: {}\nsteps:\n  - id: look\n    agent: wasi-probe\n",
                guest.display()
            ),
        );
        scene
    }

    /// The example with its plugins as they are built, to be changed before it is
    /// run.
    pub(crate) fn example() -> Scene {
        Scene::of("01-invoices")
    }

    /// One of the examples, likewise.
    pub(crate) fn of(example: &str) -> Scene {
        let scene = Scene {
            dir: tempfile::tempdir().unwrap(),
        };
        for file in std::fs::read_dir(root().join("examples").join(example)).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            scene.write(name, &built(&text));
        }
        scene
    }

    /// Writes a file of the scene.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Takes a file away.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Replaces a text in a file; it must be there.
    pub(crate) fn change(&self, name: &str, from: &str, to: &str) {
        let path = self.dir.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// The path of a file of the scene.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs it.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_in(args, &[])
    }

    /// Runs it with these variables in the environment.
    pub(crate) fn run_in(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let out = self.path("results.json");
        let mut command = command(self.dir.path(), &out, args);
        command.envs(variables.iter().copied());
        ran(command, &out)
    }
}
