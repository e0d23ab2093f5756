//! Hierarchical: a planner cuts the task into subtasks, specialists work on them
//! side by side, and one answer is made of theirs.
//!
//! The plan is a guest's: it is checked before anybody works on it. A plan that
//! is not good goes back to the planner with what was found, as often as the
//! planner's own answers may be sent back; after that it is a failure `bad-plan`.
//!
//! A specialist gets its subtask's input, and as `previous` what the subtasks it
//! depends on came to, by their ids; `null` stands for what is missing. Without a
//! quorum every subtask of a specialist that is not optional must have a result.
//! With one, so many subtasks must have one, whosever they are. Whatever is
//! missing in the end makes it a partial success, and no result at all is a
//! failure `no-quorum`, never an answer.

pub mod aggregate;
mod planned;

use std::sync::Arc;

use hotcell_runtime::task::{Ballot, Decision, Output};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::aggregate::Aggregate;
use self::planned::{Planned, Work};
use super::{Asked, Move, Scene, Slot};
use crate::machine::event::Fault;
use crate::machine::outcome::{Done, Ended, Outcome, Stop};
use crate::plan::{Body, Step};

/// How many specialists work at once unless the workflow says otherwise: 5.
pub const MAX_WORKERS: usize = 5;

/// The most subtasks of one plan.
pub const MAX_SUBTASKS: usize = 64;

/// Who plans, who works, and how one answer is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hierarchical {
    /// Who cuts the task into subtasks.
    pub planner: Arc<Step>,
    /// Who works on subtasks; the plan names them by their ids. An optional one
    /// may come to nothing.
    pub specialists: Vec<Arc<Step>>,
    /// Never more of them at once.
    pub max_workers: usize,
    /// A subtask for somebody who is not there is left out, and is missing like
    /// one that came to nothing. Otherwise such a plan is a bad one.
    pub skip_unknown: bool,
    /// How many subtasks must have a result.
    pub quorum: Option<usize>,
    /// How one answer is made.
    pub aggregate: Aggregate,
}

/// The planner's slot; its round is how often it was asked.
const PLANNER: usize = 0;
/// The slot of an aggregator that is a plugin.
const AGGREGATOR: usize = 1;
/// The first subtask's.
const FIRST: usize = 2;

/// Where it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// How often the planner was asked.
    plans: u32,
    /// In the order of the plan.
    work: Vec<Work>,
    partial: bool,
    degraded: bool,
}

impl Hierarchical {
    pub(super) fn begin(&self, scene: &Scene<'_>) -> (State, Vec<Move>) {
        let state = State {
            plans: 1,
            work: Vec::new(),
            partial: false,
            degraded: false,
        };
        (state, vec![self.ask_planner(1, scene.asked.clone())])
    }

    fn ask_planner(&self, round: u32, asked: Asked) -> Move {
        let name = match round {
            1 => self.planner.id.clone(),
            round => format!("{}#{round}", self.planner.id),
        };
        Move::Begin {
            slot: Slot {
                step: PLANNER,
                round,
            },
            name,
            step: Arc::clone(&self.planner),
            asked,
        }
    }

    pub(super) fn ended(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        slot: Slot,
        ended: Ended,
    ) -> Vec<Move> {
        match slot.step {
            PLANNER => self.planned(state, scene, ended.outcome),
            AGGREGATOR => vec![Move::End(decided(state, scene, ended.outcome))],
            step => self.worked(state, scene, step - FIRST, ended.outcome),
        }
    }

    /// The planner answered.
    fn planned(&self, state: &mut State, scene: &Scene<'_>, outcome: Outcome) -> Vec<Move> {
        let done = match outcome {
            Ok(done) => done,
            Err(stop) => return vec![Move::End(Err(stop))],
        };
        match self.check(&done.output.plan) {
            Ok(Planned { work, left_out }) => {
                state.work = work;
                state.partial |= done.partial | left_out;
                state.degraded |= done.degraded;
                self.go_on(state, scene)
            }
            Err(findings) if state.plans <= self.repairs() => {
                state.plans += 1;
                let mut asked = scene.asked.clone();
                asked.findings.extend(findings);
                vec![self.ask_planner(state.plans, asked)]
            }
            Err(findings) => {
                let said: Vec<_> = findings
                    .iter()
                    .map(|it| format!("{} {}", it.pointer, it.message))
                    .collect();
                let fault = Fault::new("bad-plan", said.join("; "));
                vec![Move::End(Err(stop(scene, &self.planner.id, fault)))]
            }
        }
    }

    /// How often a plan may be sent back.
    fn repairs(&self) -> u32 {
        match &self.planner.body {
            Body::Call(call) => call.repairs,
            Body::Workflow(_) => 0,
        }
    }

    /// A subtask ended.
    fn worked(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        at: usize,
        outcome: Outcome,
    ) -> Vec<Move> {
        let Some(work) = state.work.get_mut(at) else {
            return Vec::new();
        };
        match outcome {
            Ok(done) => {
                state.partial |= done.partial;
                state.degraded |= done.degraded;
                work.end(Some(done.output));
            }
            Err(stop) => {
                let optional = self.specialists.get(work.specialist);
                let optional = optional.is_some_and(|step| step.optional);
                if self.quorum.is_none() && !optional {
                    return vec![Move::End(Err(stop))];
                }
                state.partial = true;
                work.end(None);
            }
        }
        self.go_on(state, scene)
    }

    /// Begins what can begin now; makes one answer when nothing is left.
    fn go_on(&self, state: &mut State, scene: &Scene<'_>) -> Vec<Move> {
        let possible = state.work.iter().filter(|work| !work.is_missing()).count();
        let least = self.quorum.unwrap_or(1);
        if possible < least {
            let fault = self.no_quorum(format!(
                "{possible} of {} subtasks can have a result, and {least} must",
                state.work.len()
            ));
            return vec![Move::End(Err(stop(scene, "", fault)))];
        }
        let mut moves = Vec::new();
        let mut busy = state.work.iter().filter(|work| work.is_under_way()).count();
        for at in 0..state.work.len() {
            if busy >= self.max_workers.max(1) {
                break;
            }
            let Some((work, specialist)) = state.work.get(at).and_then(|work| {
                let ready = work.is_ready(&state.work);
                Some((work, self.specialists.get(work.specialist)?)).filter(|_| ready)
            }) else {
                continue;
            };
            moves.push(Move::Begin {
                slot: Slot::once(FIRST + at),
                name: work.name.clone(),
                step: Arc::clone(specialist),
                asked: Asked {
                    previous: before(work, &state.work),
                    ..Asked::about(Arc::clone(&work.input))
                },
            });
            if let Some(work) = state.work.get_mut(at) {
                work.begin();
            }
            busy += 1;
        }
        if busy == 0 {
            moves.push(self.aggregate(state, scene));
        }
        moves
    }

    /// Makes one answer out of all.
    fn aggregate(&self, state: &State, scene: &Scene<'_>) -> Move {
        let results: Vec<(&Work, &Output)> = state
            .work
            .iter()
            .filter_map(|work| Some((work, work.output()?)))
            .collect();
        if let Aggregate::Plugin(step) = &self.aggregate {
            let ballot = |(work, output): &(&Work, &Output)| Ballot {
                voter: work.name.clone(),
                value: output.value.clone(),
                confidence: output.confidence,
                weight: 1.0,
            };
            return Move::Begin {
                slot: Slot::once(AGGREGATOR),
                name: step.id.clone(),
                step: Arc::clone(step),
                asked: Asked {
                    ballots: Some(results.iter().map(ballot).collect()),
                    ..scene.asked.clone()
                },
            };
        }
        let outputs: Vec<&Output> = results.iter().map(|(_, output)| *output).collect();
        Move::End(
            match self.aggregate.of(&outputs, self.quorum.unwrap_or(1)) {
                Ok(output) => Ok(Done {
                    output,
                    partial: state.partial,
                    degraded: state.degraded,
                }),
                Err(aggregate::Nothing::NoQuorum(why)) => Err(stop(scene, "", self.no_quorum(why))),
                Err(aggregate::Nothing::Tie(why)) => Err(Stop::Human {
                    step: scene.path.to_owned(),
                    fault: Fault::new("tie", why),
                }),
            },
        )
    }

    fn no_quorum(&self, why: String) -> Fault {
        Fault::new("no-quorum", why)
    }

    pub(super) fn own_steps(&self) -> Vec<&Step> {
        let mut steps = vec![self.planner.as_ref()];
        steps.extend(self.specialists.iter().map(AsRef::as_ref));
        if let Aggregate::Plugin(step) = &self.aggregate {
            steps.push(step);
        }
        steps
    }
}

/// What an aggregator's decision comes to. A tie is for a person to break.
fn decided(state: &State, scene: &Scene<'_>, outcome: Outcome) -> Outcome {
    let done = outcome?;
    let decision = serde_json::from_str(&done.output.value);
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let wrong = |why: &str| Err(stop(scene, "", Fault::new("bad-decision", why)));
    match decision {
        Ok(Decision::Decided(text, confidence)) => match value(&text) {
            Some(value) => Ok(Done {
                output: Output {
                    value: value.to_string(),
                    confidence: Some(confidence),
                    ..Output::default()
                },
                partial: state.partial | done.partial,
                degraded: state.degraded | done.degraded,
            }),
            None => wrong("what the aggregator decided is not JSON"),
        },
        Ok(Decision::Tie(_)) => Err(Stop::Human {
            step: scene.path.to_owned(),
            fault: Fault::new(
                "tie",
                "the aggregator could not decide between several answers",
            ),
        }),
        Ok(Decision::NoQuorum) => {
            let why = "the aggregator says that there are too few answers";
            Err(stop(scene, "", Fault::new("no-quorum", why)))
        }
        Err(_) => wrong("the aggregator did not decide"),
    }
}

/// What a subtask is told of those it depends on.
fn before(work: &Work, all: &[Work]) -> Option<Arc<str>> {
    if work.needs.is_empty() {
        return None;
    }
    let entry = |at: &usize| {
        let needed = all.get(*at)?;
        let output = needed.output().map(|it| serde_json::from_str(&it.value));
        let value = output.and_then(Result::ok).unwrap_or(Value::Null);
        Some((needed.id.clone(), value))
    };
    let before: Map<String, Value> = work.needs.iter().filter_map(entry).collect();
    Some(Value::Object(before).to_string().into())
}

/// A fault of the whole, or of one of its steps.
fn stop(scene: &Scene<'_>, step: &str, fault: Fault) -> Stop {
    let path = match (scene.path, step) {
        (path, "") => path.to_owned(),
        ("", step) => step.to_owned(),
        (path, step) => format!("{path}/{step}"),
    };
    Stop::fault(&path, fault)
}

#[cfg(test)]
mod tests;
