//! A tool was called and nobody knows what came of it: what its declaration says
//! is done.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::ledger::Ledger;
use crate::scene::{CRASH_AT, Scene};
use crate::trial;

/// A function of the desk, what somebody decides, and how often it is called.
const TABLE: [(&str, Option<&str>, usize); 4] = [
    ("look", None, 2),
    ("put", None, 2),
    ("send", Some("repeat"), 2),
    ("send", Some("fail"), 1),
];

pub(crate) fn trials() -> Vec<Trial> {
    let one = |(function, decision, calls): (&'static str, Option<&'static str>, usize)| {
        let name = format!("D03 {function}: {}", decision.unwrap_or("nobody is asked"));
        trial(name, move || dies_after(function, decision, calls))
    };
    let at_once = trial("D03 send: who decides at once is heard".to_owned(), || {
        let scene = Scene::new(1, &["use-send"]);
        let ran = scene.ran(scene.start(&[]).env(CRASH_AT, "after-response"));
        assert!(ran.was_killed(), "{}", ran.said);
        let decide = &mut scene.resume(&["--in-doubt", "repeat"]);
        scene.ran(decide).expect(0);
        assert_eq!(scene.desk().len(), 2);
    });
    TABLE.into_iter().map(one).chain([at_once]).collect()
}

fn dies_after(function: &str, decision: Option<&str>, calls: usize) {
    let step = format!("use-{function}");
    let scene = Scene::new(1, &[&step]);
    let ran = scene.ran(scene.start(&[]).env(CRASH_AT, "after-response"));
    assert!(ran.was_killed(), "{}", ran.said);
    let line = format!("{function} r1 call-1");
    assert_eq!(scene.desk(), [line.as_str()]);
    let ran = scene.ran(&mut scene.resume(&[]));
    let ran = match decision {
        None => ran.expect(0),
        Some(decision) => {
            let ran = ran.expect(8);
            assert!(
                ran.said.contains(&format!("desk.{function}")),
                "{}",
                ran.said
            );
            assert_eq!(Ledger::read(&scene.state()).runs[0].status, "in_doubt");
            assert_eq!(scene.desk(), [line.as_str()]);
            // As long as nobody decides.
            scene.ran(&mut scene.resume(&[])).expect(8);
            assert_eq!(scene.desk(), [line.as_str()]);
            scene
                .ran(&mut scene.resume(&["--in-doubt", decision]))
                .expect(0)
        }
    };
    // Under the same id, by which the tool can tell.
    assert_eq!(scene.desk(), vec![line; calls]);
    let said: &Value = &ran.results["tasks"][0]["output"]["said"][0];
    let said = said.as_str().unwrap();
    match decision {
        Some("fail") => assert!(
            said.starts_with("tool call: failed: the host was stopped"),
            "{said}"
        ),
        _ => assert_eq!(said, format!("\"{function} is done\"")),
    }
    Ledger::read(&scene.state());
}
