//! A model on a server, in one of the protocols that `genai` translates to.
//!
//! One call is one HTTP request: nothing is retried, nothing is streamed, no
//! redirect is followed. The deadline and the cancellation are the broker's; a
//! call can be dropped at any moment and its connection goes with it.
//!
//! The base URL is the operator's grant: the broker's egress looks its host up, for
//! each call once, and dials what it found, private or not, and nothing else.
//! The proxies named in the environment are not used: a proxy sees every prompt
//! and the key, so it has to be the operator's decision, in the base URL. What
//! the provider wrote is kept out of errors, except for the complaint about a
//! request that the guest itself made. The key is in no error and in no `Debug`.
//!
//! Not guarded: `genai` reads an answer whole before it is looked at, so an
//! oversized one costs memory until the deadline ends. It is refused afterwards
//! ([`MAX_ANSWER`]), so that it goes no further, and compressed answers are not
//! asked for, so that it cannot be a small download.

mod answer;
mod failure;
mod names;
mod protocol;
mod question;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use reqwest::Url;
use reqwest::header::HeaderValue;

use super::secret::Secret;
use crate::egress::{Egress, System, client_builder, origin};
use crate::llm::{Answer, Completion, LlmError, LlmProvider, Origin, Request};
use crate::{Broker, Caller};
use names::WireNames;
pub use protocol::Protocol;

/// The longest answer that is passed on: 8 MiB of text and arguments.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Until a connection must stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a model is and how to ask for it.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model, as the endpoint names it.
    pub model: String,
    /// Sent as a bearer token; without one no `Authorization` header is sent.
    pub api_key: Option<Secret>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The base URL cannot be used. The URL is not repeated: somebody may have
    /// written a key into it.
    #[error("`base_url` {0}")]
    BaseUrl(&'static str),
    /// There is no model.
    #[error("`model` is empty")]
    Model,
    /// The key cannot be sent.
    #[error("the API key holds characters that no HTTP header can")]
    Key,
    /// No HTTP client could be made, for example for want of root certificates.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
    /// No model client could be made.
    #[error("no model client")]
    Library(#[source] genai::Error),
}

/// Makes `ring` the process's cryptography, unless another is in place already.
/// Call it before the first TLS connection; calling it again does nothing.
pub fn install_ring() {
    // The error is the provider that was there before.
    let _before = rustls::crypto::ring::default_provider().install_default();
}

/// A model on a server.
pub struct Remote {
    client: Client,
    origin: origin::Origin,
    target: ServiceTarget,
    protocol: Protocol,
    model: String,
    api_key: Option<Secret>,
}

impl Remote {
    /// Checks the configuration and makes the client; connects to nothing.
    pub fn new(config: RemoteConfig) -> Result<Remote, RemoteError> {
        let base = base_url(&config.base_url)?;
        let origin =
            origin::Origin::of(&base).map_err(|_| RemoteError::BaseUrl("names no host"))?;
        if config.model.is_empty() {
            return Err(RemoteError::Model);
        }
        let auth = auth(
            config.protocol,
            &base,
            &config.model,
            config.api_key.as_ref(),
        )?;
        let client = Client::builder()
            .with_reqwest(http_client(&origin)?)
            .build()
            .map_err(RemoteError::Library)?;
        // `genai` takes a `namespace::` off a model's name. The one given here is
        // what it finds first, so that the name itself arrives unchanged.
        let adapter = config.protocol.adapter();
        let name = format!("{}::{}", adapter.as_lower_str(), config.model);
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(String::from(base)),
            auth,
            model: ModelIden::new(adapter, name),
        };
        Ok(Remote {
            client,
            origin,
            target,
            protocol: config.protocol,
            model: config.model,
            api_key: config.api_key,
        })
    }

    async fn ask(&self, egress: &Egress, request: &Request) -> Result<Completion, LlmError> {
        let names = WireNames::of(request);
        let (chat, options) = question::of(self.protocol, request, &names)?;
        let call = self
            .client
            .exec_chat(self.target.clone(), chat, Some(&options));
        let response = egress
            .within(&self.origin, call)
            .await
            .map_err(|_| failure::no_connection())?
            .map_err(|error| failure::of(&error, self.api_key.as_ref()))?;
        answer::of(response, request, &names, &self.model)
    }
}

#[async_trait]
impl LlmProvider for Remote {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, broker: &Broker, _: &Caller, request: &Request) -> Answer {
        Answer::wall(self.ask(broker.egress(), request).await)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("base_url", &self.target.endpoint.base_url())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// The URL with a path that ends in `/`, so that joining keeps all of it.
fn base_url(text: &str) -> Result<Url, RemoteError> {
    let mut url = Url::parse(text).map_err(|_| RemoteError::BaseUrl("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RemoteError::BaseUrl("is neither http nor https"));
    }
    let secret_places = !url.username().is_empty() || url.password().is_some();
    if secret_places || url.query().is_some() || url.fragment().is_some() {
        return Err(RemoteError::BaseUrl(
            "holds a user, a password, a query or a fragment",
        ));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn auth(
    protocol: Protocol,
    base: &Url,
    model: &str,
    key: Option<&Secret>,
) -> Result<AuthData, RemoteError> {
    let Some(key) = key else {
        // `genai` wants a key. Naming address and headers ourselves is its way of
        // sending none.
        let (path, headers) = protocol.keyless(model);
        let url = base
            .join(&path)
            .map_err(|_| RemoteError::BaseUrl("cannot be a base"))?;
        return Ok(AuthData::RequestOverride {
            url: String::from(url),
            headers,
        });
    };
    if key.reveal().is_empty() || HeaderValue::from_str(key.reveal()).is_err() {
        return Err(RemoteError::Key);
    }
    Ok(AuthData::from_single(key.reveal()))
}

fn http_client(origin: &origin::Origin) -> Result<reqwest::Client, RemoteError> {
    client_builder(origin.tls(), Arc::new(System::default()))
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
        .map_err(RemoteError::Client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base_url: &str, model: &str, key: Option<&str>) -> RemoteConfig {
        RemoteConfig {
            protocol: Protocol::OpenAi,
            base_url: base_url.into(),
            model: model.into(),
            api_key: key.map(Secret::new),
        }
    }

    #[test]
    fn a_base_url_ends_in_a_slash_and_keeps_its_path() {
        for (text, url) in [
            ("http://localhost:8080", "http://localhost:8080/"),
            ("http://localhost/v1", "http://localhost/v1/"),
            ("http://localhost/v1/", "http://localhost/v1/"),
            ("http://LOCALHOST/a/b", "http://localhost/a/b/"),
        ] {
            assert_eq!(base_url(text).unwrap().as_str(), url);
        }
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused_before_the_first_call() {
        let url = "http://localhost/v1";
        for (base_url, model, key, message) in [
            ("localhost/v1", "m", None, "`base_url` is not a URL"),
            (
                "ftp://localhost",
                "m",
                None,
                "`base_url` is neither http nor https",
            ),
            (
                "http://me:sk-1@localhost",
                "m",
                None,
                "`base_url` holds a user, a password, a query or a fragment",
            ),
            (
                "http://localhost?key=sk-1",
                "m",
                None,
                "`base_url` holds a user, a password, a query or a fragment",
            ),
            (url, "", None, "`model` is empty"),
            (
                url,
                "m",
                Some("sk-1\r\nx: y"),
                "the API key holds characters that no HTTP header can",
            ),
            (
                url,
                "m",
                Some(""),
                "the API key holds characters that no HTTP header can",
            ),
        ] {
            let error = Remote::new(config(base_url, model, key)).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!format!("{error:?}").contains("sk-1"));
        }
    }

    #[test]
    fn the_key_is_in_no_debug_text() {
        let config = config("http://localhost/v1", "m", Some("sk-1"));
        assert!(!format!("{config:?}").contains("sk-1"));
        let shown = format!("{:?}", Remote::new(config).unwrap());
        assert!(!shown.contains("sk-1"), "{shown}");
        assert!(shown.contains("http://localhost/v1/"), "{shown}");
    }
}
