//! A request that the host makes on a guest's behalf, to an origin that the
//! operator wrote down for a tool. Same rules as for a guest's own: every address
//! judged, no redirects, bounds on head and body.

use http::{HeaderMap, StatusCode};

use super::origin::Origin;
use super::{Egress, HttpError, IpNet, JUDGED, Refused};
use crate::Caller;

/// What to ask, and how much of an answer to take.
pub(crate) struct Errand<'a> {
    pub(crate) origin: &'a Origin,
    /// Networks that the host may be in although they are not public.
    pub(crate) addresses: &'a [IpNet],
    pub(crate) request: reqwest::Request,
    /// Bytes of the answer's body.
    pub(crate) most: usize,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Egress {
    /// Does it. Time is the caller's to limit; dropped, its connection closes.
    pub(crate) async fn errand(
        &self,
        caller: &Caller,
        errand: Errand<'_>,
    ) -> Result<Reply, HttpError> {
        let limits = &self.limits;
        let place = self
            .places
            .take(caller, limits.per_agent, limits.per_tenant);
        let _place = place.ok_or(HttpError::Busy)?;
        let client = self.client(errand.origin.tls()).ok_or(HttpError::Client)?;
        let asked = client.execute(errand.request);
        let mut response = self
            .named(errand.origin, errand.addresses, asked)
            .await?
            .map_err(|error| match error.is_connect() {
                true => HttpError::Connect,
                false => HttpError::Broken,
            })?;
        if !self.fits(response.headers()) {
            return Err(HttpError::ResponseHead);
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|_| HttpError::Broken)? {
            if piece.len() > errand.most.saturating_sub(body.len()) {
                return Err(HttpError::ResponseBody);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    /// A client for an origin; it dials nothing outside of [`Egress::named`].
    pub(crate) fn client_for(&self, origin: &Origin) -> Option<reqwest::Client> {
        self.client(origin.tls()).cloned()
    }

    /// Does something in which requests go to an origin that the operator wrote
    /// down, if it is in public or in the networks named with it.
    pub(crate) async fn named<T>(
        &self,
        origin: &Origin,
        addresses: &[IpNet],
        act: impl Future<Output = T>,
    ) -> Result<T, HttpError> {
        let judged = self.judge(origin, addresses).await;
        let judged = judged.map_err(|refused| match refused {
            Refused::Name => HttpError::Name,
            Refused::Address(..) => HttpError::Prohibited,
        })?;
        Ok(JUDGED.scope(judged, act).await)
    }
}
