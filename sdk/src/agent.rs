//! The plugin kind that does one step of a workflow: typed input in, typed
//! answer out.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Failure, Finding};

/// Does one step of a workflow.
///
/// Every call gets a fresh instance: nothing in memory outlives it. The input
/// has been checked against `input_schema` of the manifest, the answer will be
/// checked against `output_schema`.
pub trait Agent {
    /// What the run was started with. An input that does not parse never
    /// reaches [`Agent::run`]; the failure is [`Failure::InvalidInput`].
    type Input: DeserializeOwned;
    /// What the answer's value is.
    type Output: Serialize;

    /// Works on one task.
    fn run(task: Task<Self::Input>) -> Result<Answer<Self::Output>, Failure>;
}

/// What an agent is asked to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task<I> {
    /// Stable for the record being worked on, such as an invoice's id.
    pub id: String,
    /// What kind of task it is, in the workflow's words.
    pub kind: String,
    /// The run's input.
    pub input: I,
    /// What validators or critics said about earlier attempts, oldest first.
    pub findings: Vec<Finding>,
    /// Which round this is, counted from 1.
    pub iteration: u32,
    pub(crate) previous: Option<String>,
}

impl<I> Task<I> {
    /// A first-round task without a previous step, for tests.
    pub fn new(id: impl Into<String>, input: I) -> Task<I> {
        Task {
            id: id.into(),
            kind: String::new(),
            input,
            findings: Vec::new(),
            iteration: 1,
            previous: None,
        }
    }

    /// The same task after a step that answered `value`, for tests.
    pub fn with_previous(mut self, value: &Value) -> Task<I> {
        self.previous = Some(value.to_string());
        self
    }

    /// The same task one round later, with what was found, for tests.
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Task<I> {
        self.findings = findings;
        self.iteration += 1;
        self
    }

    /// The previous step's output. [`Failure::InvalidInput`] when there is none
    /// or when it is something else.
    pub fn previous<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let text = self.previous.as_deref().ok_or_else(|| {
            Failure::invalid_input("`previous` is absent: there is no earlier step")
        })?;
        serde_json::from_str(text).map_err(|e| Failure::invalid_input(format!("`previous`: {e}")))
    }

    /// True when an earlier step answered.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }
}

impl Task<String> {
    /// Reads the input's JSON text.
    pub(crate) fn parse<I: DeserializeOwned>(self) -> Result<Task<I>, Failure> {
        let input = serde_json::from_str(&self.input)
            .map_err(|e| Failure::invalid_input(format!("`input`: {e}")))?;
        Ok(Task {
            id: self.id,
            kind: self.kind,
            input,
            findings: self.findings,
            iteration: self.iteration,
            previous: self.previous,
        })
    }
}

/// What an agent answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer<O> {
    /// Meets the output schema of the manifest.
    pub value: O,
    /// How sure the agent is: 0.0 to 1.0.
    pub confidence: Option<f64>,
    /// What the answer rests on, one sentence each.
    pub evidence: Vec<String>,
    /// Only for state machines; honoured only if the transition is allowed.
    pub next_state: Option<String>,
    /// Only for planners: work for specialists.
    pub plan: Vec<Subtask>,
}

impl<O> Answer<O> {
    /// An answer that says nothing about itself.
    pub fn new(value: O) -> Answer<O> {
        Answer {
            value,
            confidence: None,
            evidence: Vec::new(),
            next_state: None,
            plan: Vec::new(),
        }
    }

    /// How sure the agent is. What lies outside 0.0 to 1.0 is moved to the
    /// nearer end; what is no number at all is left out.
    pub fn confidence(mut self, confidence: f64) -> Answer<O> {
        self.confidence = (!confidence.is_nan()).then(|| confidence.clamp(0.0, 1.0));
        self
    }

    /// One more thing the answer rests on, in a sentence.
    pub fn evidence(mut self, sentence: impl Into<String>) -> Answer<O> {
        self.evidence.push(sentence.into());
        self
    }

    /// Where a state machine should go.
    pub fn next_state(mut self, state: impl Into<String>) -> Answer<O> {
        self.next_state = Some(state.into());
        self
    }

    /// What specialists should do.
    pub fn plan(mut self, plan: impl IntoIterator<Item = Subtask>) -> Answer<O> {
        self.plan.extend(plan);
        self
    }

    /// The same answer about another value.
    pub(crate) fn try_map<P>(
        self,
        f: impl FnOnce(O) -> Result<P, Failure>,
    ) -> Result<Answer<P>, Failure> {
        Ok(Answer {
            value: f(self.value)?,
            confidence: self.confidence,
            evidence: self.evidence,
            next_state: self.next_state,
            plan: self.plan,
        })
    }
}

/// A piece of work a planner hands to a specialist.
#[derive(Clone, Debug, PartialEq)]
pub struct Subtask {
    /// Unique within the plan.
    pub id: String,
    /// Who does it.
    pub specialist: String,
    /// What the specialist works on.
    pub input: Value,
    /// Ids of subtasks that come first.
    pub depends_on: Vec<String>,
}

impl Subtask {
    /// Work that depends on nothing.
    pub fn new(id: impl Into<String>, specialist: impl Into<String>, input: Value) -> Subtask {
        Subtask {
            id: id.into(),
            specialist: specialist.into(),
            input,
            depends_on: Vec::new(),
        }
    }

    /// The same work after another piece.
    pub fn after(mut self, id: impl Into<String>) -> Subtask {
        self.depends_on.push(id.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_or_strange_previous_output_is_invalid_input() {
        let task = Task::new("t", ());
        assert!(!task.has_previous());
        assert!(matches!(
            task.previous::<u32>(),
            Err(Failure::InvalidInput(_))
        ));
        let task = task.with_previous(&json!("seven"));
        let Err(Failure::InvalidInput(text)) = task.previous::<u32>() else {
            panic!("a text is no number");
        };
        assert!(
            text.starts_with("`previous`: invalid type: string"),
            "{text}"
        );
        assert_eq!(task.previous::<String>(), Ok("seven".to_owned()));
    }

    #[test]
    fn a_confidence_stays_between_zero_and_one() {
        let of = |x| Answer::new(()).confidence(x).confidence;
        assert_eq!(of(0.25), Some(0.25));
        assert_eq!(of(7.0), Some(1.0));
        assert_eq!(of(-1.0), Some(0.0));
        assert_eq!(of(f64::NAN), None);
    }
}
