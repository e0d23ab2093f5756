//! The pure machine: `(Run, Event) -> Vec<Action>`.
//!
//! No clock, no randomness, no waiting, no I/O. The same events give the same
//! actions, live, on resume and on replay. An event that does not fit the run's
//! state, such as the answer of a try that is over, changes nothing.
//!
//! A run is a tree of steps under way, by path. A leaf is an agent call;
//! everything else is a pattern that began the steps below it. When a
//! step ends, fallbacks have their turn, an auditor's record is written, and its
//! pattern hears of it.

mod call;
pub mod event;
pub mod outcome;
mod step;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use event::{Action, Answer, Ask, Audit, Event, Fault, Path, Used, What};
pub use outcome::{Done, Outcome, Stop, status};

use crate::patterns::{Asked, Move, Scene, Slot};
use crate::plan::{Body, LOOP_LIMIT, Plan, Step};
use call::{CallRun, Next};
use hotcell_runtime::broker::store::Digest;
use step::{Stage, Work};

/// One execution of a plan.
#[derive(Clone, Debug)]
pub struct Run {
    plan: Arc<Plan>,
    /// The record's id.
    task: Arc<str>,
    /// The record (JSON text).
    input: Arc<str>,
    /// What a fork gives a step instead of what it would be asked.
    instead: BTreeMap<Path, Arc<str>>,
    seed: u64,
    /// Boxed: a map makes room for eleven at once.
    works: BTreeMap<Path, Box<Work>>,
    /// How often each thing was asked in each place.
    seen: BTreeMap<Digest, u32>,
    clock_micros: u64,
    over: bool,
}

impl Run {
    /// A run that has not begun.
    pub fn new(plan: Arc<Plan>, task: &str, input: &str) -> Run {
        Run {
            plan,
            task: task.into(),
            input: input.into(),
            instead: BTreeMap::new(),
            seed: 0,
            works: BTreeMap::new(),
            seen: BTreeMap::new(),
            clock_micros: 0,
            over: false,
        }
    }

    /// Gives the step at this path another input (JSON text), whenever it begins.
    pub fn give_instead(&mut self, path: &str, input: &str) {
        self.instead.insert(path.into(), input.into());
    }

    /// The record it works on (JSON text).
    pub fn input(&self) -> &str {
        &self.input
    }

    /// How long it took when it ended: the longest way through its steps,
    /// simulated time included, in microseconds.
    pub fn clock_micros(&self) -> u64 {
        self.clock_micros
    }

    /// Whether it has come to its end.
    pub fn is_over(&self) -> bool {
        self.over
    }
}

/// What to do now that this happened.
pub fn step(run: &mut Run, event: Event) -> Vec<Action> {
    let mut driver = Driver {
        run,
        at_ms: event.at_ms,
        queue: VecDeque::new(),
        actions: Vec::new(),
    };
    driver.take(event.what);
    driver.actions
}

/// Something that follows from an event.
enum Todo {
    Begin {
        path: Path,
        parent: Option<(Path, Slot)>,
        step: Arc<Step>,
        asked: Asked,
        clock: u64,
    },
    /// A step came to an end by itself; fallbacks have not had their turn.
    Ended {
        path: Path,
        outcome: Outcome,
    },
    Moves {
        path: Path,
        moves: Vec<Move>,
    },
}

/// One event on its way through a run.
struct Driver<'a> {
    run: &'a mut Run,
    at_ms: u64,
    queue: VecDeque<Todo>,
    actions: Vec<Action>,
}

impl Driver<'_> {
    fn take(&mut self, what: What) {
        if self.run.over {
            return;
        }
        match what {
            What::Started { seed } if self.run.works.is_empty() => {
                self.run.seed = seed;
                let step = Step {
                    body: Body::Workflow(Arc::clone(&self.run.plan.pattern)),
                    ..Step::agent("", "")
                };
                self.queue.push_back(Todo::Begin {
                    path: "".into(),
                    parent: None,
                    step: Arc::new(step),
                    asked: Asked::about(Arc::clone(&self.run.input)),
                    clock: 0,
                });
            }
            What::Started { .. } => {}
            What::Cancelled => return self.finish(Err(Stop::Cancelled)),
            What::TimedOut => {
                let fault = Fault::new("deadline", "the run's time was up");
                return self.finish(Err(Stop::fault("", fault)));
            }
            What::Elapsed { path, timer } => self.elapsed(&path, timer),
            What::Looked { path, found } => self.looked(&path, found),
            What::Answered {
                path,
                attempt,
                answer,
                used,
            } => {
                let draw = draw(self.run.seed, &path, attempt);
                let at_ms = self.at_ms;
                self.call(&path, used, |run, call| {
                    run.answered(&path, call, attempt, answer, at_ms, draw)
                });
            }
            What::Judged {
                path,
                attempt,
                gate,
                judgement,
                used,
                ..
            } => self.call(&path, used, |run, call| {
                run.judged(&path, call, (attempt, gate), judgement)
            }),
        }
        self.settle();
    }

    /// Does what follows, and what follows from that.
    fn settle(&mut self) {
        while let Some(todo) = self.queue.pop_front() {
            if self.run.over {
                return;
            }
            match todo {
                Todo::Begin {
                    path,
                    parent,
                    step,
                    asked,
                    clock,
                } => self.begin(path, parent, step, asked, clock),
                Todo::Ended { path, outcome } => self.ended(&path, outcome),
                Todo::Moves { path, moves } => self.moves(&path, moves),
            }
        }
    }

    fn begin(
        &mut self,
        path: Path,
        parent: Option<(Path, Slot)>,
        step: Arc<Step>,
        mut asked: Asked,
        clock: u64,
    ) {
        if let Some(input) = self.run.instead.get(&path) {
            asked.input = Arc::clone(input);
        }
        let stage = match &step.body {
            Body::Call(call) => {
                let ask = asked.ask(&self.run.task, &step.kind);
                let stuck = self.again(&path, &call.agent, &ask, &asked.rounds);
                let run = CallRun::begin(ask, self.at_ms);
                match stuck {
                    true => {
                        let text =
                            format!("`{}` was asked the same {LOOP_LIMIT} times", call.agent);
                        let stop = Stop::fault(&path, Fault::new("loop", text));
                        let path = path.clone();
                        let outcome = Err(stop);
                        self.queue.push_back(Todo::Ended { path, outcome });
                    }
                    false => self.actions.push(run.invoke(&path, call)),
                }
                Stage::Call(run)
            }
            Body::Workflow(pattern) => {
                let scene = Scene {
                    path: &path,
                    asked: &asked,
                };
                let (state, moves) = pattern.begin(&scene);
                let path = path.clone();
                self.queue.push_back(Todo::Moves { path, moves });
                Stage::Pattern(state)
            }
        };
        let work = Work::new(step, parent, asked, stage, clock);
        self.run.works.insert(path, Box::new(work));
    }

    /// Whether this agent has been asked just this in this place too often. The
    /// place is the path without its numbers; retries and repairs do not count.
    fn again(&mut self, path: &str, agent: &str, ask: &Ask, rounds: &[u32]) -> bool {
        let place: Vec<&str> = path
            .split('/')
            .map(|part| part.split('#').next().unwrap_or(part))
            .collect();
        let asked = match ask {
            // Another visit of a state is not another question.
            Ask::Run(task) => serde_json::to_vec(&(
                rounds,
                &task.kind,
                &task.input,
                &task.previous,
                &task.findings,
            )),
            Ask::Decide(ballots) => serde_json::to_vec(&(rounds, ballots)),
        };
        let place = place.join("/");
        let digest = step::digest(&[
            place.as_bytes(),
            agent.as_bytes(),
            &asked.unwrap_or_default(),
        ]);
        let count = self.run.seen.entry(digest).or_default();
        *count += 1;
        *count >= LOOP_LIMIT
    }

    fn call(
        &mut self,
        path: &Path,
        used: Used,
        f: impl FnOnce(&mut CallRun, &crate::plan::Call) -> Next,
    ) {
        let Some(work) = self.run.works.get_mut(path) else {
            return;
        };
        let step = Arc::clone(&work.step);
        let (Stage::Call(run), Body::Call(call)) = (&mut work.stage, &step.body) else {
            return;
        };
        let next = f(run, call);
        work.attempts = run.attempt;
        if !matches!(next, Next::Nothing) {
            work.spend(used);
        }
        self.next(path, next);
    }

    fn next(&mut self, path: &Path, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Do(action) => {
                if let (Action::Wait { ms, .. }, Some(work)) =
                    (&action, self.run.works.get_mut(path))
                {
                    work.clock = work.clock.saturating_add(ms.saturating_mul(1_000));
                }
                self.actions.push(action);
            }
            Next::Over(result) => {
                let outcome = result.map(|output| Done {
                    output,
                    partial: false,
                    degraded: false,
                });
                let path = path.clone();
                self.queue.push_back(Todo::Ended { path, outcome });
            }
        }
    }

    fn elapsed(&mut self, path: &Path, timer: u32) {
        let Some(work) = self.run.works.get_mut(path) else {
            return;
        };
        let step = Arc::clone(&work.step);
        match (&mut work.stage, &step.body) {
            (Stage::Call(run), Body::Call(call)) => {
                let next = run.elapsed(path, call, timer);
                if let Next::Do(action) = next {
                    self.actions.push(action);
                }
            }
            (Stage::Pattern(state), Body::Workflow(pattern)) => {
                let scene = Scene {
                    path,
                    asked: &work.asked,
                };
                let moves = pattern.elapsed(state, &scene, timer);
                let path = path.clone();
                self.queue.push_back(Todo::Moves { path, moves });
            }
            _ => {}
        }
    }

    fn moves(&mut self, path: &Path, moves: Vec<Move>) {
        for made in moves {
            let Some(work) = self.run.works.get(path) else {
                return;
            };
            match made {
                Move::Begin {
                    slot,
                    name,
                    step,
                    asked,
                } => self.queue.push_back(Todo::Begin {
                    path: below(path, &name),
                    parent: Some((path.clone(), slot)),
                    step,
                    asked,
                    clock: work.clock,
                }),
                Move::Stop(slot) => {
                    let parent = Some((path.clone(), slot));
                    let mut works = self.run.works.iter();
                    if let Some((child, _)) = works.find(|(_, work)| work.parent == parent) {
                        let child = child.clone();
                        self.give_up(&child);
                    }
                }
                Move::Wait { timer, ms } => self.actions.push(Action::Wait {
                    path: path.clone(),
                    timer,
                    ms,
                    backoff: false,
                }),
                Move::Audit(audit) => self.actions.push(Action::Audit(audit)),
                Move::End(outcome) => {
                    let path = path.clone();
                    self.queue.push_back(Todo::Ended { path, outcome });
                    return;
                }
            }
        }
    }

    /// Forgets a step and all below it. What it has cost stays with its pattern.
    fn give_up(&mut self, path: &Path) {
        let used = self.forget_below(path);
        let Some(work) = self.run.works.remove(path) else {
            return;
        };
        let parent = work.parent.as_ref().map(|(parent, _)| parent);
        if let Some(parent) = parent.and_then(|it| self.run.works.get_mut(it)) {
            parent.used += work.used;
            parent.used += used;
        }
        self.actions.push(Action::Stop { path: path.clone() });
    }

    /// Forgets all below a path, and says what it has cost.
    fn forget_below(&mut self, path: &str) -> Used {
        let start: Path = below(path, "");
        let all = self.run.works.range(start.clone()..);
        let below: Vec<Path> = all
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&*start))
            .filter(|it| ***it != *path)
            .cloned()
            .collect();
        let mut used = Used::default();
        for path in below {
            if let Some(work) = self.run.works.remove(&path) {
                used += work.used;
            }
        }
        used
    }

    fn finish(&mut self, outcome: Outcome) {
        self.run.over = true;
        let clocks = self.run.works.values().map(|work| work.clock);
        self.run.clock_micros = clocks.max().unwrap_or(self.run.clock_micros);
        self.run.works.clear();
        self.actions.push(Action::Stop { path: "".into() });
        self.actions.push(Action::Finish(outcome));
    }
}

/// The path of a child.
fn below(path: &str, name: &str) -> Path {
    match path {
        "" => name.into(),
        path => format!("{path}/{name}").into(),
    }
}

/// A number drawn from the run's seed, for one try of one step.
fn draw(seed: u64, path: &str, attempt: u32) -> u64 {
    let digest = step::digest(&[&seed.to_le_bytes(), path.as_bytes(), &attempt.to_le_bytes()]);
    digest.first_u64()
}
