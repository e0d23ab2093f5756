//! Secrets in a vault that is asked over HTTP, in the form of a second-version
//! key-value store: `{"data": {"data": {"FIELD": "VALUE"}}}`.
//!
//! The operator wrote the vault's address down, so it is dialled wherever it is,
//! like a model's. A value is kept for as long as the operator said, and asked for
//! again when it is used after that: a vault that is away then means that there is
//! no value.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::{SecretError, SecretSource};
use crate::egress::origin::Origin;
use crate::egress::{Egress, System, client_builder};
use crate::provider::secret::Secret;
use crate::redact;

/// How long a value is kept when nothing else is said.
pub const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer.
const MAX_ANSWER: usize = 256 * 1024;

/// A field of an entry in a vault.
pub struct Vault {
    url: Url,
    origin: Origin,
    token: Arc<dyn SecretSource>,
    /// What the token is called where it stood.
    token_name: String,
    field: String,
    ttl: Duration,
    client: reqwest::Client,
    kept: Mutex<Option<(Instant, Secret)>>,
}

/// No client could be made, or the URL leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("the vault's `url` cannot be used: {0}")]
pub struct BadVault(String);

impl Vault {
    /// The field of the entry at this URL. `name` is the secret's.
    pub fn new(
        name: &str,
        url: &str,
        token: Arc<dyn SecretSource>,
        field: &str,
        ttl: Duration,
    ) -> Result<Vault, BadVault> {
        let bad = |why: &dyn std::fmt::Display| BadVault(why.to_string());
        let url = Url::parse(url).map_err(|error| bad(&error))?;
        let origin = Origin::of(&url).map_err(|error| bad(&error))?;
        if !super::may_carry(&origin) {
            return Err(bad(&"a token goes over `https` only, or to this machine"));
        }
        let client = client_builder(origin.tls(), Arc::new(System::default())).build();
        Ok(Vault {
            client: client.map_err(|_| bad(&"no HTTP client"))?,
            url,
            origin,
            token,
            token_name: format!("{name}-token"),
            field: field.to_owned(),
            ttl,
            kept: Mutex::new(None),
        })
    }

    fn kept(&self) -> Option<Secret> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |(since, _): &&(Instant, Secret)| since.elapsed() < self.ttl;
        kept.as_ref().filter(fresh).map(|(_, value)| value.clone())
    }

    async fn ask(&self, egress: &Egress) -> Result<Secret, SecretError> {
        let wrong = |why: &str| SecretError::Vault(why.to_owned());
        let token = self.token.read(egress).await?;
        redact::watch(&self.token_name, token.reveal())?;
        let token = HeaderValue::from_str(token.reveal());
        let mut token = token.map_err(|_| wrong("cannot be sent this token"))?;
        token.set_sensitive(true);
        let request = self.client.get(self.url.clone());
        let request = request.header("x-vault-token", token).timeout(PATIENCE);
        let exchange = async {
            let answer = request.send().await;
            let mut answer = answer.map_err(|_| wrong("does not answer"))?;
            if !answer.status().is_success() {
                let status = answer.status().as_u16();
                return Err(wrong(&format!("answers with status {status}")));
            }
            let mut body = Vec::new();
            loop {
                let piece = answer.chunk().await;
                let Some(piece) = piece.map_err(|_| wrong("breaks off"))? else {
                    return Ok(body);
                };
                if body.len() + piece.len() > MAX_ANSWER {
                    return Err(wrong("answers too much"));
                }
                body.extend_from_slice(&piece);
            }
        };
        let body = egress.within(&self.origin, exchange).await;
        let body = body.map_err(|_| wrong("has no address"))??;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| wrong("answers no JSON"))?;
        let value = answer
            .pointer("/data/data")
            .and_then(|it| it.get(&self.field));
        match value.and_then(Value::as_str) {
            Some(value) => Ok(Secret::new(value)),
            None => Err(wrong(&format!("has no text `{}` there", self.field))),
        }
    }
}

#[async_trait]
impl SecretSource for Vault {
    async fn read(&self, egress: &Egress) -> Result<Secret, SecretError> {
        if let Some(value) = self.kept() {
            return Ok(value);
        }
        let value = self.ask(egress).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((Instant::now(), value.clone()));
        drop(kept);
        Ok(value)
    }
}
