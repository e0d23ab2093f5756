//! Tools that are HTTP requests: described by the operator, made by the host.
//!
//! A guest says values, and the host puts each where the description says: in a
//! segment of the path, in the query, in a header, in the body. Values are
//! escaped, so that none can leave its place. Where requests go and with which
//! credential is not in a guest's hands at all, redirects are not followed, and
//! nothing is sent twice.

mod operation;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use hotcell_store::Digest;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

pub use operation::{BadOperation, Body, Operation};

use super::credential::Credential;
use super::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use crate::egress::errand::{Errand, Reply};
use crate::egress::origin::Origin;
use crate::egress::{HttpError, IpNet};
use crate::{Broker, Caller};

/// Says that two requests are the same one.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Where a server is, and what it may take.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where all requests go.
    pub origin: Origin,
    /// Networks it may be in although they are not public.
    pub addresses: Vec<IpNet>,
    /// What proves who asks.
    pub credential: Option<Credential>,
    /// From the look-up of the name to the last byte.
    pub timeout: Duration,
    /// Bytes of an answer's body.
    pub most: usize,
}

/// The tools of one server.
#[derive(Debug)]
pub struct HttpTools {
    server: Server,
    specs: Vec<ToolSpec>,
    operations: BTreeMap<String, Operation>,
}

impl HttpTools {
    /// Tools of these operations, each checked on its own.
    pub fn new(server: Server, operations: Vec<Operation>) -> Result<HttpTools, BadOperation> {
        for operation in &operations {
            operation.check(&server)?;
        }
        Ok(HttpTools {
            server,
            specs: operations.iter().map(|it| it.spec.clone()).collect(),
            operations: operations
                .into_iter()
                .map(|it| (it.spec.name.clone(), it))
                .collect(),
        })
    }

    async fn ask(
        &self,
        broker: &Broker,
        caller: &Caller,
        operation: &Operation,
        call: &ToolCall,
    ) -> Result<ToolOutput, ToolError> {
        let arguments: Map<String, Value> = serde_json::from_str(&call.arguments)
            .map_err(|e| ToolError::InvalidArguments(format!("not a JSON object: {e}")))?;
        let mut request = operation
            .request(&self.server, &arguments)
            .map_err(ToolError::InvalidArguments)?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if operation.spec.effect != EffectKind::ReadOnly {
            headers.insert(IDEMPOTENCY_KEY, idempotency_key(caller, call)?);
        }
        if let Some(credential) = &self.server.credential {
            let (name, value) = credential.header();
            headers.insert(name, value);
        }
        let errand = Errand {
            origin: &self.server.origin,
            addresses: &self.server.addresses,
            request,
            most: self.server.most,
        };
        let asked = broker.egress().errand(caller, errand);
        let reply = tokio::time::timeout(self.server.timeout, asked).await;
        let reply = reply.unwrap_or(Err(HttpError::Timeout));
        self.output(reply.map_err(of_egress)?)
    }

    fn output(&self, reply: Reply) -> Result<ToolOutput, ToolError> {
        let Reply {
            status,
            headers,
            body,
        } = reply;
        if status == StatusCode::TOO_MANY_REQUESTS {
            let after = headers.get(header::RETRY_AFTER);
            let after = after.and_then(|it| it.to_str().ok()?.trim().parse::<u32>().ok());
            return Err(ToolError::RateLimited(
                after.map(|seconds| seconds.saturating_mul(1000)),
            ));
        }
        if status.is_redirection() || status.is_server_error() || status.is_informational() {
            return Err(ToolError::Failed(format!("the server answered {status}")));
        }
        let Ok(text) = String::from_utf8(body) else {
            let why = "the server's answer is not text".to_owned();
            return Err(ToolError::Failed(why));
        };
        let text = match &self.server.credential {
            Some(credential) => credential.hide(text),
            None => text,
        };
        let body: Value = match text.trim() {
            "" => Value::Null,
            trimmed => serde_json::from_str(trimmed).unwrap_or(Value::String(text)),
        };
        let is_error = !status.is_success();
        let content = match is_error {
            true => json!({"status": status.as_u16(), "body": body}),
            false => body,
        };
        Ok(ToolOutput {
            content: content.to_string(),
            is_error,
        })
    }
}

/// The same for the same call, whoever asks again; it tells nobody what the call
/// is about.
fn idempotency_key(caller: &Caller, call: &ToolCall) -> Result<HeaderValue, ToolError> {
    let parts = [
        &caller.run,
        &caller.step,
        &caller.plugin,
        &call.name,
        &call.id,
    ];
    let text = serde_json::to_string(&parts).unwrap_or_default();
    let digest = Digest::of(text.as_bytes()).hex();
    HeaderValue::try_from(digest).map_err(|_| ToolError::Failed("no key".to_owned()))
}

/// What a guest is told of a request that failed: not where it went.
fn of_egress(error: HttpError) -> ToolError {
    match error {
        HttpError::Timeout => ToolError::Timeout,
        HttpError::Busy => ToolError::RateLimited(None),
        HttpError::ResponseBody => ToolError::Failed("its answer is too large".to_owned()),
        other => ToolError::Failed(format!("{}: {other}", other.code())),
    }
}

#[async_trait]
impl ToolProvider for HttpTools {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    async fn call(
        &self,
        broker: &Broker,
        caller: &Caller,
        call: &ToolCall,
    ) -> Result<ToolOutput, ToolError> {
        match self.operations.get(&call.name) {
            Some(operation) => self.ask(broker, caller, operation, call).await,
            None => Err(ToolError::Unknown),
        }
    }
}
