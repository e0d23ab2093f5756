//! One request, from a guest's words to the answer's head.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use hotcell_store::Digest;
use hotcell_store::guard::Guard;
use http::header::{self, HeaderMap, HeaderName};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::origin::Origin;
use super::places::Place;
use super::sent::{Open, Sent};
use super::{BadOrigin, Egress, HttpError, Incoming, IpNet, JUDGED, Refused, address, discreet};
use crate::control::{Admitted, Barred, NotMade, Wanted, Worth};
use crate::meter::{Meter, Refusal};
use crate::policy::{self, Access, Capability};
use crate::recall::{Departed, Departure, Halted, Question, Unrecorded};
use crate::secrets::{Attachments, carries_one};
use crate::{Broker, Caller, redact, text};

/// How long the guest wants to wait. It can ask for less time than there is,
/// never for more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Until there is a connection.
    pub connect: Option<Duration>,
    /// From there until the answer begins.
    pub first_byte: Option<Duration>,
    /// Between two pieces of it.
    pub between_bytes: Option<Duration>,
}

/// Fields that belong to the connection, or say how long a body is. A guest that
/// could set them could say one thing to us and another to the server.
pub fn is_the_hosts(name: &HeaderName) -> bool {
    const NAMES: [HeaderName; 9] = [
        header::CONNECTION,
        header::HOST,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::EXPECT,
    ];
    Guard::EgressHeaders.on()
        && (NAMES.contains(name)
            || ["keep-alive", "http2-settings"].contains(&name.as_str())
            || name.as_str().starts_with("proxy-"))
}

/// A request on its way, with what it may use.
struct Going {
    plugin: String,
    meter: Arc<Meter>,
    deadline: Instant,
    egress: Arc<Egress>,
    origin: Origin,
    method: String,
    addresses: Vec<IpNet>,
    request: reqwest::Request,
    /// Whether its body came to its cap.
    over: Arc<AtomicBool>,
    /// Whether its body was given up.
    given_up: Arc<AtomicBool>,
    patience: Patience,
    started: Instant,
    sequence: u32,
    place: Place,
    open: Open,
    attachments: Attachments,
    /// Whether its body was found to carry a secret.
    carried: Arc<AtomicBool>,
}

impl Broker {
    /// One HTTP request for a plugin. What can be decided without waiting is
    /// decided here and now; the rest happens in the future. The record of the
    /// request is in `sent` until it ends.
    pub fn fetch<B>(
        &self,
        caller: &Caller,
        request: http::Request<B>,
        patience: Patience,
        sent: &mut Sent,
    ) -> impl Future<Output = Result<http::Response<Incoming>, HttpError>> + Send + 'static + use<B>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let going = self.depart(caller, request, patience, sent);
        // Numbered here and now, in the order of the guest.
        let announced = match &going {
            Ok(going) => Announced::of(caller, going),
            Err(_) => None,
        };
        let (broker, caller) = (self.clone(), caller.clone());
        async move {
            let going = going?;
            let admitted = match broker.admit_request(&caller, &going).await {
                Ok(admitted) => admitted,
                Err(error) => {
                    going.open.end(error.code());
                    return Err(error);
                }
            };
            if let Some(announced) = announced {
                let sequence = going.sequence;
                if let Err(error) = announced.wait(sequence).await {
                    going.open.end(error.code());
                    admitted.forgo().await;
                    return Err(error);
                }
            }
            let answer = going.arrive().await;
            let outcome = answer.as_ref().map_or_else(HttpError::code, |_| "ok");
            admitted.settle(outcome, Worth::default()).await;
            answer
        }
    }

    /// Whether a granted request may be sent now.
    async fn admit_request(&self, caller: &Caller, going: &Going) -> Result<Admitted, HttpError> {
        let departure = going.departure();
        let wanted = Wanted {
            capability: Capability::Http,
            resource: &departure.origin,
            question: Question::Http(&departure),
            sequence: going.sequence,
            most: Worth::default(),
        };
        self.admit(caller, wanted).await.map_err(|why| match why {
            NotMade::Barred(Barred::Rate(_)) => HttpError::Busy,
            NotMade::Barred(Barred::Unwritten(_)) => HttpError::Unwritten,
            NotMade::Halted | NotMade::Barred(Barred::Budget | Barred::Secret(_)) => {
                HttpError::Exhausted
            }
        })
    }

    fn depart<B>(
        &self,
        caller: &Caller,
        request: http::Request<B>,
        patience: Patience,
        sent: &mut Sent,
    ) -> Result<Going, HttpError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let egress = Arc::clone(&self.inner.egress);
        let (head, body) = request.into_parts();
        let method = head.method.as_str();
        let refuse = |resource: &str, reason: String, allow_with| {
            let refusal = Refusal {
                plugin: caller.plugin.clone(),
                capability: Capability::Http,
                resource: text::line(resource, RESOURCE),
                reason: text::line(&reason, RESOURCE),
                allow_with,
            };
            self.refuse(caller, refusal);
        };
        let written = head.uri.to_string();
        let url = Url::parse(&written).map_err(|_| BadOrigin::Url);
        let (url, origin) = url
            .and_then(|url| Origin::of(&url).map(|origin| (url, origin)))
            .map_err(|bad| {
                refuse(&format!("{method} {written}"), bad.to_string(), None);
                HttpError::Url(bad)
            })?;
        let grant = policy::decide_http(&self.inner.policy, &caller.plugin, method, &origin)
            .map_err(|denial| {
                let resource = format!("{method} {origin}");
                let access = Access {
                    plugin: &caller.plugin,
                    capability: Capability::Http,
                    resource: &resource,
                };
                self.refuse(caller, Refusal::new(access, &denial));
                HttpError::Denied(denial)
            })?;
        let what = format_args!("http {method} {origin}");
        if !caller.log.leaves(caller, Unrecorded::Http, what) {
            return Err(HttpError::Exhausted);
        }
        let effect = self
            .begin(caller, Capability::Http, &origin.to_string(), None)
            .ok_or(HttpError::Exhausted)?;
        let (started, sequence) = (effect.started, effect.sequence());
        let open = Open::new(effect);
        sent.add(open.clone());
        let refused = |error: HttpError| {
            open.end(error.code());
            error
        };
        egress.check_head(&head.headers).map_err(refused)?;
        let limits = &egress.limits;
        let place = egress
            .places
            .take(caller, limits.per_agent, limits.per_tenant)
            .ok_or_else(|| refused(HttpError::Busy))?;
        let attachments = self
            .attachments(caller, &url, &head.headers, &origin)
            .map_err(refused)?;
        let (over, given_up, carried) = (Arc::default(), Arc::default(), Arc::default());
        let mut going = reqwest::Request::new(head.method.clone(), url);
        *going.headers_mut() = head.headers;
        // reqwest writes it, from the URL.
        going.headers_mut().remove(header::HOST);
        if !body.is_end_stream() {
            let body = bounded(body, limits.request_body, &over, &given_up);
            let look = redact::stream_but(&attachments.allowed);
            *going.body_mut() = Some(discreet::outgoing(body, look, &carried));
        }
        Ok(Going {
            plugin: caller.plugin.clone(),
            meter: Arc::clone(&caller.meter),
            deadline: caller.deadline,
            origin,
            method: method.to_owned(),
            addresses: grant.addresses.clone(),
            request: going,
            over,
            given_up,
            patience,
            started,
            sequence,
            place,
            open,
            attachments,
            carried,
            egress,
        })
    }
}

/// A request that changes something, before it is sent.
struct Announced {
    caller: Caller,
    call: u32,
    departure: Departure,
}

impl Announced {
    /// None for what only reads: that may be sent again.
    fn of(caller: &Caller, going: &Going) -> Option<Announced> {
        let reads = ["GET", "HEAD", "OPTIONS"].contains(&going.method.as_str());
        if reads || !caller.log.is_on() {
            return None;
        }
        Some(Announced {
            call: caller.log.number(),
            departure: going.departure(),
            caller: caller.clone(),
        })
    }

    /// Waits until the journal has it.
    async fn wait(self, sequence: u32) -> Result<(), HttpError> {
        let question = Question::Http(&self.departure);
        let mut slip = self.caller.log.slip(&self.caller, self.call, question);
        match slip.depart(sequence).await {
            Ok(Departed::Goes) => Ok(()),
            Ok(Departed::GivenUp) => Err(HttpError::Broken),
            Err(Halted) => Err(HttpError::Exhausted),
        }
    }
}

/// The longest text that a refusal repeats, in bytes.
const RESOURCE: usize = 256;

/// A guest's body that ends in an error at its cap.
fn bounded<B>(
    body: B,
    most: usize,
    over: &Arc<AtomicBool>,
    given_up: &Arc<AtomicBool>,
) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static + use<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (over, given_up) = (Arc::clone(over), Arc::clone(given_up));
    let mut left = most;
    // Trailers are left out: they could hold what heads may not.
    body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(|_| {
            given_up.store(true, Ordering::Relaxed);
            std::io::Error::other(HttpError::Unfinished)
        })?;
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None if Guard::EgressBody.on() => {
                over.store(true, Ordering::Relaxed);
                return Err(std::io::Error::other(HttpError::RequestBody));
            }
            None => left = 0,
        }
        Ok(piece)
    })
}

impl Egress {
    fn check_head(&self, headers: &HeaderMap) -> Result<(), HttpError> {
        // The guest's `host` was made by wasi-http from the authority, and is
        // made again from the URL.
        let set = headers.keys().filter(|name| *name != header::HOST);
        let length =
            |name: &&HeaderName| **name == header::CONTENT_LENGTH && Guard::EgressHeaders.on();
        let mut hosts = set.filter(|name| is_the_hosts(name) || length(name));
        if let Some(name) = hosts.next() {
            return Err(HttpError::Field(name.clone()));
        }
        match self.fits(headers) {
            true => Ok(()),
            false => Err(HttpError::RequestHead),
        }
    }

    pub(super) fn fits(&self, headers: &HeaderMap) -> bool {
        let bytes = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        !Guard::EgressFields.on()
            || headers.len() <= self.limits.fields
                && bytes.sum::<usize>() <= self.limits.field_bytes
    }
}

impl Going {
    fn departure(&self) -> Departure {
        let url = self.request.url().as_str();
        Departure {
            method: self.method.clone(),
            origin: self.origin.to_string(),
            url: Digest::of(url.as_bytes()).to_string(),
        }
    }

    async fn arrive(self) -> Result<http::Response<Incoming>, HttpError> {
        let total = self.egress.limits.total;
        let deadline = (self.started + total).min(self.deadline);
        let wait = |asked: Option<Duration>| asked.unwrap_or(total);
        let head = wait(self.patience.connect).saturating_add(wait(self.patience.first_byte));
        let head = deadline.min(self.started + head.min(total));
        let open = self.open.clone();
        let pause = self.patience.between_bytes;
        let with_secret = self.attachments.any();
        let (egress, most) = (Arc::clone(&self.egress), self.egress.limits.response_body);
        let exchange = self.exchange();
        let answer = match Guard::EgressDeadline.on() {
            true => timeout_at(head, exchange).await,
            false => Ok(exchange.await),
        };
        let answer = answer.unwrap_or(Err(HttpError::Timeout));
        let answer = answer.and_then(|(response, place)| {
            let (mut head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
            if !egress.fits(&head.headers) {
                return Err(HttpError::ResponseHead);
            }
            discreet::head(&mut head.headers, with_secret)?;
            Ok((head, body, place))
        });
        match answer {
            Err(error) => {
                open.end(error.code());
                Err(error)
            }
            Ok((head, body, place)) => {
                let body = Incoming::new(body, most, deadline, pause, (open, place));
                let mut response = http::Response::new(body);
                *response.status_mut() = head.status;
                *response.headers_mut() = head.headers;
                Ok(response)
            }
        }
    }

    async fn exchange(mut self) -> Result<(reqwest::Response, Place), HttpError> {
        let judged = self.egress.judge(&self.origin, &self.addresses).await;
        let judged = judged.map_err(|refused| match refused {
            Refused::Name => HttpError::Name,
            Refused::Address(address, special) => {
                self.refuse(address, special);
                HttpError::Prohibited
            }
        })?;
        let client = self.egress.client(self.origin.tls());
        let client = client.ok_or(HttpError::Client)?;
        let fields = self.request.headers_mut();
        self.attachments.attach(fields, &self.egress).await?;
        let answer = JUDGED.scope(judged, client.execute(self.request)).await;
        let response = answer.map_err(|error| {
            if self.over.load(Ordering::Relaxed) {
                HttpError::RequestBody
            } else if self.carried.load(Ordering::Relaxed) {
                self.meter.refusal(carries_one(&self.plugin, &self.origin));
                HttpError::Secret
            } else if self.given_up.load(Ordering::Relaxed) {
                HttpError::Unfinished
            } else if error.is_connect() {
                HttpError::Connect
            } else {
                HttpError::Broken
            }
        })?;
        Ok((response, self.place))
    }

    /// Tells the operator what the name led to. The guest is not told.
    fn refuse(&self, address: IpAddr, special: address::Special) {
        let origin = &self.origin;
        let net = IpNet::from(address);
        let methods = format!("methods = [{:?}]", self.method);
        self.meter.refusal(Refusal {
            plugin: self.plugin.clone(),
            capability: Capability::Http,
            resource: format!("{} {origin}", self.method),
            reason: format!("{address} is {special}, and no grant names its network"),
            allow_with: Some(format!(
                "[plugin.{}] http = [{{ origin = \"{origin}\", {methods}, addresses = [\"{net}\"] }}]",
                self.plugin
            )),
        });
    }
}
