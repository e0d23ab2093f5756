//! The records of requests under way.

use std::sync::{Arc, Mutex, PoisonError};

use crate::meter::OpenEffect;

/// The record of a request under way: kept with the request, and with the cell
/// that sent it, so that it is written when either ends.
#[derive(Clone)]
pub(super) struct Open(Arc<Mutex<Option<OpenEffect>>>);

impl Open {
    pub(super) fn new(effect: OpenEffect) -> Open {
        Open(Arc::new(Mutex::new(Some(effect))))
    }

    pub(super) fn end(&self, outcome: &'static str) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(open) = open {
            open.end(outcome, |_| {});
        }
    }
}

/// The requests that one cell has sent. Those still under way when this is
/// dropped are recorded as cancelled.
#[derive(Default)]
pub struct Sent(Vec<Open>);

impl Sent {
    pub(super) fn add(&mut self, open: Open) {
        // What only this list still knows is over.
        self.0.retain(|open| Arc::strong_count(&open.0) > 1);
        self.0.push(open);
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        for open in &self.0 {
            open.end("cancelled");
        }
    }
}
