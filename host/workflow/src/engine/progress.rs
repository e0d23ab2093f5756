//! What a run is doing, for whoever watches: a bounded stream that never makes a
//! run wait. Who is too slow is told how much was missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio::sync::mpsc;

/// How much may wait for a slow listener.
const WAITING: usize = 1_024;

/// Something that a run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event")]
pub enum Progress {
    /// A run began, or went on after its host was gone.
    #[serde(rename = "run.started")]
    RunStarted {
        /// Which.
        run: String,
        /// On which record.
        task: String,
        /// Whether it had begun before.
        resumed: bool,
    },
    /// Somebody is asked to do a step.
    #[serde(rename = "step.started")]
    StepStarted {
        /// Of which run.
        run: String,
        /// The step's path.
        step: String,
        /// Which try, from 1.
        attempt: u32,
        /// Who.
        agent: String,
    },
    /// A try came to nothing.
    #[serde(rename = "attempt.failed")]
    AttemptFailed {
        /// Of which run.
        run: String,
        /// The step's path.
        step: String,
        /// Which try, from 1.
        attempt: u32,
        /// Why: a stable word.
        code: String,
    },
    /// A step ended.
    #[serde(rename = "step.ended")]
    StepEnded {
        /// Of which run.
        run: String,
        /// The step's path.
        step: String,
        /// How: the status word.
        status: String,
    },
    /// A state machine went on, or was kept from it.
    #[serde(rename = "state.entered")]
    StateEntered {
        /// Of which run.
        run: String,
        /// The state machine's path.
        step: String,
        /// The state.
        state: String,
        /// False when it was kept from it.
        taken: bool,
    },
    /// A run ended, or cannot go on for now.
    #[serde(rename = "run.ended")]
    RunEnded {
        /// Which.
        run: String,
        /// How: the status word.
        status: String,
    },
    /// So many events were missed here.
    #[serde(rename = "gap")]
    Gap {
        /// How many.
        missed: u64,
    },
}

/// Tells what runs do. Cheap to clone; tells nobody by default.
#[derive(Clone, Default)]
pub struct Teller(Option<Arc<Inner>>);

struct Inner {
    to: mpsc::Sender<Progress>,
    missed: AtomicU64,
}

impl Teller {
    /// A teller and its listener.
    pub fn new() -> (Teller, mpsc::Receiver<Progress>) {
        Teller::with_room(WAITING)
    }

    fn with_room(room: usize) -> (Teller, mpsc::Receiver<Progress>) {
        let (to, from) = mpsc::channel(room);
        let missed = AtomicU64::new(0);
        (Teller(Some(Arc::new(Inner { to, missed }))), from)
    }

    /// Tells it, or counts it as missed.
    pub(super) fn tell(&self, progress: impl FnOnce() -> Progress) {
        let Some(inner) = &self.0 else { return };
        let missed = inner.missed.swap(0, Ordering::Relaxed);
        if missed > 0 && inner.to.try_send(Progress::Gap { missed }).is_err() {
            inner.missed.fetch_add(missed + 1, Ordering::Relaxed);
            return;
        }
        if inner.to.try_send(progress()).is_err() {
            inner.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_slow_is_told_how_much_was_missed() {
        let (teller, mut listener) = Teller::with_room(2);
        let ended = |n: u32| Progress::RunEnded {
            run: n.to_string(),
            status: "success".to_owned(),
        };
        for n in 0..5 {
            teller.tell(|| ended(n));
        }
        let mut heard = || listener.try_recv().ok();
        assert_eq!(heard(), Some(ended(0)));
        assert_eq!(heard(), Some(ended(1)));
        assert_eq!(heard(), None);
        teller.tell(|| ended(5));
        let mut heard = || listener.try_recv().ok();
        assert_eq!(heard(), Some(Progress::Gap { missed: 3 }));
        assert_eq!(heard(), Some(ended(5)));
        Teller::default().tell(|| unreachable!("nobody listens"));
    }
}
