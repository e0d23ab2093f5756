//! Secrets as handles. The host attaches the value where it leaves the host; a
//! plugin does not see it unless it is granted that as well.
//!
//! ```
//! use hotcell_sdk::secrets::Secret;
//! use hotcell_sdk::testing::Host;
//!
//! let ran = Host::new().secret("github", "ghp_not-a-real-one").run(|| {
//!     let token = Secret::open("github")?;
//!     Ok::<_, hotcell_sdk::Denial>(format!("Bearer {}", token.placeholder()))
//! });
//! // What the plugin writes into a header field; the host does the rest.
//! assert_eq!(ran.result.as_deref(), Ok("Bearer {{secret:github}}"));
//! ```

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

    /// The text that stands for the value: `{{secret:NAME}}`. In a header field of
    /// an HTTP request the host puts the value in its place, if the secret may go
    /// to that origin.
    pub fn placeholder(&self) -> String {
        self.inner.placeholder()
    }

    /// The value itself, under a grant of its own. What carries it elsewhere than to
    /// where the secret may go is refused.
    pub fn reveal(&self) -> Result<String, Denial> {
        self.inner.reveal()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.name()).finish()
    }
}
