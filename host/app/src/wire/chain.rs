//! Aliases behind which there are several models, put together of their routes.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_broker::Route;
use hotcell_broker::llm::LlmProvider as _;
use hotcell_broker::provider::chain::{Chain, Link, When};

use super::ModelInUse;
use crate::manifest::host::{Model, Provider};

/// These aliases, and those that may be asked for them.
pub(super) fn needed<'a>(
    models: &'a BTreeMap<String, Model>,
    granted: &BTreeSet<&String>,
) -> BTreeSet<&'a String> {
    let granted = models.iter().filter(|(alias, _)| granted.contains(alias));
    let mut needed = BTreeSet::new();
    for (alias, model) in granted {
        needed.insert(alias);
        let named = model.links().map(|(named, _)| &named.name);
        let known = named.filter_map(|name| models.get_key_value(name));
        needed.extend(known.map(|(alias, _)| alias));
    }
    needed
}

/// Puts chains in the place of the routes that they are made of, and tells what
/// they are.
pub(super) fn put_together(
    models: &BTreeMap<&String, &Model>,
    routes: &mut BTreeMap<String, Route>,
    in_use: &mut Vec<ModelInUse>,
) {
    let plain = routes.clone();
    for (alias, model) in models.iter().filter(|(_, model)| !model.chained.is_plain()) {
        let own = plain.get(*alias).map(|route| Link {
            alias: (*alias).clone(),
            route: route.clone(),
            when: When::default(),
        });
        let others = model.links().filter_map(|(named, when)| {
            Some(Link {
                alias: named.name.clone(),
                route: plain.get(&named.name)?.clone(),
                when: *when,
            })
        });
        let links: Vec<Link> = own.into_iter().chain(others).collect();
        let after = model.links().map(|(named, _)| &*named.name);
        let after = after.collect::<Vec<_>>().join(", then ");
        let chain = Chain::new(links, model.chained.habits.clone());
        let (log, origin) = (chain.log(), chain.origin());
        routes.insert((*alias).clone(), chain.route());
        match in_use.iter_mut().find(|it| it.alias == **alias) {
            Some(info) => {
                if !after.is_empty() {
                    info.what += &format!(", then {after}");
                }
                info.chain = Some(log);
                info.origin = origin;
            }
            None => in_use.push(ModelInUse {
                alias: (*alias).clone(),
                what: format!("one of {after}"),
                origin,
                faults: None,
                budget: None,
                misses: None,
                chain: Some(log),
            }),
        }
    }
}

/// Whether a model only chooses among others.
pub(super) fn chooses(model: &Model) -> bool {
    matches!(model.provider, Provider::Select)
}
