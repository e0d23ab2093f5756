//! Everything that is handed to guests, written down: the arguments of each call
//! and the result of each import, one JSON line each.
//!
//! For authors who ask "what did my plugin see?", and for the test that proves
//! what no plugin may see. Costs nothing when there is no tape.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use hotcell_broker::{Caller, text};
use serde::Serialize;

/// A place for the lines. Cheap to clone.
#[derive(Clone)]
pub struct Tape {
    to: Arc<Mutex<Box<dyn Write + Send>>>,
}

#[derive(Serialize)]
struct Handed<'a, T> {
    task: &'a str,
    step: &'a str,
    attempt: u32,
    plugin: &'a str,
    what: &'a str,
    value: &'a T,
}

impl Tape {
    /// A tape that writes here. A write that fails is dropped: a tape never
    /// changes what a run does.
    pub fn new(to: Box<dyn Write + Send>) -> Tape {
        Tape {
            to: Arc::new(Mutex::new(to)),
        }
    }

    pub(crate) fn record<T: Serialize>(&self, caller: &Caller, what: &str, value: &T) {
        let handed = Handed {
            task: &caller.task,
            step: &caller.step,
            attempt: caller.attempt,
            plugin: &caller.plugin,
            what,
            value,
        };
        if let Ok(line) = serde_json::to_string(&handed) {
            let line = text::json(&line) + "\n";
            let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
            drop(to.write_all(line.as_bytes()));
        }
    }
}
