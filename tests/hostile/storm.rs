//! Calls that are given up in the middle.
//!
//! Between two polls nobody can give up a call, so "at a random moment" is "after
//! a random number of polls": which ones a seeded generator says, the same in
//! every run.

use std::future::{Future, poll_fn};
use std::task::Poll;

use tokio_util::sync::CancellationToken;

/// Most calls of the corpus are over by then.
const POLLS: u64 = 24;

/// Polls a call a few times; then, by turns, cancels it and waits for its end,
/// or drops it. None if it was dropped.
pub(crate) async fn give_up<F: Future>(
    call: F,
    token: &CancellationToken,
    number: u64,
) -> Option<F::Output> {
    let mut left = mix(number) % POLLS;
    let by_token = number.is_multiple_of(2);
    let mut call = Box::pin(call);
    let end = poll_fn(|context| {
        if left == 0 && !by_token {
            return Poll::Ready(None);
        }
        if left == 0 {
            token.cancel();
        }
        left = left.saturating_sub(1);
        call.as_mut().poll(context).map(Some)
    });
    end.await
}

/// The finaliser of SplitMix64.
pub(crate) fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
