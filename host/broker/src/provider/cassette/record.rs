//! Calls of any provider, written down as they are made.

use std::fs::{File, TryLockError};
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Calls, CassetteError, Kept, LONGEST, Place, known_by, line};
use crate::llm::{Answer, LlmError, LlmProvider, Origin, Request, Took};
use crate::{Broker, Caller};

/// A provider whose calls are recorded.
///
/// A line is handed to the operating system before the guest has the answer, so
/// it is there when this process ends, however it ends. What is in the file is
/// answered from it and not asked again, errors included: a run that is made
/// again is the same run, and one that was interrupted goes on for nothing. When
/// a line cannot be written, no more calls are made: they would be paid for and
/// lost.
///
/// A call that the route's deadline ends is recorded as the timeout it is. One
/// that the run's cancellation ends is not recorded, nor one that the host's own
/// limits refuse.
pub struct Recorder {
    inner: Arc<dyn LlmProvider>,
    timeout: Duration,
    kept: usize,
    interrupted: bool,
    tape: Mutex<Tape>,
}

struct Tape {
    file: File,
    calls: Calls,
    broken: bool,
}

/// A call that is dropped so shortly before its deadline was ended by it: the
/// deadline's clock was started a little earlier than ours.
const CLOCKS_DIFFER: Duration = Duration::from_millis(50);

impl Recorder {
    /// Records into a file that was opened for reading and writing, after what is
    /// in it. `timeout` is the route's.
    pub fn new(
        inner: Arc<dyn LlmProvider>,
        mut file: File,
        timeout: Duration,
    ) -> Result<Recorder, CassetteError> {
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => CassetteError::InUse,
            TryLockError::Error(error) => CassetteError::Io(error),
        })?;
        let tape = line::read(BufReader::new(&file))?;
        let model = inner.origin();
        match tape.origin {
            Some(origin) if origin != model => {
                let file = origin;
                return Err(CassetteError::Origin { file, model });
            }
            _ => {}
        }
        file.set_len(tape.whole)?;
        file.seek(SeekFrom::Start(tape.whole))?;
        if tape.origin.is_none() {
            let header = line::header(model).map_err(std::io::Error::from)?;
            file.write_all(header.as_bytes())?;
        }
        Ok(Recorder {
            inner,
            timeout,
            kept: tape.calls.count,
            interrupted: tape.interrupted,
            tape: Mutex::new(Tape {
                file,
                calls: tape.calls,
                broken: false,
            }),
        })
    }

    /// How many calls the file held from the start.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Whether its last line was not whole, as after a crash. It was taken out.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// A line is written in one go, so what there is of it after a panic is the
    /// end of the file, which the next one takes out.
    fn lock(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a call down and gives back what is known of it from now on.
    fn keep(
        &self,
        place: &Place,
        request: &str,
        kept: Kept,
        simulated_time: bool,
    ) -> Result<Kept, LlmError> {
        let mut tape = self.lock();
        // Somebody may have asked the same at the same place meanwhile.
        if let Some(known) = tape.calls.get(place, request) {
            return Ok(known.clone());
        }
        // After half a line nothing else may be written.
        if tape.broken {
            return Err(broken());
        }
        let line = line::line(place, request, &kept, simulated_time);
        let line = line.ok().filter(|line| line.len() <= LONGEST);
        let written = line.is_some_and(|line| tape.file.write_all(line.as_bytes()).is_ok());
        if !written {
            tape.broken = true;
            return Err(broken());
        }
        let (place, request) = (place.clone(), request.to_owned());
        tape.calls.keep(place, request, kept.clone());
        Ok(kept)
    }
}

fn broken() -> LlmError {
    LlmError::Unavailable("the recording cannot be written; see the host's disk".to_owned())
}

impl Kept {
    pub(super) fn answer(&self) -> Answer {
        Answer::new(self.outcome.clone(), Took::Virtual(self.took))
    }
}

/// A call that is being made. Dropped before it is over, it may be a timeout.
struct UnderWay<'a> {
    recorder: &'a Recorder,
    caller: &'a Caller,
    place: Place,
    request: String,
    started: Instant,
    over: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let (now, timeout) = (Instant::now() + CLOCKS_DIFFER, self.recorder.timeout);
        let late = now >= self.started + timeout || now >= self.caller.deadline;
        if self.over || self.caller.cancel.is_cancelled() || !late {
            return;
        }
        let kept = Kept {
            outcome: Err(LlmError::Timeout),
            took: self.started.elapsed(),
        };
        let _timeout = self.recorder.keep(&self.place, &self.request, kept, false);
    }
}

#[async_trait]
impl LlmProvider for Recorder {
    fn origin(&self) -> Origin {
        self.inner.origin()
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        let (place, digest) = known_by(caller, request);
        {
            let tape = self.lock();
            if let Some(known) = tape.calls.get(&place, &digest) {
                return known.answer();
            }
            if tape.broken {
                return Answer::wall(Err(broken()));
            }
        }
        let mut call = UnderWay {
            recorder: self,
            caller,
            place,
            request: digest,
            started: Instant::now(),
            over: false,
        };
        let answer = self.inner.complete(broker, caller, request).await;
        call.over = true;
        if answer
            .result
            .as_ref()
            .is_err_and(|error| !line::keeps(error))
        {
            return answer;
        }
        let (took, simulated) = match answer.took {
            Took::Wall => (call.started.elapsed(), false),
            Took::Virtual(took) => (took, true),
        };
        let outcome = answer.result;
        match self.keep(
            &call.place,
            &call.request,
            Kept { outcome, took },
            simulated,
        ) {
            Ok(kept) => Answer::new(kept.outcome, answer.took),
            Err(error) => Answer::wall(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::scripted::Scripted;

    #[test]
    fn when_a_line_cannot_be_written_no_more_is_kept() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let inner = Arc::new(Scripted::from_jsonl("").unwrap());
        let file = path.reopen().unwrap();
        let recorder = Recorder::new(inner, file, Duration::from_secs(1)).unwrap();
        let place = |task: &str| Place {
            task: task.to_owned(),
            step: String::new(),
            attempt: 1,
            sequence: 0,
        };
        let keep = |task| {
            let kept = Kept {
                outcome: Err(LlmError::Timeout),
                took: Duration::ZERO,
            };
            recorder.keep(&place(task), "request", kept, false).is_ok()
        };
        assert!(keep("a"));
        let writable = std::mem::replace(
            &mut recorder.lock().file,
            // It can be read only.
            File::open(path.path()).unwrap(),
        );
        assert!(!keep("b"));
        recorder.lock().file = writable;
        assert!(!keep("c"), "the line before may be half there");
        assert!(keep("a"), "what is known stays known");
        let lines = std::fs::read_to_string(path.path()).unwrap();
        assert_eq!(lines.lines().count(), 2);
    }
}
