//! What is left when the power goes, a sync fails, the disk is full or the process
//! dies: everything that was acknowledged, and nothing else.
//!
//! The journal runs in a process of its own, this test again, with a disk in front
//! of it that forgets what was not synced (`power/disk.c`, compiled with `cc`).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotcell_store::journal::{Journal, Options, Sync};

use crate::{entry, head, numbers, options};

/// Names the journal that the process appends to, and with it that this is it.
const DIR: &str = "JOURNAL_OF_CHILD";

/// How it syncs.
const SYNC: &str = "SYNC_OF_CHILD";

/// Where it dies.
#[cfg(feature = "switches")]
const END: &str = "END_OF_CHILD";

/// Appends are tried so often.
const APPENDS: u64 = 20;

fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that starts itself again has no other way to say what for"
    )]
    std::env::var(name).ok()
}

/// What the process does that the other tests start: it appends, says what came of
/// it, and dies.
#[tokio::test]
async fn child() {
    let Some(dir) = variable(DIR) else { return };
    let sync = match variable(SYNC).as_deref() {
        Some("normal") => Sync::Normal,
        _ => Sync::Full,
    };
    let say = |what: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsaid: {what}").unwrap();
        out.flush().unwrap();
    };
    #[cfg(feature = "switches")]
    if let Some(end) = variable(END) {
        assert!(hotcell_store::crash::set(&end), "{end}");
    }
    let open = || Journal::open(Path::new(&dir), Options { sync, ..options() });
    let journal = match open() {
        Ok(journal) => journal,
        Err(error) => return say(error.code().to_owned()),
    };
    let mut log = journal.begin(head("a"));
    for n in 0..APPENDS {
        match log.append(vec![entry(n)]).await {
            Ok(seq) => say(format!("{seq}")),
            Err(error) => say(error.code().to_owned()),
        }
        if let Ok((_, _, adopted)) = journal.adopt("a") {
            log = adopted;
        }
    }
    std::process::abort();
}

/// The disk, compiled.
fn disk(dir: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal/power/disk.c");
    let library = dir.join("disk.so");
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .status()
        .expect("this test needs a C compiler called `cc`, as SQLite does");
    assert!(cc.success(), "cc: {cc}");
    library
}

/// What is left of a process.
struct Left {
    /// What came of its appends.
    said: Vec<String>,
    /// The last record that was acknowledged.
    acknowledged: u64,
    _above: tempfile::TempDir,
    /// The journal's folder.
    dir: PathBuf,
    /// The same as of the last sync of each file.
    kept: PathBuf,
}

/// Runs the process against the disk.
fn run(variables: &[(&str, &str)]) -> Left {
    let above = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(above.path()).unwrap();
    let (dir, kept) = (path.join("journal"), path.join("kept"));
    fs::create_dir(&kept).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["power::child", "--exact", "--nocapture"])
        .env("LD_PRELOAD", disk(&path))
        .env("DISK_WATCHED", &dir)
        .env("DISK_KEPT", &kept)
        .env(DIR, &dir)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    let said = output.lines().filter_map(|l| l.strip_prefix("said: "));
    let said: Vec<_> = said.map(str::to_owned).collect();
    let numbers = said.iter().filter_map(|said| said.parse().ok());
    Left {
        acknowledged: numbers.max().unwrap_or(0),
        said,
        _above: above,
        dir,
        kept,
    }
}

/// The records that are there.
fn records(dir: &Path) -> u64 {
    let Ok(journal) = Journal::open(dir, options()) else {
        return 0;
    };
    journal.reader().verify().unwrap();
    let records = journal.reader().records("a").unwrap_or_default();
    let there = records.len() as u64;
    assert!(numbers(&records).is_sorted());
    there
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_loss_because_it_was_synced() {
    let full = run(&[(SYNC, "full")]);
    assert_eq!(full.acknowledged, APPENDS);
    assert_eq!(records(&full.kept), APPENDS);
    // The test can tell: without the sync it is not there.
    let normal = run(&[(SYNC, "normal")]);
    assert_eq!(normal.acknowledged, APPENDS);
    assert!(records(&normal.kept) < APPENDS);
    assert_eq!(records(&normal.dir), APPENDS);
}

#[test]
fn after_a_failed_sync_at_whatever_time_nothing_is_acknowledged_any_more() {
    let mut poisoned = 0;
    for sync in 1..16 {
        let left = run(&[("DISK_FAIL_SYNC", &sync.to_string())]);
        let good = left
            .said
            .iter()
            .take_while(|said| *said != "storage.failed");
        let after = &left.said[good.count()..];
        assert!(!after.is_empty(), "sync {sync}: {:?}", left.said);
        let all_failed = after.iter().all(|said| said == "storage.failed");
        assert!(all_failed, "sync {sync}: {:?}", left.said);
        poisoned += usize::from(after.len() > 1);
        assert!(records(&left.kept) >= left.acknowledged, "sync {sync}");
    }
    assert!(poisoned > 3, "no append came after the failure");
}

#[test]
fn a_full_disk_is_said_and_when_there_is_space_the_run_goes_on() {
    let left = run(&[("DISK_FULL_FROM", "100"), ("DISK_FULL_TO", "102")]);
    let full = left.said.iter().filter(|said| *said == "storage.full");
    let full = full.count() as u64;
    assert!((1..10).contains(&full), "{:?}", left.said);
    assert_eq!(left.acknowledged, APPENDS - full, "{:?}", left.said);
    assert_eq!(records(&left.dir), left.acknowledged);
}

#[cfg(feature = "switches")]
#[test]
fn a_process_that_dies_anywhere_leaves_what_it_acknowledged() {
    use hotcell_store::crash::Point;
    for point in [Point::MidBatch, Point::BeforeCommit, Point::AfterCommit] {
        for passing in [2, 7] {
            let left = run(&[(END, &format!("{}:{passing}", point.name()))]);
            let acknowledged = left.acknowledged;
            assert!(acknowledged < APPENDS, "{point:?} {passing} was not passed");
            for dir in [&left.dir, &left.kept] {
                let there = records(dir);
                let committed = acknowledged + u64::from(point == Point::AfterCommit);
                assert_eq!(there, committed, "{point:?} {passing}");
            }
        }
    }
}
