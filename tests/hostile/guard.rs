//! Every guard turned off once: some case that names it must fail.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hotcell_store::guard::{Guard, SWITCH};
use libtest_mimic::{Failed, Trial};

use crate::case::Case;

/// A case without its guard may run for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says to a child that one run of each attack is enough.
pub(crate) const ONCE: &str = "HOTCELL_HOSTILE_ONCE";

/// One proof for each guard.
pub(crate) fn proofs(cases: &[Case]) -> Vec<Trial> {
    for case in cases {
        for word in &case.guards {
            let known = Guard::ALL.iter().any(|guard| guard.name() == word);
            assert!(known, "{}: no guard is called `{word}`", case.id);
        }
    }
    let proof = |guard: &Guard| {
        let word = guard.name();
        let names = |case: &&Case| case.guards.iter().any(|it| it == word);
        let ids: Vec<String> = cases.iter().filter(names).map(|it| it.id.clone()).collect();
        Trial::test(format!("guard {word}: off, it turns red"), move || {
            prove(word, &ids)
        })
    };
    Guard::ALL.iter().map(proof).collect()
}

fn prove(word: &str, ids: &[String]) -> Result<(), Failed> {
    if ids.is_empty() {
        return Err("no case proves it".into());
    }
    let survived: Vec<&String> = ids.iter().filter(|id| !red(word, id)).collect();
    if survived.is_empty() {
        return Ok(());
    }
    Err(format!("without it these cases pass all the same: {survived:?}").into())
}

/// Whether a case fails, or does not end, with the guard off.
fn red(word: &str, id: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(id)
        .env(SWITCH, word)
        .env(ONCE, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return !status.success();
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
