//! One number for everything a cell holds: memories and tables, and the bytes
//! that the host keeps on its behalf. And one for all cells of a tenant.
//!
//! wasmtime's own limiter counts each memory for itself; a component with a
//! thousand memories of one page would pass it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hotcell_broker::store::guard::Guard;
use wasmtime::ResourceLimiter;

use crate::end::Limit;
use crate::settings::{INSTANCES, MEMORIES, TABLES};
use crate::tenants::PerTenant;

/// Bytes of one table entry in the pool.
const TABLE_ENTRY: usize = size_of::<usize>();

/// What all cells of one tenant hold.
#[derive(Debug)]
pub(crate) struct Total {
    cap: usize,
    used: AtomicUsize,
}

impl Total {
    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| {
            let wanted = used.saturating_add(bytes);
            (wanted <= self.cap || !Guard::TenantMemory.on()).then_some(wanted)
        };
        let order = Ordering::Relaxed;
        self.used.fetch_update(order, order, more).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The totals of all tenants that have a cell.
#[derive(Debug)]
pub(crate) struct Tenants {
    cap: usize,
    totals: PerTenant<Total>,
}

impl Tenants {
    pub(crate) fn new(cap: usize) -> Tenants {
        Tenants {
            cap,
            totals: PerTenant::default(),
        }
    }

    /// The total that a tenant's cells share.
    pub(crate) fn total(&self, tenant: &str) -> Arc<Total> {
        self.totals.of(tenant, || Total {
            cap: self.cap,
            used: AtomicUsize::new(0),
        })
    }
}

/// What one cell holds.
#[derive(Debug)]
pub(crate) struct Account {
    cap: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    refused: Mutex<Option<Limit>>,
    total: Arc<Total>,
}

impl Account {
    pub(crate) fn new(cap: usize, total: Arc<Total>) -> Arc<Account> {
        Arc::new(Account {
            cap,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            refused: Mutex::new(None),
            total,
        })
    }

    /// The most it held at one time.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// The cap that a growth was refused for. A guest that traps afterwards most
    /// likely trapped because of it.
    pub(crate) fn refused(&self) -> Option<Limit> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: usize, guard: Guard) -> bool {
        let wanted = self.used.load(Ordering::Relaxed).saturating_add(bytes);
        let limit = if wanted > self.cap && guard.on() {
            Limit::Memory
        } else if !self.total.take(bytes) {
            Limit::TenantMemory
        } else {
            // Only the cell itself takes, one thing at a time.
            let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
            self.peak.fetch_max(used, Ordering::Relaxed);
            return true;
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(limit);
        false
    }

    /// Counts bytes that the host keeps for the cell, until they are dropped.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Option<Hold> {
        self.take(bytes, Guard::HostBytes).then(|| Hold {
            account: Arc::clone(self),
            bytes,
        })
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.total.give(*self.used.get_mut());
    }
}

/// Bytes that count while this lives.
#[derive(Debug)]
pub(crate) struct Hold {
    account: Arc<Account>,
    bytes: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.account.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.account.total.give(self.bytes);
    }
}

/// Tells wasmtime what a cell's account allows.
#[derive(Debug)]
pub(crate) struct Limiter(pub(crate) Arc<Account>);

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current);
        Ok(self.0.take(bytes, Guard::MemoryCap))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current).saturating_mul(TABLE_ENTRY);
        Ok(self.0.take(bytes, Guard::MemoryCap))
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

    fn limiter(cap: usize, tenants: &Tenants) -> Limiter {
        Limiter(Account::new(cap, tenants.total("t")))
    }

    #[test]
    fn many_small_memories_count_like_one_large_one() {
        let page = 64 * 1024;
        let mut limiter = limiter(4 * page, &Tenants::new(usize::MAX));
        for _ in 0..4 {
            assert!(limiter.memory_growing(0, page, None).unwrap());
        }
        assert!(!limiter.memory_growing(0, page, None).unwrap());
        assert_eq!(limiter.0.refused(), Some(Limit::Memory));
        assert_eq!(limiter.0.peak(), 4 * page);
    }

    #[test]
    fn tables_and_what_the_host_keeps_count_too_and_nothing_overflows() {
        let mut limiter = limiter(1024, &Tenants::new(usize::MAX));
        assert!(limiter.table_growing(0, 64, None).unwrap());
        let held = limiter.0.hold(512).unwrap();
        assert!(limiter.0.hold(1).is_none());
        assert!(!limiter.table_growing(64, 65, None).unwrap());
        drop(held);
        assert!(limiter.table_growing(64, 65, None).unwrap());
        assert!(!limiter.table_growing(0, usize::MAX, None).unwrap());
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert!(limiter.0.hold(usize::MAX).is_none());
    }

    #[test]
    fn the_cells_of_a_tenant_share_one_cap_and_give_back_what_they_held() {
        let tenants = Tenants::new(1000);
        let mut one = limiter(800, &tenants);
        let mut two = limiter(800, &tenants);
        assert!(one.memory_growing(0, 600, None).unwrap());
        assert!(!two.memory_growing(0, 600, None).unwrap());
        assert_eq!(two.0.refused(), Some(Limit::TenantMemory));
        // Another tenant is none of its business.
        let mut other = Limiter(Account::new(800, tenants.total("other")));
        assert!(other.memory_growing(0, 600, None).unwrap());
        drop(one);
        assert!(two.memory_growing(0, 600, None).unwrap());
    }
}
