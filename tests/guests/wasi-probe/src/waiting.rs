//! What a guest sees of time: which of several things is ready, and when.

use hotcell_sdk::Failure;
use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock::{now, subscribe_duration};
use wasip2::io::poll::poll;

/// An hour and ten minutes, in nanoseconds.
const LONG: u64 = 4_200_000_000_000;

/// Does what a kind of task means; none when it means nothing here.
pub(crate) fn run(kind: &str) -> Option<Result<Value, Failure>> {
    match kind {
        "wait-short" => Some(Ok(short())),
        "wait-long" => {
            subscribe_duration(LONG).block();
            Some(Ok(json!("waited")))
        }
        _ => None,
    }
}

/// Waits for what comes first.
fn short() -> Value {
    let (never, soon) = (subscribe_duration(LONG), subscribe_duration(5_000_000));
    let before = (never.ready(), now());
    let ready = poll(&[&never, &soon]);
    subscribe_duration(1).block();
    json!({ "before": before, "ready": ready, "after": now(), "still": soon.ready() })
}
