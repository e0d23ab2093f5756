//! The child that compiles: it does its work, says why it will not, and dies of
//! its limits. What the host makes of each end is tested beside the code.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use crate::scene::component;

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
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert!(!output.stderr.is_empty());
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
