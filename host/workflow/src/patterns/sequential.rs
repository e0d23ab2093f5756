//! Sequential: one step after the other, each seeing the one before. Steps that
//! do not need each other run side by side; what they need is a graph without
//! cycles.
//!
//! A step that comes to nothing ends the workflow, unless it is optional. Before
//! it ends, what was done is undone: the compensations of all steps that have an
//! output, the last first, one after the other.

use std::sync::Arc;

use hotcell_runtime::task::Output;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Asked, Move, Scene, Slot, null};
use crate::graph;
use crate::machine::outcome::{Done, Ended, Outcome, Stop};
use crate::plan::Step;

/// The steps; never empty in a checked plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// The steps, each after those it needs.
    pub steps: Vec<Stage>,
}

/// One of the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What is done.
    pub step: Arc<Step>,
    /// Which steps come first, by index. Smaller than its own.
    pub needs: Vec<usize>,
    /// What undoes it. It is told what the step answered as `previous`.
    pub compensate: Option<Arc<Step>>,
}

impl Sequential {
    /// One after the other.
    pub fn chain(steps: impl IntoIterator<Item = Step>) -> Sequential {
        let stage = |(at, step): (usize, Step)| Stage {
            step: Arc::new(step),
            needs: at.checked_sub(1).into_iter().collect(),
            compensate: None,
        };
        Sequential {
            steps: steps.into_iter().enumerate().map(stage).collect(),
        }
    }
}

/// How long a sequence is at best, however many work on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shape<'a> {
    /// The ids of the steps that may be done at the same time, the first ones
    /// first.
    pub levels: Vec<Vec<&'a str>>,
    /// The longest chain of steps that wait for each other.
    pub critical_path: Vec<&'a str>,
}

impl Sequential {
    /// How its steps lie beside and behind each other.
    pub fn shape(&self) -> Shape<'_> {
        let needs: Vec<Vec<usize>> = self.steps.iter().map(|it| it.needs.clone()).collect();
        let names = |all: Vec<usize>| -> Vec<&str> {
            let stages = all.into_iter().filter_map(|at| self.steps.get(at));
            stages.map(|stage| stage.step.id.as_str()).collect()
        };
        Shape {
            levels: graph::levels(&needs).into_iter().map(names).collect(),
            critical_path: names(graph::longest(&needs)),
        }
    }
}

/// Where a sequence is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// How each step ended: `Ok(None)` for an optional one without an output.
    ended: Vec<Option<Option<Output>>>,
    begun: Vec<bool>,
    /// In which order they ended.
    order: Vec<usize>,
    partial: bool,
    degraded: bool,
    /// Why it is undone, and what is left to undo.
    undoing: Option<(Stop, Vec<usize>)>,
}

impl Sequential {
    pub(super) fn begin(&self, scene: &Scene<'_>) -> (State, Vec<Move>) {
        let mut state = State {
            ended: vec![None; self.steps.len()],
            begun: vec![false; self.steps.len()],
            order: Vec::new(),
            partial: false,
            degraded: false,
            undoing: None,
        };
        let moves = self.ready(&mut state, scene);
        (state, moves)
    }

    pub(super) fn ended(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        slot: Slot,
        ended: Ended,
    ) -> Vec<Move> {
        if state.undoing.is_some() {
            // Whether it could be undone is in the audit record; the next one is
            // undone all the same.
            return self.undo(state, scene);
        }
        let Some(stage) = self.steps.get(slot.step) else {
            return Vec::new();
        };
        let output = match ended.outcome {
            Ok(done) => {
                state.partial |= done.partial;
                state.degraded |= done.degraded;
                state.order.push(slot.step);
                Some(done.output)
            }
            Err(_) if stage.step.optional => {
                state.partial = true;
                None
            }
            Err(stop) => {
                let mut moves = self.stop_others(state);
                state.undoing = Some((stop, state.order.clone()));
                moves.extend(self.undo(state, scene));
                return moves;
            }
        };
        if let Some(place) = state.ended.get_mut(slot.step) {
            *place = Some(output);
        }
        self.ready(state, scene)
    }

    /// Begins what can begin now; ends when nothing is left.
    fn ready(&self, state: &mut State, scene: &Scene<'_>) -> Vec<Move> {
        let mut moves = Vec::new();
        for (at, stage) in self.steps.iter().enumerate() {
            let has_ended = |need: &usize| matches!(state.ended.get(*need), Some(Some(_)));
            if state.begun.get(at) == Some(&false) && stage.needs.iter().all(has_ended) {
                moves.push(Move::Begin {
                    slot: Slot::once(at),
                    name: stage.step.id.clone(),
                    step: Arc::clone(&stage.step),
                    asked: Asked {
                        previous: self.previous(state, &stage.needs, scene),
                        ..scene.asked.clone()
                    },
                });
                if let Some(begun) = state.begun.get_mut(at) {
                    *begun = true;
                }
            }
        }
        if state.ended.iter().all(Option::is_some) {
            moves.push(Move::End(Ok(self.done(state))));
        }
        moves
    }

    /// What a step sees of those it needs: the output of the only one, or all by
    /// their ids. The first ones see what the workflow itself was given.
    fn previous(&self, state: &State, needs: &[usize], scene: &Scene<'_>) -> Option<Arc<str>> {
        let output = |at: &usize| state.ended.get(*at)?.as_ref()?.as_ref();
        match needs {
            [] => scene.asked.previous.clone(),
            [one] => output(one).map(|output| output.value.as_str().into()),
            many => {
                let entry = |at: &usize| {
                    let id = self.steps.get(*at)?.step.id.clone();
                    let value = output(at).and_then(|it| serde_json::from_str(&it.value).ok());
                    Some((id, value.unwrap_or(Value::Null)))
                };
                let all: Map<String, Value> = many.iter().filter_map(entry).collect();
                Some(Value::Object(all).to_string().into())
            }
        }
    }

    /// The output: of the last step, if all others lead to it, else of all that
    /// lead nowhere, by id.
    fn done(&self, state: &State) -> Done {
        let needed = |at: usize| self.steps.iter().any(|stage| stage.needs.contains(&at));
        let last: Vec<usize> = (0..self.steps.len()).filter(|at| !needed(*at)).collect();
        let output = match last.as_slice() {
            [one] => match state.ended.get(*one) {
                Some(Some(Some(output))) => output.clone(),
                _ => null(),
            },
            many => {
                let entry = |at: &usize| {
                    let output = state.ended.get(*at)?.as_ref()?.as_ref();
                    let value = output.and_then(|it| serde_json::from_str(&it.value).ok());
                    Some((
                        self.steps.get(*at)?.step.id.clone(),
                        value.unwrap_or(Value::Null),
                    ))
                };
                let all: Map<String, Value> = many.iter().filter_map(entry).collect();
                Output {
                    value: Value::Object(all).to_string(),
                    ..Output::default()
                }
            }
        };
        Done {
            output,
            partial: state.partial,
            degraded: state.degraded,
        }
    }

    fn stop_others(&self, state: &State) -> Vec<Move> {
        let under_way = |at: &usize| {
            state.begun.get(*at) == Some(&true) && matches!(state.ended.get(*at), Some(None))
        };
        let all = (0..self.steps.len()).filter(under_way);
        all.map(|at| Move::Stop(Slot::once(at))).collect()
    }

    /// Undoes the next step, or ends.
    fn undo(&self, state: &mut State, scene: &Scene<'_>) -> Vec<Move> {
        let Some((stop, left)) = &mut state.undoing else {
            return Vec::new();
        };
        while let Some(at) = left.pop() {
            let Some(stage) = self.steps.get(at) else {
                continue;
            };
            let output = state.ended.get(at).cloned().flatten().flatten();
            if let (Some(compensate), Some(output)) = (&stage.compensate, output) {
                return vec![Move::Begin {
                    slot: Slot::once(self.steps.len() + at),
                    name: compensate.id.clone(),
                    step: Arc::clone(compensate),
                    asked: Asked {
                        previous: Some(output.value.as_str().into()),
                        ..scene.asked.clone()
                    },
                }];
            }
        }
        let outcome: Outcome = Err(stop.clone());
        vec![Move::End(outcome)]
    }

    pub(super) fn own_steps(&self) -> Vec<&Step> {
        let mut steps = Vec::new();
        for stage in &self.steps {
            steps.push(stage.step.as_ref());
            steps.extend(stage.compensate.as_deref());
        }
        steps
    }
}

#[cfg(test)]
mod tests;
