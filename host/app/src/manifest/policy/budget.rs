//! What may be spent and how often something may be asked: `[budget]`, `[rate]`, and
//! `budget` and `rate` of a plugin.

use std::collections::BTreeMap;

use hotcell_broker::ledger::{Allowance, Caps, Rules};

use crate::manifest::money::{dollars, rate};
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::Node;

/// Reads `[budget]` and `[rate]`. The models that they name are added.
pub(super) fn read(reader: &mut Reader, table: &Table<'_>, named: &mut Vec<Named>) -> Rules {
    let mut rules = Rules::default();
    if let Some(node) = table.get("budget") {
        rules.tenant = caps(reader, node, "`budget`", "tenant", &["model"]);
        if let Some(models) = node.get("model") {
            rules.models = each(reader, models, "`budget.model`", named, |reader, node| {
                caps(reader, node, "a model's budget", "total", &[])
            });
        }
    }
    if let Some(node) = table.get("rate") {
        rules.tenant_rate = rate(reader, node, &["model", "tool"]).unwrap_or_default();
        let read = |reader: &mut Reader, node: &Node| rate(reader, node, &[]).unwrap_or_default();
        if let Some(models) = node.get("model") {
            rules.model_rates = each(reader, models, "`rate.model`", named, read);
        }
        if let Some(tools) = node.get("tool") {
            // Which tools there are is known when they have started.
            for (key, node) in reader.entries(tools, "`rate.tool`") {
                let rate = read(reader, node);
                rules.tool_rates.insert(key.name.clone(), rate);
            }
        }
    }
    rules
}

/// Reads `budget` and `rate` of a plugin.
pub(super) fn of_plugin(reader: &mut Reader, table: &Table<'_>, plugin: &str, rules: &mut Rules) {
    if let Some(node) = table.get("budget") {
        let caps = caps(reader, node, "a plugin's budget", "total", &[]);
        rules.plugins.insert(plugin.to_owned(), caps);
    }
    if let Some(node) = table.get("rate") {
        let rate = rate(reader, node, &[]).unwrap_or_default();
        rules.plugin_rates.insert(plugin.to_owned(), rate);
    }
}

/// One value for each model that is named.
fn each<T>(
    reader: &mut Reader,
    node: &Node,
    what: &str,
    named: &mut Vec<Named>,
    read: impl Fn(&mut Reader, &Node) -> T,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for (key, node) in reader.entries(node, what) {
        let value = read(reader, node);
        if let Some(name) = reader.name(&key.name, &key.span) {
            found.insert(name.name.clone(), value);
            named.push(name);
        }
    }
    found
}

/// Caps; `total` is the word for what may be spent ever.
fn caps(reader: &mut Reader, node: &Node, what: &str, total: &str, others: &[&str]) -> Caps {
    let periods = ["run", "day", total];
    let words = |period: &str| [format!("{period}_usd"), format!("{period}_tokens")];
    let own: Vec<[String; 2]> = periods.iter().map(|period| words(period)).collect();
    let mut keys: Vec<&str> = own.iter().flatten().map(String::as_str).collect();
    keys.extend(others);
    let Some(table) = reader.table(node, what, &keys) else {
        return Caps::default();
    };
    let mut allowance = |period: &str| {
        let [usd, tokens] = words(period);
        Allowance {
            micros: table.get(&usd).and_then(|node| dollars(reader, node, &usd)),
            tokens: table
                .get(&tokens)
                .and_then(|node| reader.whole(node, &tokens, 0..=u64::MAX)),
        }
    };
    Caps {
        run: allowance("run"),
        day: allowance("day"),
        total: allowance(total),
    }
}
