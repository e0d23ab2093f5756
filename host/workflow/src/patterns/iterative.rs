//! Iterative: an agent tries again with what came of the last round, until the
//! answer is good enough.
//!
//! In mode `react` it sees its own last answer as `previous`. In mode `reflexion`
//! a critic looks at each draft, and the next draft sees both:
//! `{ "draft": …, "critique": … }`. What is good enough is a number: of the draft,
//! or of the critique where there is a critic.
//!
//! It ends when that number has converged, when it has not become better for some
//! rounds, when what the rounds may spend is spent, or after so many rounds. The
//! best draft is the answer, not the last one: its own value, as the agent gave
//! it. Only an answer that has converged is a success, any other one a partial
//! success. How many rounds there were and how it ended is in the answer's
//! evidence, one sentence.

use std::sync::Arc;

use hotcell_runtime::task::Output;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Asked, Move, Scene, Slot};
use crate::machine::event::{Fault, Used};
use crate::machine::outcome::{Done, Ended, Outcome, Stop};
use crate::plan::Step;

/// How many rounds there are at most unless the workflow says otherwise: 3.
pub const MAX_ITERATIONS: u32 = 3;

/// After so many rounds without getting better it ends unless the workflow says
/// otherwise: 2.
pub const NO_PROGRESS: u32 = 2;

/// Who drafts, who judges, and when it is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iterative {
    /// Who answers.
    pub draft: Arc<Step>,
    /// Who judges each answer, in mode `reflexion`.
    pub critic: Option<Arc<Step>>,
    /// At most so many rounds.
    pub max_iterations: u32,
    /// When an answer is good enough.
    pub converge: Converge,
    /// So many rounds in a row that are no better than the best before end it.
    pub no_progress: u32,
    /// What all rounds may spend.
    pub budget: Budget,
}

/// When a number is good enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Converge {
    /// JSON pointer to the number.
    pub field: String,
    /// What it must be.
    pub goal: Goal,
}

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Nearer to nothing than this, whatever its sign. The nearer, the better.
    Below(f64),
    /// As great as this. The greater, the better.
    AtLeast(f64),
}

/// What may be spent. No round begins when it is spent; what a round under way
/// spends is not cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Money, in micro-dollars.
    pub micros: Option<u64>,
    /// Tokens in and out.
    pub tokens: Option<u64>,
}

const DRAFT: usize = 0;
const CRITIC: usize = 1;

/// Where it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// From 1.
    round: u32,
    /// This round's answer, while the critic looks at it.
    draft: Option<Done>,
    best: Option<Best>,
    /// Rounds in a row that were no better.
    stale: u32,
    used: Used,
}

/// The best answer so far.
#[derive(Clone, Debug, PartialEq)]
struct Best {
    done: Done,
    /// Less is better; none when there was no number.
    rank: Option<f64>,
    round: u32,
}

impl Goal {
    /// How far a number is from being good; less is better.
    fn rank(self, number: f64) -> f64 {
        match self {
            Goal::Below(_) => number.abs(),
            Goal::AtLeast(_) => -number,
        }
    }

    fn is_met(self, number: f64) -> bool {
        match self {
            Goal::Below(below) => number.abs() < below,
            Goal::AtLeast(least) => number >= least,
        }
    }
}

impl Budget {
    fn is_spent(&self, used: Used) -> bool {
        let spent = |of: u64, most: Option<u64>| most.is_some_and(|most| of >= most);
        spent(used.cost_micros, self.micros) || spent(used.tokens, self.tokens)
    }
}

impl Iterative {
    pub(super) fn begin(&self, scene: &Scene<'_>) -> (State, Vec<Move>) {
        let state = State {
            round: 1,
            draft: None,
            best: None,
            stale: 0,
            used: Used::default(),
        };
        let first = scene.asked.clone();
        let moves = vec![begin(DRAFT, 1, &self.draft, first)];
        (state, moves)
    }

    pub(super) fn ended(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        slot: Slot,
        ended: Ended,
    ) -> Vec<Move> {
        state.used += ended.used;
        let outcome = match (slot.step, state.draft.take()) {
            (DRAFT, _) => match (ended.outcome, &self.critic) {
                (Ok(draft), Some(critic)) => {
                    let asked = Asked {
                        previous: Some(draft.output.value.as_str().into()),
                        ..scene.asked.clone()
                    };
                    state.draft = Some(draft);
                    return vec![begin(CRITIC, state.round, critic, asked)];
                }
                (Ok(draft), None) => Ok((draft, None)),
                (Err(stop), _) => Err(stop),
            },
            (_, Some(draft)) => ended.outcome.map(|critique| (draft, Some(critique))),
            (_, None) => return Vec::new(),
        };
        match outcome {
            Ok((draft, critique)) => self.round(state, scene, draft, critique),
            // What earlier rounds came to is not thrown away.
            Err(stop) => vec![Move::End(give(state, false, &failed(&stop), Err(stop)))],
        }
    }

    /// A round is over.
    fn round(
        &self,
        state: &mut State,
        scene: &Scene<'_>,
        draft: Done,
        critique: Option<Done>,
    ) -> Vec<Move> {
        let judged = critique.as_ref().unwrap_or(&draft);
        let number = serde_json::from_str::<Value>(&judged.output.value)
            .ok()
            .and_then(|value| value.pointer(&self.converge.field)?.as_f64());
        let rank = number.map(|number| self.converge.goal.rank(number));
        let previous = self.previous(&draft, critique.as_ref());
        let done = Done {
            partial: draft.partial || critique.as_ref().is_some_and(|it| it.partial),
            degraded: draft.degraded || critique.as_ref().is_some_and(|it| it.degraded),
            output: draft.output,
        };
        let better = match (&state.best, rank) {
            (None, _) => true,
            (Some(best), Some(rank)) => best.rank.is_none_or(|best| rank < best),
            (Some(_), None) => false,
        };
        state.stale = match better {
            true => 0,
            false => state.stale + 1,
        };
        if better {
            state.best = Some(Best {
                done,
                rank,
                round: state.round,
            });
        }
        let converged = number.is_some_and(|number| self.converge.goal.is_met(number));
        let why = if converged {
            "it converged"
        } else if state.stale >= self.no_progress.max(1) {
            "it made no progress"
        } else if self.budget.is_spent(state.used) {
            "what it may spend is spent"
        } else if state.round >= self.max_iterations {
            "there are no more rounds"
        } else {
            state.round += 1;
            let asked = Asked {
                previous: Some(previous.into()),
                ..scene.asked.clone()
            };
            return vec![begin(DRAFT, state.round, &self.draft, asked)];
        };
        let nothing = Fault::new("no-answer", "no round had an answer");
        let nothing = Err(Stop::fault(scene.path, nothing));
        vec![Move::End(give(state, converged, why, nothing))]
    }

    /// What the next round sees of this one (JSON text).
    fn previous(&self, draft: &Done, critique: Option<&Done>) -> String {
        let value = |done: &Done| serde_json::from_str(&done.output.value).unwrap_or(Value::Null);
        match critique {
            None => draft.output.value.clone(),
            Some(critique) => {
                json!({ "draft": value(draft), "critique": value(critique) }).to_string()
            }
        }
    }

    pub(super) fn own_steps(&self) -> Vec<&Step> {
        let mut steps = vec![self.draft.as_ref()];
        steps.extend(self.critic.as_deref());
        steps
    }
}

/// The round is part of the path, so that no two rounds are one step.
fn begin(step: usize, round: u32, what: &Arc<Step>, mut asked: Asked) -> Move {
    asked.iteration = round;
    asked.rounds.push(round);
    Move::Begin {
        slot: Slot { step, round },
        name: format!("{}#{round}", what.id),
        step: Arc::clone(what),
        asked,
    }
}

/// The best answer, or what there is instead.
fn give(state: &State, converged: bool, why: &str, instead: Outcome) -> Outcome {
    let Some(best) = &state.best else {
        return instead;
    };
    let mut output: Output = best.done.output.clone();
    output.evidence.push(format!(
        "{} rounds, the answer is that of round {}: {why}",
        state.round, best.round
    ));
    Ok(Done {
        output,
        partial: best.done.partial | !converged,
        degraded: best.done.degraded,
    })
}

/// Why a round without an answer ended it, without a guest's words.
fn failed(stop: &Stop) -> String {
    format!("the last round ended as {}", stop.status())
}

#[cfg(test)]
mod tests;
