//! `[approvals]` of the host file: how humans are asked.

use hotcell_broker::approval::MOST;
use hotcell_broker::approval::queue::Rules;

use crate::manifest::reader::Reader;
use crate::manifest::tree::Node;

/// A year.
const LONGEST_S: u64 = 365 * 24 * 60 * 60;

/// What is not said is as it is by default.
pub(super) fn read(reader: &mut Reader, node: &Node) -> Rules {
    let keys = ["expires_s", "max_pending", "auto_below", "self_approval"];
    let mut rules = Rules::default();
    let Some(table) = reader.table(node, "`approvals`", &keys) else {
        return rules;
    };
    let mut whole = |key: &str, range| {
        let node = table.get(key)?;
        reader.whole(node, key, range)
    };
    let expires = whole("expires_s", 1..=LONGEST_S);
    let pending = whole("max_pending", 1..=10_000);
    let below = whole("auto_below", 0..=u64::from(MOST));
    rules.expires_s = expires.unwrap_or(rules.expires_s);
    let pending = pending.and_then(|it| usize::try_from(it).ok());
    rules.max_pending = pending.unwrap_or(rules.max_pending);
    let below = below.and_then(|it| u32::try_from(it).ok());
    rules.auto_below = below.unwrap_or(rules.auto_below);
    if let Some(node) = table.get("self_approval") {
        let said = reader.flag(node, "self_approval");
        rules.self_approval = said.unwrap_or(rules.self_approval);
    }
    rules
}
