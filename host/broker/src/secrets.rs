//! Secrets by name: where they are, who may use them, and where they may go.
//!
//! A plugin gets a handle, never a value: it writes [`placeholder`] into a field of a
//! request, and the value is put there when the request leaves, if the plugin was
//! granted the secret and the secret may go to that origin. To be told the value is
//! a grant of its own, and whoever was told it still cannot send it elsewhere: what
//! leaves is looked through ([`crate::redact`]).
//!
//! A value is asked for at each use, so that one that was rotated is used from then
//! on. Sources keep what they may keep.

mod attach;
pub mod vault;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use crate::control::Barred;
use crate::egress::Egress;
use crate::egress::origin::Origin;
use crate::meter::Refusal;
use crate::policy::{self, Access, Capability, Denial};
use crate::provider::secret::Secret;
use crate::recall::{Question, Unrecorded};
use crate::redact::TooShort;
use crate::{Broker, Caller, redact, text};

pub(crate) use attach::{Attachments, carries_one};

/// The longest value: 64 KiB, as long as any key or certificate.
pub const MAX_VALUE: usize = 64 * 1024;

/// The longest text that a refusal repeats, in bytes.
const RESOURCE: usize = 256;

/// Why there is no value. What is said holds none either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not where it should be.
    #[error("{0}")]
    Missing(String),
    /// It is there, and others could have read or changed it.
    #[error("{0}")]
    Exposed(String),
    /// It cannot be looked for, so it could not be kept in.
    #[error(transparent)]
    Short(#[from] TooShort),
    /// More than [`MAX_VALUE`].
    #[error("it is longer than {MAX_VALUE} bytes")]
    Long,
    /// The vault gave none.
    #[error("the vault {0}")]
    Vault(String),
}

/// Where a value is.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// The value as it is now.
    async fn read(&self, egress: &Egress) -> Result<Secret, SecretError>;
}

/// A secret that the operator made known.
#[derive(Clone)]
pub struct Entry {
    /// Where its value is.
    pub source: Arc<dyn SecretSource>,
    /// Where it may go.
    pub origins: BTreeSet<Origin>,
}

/// All secrets, by name.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Entry>);

/// What a plugin writes where a secret belongs: `{{secret:NAME}}`.
pub fn placeholder(name: &str) -> String {
    format!("{}{name}{}", attach::OPEN, attach::CLOSE)
}

/// Whether a secret may ever go there: over TLS, or to this machine.
pub fn may_carry(origin: &Origin) -> bool {
    let here = origin.address().map(|it| it.to_canonical().is_loopback());
    origin.tls() || here == Some(true)
}

/// Why something is not sent, in words.
pub(crate) fn carries(name: &str) -> String {
    format!("it carries the secret `{name}`, which must not leave")
}

impl Secrets {
    /// These secrets.
    pub fn new(entries: BTreeMap<String, Entry>) -> Secrets {
        Secrets(entries)
    }

    /// Reads every value once, so that all are known before anything is shown. Says
    /// which one cannot be.
    pub async fn load(&self, egress: &Egress) -> Result<(), (String, SecretError)> {
        for name in self.0.keys() {
            let value = self.value(name, egress).await;
            value.map_err(|error| (name.clone(), error))?;
        }
        Ok(())
    }

    /// The value as it is now. From here on it is looked for.
    async fn value(&self, name: &str, egress: &Egress) -> Result<Secret, SecretError> {
        let entry = self.0.get(name);
        let entry = entry.ok_or_else(|| SecretError::Missing("nobody has it".to_owned()))?;
        let value = entry.source.read(egress).await?;
        if value.reveal().len() > MAX_VALUE {
            return Err(SecretError::Long);
        }
        redact::watch(name, value.reveal())?;
        Ok(value)
    }

    fn may_go(&self, name: &str, origin: &Origin) -> bool {
        let entry = self.0.get(name);
        entry.is_some_and(|it| it.origins.contains(origin) && may_carry(origin))
    }
}

impl Broker {
    /// Whether a plugin may have the handle of a secret.
    pub fn open_secret(&self, caller: &Caller, name: &str) -> Result<(), Denial> {
        self.allow(caller, Capability::Secrets, name)?;
        match self.inner.secrets.0.contains_key(name) {
            true => Ok(()),
            false => {
                let reason = "the host file has no such secret";
                self.refuse_secret(caller, name, reason.to_owned());
                Err(Denial::Unavailable)
            }
        }
    }

    /// The value of a secret, for a plugin that may be told it. The journal gets
    /// none, so the attempt cannot be executed again from it alone.
    pub async fn reveal_secret(&self, caller: &Caller, name: &str) -> Result<String, Denial> {
        let resource = policy::reveal(name);
        self.allow(caller, Capability::Secrets, &resource)?;
        let why = Unrecorded::Secrets;
        if !caller
            .log
            .leaves(caller, why, format_args!("secrets {resource}"))
        {
            return Err(Denial::Unavailable);
        }
        let effect = self.begin(caller, Capability::Secrets, &resource, None);
        let effect = effect.ok_or(Denial::Unavailable)?;
        match self.inner.secrets.value(name, self.egress()).await {
            Ok(value) => {
                effect.end("ok", |_| {});
                Ok(value.reveal().to_owned())
            }
            Err(error) => {
                effect.end("unavailable", |_| {});
                self.refuse_secret(caller, &resource, error.to_string());
                Err(Denial::Unavailable)
            }
        }
    }

    fn refuse_secret(&self, caller: &Caller, resource: &str, reason: String) {
        caller.meter.refusal(Refusal {
            plugin: caller.plugin.clone(),
            capability: Capability::Secrets,
            resource: text::line(resource, RESOURCE),
            reason: text::line(&reason, RESOURCE),
            allow_with: None,
        });
    }

    /// Secrets whose values this plugin may have been told, and may send there.
    fn may_send(&self, plugin: &str, origin: &Origin) -> BTreeSet<String> {
        let told = |name: &&String| {
            let access = Access {
                plugin,
                capability: Capability::Secrets,
                resource: &policy::reveal(name),
            };
            self.inner.secrets.may_go(name, origin)
                && policy::decide(&self.inner.policy, access).is_ok()
        };
        self.inner.secrets.0.keys().filter(told).cloned().collect()
    }

    /// Refuses a question with a secret in it. That is recorded: the plugin was
    /// told the value, and did not keep it.
    pub(crate) fn discreet(&self, caller: &Caller, question: Question<'_>) -> Result<(), Barred> {
        let Some(name) = question.carries() else {
            return Ok(());
        };
        caller.meter.refusal(Refusal {
            plugin: caller.plugin.clone(),
            capability: question.capability(),
            resource: text::line(question.resource(), RESOURCE),
            reason: carries(&name),
            allow_with: None,
        });
        Err(Barred::Secret(name))
    }
}
