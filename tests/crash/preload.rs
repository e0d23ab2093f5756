//! Small libraries that stand between the host and its system: a disk that fills
//! up and forgets, a clock that jumps. Compiled with `cc`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::scene::{Scene, root};

/// The disk of the journal's own tests.
const DISK: &str = "host/store/tests/journal/power/disk.c";

const CLOCK: &str = "tests/crash/clock.c";

struct Compiled {
    dir: TempDir,
}

fn compiled() -> &'static Path {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    let compile = || {
        let dir = tempfile::tempdir().unwrap();
        for (name, source) in [("disk.so", DISK), ("clock.so", CLOCK)] {
            let cc = Command::new("cc")
                .args(["-shared", "-fPIC", "-O1", "-o"])
                .args([dir.path().join(name), root().join(source)])
                .status()
                .expect("this test needs a C compiler called `cc`, as SQLite does");
            assert!(cc.success(), "{source}: {cc}");
        }
        Compiled { dir }
    };
    COMPILED.get_or_init(compile).dir.path()
}

/// Puts the disk in front of a command. What is left when the power goes is in the
/// folder that comes back.
pub(crate) fn disk(scene: &Scene, command: &mut Command) -> PathBuf {
    let kept = scene.path("kept");
    // With the folder below it that is synced as well.
    drop(std::fs::create_dir_all(kept.join("audit")));
    command
        .env("LD_PRELOAD", compiled().join("disk.so"))
        .env("DISK_WATCHED", scene.state())
        .env("DISK_KEPT", &kept);
    kept
}

/// Moves the clock of a command by so many seconds.
pub(crate) fn clock(command: &mut Command, seconds: i64) {
    command
        .env("LD_PRELOAD", compiled().join("clock.so"))
        .env("CLOCK_MOVED", seconds.to_string());
}
