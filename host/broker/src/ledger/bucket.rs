//! A bucket that leaks. Pure: moments and numbers in, a wait out.
//!
//! What is in it is counted in uses times the length of its window, so that draining
//! is exact whatever the rate is, and a rate that is changed finds the same uses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A bucket as it stands in the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bucket {
    /// When `level` was right, in microseconds.
    at: u64,
    /// Uses in it, times the window in microseconds.
    level: u64,
}

/// How much goes through a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    /// So many uses.
    pub(super) uses: u64,
    /// In so many microseconds.
    pub(super) window: u64,
    /// So many at once.
    pub(super) burst: u64,
}

impl Bucket {
    fn drained(self, flow: Flow, now: u64) -> Bucket {
        // Another process may be ahead by what two clocks differ.
        let passed = u128::from(now.saturating_sub(self.at)) * u128::from(flow.uses);
        let level = u128::from(self.level).saturating_sub(passed);
        Bucket {
            at: self.at.max(now),
            level: u64::try_from(level).unwrap_or(u64::MAX),
        }
    }

    /// Pours so many uses in. How long to wait before they are made; none if the
    /// bucket never has room for so many.
    pub(super) fn pour(&mut self, flow: Flow, uses: u64, now: u64) -> Option<Duration> {
        let room = u128::from(flow.burst) * u128::from(flow.window);
        let more = u128::from(uses) * u128::from(flow.window);
        if more > room || flow.uses == 0 {
            return None;
        }
        let drained = self.drained(flow, now);
        let level = u128::from(drained.level) + more;
        let over = level.saturating_sub(room);
        // From `at` on, which is now or where another process is.
        let wait =
            over.div_ceil(u128::from(flow.uses)) + u128::from(drained.at.saturating_sub(now));
        *self = Bucket {
            at: drained.at,
            level: u64::try_from(level).ok()?,
        };
        Some(Duration::from_micros(u64::try_from(wait).ok()?))
    }

    /// Takes back what was poured in and not used.
    pub(super) fn refund(&mut self, flow: Flow, uses: u64, now: u64) {
        let back = u128::from(uses) * u128::from(flow.window);
        let drained = self.drained(flow, now);
        let level = u128::from(drained.level).saturating_sub(back);
        *self = Bucket {
            at: drained.at,
            level: u64::try_from(level).unwrap_or(u64::MAX),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000;

    /// Six a minute, two at once: one every ten seconds.
    const FLOW: Flow = Flow {
        uses: 6,
        window: MINUTE,
        burst: 2,
    };

    #[test]
    fn a_burst_goes_at_once_and_the_rest_one_by_one() {
        let mut bucket = Bucket::default();
        let start = 1_790_000_000_000_000;
        let wait = |bucket: &mut Bucket, after_s: u64| {
            let now = start + after_s * 1_000_000;
            bucket.pour(FLOW, 1, now).map(|wait| wait.as_secs())
        };
        let waits: Vec<_> = (0..4).map(|_| wait(&mut bucket, 0)).collect();
        assert_eq!(waits, [Some(0), Some(0), Some(10), Some(20)]);
        assert_eq!(wait(&mut bucket, 25), Some(5));
        assert_eq!(wait(&mut bucket, 3_600), Some(0));
    }

    #[test]
    fn a_clock_that_is_behind_drains_nothing_and_changes_nothing() {
        let mut bucket = Bucket::default();
        let now = 10 * MINUTE;
        bucket.pour(FLOW, 2, now).unwrap();
        let before = bucket;
        bucket.refund(FLOW, 0, now - MINUTE);
        assert_eq!(bucket, before);
    }

    #[test]
    fn what_never_fits_is_not_waited_for_and_no_number_overflows() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.pour(FLOW, 3, 0), None);
        assert_eq!(bucket, Bucket::default());
        let wide = Flow {
            uses: u64::MAX,
            window: 86_400_000_000,
            burst: u64::MAX,
        };
        assert_eq!(bucket.pour(wide, u64::MAX, u64::MAX), None);
        bucket.refund(wide, u64::MAX, u64::MAX);
        assert_eq!(bucket.level, 0);
    }

    #[test]
    fn what_is_given_back_can_be_used_at_once() {
        let mut bucket = Bucket::default();
        bucket.pour(FLOW, 2, MINUTE).unwrap();
        bucket.refund(FLOW, 2, MINUTE);
        assert_eq!(bucket.pour(FLOW, 2, MINUTE), Some(Duration::ZERO));
    }
}
