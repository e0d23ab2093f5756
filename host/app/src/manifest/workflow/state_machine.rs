//! `pattern: state_machine`: states with who handles them, and the ways from one
//! to another.

use std::sync::Arc;

use hotcell_workflow::patterns::state_machine::check::{About, MOST_VISITS, Wrong, check};
use hotcell_workflow::patterns::state_machine::guard::{BadGuard, FUNCTIONS, Guard, VARIABLES};
use hotcell_workflow::patterns::state_machine::{State, StateMachine, TIMEOUT, Transition};
use hotcell_workflow::plan::Pattern;

use super::DAY_MS;
use super::scope::Scope;
use super::step::{self, Place};
use crate::manifest::problem::{Problem, Spot, one_of};
use crate::manifest::reader::{Named, Reader, Table};
use crate::manifest::tree::{Key, Kind, Node};

/// Its keys.
pub(super) const KEYS: [&str; 4] = ["initial", "finals", "states", "transitions"];

/// Where things stand in the file.
struct Places {
    initial: Named,
    finals: Vec<Named>,
    /// Where `finals` itself stands.
    ends: Spot,
    states: Vec<Named>,
    /// From, to.
    ways: Vec<(Named, Named)>,
}

/// Reads it, and checks that it hangs together once every part of it is clear.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table<'_>,
    scope: &mut Scope<'_>,
) -> Option<Pattern> {
    let initial = reader
        .require(table, "initial", "name the state where it begins")
        .and_then(|node| named(reader, node, "initial"));
    let finals = reader.require(table, "finals", "name the states where it ends");
    let ends = finals.map(|node| reader.spot(&node.span));
    let finals = finals.map(|node| reader.texts(node, "finals"));
    let states = reader
        .require(table, "states", "write each state with its `step`")
        .and_then(|node| states(reader, node, scope));
    let ways = reader
        .require(
            table,
            "transitions",
            "write each way: `- { from: …, to: … }`",
        )
        .and_then(|node| transitions(reader, node));
    let (mut states, mut places) = states?;
    let (ways, way_places) = ways?;
    let finals = finals?;
    for name in &finals {
        // A final state need not be written down anywhere else.
        if !states.iter().any(|state| *state.name == *name.name) {
            good(reader, name).then_some(())?;
            states.push(State::new(&name.name, None));
            places.push(name.clone());
        }
    }
    let places = Places {
        initial: initial?,
        finals,
        ends: ends?,
        states: places,
        ways: way_places,
    };
    let machine = StateMachine {
        initial: places.initial.name.as_str().into(),
        finals: places
            .finals
            .iter()
            .map(|it| it.name.as_str().into())
            .collect(),
        states,
        transitions: ways,
    };
    let wrong = check(&machine);
    let whole = wrong.is_empty();
    for (about, wrong) in wrong {
        reader.push(problem(&places, &about, &wrong));
    }
    whole.then_some(Pattern::StateMachine(machine))
}

fn named(reader: &mut Reader, node: &Node, what: &str) -> Option<Named> {
    Some(Named {
        name: reader.text(node, what)?,
        spot: reader.spot(&node.span),
    })
}

/// Whether a state or an event may be called so.
fn good(reader: &mut Reader, named: &Named) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let first = named.name.starts_with(|c: char| c.is_ascii_alphabetic());
    let good = first && named.name.len() <= 63 && named.name.chars().all(rest);
    if !good {
        let help = "states and events begin with a letter and go on with letters, digits, `_` and \
                    `-`, 63 at most";
        let problem = Problem::new(format!("`{}` is not a name", named.name));
        reader.push(problem.at(&named.spot, "this one").help(help));
    }
    good
}

/// The states and where their names stand; none if one is not clear.
fn states(
    reader: &mut Reader,
    node: &Node,
    scope: &mut Scope<'_>,
) -> Option<(Vec<State>, Vec<Named>)> {
    let mut all = Vec::new();
    for (key, node) in reader.entries(node, "`states`") {
        let named = Named {
            name: key.name.clone(),
            spot: reader.spot(&key.span),
        };
        let state = good(reader, &named)
            .then(|| state(reader, node, scope, &named.name))
            .flatten();
        all.push((state, named));
    }
    let all: Option<Vec<_>> = all
        .into_iter()
        .map(|(it, named)| Some((it?, named)))
        .collect();
    Some(all?.into_iter().unzip())
}

fn state(reader: &mut Reader, node: &Node, scope: &mut Scope<'_>, name: &str) -> Option<State> {
    let keys = ["step", "max_visits", "timeout_ms", "invariants"];
    let table = reader.table(node, "a state", &keys)?;
    let known = |entry: &(Key, Node)| keys.contains(&entry.0.name.as_str());
    let mut clear = matches!(&node.kind, Kind::Table(entries) if entries.iter().all(known));
    let step = table.get("step").map(|node| {
        let id = name.to_ascii_lowercase().replace('_', "-");
        let place = Place {
            id: Some(&id),
            optional: true,
            ..Place::default()
        };
        step::read(reader, node, scope, place)
    });
    clear &= !matches!(step, Some(None));
    let mut state = State::new(name, step.flatten().map(|written| written.step));
    if let Some(node) = table.get("max_visits") {
        let visits = reader.whole(node, "max_visits", 1..=u64::from(MOST_VISITS));
        match visits.and_then(|visits| u32::try_from(visits).ok()) {
            Some(visits) => state.max_visits = visits,
            None => clear = false,
        }
    }
    if let Some(node) = table.get("timeout_ms") {
        state.timeout_ms = reader.whole(node, "timeout_ms", 1..=DAY_MS);
        clear &= state.timeout_ms.is_some();
    }
    if let Some(node) = table.get("invariants") {
        for item in reader.list(node, "invariants") {
            match guard(reader, item, "an invariant") {
                Some(guard) => state.invariants.push(guard),
                None => clear = false,
            }
        }
    }
    clear.then_some(state)
}

/// Where a transition begins and where it leads.
type Ends = (Named, Named);

/// The ways and where their ends stand; none if one is not clear.
fn transitions(reader: &mut Reader, node: &Node) -> Option<(Vec<Transition>, Vec<Ends>)> {
    let mut all = Vec::new();
    for item in reader.list(node, "transitions") {
        all.push(transition(reader, item));
    }
    let all: Option<Vec<_>> = all.into_iter().collect();
    Some(all?.into_iter().unzip())
}

fn transition(reader: &mut Reader, node: &Node) -> Option<(Transition, (Named, Named))> {
    let table = reader.table(node, "a transition", &["from", "to", "when", "on"])?;
    let from = reader
        .require(&table, "from", "name the state it leads out of")
        .and_then(|node| named(reader, node, "from"));
    let to = reader
        .require(&table, "to", "name the state it leads to")
        .and_then(|node| named(reader, node, "to"));
    let when = table.get("when").map(|node| guard(reader, node, "`when`"));
    let on = table.get("on").map(|node| {
        let event = named(reader, node, "on")?;
        good(reader, &event).then_some(event)
    });
    let (from, to) = (from?, to?);
    let way = Transition {
        from: from.name.as_str().into(),
        to: to.name.as_str().into(),
        when: match when {
            Some(when) => Some(when?),
            None => None,
        },
        on: match on {
            Some(on) => Some(on?.name.as_str().into()),
            None => None,
        },
    };
    Some((way, (from, to)))
}

fn guard(reader: &mut Reader, node: &Node, what: &str) -> Option<Guard> {
    let text = reader.text(node, what)?;
    match Guard::new(&text) {
        Ok(guard) => Some(guard),
        Err(error) => {
            let help = match &error {
                BadGuard::Variable(name) => one_of(name, "a condition sees", &VARIABLES),
                BadGuard::Function(name) => one_of(name, "the functions", &FUNCTIONS),
                BadGuard::Nested | BadGuard::Builds => {
                    "ask with `exists`, `all` or `exists_one`, one at a time".to_owned()
                }
                _ => "write it in CEL, such as `input.amount > 10000.0`".to_owned(),
            };
            let message = format!("{what} is not a condition");
            reader.wrong(&node.span, message, error.to_string(), help);
            None
        }
    }
}

/// What is wrong with the table as a whole, with its place and what to do.
fn problem(places: &Places, about: &About, wrong: &Wrong) -> Problem {
    let of = |name: &Arc<str>| places.states.iter().rev().find(|it| it.name == **name);
    let spot = match about {
        About::State(name) => of(name).map(|named| &named.spot),
        About::Initial => Some(&places.initial.spot),
        About::Finals => {
            let unknown = |it: &&Named| matches!(wrong, Wrong::Unknown(name) if **name == it.name);
            let one = places.finals.iter().find(unknown);
            Some(one.map_or(&places.ends, |named| &named.spot))
        }
        About::Transition(at) => places.ways.get(*at).map(|(from, to)| match wrong {
            Wrong::Unknown(name) if **name == to.name => &to.spot,
            _ => &from.spot,
        }),
    };
    let states: Vec<&str> = places.states.iter().map(|it| it.name.as_str()).collect();
    let help = match wrong {
        Wrong::Unknown(name) => one_of(name, "the states", &states),
        Wrong::Twice(_) => "keep one of them".to_owned(),
        Wrong::SameStep(_) => "give one of them another `id`".to_owned(),
        Wrong::NoFinal => "name at least one state under `finals`".to_owned(),
        Wrong::InitialIsFinal(_) => "begin in a state that has a `step`".to_owned(),
        Wrong::FinalWithStep(_) => {
            "leave out the `step`, or take the state out of `finals`".to_owned()
        }
        Wrong::OutOfFinal(_) => "leave it out, or take the state out of `finals`".to_owned(),
        Wrong::NoStep(_) => "give it a `step`, or put it under `finals`".to_owned(),
        Wrong::Unreachable(_) => "add a transition to it, or leave it out".to_owned(),
        Wrong::DeadEnd(_) => "add a way on, or put it under `finals`".to_owned(),
        Wrong::Ambiguous { .. } => "give each another `when`, or an event: with `on: …` the \
                                    handler chooses by its `next_state`"
            .to_owned(),
        Wrong::EventIsState(_) => "give the event another name".to_owned(),
        Wrong::NoTimeout(name) => {
            format!("give `{name}` a `timeout_ms`, or call the event otherwise than `{TIMEOUT}`")
        }
        Wrong::Visits(_) => "leave it out for the usual three".to_owned(),
    };
    let problem = Problem::new(wrong.to_string()).help(help);
    match spot {
        Some(spot) => problem.at(spot, "this one"),
        None => problem,
    }
}
