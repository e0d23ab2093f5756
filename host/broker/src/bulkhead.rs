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

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use hotcell_store::guard::Guard;
use tokio::sync::oneshot;

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
                lent: Mutex::new(0),
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
            taken: inner.hall.roots.taken as usize + inner.hall.nested.taken as usize,
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
    /// How many of its calls are waited for.
    lent: Mutex<u32>,
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
        let mut lent = held.lent.lock().unwrap_or_else(PoisonError::into_inner);
        *lent += 1;
        if *lent == 1 {
            let mut inner = held.bulkhead.lock();
            let next = inner.hall.lend(held.ticket);
            inner.wake(next);
        }
        Lent { held }
    }

    /// Waits for the permit, if this is the last wait. What dropping does then
    /// is nothing, unless the waiting is cut short.
    async fn take_back(self) {
        let waits = {
            let lent = self
                .held
                .lent
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let mut inner = self.held.bulkhead.lock();
            let last = *lent == 1;
            (last && !inner.hall.take_back(self.held.ticket)).then(|| inner.wait(self.held.ticket))
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
        let mut lent = self
            .held
            .lent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *lent = lent.saturating_sub(1);
        if *lent == 0 {
            let mut inner = self.held.bulkhead.lock();
            inner.waiting.remove(&self.held.ticket);
            inner.hall.force_back(self.held.ticket);
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

/// What became of a request for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Enter,
    Wait,
    Saturated,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// In the queue of its plugin.
    Queued,
    /// Has a place and a permit.
    Inside,
    /// Has a place; its permit is lent.
    Lent,
    /// Has a place and waits for a permit.
    Resuming,
}

#[derive(Debug)]
struct Ticket {
    tenant: Arc<str>,
    plugin: Arc<str>,
    nested: bool,
    stand: Stand,
}

/// Places of one sort.
#[derive(Debug)]
struct Places {
    most: u32,
    taken: u32,
}

#[derive(Debug, Default)]
struct Plugin {
    concurrency: u32,
    /// Permits in use.
    inside: u32,
    /// Waiting for a place, over all tenants.
    queued: u32,
    /// Have a place and want their permit back, oldest first.
    resuming: VecDeque<u64>,
    /// All its tickets.
    tickets: u32,
}

#[derive(Debug, Default)]
struct Tenant {
    /// Places it holds.
    taken: u32,
    /// When it was last given one.
    served: u64,
    /// Waiting, by plugin, oldest first.
    queues: BTreeMap<Arc<str>, VecDeque<u64>>,
    /// All its tickets.
    tickets: u32,
}

/// The decisions: no clock, no waiting, no waking.
#[derive(Debug)]
struct Hall {
    roots: Places,
    nested: Places,
    tickets: HashMap<u64, Ticket>,
    plugins: HashMap<Arc<str>, Plugin>,
    tenants: BTreeMap<Arc<str>, Tenant>,
    /// The last ticket's number.
    next: u64,
    /// How many were let in.
    served: u64,
}

impl Hall {
    fn new(roots: u32, nested: u32) -> Hall {
        let places = |most| Places { most, taken: 0 };
        Hall {
            roots: places(roots),
            nested: places(nested),
            tickets: HashMap::new(),
            plugins: HashMap::new(),
            tenants: BTreeMap::new(),
            next: 0,
            served: 0,
        }
    }

    fn places(&mut self, nested: bool) -> &mut Places {
        match nested {
            true => &mut self.nested,
            false => &mut self.roots,
        }
    }

    fn ask(&mut self, guest: Guest<'_>) -> (u64, Asked) {
        self.next += 1;
        let ticket = self.next;
        let nested = guest.depth > 0;
        let places = self.places(nested);
        let free = places.taken < places.most;
        let tenant_name = name_of(&self.tenants, guest.tenant);
        let plugin_name = match self.plugins.get_key_value(guest.plugin) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(guest.plugin),
        };
        let plugin = self.plugins.entry(Arc::clone(&plugin_name)).or_default();
        // The newest word on a plugin's room counts.
        plugin.concurrency = match Guard::Concurrency.on() {
            true => guest.room.concurrency.max(1),
            false => u32::MAX,
        };
        let enters = free && plugin.inside < plugin.concurrency && plugin.queued == 0;
        // Its parent has a nested place already: it must not wait for another.
        let must_not_wait = guest.depth > 1;
        let full = plugin.queued >= guest.room.queue && Guard::Queue.on();
        if !enters && (must_not_wait && !free || full) {
            self.forget(&tenant_name, &plugin_name);
            return (ticket, Asked::Saturated);
        }
        let stand = match enters {
            true => Stand::Inside,
            false => Stand::Queued,
        };
        let tenant = self.tenants.entry(Arc::clone(&tenant_name)).or_default();
        tenant.tickets += 1;
        plugin.tickets += 1;
        if !enters {
            plugin.queued += 1;
            let queue = tenant.queues.entry(Arc::clone(&plugin_name)).or_default();
            queue.push_back(ticket);
        }
        let entry = Ticket {
            tenant: tenant_name,
            plugin: plugin_name,
            nested,
            stand,
        };
        self.tickets.insert(ticket, entry);
        if enters {
            self.seat(ticket);
            return (ticket, Asked::Enter);
        }
        (ticket, Asked::Wait)
    }

    /// Counts a ticket as inside, with a place and a permit.
    fn seat(&mut self, ticket: u64) {
        self.served += 1;
        let served = self.served;
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return;
        };
        entry.stand = Stand::Inside;
        let nested = entry.nested;
        if let Some(plugin) = self.plugins.get_mut(&entry.plugin) {
            plugin.inside += 1;
        }
        if let Some(tenant) = self.tenants.get_mut(&entry.tenant) {
            tenant.taken += 1;
            tenant.served = served;
        }
        self.places(nested).taken += 1;
    }

    /// Lets in whoever may come in now.
    fn admit(&mut self) -> Vec<u64> {
        let mut admitted = Vec::new();
        // Work under way before new work.
        for nested in [true, false] {
            while let Some(ticket) = self.pick(nested) {
                self.unqueue(ticket);
                self.seat(ticket);
                admitted.push(ticket);
            }
        }
        admitted
    }

    /// Who is next for a place of this sort: of the tenant that holds the
    /// fewest, of those the one served longest ago, its oldest call whose plugin
    /// has a permit.
    fn pick(&self, nested: bool) -> Option<u64> {
        let places = if nested { &self.nested } else { &self.roots };
        if places.taken >= places.most {
            return None;
        }
        let ready = |tenant: &Tenant| {
            let queues = tenant.queues.iter().filter(|(plugin, _)| {
                let plugin = self.plugins.get(*plugin);
                plugin.is_some_and(|it| it.inside < it.concurrency)
            });
            let sort = |ticket: &&u64| {
                let ticket = self.tickets.get(*ticket);
                ticket.is_some_and(|it| it.nested == nested)
            };
            queues
                .filter_map(|(_, queue)| queue.iter().find(sort))
                .min()
                .copied()
        };
        let fair = Guard::Fairness.on();
        self.tenants
            .values()
            .filter_map(|tenant| ready(tenant).map(|ticket| (tenant, ticket)))
            .min_by_key(|(tenant, ticket)| match fair {
                true => (tenant.taken, tenant.served, *ticket),
                false => (0, 0, *ticket),
            })
            .map(|(_, ticket)| ticket)
    }

    fn unqueue(&mut self, ticket: u64) {
        let Some(entry) = self.tickets.get(&ticket) else {
            return;
        };
        if let Some(tenant) = self.tenants.get_mut(&entry.tenant)
            && let Some(queue) = tenant.queues.get_mut(&entry.plugin)
        {
            queue.retain(|it| *it != ticket);
            if queue.is_empty() {
                tenant.queues.remove(&entry.plugin);
            }
        }
        if let Some(plugin) = self.plugins.get_mut(&entry.plugin) {
            plugin.queued = plugin.queued.saturating_sub(1);
        }
    }

    /// Gives a permit back, first to those who had one before.
    fn release_permit(&mut self, plugin: &Arc<str>) -> Vec<u64> {
        let Some(entry) = self.plugins.get_mut(plugin) else {
            return Vec::new();
        };
        entry.inside = entry.inside.saturating_sub(1);
        if entry.inside < entry.concurrency
            && let Some(ticket) = entry.resuming.pop_front()
        {
            entry.inside += 1;
            if let Some(resumed) = self.tickets.get_mut(&ticket) {
                resumed.stand = Stand::Inside;
            }
            return vec![ticket];
        }
        Vec::new()
    }

    fn lend(&mut self, ticket: u64) -> Vec<u64> {
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return Vec::new();
        };
        if entry.stand != Stand::Inside {
            return Vec::new();
        }
        entry.stand = Stand::Lent;
        let plugin = Arc::clone(&entry.plugin);
        let mut next = self.release_permit(&plugin);
        next.extend(self.admit());
        next
    }

    /// Whether the permit is there at once.
    fn take_back(&mut self, ticket: u64) -> bool {
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return true;
        };
        if entry.stand != Stand::Lent {
            return true;
        }
        let Some(plugin) = self.plugins.get_mut(&entry.plugin) else {
            return true;
        };
        if plugin.inside < plugin.concurrency {
            plugin.inside += 1;
            entry.stand = Stand::Inside;
            return true;
        }
        entry.stand = Stand::Resuming;
        plugin.resuming.push_back(ticket);
        false
    }

    /// The permit, whether there is one or not.
    fn force_back(&mut self, ticket: u64) {
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return;
        };
        let Some(plugin) = self.plugins.get_mut(&entry.plugin) else {
            return;
        };
        match entry.stand {
            Stand::Lent => {}
            Stand::Resuming => plugin.resuming.retain(|it| *it != ticket),
            Stand::Queued | Stand::Inside => return,
        }
        entry.stand = Stand::Inside;
        plugin.inside += 1;
    }

    /// A ticket's end, wherever it stands.
    fn leave(&mut self, ticket: u64) -> Vec<u64> {
        let Some(entry) = self.tickets.get(&ticket) else {
            return Vec::new();
        };
        let (stand, nested) = (entry.stand, entry.nested);
        let (tenant, plugin) = (Arc::clone(&entry.tenant), Arc::clone(&entry.plugin));
        let mut next = Vec::new();
        if stand == Stand::Queued {
            self.unqueue(ticket);
        } else {
            self.places(nested).taken -= 1;
            if let Some(tenant) = self.tenants.get_mut(&tenant) {
                tenant.taken = tenant.taken.saturating_sub(1);
            }
        }
        if stand == Stand::Resuming
            && let Some(plugin) = self.plugins.get_mut(&plugin)
        {
            plugin.resuming.retain(|it| *it != ticket);
        }
        if stand == Stand::Inside {
            next = self.release_permit(&plugin);
        }
        self.tickets.remove(&ticket);
        if let Some(tenant) = self.tenants.get_mut(&tenant) {
            tenant.tickets = tenant.tickets.saturating_sub(1);
        }
        if let Some(plugin) = self.plugins.get_mut(&plugin) {
            plugin.tickets = plugin.tickets.saturating_sub(1);
        }
        next.extend(self.admit());
        self.forget(&tenant, &plugin);
        next
    }

    /// Drops what is known of a tenant and a plugin that have nobody here.
    fn forget(&mut self, tenant: &Arc<str>, plugin: &Arc<str>) {
        if self.tenants.get(tenant).is_some_and(|it| it.tickets == 0) {
            self.tenants.remove(tenant);
        }
        if self.plugins.get(plugin).is_some_and(|it| it.tickets == 0) {
            self.plugins.remove(plugin);
        }
    }
}

/// The name as it is kept already, or a new one.
fn name_of<T>(kept: &BTreeMap<Arc<str>, T>, name: &str) -> Arc<str> {
    match kept.get_key_value(name) {
        Some((kept, _)) => Arc::clone(kept),
        None => Arc::from(name),
    }
}

#[cfg(test)]
mod tests;
