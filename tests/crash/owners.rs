//! Two hosts on one state: one is refused, or the other is fenced.

use libtest_mimic::Trial;

use crate::ledger::Ledger;
use crate::scene::{STEPS, Scene};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "D04 a stopped owner writes nothing more",
            a_stopped_owner_writes_nothing_more,
        ),
        trial("D05 a second start is refused", a_second_start_is_refused),
    ]
}

fn a_stopped_owner_writes_nothing_more() {
    let scene = Scene::new(3, STEPS);
    scene.provider.hold(Some(2));
    let mut owner = scene.spawn(&mut scene.start(&["--concurrency", "2"]));
    // Two wait for their answers, one has not begun.
    let waits = scene
        .provider
        .wait(4, || owner.try_wait().unwrap().is_some());
    assert!(waits, "{}", scene.end(owner).said);
    Scene::signal(&owner, "STOP");
    scene.provider.hold(None);
    let refused = scene.ran(&mut scene.resume(&[])).expect(1);
    assert!(
        refused.said.contains("is held by hotcell"),
        "{}",
        refused.said
    );
    scene.ran(&mut scene.resume(&["--take-over"])).expect(8);
    let take_over = ["--take-over", "--in-doubt", "repeat"];
    let done = scene.ran(&mut scene.resume(&take_over)).expect(0);
    let before = Ledger::read(&scene.state());
    before.covers(&scene);
    before.is_billed(&scene, &done);
    assert_eq!(before.ends.len(), 3);
    let records = |ledger: &Ledger| -> u64 { ledger.runs.iter().map(|row| row.records).sum() };
    let asked = scene.provider.count();

    Scene::signal(&owner, "CONT");
    let zombie = scene.end(owner);
    assert!(
        [1, 8].contains(&zombie.status.code().unwrap()),
        "{}",
        zombie.said
    );
    assert!(
        zombie.said.contains("taken over by another owner"),
        "{}",
        zombie.said
    );
    let after = Ledger::read(&scene.state());
    assert_eq!(records(&after), records(&before));
    assert_eq!(after.ends, before.ends);
    // It asks nobody either.
    assert_eq!(scene.provider.count(), asked);
}

fn a_second_start_is_refused() {
    let scene = Scene::new(2, STEPS);
    scene.provider.hold(Some(0));
    let mut owner = scene.spawn(&mut scene.start(&[]));
    let waits = scene
        .provider
        .wait(2, || owner.try_wait().unwrap().is_some());
    assert!(waits, "{}", scene.end(owner).said);
    for mut second in [scene.start(&[]), scene.resume(&[])] {
        let refused = scene.ran(&mut second).expect(1);
        assert!(
            refused.said.contains("is held by hotcell"),
            "{}",
            refused.said
        );
    }
    assert_eq!(scene.provider.count(), 2);
    scene.provider.hold(None);
    let done = scene.end(owner).expect(0);
    let ledger = Ledger::read(&scene.state());
    ledger.covers(&scene);
    ledger.is_billed(&scene, &done);
}
