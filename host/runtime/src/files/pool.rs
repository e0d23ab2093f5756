//! Where file operations wait for the disk: a bounded number of threads for the
//! process, and a share of them for each tenant. Whoever reads from a folder that
//! does not answer stops only themselves.

use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;
use wasmtime_wasi::runtime::spawn_blocking;

use crate::tenants::PerTenant;

/// Operations at a time, for all.
const THREADS: usize = 32;

/// Operations at a time, for one tenant.
const SHARE: usize = 8;

/// The pool of this process.
pub(crate) static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::new(THREADS, SHARE));

/// A bound on blocking operations.
pub(crate) struct Pool {
    all: Arc<Semaphore>,
    share: usize,
    tenants: PerTenant<Semaphore>,
}

impl Pool {
    fn new(threads: usize, share: usize) -> Pool {
        Pool {
            all: Arc::new(Semaphore::new(threads)),
            share,
            tenants: PerTenant::default(),
        }
    }

    /// Waits for a place and does the work on a thread that may block. The place
    /// belongs to the work, not to who waits for it: an operation that hangs
    /// keeps its own even when its caller is long gone.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        tenant: &str,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> wasmtime::Result<R> {
        let own = self.tenants.of(tenant, || Semaphore::new(self.share));
        let own = own.acquire_owned().await?;
        let place = Arc::clone(&self.all).acquire_owned().await?;
        let work = move || {
            let done = work();
            drop((own, place));
            done
        };
        Ok(spawn_blocking(work).await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tenant_whose_disk_hangs_stops_no_other() {
        let pool = Arc::new(Pool::new(4, 2));
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let (begun, begins) = mpsc::channel();
        for _ in 0..8 {
            let (pool, wait, begun) = (Arc::clone(&pool), Arc::clone(&wait), begun.clone());
            let hang = move || {
                begun.send(()).unwrap();
                wait.lock().unwrap().recv().ok();
            };
            tokio::spawn(async move { pool.run("slow", hang).await.unwrap() });
        }
        for _ in 0..2 {
            begins.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        // Two hang; the other six wait for their tenant's share, not for the pool.
        let other = tokio::time::timeout(Duration::from_secs(10), pool.run("other", || 7));
        assert_eq!(other.await.unwrap().unwrap(), 7);
        assert!(begins.try_recv().is_err());
        drop(go);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_place_is_kept_until_the_work_is_done_though_nobody_waits() {
        let pool = Arc::new(Pool::new(1, 1));
        let (go, wait) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let hanging = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let hang = move || {
                    begun.send(()).unwrap();
                    wait.recv().ok();
                };
                pool.run("a", hang).await.unwrap();
            }
        });
        begins.recv_timeout(Duration::from_secs(10)).unwrap();
        hanging.abort();
        assert!(hanging.await.unwrap_err().is_cancelled());
        assert_eq!(pool.all.available_permits(), 0);
        drop(go);
        pool.run("a", || ()).await.unwrap();
    }
}
