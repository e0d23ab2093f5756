//! `pattern: voting`: who votes, how votes are counted, and what happens when
//! nothing is decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotcell_runtime::manifest::Kind as PluginKind;
use hotcell_workflow::patterns::voting::check::{MOST, Wrong, check};
use hotcell_workflow::patterns::voting::tally::Strategy;
use hotcell_workflow::patterns::voting::{Outliers, Undecided, Voting, Weights};
use hotcell_workflow::plan::{Body, Call, Pattern, Step};

use super::scope::Scope;
use super::step::{self, Place, Written};
use crate::manifest::problem::{Problem, one_of};
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// Its keys.
pub(super) const KEYS: [&str; 11] = [
    "voters",
    "strategy",
    "k",
    "at_least",
    "field",
    "weights",
    "on_tie",
    "on_no_quorum",
    "outliers",
    "adaptive",
    "aggregate",
];

/// Each strategy by the word in the file; a quorum's and a mean's number are read
/// beside it.
const STRATEGIES: [(&str, Strategy); 7] = [
    ("majority", Strategy::Majority),
    ("plurality", Strategy::Plurality),
    ("weighted", Strategy::Weighted),
    ("unanimous", Strategy::Unanimous),
    ("quorum", Strategy::Quorum(0)),
    ("ranked", Strategy::Ranked),
    ("mean", Strategy::Mean { at_least: None }),
];

/// Reads it, and checks that it can work once every part of it is clear.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table<'_>,
    scope: &mut Scope<'_>,
) -> Option<Pattern> {
    let node = reader.require(table, "voters", "add voters: `- { id: …, agent: … }`")?;
    let voters = voters(reader, node, scope);
    let strategy = strategy(reader, table);
    let field = table.get("field").map(|node| reader.text(node, "field"));
    let weights = table.get("weights").map(|node| weights(reader, node));
    let mut undecided = |key| match table.get(key) {
        Some(node) => undecided(reader, node, key, scope),
        None => Some(Undecided::Escalate),
    };
    let (on_tie, on_no_quorum) = (undecided("on_tie"), undecided("on_no_quorum"));
    let outliers = table.get("outliers").map(|node| outliers(reader, node));
    let adaptive = table
        .get("adaptive")
        .map(|node| reader.flag(node, "adaptive"));
    let aggregate = table
        .get("aggregate")
        .map(|node| aggregate(reader, node, scope));
    let voters = voters?;
    let voting = Voting {
        voters: voters.iter().map(|it| Arc::new(it.step.clone())).collect(),
        strategy: strategy?,
        field: whole(field)?,
        weights: whole(weights)?.unwrap_or(Weights::Confidence),
        on_tie: on_tie?,
        on_no_quorum: on_no_quorum?,
        outliers: whole(outliers)?,
        adaptive: whole(adaptive)?.unwrap_or_default(),
        aggregate: whole(aggregate)?.map(Arc::new),
    };
    let wrong = check(&voting);
    let sound = wrong.is_empty();
    for wrong in wrong {
        let problem = problem(reader, table, node, &voters, &wrong);
        reader.push(problem);
    }
    sound.then_some(Pattern::Voting(voting))
}

/// A part that may be left out and must be clear if it is there.
fn whole<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        Some(None) => None,
        Some(Some(part)) => Some(Some(part)),
        None => Some(None),
    }
}

/// The voters: a list of steps, or one step and how many times.
fn voters(reader: &mut Reader, node: &Node, scope: &mut Scope<'_>) -> Option<Vec<Written>> {
    let Some(count) = node.get("count") else {
        let list = step::list(reader, node, "voters", scope, Place::default());
        let all: Option<Vec<Written>> = list.into_iter().map(|(_, written)| written).collect();
        return all;
    };
    let count = reader.whole(count, "count", 2..=MOST as u64);
    let place = Place {
        id: Some("voter"),
        more: &["count"],
        ..Place::default()
    };
    let one = step::read(reader, node, scope, place);
    let (count, one) = (count?, one?);
    let copy = |number: u64| {
        let mut copy = one.clone();
        copy.id.name = format!("{}-{number}", one.id.name);
        copy.step.id.clone_from(&copy.id.name);
        copy
    };
    Some((1..=count).map(copy).collect())
}

fn strategy(reader: &mut Reader, table: &Table<'_>) -> Option<Strategy> {
    let mut strategy = match table.get("strategy") {
        Some(node) => reader.choice(node, "strategy", &STRATEGIES)?,
        None => Strategy::Majority,
    };
    match &mut strategy {
        Strategy::Quorum(k) => {
            let node = reader.require(table, "k", "say how many must agree: `k: …`")?;
            *k = usize::try_from(reader.whole(node, "k", 1..=MOST as u64)?).ok()?;
        }
        Strategy::Mean { at_least } => {
            if let Some(node) = table.get("at_least") {
                *at_least = Some(number(reader, node, "at_least")?);
            }
        }
        _ => {}
    }
    let only = [
        ("k", "quorum", matches!(strategy, Strategy::Quorum(_))),
        (
            "at_least",
            "mean",
            matches!(strategy, Strategy::Mean { .. }),
        ),
    ];
    for (key, word, fits) in only {
        if let (false, Some(node)) = (fits, table.get(key)) {
            let message = format!("`{key}` is for `strategy: {word}` alone");
            let help = format!("leave it out, or write `strategy: {word}`");
            reader.wrong(&node.span, message, "this means nothing here", help);
        }
    }
    Some(strategy)
}

fn number(reader: &mut Reader, node: &Node, what: &str) -> Option<f64> {
    let number = match &node.kind {
        Kind::Number(number) => number.as_f64(),
        _ => None,
    };
    if number.is_none() {
        let label = format!("this is {}", node.kind_in_words());
        let message = format!("`{what}` must be a number");
        reader.wrong(&node.span, message, label, "write it as `0.5`");
    }
    number
}

fn weights(reader: &mut Reader, node: &Node) -> Option<Weights> {
    if let Kind::Text(_) = &node.kind {
        let words = [("confidence", ())];
        return reader
            .choice(node, "weights", &words)
            .map(|()| Weights::Confidence);
    }
    let mut weights = BTreeMap::new();
    for (key, node) in reader.entries(node, "`weights`") {
        weights.insert(key.name.clone(), number(reader, node, &key.name)?);
    }
    Some(Weights::Voters(weights))
}

fn undecided(
    reader: &mut Reader,
    node: &Node,
    key: &'static str,
    scope: &mut Scope<'_>,
) -> Option<Undecided> {
    if let Kind::Text(_) = &node.kind {
        let words = [("escalate", ())];
        return reader
            .choice(node, key, &words)
            .map(|()| Undecided::Escalate);
    }
    let table = reader.table(node, key, &["default", "extra"])?;
    match (table.get("default"), table.get("extra")) {
        (Some(value), None) => Some(Undecided::Default(value.json())),
        (None, Some(node)) => {
            let place = Place {
                id: Some("extra"),
                ..Place::default()
            };
            let written = step::read(reader, node, scope, place)?;
            Some(Undecided::Extra(Arc::new(written.step)))
        }
        _ => {
            let help = "write `escalate`, `{ default: … }` or `{ extra: { agent: … } }`";
            reader.wrong(
                &node.span,
                format!("`{key}` says one thing"),
                "this one",
                help,
            );
            None
        }
    }
}

fn outliers(reader: &mut Reader, node: &Node) -> Option<Outliers> {
    let table = reader.table(node, "`outliers`", &["field", "z"])?;
    let help = "name the number that is compared: `field: /…`";
    let field = reader.require(&table, "field", help);
    let field = field.and_then(|node| reader.text(node, "field"));
    let z = match table.get("z") {
        Some(node) => number(reader, node, "z"),
        None => Some(1.5),
    };
    Some(Outliers {
        field: field?,
        z: z?,
    })
}

fn aggregate(reader: &mut Reader, node: &Node, scope: &mut Scope<'_>) -> Option<Step> {
    let table = reader.table(node, "`aggregate`", &["plugin"])?;
    let named = reader
        .require(&table, "plugin", "name the aggregator")
        .and_then(|node| scope.plugin(reader, node, PluginKind::Aggregator, "aggregate"))?;
    let call = Call {
        retry: scope.defaults.retry,
        breaker: scope.defaults.breaker,
        timeout_ms: scope.defaults.timeout_ms,
        ..Call::new(&named.name)
    };
    Some(Step {
        body: Body::Call(call),
        ..Step::agent("aggregate", &named.name)
    })
}

/// What is wrong with the vote as a whole, with its place and what to do.
fn problem(
    reader: &Reader,
    table: &Table<'_>,
    voters: &Node,
    written: &[Written],
    wrong: &Wrong,
) -> Problem {
    let ids: Vec<&Named> = written.iter().map(|it| &it.id).collect();
    let names: Vec<&str> = ids.iter().map(|id| id.name.as_str()).collect();
    let (key, help) = match wrong {
        Wrong::Voters(_) => ("voters", "write another number of voters".to_owned()),
        Wrong::Twice(_) => ("voters", "give one of them another `id`".to_owned()),
        Wrong::K(_) => ("k", "more than half of the voters is usual".to_owned()),
        Wrong::Pointer(field) => ("field", format!("write `/{field}`")),
        Wrong::Voter(name) => ("weights", one_of(name, "the voters", &names)),
        Wrong::Weight(_) => ("weights", "write a number above 0".to_owned()),
        Wrong::Z => ("outliers", "1.5 is usual".to_owned()),
        Wrong::Adaptive(_) => ("adaptive", "leave one of them out".to_owned()),
    };
    let key = match (wrong, table.get(key)) {
        (
            Wrong::Pointer(field),
            Some(Node {
                kind: Kind::Text(text),
                ..
            }),
        ) if text != field => "outliers",
        (Wrong::Pointer(_), None) => "outliers",
        _ => key,
    };
    let twice = |id: &&&Named| matches!(wrong, Wrong::Twice(name) if *name == id.name);
    let spot = match ids.iter().rev().find(twice) {
        Some(id) => id.spot.clone(),
        None => reader.spot(&table.get(key).unwrap_or(voters).span),
    };
    Problem::new(wrong.to_string())
        .at(&spot, "this one")
        .help(help)
}
