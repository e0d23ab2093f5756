//! The process is killed at random moments, again and again, until its runs are
//! done.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::draws::Draws;
use crate::ledger::Ledger;
use crate::scene::{Ran, STEPS, Scene};
use crate::trial;

const RECORDS: usize = 6;

/// So many kills are one trial's.
const KILLS: u64 = 5;

/// Sixty kills, so many times.
pub(crate) fn trials(scale: u32) -> Vec<Trial> {
    let one = |seed: u32| {
        let name = format!("D02 seed {seed}: killed {KILLS} times at random");
        trial(name, move || dies_and_dies(seed))
    };
    (0..scale * 12).map(one).collect()
}

/// How every record must end.
fn undisturbed() -> &'static BTreeMap<String, Value> {
    static ENDS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    ENDS.get_or_init(|| {
        let scene = Scene::new(RECORDS, STEPS);
        scene.ran(&mut scene.start(&[])).expect(0);
        Ledger::read(&scene.state()).ends
    })
}

fn dies_and_dies(seed: u32) {
    let mut draws = Draws::new(seed.into());
    let mut kills = 0;
    while kills < KILLS {
        kills += live(&mut draws, KILLS - kills);
    }
}

/// One scene, from its start to its end. How often it was killed on the way: at
/// most so many times.
fn live(draws: &mut Draws, most: u64) -> u64 {
    let scene = Scene::new(RECORDS, STEPS);
    let mut kills = 0;
    loop {
        let begun = Ledger::read(&scene.state());
        if kills == most || begun.ends.len() == RECORDS {
            break;
        }
        let open = begun.runs.iter().any(|row| !row.ended);
        let mut command = match (open, draws.below(2)) {
            (false, _) => scene.start(&["--concurrency", "4"]),
            (true, 0) => scene.resume(&[]),
            (true, _) => scene.resume(&["--in-doubt", "repeat"]),
        };
        let ran = die(&scene, &mut command, draws);
        kills += u64::from(ran.was_killed());
        let code = ran.status.code();
        assert!(
            code.is_none_or(|code| [0, 8].contains(&code)),
            "{}",
            ran.said
        );
        let now = Ledger::read(&scene.state());
        for (task, end) in &begun.ends {
            assert_eq!(now.ends.get(task), Some(end), "{task}");
        }
        now.covers(&scene);
    }
    let mut ran = scene.finish("repeat");
    if Ledger::read(&scene.state()).ends.is_empty() {
        // Never begun, or cut off while they were being begun.
        ran = scene.ran(&mut scene.start(&[])).expect(0);
    }
    let ledger = Ledger::read(&scene.state());
    assert_eq!(ledger.ends, *undisturbed());
    ledger.covers(&scene);
    if !ran.results.is_null() {
        ledger.is_billed(&scene, &ran);
    }
    kills
}

/// Kills a command a while after its next question but so many, or after its
/// start. It may have come to its end before.
fn die(scene: &Scene, command: &mut Command, draws: &mut Draws) -> Ran {
    let mut child = scene.spawn(command);
    let questions = draws.below(8) as usize;
    let asked = scene.provider.count() + questions;
    let ended = || child.try_wait().unwrap().is_some();
    scene.provider.wait(asked, ended);
    let started = Instant::now();
    let most = match questions {
        0 => 150_000,
        _ => 10_000,
    };
    let delay = Duration::from_micros(draws.below(most));
    scene
        .provider
        .wait(usize::MAX, || started.elapsed() >= delay);
    drop(child.kill());
    scene.end(child)
}
