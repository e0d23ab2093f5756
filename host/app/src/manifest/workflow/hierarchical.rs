//! `pattern: hierarchical`: a planner, specialists, and how one answer is made of
//! theirs.

use std::sync::Arc;

use hotcell_runtime::manifest::Kind as PluginKind;
use hotcell_workflow::patterns::hierarchical::aggregate::Aggregate;
use hotcell_workflow::patterns::hierarchical::{Hierarchical, MAX_SUBTASKS, MAX_WORKERS};
use hotcell_workflow::plan::{Body, Call, Pattern, Step};

use super::scope::Scope;
use super::step::{self, Place};
use crate::manifest::problem::Problem;
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// Its keys.
pub(super) const KEYS: [&str; 6] = [
    "planner",
    "specialists",
    "max_workers",
    "skip_unknown",
    "quorum",
    "aggregate",
];

const AGGREGATE: &str = "write `aggregate: { how: … }` or `aggregate: { plugin: … }`";

/// Reads it.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table<'_>,
    scope: &mut Scope<'_>,
) -> Option<Pattern> {
    let place = Place {
        id: Some("planner"),
        ..Place::default()
    };
    let planner = reader
        .require(table, "planner", "name who plans: `planner: { agent: … }`")
        .and_then(|node| step::read(reader, node, scope, place));
    let place = Place {
        optional: true,
        ..Place::default()
    };
    let specialists = reader
        .require(table, "specialists", "list who works on subtasks")
        .map(|node| step::list(reader, node, "specialists", scope, place))
        .unwrap_or_default();
    let known = specialists
        .iter()
        .filter_map(|(_, written)| written.as_ref());
    let all = planner.iter().chain(known).map(|written| &written.id);
    step::distinct(reader, all.clone());
    for id in all.filter(|id| id.name == AGGREGATOR) {
        let message = format!("`{AGGREGATOR}` is what the making of one answer is called");
        let problem = Problem::new(message).at(&id.spot, "a step with this name");
        reader.push(problem.help("give the step another `id`"));
    }
    let most = MAX_SUBTASKS as u64;
    let mut count = |key: &str| {
        let node = table.get(key)?;
        usize::try_from(reader.whole(node, key, 1..=most)?).ok()
    };
    let max_workers = count("max_workers").unwrap_or(MAX_WORKERS);
    let quorum = count("quorum");
    let skip_unknown = table
        .get("skip_unknown")
        .and_then(|node| reader.flag(node, "skip_unknown"))
        .unwrap_or_default();
    let aggregate = reader
        .require(table, "aggregate", AGGREGATE)
        .and_then(|node| aggregate(reader, node, scope));
    let specialists: Vec<Arc<Step>> = specialists
        .into_iter()
        .map(|(_, written)| Some(Arc::new(written?.step)))
        .collect::<Option<_>>()?;
    Some(Pattern::Hierarchical(Hierarchical {
        planner: Arc::new(planner?.step),
        specialists,
        max_workers,
        skip_unknown,
        quorum,
        aggregate: aggregate?,
    }))
}

/// The ways of making one answer that need no plugin.
#[derive(Clone, Copy)]
enum How {
    Mean,
    Union,
    Majority,
    First,
}

const HOW: [(&str, How); 4] = [
    ("mean", How::Mean),
    ("union", How::Union),
    ("majority", How::Majority),
    ("first", How::First),
];

/// The id of an aggregator that is a plugin.
const AGGREGATOR: &str = "aggregate";

fn aggregate(reader: &mut Reader, node: &Node, scope: &mut Scope<'_>) -> Option<Aggregate> {
    if node.get("plugin").is_some() {
        let keys = ["plugin", "retry", "breaker", "timeout_ms"];
        let table = reader.table(node, "`aggregate` by a plugin", &keys)?;
        let around = step::around(reader, &table, scope.defaults);
        let node = reader.require(&table, "plugin", AGGREGATE)?;
        let plugin = scope.plugin(reader, node, PluginKind::Aggregator, "plugin")?;
        let call = Call {
            retry: around.retry,
            breaker: around.breaker,
            timeout_ms: around.timeout_ms,
            repairs: 0,
            ..Call::new(&plugin.name)
        };
        return Some(Aggregate::Plugin(Arc::new(Step {
            body: Body::Call(call),
            ..Step::agent(AGGREGATOR, &plugin.name)
        })));
    }
    let how = node.get("how").map(|node| &node.kind);
    let how = match how {
        Some(Kind::Text(word)) => HOW.iter().find(|(known, _)| known == word),
        _ => None,
    };
    let keys: &[&str] = match how {
        Some((_, How::Mean)) => &["how", "field", "over"],
        Some((_, How::Union | How::Majority)) => &["how", "field"],
        Some((_, How::First)) => &["how"],
        None => &["how", "plugin", "field", "over"],
    };
    let table = reader.table(node, "`aggregate`", keys)?;
    let how = reader
        .require(&table, "how", AGGREGATE)
        .and_then(|node| reader.choice(node, "how", &HOW))?;
    let field = table.get("field");
    let whole = |reader: &mut Reader| match field {
        Some(node) => reader.pointer(node, "field"),
        None => Some(String::new()),
    };
    Some(match how {
        How::Mean => {
            let field = reader
                .require(&table, "field", "name the number: `field: /score`")
                .and_then(|node| reader.pointer(node, "field"));
            let over = reader
                .require(&table, "over", "say above which mean `over` is true")
                .and_then(|node| reader.number(node, "over"));
            Aggregate::Mean {
                field: field?,
                over: over?,
            }
        }
        How::Union => Aggregate::Union {
            field: whole(reader)?,
        },
        How::Majority => Aggregate::Majority {
            field: whole(reader)?,
        },
        How::First => Aggregate::First,
    })
}
