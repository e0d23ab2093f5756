//! The SDK's HTTP client inside ours: only the operator's server is dialled, at an
//! address that was judged; nothing is redirected, and answers have an end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::common::client_side_sse::BoxedSseResponse;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use tokio::time::Instant;

use crate::egress::Egress;
use crate::egress::HttpError;
use crate::tool::http::Server;

type Failed = StreamableHttpError<reqwest::Error>;

/// Events of one answer: one, and what a server tells on the way to it.
const EVENTS: usize = 1_000;

/// A client for one server.
#[derive(Clone)]
pub(super) struct Guarded {
    egress: Arc<Egress>,
    client: reqwest::Client,
    server: Arc<Server>,
    patience: Duration,
}

impl Guarded {
    pub(super) fn new(
        egress: &Arc<Egress>,
        server: &Server,
        patience: Duration,
    ) -> Option<Guarded> {
        Some(Guarded {
            client: egress.client_for(&server.origin)?,
            egress: Arc::clone(egress),
            server: Arc::new(server.clone()),
            patience,
        })
    }

    /// The headers with the credential among them.
    fn signed(
        &self,
        mut headers: HashMap<HeaderName, HeaderValue>,
    ) -> HashMap<HeaderName, HeaderValue> {
        if let Some(credential) = &self.server.credential {
            headers.extend([credential.header()]);
        }
        headers
    }

    async fn dial<T>(&self, act: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        let asked = self
            .egress
            .named(&self.server.origin, &self.server.addresses, act);
        let refused = |error: HttpError| Failed::Io(std::io::Error::other(error));
        match tokio::time::timeout(self.patience, asked).await {
            Ok(asked) => asked.map_err(refused)?,
            Err(_) => Err(refused(HttpError::Timeout)),
        }
    }
}

impl StreamableHttpClient for Guarded {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let most = 1 << 20;
        self.post_message_with_max_sse_event_size(uri, message, session, token, headers, most)
            .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
        most: usize,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let headers = self.signed(headers);
        let deadline = Instant::now() + self.patience;
        let asked = self
            .client
            .post_message_with_max_sse_event_size(uri, message, session, token, headers, most);
        Ok(match self.dial(asked).await? {
            StreamableHttpPostResponse::Sse(events, session) => {
                let late = tokio::time::sleep_until(deadline);
                let events = events.take(EVENTS).take_until(late);
                StreamableHttpPostResponse::Sse(events.boxed(), session)
            }
            other => other,
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failed> {
        let headers = self.signed(headers);
        self.dial(self.client.delete_session(uri, session, token, headers))
            .await
    }

    /// A stream that the server could use at any time: there is none. Its list is
    /// asked for instead.
    async fn get_stream(
        &self,
        _: Arc<str>,
        _: Option<Arc<str>>,
        _: Option<String>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxedSseResponse, Failed> {
        Err(StreamableHttpError::ServerDoesNotSupportSse)
    }
}
