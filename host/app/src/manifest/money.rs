//! Dollars and calls, as the files of an operator write them.

use std::time::Duration;

use hotcell_broker::ledger::Rate;

use super::reader::Reader;
use super::tree::Node;

/// Dollars as micro-dollars. What is not a whole number of them is refused: money is
/// not rounded.
pub(super) fn dollars(reader: &mut Reader, node: &Node, key: &str) -> Option<u64> {
    let dollars = reader.number(node, key)?;
    let micros = (dollars * 1e6).round();
    let exact = (micros / 1e6 - dollars).abs() < 1e-9;
    if (0.0..=1e12).contains(&micros) && exact {
        return Some(micros as u64);
    }
    reader.wrong(
        &node.span,
        format!("`{key}` must be dollars from 0 to 1000000"),
        format!("this is {dollars}"),
        format!("write at most six decimals, such as `{key} = 3.0`"),
    );
    None
}

/// The keys of a rate.
const RATE: [&str; 7] = [
    "per_minute",
    "per_hour",
    "per_day",
    "tokens_per_minute",
    "burst",
    "concurrent",
    "wait_ms",
];

/// The most calls or tokens that a rate lets through: more is no bound.
const MOST: u64 = 1_000_000_000;

/// How often something may be asked; `others` are keys that are read elsewhere.
pub(super) fn rate(reader: &mut Reader, node: &Node, others: &[&str]) -> Option<Rate> {
    let keys: Vec<&str> = RATE.iter().chain(others).copied().collect();
    let table = reader.table(node, "a rate", &keys)?;
    let mut bound = |key: &str, range| match table.get(key) {
        None => Some(None),
        Some(node) => reader.whole(node, key, range).map(Some),
    };
    let [minute, hour, day, tokens, burst] = [
        "per_minute",
        "per_hour",
        "per_day",
        "tokens_per_minute",
        "burst",
    ]
    .map(|key| bound(key, 1..=MOST));
    let concurrent = bound("concurrent", 1..=100_000);
    let wait = bound("wait_ms", 0..=3_600_000);
    let rate = Rate {
        per_minute: minute?,
        per_hour: hour?,
        per_day: day?,
        tokens_per_minute: tokens?,
        burst: burst?,
        concurrent: concurrent?.and_then(|it| u32::try_from(it).ok()),
        wait: Duration::from_millis(wait?.unwrap_or(0)),
    };
    if let Some(node) = table.get("burst").filter(|_| rate.per_minute.is_none()) {
        reader.wrong(
            &node.span,
            "`burst` needs `per_minute`",
            "this bounds nothing",
            "say how many a minute may bring: `per_minute = 60`",
        );
    }
    Some(rate)
}
