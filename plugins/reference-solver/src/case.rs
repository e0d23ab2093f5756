//! The stages of a case: what each answers to what it starts from, and nothing
//! else. A stage that starts from a wrong answer is wrong as well, unless the
//! mistake does not matter to it.
//!
//! What is asked for stands in the form's title: `transaction-check-from-extract`,
//! `transaction-plan-from-record`. Several stages at once are the stages one after
//! the other.

mod invoice;
mod reconciliation;
mod transaction;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The stages in the order of the work; each starts from the one before, the first
/// from the record.
const STAGES: [&str; 7] = [
    "ingest",
    "normalise",
    "extract",
    "enrich",
    "check",
    "decide",
    "record",
];

/// What comes of a stage.
pub(crate) enum Step {
    /// The filled form.
    Done(Value),
    /// Tools have to be asked first: names and arguments.
    Ask(Vec<(&'static str, Value)>),
}

/// What tools have answered, by their names.
pub(crate) type Answers = BTreeMap<String, Value>;

/// A document: the record, or what a stage answers.
type Form = Map<String, Value>;

/// The error names what is not usable.
type Solved<T> = Result<T, &'static str>;

/// How a kind of case is worked on.
struct Case {
    name: &'static str,
    /// One stage, by its place in [`STAGES`].
    stage: fn(usize, &Form, &Answers) -> Solved<Step>,
    /// What each specialist is given of what was normalised.
    plan: fn(&Form) -> Solved<Value>,
    /// What a specialist says of what it is given; none if there is no such one.
    aspect: fn(&str, &Form, &Answers) -> Option<Solved<Step>>,
}

static CASES: [Case; 3] = [transaction::CASE, invoice::CASE, reconciliation::CASE];

/// Something to be done about a case.
pub(crate) struct Job<'a> {
    case: &'static Case,
    what: &'a str,
    /// How many stages are done.
    done: usize,
}

impl Job<'_> {
    /// The job of a form with this title.
    pub(crate) fn titled(title: &str) -> Option<Job<'_>> {
        let (what, from) = title.split_once("-from-")?;
        let (name, what) = what.split_once('-')?;
        let case = CASES.iter().find(|case| case.name == name)?;
        // From `record` as the last stage nothing follows, so it is the record.
        let before = STAGES.iter().take(STAGES.len() - 1);
        let done = match from {
            "record" => 0,
            from => 1 + before.enumerate().find(|(_, stage)| **stage == from)?.0,
        };
        Some(Job { case, what, done })
    }

    /// Does it. `blocks` are the objects that the request shows: what the job starts
    /// from, and for a critic the answer. The error says what is not usable.
    pub(crate) fn solve(&self, blocks: &[Form], answers: &Answers) -> Solved<Step> {
        let start = blocks.first().ok_or("data block")?;
        match self.what {
            "plan" => match self.until(2, start, answers)? {
                Step::Done(Value::Object(normalised)) => {
                    (self.case.plan)(&normalised).map(Step::Done)
                }
                _ => Err("record"),
            },
            "critique" => {
                let answer = blocks.get(1).ok_or("answer")?;
                Ok(match self.until(STAGES.len(), start, answers)? {
                    Step::Done(own) => Step::Done(critique(answer, &own)),
                    ask @ Step::Ask(_) => ask,
                })
            }
            what => match STAGES.iter().position(|stage| *stage == what) {
                Some(last) => self.until(last + 1, start, answers),
                None => (self.case.aspect)(what, start, answers).ok_or("form's title")?,
            },
        }
    }

    /// The stages up to here, one after the other.
    fn until(&self, end: usize, start: &Form, answers: &Answers) -> Solved<Step> {
        let mut now = start.clone();
        for stage in self.done..end {
            match (self.case.stage)(stage, &now, answers)? {
                Step::Done(Value::Object(next)) => now = next,
                Step::Done(_) => return Err("stage"),
                ask @ Step::Ask(_) => return Ok(ask),
            }
        }
        Ok(Step::Done(Value::Object(now)))
    }
}

fn critique(answer: &Form, own: &Value) -> Value {
    let wrong: Vec<&String> = own
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| answer.get(*name) != Some(value))
        .map(|(name, _)| name)
        .collect();
    let reason = match wrong.as_slice() {
        [] => "nothing is wrong".to_owned(),
        [first, ..] => format!("`{first}` is not what it comes to"),
    };
    json!({ "reason": reason, "accept": wrong.is_empty() })
}

/// A plan: for each specialist the fields that are its own.
fn given(normalised: &Form, specialists: &[(&str, &[&'static str])]) -> Solved<Value> {
    let mut given = Map::new();
    for (specialist, fields) in specialists {
        let field = |name: &&'static str| {
            let value = normalised.get(*name).ok_or(*name)?;
            Ok(((*name).to_owned(), value.clone()))
        };
        let own = fields.iter().map(field).collect::<Result<_, _>>()?;
        given.insert((*specialist).to_owned(), Value::Object(own));
    }
    Ok(json!({ "given": given }))
}

/// A whole number of a form. One that is too large is the largest: it is none the
/// less a number.
fn whole(form: &Form, name: &'static str) -> Solved<i64> {
    let number = form.get(name).ok_or(name)?;
    let too_large = number.is_u64().then_some(i64::MAX);
    number.as_i64().or(too_large).ok_or(name)
}

/// A text of a form.
fn text<'a>(form: &'a Form, name: &'static str) -> Solved<&'a str> {
    form.get(name).and_then(Value::as_str).ok_or(name)
}

/// A yes or no of a form.
fn flag(form: &Form, name: &'static str) -> Solved<bool> {
    form.get(name).and_then(Value::as_bool).ok_or(name)
}

#[cfg(test)]
mod tests;
