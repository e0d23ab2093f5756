//! What [`export!`](crate::export!) puts between the host and a plugin: reads
//! what comes in, calls the plugin, writes what goes out. For the macro only.

use std::marker::PhantomData;

use serde::Serialize;

use crate::wit::agent::hotcell::capability::{llm, types as cap};
use crate::wit::agent::hotcell::plugin::types as wit;
use crate::wit::{agent, aggregator, model, tool, validator};
use crate::{
    Agent, Aggregator, Answer, Ballot, Failure, Model, Subject, Task, Tool, Validator, log,
};

/// Exports an [`Agent`].
pub struct AgentExport<T>(PhantomData<T>);

impl<T: Agent> agent::exports::hotcell::plugin::agent::Guest for AgentExport<T> {
    fn run(task: wit::Task) -> Result<wit::Output, wit::Failure> {
        report_panics();
        let answer = Task::from(task).parse().and_then(T::run);
        let answer = answer.and_then(|answer| answer.try_map(|value| text_of(&value)));
        answer.map(Into::into).map_err(Into::into)
    }
}

/// Exports a [`Validator`].
pub struct ValidatorExport<T>(PhantomData<T>);

impl<T: Validator> validator::exports::hotcell::plugin::validator::Guest for ValidatorExport<T> {
    fn check(subject: wit::Subject) -> Result<wit::Verdict, wit::Failure> {
        report_panics();
        subject_of(subject)
            .and_then(T::check)
            .map(Into::into)
            .map_err(Into::into)
    }
}

/// Exports a [`Tool`].
pub struct ToolExport<T>(PhantomData<T>);

impl<T: Tool> tool::exports::hotcell::plugin::tool::Guest for ToolExport<T> {
    fn specs() -> Vec<cap::ToolSpec> {
        report_panics();
        T::functions()
            .iter()
            .map(|function| function.spec().clone().into())
            .collect()
    }

    fn call(call: cap::ToolCall) -> Result<cap::ToolOutput, wit::Failure> {
        report_panics();
        crate::tool::dispatch::<T>(call.into())
            .map(Into::into)
            .map_err(Into::into)
    }
}

/// Exports an [`Aggregator`].
pub struct AggregatorExport<T>(PhantomData<T>);

impl<T: Aggregator> aggregator::exports::hotcell::plugin::aggregator::Guest
    for AggregatorExport<T>
{
    fn decide(ballots: Vec<wit::Ballot>) -> Result<wit::Decision, wit::Failure> {
        report_panics();
        let ballots: Result<Vec<Ballot>, Failure> =
            ballots.into_iter().map(Ballot::try_from).collect();
        ballots
            .and_then(T::decide)
            .map(Into::into)
            .map_err(Into::into)
    }
}

/// Exports a [`Model`].
pub struct ModelExport<T>(PhantomData<T>);

impl<T: Model> model::exports::hotcell::plugin::model::Guest for ModelExport<T> {
    fn complete(request: llm::Request) -> Result<llm::Response, llm::Error> {
        report_panics();
        T::complete(request.into())
            .map(Into::into)
            .map_err(Into::into)
    }

    fn embed(texts: Vec<String>) -> Result<Vec<Vec<f32>>, llm::Error> {
        report_panics();
        T::embed(texts).map_err(Into::into)
    }
}

/// A panic ends the cell; the hook sees to it that the operator learns why.
/// Natively a panic belongs to the test it happens in.
fn report_panics() {
    if cfg!(target_family = "wasm") {
        std::panic::set_hook(Box::new(|panic| log::error(panic)));
    }
}

fn subject_of<I, O>(subject: wit::Subject) -> Result<Subject<I, O>, Failure>
where
    I: serde::de::DeserializeOwned,
    O: serde::de::DeserializeOwned,
{
    let task = Task::from(subject.task).parse()?;
    let output = Answer::from(subject.output).try_map(|value| {
        serde_json::from_str(&value)
            .map_err(|e| Failure::invalid_input(format!("`output.value`: {e}")))
    })?;
    Ok(Subject { task, output })
}

fn text_of(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|e| Failure::permanent(format!("the answer is no JSON: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, Finding, Verdict};

    struct Plugin;

    impl Agent for Plugin {
        type Input = Vec<u32>;
        type Output = u32;

        fn run(task: Task<Vec<u32>>) -> Result<Answer<u32>, Failure> {
            Ok(Answer::new(task.input.iter().sum()).evidence("adding"))
        }
    }

    impl Validator for Plugin {
        type Input = Vec<u32>;
        type Output = u32;

        fn check(subject: Subject<Vec<u32>, u32>) -> Result<Verdict, Failure> {
            let sum: u32 = subject.task.input.iter().sum();
            let wrong = (sum != subject.output.value).then(|| Finding::new("", "sum", "wrong"));
            Ok(Verdict::of(wrong.into_iter().collect()))
        }
    }

    impl Aggregator for Plugin {
        fn decide(ballots: Vec<Ballot>) -> Result<Decision, Failure> {
            Ok(ballots
                .into_iter()
                .next()
                .map_or(Decision::NoQuorum, |ballot| {
                    Decision::Decided(ballot.value, ballot.weight)
                }))
        }
    }

    fn task(input: &str) -> wit::Task {
        wit::Task {
            id: "t".into(),
            kind: "sum".into(),
            input: input.into(),
            previous: None,
            findings: vec![],
            iteration: 1,
        }
    }

    fn run(input: &str) -> Result<wit::Output, wit::Failure> {
        use agent::exports::hotcell::plugin::agent::Guest;
        AgentExport::<Plugin>::run(task(input))
    }

    fn check(input: &str, value: &str) -> Result<wit::Verdict, wit::Failure> {
        use validator::exports::hotcell::plugin::validator::Guest;
        let output = wit::Output {
            value: value.into(),
            ..run("[]").unwrap()
        };
        ValidatorExport::<Plugin>::check(wit::Subject {
            task: task(input),
            output,
        })
    }

    fn decide(value: &str) -> Result<wit::Decision, wit::Failure> {
        use aggregator::exports::hotcell::plugin::aggregator::Guest;
        let ballot = wit::Ballot {
            voter: "v".into(),
            value: value.into(),
            confidence: None,
            weight: 0.5,
        };
        AggregatorExport::<Plugin>::decide(vec![ballot])
    }

    #[test]
    fn an_agent_gets_typed_input_and_its_answer_becomes_json() {
        let output = run("[1, 2]").unwrap();
        assert_eq!(output.value, "3");
        assert_eq!(output.evidence, ["adding"]);
    }

    #[test]
    fn what_does_not_parse_never_reaches_the_plugin() {
        let Err(wit::Failure::InvalidInput(text)) = run("[1, -2]") else {
            panic!("it ran")
        };
        assert!(
            text.starts_with("`input`: invalid value: integer `-2`"),
            "{text}"
        );
        let Err(wit::Failure::InvalidInput(text)) = check("[1]", "\"one\"") else {
            panic!("it ran");
        };
        assert!(
            text.starts_with("`output.value`: invalid type: string"),
            "{text}"
        );
        let Err(wit::Failure::InvalidInput(text)) = decide("{") else {
            panic!("it ran")
        };
        assert!(text.starts_with("the ballot of `v`: EOF"), "{text}");
    }

    #[test]
    fn a_verdict_and_a_decision_arrive_as_they_were_given() {
        assert!(matches!(check("[1, 2]", "3"), Ok(wit::Verdict::Pass)));
        let Ok(wit::Verdict::Repair(findings)) = check("[1, 2]", "4") else {
            panic!("no repair")
        };
        assert_eq!(findings[0].code, "sum");
        let Ok(wit::Decision::Decided((value, sure))) = decide("{ \"a\": 1 }") else {
            panic!("undecided");
        };
        assert_eq!((value.as_str(), sure), ("{\"a\":1}", 0.5));
    }
}
