//! Whose turn it is among guests that compute for long.
//!
//! A call that ends within one tick, as nearly all do, never comes here. A guest
//! that is still computing at a tick asks for the next turn of one tick; there
//! are as many turns at a time as processors, and they go round by tenant, then
//! by who waits longest. So thirty endless loops of one tenant and one of another
//! get half of the processors each, and a short call finds a thread free: there
//! is one thread more than turns.
//!
//! A turn is a lease of two ticks. A guest that goes off to wait for a model
//! while it has a turn need not be noticed: its lease runs out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotcell_broker::store::guard::Guard;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::settings::TICK;

/// How long a turn is kept for somebody who does not come back for the next.
const LEASE: Duration = TICK.saturating_mul(2);

/// Turns of one host.
#[derive(Debug)]
pub(crate) struct Turns {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Who has a turn, until when.
    leases: Vec<(u64, Instant)>,
    /// Who waits, by tenant.
    queues: BTreeMap<Arc<str>, VecDeque<(u64, oneshot::Sender<()>)>>,
    /// Tenants that wait, the next one first.
    order: VecDeque<Arc<str>>,
    last: u64,
}

impl Turns {
    /// So many at a time.
    pub(crate) fn new(most: usize) -> Arc<Turns> {
        Arc::new(Turns {
            most: most.max(1),
            inner: Mutex::default(),
        })
    }

    /// A guest's place in the round.
    pub(crate) fn guest(self: &Arc<Self>) -> Guest {
        Guest {
            turns: Arc::clone(self),
            id: None,
        }
    }

    /// Takes back turns whose lease has run out. Called at every tick.
    pub(crate) fn tick(&self) {
        let mut inner = self.lock();
        if !inner.order.is_empty() {
            inner.grant(self.most, Instant::now());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn grant(&mut self, most: usize, now: Instant) {
        self.leases.retain(|(_, until)| *until > now);
        while self.leases.len() < most {
            let Some(tenant) = self.order.pop_front() else {
                return;
            };
            let Some(queue) = self.queues.get_mut(&tenant) else {
                continue;
            };
            if let Some((id, waits)) = queue.pop_front()
                && waits.send(()).is_ok()
            {
                self.leases.push((id, now + LEASE));
            }
            if queue.is_empty() {
                self.queues.remove(&tenant);
            } else {
                self.order.push_back(tenant);
            }
        }
    }
}

/// One cell among those that may compute for long.
#[derive(Debug)]
pub(crate) struct Guest {
    turns: Arc<Turns>,
    /// None until it has computed through a tick.
    id: Option<u64>,
}

impl Guest {
    /// Gives its turn back and asks for the next. None: it has it already,
    /// because nobody else waits.
    pub(crate) fn next(&mut self, tenant: &str) -> Option<oneshot::Receiver<()>> {
        let now = Instant::now();
        let mut inner = self.turns.lock();
        let id = *self.id.get_or_insert_with(|| {
            inner.last += 1;
            inner.last
        });
        inner.leases.retain(|(it, until)| *it != id && *until > now);
        let free = inner.order.is_empty() && inner.leases.len() < self.turns.most;
        if free || !Guard::Turns.on() {
            inner.leases.push((id, now + LEASE));
            return None;
        }
        let (send, receive) = oneshot::channel();
        match inner.queues.get_mut(tenant) {
            Some(queue) => queue.push_back((id, send)),
            None => {
                let tenant: Arc<str> = Arc::from(tenant);
                inner.order.push_back(Arc::clone(&tenant));
                inner.queues.insert(tenant, VecDeque::from([(id, send)]));
            }
        }
        inner.grant(self.turns.most, now);
        Some(receive)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Some(id) = self.id else {
            return;
        };
        let mut inner = self.turns.lock();
        inner.leases.retain(|(it, _)| *it != id);
        // Its place in the queue, if any, is passed over: nobody listens.
        inner.grant(self.turns.most, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who of these has the turn now, of one turn at a time.
    fn granted(waits: &mut Vec<(&'static str, oneshot::Receiver<()>)>) -> Vec<&'static str> {
        let mut names = Vec::new();
        waits.retain_mut(|(name, wait)| match wait.try_recv() {
            Ok(()) => {
                names.push(*name);
                false
            }
            Err(_) => true,
        });
        names
    }

    #[tokio::test(start_paused = true)]
    async fn turns_go_round_by_tenant() {
        let turns = Turns::new(1);
        let mut first = turns.guest();
        assert!(first.next("greedy").is_none(), "nobody else waits");
        let mut greedy: Vec<_> = (0..3).map(|_| turns.guest()).collect();
        let mut modest = turns.guest();
        let mut waits = Vec::new();
        for (name, guest) in ["g1", "g2", "g3"].into_iter().zip(&mut greedy) {
            waits.push((name, guest.next("greedy").unwrap()));
        }
        waits.push(("m", modest.next("modest").unwrap()));
        assert!(granted(&mut waits).is_empty());
        // Each gives its turn back and asks again, at its tick.
        waits.push(("g0", first.next("greedy").unwrap()));
        assert_eq!(granted(&mut waits), ["g1"]);
        waits.push(("g1", greedy[0].next("greedy").unwrap()));
        assert_eq!(granted(&mut waits), ["m"]);
        waits.push(("m", modest.next("modest").unwrap()));
        assert_eq!(granted(&mut waits), ["g2"]);
        waits.push(("g2", greedy[1].next("greedy").unwrap()));
        assert_eq!(
            granted(&mut waits),
            ["m"],
            "every other turn is the modest one's"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_nobody_comes_back_for_runs_out() {
        let turns = Turns::new(1);
        let (mut away, mut here) = (turns.guest(), turns.guest());
        assert!(away.next("t").is_none());
        let mut wait = here.next("t").unwrap();
        turns.tick();
        assert!(wait.try_recv().is_err());
        tokio::time::advance(LEASE).await;
        turns.tick();
        assert!(wait.try_recv().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_gives_its_turn_and_its_place_back() {
        let turns = Turns::new(1);
        let (mut one, mut two, mut three) = (turns.guest(), turns.guest(), turns.guest());
        assert!(one.next("t").is_none());
        drop(two.next("t").unwrap());
        let mut wait = three.next("t").unwrap();
        drop((one, two));
        assert!(wait.try_recv().is_ok());
        drop(three);
        let inner = turns.lock();
        assert!(inner.leases.is_empty() && inner.queues.is_empty() && inner.order.is_empty());
    }
}
