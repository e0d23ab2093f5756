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

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::time::Instant;
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
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits {
            cpu_seconds: 20,
            memory_mib: 2048,
            wall: Duration::from_secs(15),
            output_mib: 256,
        }
    }
}

/// Why there is no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler refused the component.
    #[error("{0}")]
    Refused(String),
    /// It took more than it may.
    #[error("compiling it took more than {0}")]
    Limit(String),
    /// The worker could not be started or broke: ours, not the plugin's.
    #[error("the compile worker failed: {0}")]
    Worker(String),
}

/// The worker: reads a component, writes compiled code and, behind it, the hash
/// of the engine that made it. `Err` is what the compiler said.
pub fn work(
    limits: CompileLimits,
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), String> {
    confine(limits).map_err(|error| format!("the limits cannot be set: {error}"))?;
    let mut component = Vec::new();
    let most = MAX_COMPONENT_BYTES as u64;
    input
        .by_ref()
        .take(most)
        .read_to_end(&mut component)
        .map_err(|error| error.to_string())?;
    let engine = settings::compiling_engine().map_err(|error| format!("{error:#}"))?;
    let artifact = precompile(&engine, &component)?;
    output
        .write_all(&artifact)
        .and_then(|()| output.write_all(&engine_hash(&engine).to_le_bytes()))
        .and_then(|()| output.flush())
        .map_err(|error| error.to_string())
}

/// No more processor time, address space or open files than needed; no file
/// can be written and no core dumped.
fn confine(limits: CompileLimits) -> io::Result<()> {
    let to = |most: u64| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Cpu, to(limits.cpu_seconds))?;
    setrlimit(Resource::As, to(limits.memory_mib << 20))?;
    setrlimit(Resource::Fsize, to(0))?;
    setrlimit(Resource::Nofile, to(16))?;
    setrlimit(Resource::Core, to(0))?;
    Ok(())
}

fn precompile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, String> {
    // The compiler is large and the bytes are a stranger's: a panic in it is
    // that stranger's refusal.
    catch_unwind(AssertUnwindSafe(|| engine.precompile_component(component)))
        .map_err(|_| "the compiler gave up".to_owned())?
        .map_err(|error| format!("{error:#}"))
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
            Compiler::InProcess => precompile(engine, component).map_err(CompileError::Refused),
            Compiler::Child(program) => in_child(program, engine, component, limits),
        }
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
        // Nothing of the operator's is a compiler's business.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(ours)?;
    let told = talk(child, component, limits).map_err(ours)?;
    if told.late {
        return Err(CompileError::Limit(format!("{} s", limits.wall.as_secs())));
    }
    let mut artifact = told.output;
    if artifact.len() as u64 > limits.output_mib << 20 {
        return Err(CompileError::Limit(format!(
            "{} MiB of code",
            limits.output_mib
        )));
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
    match (status.code(), signal(status)) {
        (Some(REFUSED), _) => CompileError::Refused(words),
        // Killed for its processor time: SIGXCPU, or SIGKILL at the hard limit.
        (_, Some(24 | 9)) => {
            CompileError::Limit(format!("{} s of processor time", limits.cpu_seconds))
        }
        // Aborted: what Rust does when memory cannot be had.
        (_, Some(6)) => CompileError::Limit(format!("{} MiB of memory", limits.memory_mib)),
        _ => CompileError::Worker(format!("{status}: {words}")),
    }
}

/// The exit code with which a worker says that the compiler refused.
pub const REFUSED: i32 = 3;

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

/// Feeds the worker and reads what it says, for no longer than the wall clock
/// allows and no more than the output may be.
fn talk(mut child: Child, component: &[u8], limits: CompileLimits) -> io::Result<Told> {
    let pipe = || io::Error::other("the worker has no pipes");
    let mut stdin = child.stdin.take().ok_or_else(pipe)?;
    let stdout = child.stdout.take().ok_or_else(pipe)?;
    let stderr = child.stderr.take().ok_or_else(pipe)?;
    let ends = Instant::now() + limits.wall;
    std::thread::scope(|scope| {
        // A worker that dies early closes the pipe; why, its status says.
        scope.spawn(move || drop(stdin.write_all(component)));
        let (send, ended) = mpsc::channel();
        let output = scope.spawn(move || {
            // One byte more than may be, which closes the pipe on the rest.
            let output = read(stdout, (limits.output_mib << 20) + 9);
            let _nobody_waits = send.send(());
            output
        });
        let words = scope.spawn(move || read(stderr, 8 * 1024));
        let mut late = ended.recv_timeout(limits.wall).is_err();
        // The output has ended, so the worker is about to: unless it lingers.
        let status = loop {
            if late {
                child.kill()?;
                break child.wait()?;
            }
            if let Some(status) = child.try_wait()? {
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
        let worker = settings::compiling_engine().unwrap();
        assert_eq!(engine_hash(&host()), engine_hash(&worker));
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
            ("kill -9 $$", "more than 20 s of processor time"),
            ("kill -6 $$", "more than 2048 MiB of memory"),
            ("exit 7", "the compile worker failed"),
            (
                "while :; do echo 'more and more of it'; done",
                "more than 1 MiB of code",
            ),
            ("kill -STOP $$", "more than 1 s"),
            ("exec >&-; kill -STOP $$", "more than 1 s"),
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
