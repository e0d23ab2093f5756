//! The decisions of a bulkhead: no clock, no waiting, no waking.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use hotcell_store::guard::Guard;

use super::Guest;

/// What became of a request for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
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
    /// Calls of its own that it waits for.
    waits: u32,
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

/// Everybody who is in or waits to come in.
#[derive(Debug)]
pub(super) struct Hall {
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
    pub(super) fn new(roots: u32, nested: u32) -> Hall {
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

    /// Places taken, of both sorts.
    pub(super) fn taken(&self) -> usize {
        self.roots.taken as usize + self.nested.taken as usize
    }

    fn places(&mut self, nested: bool) -> &mut Places {
        match nested {
            true => &mut self.nested,
            false => &mut self.roots,
        }
    }

    pub(super) fn ask(&mut self, guest: Guest<'_>) -> (u64, Asked) {
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
        plugin.concurrency = Guard::Concurrency.limit(guest.room.concurrency.max(1), u32::MAX);
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
            waits: 0,
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

    /// One more wait for a call of its own. The first lends the permit.
    pub(super) fn lend(&mut self, ticket: u64) -> Vec<u64> {
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return Vec::new();
        };
        entry.waits += 1;
        if entry.waits > 1 || entry.stand != Stand::Inside {
            return Vec::new();
        }
        entry.stand = Stand::Lent;
        let plugin = Arc::clone(&entry.plugin);
        let mut next = self.release_permit(&plugin);
        next.extend(self.admit());
        next
    }

    /// A wait came to its end: whether its holder may go on at once. While others
    /// of its waits go on it needs no permit.
    pub(super) fn take_back(&mut self, ticket: u64) -> bool {
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return true;
        };
        if entry.waits > 1 || entry.stand != Stand::Lent {
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

    /// Forgets a wait, and says whether it was the last. Its holder then has a
    /// permit, whether there is one or not.
    pub(super) fn end_wait(&mut self, ticket: u64) -> bool {
        let Some(entry) = self.tickets.get_mut(&ticket) else {
            return true;
        };
        entry.waits = entry.waits.saturating_sub(1);
        if entry.waits > 0 {
            return false;
        }
        let Some(plugin) = self.plugins.get_mut(&entry.plugin) else {
            return true;
        };
        match entry.stand {
            Stand::Lent => {}
            Stand::Resuming => plugin.resuming.retain(|it| *it != ticket),
            Stand::Queued | Stand::Inside => return true,
        }
        entry.stand = Stand::Inside;
        plugin.inside += 1;
        true
    }

    /// A ticket's end, wherever it stands.
    pub(super) fn leave(&mut self, ticket: u64) -> Vec<u64> {
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
