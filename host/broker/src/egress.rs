//! The one way out: every HTTP request of this host passes here, whether a guest
//! asked for it or a model's provider.
//!
//! A URL is read once, by the parser that the connection uses. Its origin is
//! looked up in the grants, its name is resolved once, **every** address found is
//! judged, and only a judged address is dialled. Redirects are not followed,
//! proxies of the environment not used, bodies not decompressed, connections not
//! shared. One deadline covers everything from the look-up to the last byte.
//!
//! Not guarded: a granted server may be told anything that the agent knows, as
//! far as its bodies and fields are large. Whom to trust with that is what a
//! grant decides.

pub mod address;
mod body;
mod discreet;
pub(crate) mod errand;
mod error;
pub mod origin;
mod places;
mod request;
mod resolve;
mod sent;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hotcell_store::guard::Guard;

pub use body::Incoming;
pub use error::HttpError;
pub use ipnet::IpNet;
use ipnet::{Ipv4Net, Ipv6Net};
use origin::Origin;
pub use origin::{BadOrigin, HttpGrant};
use places::Places;
pub use request::{Patience, is_the_hosts};
pub use resolve::{Resolve, System};
pub use sent::Sent;

use crate::provider::remote::install_ring;

/// What requests may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the look-up of the name to the last byte of the answer: 30 s. The
    /// guest's own deadline may come sooner.
    pub total: Duration,
    /// Bytes of a request's body: 4 MiB.
    pub request_body: usize,
    /// Bytes of an answer's body: 8 MiB.
    pub response_body: usize,
    /// Fields of a head, either way: 100.
    pub fields: usize,
    /// Bytes of their names and values together: 32 KiB.
    pub field_bytes: usize,
    /// Requests of a plugin that may be under way at once in one run: 16.
    pub per_agent: u32,
    /// Requests of a tenant: 64.
    pub per_tenant: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            total: Duration::from_secs(30),
            request_body: 4 << 20,
            response_body: 8 << 20,
            fields: 100,
            field_bytes: 32 << 10,
            per_agent: 16,
            per_tenant: 64,
        }
    }
}

/// How requests leave.
pub struct Egress {
    limits: Limits,
    resolver: Arc<dyn Resolve>,
    places: Arc<Places>,
    plain: OnceLock<Option<reqwest::Client>>,
    tls: OnceLock<Option<reqwest::Client>>,
}

impl Default for Egress {
    fn default() -> Egress {
        Egress::new(Arc::new(System::default()), Limits::default())
    }
}

/// A name and the addresses that may be dialled for it.
#[derive(Clone, Debug)]
struct Judged {
    host: String,
    addresses: Vec<IpAddr>,
}

tokio::task_local! {
    /// What the request that runs in this task may dial.
    static JUDGED: Judged;
}

/// Gives connections the addresses that were judged for their request, and no
/// others.
struct Pinned(Arc<dyn Resolve>);

impl reqwest::dns::Resolve for Pinned {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let judged = JUDGED.try_with(Judged::clone).ok();
        let judged = judged.filter(|judged| judged.host == name.as_str());
        let resolver = Arc::clone(&self.0);
        Box::pin(async move {
            let mut addresses = judged.ok_or("no address was judged")?.addresses;
            if !Guard::EgressPin.on() {
                addresses = resolver.resolve(name.as_str()).await?;
            }
            let sockets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(sockets) as reqwest::dns::Addrs)
        })
    }
}

impl Egress {
    /// A way out with this resolver and these limits.
    pub fn new(resolver: Arc<dyn Resolve>, limits: Limits) -> Egress {
        Egress {
            limits,
            resolver,
            places: Arc::default(),
            plain: OnceLock::new(),
            tls: OnceLock::new(),
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn client(&self, tls: bool) -> Option<&reqwest::Client> {
        let client = if tls { &self.tls } else { &self.plain };
        let fields = Guard::EgressFields.limit(self.limits.fields, usize::from(u16::MAX));
        client
            .get_or_init(|| {
                let builder = client_builder(tls, Arc::clone(&self.resolver));
                builder.http1_max_headers(fields).build().ok()
            })
            .as_ref()
    }

    /// Does something in which requests go to an origin that the operator wrote
    /// down, wherever it is: its name is looked up here, once.
    pub(crate) async fn within<T>(
        &self,
        origin: &Origin,
        act: impl Future<Output = T>,
    ) -> Result<T, HttpError> {
        let anywhere = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let judged = self.judge(origin, &anywhere).await;
        let judged = judged.map_err(|_| HttpError::Name)?;
        Ok(JUDGED.scope(judged, act).await)
    }

    /// The addresses of an origin, all of them judged. One that may not be
    /// dialled refuses the others: who mixes them does so on purpose.
    async fn judge(&self, origin: &Origin, granted: &[IpNet]) -> Result<Judged, Refused> {
        let host = origin.host();
        let addresses = match origin.address() {
            Some(address) => vec![address],
            None => self
                .resolver
                .resolve(&host)
                .await
                .map_err(|_| Refused::Name)?,
        };
        if addresses.is_empty() {
            return Err(Refused::Name);
        }
        for address in &addresses {
            if let Err(special) = address::judge(*address, granted)
                && Guard::EgressAddress.on()
            {
                return Err(Refused::Address(*address, special));
            }
        }
        Ok(Judged { host, addresses })
    }
}

/// Why a host is not dialled.
enum Refused {
    Name,
    Address(IpAddr, address::Special),
}

/// The one way to make an HTTP client: it dials what was judged in the task it
/// is used in, and nothing else.
pub(crate) fn client_builder(tls: bool, resolver: Arc<dyn Resolve>) -> reqwest::ClientBuilder {
    install_ring();
    let redirect = match Guard::EgressRedirect.on() {
        true => reqwest::redirect::Policy::none(),
        false => reqwest::redirect::Policy::limited(10),
    };
    let builder = reqwest::Client::builder()
        .redirect(redirect)
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .http1_only()
        // A connection was dialled under one grant; another may not know it.
        .pool_max_idle_per_host(0)
        .dns_resolver(Pinned(resolver));
    // Plain HTTP must also work on a machine that has no root certificates.
    match tls {
        true => builder.https_only(true),
        false => builder.tls_certs_only([]),
    }
}
