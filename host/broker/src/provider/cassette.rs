//! Recorded calls: what a model answered, kept in a file and played again.
//!
//! The file is JSON lines. The first says what it is, in which version, and where
//! the answers come from ([`Origin`]); each other line is one call:
//!
//! * `task`, `step`, `attempt`, `sequence`: whose call it was;
//! * `request`: a digest of all that was asked, model alias included;
//! * `outcome`: `answer` (with its usage) or `error`;
//! * `took_micros` and `simulated_time`: how long it took, and on which clock.
//!
//! A request is kept as its digest alone and a provider's errors are without its
//! key, so no secret gets into the file. What it says of the tasks is as secret as
//! the answers are.
//!
//! A call is known by its place and its request together. Whoever wants a second
//! answer to the same question at the same place needs a second file.
//!
//! [`Recorder`] writes; [`Replay`] answers from the file without any network. What
//! was recorded from a real model is shown as recorded, what was simulated stays
//! simulated. The file is a stranger's: lines are bounded, and what does not fit
//! is an error with its line, never a guess. Only a last line without its end is
//! let pass, because that is what a crash leaves.

mod line;
mod record;
mod replay;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::llm::{Completion, LlmError, Origin, Request};
use crate::{Caller, recall};

pub use record::Recorder;
pub use replay::{Asked, Miss, Missed, Misses, Replay};

/// The longest line: 64 MiB. The longest answer of a real model fits, however it
/// is escaped.
pub const LONGEST: usize = 64 * 1024 * 1024;

/// The longest file: 1 GiB. It is held in memory.
pub const MOST: u64 = 1024 * 1024 * 1024;

/// A recording that cannot be used. Texts have been through the text gate.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// It is no recording, or not whole.
    #[error("line {line}: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It would be more than is held in memory.
    #[error("it is longer than 1 GiB")]
    TooLong,
    /// Somebody else records into it.
    #[error("another process, or another model, records into it")]
    InUse,
    /// It holds answers from elsewhere.
    #[error("its answers are {}, this model's are {}", word(*.file), word(*.model))]
    Origin {
        /// Where its answers come from.
        file: Origin,
        /// Where they would come from now.
        model: Origin,
    },
    /// It cannot be read or written.
    #[error("it cannot be read or written")]
    Io(#[from] io::Error),
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Live => "a real model's",
        Origin::Simulated => "simulated",
        Origin::Scripted => "prepared",
        Origin::Plugin => "a plugin's",
        Origin::Recorded => "played from a recording",
    }
}

/// Whose call it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    task: String,
    step: String,
    attempt: u32,
    sequence: u32,
}

impl Place {
    fn of(caller: &Caller) -> Place {
        Place {
            task: caller.task.clone(),
            step: caller.step.clone(),
            attempt: caller.attempt,
            sequence: caller.number(),
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    outcome: Result<Completion, LlmError>,
    took: Duration,
}

/// All calls of a recording, by place and then by request.
#[derive(Debug, Default)]
struct Calls {
    by_place: BTreeMap<Place, BTreeMap<String, Kept>>,
    count: usize,
}

impl Calls {
    fn get(&self, place: &Place, request: &str) -> Option<&Kept> {
        self.by_place.get(place)?.get(request)
    }

    /// Keeps a call, unless there is one; the first one stands.
    fn keep(&mut self, place: Place, request: String, kept: Kept) -> bool {
        let here = self.by_place.entry(place).or_default();
        let new = !here.contains_key(&request);
        if new {
            here.insert(request, kept);
            self.count = self.count.saturating_add(1);
        }
        new
    }
}

/// What a call is known by.
fn known_by(caller: &Caller, request: &Request) -> (Place, String) {
    (Place::of(caller), recall::digest(request))
}
