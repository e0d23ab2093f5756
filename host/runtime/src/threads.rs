//! The threads on which guests run.
//!
//! They are theirs alone: whatever guests do, the threads that listen to people
//! (signals, progress, later the API) are others.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// A pool of threads for guests. Ends with its owner; what still runs then is
/// dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    /// None only while it is being dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Threads {
    /// One more than may compute for long at a time, so that a short call never
    /// waits for a long one to come to its tick.
    pub(crate) fn new(turns: usize) -> io::Result<Threads> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(turns.saturating_add(1))
            .thread_name("hotcell-guest")
            .enable_all()
            .build()?;
        Ok(Threads {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for the threads here could wait for a guest.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
