//! What keeps a host from starting, told with what to change.

use std::process::Command;

use crate::scene::{Scene, tell};

#[test]
fn a_variable_that_weakens_the_sandbox_is_refused() {
    let scene = Scene::probe("echo");
    let ran = scene.run_in(&[], &[("WASMTIME_BACKTRACE_DETAILS", "1")]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    let words = ["`WASMTIME_BACKTRACE_DETAILS` is set", "unset it"];
    for word in words {
        assert!(ran.said.contains(word), "{}", ran.said);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_with_too_little_is_told_what_to_change() {
    let scene = Scene::probe("echo");
    let table = [
        ("-n 100", "`ulimit -n 512`"),
        ("-v 4000000", "`ulimit -v unlimited`"),
    ];
    for (limit, words) in table {
        let hotcell = env!("CARGO_BIN_EXE_hotcell");
        let mut shell = Command::new("sh");
        shell.arg("-c");
        shell.arg(format!("ulimit {limit} && exec {hotcell} run \"$0\""));
        let told = tell(shell.arg(scene.dir.path()));
        assert_eq!(told.code, 1, "{limit}: {}", told.said());
        assert!(told.said().contains(words), "{limit}: {}", told.said());
    }
}
