//! What is written: the form that versions to come must read, and what is not
//! taken for a record of ours.

use std::path::Path;
use std::sync::Arc;

use hotcell_broker::llm::Origin;
use hotcell_broker::recall::{
    AttemptLog, INTENT, Known, OPAQUE, READ, READ_BYTES, READS, REFUSED, RESOLVED, RESULT,
    Recalled, Resolution, doubts, key,
};
use hotcell_broker::store::journal::Record;
use hotcell_broker::tool::EffectKind;
use tokio::sync::Notify;

use super::desk::{Desk, World, call, live, make, nobody, ordinary, whole, with};
use super::setup::question;

/// One record of each kind in a line, kind and body, as version 1 writes them.
fn golden() -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/attempt-1.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().zip(1..);
    let record = |(line, seq): (&str, u64)| {
        let (kind, body) = line.split_once(' ').unwrap();
        made(seq, kind, body)
    };
    lines.map(record).collect()
}

fn made(seq: u64, kind: &str, body: &str) -> Record {
    Record {
        seq,
        kind: kind.to_owned(),
        at_unix_ms: 9,
        body: body.to_owned(),
    }
}

#[tokio::test]
async fn version_1_is_written_as_it_always_was_and_read() {
    let golden = golden();
    let mut desk = Desk::new();
    let (run, broker) = (desk.begin(), whole(&ordinary()));
    let caller = live(&run, Known::default());
    caller.log.note(&caller, "wall-clock.now", &(1, 2));
    broker.complete(&caller, question("one")).await.unwrap();
    let mut more = question("one");
    more.messages.extend(question("two").messages);
    more.tools = broker.tools("agent");
    broker.complete(&caller, more).await.unwrap();
    broker.call_tool(&caller, call("pay", "{}")).await.unwrap();
    broker
        .call_tool(&caller, call("nobody", "{}"))
        .await
        .unwrap_err();
    let silent = World {
        silent: Some(Notify::new()),
        ..make(Origin::Live, EffectKind::UnsafeToRepeat)
    };
    let silent = Arc::new(silent);
    let quiet = whole(&silent);
    tokio::select! {
        _ = quiet.call_tool(&caller, call("pay", "{}")) => panic!("an answer"),
        () = silent.silent.as_ref().unwrap().notified() => {}
    }
    caller.log.note(&caller, "large", &"x".repeat(READ_BYTES));
    let open = doubts(&desk.records()).unwrap();
    run.append(vec![open[0].resolve(Resolution::Fail, 9)])
        .await
        .unwrap();
    desk.again();
    let written = desk.records();
    let plain = |records: &[Record]| -> Vec<String> {
        let line = |record: &Record| format!("{} {}", record.kind, record.body);
        records.iter().map(line).collect()
    };
    // Times are real in a test whose journal has a thread of its own.
    let timeless = |lines: Vec<String>| -> Vec<String> {
        let took = |line: String| match line.split_once("\"took_micros\":") {
            Some((before, after)) => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}\"took_micros\":0{after}")
            }
            None => line,
        };
        lines.into_iter().map(took).collect()
    };
    let written = timeless(plain(&written));
    assert_eq!(written, plain(&golden), "{}", written.join("\n"));

    // And read: every kind is there, and the attempt goes on from them.
    for kind in [INTENT, RESULT, REFUSED, RESOLVED, READ, OPAQUE] {
        assert!(golden.iter().any(|record| record.kind == kind), "{kind}");
    }
    let mut all = Known::sort(&golden).unwrap();
    let known = all.remove(&("step".to_owned(), 1)).unwrap();
    assert!(all.is_empty() && known.opaque());
    let again = with(AttemptLog::strict(known));
    let read = again.log.recall::<(u64, u64)>(&again, "wall-clock.now");
    assert_eq!(read, Recalled::Known((1, 2)));
    nobody().complete(&again, question("one")).await.unwrap();
    assert_eq!(again.log.halted(), None);
}

#[test]
fn what_does_not_fit_is_refused_with_its_number() {
    let golden = golden();
    let find = |kind: &str| {
        golden
            .iter()
            .position(|record| record.kind == kind)
            .unwrap()
    };
    type Spoil = Box<dyn Fn(&mut Vec<Record>)>;
    let change = |kind: &str, from: &'static str, to: &'static str| -> Spoil {
        let at = find(kind);
        Box::new(move |records| {
            assert!(records[at].body.contains(from), "{}", records[at].body);
            records[at].body = records[at].body.replace(from, to);
        })
    };
    let twice = |kind: &str| -> Spoil {
        let at = find(kind);
        Box::new(move |records| records.insert(at + 1, records[at].clone()))
    };
    let without = |kind: &str| -> Spoil {
        let at = find(kind);
        Box::new(move |records| drop(records.remove(at)))
    };
    let at = find(RESULT);
    let answered: Spoil = Box::new(move |records| {
        let body = &mut records[at].body;
        let (before, _) = body.split_once(",\"answer\"").unwrap();
        let before = before.replace("\"outcome\":\"ok\"", "\"outcome\":\"timeout\"");
        *body = format!("{before},\"answer\":{{\"tools\":{{\"Err\":\"timeout\"}}}}}}");
    });
    let table: [(&str, Spoil); 17] = [
        (
            "this host reads version 1",
            change(INTENT, "\"v\":1", "\"v\":2"),
        ),
        (
            "this host reads version 1",
            change(READ, "\"v\":1", "\"v\":0"),
        ),
        (
            "unknown field",
            change(INTENT, "\"v\":1", "\"v\":1,\"w\":1"),
        ),
        (
            "unknown field",
            change(REFUSED, "\"v\":1", "\"v\":1,\"w\":1"),
        ),
        ("duplicate field", change(RESULT, "\"spent\"", "\"step\"")),
        ("unknown variant", change(RESOLVED, "\"fail\"", "\"maybe\"")),
        (
            "unknown variant",
            change(INTENT, "unsafe-to-repeat", "\u{202e}"),
        ),
        ("expected", change(READ, "{", "[")),
        ("invalid", change(RESULT, "\"attempt\":1", "\"attempt\":-1")),
        (
            "the word",
            change(RESULT, "\"outcome\":\"ok\"", "\"outcome\":\"timeout\""),
        ),
        ("another capability", answered),
        ("out of its order", change(READ, "\"read\":0", "\"read\":1")),
        ("has one already", twice(INTENT)),
        ("no intent waits", twice(RESULT)),
        ("no intent waits", without(INTENT)),
        ("has ended", twice(REFUSED)),
        ("not in doubt", change(RESOLVED, "\"call\":4", "\"call\":3")),
    ];
    for (why, spoil) in table {
        let mut records = golden.clone();
        spoil(&mut records);
        let error = Known::sort(&records).map(drop).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(why), "{why}: {said}");
        assert!(!said.contains('\u{202e}'), "{said}");
        assert!((1..=golden.len() as u64).contains(&error.seq), "{said}");
    }
    // A base that is not there, or not before it.
    for base in ["\"call\":1", "\"call\":9"] {
        let mut records = golden.clone();
        let at = records
            .iter()
            .position(|r| r.body.contains("\"base\":{\"call\":0"));
        let body = &mut records[at.unwrap()].body;
        *body = body.replace("\"base\":{\"call\":0", &format!("\"base\":{{{base}"));
        let error = Known::sort(&records).map(drop).unwrap_err();
        assert!(error.why.contains("not made before it"), "{error}");
    }
    // Records of others are left alone, whatever is in them.
    assert_eq!(key(&made(1, "run.began", "[")), Ok(None));
    let mut known = Known::default();
    assert_eq!(known.add(&made(1, "run.began", "[")), Ok(false));
    assert!(known.is_empty());
    known.add(&golden[0]).unwrap();
    let other = golden[0].body.replace("\"attempt\":1", "\"attempt\":2");
    let error = known.add(&made(2, &golden[0].kind, &other)).unwrap_err();
    assert_eq!(error.why, "it belongs to another attempt");
}

#[tokio::test]
async fn so_many_reads_are_recorded_and_the_rest_is_said_to_be_missing() {
    let large = "x".repeat(READ_BYTES / 4);
    type Do<'a> = (&'a str, usize, usize);
    // How many reads of how many bytes, and how many of them are recorded.
    let table: [(Do, usize); 4] = [
        (("few", READS, 1), READS),
        (("many", READS + 1, 1), READS),
        (("large", 3, large.len()), 3),
        (("larger", 4, large.len()), 3),
    ];
    for ((what, count, bytes), recorded) in table {
        let desk = Desk::new();
        let run = desk.begin();
        let caller = live(&run, Known::default());
        for _ in 0..count {
            caller.log.note(&caller, "r", &&large[..bytes]);
        }
        // A small one does not slip in behind those that are missing.
        let full = count > recorded;
        if full {
            caller.log.note(&caller, "r", &"");
        }
        assert_eq!(caller.log.opaque(), full, "{what}");
        run.end("done", Vec::new()).await.unwrap();
        let records = desk.records();
        let count = |kind| records.iter().filter(|record| record.kind == kind).count();
        assert_eq!(
            (count(READ), count(OPAQUE)),
            (recorded, usize::from(full)),
            "{what}"
        );
        assert_eq!(desk.known().opaque(), full, "{what}");
    }
}

#[tokio::test]
async fn refusals_without_end_are_not_all_recorded() {
    let desk = Desk::new();
    let (run, broker) = (desk.begin(), whole(&ordinary()));
    let caller = live(&run, Known::default());
    for _ in 0..READS + 10 {
        broker
            .call_tool(&caller, call("nobody", "{}"))
            .await
            .unwrap_err();
    }
    assert!(caller.log.opaque());
    run.end("done", Vec::new()).await.unwrap();
    let records = desk.records();
    let refused = records
        .iter()
        .filter(|record| record.kind == REFUSED)
        .count();
    assert_eq!((refused, records.len()), (READS, READS + 1));
}

#[tokio::test]
async fn nothing_from_a_journal_draws_on_a_terminal() {
    let place = r#""v":1,"step":"step","attempt":1"#;
    let read = format!(r#"{{{place},"read":0,"what":"\u202eclock","value":1}}"#);
    let answer = r#"{"tools":{"Err":"unknown"}}"#;
    let refused =
        format!(r#"{{{place},"call":0,"digest":"x","told":"\u202etools","answer":{answer}}}"#);
    let known = |kind: &str, body: &str| {
        let mut known = Known::default();
        known.add(&made(1, kind, body)).unwrap();
        with(AttemptLog::strict(known))
    };
    let reader = known(READ, &read);
    let read = reader.log.recall::<u64>(&reader, "clock");
    assert_eq!(read, Recalled::Halted);
    let caller = known(REFUSED, &refused);
    let asked = nobody().call_tool(&caller, call("\u{202e}", "{}")).await;
    asked.unwrap_err();
    for caller in [reader, caller] {
        let told = caller.log.halted().unwrap().to_string();
        assert!(told.contains("\\u{202e}"), "{told}");
        assert!(!told.contains('\u{202e}'), "{told}");
    }
}
