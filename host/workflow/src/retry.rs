//! What is tried again, and when. Pure.

use serde::{Deserialize, Serialize};

/// When a failed try is followed by another one. The defaults are the course's
/// with a cap and a deadline that it forgot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// So many tries after the first: 3.
    pub max: u32,
    /// The longest wait before the first of them: 1,000 ms. It doubles each time.
    pub base_ms: u64,
    /// No wait is longer: 60,000 ms.
    pub cap_ms: u64,
    /// Nothing is tried again when the step has taken so long, in milliseconds
    /// from its first try, waits included: 300,000.
    pub total_ms: u64,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            max: 3,
            base_ms: 1_000,
            cap_ms: 60_000,
            total_ms: 300_000,
        }
    }
}

/// Faults that may be gone the next time. What the guest did wrong, what policy
/// forbids and what does not meet the schema stays so.
const TRANSIENT: [&str; 3] = ["transient", "deadline", "saturated"];

/// Whether a fault of this code may be gone the next time.
pub fn transient(code: &str) -> bool {
    TRANSIENT.contains(&code)
}

impl Retry {
    /// How long to wait before the next try, in milliseconds, or `None` when
    /// there is none. `done` tries were repeated already; the step began
    /// `since_ms` ago; `after_ms` is what the other side asked for; `draw` is
    /// any number, equally likely each.
    ///
    /// Full jitter (Brooker, "Exponential Backoff And Jitter", 2015): any wait
    /// from nothing up to base × 2^done is as likely as another, so that those
    /// who failed together do not come back together.
    pub fn wait(
        &self,
        code: &str,
        done: u32,
        since_ms: u64,
        after_ms: Option<u64>,
        draw: u64,
    ) -> Option<u64> {
        if done >= self.max || !transient(code) {
            return None;
        }
        let most = 1_u64
            .checked_shl(done)
            .and_then(|factor| self.base_ms.checked_mul(factor))
            .unwrap_or(u64::MAX)
            .min(self.cap_ms);
        let wait = match after_ms {
            // Whoever asks for longer than the cap is not waited for.
            Some(after) if after > self.cap_ms => return None,
            Some(after) => after,
            None => draw % most.saturating_add(1).max(1),
        };
        (since_ms.saturating_add(wait) <= self.total_ms).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again_and_only_so_often() {
        let retry = Retry::default();
        let codes = [
            ("transient", true),
            ("deadline", true),
            ("saturated", true),
            ("trap", false),
            ("permanent", false),
            ("invalid-input", false),
            ("refused", false),
            ("limit.fuel", false),
            ("breaker-open", false),
            ("host", false),
        ];
        for (code, again) in codes {
            assert_eq!(retry.wait(code, 0, 0, None, 7).is_some(), again, "{code}");
        }
        assert!(retry.wait("transient", 2, 0, None, 7).is_some());
        assert_eq!(retry.wait("transient", 3, 0, None, 7), None);
    }

    #[test]
    fn waits_double_up_to_the_cap_and_jitter_is_full() {
        let retry = Retry {
            max: 100,
            total_ms: u64::MAX,
            ..Retry::default()
        };
        let longest = |done| {
            let most = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
            (most[done as usize], done)
        };
        for (most, done) in (0..8).map(longest) {
            let wait = |draw| retry.wait("transient", done, 0, None, draw).unwrap();
            assert_eq!(wait(most), most, "{done}");
            assert_eq!(wait(most + 1), 0, "{done}");
            assert_eq!(wait(0), 0);
        }
        // Far beyond what a shift can do.
        assert!(retry.wait("transient", 99, 0, None, u64::MAX).unwrap() <= 60_000);
    }

    #[test]
    fn what_the_other_side_asks_for_is_honoured_up_to_the_cap() {
        let retry = Retry::default();
        assert_eq!(retry.wait("transient", 0, 0, Some(5_000), 1), Some(5_000));
        assert_eq!(retry.wait("transient", 0, 0, Some(60_000), 1), Some(60_000));
        assert_eq!(retry.wait("transient", 0, 0, Some(60_001), 1), None);
    }

    #[test]
    fn nothing_is_tried_again_after_the_total() {
        let retry = Retry::default();
        assert_eq!(
            retry.wait("transient", 0, 299_000, Some(1_000), 0),
            Some(1_000)
        );
        assert_eq!(retry.wait("transient", 0, 299_001, Some(1_000), 0), None);
    }
}
