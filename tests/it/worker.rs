//! The child that compiles: it does its work, says why it will not, and dies of
//! its limits. What the host makes of each end is tested beside the code.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use crate::scene::{Scene, component, start};

fn compile(cpu_seconds: &str, memory_mib: &str, input: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotcell"))
        .args(["compile-worker", "--cpu-seconds", cpu_seconds])
        .args(["--memory-mib", memory_mib])
        .stdin(input)
        .output()
        .unwrap()
}

fn probe() -> Stdio {
    std::fs::File::open(component("tests/guests/probe"))
        .unwrap()
        .into()
}

#[test]
fn a_worker_compiles_what_it_is_given() {
    let output = compile("20", "2048", probe());
    assert!(output.status.success());
    // Compiled code is an ELF image.
    assert!(output.stdout.starts_with(b"\x7fELF"));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_worker_says_what_the_compiler_refused() {
    let output = compile("20", "2048", Stdio::null());
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty());
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_worker_stands_behind_everything_else() {
    use std::io::Write;
    let mut worker = Command::new(env!("CARGO_BIN_EXE_hotcell"))
        .args([
            "compile-worker",
            "--cpu-seconds",
            "20",
            "--memory-mib",
            "2048",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // More than a pipe holds: when it is written the worker reads, and it reads
    // nothing before it has confined itself.
    let mut input = worker.stdin.take().unwrap();
    input.write_all(&[0; 1 << 20]).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.id())).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    let nice = after_name.split(' ').nth(16).unwrap();
    assert_eq!(nice, "5", "{stat}");
    drop(input);
    worker.wait().unwrap();
}

#[test]
fn a_worker_dies_of_its_limits() {
    let output = compile("0", "2048", probe());
    assert!(matches!(output.status.signal(), Some(9 | 24)), "{output:?}");
    assert!(output.stdout.is_empty());
    let output = compile("20", "20", probe());
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn the_host_compiles_nothing_by_itself() {
    use std::os::unix::fs::PermissionsExt;
    // A copy of the host that can be started once: then it may not be run again,
    // and without a worker there is nothing it could call. It waits for us at
    // its tape, a pipe that it opens before it loads the first plugin.
    let scene = Scene::probe("echo");
    let (program, tape) = (scene.path("hotcell"), scene.path("tape"));
    std::fs::copy(env!("CARGO_BIN_EXE_hotcell"), &program).unwrap();
    let made = Command::new("mkfifo").arg(&tape).status().unwrap();
    assert!(made.success());
    let mut command = Command::new(&program);
    command
        .arg("run")
        .arg(scene.path(""))
        .arg("--tape")
        .arg(&tape);
    command.arg("--state").arg(scene.path("state"));
    command.arg("--cache").arg(scene.path("cache"));
    let running = start(command.stdin(Stdio::null()));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o600)).unwrap();
    let reader = std::thread::spawn(move || std::fs::read(tape).unwrap());
    let told = running.end();
    assert_eq!(told.code, 4, "{}", told.said());
    assert!(
        told.stderr.contains("the compile worker failed"),
        "{}",
        told.stderr
    );
    assert!(reader.join().unwrap().is_empty());
}
