//! Something that everything of one tenant shares, for as long as anything of it
//! is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One of these for each tenant that has any.
#[derive(Debug)]
pub(crate) struct PerTenant<T> {
    all: Mutex<HashMap<String, Weak<T>>>,
}

impl<T> Default for PerTenant<T> {
    fn default() -> PerTenant<T> {
        PerTenant {
            all: Mutex::default(),
        }
    }
}

impl<T> PerTenant<T> {
    /// The tenant's own, made if there is none.
    pub(crate) fn of(&self, tenant: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get(tenant).and_then(Weak::upgrade) {
            return own;
        }
        // A stranger may be any number of tenants; those that have nothing go.
        all.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(make());
        all.insert(tenant.to_owned(), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_that_have_nothing_are_forgotten() {
        let tenants = PerTenant::default();
        let kept = tenants.of("kept", || 7);
        for n in 0..1000 {
            tenants.of(&n.to_string(), || 1);
        }
        assert_eq!(tenants.all.lock().unwrap().len(), 2);
        assert!(Arc::ptr_eq(&kept, &tenants.of("kept", || 8)));
    }
}
