//! A model on a server, in one of the protocols that `genai` translates to.
//!
//! One call is one HTTP request: nothing is retried, no redirect is followed. The
//! deadline and the cancellation are the broker's; a call can be dropped at any
//! moment and its connection goes with it.
//!
//! `genai` writes the request and reads the answer; what goes out and what comes in
//! is ours (`relay`). The answer is asked for in pieces where the server can do
//! that, so that silence is noticed ([`Waits`]); it is read within bounds, and
//! handed on when it is whole.
//!
//! The base URL is the operator's grant: the broker's egress looks its host up, for
//! each call once, and dials what it found, private or not, and nothing else.
//! The proxies named in the environment are not used: a proxy sees every prompt
//! and the key, so it has to be the operator's decision, in the base URL. What
//! the provider wrote is kept out of errors, except for the complaint about a
//! request that the guest itself made. The key is attached when the request leaves;
//! `genai` never has it, and it is in no error and in no `Debug`.
//!
//! Not guarded: what a server of Gemini's protocol signs its thoughts with is not
//! kept, because a message here has no place for it.

mod answer;
mod embed;
mod failure;
mod names;
mod protocol;
mod question;
mod reading;
mod relay;
mod usage;
mod whole;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::time::Instant;

use super::secret::Secret;
use crate::egress::{Egress, System, client_builder, origin};
use crate::llm::{Answer, Completion, EmbedAsk, Embedding, LlmError, LlmProvider, Origin, Request};
use crate::{Broker, Caller};
use names::WireNames;
pub use protocol::Protocol;
pub use reading::Waits;
use reading::{Reading, by};
use relay::Relay;
use usage::Reported;

/// The longest answer that is passed on: 8 MiB of text and arguments.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Until a connection must stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// As much as is read of what a provider says about a request it refuses.
const COMPLAINT: usize = 64 << 10;

/// Where a model is and how to ask for it.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model, as the endpoint names it.
    pub model: String,
    /// Sent in the protocol's own field; without one no such field is sent.
    pub api_key: Option<Secret>,
    /// Whether answers are asked for in pieces. A server that answers in one piece
    /// all the same is understood.
    pub stream: bool,
    /// How long it may let us wait within a call.
    pub waits: Waits,
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
    translator: Client,
    client: reqwest::Client,
    origin: origin::Origin,
    base: Url,
    url: Url,
    head: HeaderMap,
    protocol: Protocol,
    model: String,
    api_key: Option<Secret>,
    stream: bool,
    waits: Waits,
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
        let url = base
            .join(&config.protocol.path(&config.model, config.stream))
            .map_err(|_| RemoteError::BaseUrl("cannot be a base"))?;
        let key = config.api_key.as_ref().map(Secret::reveal);
        let head = config.protocol.head(key).ok_or(RemoteError::Key)?;
        let translator = Client::builder()
            .with_reqwest(http_client(false)?)
            .build()
            .map_err(RemoteError::Library)?;
        Ok(Remote {
            translator,
            client: http_client(origin.tls())?,
            origin,
            base,
            url,
            head,
            protocol: config.protocol,
            model: config.model,
            api_key: config.api_key,
            stream: config.stream,
            waits: config.waits,
        })
    }

    async fn ask(&self, egress: &Egress, request: &Request) -> Result<Completion, LlmError> {
        let names = WireNames::of(request);
        let (chat, options) = question::of(self.protocol, request, &names)?;
        let relay = Relay::open().await.map_err(|_| no_relay())?;
        let adapter = self.protocol.adapter();
        // `genai` takes a `namespace::` off a model's name. The one given here is
        // what it finds first.
        let name = format!("{}::{}", adapter.as_lower_str(), self.model);
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(relay.base()),
            // The key is attached when the request leaves.
            auth: AuthData::from_single("none"),
            model: ModelIden::new(adapter, name),
        };
        let translated = async {
            let call = self.translator.exec_chat(target, chat, Some(&options));
            call.await.map_err(|error| failure::of_translation(&error))
        };
        let carried = async {
            let mut asked = relay.asked().await.map_err(|_| no_relay())?;
            let (protocol, payload) = (self.protocol, &mut asked.payload);
            protocol.mend(payload, &self.model, request, self.stream);
            let mut reported = Reported::default();
            let sent = self.send(&self.url, payload, &mut reported);
            let within = egress.within(&self.origin, sent).await;
            let mut answer = within.map_err(|_| failure::no_connection())??;
            usage::strip(self.protocol, &mut answer);
            asked.answer(&answer).await.map_err(|_| no_relay())?;
            Ok(reported)
        };
        let (response, reported) = futures::try_join!(translated, carried)?;
        answer::of(response, &reported, request, &names, &self.model)
    }

    /// One request and its answer, whole.
    async fn send(
        &self,
        url: &Url,
        payload: &Value,
        reported: &mut Reported,
    ) -> Result<Value, LlmError> {
        let first = self.waits.first_byte.map(|it| Instant::now() + it);
        let call = self.client.post(url.clone());
        let call = call.headers(self.head.clone()).json(payload).send();
        let response = by(first, call).await?;
        let response = response.map_err(|error| failure::of_sending(&error))?;
        let status = response.status();
        let head = response.headers().clone();
        let reading = Reading::new(response.bytes_stream(), first, self.waits.idle);
        if !status.is_success() {
            let body = reading.beginning(COMPLAINT).await;
            let key = self.api_key.as_ref();
            return Err(failure::refused(status, &body, &head, key));
        }
        let kind = head.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        match kind.unwrap_or_default() {
            kind if kind.starts_with(b"text/event-stream")
                || kind.starts_with(b"application/x-ndjson") =>
            {
                whole::listen(self.protocol, reading, reported).await
            }
            kind if kind.starts_with(b"application/json") => {
                let body = reading.all().await?;
                let answer = serde_json::from_slice(&body);
                let answer = answer.map_err(|_| failure::unavailable("the answer is no JSON"))?;
                reported.note(self.protocol, &answer);
                Ok(answer)
            }
            _ => Err(failure::unavailable(
                "the answer's content type is not JSON",
            )),
        }
    }
}

/// The machine has no loopback interface, or no ports are left.
fn no_relay() -> LlmError {
    failure::unavailable("the host cannot connect to itself on 127.0.0.1")
}

#[async_trait]
impl LlmProvider for Remote {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, broker: &Broker, _: &Caller, request: &Request) -> Answer {
        Answer::wall(self.ask(broker.egress(), request).await)
    }

    async fn embed(
        &self,
        broker: &Broker,
        _: &Caller,
        asked: &EmbedAsk,
    ) -> Result<Embedding, LlmError> {
        self.vectors(broker.egress(), asked).await
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("protocol", &self.protocol)
            .field("base_url", &self.base.as_str())
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

fn http_client(tls: bool) -> Result<reqwest::Client, RemoteError> {
    client_builder(tls, Arc::new(System::default()))
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
            stream: true,
            waits: Waits::default(),
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
