//! Letting a model choose tools: ask, run what it asks for, tell it the
//! results, and so on until it answers.

use serde::de::DeserializeOwned;

use crate::llm::{self, Request, Response};
use crate::tool::{ToolCall, ToolOutput, ToolSpec};
use crate::{Failure, tools};

/// Rounds of tool calls, unless [`ToolLoop::rounds`] says otherwise.
pub const DEFAULT_ROUNDS: u32 = 4;

/// More calls than this in one round are not run; the model is told so.
pub const MAX_CALLS_PER_ROUND: usize = 32;

/// A conversation in which the model may use tools.
///
/// The model is offered the named tools and no others, even if the plugin may
/// call more: a call for anything else is answered with an error instead of
/// being run. A named tool that the host does not offer ends the loop before it
/// starts, with [`Failure::Refused`]. Arguments that a tool does not take go
/// back to the model; a tool that is denied, late or broken ends the loop,
/// because an answer that silently did without it would look like any other.
///
/// After the last round the model is told to answer with what it has. If it
/// asks for tools all the same, the loop ends with [`Failure::Transient`].
#[derive(Clone, Debug)]
pub struct ToolLoop {
    request: Request,
    names: Vec<String>,
    rounds: u32,
}

/// What a loop came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// The final answer.
    pub value: T,
    /// The response it was read from.
    pub response: Response,
    /// Every tool call that was run or refused, in order.
    pub calls: Vec<Called>,
    /// True when the first final answer could not be read.
    pub asked_again: bool,
}

/// One tool call of a loop.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Called {
    /// The round, counted from 1.
    pub round: u32,
    /// What the model asked for.
    pub call: ToolCall,
    /// What it was told.
    pub output: ToolOutput,
}

impl ToolLoop {
    /// A loop that starts with this request.
    pub fn new(request: Request) -> ToolLoop {
        ToolLoop {
            request,
            names: Vec::new(),
            rounds: DEFAULT_ROUNDS,
        }
    }

    /// Tools the model may use, by name.
    pub fn tools<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> ToolLoop {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// At most so many rounds of tool calls.
    pub fn rounds(mut self, rounds: u32) -> ToolLoop {
        self.rounds = rounds;
        self
    }

    /// Runs the loop; the value is the final answer's text.
    pub fn run(self) -> Result<Outcome<String>, Failure> {
        let (_, response, calls) = self.converse()?;
        Ok(Outcome {
            value: response.text(),
            response,
            calls,
            asked_again: false,
        })
    }

    /// Runs the loop; the value is read from the final answer's JSON. As with
    /// [`Request::complete_json`], an answer that cannot be read is asked for
    /// once more.
    pub fn run_json<T: DeserializeOwned>(self) -> Result<Outcome<T>, Failure> {
        self.run_json_if(|_| Ok(()))
    }

    /// As [`ToolLoop::run_json`], for a value that passes a check as well
    /// ([`Request::complete_json_if`]).
    pub fn run_json_if<T: DeserializeOwned>(
        self,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> Result<Outcome<T>, Failure> {
        let (request, response, calls) = self.converse()?;
        match llm::read_if(&response, &check) {
            Ok(value) => Ok(Outcome {
                value,
                response,
                calls,
                asked_again: false,
            }),
            Err(problem) => {
                let response = llm::ask_again(&request, &response, &problem)?.complete()?;
                let value = llm::second_answer(&response, check)?;
                Ok(Outcome {
                    value,
                    response,
                    calls,
                    asked_again: true,
                })
            }
        }
    }

    /// The conversation up to the final answer, that answer, and the calls.
    fn converse(self) -> Result<(Request, Response, Vec<Called>), Failure> {
        let offered = offered(&self.names)?;
        let mut request = self.request.tools(offered.iter().cloned());
        let mut trace = Vec::new();
        for round in 1..=self.rounds {
            let response = request.complete()?;
            let calls = response.calls();
            if calls.is_empty() {
                return Ok((request, response, trace));
            }
            let outputs = run_round(&calls, &offered)?;
            request = request.message(response.message);
            request = request.results(calls.iter().zip(&outputs).map(told).collect());
            let called = |(call, output)| Called {
                round,
                call,
                output,
            };
            trace.extend(calls.into_iter().zip(outputs).map(called));
        }
        if self.rounds > 0 {
            request = request.user("No more tools can be called. Answer with what you have.");
        }
        let response = request.complete()?;
        if response.calls().is_empty() {
            return Ok((request, response, trace));
        }
        let rounds = self.rounds;
        Err(Failure::transient(format!(
            "the model asks for more than {rounds} rounds of tools"
        )))
    }
}

fn offered(names: &[String]) -> Result<Vec<ToolSpec>, Failure> {
    let mut specs = tools::list();
    specs.retain(|spec| names.contains(&spec.name));
    match names
        .iter()
        .find(|name| !specs.iter().any(|spec| spec.name == **name))
    {
        Some(missing) => Err(Failure::refused(format!(
            "the tool `{missing}` is not offered"
        ))),
        None => Ok(specs),
    }
}

/// Runs a round's calls side by side; outputs in call order.
fn run_round(calls: &[ToolCall], offered: &[ToolSpec]) -> Result<Vec<ToolOutput>, Failure> {
    let refused = |at: usize, call: &ToolCall| {
        if at >= MAX_CALLS_PER_ROUND {
            Some(format!("more than {MAX_CALLS_PER_ROUND} calls at once"))
        } else if offered.iter().all(|spec| spec.name != call.name) {
            Some(format!("there is no tool `{}`", call.name))
        } else {
            None
        }
    };
    // The model's ids are its own business and may repeat; the host needs one
    // that is unique within the attempt.
    let own = |(_, call): (usize, &ToolCall)| ToolCall {
        id: tools::next_id(),
        ..call.clone()
    };
    let run = calls
        .iter()
        .enumerate()
        .filter(|(at, call)| refused(*at, call).is_none());
    let mut results = tools::call_all(run.map(own).collect()).into_iter();
    let output = |(at, call)| match refused(at, call) {
        Some(why) => Ok(ToolOutput::error(why)),
        None => match results.next() {
            Some(Ok(output)) => Ok(output),
            Some(Err(error @ (tools::Error::Unknown | tools::Error::InvalidArguments(_)))) => {
                Ok(ToolOutput::error(error))
            }
            Some(Err(error)) => Err(error.into()),
            None => Err(Failure::transient("the host gave too few tool outputs")),
        },
    };
    calls.iter().enumerate().map(output).collect()
}

/// The id the model chose and what it is told. An error is put into an object,
/// so that the model cannot take it for a result.
fn told((call, output): (&ToolCall, &ToolOutput)) -> (String, String) {
    let content = if output.is_error {
        format!("{{\"error\":{}}}", output.content)
    } else {
        output.content.clone()
    };
    (call.id.clone(), content)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::llm::{Part, Role};
    use crate::testing::{Host, Ran};
    use crate::tool::{Call, Effect, Function};

    fn double() -> Function {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let body = |call: Call<std::collections::BTreeMap<String, i64>>| {
            let n = call.arguments.get("n").copied();
            n.map(|n| n * 2)
                .ok_or_else(|| Failure::invalid_input("`n` is missing"))
        };
        Function::new("double", "Doubles.", schema, body).effect(Effect::ReadOnly)
    }

    fn looped(host: Host, rounds: u32) -> Ran<Result<Outcome<Value>, Failure>> {
        let tool_loop = ToolLoop::new(Request::new("default").user("Double it."));
        host.run(|| tool_loop.tools(["double"]).rounds(rounds).run_json())
    }

    /// What the model was told in the last message of a request.
    fn told_in(request: &Request) -> Vec<(String, String)> {
        let last = request.messages.last().unwrap();
        assert_eq!(last.role, Role::Tool);
        let result = |part: &Part| match part {
            Part::CallResult { id, content } => (id.clone(), content.clone()),
            other => panic!("{other:?}"),
        };
        last.content.iter().map(result).collect()
    }

    #[test]
    fn the_model_gets_results_under_its_ids_and_the_host_gets_unique_ones() {
        let host = Host::new()
            .function(double())
            .answer_calls(&[("double", json!({"n": 2})), ("double", json!({"n": 3}))])
            .answer_calls(&[("double", json!({"n": 4}))])
            .answer_json(&json!(8));
        let ran = looped(host, 4);
        let outcome = ran.result.unwrap();
        assert_eq!(outcome.value, json!(8));
        let contents: Vec<_> = outcome
            .calls
            .iter()
            .map(|c| (c.round, &*c.output.content))
            .collect();
        assert_eq!(contents, [(1, "4"), (1, "6"), (2, "8")]);
        let pair = |id: &str, content: &str| (id.to_owned(), content.to_owned());
        assert_eq!(
            told_in(&ran.requests[1]),
            [pair("wish-0", "4"), pair("wish-1", "6")]
        );
        assert_eq!(told_in(&ran.requests[2]), [pair("wish-0", "8")]);
        let mut ids: Vec<_> = ran.calls.iter().map(|call| &call.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn a_tool_that_was_not_named_is_neither_offered_nor_run() {
        let other = Function::new("other", "Tempting.", "{}", |_: Call<Value>| Ok(1));
        let host = Host::new()
            .function(double())
            .function(other)
            .answer_calls(&[("other", json!({}))])
            .answer_json(&json!(0));
        let ran = looped(host, 4);
        assert_eq!(ran.result.unwrap().value, json!(0));
        let names: Vec<_> = ran.requests[0]
            .tools
            .iter()
            .map(|spec| &spec.name)
            .collect();
        assert_eq!(names, ["double"]);
        assert!(ran.calls.is_empty());
        assert_eq!(
            told_in(&ran.requests[1])[0].1,
            r#"{"error":"there is no tool `other`"}"#
        );
    }

    #[test]
    fn a_named_tool_that_the_host_does_not_offer_ends_the_loop_before_it_starts() {
        let ran = looped(Host::new().answer_json(&json!(0)), 4);
        assert_eq!(
            ran.result,
            Err(Failure::refused("the tool `double` is not offered"))
        );
        assert!(ran.requests.is_empty());
    }

    #[test]
    fn bad_arguments_go_back_to_the_model() {
        let host = Host::new()
            .function(double())
            .answer_calls(&[("double", json!({"n": "two"}))])
            .answer_calls(&[("double", json!({}))])
            .answer_json(&json!(0));
        let ran = looped(host, 4);
        assert!(ran.result.is_ok());
        assert!(
            told_in(&ran.requests[1])[0]
                .1
                .starts_with(r#"{"error":"bad arguments: invalid"#)
        );
        assert_eq!(
            told_in(&ran.requests[2])[0].1,
            r#"{"error":"`n` is missing"}"#
        );
    }

    #[test]
    fn a_broken_or_denied_tool_ends_the_loop() {
        let denied = tools::Error::Denied(crate::Denial::Revoked);
        for (error, failure) in [
            (
                tools::Error::Timeout,
                Failure::transient(tools::Error::Timeout),
            ),
            (denied.clone(), Failure::refused(denied)),
        ] {
            let host = Host::new()
                .failing_tool("double", error)
                .answer_calls(&[("double", json!({}))])
                .answer_json(&json!(0));
            assert_eq!(looped(host, 4).result, Err(failure));
        }
    }

    #[test]
    fn after_the_last_round_the_model_must_answer() {
        let wish = [("double", json!({"n": 1}))];
        let host = || {
            Host::new()
                .function(double())
                .answer_calls(&wish)
                .answer_calls(&wish)
        };
        let ran = looped(host().answer_json(&json!(2)), 2);
        assert_eq!(ran.result.unwrap().calls.len(), 2);
        let last = ran.requests.last().unwrap().messages.last().unwrap();
        assert_eq!(last.role, Role::User);

        let ran = looped(host().answer_calls(&wish), 2);
        assert!(
            matches!(ran.result, Err(Failure::Transient(_))),
            "{:?}",
            ran.result
        );
        assert_eq!(ran.calls.len(), 2);
    }

    #[test]
    fn a_flood_of_calls_is_cut() {
        let wishes = vec![("double", json!({"n": 1})); MAX_CALLS_PER_ROUND + 1];
        let host = Host::new()
            .function(double())
            .answer_calls(&wishes)
            .answer_json(&json!(0));
        let ran = looped(host, 4);
        assert_eq!(ran.calls.len(), MAX_CALLS_PER_ROUND);
        assert!(ran.result.unwrap().calls.last().unwrap().output.is_error);
    }

    #[test]
    fn a_final_answer_that_cannot_be_read_is_asked_for_once_more() {
        let host = Host::new()
            .function(double())
            .answer_calls(&[("double", json!({"n": 2}))])
            .answer_text("four")
            .answer_text("4");
        let ran = looped(host, 4);
        let outcome = ran.result.unwrap();
        assert_eq!((outcome.value, outcome.asked_again), (json!(4), true));
        assert_eq!(ran.requests.len(), 3);
    }
}
