//! What may be spent, how often something may be asked, and what is left of both.
//!
//! **Accounts.** Each cap of the policy is an account: of a run, a day, a tenant, of
//! one plugin or one model in any of these. A call falls under several, and under
//! those of every plugin on whose behalf it is made, so what an agent spends through
//! another is paid by both. Before a call is made, the most that it can cost is set
//! aside in all of them, in one transaction of the books: either all have room or
//! none is touched. When it is over, what it cost takes the place of what was set
//! aside. What is spent and what is set aside never pass the cap together, whoever
//! asks at the same time, in this process or in another one over the same books.
//!
//! **Holds.** What is set aside is written down under the call's run. A hold that is
//! dropped is charged in full, because nobody knows what the call cost. So is a hold
//! of a process that is gone: until its run goes on it counts as set aside, which
//! bars others just as well, and the first call of the run in another process turns
//! it into money that was spent. A call that would fit if those under way cost nothing
//! waits for them, as long as they are this process's own.
//!
//! **Rates.** A bucket leaks: each call adds to it, time drains it, and a call that it
//! has no room for waits until it has, or is refused. Who waits has its place already,
//! so those who came first go first and an estimate is not a guess.
//!
//! What an account or a bucket holds when its cap is new is nothing: calls are counted
//! from when the policy asks for it.

mod account;
mod alert;
mod bucket;
mod clock;
mod entry;
mod gate;
mod line;
mod rules;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotcell_store::books::{Books, BooksError, Page};
use serde::{Deserialize, Serialize};

pub use account::{Account, Funds};
pub use alert::{Alert, Alerts, MARKS};
pub use clock::Steady;
pub use rules::{Allowance, Caps, Rate, Rules};

use entry::{Entry, Line, Pail};
use gate::{Gates, Permits};
use line::Lines;

/// So many runs are remembered as looked after; then it is looked again.
const RUNS: usize = 65_536;

/// So many holds of a run are charged in one go.
const SWEEP: usize = 256;

const ACCOUNTS: &str = "ledger.account";
const HOLDS: &str = "ledger.hold";
const BUCKETS: &str = "ledger.bucket";
const FACTS: &str = "ledger";

/// Money and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worth {
    /// Micro-dollars.
    pub micros: u64,
    /// Tokens, in and out.
    pub tokens: u64,
}

impl Worth {
    fn saturating_add(self, other: Worth) -> Worth {
        Worth {
            micros: self.micros.saturating_add(other.micros),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }

    fn saturating_sub(self, other: Worth) -> Worth {
        Worth {
            micros: self.micros.saturating_sub(other.micros),
            tokens: self.tokens.saturating_sub(other.tokens),
        }
    }
}

/// A call, as far as accounts and rates are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// The run.
    pub run: &'a str,
    /// On whose behalf it was started.
    pub tenant: &'a str,
    /// Who calls.
    pub plugin: &'a str,
    /// On whose behalf it does so: the plugins whose calls this one is inside of.
    pub behalf: &'a [String],
    /// Which model, for model calls.
    pub model: Option<&'a str>,
    /// Which tool, for tool calls.
    pub tool: Option<&'a str>,
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barred {
    /// An account has not enough left.
    Budget(Empty),
    /// Too many; there is room after so many milliseconds, if there ever is.
    Rate(Busy),
    /// The books cannot be written.
    Books(BooksError),
}

impl From<BooksError> for Barred {
    fn from(error: BooksError) -> Barred {
        Barred::Books(error)
    }
}

/// The account that has not enough left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Empty {
    /// The line of the policy, such as `[budget] run_usd = 0.1`.
    pub line: String,
    /// The same line with twice as much.
    pub raise: String,
    /// Its place in the books.
    key: String,
    /// Whether there would be enough if what is set aside cost nothing.
    later: bool,
}

/// The rate that a call is beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// The line of the policy or the host file.
    pub line: String,
    /// When there is room, in milliseconds; none if that is not known.
    pub after_ms: Option<u32>,
}

/// How an account stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The line of the policy that caps it.
    pub line: String,
    /// What it counts.
    pub funds: Funds,
    /// The cap.
    pub cap: u64,
    /// Spent.
    pub spent: u64,
    /// Set aside for calls that are being made, or were when their host was gone.
    pub reserved: u64,
    /// Of what was spent, what calls cost beyond what was set aside for them.
    pub beyond: u64,
}

/// The accounts and the rates of a host. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    books: Books,
    rules: Rules,
    clock: Steady,
    /// Tells holds of this process from those of others.
    session: u64,
    next: AtomicU64,
    /// Runs whose left holds have been charged.
    seen: Mutex<BTreeSet<String>>,
    gates: Gates,
    lines: Lines,
    alerts: Alerts,
}

/// What a hold says in the books.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    /// Keys of accounts.
    accounts: Vec<String>,
    worth: Worth,
}

impl Ledger {
    /// The ledger of these books under these rules. `now_unix_ms` is what the wall
    /// clock shows; it is not looked at again.
    pub fn open(
        books: Books,
        rules: Rules,
        now_unix_ms: u64,
        alerts: Alerts,
    ) -> Result<Ledger, BooksError> {
        let (session, persisted) = books.write_now(|page| {
            let session: u64 = page.read(FACTS, "session")?.unwrap_or_default();
            let session = session.saturating_add(1);
            page.write(FACTS, "session", &session)?;
            let clock: u64 = page.read(FACTS, "clock")?.unwrap_or_default();
            Ok::<_, BooksError>((session, clock))
        })?;
        Ok(Ledger(Arc::new(Inner {
            books,
            rules,
            clock: Steady::start(persisted, now_unix_ms),
            session,
            next: AtomicU64::new(0),
            seen: Mutex::default(),
            gates: Gates::default(),
            lines: Lines::default(),
            alerts,
        })))
    }

    /// Whether a model call can fall under a cap or a rate on tokens, so that it must
    /// have a bound.
    pub fn bounds(&self, payer: Payer<'_>) -> bool {
        let rules = &self.0.rules;
        entry::owners(rules, payer).any(|owner| owner.caps.is_some())
            || entry::rates(rules, payer).any(|(.., rate)| rate.tokens_per_minute.is_some())
    }

    /// The same as [`Ledger::reserve`], but what is set aside for other calls of this
    /// process is waited for as long as it could be enough.
    pub async fn admit(&self, payer: Payer<'_>, most: Worth) -> Result<Hold, Barred> {
        let lines = &self.0.lines;
        let wanted = |barred: &Barred| match barred {
            Barred::Budget(empty) if empty.later && lines.is_open(&empty.key) => {
                Some(empty.key.clone())
            }
            _ => None,
        };
        let mut refused = match self.reserve(payer, most).await {
            Ok(hold) => return Ok(hold),
            Err(refused) => refused,
        };
        while let Some(key) = wanted(&refused) {
            let _head = lines.head(&key).await;
            loop {
                let mut settled = lines.settled();
                refused = match self.reserve(payer, most).await {
                    Ok(hold) => return Ok(hold),
                    Err(refused) => refused,
                };
                if wanted(&refused).as_ref() != Some(&key) {
                    break;
                }
                // The sender is the ledger's, which is here.
                drop(settled.changed().await);
            }
        }
        Err(refused)
    }

    /// Sets aside what a call can cost at most, and waits for its turn. What has
    /// neither a cap nor a rate touches no book.
    pub async fn reserve(&self, payer: Payer<'_>, most: Worth) -> Result<Hold, Barred> {
        let inner = &self.0;
        let permits = inner.gates.enter(&inner.rules, payer).await?;
        let lines = match most == Worth::default() {
            true => Vec::new(),
            false => entry::lines(&inner.rules, payer, inner.clock.now_ms()),
        };
        let pails = entry::pails(&inner.rules, payer);
        if lines.is_empty() && pails.is_empty() {
            return Ok(Hold::of(None, permits));
        }
        let known = inner.knows(payer.run);
        let mut entry = Entry {
            key: inner.key(payer.run),
            run: format!("{}\u{1f}", payer.run),
            own: inner.own(payer.run),
            sweep: !known,
            now: inner.clock.now_micros(),
            lines,
            pails,
            most,
        };
        let keys: Vec<String> = entry.lines.iter().map(|line| line.key.clone()).collect();
        let opened = Opened {
            ledger: Ledger(Arc::clone(inner)),
            key: entry.key.clone(),
            lines: entry.lines.clone(),
            pails: entry.pails.clone(),
            most,
        };
        // From here on a future that is dropped gives back what it set aside: nobody
        // has been asked yet. The job may be done although nobody waits for it, and
        // what gives back is queued behind it.
        let mut hold = Hold::of(Some(opened), permits);
        let wait = inner.books.write(move |page| entry.write(page)).await;
        match wait {
            Ok(wait) => {
                inner.lines.opened(keys.iter());
                hold.counted = true;
                if !known {
                    inner.looked_after(payer.run);
                }
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                hold.asked = true;
                Ok(hold)
            }
            Err(barred) => {
                hold.opened = None;
                Err(barred)
            }
        }
    }

    /// What may still be spent by whoever is described: the least of its accounts.
    /// None: there is no cap.
    pub async fn left_micros(&self, payer: Payer<'_>) -> Result<Option<u64>, BooksError> {
        let inner = &self.0;
        let mut lines = entry::lines(&inner.rules, payer, inner.clock.now_ms());
        lines.retain(|line| line.cap.micros.is_some());
        if lines.is_empty() {
            return Ok(None);
        }
        let left = move |page: &Page<'_>| {
            let mut least = None;
            for line in &lines {
                let account: Account = page.read(ACCOUNTS, &line.key)?.unwrap_or_default();
                let left = line.cap.micros.map(|cap| account.left(cap));
                least = least.into_iter().chain(left).min();
            }
            Ok(least)
        };
        inner.books.write(left).await
    }

    /// How the accounts stand that do not belong to one run.
    pub fn shared(&self, tenant: &str) -> Result<Vec<Standing>, BooksError> {
        let inner = &self.0;
        let lines = entry::shared(&inner.rules, tenant, inner.clock.now_ms());
        inner.books.write_now(move |page| {
            let mut all = Vec::new();
            for line in lines {
                let account = page.read(ACCOUNTS, &line.key)?.unwrap_or_default();
                all.extend(entry::standing(&line, &account));
            }
            Ok(all)
        })
    }

    /// Who hears of accounts that run low.
    pub fn alerts(&self) -> &Alerts {
        &self.0.alerts
    }
}

impl Inner {
    fn own(&self, run: &str) -> String {
        format!("{run}\u{1f}{:016x}\u{1f}", self.session)
    }

    fn key(&self, run: &str) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{number:x}", self.own(run))
    }

    fn knows(&self, run: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(run)
    }

    fn looked_after(&self, run: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= RUNS {
            seen.clear();
        }
        seen.insert(run.to_owned());
    }
}

/// What was set aside for one call, and its turn.
#[must_use = "dropped without being settled, it stays charged"]
pub struct Hold {
    opened: Option<Opened>,
    /// Whether somebody may have been asked: what is dropped then is charged.
    asked: bool,
    /// Whether those who wait know of it.
    counted: bool,
    _permits: Permits,
}

/// A hold that is in the books.
struct Opened {
    ledger: Ledger,
    key: String,
    lines: Vec<Line>,
    pails: Vec<Pail>,
    most: Worth,
}

impl Hold {
    fn of(opened: Option<Opened>, permits: Permits) -> Hold {
        Hold {
            opened,
            asked: false,
            counted: false,
            _permits: permits,
        }
    }

    /// The call cost this. The rest of what was set aside is free again.
    pub async fn settle(mut self, cost: Worth) -> Result<(), BooksError> {
        match self.opened.take() {
            Some(opened) => opened.settle(cost, self.counted).await,
            None => Ok(()),
        }
    }

    /// Nobody was asked: all of it is free again.
    pub async fn release(self) -> Result<(), BooksError> {
        self.settle(Worth::default()).await
    }

    /// Nobody knows what the call cost: all of it is charged.
    pub async fn charge(self) -> Result<(), BooksError> {
        let most = self.most();
        self.settle(most).await
    }

    /// What was set aside.
    pub fn most(&self) -> Worth {
        self.opened.as_ref().map(|it| it.most).unwrap_or_default()
    }
}

impl Opened {
    async fn settle(self, cost: Worth, counted: bool) -> Result<(), BooksError> {
        let Opened {
            ledger,
            key,
            lines,
            pails,
            most,
        } = self;
        let now = ledger.0.clock.now_micros();
        let keys: Vec<String> = lines.iter().map(|line| line.key.clone()).collect();
        let settle =
            move |page: &Page<'_>| entry::settle(page, &key, &lines, &pails, most, cost, now);
        let alerts = ledger.0.books.write(settle).await;
        // Also when the books fail: then it stays set aside, and nobody should wait.
        if counted {
            ledger.0.lines.closed(keys.iter());
        }
        ledger.0.alerts.tell(alerts?);
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(opened) = self.opened.take() else {
            return;
        };
        // Where nothing can be spawned any more the process ends: then the hold stays
        // in the books as it is, and bars as much.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let cost = match self.asked {
            true => opened.most,
            false => Worth::default(),
        };
        // Books that fail leave the hold where it is.
        let counted = self.counted;
        runtime.spawn(async move { opened.settle(cost, counted).await.unwrap_or_default() });
    }
}

/// How long a wait is, as the guest is told it.
fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
