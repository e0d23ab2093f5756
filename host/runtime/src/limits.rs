//! One number for everything a cell holds: memories and tables, summed.
//!
//! wasmtime's own limiter counts each memory for itself; a component with a
//! thousand memories of one page would pass it.

use hotcell_broker::store::guard::Guard;
use wasmtime::ResourceLimiter;

use crate::settings::{INSTANCES, MEMORIES, TABLES};

/// Bytes of one table entry in the pool.
const TABLE_ENTRY: usize = size_of::<usize>();

/// Counts what a store grows by and says no at the cap.
#[derive(Debug)]
pub(crate) struct Limiter {
    cap: usize,
    used: usize,
    peak: usize,
    /// A growth was refused. A guest that traps afterwards most likely trapped
    /// because of it.
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(cap: usize) -> Limiter {
        Limiter {
            cap,
            used: 0,
            peak: 0,
            refused: false,
        }
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Takes the difference between two sizes of one memory or table.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let wanted = self.used.saturating_add(desired.saturating_sub(current));
        if wanted > self.cap && Guard::MemoryCap.on() {
            self.refused = true;
            return false;
        }
        self.used = wanted;
        self.peak = self.peak.max(wanted);
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = |entries: usize| entries.saturating_mul(TABLE_ENTRY);
        Ok(self.grow(bytes(current), bytes(desired)))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_memories_count_like_one_large_one() {
        let page = 64 * 1024;
        let mut limiter = Limiter::new(4 * page);
        for _ in 0..4 {
            assert!(limiter.memory_growing(0, page, None).unwrap());
        }
        assert!(!limiter.memory_growing(0, page, None).unwrap());
        assert!(limiter.refused());
        assert_eq!(limiter.peak(), 4 * page);
    }

    #[test]
    fn tables_count_too_and_nothing_overflows() {
        let mut limiter = Limiter::new(1024);
        assert!(limiter.table_growing(0, 128, None).unwrap());
        assert!(!limiter.table_growing(128, 129, None).unwrap());
        assert!(!limiter.table_growing(0, usize::MAX, None).unwrap());
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap());
    }
}
