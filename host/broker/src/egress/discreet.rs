//! What leaves and what comes back, without secrets.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::header::{self, HeaderMap, HeaderValue};

use super::HttpError;
use crate::redact::{self, Stream};

/// A guest's body that ends in an error where a secret is in it. Nothing of the
/// secret has been sent by then.
pub(super) fn outgoing(
    body: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static,
    look: Option<Stream>,
    carried: &Arc<AtomicBool>,
) -> reqwest::Body {
    let Some(look) = look else {
        return reqwest::Body::wrap_stream(body);
    };
    let carried = Arc::clone(carried);
    let start = (Box::pin(body), Some(look));
    let pieces = stream::try_unfold(start, move |(mut body, mut look)| {
        let carried = Arc::clone(&carried);
        async move {
            while let Some(mut looking) = look.take() {
                let (piece, ended) = match body.next().await {
                    Some(piece) => (looking.push(&piece?), false),
                    None => (looking.finish(), true),
                };
                if looking.found() {
                    carried.store(true, Ordering::Relaxed);
                    return Err(io::Error::other(HttpError::Secret));
                }
                look = (!ended).then_some(looking);
                if !piece.is_empty() {
                    return Ok(Some((Bytes::from(piece), (body, look))));
                }
            }
            Ok(None)
        }
    });
    reqwest::Body::wrap_stream(pieces)
}

/// An answer's head, as a guest may see it. `sent` says whether a secret went out
/// with the request: then the body must be one that can be looked through.
pub(super) fn head(headers: &mut HeaderMap, sent: bool) -> Result<(), HttpError> {
    let identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if sent && !codings.all(identity) {
        return Err(HttpError::Compressed);
    }
    if !redact::any() {
        return Ok(());
    }
    let named = |name: &&header::HeaderName| redact::found(name.as_str()).is_some();
    let names: Vec<_> = headers.keys().filter(named).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let clean = match value.to_str() {
            Ok(text) => redact::text(text).into_owned().into_bytes(),
            Err(_) => redact::bytes(value.as_bytes()),
        };
        if clean != value.as_bytes() {
            // What is put in is plain; if the rest is not, nothing is kept of it.
            let empty = HeaderValue::from_static("");
            *value = HeaderValue::from_bytes(&clean).unwrap_or(empty);
        }
    }
    Ok(())
}
