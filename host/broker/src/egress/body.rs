//! An answer's body on its way to a guest: bounded in bytes and in time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hotcell_store::guard::Guard;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::HttpError;
use super::places::Place;
use super::sent::Open;

/// The bytes of an answer as they arrive. The request is under way until the
/// last of them has, or until this is dropped.
pub struct Incoming {
    body: reqwest::Body,
    left: usize,
    deadline: Instant,
    /// The longest between two pieces, when the guest wants to know sooner.
    pause: Option<Duration>,
    sleep: Pin<Box<Sleep>>,
    under_way: Option<(Open, Place)>,
}

impl Incoming {
    pub(super) fn new(
        body: reqwest::Body,
        most: usize,
        deadline: Instant,
        pause: Option<Duration>,
        under_way: (Open, Place),
    ) -> Incoming {
        let mut incoming = Incoming {
            body,
            left: most,
            deadline,
            pause,
            sleep: Box::pin(sleep_until(deadline)),
            under_way: Some(under_way),
        };
        incoming.wind_up();
        incoming
    }

    fn wind_up(&mut self) {
        if let Some(pause) = self.pause {
            let next = Instant::now() + pause;
            self.sleep.as_mut().reset(next.min(self.deadline));
        }
    }

    fn end(&mut self, result: &Result<(), HttpError>) {
        if let Some((open, _place)) = self.under_way.take() {
            open.end(result.as_ref().map_or_else(HttpError::code, |()| "ok"));
        }
        // Nothing more is read, so the connection can go.
        self.body = reqwest::Body::default();
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if this.under_way.is_none() {
            return Poll::Ready(None);
        }
        if Guard::EgressDeadline.on() && this.sleep.as_mut().poll(cx).is_ready() {
            this.end(&Err(HttpError::Timeout));
            return Poll::Ready(Some(Err(HttpError::Timeout)));
        }
        loop {
            let data = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                None => {
                    this.end(&Ok(()));
                    return Poll::Ready(None);
                }
                Some(Err(_)) => Err(HttpError::Broken),
                // Trailers say nothing that a guest was promised.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
            };
            let data = data.and_then(|data| match this.left.checked_sub(data.len()) {
                Some(left) => {
                    this.left = left;
                    Ok(data)
                }
                None if Guard::EgressBody.on() => Err(HttpError::ResponseBody),
                None => Ok(data),
            });
            this.wind_up();
            return Poll::Ready(Some(match data {
                Ok(data) => Ok(Frame::data(data)),
                Err(error) => {
                    this.end(&Err(error.clone()));
                    Err(error)
                }
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.under_way.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
