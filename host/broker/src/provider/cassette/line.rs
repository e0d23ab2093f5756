//! The lines of a recording: how they are written, and how they are read when
//! somebody else has had the file.

use std::io::{BufRead, Read};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Calls, CassetteError, Kept, LONGEST, MOST, Place};
use crate::llm::{Completion, LlmError, Origin, Part, Role};
use crate::{Denial, text};

/// What the first line says of the file.
const FORMAT: &str = "hotcell.cassette/1";

/// The longest name of a model that is kept, in bytes.
const MODEL: usize = 200;

/// The longest reason that an error repeats, in bytes.
const TOLD: usize = 256;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    origin: Origin,
}

/// Each other line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    task: String,
    step: String,
    attempt: u32,
    sequence: u32,
    request: String,
    outcome: Outcome,
    took_micros: u64,
    simulated_time: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Answer(Completion),
    Error(LlmError),
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct Tape {
    /// Where the answers come from; none in a file with nothing in it.
    pub(super) origin: Option<Origin>,
    pub(super) calls: Calls,
    /// So many bytes are whole lines.
    pub(super) whole: u64,
    /// Whether a line was begun after them.
    pub(super) interrupted: bool,
}

/// The first line of a file with answers from there.
pub(super) fn header(origin: Origin) -> Result<String, serde_json::Error> {
    written(&Header {
        format: FORMAT.to_owned(),
        origin,
    })
}

/// The line of a call.
pub(super) fn line(
    place: &Place,
    request: &str,
    kept: &Kept,
    simulated_time: bool,
) -> Result<String, serde_json::Error> {
    written(&Line {
        task: place.task.clone(),
        step: place.step.clone(),
        attempt: place.attempt,
        sequence: place.sequence,
        request: request.to_owned(),
        outcome: match &kept.outcome {
            Ok(answer) => Outcome::Answer(answer.clone()),
            Err(error) => Outcome::Error(error.clone()),
        },
        took_micros: crate::meter::whole_micros(kept.took),
        simulated_time,
    })
}

fn written<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|json| text::json(&json) + "\n")
}

/// Reads a recording to its end.
pub(super) fn read(from: impl BufRead) -> Result<Tape, CassetteError> {
    read_within(from, LONGEST, MOST)
}

fn read_within(from: impl BufRead, longest: usize, most: u64) -> Result<Tape, CassetteError> {
    let mut tape = Tape {
        origin: None,
        calls: Calls::default(),
        whole: 0,
        interrupted: false,
    };
    // One byte more tells a file that is too long from one that is not.
    let mut from = from.take(most.saturating_add(1));
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let with_end = longest as u64 + 1;
        let length = from.by_ref().take(with_end).read_until(b'\n', &mut bytes)?;
        if length == 0 {
            break;
        }
        let wrong = |why: String| CassetteError::Line { line: number, why };
        if bytes.pop_if(|byte| *byte == b'\n').is_none() {
            if length > longest {
                return Err(wrong("it is longer than 64 MiB".to_owned()));
            }
            if number == 1 && !begins_header(&bytes) {
                return Err(wrong("this is no recording".to_owned()));
            }
            tape.interrupted = true;
            break;
        }
        match tape.origin {
            None => tape.origin = Some(origin(&bytes).map_err(wrong)?),
            Some(_) => {
                let (place, request, kept) = call(&bytes).map_err(wrong)?;
                if !tape.calls.keep(place, request, kept) {
                    return Err(wrong("this call is there twice".to_owned()));
                }
            }
        }
        tape.whole = tape.whole.saturating_add(length as u64);
    }
    match from.limit() {
        0 => Err(CassetteError::TooLong),
        _ => Ok(tape),
    }
}

/// Whether this is what a crash can have left of a first line. Anything else is
/// somebody's file, which must not be taken for one of ours and overwritten.
fn begins_header(bytes: &[u8]) -> bool {
    [
        Origin::Live,
        Origin::Simulated,
        Origin::Scripted,
        Origin::Plugin,
        Origin::Recorded,
    ]
    .into_iter()
    .any(|origin| header(origin).is_ok_and(|header| header.as_bytes().starts_with(bytes)))
}

fn origin(bytes: &[u8]) -> Result<Origin, String> {
    let header: Header =
        serde_json::from_slice(bytes).map_err(|_| "this is no recording".to_owned())?;
    match header.format.as_str() {
        FORMAT => Ok(header.origin),
        other => Err(format!(
            "its format is `{}`; this host reads `{FORMAT}`",
            text::line(other, TOLD)
        )),
    }
}

fn call(bytes: &[u8]) -> Result<(Place, String, Kept), String> {
    let line: Line = serde_json::from_slice(bytes).map_err(|error| {
        // The parser sees one line and calls it the first.
        let error = error.to_string();
        text::line(&error.replace(" at line 1 column ", " at column "), TOLD)
    })?;
    let place = Place {
        task: line.task,
        step: line.step,
        attempt: line.attempt,
        sequence: line.sequence,
    };
    let kept = Kept {
        outcome: match line.outcome {
            Outcome::Answer(answer) => Ok(gated(answer)?),
            Outcome::Error(error) => Err(gated_error(error)?),
        },
        took: Duration::from_micros(line.took_micros),
    };
    Ok((place, line.request, kept))
}

/// An answer as a provider may give it.
fn gated(mut answer: Completion) -> Result<Completion, String> {
    if answer.message.role != Role::Assistant {
        return Err("an answer that is not the model's".to_owned());
    }
    let mut parts = answer.message.content.iter();
    if parts.any(|part| matches!(part, Part::CallResult(..))) {
        return Err("an answer that holds the result of a tool".to_owned());
    }
    answer.model = text::line(&answer.model, MODEL);
    Ok(answer)
}

fn gated_error(error: LlmError) -> Result<LlmError, String> {
    let line = |said: String| text::line(&said, text::LINE);
    Ok(match error {
        LlmError::Unavailable(said) => LlmError::Unavailable(line(said)),
        LlmError::Invalid(said) => LlmError::Invalid(line(said)),
        LlmError::Denied(Denial::NotGranted(what)) => {
            LlmError::Denied(Denial::NotGranted(line(what)))
        }
        error if !keeps(&error) => {
            return Err(format!("a call is never recorded as `{}`", error.code()));
        }
        other => other,
    })
}

/// Whether an error is something that the model's side did. What the host's own
/// limits and the operator did is not: it is over when they say so.
pub(super) fn keeps(error: &LlmError) -> bool {
    !matches!(error, LlmError::BudgetExhausted | LlmError::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tasks: &[&str]) -> String {
        let mut file = header(Origin::Live).unwrap();
        for task in tasks {
            let place = Place {
                task: (*task).to_owned(),
                step: "s".to_owned(),
                attempt: 1,
                sequence: 0,
            };
            let kept = Kept {
                outcome: Err(LlmError::Timeout),
                took: Duration::from_micros(5),
            };
            file += &line(&place, "digest", &kept, false).unwrap();
        }
        file
    }

    #[test]
    fn lines_are_what_they_were_on_the_first_day() {
        let expected = r#"{"format":"hotcell.cassette/1","origin":"live"}
{"task":"a\u202e","step":"s","attempt":1,"sequence":0,"request":"digest","outcome":{"error":"timeout"},"took_micros":5,"simulated_time":false}
"#;
        assert_eq!(file(&["a\u{202e}"]), expected);
        let tape = read(expected.as_bytes()).unwrap();
        assert_eq!((tape.origin, tape.calls.count), (Some(Origin::Live), 1));
    }

    #[test]
    fn a_line_and_a_file_may_be_so_long_and_no_longer() {
        let text = file(&["a", "b"]);
        let longest = text.lines().map(str::len).max().unwrap();
        let length = text.len() as u64;
        let read = |longest, most| {
            let tape = read_within(text.as_bytes(), longest, most);
            tape.map(|tape| tape.calls.count)
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(longest, length), Ok(2));
        let long = "line 2: it is longer than 64 MiB".to_owned();
        assert_eq!(read(longest - 1, length), Err(long));
        for most in [length - 1, length / 2, 3, 0] {
            let long = "it is longer than 1 GiB".to_owned();
            assert_eq!(read(longest, most), Err(long), "{most}");
        }
    }
}
