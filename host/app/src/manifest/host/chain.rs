//! What an alias does beside asking one model: the keys of `host.toml` about
//! others that answer for it, about what it remembers, and about prompts that are
//! too long.

use hotcell_broker::provider::chain::{Habits, Memory, When};

use crate::manifest::money::dollars;
use crate::manifest::problem::{Problem, one_of};
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::Node;

/// What may be said of any model beside how it is asked.
pub(super) const KEYS: [&str; 4] = ["fallback", "safe_default", "remember", "fit_tokens"];

/// Other models of an alias, and what it does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chained {
    /// Who is asked after it, or instead of it, by alias.
    pub(crate) links: Vec<(Named, When)>,
    /// And what else it does.
    pub(crate) habits: Habits,
}

impl Chained {
    /// Whether there is anything to do but to ask the one model.
    pub(crate) fn is_plain(&self) -> bool {
        self.links.is_empty() && self.habits == Habits::default()
    }
}

/// Reads what stands beside a model.
pub(super) fn read(reader: &mut Reader, table: &Table<'_>) -> Option<Chained> {
    let links = match table.get("fallback") {
        None => Vec::new(),
        Some(node) => reader.texts(node, "fallback"),
    };
    let safe_default = match table.get("safe_default") {
        None => None,
        Some(node) => Some(reader.text(node, "safe_default")?),
    };
    let memory = match table.get("remember") {
        None => None,
        Some(node) => Some(remember(reader, node)?),
    };
    let fit_tokens = match table.get("fit_tokens") {
        None => None,
        Some(node) => Some(reader.whole(node, "fit_tokens", 64..=100_000_000)?),
    };
    Some(Chained {
        links: links.into_iter().map(|it| (it, When::default())).collect(),
        habits: Habits {
            tiers: false,
            fit_tokens,
            memory,
            safe_default,
        },
    })
}

fn remember(reader: &mut Reader, node: &Node) -> Option<Memory> {
    let table = reader.table(node, "`remember`", &["ttl_s", "similar"])?;
    let help = "say for how long: `ttl_s = 86400` is a day";
    let ttl = reader.require(&table, "ttl_s", help)?;
    let ttl_s = reader.whole(ttl, "ttl_s", 1..=31_536_000)?;
    let similar = match table.get("similar") {
        None => None,
        Some(node) => {
            let least = reader.number(node, "similar")?;
            if !(0.5..=1.0).contains(&least) {
                reader.wrong(
                    &node.span,
                    "`similar` must be 0.5 to 1",
                    format!("this is {least}"),
                    "1 is the same words; below 0.5 any question would do",
                );
                return None;
            }
            Some(least as f32)
        }
    };
    Some(Memory {
        ttl_ms: ttl_s.saturating_mul(1_000),
        similar,
    })
}

/// Reads the tiers of a `select` model: who is asked first, and when.
pub(super) fn tiers(reader: &mut Reader, node: &Node) -> Option<Vec<(Named, When)>> {
    const KEYS: [&str; 4] = [
        "model",
        "max_prompt_tokens",
        "without_tools",
        "least_budget_usd",
    ];
    let mut tiers = Vec::new();
    for item in reader.list(node, "tiers") {
        let table = reader.table(item, "a tier", &KEYS)?;
        let help = "name an alias of this file: `model = \"small\"`";
        let model = reader.require(&table, "model", help)?;
        let name = reader.text(model, "model")?;
        let spot = reader.spot(&model.span);
        let max_prompt_tokens = match table.get("max_prompt_tokens") {
            None => None,
            Some(node) => Some(reader.whole(node, "max_prompt_tokens", 1..=100_000_000)?),
        };
        let without_tools = match table.get("without_tools") {
            None => false,
            Some(node) => reader.flag(node, "without_tools")?,
        };
        let least_budget_micros = match table.get("least_budget_usd") {
            None => None,
            Some(node) => Some(dollars(reader, node, "least_budget_usd")?),
        };
        let when = When {
            max_prompt_tokens,
            without_tools,
            least_budget_micros,
        };
        tiers.push((Named { name, spot }, when));
    }
    if tiers.is_empty() {
        let help = "name the models from the cheapest to the best: \
                    `tiers = [{ model = \"small\", max_prompt_tokens = 2000 }, { model = \"large\" }]`";
        reader.wrong(
            &node.span,
            "`tiers` is empty",
            "nobody would be asked",
            help,
        );
        return None;
    }
    Some(tiers)
}

/// Whether those that are named are there, and are models themselves: a chain of
/// chains would ask the same model twice, or for ever.
pub(super) fn check<'a>(
    reader: &mut Reader,
    links: impl Iterator<Item = (&'a str, &'a Named)>,
    is_select: impl Fn(&str) -> Option<bool>,
    all: &[&str],
) {
    for (alias, named) in links {
        let wrong = |message: String, label: &str, help: String| {
            Problem::new(message).at(&named.spot, label).help(help)
        };
        let problem = match is_select(&named.name) {
            _ if named.name == alias => wrong(
                format!("`{alias}` names itself"),
                "it is asked anyway",
                "name another alias".to_owned(),
            ),
            Some(false) => continue,
            Some(true) => wrong(
                format!("`{}` is no model of its own", named.name),
                "it chooses among others",
                "name those that it chooses from".to_owned(),
            ),
            None => wrong(
                format!("no model is called `{}`", named.name),
                "not in this file",
                one_of(&named.name, "the models", all),
            ),
        };
        reader.push(problem);
    }
}
