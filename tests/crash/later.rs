//! What else is different when a run goes on, and many runs inside of runs.

use libtest_mimic::Trial;

use crate::ledger::Ledger;
use crate::scene::{CRASH_AT, Scene};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "D17 a grant that was taken back",
            a_grant_that_was_taken_back,
        ),
        trial("B09 ten parents and ten places", ten_parents_and_ten_places),
    ]
}

fn a_grant_that_was_taken_back() {
    let scene = Scene::new(1, &["ask-first"]);
    let ran = scene.ran(scene.start(&[]).env(CRASH_AT, "before-ack"));
    assert!(ran.was_killed(), "{}", ran.said);
    scene.grant("");
    let ran = scene.ran(&mut scene.resume(&[])).expect(0);
    let said = &ran.results["tasks"][0]["output"]["said"];
    // What it was given before stays, what is new is refused.
    assert_eq!(said[0], "answer to r1 ask-first 1 0");
    let refused = said[1].as_str().unwrap();
    assert!(refused.contains("denied"), "{refused}");
    assert_eq!(ran.results["refusals"][0]["count"], 1, "{}", ran.results);
    assert_eq!(scene.provider.count(), 1);
    let ledger = Ledger::read(&scene.state());
    ledger.covers(&scene);
    ledger.is_billed(&scene, &ran);
}

fn ten_parents_and_ten_places() {
    let steps = "  - id: outer\n    workflow:\n      pattern: sequential\n      steps:\n        \
                 - { id: ask-in, agent: clerk }\n        \
                 - { id: use-look, agent: clerk }\n";
    let scene = Scene::of(10, steps);
    scene.provider.hold(Some(0));
    let mut parents = scene.spawn(&mut scene.start(&["--concurrency", "10"]));
    // All of them are inside before one may go on.
    let waits = scene
        .provider
        .wait(10, || parents.try_wait().unwrap().is_some());
    assert!(waits, "{}", scene.end(parents).said);
    scene.provider.hold(None);
    let ran = scene.end(parents).expect(0);
    assert_eq!(ran.results["totals"]["success"], 10, "{}", ran.said);
    assert_eq!(scene.desk().len(), 10);
}
