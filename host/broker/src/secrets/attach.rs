//! Secrets on their way out: put where a request's fields ask for them, and kept
//! out of everything else that leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::{RESOURCE, Secrets, carries};
use crate::egress::origin::Origin;
use crate::egress::{Egress, HttpError};
use crate::meter::{OpenEffect, Refusal};
use crate::policy::{Access, Capability, Denial, decide};
use crate::{Broker, Caller, redact, text};

/// What a placeholder begins with.
pub(super) const OPEN: &str = "{{secret:";

/// And what it ends with.
pub(super) const CLOSE: &str = "}}";

/// The secrets that one request takes along.
pub(crate) struct Attachments {
    secrets: Arc<Secrets>,
    /// By name, each with the record of its use.
    open: Vec<(String, OpenEffect)>,
    /// Told to the plugin, and good for where the request goes.
    pub(crate) allowed: BTreeSet<String>,
}

impl Broker {
    /// Checks a request before anything is sent: which secrets it asks for, and that
    /// it carries no other.
    pub(crate) fn attachments(
        &self,
        caller: &Caller,
        url: &Url,
        headers: &HeaderMap,
        origin: &Origin,
    ) -> Result<Attachments, HttpError> {
        let allowed = self.may_send(&caller.plugin, origin);
        let refuse = |reason: String| {
            caller.meter.refusal(Refusal {
                plugin: caller.plugin.clone(),
                capability: Capability::Http,
                resource: text::line(&origin.to_string(), RESOURCE),
                reason: text::line(&reason, RESOURCE),
                allow_with: None,
            });
            HttpError::Secret
        };
        // URLs are logged by everybody on the way.
        if let Some(name) = redact::found(url.as_str()) {
            return Err(refuse(carries(&name)));
        }
        let plain = url.as_str().to_ascii_lowercase().replace("%7b", "{");
        if plain.replace("%3a", ":").contains(OPEN) {
            let reason = "a secret is never put into a URL; put it into a field";
            return Err(refuse(reason.to_owned()));
        }
        let mut names = BTreeSet::new();
        for (field, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let found = redact::found(&value).or_else(|| redact::found(field.as_str()));
            if let Some(name) = found.filter(|name| !allowed.contains(&**name)) {
                return Err(refuse(carries(&name)));
            }
            names.extend(asked(&value).map(str::to_owned));
        }
        let mut open = Vec::new();
        for name in names {
            self.may_attach(caller, &name, origin)?;
            let effect = self.begin(caller, Capability::Secrets, &name, None);
            open.push((name, effect.ok_or(HttpError::Exhausted)?));
        }
        Ok(Attachments {
            secrets: Arc::clone(&self.inner.secrets),
            open,
            allowed,
        })
    }

    fn may_attach(&self, caller: &Caller, name: &str, origin: &Origin) -> Result<(), HttpError> {
        let access = Access {
            plugin: &caller.plugin,
            capability: Capability::Secrets,
            resource: name,
        };
        if let Err(denial) = decide(&self.inner.policy, access) {
            caller.meter.refusal(Refusal::new(access, &denial));
            return Err(HttpError::Denied(denial));
        }
        if !self.inner.secrets.may_go(name, origin) {
            let reason = format!("the host file does not let it go to {origin}");
            self.refuse_secret(caller, name, reason);
            let what = format!("secrets {name} to {origin}");
            return Err(HttpError::Denied(Denial::NotGranted(what)));
        }
        Ok(())
    }
}

impl Attachments {
    /// Whether the request takes any along.
    pub(crate) fn any(&self) -> bool {
        !self.open.is_empty()
    }

    /// Puts the values where the fields ask for them. Only the connection sees the
    /// fields after this.
    pub(crate) async fn attach(
        &mut self,
        headers: &mut HeaderMap,
        egress: &Egress,
    ) -> Result<(), HttpError> {
        if !self.any() {
            return Ok(());
        }
        let mut values = Vec::new();
        for (name, effect) in std::mem::take(&mut self.open) {
            match self.secrets.value(&name, egress).await {
                Ok(value) => {
                    effect.end("ok", |_| {});
                    values.push((super::placeholder(&name), value));
                }
                Err(_) => {
                    effect.end("unavailable", |_| {});
                    return Err(HttpError::NoSecret);
                }
            }
        }
        for field in headers.values_mut() {
            let Ok(text) = field.to_str() else { continue };
            if !text.contains(OPEN) {
                continue;
            }
            let mut text = text.to_owned();
            for (placeholder, value) in &values {
                text = text.replace(placeholder, value.reveal());
            }
            *field = HeaderValue::try_from(text).map_err(|_| HttpError::NoSecret)?;
            field.set_sensitive(true);
        }
        // The server may send back what it got: it must be there as it is, and as a
        // whole, to be found.
        for name in [header::ACCEPT_ENCODING, header::RANGE, header::IF_RANGE] {
            headers.remove(name);
        }
        let identity = HeaderValue::from_static("identity");
        headers.insert(header::ACCEPT_ENCODING, identity);
        Ok(())
    }
}

/// The record of a body that was not sent to its end.
pub(crate) fn carries_one(plugin: &str, origin: &Origin) -> Refusal {
    Refusal {
        plugin: plugin.to_owned(),
        capability: Capability::Http,
        resource: text::line(&origin.to_string(), RESOURCE),
        reason: "its body carries a secret, which must not leave".to_owned(),
        allow_with: None,
    }
}

/// The names that a field asks for.
fn asked(value: &str) -> impl Iterator<Item = &str> {
    let pieces = value.split(OPEN).skip(1);
    pieces.filter_map(|piece| piece.split_once(CLOSE).map(|(name, _)| name))
}
