//! Why a request was not answered.

use http::HeaderName;

use super::BadOrigin;
use crate::policy::Denial;

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Policy says no.
    #[error("denied: {0}")]
    Denied(Denial),
    /// The host has an address that nobody granted.
    #[error("the address is not granted")]
    Prohibited,
    /// The URL leads nowhere.
    #[error("the URL: {0}")]
    Url(BadOrigin),
    /// A field that only the host may set.
    #[error("the field `{0}` is set by the host")]
    Field(HeaderName),
    /// It carries a secret that must not go there.
    #[error("it carries a secret that must not go there")]
    Secret,
    /// The value of a secret that it asks for is not there, or is no text that a
    /// field can have.
    #[error("a secret has no value that can be sent")]
    NoSecret,
    /// The answer to a request with a secret cannot be looked through.
    #[error("the answer is compressed")]
    Compressed,
    /// Too many fields in the request, or too many bytes of them.
    #[error("the request's head is too large")]
    RequestHead,
    /// A request's body beyond its cap.
    #[error("the request's body is too large")]
    RequestBody,
    /// The guest did not finish the body it began.
    #[error("the request's body was not finished")]
    Unfinished,
    /// Too many fields in the answer, or too many bytes of them.
    #[error("the answer's head is too large")]
    ResponseHead,
    /// An answer's body beyond its cap.
    #[error("the answer's body is too large")]
    ResponseBody,
    /// As many requests are under way as may be.
    #[error("too many requests at once")]
    Busy,
    /// The attempt has had as many effects as it may.
    #[error("budget exhausted")]
    Exhausted,
    /// It could not be written down, so it is not sent.
    #[error("the audit is unavailable")]
    Unwritten,
    /// Time is up.
    #[error("timeout")]
    Timeout,
    /// The name has no address.
    #[error("the name cannot be resolved")]
    Name,
    /// Nobody answers there, or not with a certificate that counts.
    #[error("no connection")]
    Connect,
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke")]
    Broken,
    /// This host cannot speak TLS, for example for want of root certificates.
    #[error("no HTTP client")]
    Client,
}

impl HttpError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            HttpError::Denied(_) => "denied",
            HttpError::Prohibited => "denied-address",
            HttpError::Url(_) => "invalid-url",
            HttpError::Field(_) => "invalid-field",
            HttpError::Secret => "secret",
            HttpError::NoSecret => "no-secret",
            HttpError::Compressed => "compressed",
            HttpError::RequestHead => "request-head",
            HttpError::RequestBody => "request-body",
            HttpError::Unfinished => "unfinished",
            HttpError::ResponseHead => "response-head",
            HttpError::ResponseBody => "response-body",
            HttpError::Busy => "busy",
            HttpError::Exhausted => "budget-exhausted",
            HttpError::Unwritten => "audit-unavailable",
            HttpError::Timeout => "timeout",
            HttpError::Name => "name",
            HttpError::Connect => "connect",
            HttpError::Broken => "broken",
            HttpError::Client => "client",
        }
    }
}
