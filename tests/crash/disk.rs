//! The disk is full, forgets, is cut or changed; the clock jumps.

use std::path::Path;

use libtest_mimic::Trial;

use crate::draws::Draws;
use crate::ledger::Ledger;
use crate::points::undisturbed;
use crate::scene::{CRASH_AT, STEPS, Scene};
use crate::{preload, trial};

/// Files of a journal.
const FILES: [&str; 7] = [
    "journal.db",
    "journal.db-wal",
    "journal.head",
    "books.db",
    "books.db-wal",
    "audit/audit.jsonl",
    "audit/audit.head",
];

/// Ten years.
const YEARS: i64 = 10 * 365 * 86_400;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    // An undisturbed run writes about two hundred times.
    for first in [1, 51, 101, 151] {
        let name = format!("D06 the disk is full from write {first} on, and from later ones");
        trials.push(trial(name, move || {
            for from in (first..first + 50).step_by(7) {
                is_full(from);
            }
        }));
    }
    for at in [
        "after-intent:3",
        "after-send:3",
        "after-response:5",
        "before-ack:5",
    ] {
        let name = format!("D12 {at}, and the power goes");
        trials.push(trial(name, || the_power_goes(at)));
    }
    trials.push(trial("D08 the clock jumps", the_clock_jumps));
    trials.push(trial("D10 the tail is torn off", the_tail_is_torn_off));
    trials.push(trial("D11 bits flip", bits_flip));
    trials.push(trial("D11 a record is changed", a_record_is_changed));
    trials
}

/// A scene that does not write the components, so that what it writes is the
/// journal.
fn scene() -> Scene {
    let scene = Scene::new(2, STEPS);
    undisturbed(|state| {
        let (from, to) = (state.join("components"), scene.state().join("components"));
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    });
    scene
}

/// Everything ends as if nothing had happened.
#[track_caller]
fn ends_well(scene: &Scene) {
    let mut ran = scene.finish("repeat");
    let open = Ledger::read(&scene.state());
    if open.ends.is_empty() {
        ran = scene.ran(&mut scene.start(&[])).expect(0);
    }
    let ledger = Ledger::read(&scene.state());
    undisturbed(|state| assert_eq!(ledger.ends, Ledger::read(state).ends));
    ledger.covers(scene);
    if !ran.results.is_null() {
        ledger.is_billed(scene, &ran);
    }
}

fn is_full(from: u32) {
    let scene = scene();
    let mut command = scene.start(&["--concurrency", "1"]);
    preload::disk(&scene, &mut command);
    command.env("DISK_FULL_FROM", from.to_string());
    command.env("DISK_FULL_TO", "1000000");
    let ran = scene.ran(&mut command);
    let before = Ledger::read(&scene.state());
    // Nobody is asked before it is written down that they will be.
    before.covers(&scene);
    match ran.status.code() {
        // `full`, or `failed` where the system says so of a file beside the database.
        // And the audit says that nothing is done that it cannot have.
        Some(1 | 8) => {
            let told = ["storage.f", "audit.unavailable"];
            let told = told.iter().any(|word| ran.said.contains(word));
            assert!(told, "from {from}: {}", ran.said);
        }
        Some(0) => assert_eq!(before.ends.len(), 2, "from {from}"),
        _ => panic!("from {from}: {}", ran.said),
    }
    ends_well(&scene);
}

fn the_power_goes(at: &str) {
    let scene = scene();
    let mut command = scene.start(&["--concurrency", "1"]);
    let kept = preload::disk(&scene, &mut command);
    assert!(scene.ran(command.env(CRASH_AT, at)).was_killed());
    for file in FILES {
        drop(std::fs::remove_file(scene.state().join(file)));
        drop(std::fs::copy(kept.join(file), scene.state().join(file)));
    }
    for shared in ["journal.db-shm", "books.db-shm"] {
        drop(std::fs::remove_file(scene.state().join(shared)));
    }
    let left = Ledger::read(&scene.state());
    // What was asked was on the disk before.
    left.covers(&scene);
    assert_eq!(left.runs.len(), 2);
    ends_well(&scene);
}

fn the_clock_jumps() {
    for moves in [
        [-YEARS, YEARS, 0],
        [YEARS, -YEARS, 3_600],
        [0, -3_600, -YEARS],
    ] {
        let scene = scene();
        let mut start = scene.start(&["--concurrency", "1"]);
        preload::clock(&mut start, moves[0]);
        assert!(
            scene
                .ran(start.env(CRASH_AT, "after-response:3"))
                .was_killed()
        );
        let mut resume = scene.resume(&[]);
        preload::clock(&mut resume, moves[1]);
        scene.ran(&mut resume).expect(8);
        let mut decide = scene.resume(&["--in-doubt", "repeat"]);
        preload::clock(&mut decide, moves[2]);
        scene.ran(&mut decide).expect(0);
        ends_well(&scene);
    }
}

/// A scene that died, and the journal's files as it left them.
fn dead() -> (Scene, Vec<(&'static str, Vec<u8>)>) {
    let scene = scene();
    let mut start = scene.start(&["--concurrency", "1"]);
    assert!(
        scene
            .ran(start.env(CRASH_AT, "after-response:6"))
            .was_killed()
    );
    let files = keep(&scene.state());
    (scene, files)
}

fn keep(state: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let files = FILES.iter();
    let files = files.filter_map(|name| Some((*name, std::fs::read(state.join(name)).ok()?)));
    files.collect()
}

/// Puts files where they were, one of them changed.
fn put(state: &Path, files: &[(&str, Vec<u8>)], change: impl Fn(&str, &mut Vec<u8>)) {
    drop(std::fs::remove_file(state.join("journal.db-shm")));
    for name in FILES {
        drop(std::fs::remove_file(state.join(name)));
    }
    for (name, bytes) in files {
        let mut bytes = bytes.clone();
        change(name, &mut bytes);
        std::fs::write(state.join(name), bytes).unwrap();
    }
}

fn the_tail_is_torn_off() {
    let (scene, files) = dead();
    let whole = files.iter().find(|(name, _)| *name == "journal.db-wal");
    let length = whole.unwrap().1.len() as u64;
    let mut draws = Draws::new(10);
    let asked = scene.provider.count();
    for _ in 0..16 {
        let cut = draws.below(length) as usize;
        put(&scene.state(), &files, |name, bytes| {
            if name == "journal.db-wal" {
                bytes.truncate(cut);
            }
        });
        let ran = scene.ran(&mut scene.resume(&[])).expect(1);
        assert!(ran.said.contains("storage."), "cut at {cut}: {}", ran.said);
        // Nobody is asked on the strength of half a history.
        assert_eq!(scene.provider.count(), asked, "cut at {cut}");
    }
    put(&scene.state(), &files, |_, _| {});
    ends_well(&scene);
}

fn bits_flip() {
    let (scene, files) = dead();
    let mut draws = Draws::new(11);
    let mut refused = 0;
    for _ in 0..24 {
        let (name, bytes) = &files[draws.below(2) as usize];
        let bit = draws.below(bytes.len() as u64 * 8);
        put(&scene.state(), &files, |file, bytes| {
            if file == *name {
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
        });
        let ran = scene.ran(&mut scene.resume(&[]));
        match ran.status.code() {
            Some(1) => {
                refused += 1;
                assert!(
                    ran.said.contains("storage."),
                    "bit {bit} of {name}: {}",
                    ran.said
                );
            }
            // It lay where nothing is.
            Some(8) => {
                let ledger = Ledger::read(&scene.state());
                ledger.covers(&scene);
                assert_eq!(ledger.runs.len(), 2);
            }
            _ => panic!("bit {bit} of {name}: {}", ran.said),
        }
    }
    assert!(refused > 4, "only {refused} of 24 were noticed");
}

fn a_record_is_changed() {
    let (scene, _) = dead();
    // With its end the host puts everything into the database.
    scene.ran(&mut scene.resume(&[])).expect(8);
    let files = keep(&scene.state());
    let database = &files
        .iter()
        .find(|(name, _)| *name == "journal.db")
        .unwrap()
        .1;
    let text = b"answer to r1 ";
    let places: Vec<usize> = (0..database.len())
        .filter(|at| database[*at..].starts_with(text))
        .collect();
    let asked = scene.provider.count();
    let mut named = 0;
    for at in &places {
        put(&scene.state(), &files, |name, bytes| {
            if name == "journal.db" {
                // Another answer.
                bytes[at + text.len()] ^= 1;
            }
        });
        let ran = scene.ran(&mut scene.resume(&["--in-doubt", "repeat"]));
        let run = "is corrupt at record";
        named += usize::from(ran.status.code() == Some(1) && ran.said.contains(run));
        assert_ne!(ran.status.code(), Some(0), "at {at}: {}", ran.said);
        assert_eq!(scene.provider.count(), asked, "at {at}");
    }
    assert!(named > 0, "{places:?}");
}
