//! Waiting for money that is set aside: the calls it is for may cost less, and what is
//! left over is enough for another one.
//!
//! Only holds of this process are waited for; it hears when they are settled. Of those
//! who wait for one account, one asks again at a time, in the order of coming.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

/// Who waits for which account.
pub(super) struct Lines {
    /// By account.
    accounts: Mutex<BTreeMap<String, Account>>,
    /// Changes whenever a hold is settled.
    settled: watch::Sender<()>,
}

#[derive(Default)]
struct Account {
    /// Holds that are open in this process.
    open: u64,
    line: Arc<tokio::sync::Mutex<()>>,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines {
            accounts: Mutex::default(),
            settled: watch::Sender::new(()),
        }
    }
}

impl Lines {
    /// A hold is opened in these accounts.
    pub(super) fn opened<'k>(&self, keys: impl Iterator<Item = &'k String>) {
        let mut accounts = self.lock();
        for key in keys {
            accounts.entry(key.clone()).or_default().open += 1;
        }
    }

    /// A hold in these accounts is settled.
    pub(super) fn closed<'k>(&self, keys: impl Iterator<Item = &'k String>) {
        let mut accounts = self.lock();
        for key in keys {
            if let Some(account) = accounts.get_mut(key) {
                account.open = account.open.saturating_sub(1);
                if account.open == 0 && Arc::strong_count(&account.line) == 1 {
                    accounts.remove(key);
                }
            }
        }
        drop(accounts);
        self.settled.send_replace(());
    }

    /// Whether some of an account may be free again without anybody else's doing.
    pub(super) fn is_open(&self, key: &str) -> bool {
        self.lock().get(key).is_some_and(|account| account.open > 0)
    }

    /// A place in the line for an account, at its head.
    pub(super) async fn head(&self, key: &str) -> OwnedMutexGuard<()> {
        let line = Arc::clone(&self.lock().entry(key.to_owned()).or_default().line);
        line.lock_owned().await
    }

    /// Hears of every hold that is settled from now on.
    pub(super) fn settled(&self) -> watch::Receiver<()> {
        self.settled.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
