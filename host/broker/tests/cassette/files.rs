//! Files that are no recording, or not whole, or somebody else's.

use std::time::Duration;

use hotcell_broker::llm::{LlmError, Origin, Part};
use hotcell_broker::provider::cassette::{CassetteError, Recorder, Replay};

use crate::setup::question;
use crate::{Shelf, TIMEOUT, setup_of, world};

const HEADER: &str = r#"{"format":"hotcell.cassette/1","origin":"live"}"#;

/// A line for the question "first" of the ordinary caller.
async fn good() -> String {
    let shelf = Shelf::new();
    let setup = setup_of(shelf.record(world(Origin::Live)));
    setup.ask(question("first")).await.unwrap();
    let text = shelf.text();
    let (header, line) = text.split_once('\n').unwrap();
    assert_eq!(header, HEADER);
    line.trim_end().to_owned()
}

fn told(text: &str) -> String {
    Replay::read(text.as_bytes()).unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_line_that_does_not_fit_is_told_by_its_number() {
    let good = good().await;
    let table = [
        (
            "\"attempt\":1",
            "\"attempt\":-1",
            "invalid value: integer `-1`, expected u32 at column",
        ),
        (
            "\"attempt\":1",
            "\"attempt\":1,\"more\":2",
            "unknown field `more`, expected one of `task`, `step`, `attempt`, `sequence`, `request`, `outcome`, `took_micros`, `simulated_time` at column",
        ),
        ("\"sequence\":0,", "", "missing field `sequence` at column"),
        (
            "\"answer\":",
            "\"error\":",
            "unknown variant `message`, expected one of",
        ),
        (
            "\"role\":\"assistant\"",
            "\"role\":\"user\"",
            "an answer that is not the model's",
        ),
        (
            "{\"text\":\"answer 0 to first\"}",
            "{\"call-result\":[\"1\",\"{}\"]}",
            "an answer that holds the result of a tool",
        ),
        ("\"task\"", "\"t\u{1b}\"", "control character"),
        ("\"task\"", "\"t\\u001b\"", "unknown field `t\\u{1b}`"),
        (
            "\"took_micros\":",
            "\"took_micros\":1e99,\"x\":",
            "invalid type: floating point",
        ),
        (
            "\"output_tokens\":0",
            "\"output_tokens\":99999999999999999999999",
            "invalid type: floating point",
        ),
    ];
    let here = |wrong: &str, told: String| {
        assert!(
            told.starts_with("line 3: ") && told.contains(wrong),
            "{told}"
        );
        assert!(!told.contains('\u{1b}') && told.len() < 400, "{told}");
    };
    let other = good.replacen("\"task\":\"task\"", "\"task\":\"other\"", 1);
    for (from, to, wrong) in table {
        assert!(good.contains(from), "{from}");
        let text = format!("{HEADER}\n{other}\n{}\n", good.replacen(from, to, 1));
        here(wrong, told(&text));
    }
    for (error, wrong) in [
        ("\"cancelled\"", "a call is never recorded as `cancelled`"),
        (
            "\"budget-exhausted\"",
            "a call is never recorded as `budget-exhausted`",
        ),
        ("\"odd\"", "unknown variant `odd`"),
    ] {
        let (start, end) = good.split_once("\"outcome\":").unwrap();
        let (_, end) = end.split_once(",\"took").unwrap();
        let line = format!("{start}\"outcome\":{{\"error\":{error}}},\"took{end}");
        here(wrong, told(&format!("{HEADER}\n{other}\n{line}\n")));
    }
    for (line, wrong) in [
        ("", "EOF"),
        ("[]", "invalid length 0"),
        (HEADER, "unknown field `format`"),
    ] {
        here(wrong, told(&format!("{HEADER}\n{other}\n{line}\n{good}\n")));
    }
    let twice = told(&format!("{HEADER}\n{good}\n{good}\n"));
    assert_eq!(twice, "line 3: this call is there twice");
}

#[test]
fn what_is_no_recording_is_not_taken_for_one() {
    let table = [
        ("", "line 1: there is no recording in it"),
        ("{\"format\"", "line 1: there is no recording in it"),
        ("\n", "line 1: this is no recording"),
        ("[1,2]", "line 1: this is no recording"),
        ("{\"amount\":5}\n", "line 1: this is no recording"),
        (
            "{\"format\":\"hotcell.cassette/2\",\"origin\":\"live\"}\n",
            "line 1: its format is `hotcell.cassette/2`; this host reads `hotcell.cassette/1`",
        ),
        (
            "{\"format\":\"\\u001b[2J\",\"origin\":\"live\"}\n",
            "line 1: its format is `\\u{1b}[2J`; this host reads `hotcell.cassette/1`",
        ),
        (
            "{\"format\":\"hotcell.cassette/1\",\"origin\":\"live\",\"x\":1}\n",
            "line 1: this is no recording",
        ),
        (
            "{\"format\":\"hotcell.cassette/1\",\"origin\":\"dreamt\"}\n",
            "line 1: this is no recording",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(told(text), expected, "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_elses_file_is_written_over() {
    for text in ["[1,2]", "[1,2]\n", "{\"amount\":5}", "text\nof\nmine", "\n"] {
        let shelf = Shelf::new();
        std::fs::write(shelf.path(), text).unwrap();
        let refused = Recorder::new(world(Origin::Live), shelf.file(), TIMEOUT);
        assert!(matches!(
            refused.err(),
            Some(CassetteError::Line { line: 1, .. })
        ));
        assert_eq!(shelf.text(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_leaves_of_the_last_line_is_let_pass_and_asked_again() {
    let shelf = Shelf::new();
    let setup = setup_of(shelf.record(world(Origin::Live)));
    setup.ask(question("first")).await.unwrap();
    let before = shelf.text().len();
    setup.ask(question("first")).await.unwrap();
    drop(setup);
    let whole = shelf.text();
    for end in 0..whole.len() {
        if !(end <= HEADER.len() || end > before) {
            continue;
        }
        let left = &whole[..end];
        std::fs::write(shelf.path(), left).unwrap();
        if end > before {
            let replay = Replay::read(left.as_bytes()).unwrap();
            assert_eq!((replay.calls(), replay.interrupted()), (1, true));
        }
        let recorder = shelf.record(world(Origin::Live));
        let kept = usize::from(end > before);
        assert_eq!(recorder.kept(), kept, "{end}");
        assert_eq!(recorder.interrupted(), end > 0);
        let setup = setup_of(recorder);
        for _ in 0..2 {
            setup.ask(question("first")).await.unwrap();
        }
        assert_eq!(shelf.replay().calls(), 2);
        assert_eq!(shelf.text().lines().count(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_stays_of_a_last_line_that_is_longer_than_the_next() {
    let shelf = Shelf::new();
    let begun = format!("{HEADER}\n{{\"task\":\"{}", "x".repeat(5_000));
    std::fs::write(shelf.path(), begun).unwrap();
    let setup = setup_of(shelf.record(world(Origin::Live)));
    setup.ask(question("first")).await.unwrap();
    assert_eq!(
        (shelf.replay().calls(), shelf.replay().interrupted()),
        (1, false)
    );
}

#[tokio::test(start_paused = true)]
async fn two_do_not_record_into_one_file_and_two_origins_not_either() {
    let shelf = Shelf::new();
    let first = shelf.record(world(Origin::Live));
    let refused = |origin| {
        let refused = Recorder::new(world(origin), shelf.file(), TIMEOUT);
        refused.err().map(|error| error.to_string())
    };
    let in_use = "another process, or another model, records into it";
    assert_eq!(refused(Origin::Live).as_deref(), Some(in_use));
    drop(first);
    assert_eq!(refused(Origin::Live), None);
    let other = "its answers are a real model's, this model's are simulated";
    assert_eq!(refused(Origin::Simulated).as_deref(), Some(other));
}

#[tokio::test(start_paused = true)]
async fn texts_of_a_file_pass_the_gate_and_answers_stay_as_they_are() {
    let good = good().await;
    let text = good.replacen("\"world-1\"", "\"w\\u001b[2J\"", 1).replacen(
        "answer 0 to first",
        "\\u001b[2J",
        1,
    );
    let setup = setup_of(Replay::read(format!("{HEADER}\n{text}\n").as_bytes()).unwrap());
    let answer = setup.ask(question("first")).await.unwrap().completion;
    assert_eq!(answer.model, "w\\u{1b}[2J");
    // To the guest they are values; its sinks have gates of their own.
    let content = [Part::Text("\u{1b}[2J".to_owned())];
    assert_eq!(answer.message.content, content);

    let (start, end) = good.split_once("\"outcome\":").unwrap();
    let (_, end) = end.split_once(",\"took").unwrap();
    let said = "{\"error\":{\"unavailable\":\"\\u001b[2J\"}}";
    let text = format!("{HEADER}\n{start}\"outcome\":{said},\"took{end}\n");
    let setup = setup_of(Replay::read(text.as_bytes()).unwrap());
    let expected = LlmError::Unavailable("\\u{1b}[2J".to_owned());
    assert_eq!(setup.ask(question("first")).await, Err(expected));
    assert_eq!(
        setup.caller.meter.records().effects[0].took,
        Duration::from_millis(1_500)
    );
}
