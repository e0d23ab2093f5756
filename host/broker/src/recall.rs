//! Effects and the journal: what an attempt does outside is written down before
//! and after, and what is written down is not done again.
//!
//! A guest has no other way out than its imports, so two lists make an attempt
//! repeatable: its *calls* (of models and tools, refused ones included) and its
//! *reads* (values that differ from run to run, such as clocks). Both are
//! numbered in the order the guest asks. An intent is durable before anybody is
//! asked, a result before the guest sees it; what needs no durability is noted and
//! goes with the next record that does.
//!
//! When the attempt is executed again, what the journal knows is answered from it:
//! nobody is asked and no policy is consulted, because what has happened is not
//! undone by taking back a grant. A question that differs from the recorded one
//! ends the attempt, and so does an effect of which nobody knows whether it
//! happened and that must not be repeated unasked: never silently repeated, which
//! is less than exactly once and can be kept.

mod known;
mod question;
mod record;
mod reply;
mod slip;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use store::journal::{Entry, JournalError, RunLog};

pub use known::{Doubt, Known, doubts};
pub use record::{
    Answer, BadRecord, INTENT, OPAQUE, READ, REFUSED, RESOLVED, RESULT, Resolution, key,
};

pub(crate) use question::{Question, digest};
pub(crate) use record::{Departure, Spent, Unrecorded};
pub(crate) use reply::Reply;
pub(crate) use slip::{Departed, Halted, Slip};

use crate::{Caller, Capability, store, text};
use question::Print;
use record::{Opaque, Read, TOLD, Version};

/// So many reads and refusals of one attempt are recorded: 4,096. With more it
/// is opaque.
pub const READS: usize = 4_096;

/// And so many bytes of them: 1 MiB.
pub const READ_BYTES: usize = 1024 * 1024;

/// Milliseconds since 1970-01-01 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Why an attempt cannot go on. Nothing is the guest's fault here. Texts have been
/// through the text gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Nobody knows whether a call was made that must not be repeated unasked.
    #[error(
        "step `{step}`, attempt {attempt}: nobody knows whether call {call} of {} `{resource}` \
         was made, and it must not be repeated unasked",
        capability.name()
    )]
    Doubt {
        /// The step's path.
        step: String,
        /// The try of the step.
        attempt: u32,
        /// The number of the call.
        call: u32,
        /// Of which capability.
        capability: Capability,
        /// The alias or the tool's name.
        resource: String,
    },
    /// A human was asked and has not answered.
    #[error(
        "step `{step}`, attempt {attempt}: a human must allow `{action}`; \
         `hotcell approvals show {id}` shows what exactly is asked"
    )]
    Waiting {
        /// The step's path.
        step: String,
        /// The try of the step.
        attempt: u32,
        /// What the question is named by.
        id: String,
        /// What is to be allowed.
        action: String,
    },
    /// The attempt does something else than what the journal has.
    #[error(
        "step `{step}`, attempt {attempt}: call {call} is not what is recorded; \
         expected `{expected}`, found `{found}`"
    )]
    Diverged {
        /// The step's path.
        step: String,
        /// The try of the step.
        attempt: u32,
        /// The number of the call, or of the next one if it is a read.
        call: u32,
        /// What the journal has.
        expected: String,
        /// What the guest did.
        found: String,
    },
    /// The journal takes nothing more.
    #[error("{message}")]
    Storage {
        /// The journal's word for it.
        code: &'static str,
        /// And its sentence.
        message: String,
    },
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Halt {
        Halt::Storage {
            code: error.code(),
            message: text::line(&error.to_string(), text::LINE),
        }
    }
}

impl Halt {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Halt::Doubt { .. } => "halted.in-doubt",
            Halt::Waiting { .. } => "halted.waiting",
            Halt::Diverged { .. } => "halted.diverged",
            Halt::Storage { code, .. } => code,
        }
    }
}

/// A value that differs from run to run.
#[derive(Clone, Debug, PartialEq)]
pub enum Recalled<T> {
    /// Nothing is known of it: find it out and [`AttemptLog::note`] it.
    New,
    /// It is the one that the guest was given before.
    Known(T),
    /// The attempt cannot go on.
    Halted,
}

/// The journal's side of one attempt of one run. Cheap to clone.
#[derive(Clone, Default)]
pub struct AttemptLog(Option<Arc<Inner>>);

struct Inner {
    /// Where to write; none when nothing is.
    to: Option<(RunLog, Clock)>,
    /// What is known of the agents that the attempt asks.
    below: Arc<Below>,
    state: Mutex<State>,
}

/// What is known of attempts, by step and attempt.
pub type Below = BTreeMap<(String, u32), Known>;

#[derive(Default)]
struct State {
    known: Known,
    /// So many calls were begun.
    calls: u32,
    /// So many reads were given, recorded ones and new ones.
    reads: u32,
    /// Reads and refusals, for the bound.
    noted: usize,
    noted_bytes: usize,
    /// The last model call with an intent, for the next one's delta.
    before: Option<(u32, Print)>,
    halt: Option<Halt>,
}

impl AttemptLog {
    /// Nothing is written, nothing is known.
    pub fn off() -> AttemptLog {
        AttemptLog(None)
    }

    /// What is known is answered, the rest is done and written down.
    pub fn live(run: RunLog, clock: Clock, known: Known) -> AttemptLog {
        AttemptLog::new(Some((run, clock)), known, Arc::default())
    }

    /// The same with what is known of the agents that the attempt asked.
    pub fn live_over(run: RunLog, clock: Clock, known: Known, below: Below) -> AttemptLog {
        AttemptLog::new(Some((run, clock)), known, Arc::new(below))
    }

    /// The log of an agent that this attempt asks, which works under this path.
    pub fn below(&self, step: &str, attempt: u32) -> AttemptLog {
        let Some(log) = &self.0 else {
            return AttemptLog::off();
        };
        let known = log.below.get(&(step.to_owned(), attempt));
        let known = known.cloned().unwrap_or_default();
        AttemptLog::new(log.to.clone(), known, Arc::clone(&log.below))
    }

    /// The attempt cannot go on, because an agent that it asked cannot.
    pub fn halt(&self, halt: Halt) {
        if let Some(log) = &self.0 {
            log.lock().halt(halt);
        }
    }

    /// What is known is answered; nothing is done and nothing written, and what
    /// is not known is a divergence.
    pub fn strict(known: Known) -> AttemptLog {
        AttemptLog::new(None, known, Arc::default())
    }

    fn new(to: Option<(RunLog, Clock)>, known: Known, below: Arc<Below>) -> AttemptLog {
        let state = State {
            known,
            ..State::default()
        };
        AttemptLog(Some(Arc::new(Inner {
            to,
            below,
            state: Mutex::new(state),
        })))
    }

    /// The attempt ends, because what it does cannot be written down beside the
    /// journal. Whether there is a journal from which it can go on.
    pub(crate) fn unwritten(&self, why: &str) -> bool {
        let Some(log) = self.0.as_ref().filter(|log| log.to.is_some()) else {
            return false;
        };
        log.lock().halt(Halt::Storage {
            code: "audit.unavailable",
            message: text::line(why, text::LINE),
        });
        true
    }

    /// Why the attempt must end. Whoever runs it looks here after each call.
    pub fn halted(&self) -> Option<Halt> {
        self.0.as_ref()?.lock().halt.clone()
    }

    /// Whether the attempt used something that is not recorded: files, HTTP, or
    /// more reads than the bound. Executed again it may do something else; what
    /// its calls did is known all the same.
    pub fn opaque(&self) -> bool {
        self.0.as_ref().is_some_and(|log| log.lock().known.opaque)
    }

    /// A value that the guest asks for, if it was given one before. `what` it is
    /// has been through the text gate.
    pub fn recall<T: DeserializeOwned>(&self, caller: &Caller, what: &str) -> Recalled<T> {
        let Some(log) = &self.0 else {
            return Recalled::New;
        };
        let mut state = log.lock();
        if state.halt.is_some() {
            return Recalled::Halted;
        }
        let at = usize::try_from(state.reads).unwrap_or(usize::MAX);
        let expected = match state.known.reads.get_mut(at) {
            None if log.to.is_some() => return Recalled::New,
            None => "nothing more".to_owned(),
            Some((recorded, _)) if recorded != what => {
                text::line(&format!("read {recorded}"), TOLD)
            }
            Some((_, value)) => {
                let value = value.take();
                let bytes = size(what, &value);
                match serde_json::from_value(value) {
                    Ok(value) => {
                        state.reads = state.reads.saturating_add(1);
                        state.count(bytes);
                        return Recalled::Known(value);
                    }
                    Err(error) => {
                        text::line(&format!("read {what}, of another type: {error}"), TOLD)
                    }
                }
            }
        };
        state.diverge(caller, None, &expected, &format!("read {what}"));
        Recalled::Halted
    }

    /// Writes down a value that the guest is given.
    pub fn note<T: Serialize>(&self, caller: &Caller, what: &str, value: &T) {
        let Some(log) = &self.0 else { return };
        // Values of imports are plain data; none fails to be JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        let mut state = log.lock();
        let read = state.reads;
        if state.has_room(size(what, &value)) {
            state.reads = read.saturating_add(1);
            let body = Read {
                v: Version,
                step: caller.step.clone(),
                attempt: caller.attempt,
                read,
                what: what.to_owned(),
                value,
            };
            log.write(READ, &body);
        } else {
            log.unrecorded(&mut state, caller, Unrecorded::Reads);
        }
    }

    /// The guest has answered. What is known of calls that it did not make is a
    /// divergence.
    pub fn answered(&self, caller: &Caller) {
        let Some(log) = &self.0 else { return };
        let mut state = log.lock();
        let next = state.calls;
        let left = state.known.calls.range(next..).next();
        if let Some(expected) = left.map(|(_, call)| call.told()) {
            state.diverge(caller, Some(next), &expected, "its answer");
        }
    }

    /// Whether the guest may use something that is not recorded: not when
    /// nothing may be done.
    pub(crate) fn leaves(
        &self,
        caller: &Caller,
        why: Unrecorded,
        what: fmt::Arguments<'_>,
    ) -> bool {
        let Some(log) = &self.0 else { return true };
        let mut state = log.lock();
        if state.halt.is_some() {
            return false;
        }
        if log.to.is_none() {
            let what = text::line(&what.to_string(), TOLD);
            state.diverge(caller, None, "nothing that is not recorded", &what);
            return false;
        }
        log.unrecorded(&mut state, caller, why);
        true
    }

    /// The number of the next call. Calls that are made at once are numbered in
    /// the order in which they were asked for.
    pub(crate) fn number(&self) -> u32 {
        let Some(log) = &self.0 else { return 0 };
        let mut state = log.lock();
        let number = state.calls;
        state.calls = number.saturating_add(1);
        number
    }

    /// Whether anything is written or known.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What is needed to answer a call from the journal, or to write it there.
    pub(crate) fn slip<'a>(
        &'a self,
        caller: &'a Caller,
        call: u32,
        question: Question<'a>,
    ) -> Slip<'a> {
        let log = self.0.as_deref();
        Slip::new(log.map(|log| (log, caller, call, question)))
    }
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.as_ref().map(|log| log.to.is_some()) {
            None => "off",
            Some(true) => "live",
            Some(false) => "strict",
        })
    }
}

impl Inner {
    /// A poisoned lock only means that another thread panicked between two
    /// fields of which each is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry<T: Serialize>(&self, kind: &'static str, body: &T) -> Option<(&RunLog, Entry)> {
        let (run, clock) = self.to.as_ref()?;
        Some((run, Entry::new(kind, clock(), body)))
    }

    /// Writes something that goes with the next record that is waited for.
    fn write<T: Serialize>(&self, kind: &'static str, body: &T) {
        if let Some((run, entry)) = self.entry(kind, body) {
            run.note(entry);
        }
    }

    /// Writes something and waits until it is durable.
    async fn append<T: Serialize>(&self, kind: &'static str, body: &T) -> Result<(), JournalError> {
        if let Some((run, entry)) = self.entry(kind, body) {
            run.append(vec![entry]).await?;
        }
        Ok(())
    }

    fn unrecorded(&self, state: &mut State, caller: &Caller, why: Unrecorded) {
        let reads = why == Unrecorded::Reads;
        if state.known.opaque && (state.known.full || !reads) {
            return;
        }
        state.known.opaque = true;
        state.known.full |= reads;
        let body = Opaque {
            v: Version,
            step: caller.step.clone(),
            attempt: caller.attempt,
            why,
        };
        self.write(OPAQUE, &body);
    }
}

impl State {
    fn count(&mut self, bytes: usize) {
        self.noted = self.noted.saturating_add(1);
        self.noted_bytes = self.noted_bytes.saturating_add(bytes);
    }

    /// Counts a read or a refusal, if it may still be recorded. After the first
    /// one that may not none is, however small: a list with gaps would be taken
    /// for the whole.
    fn has_room(&mut self, bytes: usize) -> bool {
        let room = !self.known.full
            && self.noted < READS
            && self.noted_bytes.saturating_add(bytes) <= READ_BYTES;
        if room {
            self.count(bytes);
        }
        room
    }

    /// The first reason stays.
    fn halt(&mut self, halt: Halt) {
        self.halt.get_or_insert(halt);
    }

    /// Both texts have been through the text gate; twice would spoil its marks.
    fn diverge(&mut self, caller: &Caller, call: Option<u32>, expected: &str, found: &str) {
        self.halt(Halt::Diverged {
            step: text::line(&caller.step, TOLD),
            attempt: caller.attempt,
            call: call.unwrap_or(self.calls),
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }
}

/// What a read counts for.
fn size(what: &str, value: &serde_json::Value) -> usize {
    what.len().saturating_add(value.to_string().len())
}
