//! An answer's body on its way to a guest: bounded in bytes and in time.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hotcell_store::guard::Guard;
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::HttpError;
use super::places::Place;
use super::sent::Open;
use crate::redact::{self, Stream};

/// The bytes of an answer as they arrive. The request is under way until the
/// last of them has, until its time is up, or until this is dropped.
pub struct Incoming {
    under_way: Arc<Mutex<Option<UnderWay>>>,
    ended: bool,
    deadline: Instant,
    /// The longest between two pieces, when the guest wants to know sooner.
    pause: Option<Duration>,
    sleep: Pin<Box<Sleep>>,
    /// Takes secrets out of it; none when there are none, or when it has ended.
    clean: Option<Stream>,
    /// Whether the last piece of the connection has come.
    drained: bool,
    /// Ends the request in time although nobody reads. None if the guard is off.
    clock: Option<JoinHandle<()>>,
}

/// A connection, and what it counts as.
struct UnderWay {
    body: reqwest::Body,
    left: usize,
    open: Open,
    _place: Place,
}

impl Incoming {
    pub(super) fn new(
        body: reqwest::Body,
        most: usize,
        deadline: Instant,
        pause: Option<Duration>,
        (open, place): (Open, Place),
    ) -> Incoming {
        let under_way = Arc::new(Mutex::new(Some(UnderWay {
            body,
            left: most,
            open,
            _place: place,
        })));
        let ending = Arc::clone(&under_way);
        let clock = async move {
            sleep_until(deadline).await;
            end(&ending, HttpError::Timeout.code());
        };
        let mut incoming = Incoming {
            under_way,
            ended: false,
            clean: redact::stream(),
            drained: false,
            deadline,
            pause,
            sleep: Box::pin(sleep_until(deadline)),
            clock: Guard::EgressDeadline.on().then(|| tokio::spawn(clock)),
        };
        incoming.wind_up();
        incoming
    }

    fn wind_up(&mut self) {
        if let Some(pause) = self.pause {
            let next = Instant::now().checked_add(pause);
            let next = next.map_or(self.deadline, |next| next.min(self.deadline));
            self.sleep.as_mut().reset(next);
        }
    }

    /// The next piece as the guest gets it; none after the last.
    fn poll_clean(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, HttpError>>> {
        loop {
            let piece = match self.drained {
                true => Poll::Ready(None),
                false => self.poll_piece(cx),
            };
            let Some(clean) = &mut self.clean else {
                return piece;
            };
            let out = match piece {
                Poll::Ready(Some(Ok(piece))) => clean.push(&piece),
                Poll::Ready(None) => {
                    let rest = clean.finish();
                    (self.clean, self.drained) = (None, true);
                    rest
                }
                other => return other,
            };
            // All of it may be held back.
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Bytes::from(out))));
            }
        }
    }

    /// The next piece; none after the last.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, HttpError>>> {
        if Guard::EgressDeadline.on() && self.sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(HttpError::Timeout)));
        }
        let mut under_way = lock(&self.under_way);
        let Some(UnderWay { body, left, .. }) = under_way.as_mut() else {
            return Poll::Ready(Some(Err(HttpError::Timeout)));
        };
        loop {
            let data = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(HttpError::Broken))),
                Poll::Ready(Some(Ok(frame))) => frame.into_data(),
            };
            // Trailers say nothing that a guest was promised.
            let Ok(data) = data else { continue };
            let rest = left.checked_sub(data.len());
            if rest.is_none() && Guard::EgressBody.on() {
                return Poll::Ready(Some(Err(HttpError::ResponseBody)));
            }
            *left = rest.unwrap_or(0);
            return Poll::Ready(Some(Ok(data)));
        }
    }
}

/// A poisoned lock only means that a body panicked while it was read; it is not
/// read again.
fn lock(under_way: &Mutex<Option<UnderWay>>) -> std::sync::MutexGuard<'_, Option<UnderWay>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the end down, closes the connection and frees its place, once.
fn end(under_way: &Mutex<Option<UnderWay>>, outcome: &'static str) {
    if let Some(under_way) = lock(under_way).take() {
        under_way.open.end(outcome);
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = self.poll_clean(cx);
        match &piece {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => self.wind_up(),
            Poll::Ready(Some(Err(error))) => {
                end(&self.under_way, error.code());
                self.ended = true;
            }
            Poll::Ready(None) => {
                end(&self.under_way, "ok");
                self.ended = true;
            }
        }
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(clock) = self.clock.take() {
            clock.abort();
        }
        if self.ended {
            return;
        }
        // An answer without a body has been read although nobody read it.
        let over = self.poll_piece(&mut Context::from_waker(Waker::noop()));
        let over = matches!(over, Poll::Ready(None));
        end(&self.under_way, if over { "ok" } else { "cancelled" });
    }
}
