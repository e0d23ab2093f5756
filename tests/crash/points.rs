//! The process dies at each point of an effect and of a commit, and goes on.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hotcell_store::crash::Point;
use libtest_mimic::Trial;

use crate::ledger::Ledger;
use crate::scene::{CRASH_AT, Ran, STEPS, Scene};
use crate::trial;

const RECORDS: usize = 2;

/// What becomes of calls in doubt.
const DECISIONS: [&str; 2] = ["repeat", "fail"];

/// What is left of a run to which nothing happened.
pub(crate) fn undisturbed<T>(look: impl FnOnce(&Path) -> T) -> T {
    static SCENE: OnceLock<(Scene, PathBuf)> = OnceLock::new();
    let (_, state) = SCENE.get_or_init(|| {
        let scene = Scene::new(RECORDS, STEPS);
        let ran = scene.ran(&mut scene.start(&[])).expect(0);
        let ledger = Ledger::read(&scene.state());
        assert_eq!(ledger.calls.len(), 4 * RECORDS);
        assert_eq!(scene.provider.count(), 4 * RECORDS);
        ledger.covers(&scene);
        ledger.is_billed(&scene, &ran);
        let state = scene.state();
        (scene, state)
    });
    look(state)
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for point in Point::ALL {
        // The first and the last but one of those that a run passes.
        let passings = [1, 7].into_iter();
        for (passing, decision) in passings.flat_map(|it| DECISIONS.map(|how| (it, how))) {
            let name = format!("D01 {}:{passing}, then {decision}", point.name());
            let at = format!("{}:{passing}", point.name());
            trials.push(trial(name, move || dies(&at, decision)));
        }
    }
    trials
}

fn dies(at: &str, decision: &str) {
    let scene = Scene::new(RECORDS, STEPS);
    let ran = scene.ran(scene.start(&["--concurrency", "1"]).env(CRASH_AT, at));
    assert!(ran.was_killed(), "`{at}` was not passed: {}", ran.said);
    let ran = goes_on(&scene, decision);
    let ledger = Ledger::read(&scene.state());
    ledger.covers(&scene);
    ledger.is_billed(&scene, &ran);
    assert_eq!(ledger.doubts(), [""; 0]);
    let failed = ledger.calls.values().any(|it| it.ended == Some(0));
    match failed {
        // Somebody decided that an agent is told of a failure.
        true => assert_eq!(decision, "fail"),
        false => undisturbed(|state| assert_eq!(ledger.ends, Ledger::read(state).ends)),
    }
    let (point, passing) = at.split_once(':').unwrap();
    // The seventh call is one of two that are made at once: the other may be under
    // way.
    let beside = usize::from(passing != "1");
    let (sent, repeats) = match point {
        "before-intent" => (false, 0..=0),
        "after-intent" | "before-send" => (true, 0..=0),
        // A provider may have got as far as to send it.
        "after-send" => (true, 0..=1 + beside),
        "after-response" | "before-result" => (true, 1..=1 + beside),
        "after-result" | "before-ack" => (false, 0..=beside),
        // The first commits are those of the beginning.
        _ => (false, 0..=2 * beside),
    };
    let repeated = scene.provider.count() - scene.provider.asked().len();
    match decision {
        "repeat" => assert!(repeats.contains(&repeated), "{repeated} repeats"),
        _ => assert_eq!(repeated, 0),
    }
    if decision == "fail" && sent {
        assert!(failed, "nothing was in doubt");
    }
}

/// Brings a scene to its end: first without a decision, then with this one. If
/// nothing had begun it is started again.
pub(crate) fn goes_on(scene: &Scene, decision: &str) -> Ran {
    let before = Ledger::read(&scene.state());
    let asked = scene.provider.asked();
    if before.runs.is_empty() {
        scene.ran(&mut scene.resume(&[])).expect(0);
        return scene.ran(&mut scene.start(&[])).expect(0);
    }
    let mut ran = scene.ran(&mut scene.resume(&[]));
    let now = scene.provider.asked();
    for question in before.doubts() {
        let count = |asked: &std::collections::BTreeMap<String, u64>| {
            asked.get(question).copied().unwrap_or_default()
        };
        assert_eq!(
            count(&now),
            count(&asked),
            "{question} was repeated unasked"
        );
    }
    if !before.doubts().is_empty() {
        let after = Ledger::read(&scene.state());
        let in_doubt = after.runs.iter().filter(|row| row.status == "in_doubt");
        assert!(in_doubt.count() > 0, "{}", ran.said);
        assert_eq!(ran.status.code(), Some(8), "{}", ran.said);
        assert!(ran.said.contains("nobody knows whether"), "{}", ran.said);
        ran = scene.ran(&mut scene.resume(&["--in-doubt", decision]));
    }
    let cut_off = Ledger::read(&scene.state());
    if cut_off.runs.iter().all(|row| row.status == "cancelled") {
        // Cut off while the runs were being begun.
        return scene.ran(&mut scene.start(&[])).expect(0);
    }
    ran.expect(0)
}
