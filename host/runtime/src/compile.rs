//! Compiling strangers' bytes in a process that may be killed.
//!
//! A compiler cannot be interrupted, and some inputs make it run for minutes or
//! take gigabytes; wasmtime does not call that a defect. So the host compiles in
//! a child: its own program again, with limits on processor time, address space,
//! files and output set before it reads a byte, and a clock in the parent. What
//! comes back is used only if it is whole and was made by the same engine.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hotcell_broker::store::guard::{self, Guard};
use hotcell_broker::text;
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use tokio::time::Instant;
use wasmparser::Validator;
use wasmtime::Engine;

use crate::runtime::engine_hash;
use crate::settings::{self, MAX_COMPONENT_BYTES};

/// The command that a worker is started with.
pub const WORKER: &str = "compile-worker";

/// Where components are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process: for benchmarks over one's own plugins.
    InProcess,
    /// In a child: this program, which must answer to [`WORKER`] with
    /// [`work`].
    Child(PathBuf),
}

/// What one compilation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Processor time over all threads, in seconds. CPython, the largest plugin
    /// we know, takes 8.
    pub cpu_seconds: u64,
    /// Address space, in MiB.
    pub memory_mib: u64,
    /// Wall clock.
    pub wall: Duration,
    /// Compiled code, in MiB.
    pub output_mib: u64,
    /// Not a limit: whether memories begin as images, as the host that loads the
    /// code has it.
    pub images: bool,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits {
            cpu_seconds: 20,
            memory_mib: 2048,
            wall: Duration::from_secs(15),
            output_mib: 256,
            images: true,
        }
    }
}

/// What compiling took more of than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Processor time, in seconds.
    #[error("{0} s of processor time")]
    Cpu(u64),
    /// Address space, in MiB.
    #[error("{0} MiB of memory")]
    Memory(u64),
    /// Wall clock, in milliseconds.
    #[error("{0} ms")]
    Wall(u128),
    /// Compiled code, in MiB.
    #[error("{0} MiB of code")]
    Output(u64),
}

/// Why there is no compiled code.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CompileError {
    /// It is not valid.
    #[error("{0}")]
    Invalid(String),
    /// It needs a feature of WebAssembly that is switched off.
    #[error("it needs the feature {0}, which is switched off")]
    Feature(String),
    /// It is valid, and the compiler does not take it.
    #[error("{0}")]
    Unsupported(String),
    /// It took more than it may.
    #[error("compiling it took more than {0}")]
    Limit(Exceeded),
    /// The worker could not be started or broke: ours, not the plugin's.
    #[error("the compile worker failed: {0}")]
    Worker(String),
}

/// Why a worker ends without code: an exit code and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Tells the sorts apart: 3 to 5. Panics end with 101, our own failures with
    /// 1.
    pub code: u8,
    /// What the compiler or the validator said, or the feature's name.
    pub words: String,
}

const UNSUPPORTED: u8 = 3;
const INVALID: u8 = 4;
const FEATURE: u8 = 5;

/// The worker: reads a component, writes compiled code and, behind it, the hash
/// of the engine that made it.
pub fn work(
    limits: CompileLimits,
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), Refusal> {
    let ours = |words: String| Refusal { code: 1, words };
    confine(limits).map_err(|error| ours(format!("the limits cannot be set: {error}")))?;
    let mut component = Vec::new();
    let most = MAX_COMPONENT_BYTES as u64;
    input
        .by_ref()
        .take(most)
        .read_to_end(&mut component)
        .map_err(|error| ours(error.to_string()))?;
    let engine =
        settings::compiling_engine(limits.images).map_err(|error| ours(format!("{error:#}")))?;
    let artifact = precompile(&engine, &component)?;
    output
        .write_all(&artifact)
        .and_then(|()| output.write_all(&engine_hash(&engine).to_le_bytes()))
        .and_then(|()| output.flush())
        .map_err(|error| ours(error.to_string()))
}

/// Compiling can wait, though not for ever; guests that are being called cannot.
const NICE: i32 = 5;

/// No more processor time, address space or open files than needed; no file
/// can be written and no core dumped; behind everything else that runs.
fn confine(limits: CompileLimits) -> io::Result<()> {
    let to = |most: u64| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    if Guard::CompileCpu.on() {
        setrlimit(Resource::Cpu, to(limits.cpu_seconds))?;
    }
    if Guard::CompileMemory.on() {
        setrlimit(Resource::As, to(limits.memory_mib << 20))?;
    }
    setrlimit(Resource::Fsize, to(0))?;
    setrlimit(Resource::Nofile, to(16))?;
    setrlimit(Resource::Core, to(0))?;
    setpriority_process(None, NICE)?;
    Ok(())
}

fn precompile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, Refusal> {
    // The compiler is large and the bytes are a stranger's: a panic in it is
    // that stranger's refusal.
    let compiled = catch_unwind(AssertUnwindSafe(|| engine.precompile_component(component)));
    let words = match compiled {
        Ok(Ok(artifact)) => return Ok(artifact),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "the compiler gave up".to_owned(),
    };
    // Why not, in types and not in words: the compiler has only words.
    let mut validator = Validator::new_with_features(settings::features());
    let validated = catch_unwind(AssertUnwindSafe(|| validator.validate_all(component)));
    let (code, words) = match validated {
        Ok(Err(error)) => match error.missing_wasm_feature() {
            Some(feature) => (FEATURE, settings::feature_names(feature)),
            None => (INVALID, error.to_string()),
        },
        _ => (UNSUPPORTED, words),
    };
    Err(Refusal { code, words })
}

impl Compiler {
    /// Compiled code for this engine.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        component: &[u8],
        limits: CompileLimits,
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Compiler::InProcess => precompile(engine, component).map_err(refused),
            Compiler::Child(program) => in_child(program, engine, component, limits),
        }
    }
}

fn refused(refusal: Refusal) -> CompileError {
    // It quotes names out of the component.
    let words = text::line(&refusal.words, text::LINE);
    match refusal.code {
        UNSUPPORTED => CompileError::Unsupported(words),
        INVALID => CompileError::Invalid(words),
        FEATURE => CompileError::Feature(words),
        _ => CompileError::Worker(words),
    }
}

fn in_child(
    program: &Path,
    engine: &Engine,
    component: &[u8],
    limits: CompileLimits,
) -> Result<Vec<u8>, CompileError> {
    let ours = |error: io::Error| CompileError::Worker(error.to_string());
    let child = Command::new(program)
        .arg(WORKER)
        .args(["--cpu-seconds", &limits.cpu_seconds.to_string()])
        .args(["--memory-mib", &limits.memory_mib.to_string()])
        .args(limits.images.then_some("--images"))
        // Nothing of the operator's is a compiler's business.
        .env_clear()
        .envs(guard::switch())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(ours)?;
    let told = talk(child, component, limits).map_err(ours)?;
    if told.late {
        let wall = Exceeded::Wall(limits.wall.as_millis());
        return Err(CompileError::Limit(wall));
    }
    let mut artifact = told.output;
    if artifact.len() as u64 > limits.most_output() {
        return Err(CompileError::Limit(Exceeded::Output(limits.output_mib)));
    }
    let hash = artifact
        .len()
        .checked_sub(8)
        .map(|at| artifact.split_off(at));
    match (told.status.success(), hash) {
        (true, Some(hash)) if hash == engine_hash(engine).to_le_bytes() => Ok(artifact),
        (true, _) => Err(CompileError::Worker("it is of another build".to_owned())),
        (false, _) => Err(failure(told.status, told.words, limits)),
    }
}

/// What a worker that did not succeed died of.
fn failure(status: ExitStatus, words: String, limits: CompileLimits) -> CompileError {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match (code, signal(status)) {
        (Some(code @ (UNSUPPORTED | INVALID | FEATURE)), _) => refused(Refusal { code, words }),
        // Killed for its processor time: SIGXCPU, or SIGKILL at the hard limit.
        (_, Some(24 | 9)) => CompileError::Limit(Exceeded::Cpu(limits.cpu_seconds)),
        // Aborted: what Rust does when memory cannot be had.
        (_, Some(6)) => CompileError::Limit(Exceeded::Memory(limits.memory_mib)),
        _ => CompileError::Worker(format!("{status}: {words}")),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

struct Told {
    output: Vec<u8>,
    words: String,
    status: ExitStatus,
    /// The wall clock ran out, and the worker was killed.
    late: bool,
}

/// A worker that does not outlive what waits for it, however that ends.
struct Worker(Child);

impl Worker {
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has mostly ended by itself: then this does nothing.
        drop(self.end());
    }
}

/// Feeds the worker and reads what it says, for no longer than the wall clock
/// allows and no more than the output may be.
fn talk(child: Child, component: &[u8], limits: CompileLimits) -> io::Result<Told> {
    let mut worker = Worker(child);
    let pipe = || io::Error::other("the worker has no pipes");
    let mut stdin = worker.0.stdin.take().ok_or_else(pipe)?;
    let stdout = worker.0.stdout.take().ok_or_else(pipe)?;
    let stderr = worker.0.stderr.take().ok_or_else(pipe)?;
    let wall = limits.wall_clock();
    let ends = Instant::now() + wall;
    std::thread::scope(|scope| {
        // Dropped before the threads are waited for, so that nothing they read
        // from or write to stays open.
        let mut worker = worker;
        let thread = || std::thread::Builder::new().name("hotcell-compile".to_owned());
        // A worker that dies early closes the pipe; why, its status says.
        thread().spawn_scoped(scope, move || drop(stdin.write_all(component)))?;
        let (send, ended) = mpsc::channel();
        let output = thread().spawn_scoped(scope, move || {
            // One byte more than may be, which closes the pipe on the rest.
            let output = read(stdout, limits.most_output().saturating_add(9));
            let _nobody_waits = send.send(());
            output
        })?;
        let words = thread().spawn_scoped(scope, move || read(stderr, 8 * 1024))?;
        let mut late = ended.recv_timeout(wall).is_err();
        // The output has ended, so the worker is about to: unless it lingers.
        let status = loop {
            if late {
                break worker.end()?;
            }
            if let Some(status) = worker.0.try_wait()? {
                break status;
            }
            late = Instant::now() >= ends;
            std::thread::sleep(Duration::from_millis(1));
        };
        Ok(Told {
            output: output.join().unwrap_or_default(),
            words: String::from_utf8_lossy(&words.join().unwrap_or_default())
                .trim()
                .to_owned(),
            status,
            late,
        })
    })
}

impl CompileLimits {
    fn wall_clock(&self) -> Duration {
        match Guard::CompileWall.on() {
            true => self.wall,
            false => Duration::from_secs(3_600),
        }
    }

    /// Bytes of compiled code.
    fn most_output(&self) -> u64 {
        Guard::CompileOutput.limit(self.output_mib << 20, u64::MAX)
    }
}

/// What comes out of a pipe, up to a bound.
fn read(pipe: impl Read, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(pipe.take(most).read_to_end(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn host() -> Engine {
        let settings = Settings {
            cells: 1,
            nested_cells: 1,
            ..Settings::default()
        };
        settings::engine(&settings).unwrap()
    }

    #[test]
    fn what_the_worker_compiles_is_what_the_host_loads() {
        let worker = settings::compiling_engine(true).unwrap();
        assert_eq!(engine_hash(&host()), engine_hash(&worker));
        // Code for hosts with very many cells is another.
        let worker = settings::compiling_engine(false).unwrap();
        assert_ne!(engine_hash(&host()), engine_hash(&worker));
    }

    /// What the host makes of a worker that is this shell script.
    #[cfg(unix)]
    fn played(script: &str) -> Result<Vec<u8>, String> {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("worker");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let limits = CompileLimits {
            wall: Duration::from_secs(1),
            output_mib: 1,
            ..CompileLimits::default()
        };
        // More than a pipe holds, so that a worker which does not read is met.
        let component = vec![0; 1 << 20];
        let result = Compiler::Child(path).compile(&host(), &component, limits);
        result.map_err(|error| error.to_string())
    }

    #[cfg(unix)]
    #[test]
    fn a_worker_ends_in_code_or_in_what_it_died_of() {
        let hash: String = engine_hash(&host())
            .to_le_bytes()
            .iter()
            .map(|byte| format!("\\{byte:03o}"))
            .collect();
        assert_eq!(
            played(&format!("printf 'code{hash}'")),
            Ok(b"code".to_vec())
        );
        let table = [
            ("printf 'code12345678'", "it is of another build"),
            ("exit 0", "it is of another build"),
            ("echo 'type mismatch' >&2; exit 3", "type mismatch"),
            ("echo 'bad magic' >&2; exit 4", "bad magic"),
            ("echo 'gc' >&2; exit 5", "the feature gc"),
            ("kill -9 $$", "more than 20 s of processor time"),
            ("kill -6 $$", "more than 2048 MiB of memory"),
            ("exit 7", "the compile worker failed"),
            (
                "while :; do echo 'more and more of it'; done",
                "more than 1 MiB of code",
            ),
            ("kill -STOP $$", "more than 1000 ms"),
            ("exec >&-; kill -STOP $$", "more than 1000 ms"),
        ];
        for (script, words) in table {
            let error = played(script).unwrap_err();
            assert!(error.contains(words), "{script}: {error}");
        }
    }

    #[test]
    fn a_worker_that_is_not_there_is_our_failure() {
        let compiler = Compiler::Child(PathBuf::from("/nowhere/hotcell"));
        let result = compiler.compile(&host(), b"", CompileLimits::default());
        assert!(matches!(result, Err(CompileError::Worker(_))));
    }
}
