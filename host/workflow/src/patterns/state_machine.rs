//! State machine: one handler at a time, and a table that says where it may go
//! from there.
//!
//! A handler may say where to go (`next_state`, the name of a state or of an
//! event); it is heard only if a transition says so too. Otherwise conditions
//! decide: the guarded transitions go first, and if none of them holds, the one
//! without a condition. Two that hold and lead to different states are a failure,
//! and so is none at all: nothing is ever chosen by its place in the file.
//!
//! Before a state is entered its cap on visits and its invariants are looked at,
//! with the facts as they are then: `path` and `visits` do not count the state
//! itself yet. An invariant that is false, or cannot be answered, keeps the
//! machine out: that is a failure, written down as a transition that was not
//! taken. Each transition that was taken is written down exactly once, the entry
//! into the initial state included.
//!
//! The output is what the last handler answered, an object's fields at the top,
//! with `state`, the final state, and `path`, the states in order. These two are
//! the machine's: a handler's fields of the same names give way. An answer that
//! is no object stands under `output`.

pub mod check;
pub mod guard;
pub mod mermaid;
mod typed;

use std::collections::BTreeMap;
use std::sync::Arc;

use hotcell_runtime::broker::text;
use hotcell_runtime::task::Output;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Asked, Move, Scene, Slot, null};
use crate::machine::event::{Audit, Fault};
use crate::machine::outcome::{Done, Ended, Stop};
use crate::plan::Step;
use guard::{Facts, Guard};

/// How often a state may be entered unless it says otherwise. Only states on a
/// cycle are ever entered twice.
pub const MAX_VISITS: u32 = 3;

/// The event of a state whose time is up. No handler can raise it.
pub const TIMEOUT: &str = "timeout";

/// The longest word of a handler's that is shown.
const SHOWN: usize = 80;

/// The table. [`check::check`] tells whether it hangs together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateMachine {
    /// Where it begins.
    pub initial: Arc<str>,
    /// Where it ends.
    pub finals: Vec<Arc<str>>,
    /// All states, the final ones too.
    pub states: Vec<State>,
    /// All ways from one to another.
    pub transitions: Vec<Transition>,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub name: Arc<str>,
    /// Who handles it; nobody in a final state.
    pub step: Option<Arc<Step>>,
    /// How often it may be entered.
    pub max_visits: u32,
    /// The longest its handler may take, tries, gates and fallbacks included. Then
    /// the transition on [`TIMEOUT`] is taken, if there is one.
    pub timeout_ms: Option<u64>,
    /// What must hold whenever it is entered.
    pub invariants: Vec<Guard>,
}

/// A way from one state to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// From this state.
    pub from: Arc<str>,
    /// To this one.
    pub to: Arc<str>,
    /// Only if this holds.
    pub when: Option<Guard>,
    /// Only if the handler raises this event, or names the target.
    pub on: Option<Arc<str>>,
}

/// Where a machine is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Walk {
    /// The states entered, the present one last.
    path: Vec<Arc<str>>,
    visits: BTreeMap<Arc<str>, u32>,
    /// What was answered last in each state.
    outputs: BTreeMap<Arc<str>, Arc<str>>,
    last: Option<Output>,
    /// Whose handler is under way, and in which slot.
    under_way: Option<(Arc<str>, Slot)>,
    partial: bool,
    degraded: bool,
}

/// Why the machine does not go on.
struct Refused {
    code: &'static str,
    words: String,
    /// The transition that is not taken, if it is a certain one, and its rule.
    kept_from: Option<(Arc<str>, String)>,
}

/// What has a say in which transition is taken.
#[derive(Clone, Copy)]
enum Said<'a> {
    /// The handler's word.
    Word(&'a str),
    /// The handler left it to the conditions.
    Nothing,
    /// The state's time was up.
    TimedOut,
}

impl State {
    /// A state with the defaults; a final one without a step.
    pub fn new(name: &str, step: Option<Step>) -> State {
        State {
            name: name.into(),
            step: step.map(Arc::new),
            max_visits: MAX_VISITS,
            timeout_ms: None,
            invariants: Vec::new(),
        }
    }
}

impl Transition {
    /// Why it was taken, in words.
    fn rule(&self, said: Said<'_>) -> String {
        let mut words = Vec::new();
        if let Said::Word(_) = said {
            words.push("next_state".to_owned());
        }
        if let Some(event) = &self.on {
            words.push(format!("on {event}"));
        }
        if let Some(guard) = &self.when {
            words.push(format!("when {}", guard.source()));
        }
        match words.is_empty() {
            true => "otherwise".to_owned(),
            false => words.join(" "),
        }
    }
}

impl StateMachine {
    pub(super) fn begin(&self, scene: &Scene<'_>) -> (Walk, Vec<Move>) {
        let mut walk = Walk {
            path: Vec::new(),
            visits: BTreeMap::new(),
            outputs: BTreeMap::new(),
            last: None,
            under_way: None,
            partial: false,
            degraded: false,
        };
        let moves = self.enter(&mut walk, scene, &self.initial, "initial".to_owned());
        (walk, moves)
    }

    pub(super) fn ended(
        &self,
        walk: &mut Walk,
        scene: &Scene<'_>,
        slot: Slot,
        ended: Ended,
    ) -> Vec<Move> {
        let Some((name, _)) = walk.under_way.take_if(|(_, it)| *it == slot) else {
            return Vec::new();
        };
        let optional = |step: &Arc<Step>| step.optional;
        let step = self.state(&name).and_then(|state| state.step.as_ref());
        let output = match ended.outcome {
            Ok(done) => {
                walk.partial |= done.partial;
                walk.degraded |= done.degraded;
                done.output
            }
            Err(_) if step.is_some_and(optional) => {
                walk.partial = true;
                null()
            }
            Err(stop) => return vec![Move::End(Err(stop))],
        };
        walk.outputs.insert(name, output.value.as_str().into());
        let word = output.next_state.clone();
        walk.last = Some(output);
        let said = word.as_deref().map_or(Said::Nothing, Said::Word);
        self.go_on(walk, scene, said)
    }

    /// The time of a state is up, if it is still the same visit.
    pub(super) fn elapsed(&self, walk: &mut Walk, scene: &Scene<'_>, timer: u32) -> Vec<Move> {
        if walk.timer() != timer {
            return Vec::new();
        }
        let Some((_, slot)) = walk.under_way.take() else {
            return Vec::new();
        };
        let mut moves = vec![Move::Stop(slot)];
        moves.extend(self.go_on(walk, scene, Said::TimedOut));
        moves
    }

    /// Leaves the present state for the next one.
    fn go_on(&self, walk: &mut Walk, scene: &Scene<'_>, said: Said<'_>) -> Vec<Move> {
        match self.choose(walk, scene, said) {
            Ok(taken) => self.enter(walk, scene, &taken.to, taken.rule(said)),
            Err(refused) => refused.moves(walk, scene),
        }
    }

    /// The transition that is taken.
    fn choose(
        &self,
        walk: &Walk,
        scene: &Scene<'_>,
        said: Said<'_>,
    ) -> Result<&Transition, Refused> {
        let from = walk.path.last().map_or("", |name| name);
        let ways = self.ways(from, said);
        let facts = walk.facts(scene);
        let mut open: Vec<&Transition> = Vec::new();
        for way in &ways {
            let Some(guard) = &way.when else { continue };
            match guard.holds(&facts) {
                Ok(true) => open.push(way),
                Ok(false) => {}
                // It might have been the one that forbids the others.
                Err(error) => return Err(way.refuse("guard", error.to_string(), said)),
            }
        }
        if open.is_empty() {
            open.extend(ways.iter().filter(|way| way.when.is_none()));
        }
        let first = open.first().copied();
        if let (Some(first), Some(other)) = (
            first,
            open.iter()
                .find(|way| Some(&way.to) != first.map(|it| &it.to)),
        ) {
            let words = format!(
                "two ways out of `{from}` hold at once: to `{}` ({}) and to `{}` ({})",
                first.to,
                first.rule(said),
                other.to,
                other.rule(said)
            );
            return Err(first.refuse("ambiguous-transition", words, said));
        }
        first.ok_or_else(|| self.no_way(from, &ways, said))
    }

    /// The transitions that what was said leaves open.
    fn ways(&self, from: &str, said: Said<'_>) -> Vec<&Transition> {
        let all = self.transitions.iter().filter(|way| *way.from == *from);
        let on = |way: &&Transition, event: &str| way.on.as_deref() == Some(event);
        match said {
            Said::Nothing => all.filter(|way| way.on.is_none()).collect(),
            Said::TimedOut => all.filter(|way| on(way, TIMEOUT)).collect(),
            Said::Word(word) => all
                .filter(|way| !on(way, TIMEOUT) && (on(way, word) || *way.to == *word))
                .collect(),
        }
    }

    fn no_way(&self, from: &str, ways: &[&Transition], said: Said<'_>) -> Refused {
        let kept_from = |rule: String| {
            let Said::Word(word) = said else { return None };
            let certain = ways.first().map(|way| &way.to);
            let named = self.state(word).map(|state| &state.name);
            // A word that is no name here is not written down: it is a guest's.
            Some((certain.or(named).cloned().unwrap_or("?".into()), rule))
        };
        let (code, words) = match said {
            Said::TimedOut => ("deadline", format!("the time of `{from}` was up")),
            Said::Nothing => (
                "no-transition",
                format!("no way out of `{from}` is open, and its handler named none"),
            ),
            Said::Word(word) => (
                "illegal-transition",
                format!(
                    "the handler of `{from}` asks for `{}`, which no open way leads to",
                    text::line(word, SHOWN)
                ),
            ),
        };
        let rule = match ways.first() {
            Some(way) => format!("not {}", way.rule(said)),
            None => "next_state names no way".to_owned(),
        };
        Refused {
            code,
            words,
            kept_from: kept_from(rule),
        }
    }

    /// Enters a state, unless something keeps it out.
    fn enter(&self, walk: &mut Walk, scene: &Scene<'_>, to: &Arc<str>, rule: String) -> Vec<Move> {
        let Some(state) = self.state(to) else {
            let words = format!("there is no state `{to}`");
            return Refused::entry(to, "illegal-transition", words, rule).moves(walk, scene);
        };
        if let Err(refused) = state.lets_in(walk, scene) {
            return refused.moves(walk, scene);
        }
        let mut moves = vec![walk.audit(scene, to, rule, true)];
        walk.path.push(Arc::clone(to));
        let visit = walk.visits.entry(Arc::clone(to)).or_default();
        *visit += 1;
        let Some(step) = &state.step else {
            moves.push(Move::End(Ok(walk.done())));
            return moves;
        };
        let step_at = self.states.iter().position(|it| it.name == *to);
        let slot = Slot {
            step: step_at.unwrap_or_default(),
            round: *visit,
        };
        walk.under_way = Some((Arc::clone(to), slot));
        moves.push(Move::Begin {
            slot,
            name: match slot.round {
                1 => step.id.clone(),
                round => format!("{}#{round}", step.id),
            },
            step: Arc::clone(step),
            asked: Asked {
                previous: match &walk.last {
                    Some(output) => Some(output.value.as_str().into()),
                    None => scene.asked.previous.clone(),
                },
                iteration: slot.round,
                ..scene.asked.clone()
            },
        });
        if let Some(ms) = state.timeout_ms {
            let timer = walk.timer();
            moves.push(Move::Wait { timer, ms });
        }
        moves
    }

    fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| *state.name == *name)
    }

    pub(super) fn own_steps(&self) -> Vec<&Step> {
        let steps = self.states.iter().filter_map(|state| state.step.as_deref());
        steps.collect()
    }
}

impl State {
    fn lets_in(&self, walk: &Walk, scene: &Scene<'_>) -> Result<(), Refused> {
        let keep_out = |code, words, rule| Err(Refused::entry(&self.name, code, words, rule));
        let visits = walk.visits.get(&self.name).copied().unwrap_or_default();
        if visits >= self.max_visits {
            let words = format!("`{}` was entered {visits} times already", self.name);
            return keep_out("max-visits", words, format!("max_visits {visits}"));
        }
        let facts = walk.facts(scene);
        for invariant in &self.invariants {
            let rule = format!("invariant {}", invariant.source());
            match invariant.holds(&facts) {
                Ok(true) => {}
                Ok(false) => {
                    let shown = text::line(invariant.source(), SHOWN);
                    let words = format!("`{}` may only be entered if {shown}", self.name);
                    return keep_out("invariant", words, rule);
                }
                Err(error) => return keep_out("invariant", error.to_string(), rule),
            }
        }
        Ok(())
    }
}

impl Walk {
    /// Counts the entries: whose time is up is told by it.
    fn timer(&self) -> u32 {
        u32::try_from(self.path.len()).unwrap_or(u32::MAX)
    }

    fn facts<'a>(&'a self, scene: &'a Scene<'_>) -> Facts<'a> {
        Facts {
            input: &scene.asked.input,
            output: self.last.as_ref().map(|output| output.value.as_str()),
            outputs: &self.outputs,
            path: &self.path,
            visits: &self.visits,
        }
    }

    fn audit(&self, scene: &Scene<'_>, to: &Arc<str>, rule: String, taken: bool) -> Move {
        Move::Audit(Audit::Transition {
            path: scene.path.into(),
            from: self.path.last().cloned(),
            to: Arc::clone(to),
            rule,
            taken,
        })
    }

    fn done(&self) -> Done {
        let last = self.last.clone().unwrap_or_default();
        let mut fields = match serde_json::from_str(&last.value) {
            Ok(Value::Object(fields)) => fields,
            Ok(value) => Map::from_iter([("output".to_owned(), value)]),
            Err(_) => Map::new(),
        };
        fields.insert("state".to_owned(), json!(self.path.last()));
        fields.insert("path".to_owned(), json!(self.path));
        Done {
            output: Output {
                value: Value::Object(fields).to_string(),
                next_state: None,
                ..last
            },
            partial: self.partial,
            degraded: self.degraded,
        }
    }
}

impl Transition {
    fn refuse(&self, code: &'static str, words: String, said: Said<'_>) -> Refused {
        Refused {
            code,
            words,
            kept_from: Some((Arc::clone(&self.to), self.rule(said))),
        }
    }
}

impl Refused {
    fn entry(to: &Arc<str>, code: &'static str, words: String, rule: String) -> Refused {
        Refused {
            code,
            words,
            kept_from: Some((Arc::clone(to), rule)),
        }
    }

    fn moves(self, walk: &Walk, scene: &Scene<'_>) -> Vec<Move> {
        let mut moves = Vec::new();
        if let Some((to, rule)) = self.kept_from {
            moves.push(walk.audit(scene, &to, rule, false));
        }
        let fault = Fault::new(self.code, self.words);
        moves.push(Move::End(Err(Stop::fault(scene.path, fault))));
        moves
    }
}

#[cfg(test)]
mod tests;
