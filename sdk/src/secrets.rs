//! Secrets as handles. The host attaches the value where it leaves the host; a
//! plugin never sees it.

use std::fmt;

use crate::{Denial, import};

/// A secret the plugin may use and cannot read.
pub struct Secret {
    inner: import::Secret,
}

impl Secret {
    /// The handle for a named secret.
    pub fn open(name: &str) -> Result<Secret, Denial> {
        import::secret(name).map(|inner| Secret { inner })
    }

    /// The name it was opened under.
    pub fn name(&self) -> String {
        self.inner.name()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.name()).finish()
    }
}
