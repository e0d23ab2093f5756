//! Answers from a recording.

use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::line::{self, Tape};
use super::{Calls, CassetteError, Place, known_by};
use crate::llm::{Answer, LlmError, LlmProvider, Origin, Request, Took};
use crate::{Broker, Caller, text};

/// A provider that answers from a recording and asks nobody. How long an answer
/// took it says on the virtual clock: nobody waits again.
#[derive(Debug)]
pub struct Replay {
    origin: Origin,
    calls: Calls,
    interrupted: bool,
    misses: Misses,
}

/// The longest name of a task or step that is repeated, in bytes.
const TOLD: usize = 200;

/// A call that is not in the recording. To the guest it is `invalid`: asking again
/// does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// Nobody asked anything there.
    #[error("the recording holds no {0}")]
    NoCall(Asked),
    /// There somebody asked something else.
    #[error("the recording holds another request for {0}")]
    OtherRequest(Asked),
}

/// A call, through the text gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("call {sequence} of task `{task}`, step `{step}`, attempt {attempt}")]
pub struct Asked {
    /// The record that was being worked on.
    pub task: String,
    /// The step's path.
    pub step: String,
    /// The try of the step, from 1.
    pub attempt: u32,
    /// Which call of that attempt, from 0.
    pub sequence: u32,
}

/// A handle on the calls that were not in a recording. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Misses {
    seen: Arc<Mutex<Missed>>,
}

/// How many calls were not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// So many.
    pub count: u64,
    /// The first of them.
    pub first: Option<Miss>,
}

impl Misses {
    /// How many so far.
    pub fn so_far(&self) -> Missed {
        self.lock().clone()
    }

    fn note(&self, miss: &Miss) {
        let mut seen = self.lock();
        seen.count = seen.count.saturating_add(1);
        seen.first.get_or_insert_with(|| miss.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Missed> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay {
    /// Reads a recording.
    pub fn read(from: impl BufRead) -> Result<Replay, CassetteError> {
        let tape = line::read(from)?;
        let Tape {
            origin: Some(origin),
            calls,
            interrupted,
            ..
        } = tape
        else {
            let why = "there is no recording in it".to_owned();
            return Err(CassetteError::Line { line: 1, why });
        };
        Ok(Replay {
            origin: match origin {
                Origin::Live => Origin::Recorded,
                other => other,
            },
            calls,
            interrupted,
            misses: Misses::default(),
        })
    }

    /// How many calls it holds.
    pub fn calls(&self) -> usize {
        self.calls.count
    }

    /// Whether its last line was not whole, as after a crash.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// What was asked and is not in it; the handle stays connected.
    pub fn misses(&self) -> Misses {
        self.misses.clone()
    }

    fn miss(&self, place: &Place) -> Miss {
        let asked = Asked {
            task: text::line(&place.task, TOLD),
            step: text::line(&place.step, TOLD),
            attempt: place.attempt,
            sequence: place.sequence,
        };
        match self.calls.by_place.contains_key(place) {
            true => Miss::OtherRequest(asked),
            false => Miss::NoCall(asked),
        }
    }
}

#[async_trait]
impl LlmProvider for Replay {
    fn origin(&self) -> Origin {
        self.origin
    }

    async fn complete(&self, _: &Broker, caller: &Caller, request: &Request) -> Answer {
        let (place, request) = known_by(caller, request);
        match self.calls.get(&place, &request) {
            Some(kept) => kept.answer(),
            None => {
                let miss = self.miss(&place);
                self.misses.note(&miss);
                let missed = LlmError::Invalid(miss.to_string());
                Answer::new(Err(missed), Took::Virtual(Duration::ZERO))
            }
        }
    }
}
