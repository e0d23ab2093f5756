//! From names to addresses.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// Somebody who knows the addresses of names.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of a name.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Look-ups of the system that may be under way at once. Each takes a thread,
/// which nothing can interrupt.
const LOOKUPS: usize = 32;

/// The operating system's resolver.
pub struct System {
    lookups: Arc<Semaphore>,
}

impl Default for System {
    fn default() -> System {
        System {
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }
}

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let lookups = Arc::clone(&self.lookups);
        let place = lookups.acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        // A task of its own: a caller who gives up does not end the look-up, so
        // he must not get its place back either.
        let lookup = tokio::spawn(async move {
            let _place = place;
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}
