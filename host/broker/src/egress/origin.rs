//! Where a request goes, read with the parser that decides what is dialled, so
//! that a policy and a connection cannot mean different hosts.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Methods that can be granted. `CONNECT` and `TRACE` cannot: one opens a tunnel,
/// the other shows headers that others added.
pub const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What a grant that names no methods allows.
const DEFAULT_METHODS: [&str; 2] = ["GET", "HEAD"];

/// Scheme, host and port of an `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    tls: bool,
    host: Host<String>,
    port: u16,
}

/// Why a text names no origin, or a URL no place to go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOrigin {
    /// No URL at all.
    #[error("it is not a URL")]
    Url,
    /// Neither `http` nor `https`.
    #[error("it must start with `http://` or `https://`")]
    Scheme,
    /// Something before an `@`.
    #[error("a user or password does not belong in it")]
    Credentials,
    /// No host, or one that is no name and no address.
    #[error("its host is not a name or an address; there are no wildcards")]
    Host,
    /// Port 0.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// A path, a query or a fragment, where only an origin may stand.
    #[error("it must end after the host and its port")]
    Tail,
    /// It means an origin that is written otherwise.
    #[error("it means `{0}`; write that")]
    Spelling(Origin),
}

impl Origin {
    /// The origin a URL leads to.
    pub fn of(url: &Url) -> Result<Origin, BadOrigin> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(BadOrigin::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadOrigin::Credentials);
        }
        let host = url.host().ok_or(BadOrigin::Host)?.to_owned();
        if let Host::Domain(name) = &host {
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            if name.is_empty() || !name.chars().all(plain) {
                return Err(BadOrigin::Host);
            }
        }
        let port = url.port_or_known_default().filter(|port| *port > 0);
        let port = port.ok_or(BadOrigin::Port)?;
        Ok(Origin { tls, host, port })
    }

    /// The origin that an operator wrote, in the one spelling it has: lower case
    /// or upper, the scheme's own port or none, nothing that has to be decoded.
    pub fn parse(text: &str) -> Result<Origin, BadOrigin> {
        let url = Url::parse(text).map_err(|_| BadOrigin::Url)?;
        let origin = Origin::of(&url)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(BadOrigin::Tail);
        }
        let known = if origin.tls { ":443" } else { ":80" };
        let written = text.to_ascii_lowercase();
        let short = origin.to_string();
        if matches!(&origin.host, Host::Domain(name) if name.ends_with('.')) {
            return Err(BadOrigin::Host);
        }
        match written == short || written == format!("{short}{known}") {
            true => Ok(origin),
            false => Err(BadOrigin::Spelling(origin)),
        }
    }

    /// The address, when the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// The host as a URL has it.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Whether TLS is spoken.
    pub fn tls(&self) -> bool {
        self.tls
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, known) = match self.tls {
            true => ("https", 443),
            false => ("http", 80),
        };
        write!(f, "{scheme}://{}", self.host)?;
        match self.port {
            port if port == known => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = BadOrigin;

    fn try_from(text: String) -> Result<Origin, BadOrigin> {
        Origin::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> String {
        origin.to_string()
    }
}

/// Requests to one origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    /// Where they may go.
    pub origin: Origin,
    /// With which methods; `GET` and `HEAD` when nothing is said.
    #[serde(default = "default_methods")]
    pub methods: BTreeSet<String>,
    /// Networks that the host may be in although they are not public.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "networks")]
    pub addresses: Vec<IpNet>,
}

/// What a grant that names no methods allows.
pub fn default_methods() -> BTreeSet<String> {
    DEFAULT_METHODS.map(str::to_owned).into()
}

/// Networks as texts.
mod networks {
    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(nets: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = nets.iter().map(IpNet::to_string).collect();
        texts.serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let parse = |text: &String| text.parse().map_err(D::Error::custom);
        texts.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests;
