//! The oracle, shown what it must not let pass.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use hotcell_broker::meter::{CellUse, Level, LogLine, Records};
use libtest_mimic::{Failed, Trial};

use crate::canary::{self, Place, Watch};
use crate::case::Attack;
use crate::neighbour::Neighbour;
use crate::oracle::{Held, Peak};
use crate::yard::{Came, judge};

type Proof = fn() -> Result<(), Failed>;

/// A trial for each thing that it looks at.
pub(crate) fn all() -> Vec<Trial> {
    let proofs: [(&str, Proof); 4] = [
        ("oracle: a call that went wrong is seen", calls),
        ("oracle: a canary that was handed out is seen", handed),
        ("oracle: what is left behind is seen", left),
        ("oracle: a neighbour that waits is seen", neighbour),
    ];
    let trial = |(name, proof): (&str, Proof)| Trial::test(name, proof);
    proofs.into_iter().map(trial).collect()
}

/// The oracle must object, with these words.
fn objects<T>(verdict: Result<T, String>, words: &str) -> Result<(), Failed> {
    match verdict {
        Err(wrong) if wrong.contains(words) => Ok(()),
        Err(wrong) => Err(format!("`{wrong}` is not about `{words}`").into()),
        Ok(_) => Err(format!("`{words}` was let pass").into()),
    }
}

fn attack() -> Attack {
    Attack {
        expect: vec!["trap".to_owned()],
        calls: 1,
        says: Some("unreachable".to_owned()),
        within: Duration::from_secs(5),
        ..Attack::default()
    }
}

/// As it should be.
fn came() -> Came {
    let cell = CellUse {
        plugin: "x01".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        outcome: "trap",
        fuel: 1_000,
        peak_memory: 0,
        wall: Duration::from_millis(1),
        log_dropped: 0,
    };
    let mut records = Records::default();
    records.cells.push(cell);
    Came {
        code: "trap".to_owned(),
        words: "unreachable code".to_owned(),
        answer: String::new(),
        records,
        fuel: 1_000,
        asked: 0,
        left: None,
        took: Duration::from_millis(1),
    }
}

fn calls() -> Result<(), Failed> {
    judge(&attack(), &came(), false)?;
    let canary = || canary::at(Place::ProviderKey);
    let line = LogLine {
        plugin: "x01".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        level: Level::Info,
        text: canary(),
    };
    type Change = Box<dyn FnOnce(&mut Came)>;
    let changes: [(&str, Change); 10] = [
        ("should end as", Box::new(|it| it.code = "ok".to_owned())),
        ("at most", Box::new(|it| it.took = Duration::from_secs(6))),
        ("should be told", Box::new(|it| it.words = "no".to_owned())),
        ("came out", Box::new(move |it| it.words += &canary())),
        ("came out", Box::new(move |it| it.answer = canary())),
        ("came out", Box::new(move |it| it.records.log.push(line))),
        ("0 records", Box::new(|it| it.records.cells.clear())),
        (
            "record says",
            Box::new(|it| it.records.cells[0].outcome = "ok"),
        ),
        ("was charged", Box::new(|it| it.records.cells[0].fuel = 999)),
        ("was asked", Box::new(|it| it.asked = 1)),
    ];
    for (words, change) in changes {
        let mut came = came();
        change(&mut came);
        objects(judge(&attack(), &came, false), words)?;
    }
    objects(judge(&attack(), &came(), true), "should be answered")
}

fn handed() -> Result<(), Failed> {
    let mut watch = Watch::default();
    let canary = canary::at(Place::NeighbourInput);
    for (plugin, found) in [("neighbour", 0), ("x01", 1)] {
        let line = format!("{{\"plugin\":\"{plugin}\",\"value\":\"{canary}\"}}\n");
        watch.write_all(line.as_bytes()).unwrap();
        if watch.take().len() != found {
            return Err(format!("what {plugin} was handed").into());
        }
    }
    watch.look("a request", &canary);
    match watch.take().len() {
        1 => Ok(()),
        _ => Err("a request".into()),
    }
}

/// So many files and threads are left: what earlier cases have left may go away
/// meanwhile, for an idle thread of the runtime ends when it likes.
const MANY: usize = 16;

fn left() -> Result<(), Failed> {
    let sees = |before: Held, words: &str| match Held::now(0).left(before) {
        Some(left) if left.contains(words) => Ok(()),
        other => Err(Failed::from(format!("{words}: {other:?}"))),
    };
    let before = Held::now(0);
    let files: Vec<File> = (0..MANY)
        .map(|_| File::open("/proc/self/status").unwrap())
        .collect();
    sees(before, "descriptors")?;
    drop(files);

    let before = Held::now(0);
    let stopped = Arc::new(Barrier::new(MANY + 1));
    let threads: Vec<_> = (0..MANY)
        .map(|_| {
            let stopped = Arc::clone(&stopped);
            std::thread::spawn(move || stopped.wait())
        })
        .collect();
    sees(before, "threads")?;
    stopped.wait();
    for thread in threads {
        drop(thread.join());
    }

    let before = Held::now(0);
    let peak = Peak::from_now();
    let memory = vec![1_u8; 64 << 20];
    sees(before, "resident bytes")?;
    drop(std::hint::black_box(memory));
    objects(peak.within(32 << 20), "resident memory rose")?;

    let before = Held::now(0);
    match Held::now(1).left(before) {
        Some(left) if left.contains("cells") => {}
        other => return Err(format!("cells: {other:?}").into()),
    }

    let before = Held::now(0);
    drop(std::thread::spawn(|| panic!("on purpose")).join());
    sees(before, "panics")
}

fn neighbour() -> Result<(), Failed> {
    let neighbour = Neighbour::default();
    neighbour.is_well()?;
    neighbour.waits_since(Duration::from_secs(2));
    objects(neighbour.is_well(), "waited")?;
    neighbour.ended("limit.fuel", Duration::ZERO);
    objects(neighbour.is_well(), "limit.fuel")?;
    neighbour.forget();
    neighbour.ended("ok", Duration::from_secs(2));
    objects(neighbour.is_well(), "waited")
}
