//! Who may come in, and who comes in next.
//!
//! Every call of a plugin takes a place. A plugin has so many places at a time
//! and a queue of bounded length; a call that finds the queue full is told
//! `saturated` at once, because a queue that only grows answers nobody. Places
//! go to the tenant that holds the fewest, so that one tenant's thousand calls
//! do not stand before another's one.
//!
//! A call that a call makes (of a tool, a model, another agent) takes one of the
//! nested places and lends its caller's permit to others meanwhile: ten parents
//! that each wait for a child of the same plugin finish, all of them. Nobody
//! waits for a nested place while holding one; past the second level a call that
//! finds none is `saturated` instead. That is what makes a deadlock impossible.

mod hall;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use hall::{Asked, Hall};

/// A plugin's room: how many calls of it may be under way, and how many may
/// wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// At once: 1 to 10 000.
    pub concurrency: u32,
    /// In the queue: 0 to 1 000 000.
    pub queue: u32,
}

/// Ten at once and a thousand waiting: enough to keep a model busy, few enough
/// that one plugin does not take the host's memory.
impl Default for Room {
    fn default() -> Room {
        Room {
            concurrency: 10,
            queue: 1_000,
        }
    }
}

/// Deeper calls of calls than this are refused: 16.
pub const MAX_DEPTH: u8 = 16;

/// The queue is full, or there is no nested place left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saturated;

/// Who wants to come in.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// On whose behalf.
    pub tenant: &'a str,
    /// Which plugin.
    pub plugin: &'a str,
    /// How many calls of plugins it is inside of: 0 for a step of a workflow.
    pub depth: u8,
    /// The plugin's room.
    pub room: Room,
}

/// The places of a host. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    hall: Hall,
    waiting: HashMap<u64, oneshot::Sender<()>>,
}

impl Bulkhead {
    /// So many places for steps, and so many for the calls they make.
    pub fn new(roots: u32, nested: u32) -> Bulkhead {
        let inner = Inner {
            hall: Hall::new(roots.max(1), nested.max(1)),
            waiting: HashMap::new(),
        };
        Bulkhead {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Takes a place, waiting for it where waiting is allowed. Dropping the
    /// future gives up the place in the queue. Costs about a microsecond when
    /// nobody waits.
    pub async fn enter(&self, guest: Guest<'_>) -> Result<Place, Saturated> {
        let (ticket, waits) = {
            let mut inner = self.lock();
            let (ticket, asked) = inner.hall.ask(guest);
            match asked {
                Asked::Saturated => return Err(Saturated),
                Asked::Enter => (ticket, None),
                Asked::Wait => (ticket, Some(inner.wait(ticket))),
            }
        };
        // From here on dropping it gives everything back.
        let place = Place {
            held: Arc::new(Held {
                bulkhead: self.clone(),
                ticket,
            }),
        };
        if let Some(waits) = waits {
            // The sender is dropped only with the whole host.
            waits.await.map_err(|_| Saturated)?;
        }
        Ok(place)
    }

    /// How many places are taken and how many calls wait, for operators and
    /// tests.
    pub fn load(&self) -> Load {
        let inner = self.lock();
        Load {
            taken: inner.hall.taken(),
            waiting: inner.waiting.len(),
        }
    }

    /// A poisoned lock only means that another thread panicked; every change of
    /// the hall is made whole before anything can.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How full a bulkhead is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Places taken, those whose permit is lent included.
    pub taken: usize,
    /// Calls in a queue.
    pub waiting: usize,
}

impl Inner {
    fn wait(&mut self, ticket: u64) -> oneshot::Receiver<()> {
        let (send, receive) = oneshot::channel();
        self.waiting.insert(ticket, send);
        receive
    }

    fn wake(&mut self, tickets: Vec<u64>) {
        for ticket in tickets {
            if let Some(waiting) = self.waiting.remove(&ticket) {
                // Whoever stopped waiting gives the place back when dropped.
                let _nobody_waits = waiting.send(());
            }
        }
    }
}

/// A place that is taken, until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Place {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    bulkhead: Bulkhead,
    ticket: u64,
}

impl Place {
    /// Does something for which this place's holder only waits: its permit is
    /// others' meanwhile, and it goes on when it has one again, before those who
    /// have not begun.
    pub async fn lend<T>(&self, wait: impl Future<Output = T>) -> T {
        let lent = Lent::new(&self.held);
        let result = wait.await;
        lent.take_back().await;
        result
    }
}

/// One of a place's waits. The first lends the permit, the last takes it back.
struct Lent<'a> {
    held: &'a Held,
}

impl<'a> Lent<'a> {
    fn new(held: &'a Held) -> Lent<'a> {
        let mut inner = held.bulkhead.lock();
        let next = inner.hall.lend(held.ticket);
        inner.wake(next);
        Lent { held }
    }

    /// Waits for the permit, if this is the last wait. What dropping does then
    /// is nothing, unless the waiting is cut short.
    async fn take_back(self) {
        let waits = {
            let mut inner = self.held.bulkhead.lock();
            let there = inner.hall.take_back(self.held.ticket);
            (!there).then(|| inner.wait(self.held.ticket))
        };
        if let Some(waits) = waits {
            // An error means that the host is gone.
            let _gone = waits.await;
        }
    }
}

/// A wait that nobody waits for any more: its holder ran out of time, or is
/// being stopped. It has its permit again at once, because nothing can wait here;
/// for that moment the plugin may have one more than its room.
impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut inner = self.held.bulkhead.lock();
        if inner.hall.end_wait(self.held.ticket) {
            inner.waiting.remove(&self.held.ticket);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.bulkhead.lock();
        inner.waiting.remove(&self.ticket);
        let next = inner.hall.leave(self.ticket);
        inner.wake(next);
    }
}
