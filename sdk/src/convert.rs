//! Between the types of this crate and the generated ones, so that a plugin
//! never sees the latter. One direction each, except where both kinds of plugin
//! need it. Nothing here decides anything.

mod capabilities;
mod llm;

use crate::wit::agent::hotcell::capability::types as cap;
use crate::wit::agent::hotcell::plugin::types as wit;
use crate::{
    Answer, Ballot, Decision, Denial, Effect, Failure, Finding, Subtask, Task, ToolCall,
    ToolOutput, ToolSpec, Verdict,
};

/// The input stays text: whether it parses is decided later.
impl From<wit::Task> for Task<String> {
    fn from(task: wit::Task) -> Task<String> {
        Task {
            id: task.id,
            kind: task.kind,
            input: task.input,
            findings: task.findings.into_iter().map(Finding::from).collect(),
            iteration: task.iteration,
            previous: task.previous,
        }
    }
}

/// The value as JSON text.
impl From<wit::Output> for Answer<String> {
    fn from(output: wit::Output) -> Answer<String> {
        Answer {
            value: output.value,
            confidence: output.confidence,
            evidence: output.evidence,
            next_state: output.next_state,
            // A subtask's input that is not JSON comes from a broken host; as a
            // text it still tells a validator what was there.
            plan: output.plan.into_iter().map(Subtask::from).collect(),
        }
    }
}

impl From<Answer<String>> for wit::Output {
    fn from(answer: Answer<String>) -> wit::Output {
        wit::Output {
            value: answer.value,
            confidence: answer.confidence,
            evidence: answer.evidence,
            next_state: answer.next_state,
            plan: answer.plan.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wit::Subtask> for Subtask {
    fn from(subtask: wit::Subtask) -> Subtask {
        Subtask {
            id: subtask.id,
            specialist: subtask.specialist,
            input: serde_json::from_str(&subtask.input)
                .unwrap_or(serde_json::Value::String(subtask.input)),
            depends_on: subtask.depends_on,
        }
    }
}

impl From<Subtask> for wit::Subtask {
    fn from(subtask: Subtask) -> wit::Subtask {
        wit::Subtask {
            id: subtask.id,
            specialist: subtask.specialist,
            input: subtask.input.to_string(),
            depends_on: subtask.depends_on,
        }
    }
}

impl From<wit::Finding> for Finding {
    fn from(finding: wit::Finding) -> Finding {
        Finding {
            pointer: finding.pointer,
            code: finding.code,
            message: finding.message,
        }
    }
}

impl From<Finding> for wit::Finding {
    fn from(finding: Finding) -> wit::Finding {
        wit::Finding {
            pointer: finding.pointer,
            code: finding.code,
            message: finding.message,
        }
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> wit::Failure {
        match failure {
            Failure::InvalidInput(text) => wit::Failure::InvalidInput(text),
            Failure::Transient(text) => wit::Failure::Transient(text),
            Failure::Permanent(text) => wit::Failure::Permanent(text),
            Failure::Refused(text) => wit::Failure::Refused(text),
        }
    }
}

impl From<Verdict> for wit::Verdict {
    fn from(verdict: Verdict) -> wit::Verdict {
        let findings = |list: Vec<Finding>| list.into_iter().map(Into::into).collect();
        match verdict {
            Verdict::Pass => wit::Verdict::Pass,
            Verdict::Repair(list) => wit::Verdict::Repair(findings(list)),
            Verdict::Reject(list) => wit::Verdict::Reject(findings(list)),
        }
    }
}

impl TryFrom<wit::Ballot> for Ballot {
    type Error = Failure;

    fn try_from(ballot: wit::Ballot) -> Result<Ballot, Failure> {
        Ok(Ballot {
            value: serde_json::from_str(&ballot.value).map_err(|e| {
                Failure::invalid_input(format!("the ballot of `{}`: {e}", ballot.voter))
            })?,
            voter: ballot.voter,
            confidence: ballot.confidence,
            weight: ballot.weight,
        })
    }
}

impl From<Decision> for wit::Decision {
    fn from(decision: Decision) -> wit::Decision {
        match decision {
            Decision::Decided(value, sure) => wit::Decision::Decided((value.to_string(), sure)),
            Decision::Tie(values) => {
                wit::Decision::Tie(values.iter().map(serde_json::Value::to_string).collect())
            }
            Decision::NoQuorum => wit::Decision::NoQuorum,
        }
    }
}

impl From<cap::Denial> for Denial {
    fn from(denial: cap::Denial) -> Denial {
        match denial {
            cap::Denial::NotGranted(what) => Denial::NotGranted(what),
            cap::Denial::Expired => Denial::Expired,
            cap::Denial::Revoked => Denial::Revoked,
            cap::Denial::Unavailable => Denial::Unavailable,
        }
    }
}

impl From<Denial> for cap::Denial {
    fn from(denial: Denial) -> cap::Denial {
        match denial {
            Denial::NotGranted(what) => cap::Denial::NotGranted(what),
            Denial::Expired => cap::Denial::Expired,
            Denial::Revoked => cap::Denial::Revoked,
            Denial::Unavailable => cap::Denial::Unavailable,
        }
    }
}

impl From<cap::EffectKind> for Effect {
    fn from(effect: cap::EffectKind) -> Effect {
        match effect {
            cap::EffectKind::ReadOnly => Effect::ReadOnly,
            cap::EffectKind::Idempotent => Effect::Idempotent,
            cap::EffectKind::UnsafeToRepeat => Effect::UnsafeToRepeat,
        }
    }
}

impl From<Effect> for cap::EffectKind {
    fn from(effect: Effect) -> cap::EffectKind {
        match effect {
            Effect::ReadOnly => cap::EffectKind::ReadOnly,
            Effect::Idempotent => cap::EffectKind::Idempotent,
            Effect::UnsafeToRepeat => cap::EffectKind::UnsafeToRepeat,
        }
    }
}

impl From<cap::ToolSpec> for ToolSpec {
    fn from(spec: cap::ToolSpec) -> ToolSpec {
        ToolSpec {
            name: spec.name,
            description: spec.description,
            input_schema: spec.input_schema,
            output_schema: spec.output_schema,
            effect: spec.effect.into(),
        }
    }
}

impl From<ToolSpec> for cap::ToolSpec {
    fn from(spec: ToolSpec) -> cap::ToolSpec {
        cap::ToolSpec {
            name: spec.name,
            description: spec.description,
            input_schema: spec.input_schema,
            output_schema: spec.output_schema,
            effect: spec.effect.into(),
        }
    }
}

impl From<cap::ToolCall> for ToolCall {
    fn from(call: cap::ToolCall) -> ToolCall {
        ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
        }
    }
}

impl From<ToolCall> for cap::ToolCall {
    fn from(call: ToolCall) -> cap::ToolCall {
        cap::ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
        }
    }
}

impl From<cap::ToolOutput> for ToolOutput {
    fn from(output: cap::ToolOutput) -> ToolOutput {
        ToolOutput {
            content: output.content,
            is_error: output.is_error,
        }
    }
}

impl From<ToolOutput> for cap::ToolOutput {
    fn from(output: ToolOutput) -> cap::ToolOutput {
        cap::ToolOutput {
            content: output.content,
            is_error: output.is_error,
        }
    }
}
