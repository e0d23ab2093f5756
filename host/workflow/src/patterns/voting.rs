//! Voting: several look at the same, and what they agree on is the answer.
//!
//! A vote is what a voter answered, or one field of it. A voter that failed, whose
//! answer lacks the field or is `null` has no valid vote; it is missing, and more
//! than half of all voters must have a valid one for anything to be decided. Too
//! few valid votes and a tie are outcomes of their own: a person decides, unless
//! the workflow names a value (the result is then `fallback`) or one more voter.
//!
//! Without a field the output is the value that won, as the first of its voters
//! wrote it, with the share of the votes as its confidence. With one it is an
//! object: the field's name with the value that won, `confidence`, and `votes`,
//! the number of votes for each value (its JSON text). For a mean with a threshold
//! `at_least` says whether it is reached.
//!
//! Adaptive voting asks more than half of the voters first and one more at a time
//! after that, in the order of the file, until nothing that may still come can
//! change what is decided. It never matters who answers first.

pub mod check;
pub mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use hotcell_runtime::broker::text;
use hotcell_runtime::task::{Ballot, Decision, Output};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Asked, Move, Scene, Slot};
use crate::machine::event::Fault;
use crate::machine::outcome::{Done, Ended, Stop};
use crate::plan::Step;
use tally::{Strategy, Verdict, Vote};

/// What a vote weighs by confidence when its voter does not say how sure it is.
pub const UNSAID: f64 = 0.5;

/// The longest text of a value that is shown in words.
const SHOWN: usize = 80;

/// How many values are shown in words.
const VALUES: usize = 5;

/// A vote. [`check::check`] tells whether it can work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Voting {
    /// Who votes.
    pub voters: Vec<Arc<Step>>,
    /// How votes are counted.
    pub strategy: Strategy,
    /// The field that is voted on, as a JSON pointer; the whole value if none.
    pub field: Option<String>,
    /// What a vote weighs.
    pub weights: Weights,
    /// When no value wins.
    pub on_tie: Undecided,
    /// When there are too few valid votes.
    pub on_no_quorum: Undecided,
    /// Which votes are left out, if any.
    pub outliers: Option<Outliers>,
    /// Whether more voters are asked only while the vote can still change.
    pub adaptive: bool,
    /// An aggregator that decides instead of the strategy.
    pub aggregate: Option<Arc<Step>>,
}

/// What a vote weighs. Counting strategies do not look at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// As much as its voter is sure.
    Confidence,
    /// So much by the voter's step; 1 for the others.
    Voters(BTreeMap<String, f64>),
}

/// What happens when nothing is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undecided {
    /// A person decides.
    Escalate,
    /// This value.
    Default(Value),
    /// One more voter; if that does not help, a person.
    Extra(Arc<Step>),
}

/// Votes far from the others are left out, unless too few would be left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outliers {
    /// The number that is compared, as a JSON pointer.
    pub field: String,
    /// How many sample standard deviations are too far.
    pub z: f64,
}

impl Voting {
    /// A vote with the defaults: a majority on the whole value, a person where
    /// there is none.
    pub fn of(voters: impl IntoIterator<Item = Step>) -> Voting {
        Voting {
            voters: voters.into_iter().map(Arc::new).collect(),
            strategy: Strategy::Majority,
            field: None,
            weights: Weights::Confidence,
            on_tie: Undecided::Escalate,
            on_no_quorum: Undecided::Escalate,
            outliers: None,
            adaptive: false,
            aggregate: None,
        }
    }
}

/// Where a vote is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Poll {
    /// How many voters were asked: the first ones of the file.
    asked: usize,
    /// How they ended, by their place; the extra voter's comes last.
    heard: BTreeMap<usize, Option<Done>>,
    /// The voter that is asked because nothing was decided.
    extra: Option<Arc<Step>>,
}

/// A valid vote and whose it is.
struct Cast<'a> {
    voter: usize,
    done: &'a Done,
    vote: Vote,
}

impl Voting {
    pub(super) fn begin(&self, scene: &Scene<'_>) -> (Poll, Vec<Move>) {
        let mut poll = Poll {
            asked: 0,
            heard: BTreeMap::new(),
            extra: None,
        };
        let wave = match self.adaptive {
            true => self.least(),
            false => self.voters.len(),
        };
        let moves = self.ask(&mut poll, scene, wave);
        (poll, moves)
    }

    pub(super) fn ended(
        &self,
        poll: &mut Poll,
        scene: &Scene<'_>,
        slot: Slot,
        ended: Ended,
    ) -> Vec<Move> {
        if slot == self.aggregator() {
            return vec![self.decided(poll, scene, ended)];
        }
        poll.heard.insert(slot.step, ended.outcome.ok());
        let extra = usize::from(poll.extra.is_some());
        if poll.heard.len() < poll.asked + extra {
            return Vec::new();
        }
        let (cast, left_out) = self.cast(poll);
        let votes: Vec<Vote> = cast.iter().map(|cast| cast.vote.clone()).collect();
        let to_come: Vec<f64> = self
            .voters
            .iter()
            .skip(poll.asked)
            .map(|it| self.most(it))
            .collect();
        if !to_come.is_empty() && !tally::settled(self.strategy, &votes, &to_come, self.least()) {
            return self.ask(poll, scene, 1);
        }
        if let Some(aggregate) = &self.aggregate
            && votes.len() >= self.least()
        {
            let asked = Asked {
                ballots: Some(self.ballots(&cast)),
                ..scene.asked.clone()
            };
            return vec![Move::Begin {
                slot: self.aggregator(),
                name: aggregate.id.clone(),
                step: Arc::clone(aggregate),
                asked,
            }];
        }
        match tally::tally(self.strategy, &votes, self.least()) {
            Verdict::Decided(value, sure) => {
                let done = self.done(poll, &cast, &left_out, &value, sure);
                vec![Move::End(Ok(done))]
            }
            Verdict::Tie(values) => {
                self.undecided(poll, scene, "tie", &tied(&values), &self.on_tie)
            }
            Verdict::NoQuorum => {
                let words = self.too_few(votes.len());
                self.undecided(poll, scene, "no-quorum", &words, &self.on_no_quorum)
            }
        }
    }

    /// The least valid votes that decide.
    fn least(&self) -> usize {
        tally::least(self.voters.len())
    }

    fn aggregator(&self) -> Slot {
        Slot::once(self.voters.len() + 1)
    }

    /// The most that a voter's vote can weigh.
    fn most(&self, voter: &Step) -> f64 {
        match &self.weights {
            Weights::Confidence => 1.0,
            Weights::Voters(weights) => weights.get(&voter.id).copied().unwrap_or(1.0),
        }
    }

    fn too_few(&self, valid: usize) -> String {
        let (voters, least) = (self.voters.len(), self.least());
        format!("{valid} of {voters} voters have a valid vote, {least} are needed")
    }

    /// Asks so many more.
    fn ask(&self, poll: &mut Poll, scene: &Scene<'_>, more: usize) -> Vec<Move> {
        let next = self.voters.iter().enumerate().skip(poll.asked).take(more);
        let moves: Vec<Move> = next
            .map(|(at, voter)| Move::Begin {
                slot: Slot::once(at),
                name: voter.id.clone(),
                step: Arc::clone(voter),
                asked: scene.asked.clone(),
            })
            .collect();
        poll.asked += moves.len();
        moves
    }

    /// The step of a voter, the extra one included.
    fn voter<'a>(&'a self, poll: &'a Poll, at: usize) -> Option<&'a Arc<Step>> {
        self.voters.get(at).or(poll.extra.as_ref())
    }

    /// The valid votes that count, in the order of the voters, and who was left
    /// out.
    fn cast<'a>(&self, poll: &'a Poll) -> (Vec<Cast<'a>>, Vec<usize>) {
        let mut cast: Vec<Cast<'a>> = Vec::new();
        let mut scored: Vec<(usize, f64)> = Vec::new();
        for (voter, done) in &poll.heard {
            let Some(done) = done else { continue };
            let Ok(whole) = serde_json::from_str::<Value>(&done.output.value) else {
                continue;
            };
            let pointer = self.field.as_deref().unwrap_or_default();
            let value = whole.pointer(pointer).filter(|it| self.valid(it));
            let Some(value) = value else { continue };
            let weight = match (&self.weights, self.voter(poll, *voter)) {
                (Weights::Voters(_), Some(step)) => self.most(step),
                _ => done.output.confidence.unwrap_or(UNSAID),
            };
            let score = self.outliers.as_ref();
            let score = score.and_then(|it| whole.pointer(&it.field)?.as_f64());
            scored.extend(score.map(|score| (*voter, score)));
            cast.push(Cast {
                voter: *voter,
                done,
                vote: Vote {
                    value: value.clone(),
                    weight,
                },
            });
        }
        let z = self.outliers.as_ref().map_or(f64::INFINITY, |it| it.z);
        let scores: Vec<f64> = scored.iter().map(|(_, score)| *score).collect();
        let far = tally::outliers(&scores, z);
        let far = far.iter().filter_map(|at| Some(scored.get(*at)?.0));
        let far: Vec<usize> = far.collect();
        if cast.len() < self.least() + far.len() {
            return (cast, Vec::new());
        }
        cast.retain(|cast| !far.contains(&cast.voter));
        (cast, far)
    }

    /// Whether this is a vote at all.
    fn valid(&self, value: &Value) -> bool {
        match self.strategy {
            Strategy::Ranked => value.as_array().is_some_and(|list| !list.is_empty()),
            Strategy::Mean { .. } => value.is_number(),
            _ => !value.is_null(),
        }
    }

    fn ballots(&self, cast: &[Cast<'_>]) -> Vec<Ballot> {
        let name = |at: usize| self.voters.get(at).map_or("extra", |it| &it.id);
        let ballot = |cast: &Cast<'_>| Ballot {
            voter: name(cast.voter).to_owned(),
            value: cast.vote.value.to_string(),
            confidence: cast.done.output.confidence,
            weight: cast.vote.weight,
        };
        cast.iter().map(ballot).collect()
    }

    /// An aggregator has decided, or could not.
    fn decided(&self, poll: &Poll, scene: &Scene<'_>, ended: Ended) -> Move {
        let fail =
            |code, words: &str| Move::End(Err(Stop::fault(scene.path, Fault::new(code, words))));
        let done = match ended.outcome {
            Ok(done) => done,
            Err(stop) => return Move::End(Err(stop)),
        };
        let human = |code, words: &str| Move::End(Err(self.human(scene, code, words)));
        match serde_json::from_str(&done.output.value) {
            Ok(Decision::Decided(value, sure)) => match serde_json::from_str(&value) {
                Ok(value) => {
                    let (cast, left_out) = self.cast(poll);
                    let decided = self.done(poll, &cast, &left_out, &value, sure);
                    Move::End(Ok(Done {
                        degraded: decided.degraded || done.degraded,
                        ..decided
                    }))
                }
                Err(_) => fail(
                    "bad-decision",
                    "the aggregator decided for what is not JSON",
                ),
            },
            Ok(Decision::Tie(values)) => {
                let values: Vec<Value> = values.into_iter().map(Value::String).collect();
                self.settle(&self.on_tie)
                    .unwrap_or_else(|| human("tie", &tied(&values)))
            }
            Ok(Decision::NoQuorum) => {
                let words = "the aggregator finds too few valid votes";
                let settled = self.settle(&self.on_no_quorum);
                settled.unwrap_or_else(|| human("no-quorum", words))
            }
            // What stood in for it: a value, not a decision.
            Err(_) if done.degraded => Move::End(Ok(done)),
            Err(_) => fail("bad-decision", "the aggregator's decision is none"),
        }
    }

    fn human(&self, scene: &Scene<'_>, code: &'static str, words: &str) -> Stop {
        Stop::Human {
            step: scene.path.to_owned(),
            fault: Fault::new(code, words),
        }
    }

    /// The value that is taken where nothing is decided, if there is one.
    fn settle(&self, undecided: &Undecided) -> Option<Move> {
        let Undecided::Default(value) = undecided else {
            return None;
        };
        let output = Output {
            value: value.to_string(),
            ..Output::default()
        };
        Some(Move::End(Ok(Done {
            output,
            partial: false,
            degraded: true,
        })))
    }

    /// Nothing is decided: a value, one more voter, or a person.
    fn undecided(
        &self,
        poll: &mut Poll,
        scene: &Scene<'_>,
        code: &'static str,
        words: &str,
        then: &Undecided,
    ) -> Vec<Move> {
        if let Some(end) = self.settle(then) {
            return vec![end];
        }
        if let (Undecided::Extra(extra), None) = (then, &poll.extra) {
            poll.extra = Some(Arc::clone(extra));
            return vec![Move::Begin {
                slot: Slot::once(self.voters.len()),
                name: extra.id.clone(),
                step: Arc::clone(extra),
                asked: scene.asked.clone(),
            }];
        }
        vec![Move::End(Err(self.human(scene, code, words)))]
    }

    /// The output of a vote that is decided.
    fn done(
        &self,
        poll: &Poll,
        cast: &[Cast<'_>],
        left_out: &[usize],
        value: &Value,
        sure: f64,
    ) -> Done {
        let key = tally::canonical(value);
        let won = |cast: &&Cast<'_>| tally::canonical(&cast.vote.value) == key;
        let first = cast.iter().find(won);
        let out = match (&self.field, first) {
            (None, Some(first)) if !matches!(self.strategy, Strategy::Mean { .. }) => {
                first.done.output.value.clone()
            }
            (None, _) => value.to_string(),
            (Some(field), _) => self.fields(cast, field, value, sure).to_string(),
        };
        let mut evidence = vec![format!(
            "{} of {} valid votes; {} voters were asked",
            cast.iter().filter(won).count(),
            cast.len(),
            poll.heard.len()
        )];
        let name = |at: &usize| self.voter(poll, *at).map_or("", |step| &step.id);
        evidence.extend(
            left_out
                .iter()
                .map(|at| format!("`{}` was left out as an outlier", name(at))),
        );
        Done {
            output: Output {
                value: out,
                confidence: Some(sure),
                evidence,
                ..Output::default()
            },
            partial: poll.heard.len() > cast.len() + left_out.len()
                || cast.iter().any(|cast| cast.done.partial),
            degraded: cast.iter().any(|cast| cast.done.degraded),
        }
    }

    fn fields(&self, cast: &[Cast<'_>], field: &str, value: &Value, sure: f64) -> Value {
        let mut votes: Map<String, Value> = Map::new();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for cast in cast {
            *counts
                .entry(tally::canonical(&cast.vote.value))
                .or_default() += 1;
        }
        votes.extend(counts.into_iter().map(|(key, count)| (key, count.into())));
        let mut fields = Map::new();
        fields.insert("confidence".to_owned(), json!(sure));
        fields.insert("votes".to_owned(), votes.into());
        if let (
            Strategy::Mean {
                at_least: Some(least),
            },
            Some(mean),
        ) = (self.strategy, value.as_f64())
        {
            fields.insert("at_least".to_owned(), (mean >= least).into());
        }
        // A field called like one of these is what was voted on.
        let name = field.rsplit('/').next().unwrap_or_default();
        fields.insert(name.to_owned(), value.clone());
        fields.into()
    }

    /// Whether all voters are the same agent with the same kind of task: then they
    /// err alike.
    pub fn alike(&self) -> bool {
        let mut voters = self.voters.iter().map(|step| match &step.body {
            crate::plan::Body::Call(call) => Some((&call.agent, &step.kind)),
            crate::plan::Body::Workflow(_) => None,
        });
        let first = voters.next().flatten();
        self.voters.len() > 1 && first.is_some() && voters.all(|it| it == first)
    }

    pub(super) fn own_steps(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.voters.iter().map(AsRef::as_ref).collect();
        steps.extend(self.aggregate.as_deref());
        for then in [&self.on_tie, &self.on_no_quorum] {
            if let Undecided::Extra(step) = then {
                steps.push(step);
            }
        }
        steps
    }
}

/// A tie in words. The values are guests', hence through the gate.
fn tied(values: &[Value]) -> String {
    let shown = |value: &Value| format!("`{}`", text::line(&value.to_string(), SHOWN));
    let mut words: Vec<String> = values.iter().take(VALUES).map(shown).collect();
    if let Some(more) = values.len().checked_sub(VALUES).filter(|more| *more > 0) {
        words.push(format!("{more} more"));
    }
    format!("no value has enough votes: {}", words.join(", "))
}

#[cfg(test)]
mod tests;
