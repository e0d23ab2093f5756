//! What can be known of a state machine without running it.
//!
//! Conditions are taken for unknown here: what holds for every answer of theirs
//! holds. [`explore`] then walks a small machine exhaustively, as the machine
//! itself would, caps included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{StateMachine, TIMEOUT, Transition};

/// The most visits that a state may be given.
pub const MOST_VISITS: u32 = 100;

/// How many situations [`explore`] looks at before it gives up.
const SITUATIONS: usize = 20_000;

/// Something wrong with a state machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Two of the same name.
    #[error("two states are called `{0}`")]
    Twice(Arc<str>),
    /// Their steps could not be told apart.
    #[error("two states have a step `{0}`")]
    SameStep(String),
    /// A name that is no state's.
    #[error("no state is called `{0}`")]
    Unknown(Arc<str>),
    /// It never ends.
    #[error("there is no final state")]
    NoFinal,
    /// It ends before it begins.
    #[error("`{0}` is both initial and final")]
    InitialIsFinal(Arc<str>),
    /// Nobody would ever see what it answers.
    #[error("the final state `{0}` has a step")]
    FinalWithStep(Arc<str>),
    /// A final state is the end.
    #[error("a transition leads out of the final state `{0}`")]
    OutOfFinal(Arc<str>),
    /// Nobody does anything there.
    #[error("the state `{0}` has no step and is not final")]
    NoStep(Arc<str>),
    /// Nothing leads there.
    #[error("no way leads from the initial state to `{0}`")]
    Unreachable(Arc<str>),
    /// It would have to fail.
    #[error("no way leads from `{0}` to a final state")]
    DeadEnd(Arc<str>),
    /// Which one is taken could not be told.
    #[error("two ways out of `{from}` have the same condition: to `{one}` and to `{other}`")]
    Ambiguous {
        /// The state.
        from: Arc<str>,
        /// Where one leads.
        one: Arc<str>,
        /// Where the other leads.
        other: Arc<str>,
        /// Index of the second.
        at: usize,
    },
    /// A handler's word would mean two things.
    #[error("the event `{0}` is called as a state is")]
    EventIsState(Arc<str>),
    /// It would never come.
    #[error("a transition out of `{0}` waits for its `timeout`, and it has no `timeout_ms`")]
    NoTimeout(Arc<str>),
    /// It could never be entered, or too often.
    #[error("`max_visits` of `{0}` is not between 1 and {MOST_VISITS}")]
    Visits(Arc<str>),
}

/// Whom something is about, to be shown in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A state, by its name.
    State(Arc<str>),
    /// A transition, by its index.
    Transition(usize),
    /// The initial state's name.
    Initial,
    /// The list of final states.
    Finals,
}

/// All that is wrong with it, and where.
pub fn check(machine: &StateMachine) -> Vec<(About, Wrong)> {
    let mut wrong = names(machine);
    if !wrong.is_empty() {
        // Ways between states that do not exist tell nothing.
        return wrong;
    }
    wrong.extend(ends(machine));
    wrong.extend(choices(machine));
    wrong.extend(ways(machine));
    wrong
}

fn names(machine: &StateMachine) -> Vec<(About, Wrong)> {
    let mut wrong = Vec::new();
    let mut states = BTreeSet::new();
    let mut steps = BTreeSet::new();
    for state in &machine.states {
        let about = || About::State(Arc::clone(&state.name));
        if !states.insert(&*state.name) {
            wrong.push((about(), Wrong::Twice(Arc::clone(&state.name))));
        }
        if let Some(step) = state.step.as_ref().filter(|step| !steps.insert(&step.id)) {
            wrong.push((about(), Wrong::SameStep(step.id.clone())));
        }
    }
    let mut known = |about: About, name: &Arc<str>| {
        if !states.contains(&**name) {
            wrong.push((about, Wrong::Unknown(Arc::clone(name))));
        }
    };
    known(About::Initial, &machine.initial);
    for name in &machine.finals {
        known(About::Finals, name);
    }
    for (at, way) in machine.transitions.iter().enumerate() {
        known(About::Transition(at), &way.from);
        known(About::Transition(at), &way.to);
    }
    wrong
}

/// Where it begins and ends, and who does something.
fn ends(machine: &StateMachine) -> Vec<(About, Wrong)> {
    let mut wrong = Vec::new();
    if machine.finals.is_empty() {
        wrong.push((About::Finals, Wrong::NoFinal));
    }
    if machine.is_final(&machine.initial) {
        let initial = Arc::clone(&machine.initial);
        wrong.push((About::Initial, Wrong::InitialIsFinal(initial)));
    }
    for state in &machine.states {
        let name = || Arc::clone(&state.name);
        let mut found = Vec::new();
        match (machine.is_final(&state.name), &state.step) {
            (true, Some(_)) => found.push(Wrong::FinalWithStep(name())),
            (false, None) => found.push(Wrong::NoStep(name())),
            _ => {}
        }
        if !(1..=MOST_VISITS).contains(&state.max_visits) {
            found.push(Wrong::Visits(name()));
        }
        wrong.extend(found.into_iter().map(|it| (About::State(name()), it)));
    }
    for (at, way) in machine.transitions.iter().enumerate() {
        if machine.is_final(&way.from) {
            let from = Arc::clone(&way.from);
            wrong.push((About::Transition(at), Wrong::OutOfFinal(from)));
        }
    }
    wrong
}

/// Whether the table says which transition is taken.
fn choices(machine: &StateMachine) -> Vec<(About, Wrong)> {
    let mut wrong = Vec::new();
    for (at, way) in machine.transitions.iter().enumerate() {
        let same = |other: &&Transition| {
            (&other.from, &other.on, &other.when) == (&way.from, &way.on, &way.when)
        };
        let before = machine.transitions.iter().take(at);
        if let Some(other) = before.rev().find(same) {
            let ambiguous = Wrong::Ambiguous {
                from: Arc::clone(&way.from),
                one: Arc::clone(&other.to),
                other: Arc::clone(&way.to),
                at,
            };
            wrong.push((About::Transition(at), ambiguous));
        }
        let Some(event) = &way.on else { continue };
        if machine.state(event).is_some() {
            let event = Wrong::EventIsState(Arc::clone(event));
            wrong.push((About::Transition(at), event));
        }
        let from = machine.state(&way.from);
        if **event == *TIMEOUT && from.is_some_and(|state| state.timeout_ms.is_none()) {
            let from = Wrong::NoTimeout(Arc::clone(&way.from));
            wrong.push((About::Transition(at), from));
        }
    }
    wrong
}

/// Whether every state can be entered and left for good.
fn ways(machine: &StateMachine) -> Vec<(About, Wrong)> {
    let forth = machine.reach([&machine.initial], |way| (&way.from, &way.to));
    let back = machine.reach(&machine.finals, |way| (&way.to, &way.from));
    let mut wrong = Vec::new();
    for state in &machine.states {
        let name = || Arc::clone(&state.name);
        if !forth.contains(&state.name) {
            wrong.push((About::State(name()), Wrong::Unreachable(name())));
        } else if !machine.finals.is_empty() && !back.contains(&state.name) {
            wrong.push((About::State(name()), Wrong::DeadEnd(name())));
        }
    }
    wrong
}

/// What an exhaustive walk has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// The most handlers that one run can ask.
    pub longest: u32,
    /// The caps on which a run can come to a stand.
    pub caps: BTreeSet<Arc<str>>,
    /// In how many situations it can be.
    pub situations: usize,
}

/// Walks through all that can happen: every transition that leaves a state may be
/// the one. None if there is more than a small machine's worth of it.
pub fn explore(machine: &StateMachine) -> Option<Explored> {
    let mut seen = BTreeMap::new();
    let mut explored = Explored {
        longest: 0,
        caps: BTreeSet::new(),
        situations: 0,
    };
    // Depth first with a stack of its own; each situation is left with the length
    // of the longest way on from there.
    let first = Situation::default().enter(machine, &machine.initial)?;
    let mut stack = vec![(first, false)];
    while let Some((situation, leaving)) = stack.pop() {
        if seen.len() > SITUATIONS {
            return None;
        }
        let state = machine.state(&situation.at)?;
        let all = machine.transitions.iter();
        let ways = all.filter(|way| way.from == situation.at);
        if leaving {
            let mut longest = 0;
            for way in ways {
                let next = situation.enter(machine, &way.to);
                let on = next.and_then(|next| seen.get(&next).copied().flatten());
                longest = longest.max(on.unwrap_or(0));
            }
            let own = u32::from(state.step.is_some());
            seen.insert(situation, Some(longest + own));
            continue;
        }
        if seen.contains_key(&situation) {
            continue;
        }
        seen.insert(situation.clone(), None);
        stack.push((situation.clone(), true));
        for way in ways {
            match situation.enter(machine, &way.to) {
                Some(next) => stack.push((next, false)),
                None => {
                    explored.caps.insert(Arc::clone(&way.to));
                }
            }
        }
    }
    let longest = seen.values().flatten().max();
    explored.longest = longest.copied().unwrap_or(0);
    explored.situations = seen.len();
    Some(explored)
}

/// Where it is and how often it was everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Situation {
    at: Arc<str>,
    visits: BTreeMap<Arc<str>, u32>,
}

impl Situation {
    /// The next situation, unless the state's cap forbids it.
    fn enter(&self, machine: &StateMachine, to: &Arc<str>) -> Option<Situation> {
        let state = machine.state(to)?;
        let mut next = self.clone();
        next.at = Arc::clone(to);
        let visits = next.visits.entry(Arc::clone(to)).or_default();
        *visits += 1;
        (*visits <= state.max_visits).then_some(next)
    }
}

impl StateMachine {
    pub(super) fn is_final(&self, name: &str) -> bool {
        self.finals.iter().any(|it| **it == *name)
    }

    /// All states on ways from these.
    fn reach<'a>(
        &'a self,
        from: impl IntoIterator<Item = &'a Arc<str>>,
        ends: impl Fn(&'a Transition) -> (&'a Arc<str>, &'a Arc<str>),
    ) -> BTreeSet<&'a Arc<str>> {
        let mut next: Vec<&Arc<str>> = from.into_iter().collect();
        let mut reached = BTreeSet::new();
        while let Some(name) = next.pop() {
            if reached.insert(name) {
                let ways = self.transitions.iter().map(&ends);
                next.extend(ways.filter(|(from, _)| *from == name).map(|(_, to)| to));
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests;
