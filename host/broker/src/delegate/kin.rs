//! How many calls of agents by agents one run has, now and in all.
//!
//! Each agent may ask 64 others at once, and each of those the same: what a level
//! may ask bounds nothing. So a run has one count for all of its descendants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::DelegateError;

/// The most calls of agents by agents of one run at one time: 128.
pub const LIVE: u32 = 128;

/// The most of one run in all, as long as its host lives: 1,024.
pub const EVER: u32 = 1_024;

/// The descendants of one run.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    live: AtomicU32,
    ever: AtomicU32,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct One(Arc<Kin>);

impl Kin {
    /// One more, if there may be one.
    pub(crate) fn enter(self: &Arc<Kin>) -> Result<One, DelegateError> {
        if !add(&self.live, LIVE) {
            return Err(DelegateError::Saturated);
        }
        let one = One(Arc::clone(self));
        match add(&self.ever, EVER) {
            true => Ok(one),
            false => Err(DelegateError::BudgetExhausted),
        }
    }
}

fn add(count: &AtomicU32, most: u32) -> bool {
    let more = |now: u32| (now < most).then(|| now + 1);
    count
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        .is_ok()
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_so_many_descendants_at_a_time_and_so_many_in_all() {
        let kin = Arc::new(Kin::default());
        let mut live: Vec<One> = (0..LIVE).map(|_| kin.enter().unwrap()).collect();
        assert_eq!(kin.enter().unwrap_err(), DelegateError::Saturated);
        for _ in LIVE..EVER {
            live.pop();
            live.push(kin.enter().unwrap());
        }
        live.clear();
        assert_eq!(kin.enter().unwrap_err(), DelegateError::BudgetExhausted);
        // Who was refused is not among them.
        assert_eq!(kin.live.load(Ordering::Relaxed), 0);
    }
}
