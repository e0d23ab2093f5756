//! Who compiles next: fair between tenants, bounded for each, and the same bytes
//! once.
//!
//! Compiling takes processors and gigabytes, so only some run at once and the
//! rest wait in line. A tenant who sends a hundred bombs must not make another
//! wait: nobody holds the last place but somebody who holds no other, and a
//! place that comes free goes to the tenant who holds the fewest. Whoever waits
//! for bytes that somebody else is compiling takes that result.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hotcell_broker::store::guard::Guard;
use tokio::time::Instant;

/// How many of one tenant may wait.
pub(crate) const WAITING: usize = 64;

type Ticket = u64;

/// The line: who waits and who has a place. Decides, and waits for nothing.
#[derive(Debug)]
struct Line {
    places: usize,
    /// How many were ever let in: the next ticket, and the time of this file.
    tickets: Ticket,
    /// In the order in which they came.
    waiting: Vec<Entry>,
    running: Vec<Entry>,
    /// When a tenant last got a place, for those who wait.
    served: BTreeMap<Arc<str>, u64>,
    /// How many places were ever given.
    given: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    ticket: Ticket,
    tenant: Arc<str>,
    /// Which bytes.
    key: Arc<str>,
}

/// Why somebody was sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SentAway {
    /// So many of the same tenant wait already.
    #[error("{0} others of the same tenant are waiting for the compiler")]
    Full(usize),
    /// No place came free in time.
    #[error("the compiler was busy with others all the time")]
    Waited,
}

impl Line {
    fn new(places: usize) -> Line {
        Line {
            places: places.max(2),
            tickets: 0,
            waiting: Vec::new(),
            running: Vec::new(),
            served: BTreeMap::new(),
            given: 0,
        }
    }

    /// Takes a place in the line.
    fn enter(&mut self, tenant: &str, key: &str) -> Result<Ticket, SentAway> {
        let mine = |entry: &&Entry| *entry.tenant == *tenant;
        let waiting = self.waiting.iter().filter(mine).count();
        if waiting >= WAITING && Guard::CompileQueue.on() {
            return Err(SentAway::Full(waiting));
        }
        self.tickets += 1;
        self.waiting.push(Entry {
            ticket: self.tickets,
            tenant: tenant.into(),
            key: key.into(),
        });
        Ok(self.tickets)
    }

    /// Gives places away as long as there are any.
    fn fill(&mut self) {
        while self.running.len() < self.places
            && let Some(at) = self.next()
        {
            let entry = self.waiting.remove(at);
            self.given += 1;
            self.served.insert(Arc::clone(&entry.tenant), self.given);
            self.running.push(entry);
        }
        let waiting = &self.waiting;
        self.served
            .retain(|tenant, _| waiting.iter().any(|entry| entry.tenant == *tenant));
    }

    /// Where in the line the next one stands.
    fn next(&self) -> Option<usize> {
        let may = |entry: &Entry| {
            let holds = self.holds(&entry.tenant);
            let alone = !self.is_running(&entry.key) || !Guard::CompileOnce.on();
            alone && (holds + 1 < self.places || !Guard::CompileFair.on())
        };
        let candidates = self.waiting.iter().enumerate().filter(|(_, it)| may(it));
        let rank = |entry: &Entry| match Guard::CompileFair.on() {
            true => (
                self.holds(&entry.tenant),
                self.served.get(&entry.tenant).copied().unwrap_or(0),
            ),
            false => (0, 0),
        };
        // Of equals the first, which came first.
        candidates
            .min_by_key(|(_, entry)| rank(entry))
            .map(|(at, _)| at)
    }

    fn holds(&self, tenant: &str) -> usize {
        let mine = |entry: &&Entry| *entry.tenant == *tenant;
        self.running.iter().filter(mine).count()
    }

    /// Whether these bytes are being compiled.
    fn is_running(&self, key: &str) -> bool {
        self.running.iter().any(|entry| *entry.key == *key)
    }

    fn has_place(&self, ticket: Ticket) -> bool {
        self.running.iter().any(|entry| entry.ticket == ticket)
    }

    /// Leaves the line or gives the place back.
    fn leave(&mut self, ticket: Ticket) {
        self.waiting.retain(|entry| entry.ticket != ticket);
        self.running.retain(|entry| entry.ticket != ticket);
    }

    /// Takes all out of the line who wait for these bytes.
    fn take(&mut self, key: &str) -> Vec<Ticket> {
        let same = |entry: &mut Entry| *entry.key == *key;
        self.waiting
            .extract_if(.., same)
            .map(|entry| entry.ticket)
            .collect()
    }
}

/// The line with people in it, and the results that some of them wait for.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    line: Line,
    results: BTreeMap<Ticket, T>,
}

/// Until when somebody waits.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// For a place: what starts later has not enough time left.
    pub(crate) place: Instant,
    /// For another who is compiling the same bytes.
    pub(crate) result: Instant,
}

impl<T: Clone> Queue<T> {
    pub(crate) fn new(places: usize) -> Queue<T> {
        Queue {
            state: Mutex::new(State {
                line: Line::new(places),
                results: BTreeMap::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Waits for a place and works, or takes the result of somebody who worked
    /// on the same key, if `shared` says it is good for others as well.
    pub(crate) fn work(
        &self,
        tenant: &str,
        key: &str,
        patience: Patience,
        work: impl FnOnce() -> T,
        shared: impl Fn(&T) -> bool,
    ) -> Result<T, SentAway> {
        let ticket = self.lock().line.enter(tenant, key)?;
        // From here on the line is left whatever happens.
        let _place = Place {
            queue: self,
            ticket,
        };
        if let Some(result) = self.wait(ticket, key, patience)? {
            return Ok(result);
        }
        let result = work();
        if shared(&result) && Guard::CompileOnce.on() {
            let mut state = self.lock();
            for other in state.line.take(key) {
                state.results.insert(other, result.clone());
            }
        }
        Ok(result)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().line.waiting.len()
    }

    /// Until there is a place, or a result.
    fn wait(&self, ticket: Ticket, key: &str, patience: Patience) -> Result<Option<T>, SentAway> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.results.remove(&ticket) {
                return Ok(Some(result));
            }
            state.line.fill();
            if state.line.has_place(ticket) {
                return Ok(None);
            }
            let until = match state.line.is_running(key) {
                true => patience.result,
                false => patience.place,
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SentAway::Waited);
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> Queue<T> {
    /// Nothing in here panics with the lock held, so that it cannot be left
    /// half done.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's place in the line.
struct Place<'a, T> {
    queue: &'a Queue<T>,
    ticket: Ticket,
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.line.leave(self.ticket);
        state.results.remove(&self.ticket);
        state.line.fill();
        drop(state);
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Who has a place, after these came in this order: tenant and key in one
    /// word.
    fn running(line: &Line) -> Vec<String> {
        let word = |entry: &Entry| format!("{}{}", entry.tenant, entry.key);
        line.running.iter().map(word).collect()
    }

    fn line(places: usize, came: &[(&str, &str)]) -> Line {
        let mut line = Line::new(places);
        for (tenant, key) in came {
            line.enter(tenant, key).unwrap();
        }
        line.fill();
        line
    }

    fn done(line: &mut Line, word: &str) {
        let is = |entry: &&Entry| format!("{}{}", entry.tenant, entry.key) == word;
        let ticket = line.running.iter().find(is).unwrap().ticket;
        line.leave(ticket);
        line.fill();
    }

    #[test]
    fn the_last_place_is_kept_for_another_tenant() {
        let (a, b) = ("a", "b");
        let crowd: Vec<_> = ["1", "2", "3", "4", "5"].map(|key| (a, key)).into();
        assert_eq!(running(&line(2, &crowd)), ["a1"]);
        assert_eq!(running(&line(4, &crowd)), ["a1", "a2", "a3"]);
        let mut line = line(4, &crowd);
        line.enter(b, "6").unwrap();
        line.fill();
        assert_eq!(running(&line), ["a1", "a2", "a3", "b6"]);
    }

    #[test]
    fn a_free_place_goes_to_who_holds_the_fewest_and_waited_longest() {
        let came = [
            ("a", "1"),
            ("a", "2"),
            ("a", "3"),
            ("b", "4"),
            ("b", "5"),
            ("c", "6"),
        ];
        let mut line = line(2, &came);
        assert_eq!(running(&line), ["a1", "b4"]);
        done(&mut line, "b4");
        assert_eq!(running(&line), ["a1", "c6"]);
        done(&mut line, "a1");
        assert_eq!(running(&line), ["c6", "a2"]);
        done(&mut line, "c6");
        assert_eq!(running(&line), ["a2", "b5"]);
        done(&mut line, "b5");
        // The other place is for whoever comes.
        assert_eq!(running(&line), ["a2"]);
    }

    #[test]
    fn the_same_bytes_are_not_compiled_twice_at_once() {
        let mut line = line(4, &[("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")]);
        assert_eq!(running(&line), ["a1", "b2"]);
        assert_eq!(line.take("1").len(), 2);
        done(&mut line, "a1");
        assert_eq!(running(&line), ["b2"]);
        assert!(line.waiting.is_empty());
    }

    #[test]
    fn one_tenant_cannot_fill_the_line_for_another() {
        let mut line = Line::new(2);
        line.enter("a", "running").unwrap();
        line.fill();
        for key in 0..WAITING {
            line.enter("a", &key.to_string()).unwrap();
        }
        let more = line.enter("a", "more");
        assert_eq!(more, Err(SentAway::Full(WAITING)));
        assert!(line.enter("b", "1").is_ok());
    }

    #[test]
    fn nothing_is_remembered_of_who_has_gone() {
        let mut line = line(2, &[("a", "1"), ("b", "2"), ("c", "3")]);
        for word in ["a1", "b2", "c3"] {
            done(&mut line, word);
        }
        assert!(line.served.is_empty() && line.running.is_empty() && line.waiting.is_empty());
    }

    fn patience(place: Duration) -> Patience {
        let now = Instant::now();
        Patience {
            place: now + place,
            result: now + Duration::from_secs(60),
        }
    }

    #[test]
    fn who_waits_for_the_same_bytes_takes_the_result() {
        let queue = Queue::new(2);
        let long = Duration::from_secs(60);
        let twice = std::thread::scope(|scope| {
            // The first works until the second stands in the line.
            let first = scope.spawn(|| {
                let work = || {
                    while queue.lock().line.waiting.is_empty() {
                        std::thread::yield_now();
                    }
                    1
                };
                queue.work("a", "key", patience(long), work, |_| true)
            });
            while queue.lock().line.running.is_empty() {
                std::thread::yield_now();
            }
            let second = queue.work("b", "key", patience(Duration::ZERO), || 2, |_| true);
            (first.join().unwrap(), second)
        });
        assert_eq!(twice, (Ok(1), Ok(1)));
        assert!(queue.lock().results.is_empty());
    }

    #[test]
    fn who_finds_no_place_in_time_is_sent_away_and_a_panic_gives_its_place_back() {
        let queue = Queue::new(2);
        let long = Duration::from_secs(60);
        let inner = || queue.work("a", "2", patience(Duration::ZERO), || 2, |_| true);
        let outer = queue.work(
            "a",
            "1",
            patience(long),
            || inner().map_or(0, |it| it),
            |_| true,
        );
        assert_eq!(outer, Ok(0));
        let panics = std::panic::AssertUnwindSafe(|| {
            let work = || -> i32 { panic!("on purpose") };
            queue.work("a", "1", patience(long), work, |_| true)
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(queue.work("a", "1", patience(long), || 3, |_| true), Ok(3));
    }
}
