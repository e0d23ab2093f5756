//! What agents, validators and aggregators are asked and what they answer, as
//! host types: one to one with `wit/plugin/types.wit`, with JSON kept as text.

use hotcell_broker::store::guard::Guard;
use hotcell_broker::{redact, text};
use serde::{Deserialize, Serialize};

use crate::bindings::types as wit;
use crate::cell::Told;

/// So many findings of one verdict are kept: 64. They are told to the agent and
/// shown to people, and nobody reads more.
const FINDINGS: usize = 64;

/// What an agent is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Stable for the record being worked on.
    pub id: String,
    /// What kind of task it is, in the workflow's words.
    pub kind: String,
    /// The run's input (JSON text).
    pub input: String,
    /// The previous step's output (JSON text).
    pub previous: Option<String>,
    /// What validators said about earlier attempts, oldest first.
    pub findings: Vec<Finding>,
    /// Which round this is, from 1.
    pub iteration: u32,
}

/// Something a validator found. A guest's words have been through the text gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// JSON pointer into the output's value.
    pub pointer: String,
    /// A stable word.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// What an agent answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// JSON text; not yet checked to be JSON.
    pub value: String,
    /// 0.0 to 1.0.
    pub confidence: Option<f64>,
    /// What the answer rests on.
    pub evidence: Vec<String>,
    /// Only for state machines.
    pub next_state: Option<String>,
    /// Only for planners.
    pub plan: Vec<Subtask>,
}

/// A piece of work a planner hands to a specialist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtask {
    /// Unique within the plan.
    pub id: String,
    /// Who does it.
    pub specialist: String,
    /// JSON text.
    pub input: String,
    /// Ids of subtasks that come first.
    pub depends_on: Vec<String>,
}

/// Why a plugin has no answer. A guest's words have been through the text gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "code", content = "message")]
pub enum Failure {
    /// The input is not what the plugin works on.
    InvalidInput(String),
    /// Trying again later may help.
    Transient(String),
    /// Trying again will not help.
    Permanent(String),
    /// The host refused something the plugin cannot do without.
    Refused(String),
}

/// A validator's judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Good.
    Pass,
    /// The agent may try once more.
    Repair(Vec<Finding>),
    /// Another try is no use.
    Reject(Vec<Finding>),
}

/// One vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ballot {
    /// Who votes.
    pub voter: String,
    /// JSON text.
    pub value: String,
    /// 0.0 to 1.0.
    pub confidence: Option<f64>,
    /// What the vote counts.
    pub weight: f64,
}

/// What the votes come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The value (JSON text) and how sure the vote makes it.
    Decided(String, f64),
    /// These values share the first place.
    Tie(Vec<String>),
    /// Too few valid votes.
    NoQuorum,
}

/// Refuses numbers outside the ranges that the contract names, NaN above all:
/// whoever adds up votes must never meet one.
pub(crate) fn check(told: &Told) -> Result<(), String> {
    let (what, number) = match told {
        Told::Output(output) => ("confidence", output.confidence),
        Told::Decision(wit::Decision::Decided((_, sure))) => ("decided", Some(*sure)),
        _ => return Ok(()),
    };
    match number {
        Some(number) if !(0.0..=1.0).contains(&number) && Guard::Numbers.on() => {
            Err(format!("`{what}` is {number}; it must be 0 to 1"))
        }
        _ => Ok(()),
    }
}

/// What was told, without secrets: it goes into reports, and to other plugins.
pub(crate) fn discreet(told: Told) -> Told {
    if !redact::any() {
        return told;
    }
    match told {
        Told::Output(output) => Told::Output(redact::value(output)),
        Told::Verdict(verdict) => Told::Verdict(redact::value(verdict)),
        Told::Specs(specs) => Told::Specs(redact::value(specs)),
        Told::Called(output) => Told::Called(redact::value(output)),
        Told::Decision(decision) => Told::Decision(redact::value(decision)),
        Told::Completion(answer) => Told::Completion(redact::value(answer)),
        Told::Vectors(made) => Told::Vectors(redact::value(made)),
    }
}

impl From<Task> for wit::Task {
    fn from(task: Task) -> wit::Task {
        wit::Task {
            id: task.id,
            kind: task.kind,
            input: task.input,
            previous: task.previous,
            findings: task.findings.into_iter().map(Into::into).collect(),
            iteration: task.iteration,
        }
    }
}

impl From<Finding> for wit::Finding {
    fn from(finding: Finding) -> wit::Finding {
        let Finding {
            pointer,
            code,
            message,
        } = finding;
        wit::Finding {
            pointer,
            code,
            message,
        }
    }
}

impl From<wit::Finding> for Finding {
    /// A validator's words go to reports and to other plugins: through the gate.
    fn from(finding: wit::Finding) -> Finding {
        Finding {
            pointer: text::line(&finding.pointer, text::LINE),
            code: text::line(&finding.code, text::LINE),
            message: text::line(&finding.message, text::LINE),
        }
    }
}

impl From<Output> for wit::Output {
    fn from(output: Output) -> wit::Output {
        let plan = output.plan.into_iter().map(|subtask| wit::Subtask {
            id: subtask.id,
            specialist: subtask.specialist,
            input: subtask.input,
            depends_on: subtask.depends_on,
        });
        wit::Output {
            value: output.value,
            confidence: output.confidence,
            evidence: output.evidence,
            next_state: output.next_state,
            plan: plan.collect(),
        }
    }
}

impl From<wit::Output> for Output {
    fn from(output: wit::Output) -> Output {
        let plan = output.plan.into_iter().map(|subtask| Subtask {
            id: subtask.id,
            specialist: subtask.specialist,
            input: subtask.input,
            depends_on: subtask.depends_on,
        });
        Output {
            value: output.value,
            confidence: output.confidence,
            evidence: output.evidence,
            next_state: output.next_state,
            plan: plan.collect(),
        }
    }
}

impl From<wit::Failure> for Failure {
    /// The guest's words go to people and to other plugins: through the gate.
    fn from(failure: wit::Failure) -> Failure {
        let line = |said: String| text::line(&said, text::LINE);
        match failure {
            wit::Failure::InvalidInput(said) => Failure::InvalidInput(line(said)),
            wit::Failure::Transient(said) => Failure::Transient(line(said)),
            wit::Failure::Permanent(said) => Failure::Permanent(line(said)),
            wit::Failure::Refused(said) => Failure::Refused(line(said)),
        }
    }
}

impl From<wit::Verdict> for Verdict {
    fn from(verdict: wit::Verdict) -> Verdict {
        let findings = |list: Vec<wit::Finding>| {
            let list = list.into_iter().take(FINDINGS);
            list.map(Into::into).collect()
        };
        match verdict {
            wit::Verdict::Pass => Verdict::Pass,
            wit::Verdict::Repair(list) => Verdict::Repair(findings(list)),
            wit::Verdict::Reject(list) => Verdict::Reject(findings(list)),
        }
    }
}

impl From<Ballot> for wit::Ballot {
    fn from(ballot: Ballot) -> wit::Ballot {
        let Ballot {
            voter,
            value,
            confidence,
            weight,
        } = ballot;
        wit::Ballot {
            voter,
            value,
            confidence,
            weight,
        }
    }
}

impl From<wit::Decision> for Decision {
    fn from(decision: wit::Decision) -> Decision {
        match decision {
            wit::Decision::Decided((value, confidence)) => Decision::Decided(value, confidence),
            wit::Decision::Tie(values) => Decision::Tie(values),
            wit::Decision::NoQuorum => Decision::NoQuorum,
        }
    }
}
