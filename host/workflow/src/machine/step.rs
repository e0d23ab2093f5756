//! A step under way, and what happens when it ends: fallbacks in their order, an
//! auditor's record, and the word to its pattern.

use std::borrow::Cow;
use std::sync::Arc;

use hotcell_runtime::broker::store::Digest;
use hotcell_runtime::task::Output;

use super::call::CallRun;
use super::event::{Action, Audit, Fault, Path, Used};
use super::outcome::{Done, Ended, Outcome, Stop};
use super::{Driver, Todo, below};
use crate::patterns::{Asked, Scene, Slot, State};
use crate::plan::{Body, Fallback, Step};

/// The slot of a step that stands in for its parent.
const INSTEAD: Slot = Slot {
    step: usize::MAX,
    round: 0,
};

/// A step under way.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) step: Arc<Step>,
    /// Whose step it is; none for the root.
    pub(super) parent: Option<(Path, Slot)>,
    pub(super) asked: Asked,
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    /// What it and all below it has used.
    pub(super) used: Used,
    /// Where it is on the run's own clock, in microseconds: the time of the
    /// longest way through the steps, simulated time included.
    pub(super) clock: u64,
    /// How many fallbacks had their turn.
    fallbacks: usize,
    /// Why fallbacks have their turn.
    trouble: Option<Stop>,
}

/// What a step is waiting for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// Its own call.
    Call(CallRun),
    /// The steps of its workflow.
    Pattern(State),
    /// A fallback.
    Instead,
}

impl Work {
    pub(super) fn new(
        step: Arc<Step>,
        parent: Option<(Path, Slot)>,
        asked: Asked,
        stage: Stage,
        clock: u64,
    ) -> Work {
        Work {
            step,
            parent,
            asked,
            stage,
            attempts: 0,
            used: Used::default(),
            clock,
            fallbacks: 0,
            trouble: None,
        }
    }

    pub(super) fn spend(&mut self, used: Used) {
        self.used += used;
        self.clock = self.clock.saturating_add(used.micros);
    }

    fn agent(&self) -> Option<Arc<str>> {
        match &self.step.body {
            Body::Call(call) => Some(call.agent.clone()),
            Body::Workflow(_) => None,
        }
    }
}

/// SHA-256 over these parts, each with its length.
pub(super) fn digest(parts: &[&[u8]]) -> Digest {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    Digest::of(&bytes)
}

impl Driver<'_> {
    /// A step ended: without an output the fallbacks have their turn.
    pub(super) fn ended(&mut self, path: &Path, outcome: Outcome) {
        let below = self.forget_below(path);
        let Some(work) = self.run.works.get_mut(path) else {
            return;
        };
        work.used += below;
        match outcome {
            Err(stop) if stop != Stop::Cancelled && work.trouble.is_none() => {
                work.trouble = Some(stop);
                self.fall_back(path);
            }
            Err(_) => self.fall_back(path),
            Ok(done) => {
                let trouble = work.trouble.clone();
                self.deliver(path, Ok(done), trouble, None);
            }
        }
    }

    /// The next fallback, or the end.
    fn fall_back(&mut self, path: &Path) {
        let Some(work) = self.run.works.get_mut(path) else {
            return;
        };
        let trouble = work.trouble.clone().unwrap_or(Stop::Cancelled);
        let step = Arc::clone(&work.step);
        let Some(fallback) = step.fallback.get(work.fallbacks) else {
            return self.deliver(path, Err(trouble.clone()), Some(trouble), None);
        };
        work.fallbacks += 1;
        work.stage = Stage::Instead;
        match fallback {
            Fallback::Cache { .. } => {
                let (key, agent) = (key(work), work.agent());
                let path = path.clone();
                self.actions.push(Action::Look { path, key, agent })
            }
            Fallback::Step(instead) => self.queue.push_back(Todo::Begin {
                path: below(path, &instead.id),
                parent: Some((path.clone(), INSTEAD)),
                step: Arc::clone(instead),
                asked: work.asked.clone(),
                clock: work.clock,
            }),
            Fallback::Default(value) => self.stand_in(path, value.to_string(), "default"),
            Fallback::Skip => self.stand_in(path, "null".to_owned(), "skip"),
            Fallback::Human => {
                let (code, message) = trouble.words();
                let fault = Fault {
                    code,
                    message,
                    retry_after_ms: None,
                };
                let step = path.to_string();
                let stop = Stop::Human { step, fault };
                self.deliver(path, Err(stop), Some(trouble), Some("human"))
            }
        }
    }

    fn stand_in(&mut self, path: &Path, value: String, what: &'static str) {
        let output = Output {
            value,
            ..Output::default()
        };
        let done = Done {
            output,
            partial: false,
            degraded: true,
        };
        let trouble = self.run.works.get(path).and_then(|it| it.trouble.clone());
        self.deliver(path, Ok(done), trouble, Some(what));
    }

    /// Somebody looked for an earlier answer.
    pub(super) fn looked(&mut self, path: &Path, found: Option<Output>) {
        let waits = |work: &super::Work| {
            let last = work.fallbacks.checked_sub(1);
            let last = last.and_then(|at| work.step.fallback.get(at));
            work.stage == Stage::Instead && matches!(last, Some(Fallback::Cache { .. }))
        };
        let Some(work) = self.run.works.get(path).filter(|work| waits(work)) else {
            return;
        };
        let trouble = work.trouble.clone();
        match found {
            Some(output) => {
                let done = Done {
                    output,
                    partial: false,
                    degraded: true,
                };
                self.deliver(path, Ok(done), trouble, Some("cache"));
            }
            None => self.fall_back(path),
        }
    }

    /// The end of a step: written down, kept for later, told to its pattern.
    fn deliver(
        &mut self,
        path: &Path,
        outcome: Outcome,
        trouble: Option<Stop>,
        fallback: Option<&'static str>,
    ) {
        let Some(work) = self.run.works.remove(path) else {
            return;
        };
        if matches!(work.stage, Stage::Pattern(_)) {
            // What its workflow began, and its waits.
            self.actions.push(Action::Stop { path: path.clone() });
        }
        let clean = matches!(&outcome, Ok(done) if !done.degraded);
        let ttl = work.step.fallback.iter().find_map(|it| match it {
            Fallback::Cache { ttl_s } => Some(*ttl_s),
            _ => None,
        });
        if let (Ok(done), Some(ttl_s), true) = (&outcome, ttl, clean && trouble.is_none()) {
            self.actions.push(Action::Keep {
                key: key(&work),
                agent: work.agent(),
                output: done.output.clone(),
                ttl_s,
            });
        }
        if path.is_empty() {
            self.run.clock_micros = work.clock;
            return self.finish(outcome);
        }
        self.actions.push(Action::Audit(Audit::Step {
            path: path.clone(),
            agent: work.agent(),
            attempts: work.attempts,
            status: Cow::Borrowed(super::status(&outcome)),
            fallback: fallback.map(Cow::Borrowed),
            trouble,
            used: work.used,
        }));
        let Some((parent_path, slot)) = work.parent else {
            return;
        };
        let Some(parent) = self.run.works.get_mut(&parent_path) else {
            return;
        };
        parent.used += work.used;
        parent.clock = parent.clock.max(work.clock);
        if slot == INSTEAD {
            let trouble = parent.trouble.clone();
            return match outcome {
                Ok(done) => {
                    let done = Done {
                        degraded: true,
                        ..done
                    };
                    self.deliver(&parent_path, Ok(done), trouble, Some("simplified"));
                }
                Err(_) => self.fall_back(&parent_path),
            };
        }
        let step = Arc::clone(&parent.step);
        if let (Stage::Pattern(state), Body::Workflow(pattern)) = (&mut parent.stage, &step.body) {
            let scene = Scene {
                path: &parent_path,
                asked: &parent.asked,
            };
            let ended = Ended {
                outcome,
                used: work.used,
            };
            let moves = pattern.ended(state, &scene, slot, ended);
            self.queue.push_back(Todo::Moves {
                path: parent_path,
                moves,
            });
        }
    }
}

/// Under which name the answers to what a step is asked are kept: the same agent,
/// kind and input, whatever the run.
fn key(work: &Work) -> String {
    let agent = work.agent();
    let previous = work.asked.previous.as_deref().unwrap_or_default();
    let parts = [
        agent.as_deref().unwrap_or_default().as_bytes(),
        work.step.id.as_bytes(),
        work.step.kind.as_bytes(),
        work.asked.input.as_bytes(),
        previous.as_bytes(),
    ];
    digest(&parts).hex()
}
