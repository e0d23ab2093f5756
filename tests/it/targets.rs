//! The Rust target that plugins need, on a machine that has it not. The
//! toolchain is played by two small scripts in front of the real one.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::scene::{hotcell, root, said};

/// The build with a `rustc` in front that knows no target's libraries, and this
/// `rustup`. Cargo itself is told where the real compiler is.
#[expect(
    clippy::disallowed_methods,
    reason = "the search path is what this test changes"
)]
fn build_with(rustup: &str) -> Output {
    let tools = TempDir::new().unwrap();
    for (name, script) in [("rustc", "echo /nowhere"), ("rustup", rustup)] {
        let path = tools.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!(
        "{}:{}",
        tools.path().display(),
        std::env::var("PATH").unwrap()
    );
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    hotcell()
        .arg("build")
        .arg(root().join("plugins/vendor-ledger"))
        .env("PATH", path)
        .env("RUSTC", Path::new(sysroot.trim()).join("bin/rustc"))
        .output()
        .unwrap()
}

#[test]
fn a_missing_target_is_installed_and_the_user_told() {
    let output = build_with("exit 0");
    let said = said(&output);
    let installing = "installing the Rust target wasm32-unknown-unknown: \
                      rustup target add wasm32-unknown-unknown";
    assert!(said.contains(installing), "{said}");
    assert!(said.contains("building vendor-ledger"), "{said}");
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_target_that_cannot_be_installed_ends_in_the_command_to_type() {
    let output = build_with("echo 'offline' >&2; exit 1");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("offline"), "{said}");
    assert!(
        said.contains("`rustup target add wasm32-unknown-unknown`"),
        "{said}"
    );
    assert!(!said.contains("building"), "{said}");
}
