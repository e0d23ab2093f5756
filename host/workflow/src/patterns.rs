//! How agents work together: one file for each pattern, its plan and its
//! transitions.
//!
//! A pattern is a pure function over data. It begins steps, hears how they ended,
//! and says how it ends itself; what surrounds a step (tries, gates, fallbacks)
//! is the machine's, the same for all patterns. A step may be a workflow itself,
//! and a pattern cannot tell the difference.

pub mod hierarchical;
pub mod iterative;
pub mod sequential;
pub mod state_machine;
pub mod voting;

use std::sync::Arc;

use hotcell_runtime::task::{Finding, Output, Task};

use crate::machine::event::{Ask, Audit};
use crate::machine::outcome::{Ended, Outcome};
use crate::plan::{Pattern, Step};

/// Which of its steps a pattern means: its own number for it and the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    /// The pattern's number for the step.
    pub(crate) step: usize,
    /// From 1, where a step comes more than once.
    pub(crate) round: u32,
}

impl Slot {
    pub(crate) fn once(step: usize) -> Slot {
        Slot { step, round: 1 }
    }
}

/// What a step is asked to work on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// The record, or the piece of it that this step is about (JSON text).
    pub(crate) input: Arc<str>,
    /// What came before (JSON text).
    pub(crate) previous: Option<Arc<str>>,
    /// What was found wrong with what came before.
    pub(crate) findings: Vec<Finding>,
    /// Which round this is, from 1.
    pub(crate) iteration: u32,
    /// The rounds of the iterative workflows around it, the outermost first. To
    /// the loop guard another one of these is another question, for when to stop
    /// is theirs to say.
    pub(crate) rounds: Vec<u32>,
    /// An aggregator is asked this instead.
    pub(crate) ballots: Option<Vec<hotcell_runtime::task::Ballot>>,
}

impl Asked {
    /// To work on this, with nothing before it.
    pub(crate) fn about(input: Arc<str>) -> Asked {
        Asked {
            input,
            previous: None,
            findings: Vec::new(),
            iteration: 1,
            rounds: Vec::new(),
            ballots: None,
        }
    }

    pub(crate) fn ask(&self, id: &str, kind: &str) -> Ask {
        match &self.ballots {
            Some(ballots) => Ask::Decide(ballots.clone()),
            None => Ask::Run(Task {
                id: id.to_owned(),
                kind: kind.to_owned(),
                input: self.input.to_string(),
                previous: self.previous.as_ref().map(ToString::to_string),
                findings: self.findings.clone(),
                iteration: self.iteration,
            }),
        }
    }
}

/// What a pattern wants done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Move {
    /// Begin a step; it ends in `ended` of the pattern with this slot.
    Begin {
        slot: Slot,
        /// Its part of the path: unique among what is under way in the pattern,
        /// the same in every execution, and never a guest's words.
        name: String,
        step: Arc<Step>,
        asked: Asked,
    },
    /// Give up a step that is under way. It does not end in `ended`.
    Stop(Slot),
    /// Wait so many milliseconds; ends in `elapsed`, unless the pattern has ended.
    Wait { timer: u32, ms: u64 },
    /// Write this down.
    Audit(Audit),
    /// The pattern is over; what is under way is given up.
    End(Outcome),
}

/// What a pattern may look at besides its own state.
pub(crate) struct Scene<'a> {
    /// The pattern's own path.
    pub(crate) path: &'a str,
    /// What the pattern itself was asked.
    pub(crate) asked: &'a Asked,
}

/// Where a pattern is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    Sequential(sequential::State),
    Hierarchical(Box<hierarchical::State>),
    Iterative(Box<iterative::State>),
    Machine(state_machine::Walk),
    Voting(voting::Poll),
}

impl Pattern {
    pub(crate) fn begin(&self, scene: &Scene<'_>) -> (State, Vec<Move>) {
        match self {
            Pattern::Sequential(it) => {
                let (state, moves) = it.begin(scene);
                (State::Sequential(state), moves)
            }
            Pattern::Hierarchical(it) => {
                let (state, moves) = it.begin(scene);
                (State::Hierarchical(Box::new(state)), moves)
            }
            Pattern::Iterative(it) => {
                let (state, moves) = it.begin(scene);
                (State::Iterative(Box::new(state)), moves)
            }
            Pattern::StateMachine(it) => {
                let (state, moves) = it.begin(scene);
                (State::Machine(state), moves)
            }
            Pattern::Voting(it) => {
                let (state, moves) = it.begin(scene);
                (State::Voting(state), moves)
            }
        }
    }

    pub(crate) fn ended(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        slot: Slot,
        ended: Ended,
    ) -> Vec<Move> {
        match (self, state) {
            (Pattern::Sequential(it), State::Sequential(state)) => {
                it.ended(state, scene, slot, ended)
            }
            (Pattern::Hierarchical(it), State::Hierarchical(state)) => {
                it.ended(state, scene, slot, ended)
            }
            (Pattern::Iterative(it), State::Iterative(state)) => {
                it.ended(state, scene, slot, ended)
            }
            (Pattern::StateMachine(it), State::Machine(state)) => {
                it.ended(state, scene, slot, ended)
            }
            (Pattern::Voting(it), State::Voting(state)) => it.ended(state, scene, slot, ended),
            // A state is its own pattern's.
            _ => Vec::new(),
        }
    }

    /// A wait of the pattern is over.
    pub(crate) fn elapsed(&self, state: &mut State, scene: &Scene<'_>, timer: u32) -> Vec<Move> {
        match (self, state) {
            (Pattern::StateMachine(it), State::Machine(state)) => it.elapsed(state, scene, timer),
            // The others never wait.
            _ => Vec::new(),
        }
    }

    /// The word for it in files.
    pub fn name(&self) -> &'static str {
        match self {
            Pattern::Sequential(_) => "sequential",
            Pattern::Hierarchical(_) => "hierarchical",
            Pattern::Iterative(_) => "iterative",
            Pattern::StateMachine(_) => "state_machine",
            Pattern::Voting(_) => "voting",
        }
    }

    /// Every step in it, those inside of nested workflows and fallbacks too.
    pub fn steps(&self) -> Vec<&Step> {
        let mut all = Vec::new();
        let mut next = self.own_steps();
        while let Some(step) = next.pop() {
            if let crate::plan::Body::Workflow(pattern) = &step.body {
                next.extend(pattern.own_steps());
            }
            next.extend(step.fallback.iter().filter_map(|it| match it {
                crate::plan::Fallback::Step(step) => Some(step.as_ref()),
                _ => None,
            }));
            all.push(step);
        }
        all
    }

    fn own_steps(&self) -> Vec<&Step> {
        match self {
            Pattern::Sequential(it) => it.own_steps(),
            Pattern::Hierarchical(it) => it.own_steps(),
            Pattern::Iterative(it) => it.own_steps(),
            Pattern::StateMachine(it) => it.own_steps(),
            Pattern::Voting(it) => it.own_steps(),
        }
    }
}

/// The output of an optional step that has none.
fn null() -> Output {
    Output {
        value: "null".to_owned(),
        ..Output::default()
    }
}
