//! A clock that only goes on.
//!
//! It begins at what the wall clock shows, or at what it last showed itself if that
//! is later, and goes on with time as it passes. Setting the wall clock changes
//! nothing while the process lives, and setting it back gives nobody a new day, a new
//! process included. A wall clock that was set forward between two processes cannot
//! be told from time that has passed.

use tokio::time::Instant;

/// One that was started.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// Milliseconds since 1970-01-01 UTC.
    base_ms: u64,
    started: Instant,
}

impl Steady {
    /// Goes on from what it showed last, unless the wall clock is ahead of that.
    pub fn start(last_ms: u64, wall_ms: u64) -> Steady {
        Steady {
            base_ms: last_ms.max(wall_ms),
            started: Instant::now(),
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> u64 {
        self.now_micros() / 1_000
    }

    /// The same in microseconds.
    pub fn now_micros(&self) -> u64 {
        let passed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.base_ms.saturating_mul(1_000).saturating_add(passed)
    }
}

/// A day of this clock, counted from 1970-01-01 UTC.
pub(super) fn day(now_ms: u64) -> u64 {
    now_ms / 86_400_000
}
