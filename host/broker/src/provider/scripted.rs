//! Prepared replies from a file, for tests and rehearsals.
//!
//! The file is JSON lines; the first line that matches and is not used up
//! answers. A line is an object of:
//!
//! * `match`: `task`, `step`, `attempt` (all exact) and `contains` (somewhere in
//!   the conversation). What is not given matches everything.
//! * `reply`: exactly one of `text`, `json` (any value), `tool_calls` (a list of
//!   `name`, `arguments` and an optional `id`) and `error` (a code such as
//!   `rate-limited`, with `retry_after_ms` or `message` where the code takes
//!   one). `finish` says why the model stopped, if not for the obvious reason.
//! * `usage`: `input_tokens`, `output_tokens` and the rest; estimated if absent.
//! * `times`: how often the line answers; always if absent.
//! * `latency_ms`: how long the answer says it took. Nobody waits.
//!
//! It refuses a file with anything else in it. It never makes a reply up: when
//! no line matches, the model is unavailable.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use super::estimate;
use crate::llm::{
    Answer, Completion, FinishReason, LlmError, LlmProvider, Message, Origin, Part, Request, Role,
    Took, Usage,
};
use crate::tool::ToolCall;
use crate::{Broker, Caller, Denial};

/// A provider of prepared replies.
pub struct Scripted {
    lines: Vec<Line>,
    /// How often each line may still answer; none for always.
    left: Mutex<Vec<Option<u32>>>,
}

/// A script that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// A line that can be played.
struct Line {
    when: When,
    outcome: Outcome,
    usage: Option<Usage>,
    times: Option<u32>,
    took: Took,
}

enum Outcome {
    Text(String, FinishReason),
    Calls(Vec<Call>, FinishReason),
    Error(LlmError),
}

/// A line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "match")]
    when: When,
    reply: Reply,
    usage: Option<WrittenUsage>,
    times: Option<u32>,
    latency_ms: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct When {
    task: Option<String>,
    step: Option<String>,
    attempt: Option<u32>,
    contains: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    text: Option<String>,
    /// `"json": null` is a reply as well, so a plain option will not do.
    #[serde(default, deserialize_with = "given")]
    json: Option<Value>,
    tool_calls: Option<Vec<Call>>,
    error: Option<String>,
    retry_after_ms: Option<u32>,
    message: Option<String>,
    finish: Option<FinishReason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    id: Option<String>,
    name: String,
    arguments: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUsage {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    cached_input_tokens: u64,
    #[serde(default)]
    reasoning_tokens: u64,
}

fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Scripted {
    /// Reads a script; empty lines are skipped.
    pub fn from_jsonl(text: &str) -> Result<Scripted, ScriptError> {
        let mut lines = Vec::new();
        for (index, text) in text.lines().enumerate() {
            if text.trim().is_empty() {
                continue;
            }
            let wrong = |message| ScriptError {
                line: index + 1,
                message,
            };
            let written: Written = serde_json::from_str(text).map_err(|error| {
                // The parser sees one line and calls it the first.
                wrong(
                    error
                        .to_string()
                        .replace(" at line 1 column ", " at column "),
                )
            })?;
            lines.push(Line::read(written).map_err(wrong)?);
        }
        let left = Mutex::new(lines.iter().map(|line| line.times).collect());
        Ok(Scripted { lines, left })
    }

    /// The first line that matches and is not used up; uses it once.
    fn take(&self, caller: &Caller, request: &Request) -> Option<&Line> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (line, left) = self
            .lines
            .iter()
            .zip(left.iter_mut())
            .find(|(line, left)| **left != Some(0) && line.when.matches(caller, request))?;
        *left = left.map(|left| left - 1);
        Some(line)
    }
}

#[async_trait]
impl LlmProvider for Scripted {
    fn origin(&self) -> Origin {
        Origin::Scripted
    }

    async fn complete(&self, _: &Broker, caller: &Caller, request: &Request) -> Answer {
        let Some(line) = self.take(caller, request) else {
            let Caller {
                task,
                step,
                attempt,
                ..
            } = caller;
            return Answer::wall(Err(LlmError::Unavailable(format!(
                "no scripted reply for task `{task}`, step `{step}`, attempt {attempt}"
            ))));
        };
        Answer::new(line.answer(request), line.took)
    }
}

impl When {
    fn matches(&self, caller: &Caller, request: &Request) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        is(&self.task, &caller.task)
            && is(&self.step, &caller.step)
            && self.attempt.is_none_or(|wanted| wanted == caller.attempt)
            && self
                .contains
                .as_ref()
                .is_none_or(|text| mentions(request, text))
    }
}

fn mentions(request: &Request, wanted: &str) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.content);
    parts.any(|part| match part {
        Part::Text(text) | Part::Json(text) | Part::CallResult(_, text) => text.contains(wanted),
        Part::Call(call) => call.name.contains(wanted) || call.arguments.contains(wanted),
    })
}

impl Line {
    fn read(written: Written) -> Result<Line, String> {
        let Written { reply, usage, .. } = written;
        let idle = |name: &str| Err(format!("`{name}` has no effect here"));
        let failed = reply.error.is_some();
        for (given, name) in [
            (failed && reply.finish.is_some(), "finish"),
            (failed && usage.is_some(), "usage"),
        ] {
            if given {
                return idle(name);
            }
        }
        let (retry, message) = (reply.retry_after_ms, reply.message);
        let code = reply.error.as_deref();
        if retry.is_some() && code != Some("rate-limited") {
            return idle("retry_after_ms");
        }
        if message.is_some() && !matches!(code, Some("denied" | "unavailable" | "invalid")) {
            return idle("message");
        }
        let finish = |obvious| reply.finish.unwrap_or(obvious);
        let outcome = match (reply.text, reply.json, reply.tool_calls, code) {
            (Some(text), None, None, None) => Outcome::Text(text, finish(FinishReason::Stop)),
            // A real model writes JSON as text, too.
            (None, Some(json), None, None) => {
                Outcome::Text(json.to_string(), finish(FinishReason::Stop))
            }
            (None, None, Some(calls), None) => {
                Outcome::Calls(calls, finish(FinishReason::ToolCalls))
            }
            (None, None, None, Some(code)) => Outcome::Error(error(code, retry, message)?),
            _ => {
                return Err(
                    "`reply` holds exactly one of `text`, `json`, `tool_calls` and `error`"
                        .to_owned(),
                );
            }
        };
        let took = written.latency_ms.map(Duration::from_millis);
        Ok(Line {
            when: written.when,
            outcome,
            usage: usage.map(|usage| Usage {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
                cached_input_tokens: usage.cached_input_tokens,
                reasoning_tokens: usage.reasoning_tokens,
            }),
            times: written.times,
            took: took.map_or(Took::Wall, Took::Virtual),
        })
    }

    fn answer(&self, request: &Request) -> Result<Completion, LlmError> {
        let (content, finish) = match &self.outcome {
            Outcome::Text(text, finish) => (vec![Part::Text(text.clone())], *finish),
            Outcome::Calls(calls, finish) => (tool_calls(calls, request), *finish),
            Outcome::Error(error) => return Err(error.clone()),
        };
        let message = Message {
            role: Role::Assistant,
            content,
        };
        Ok(Completion {
            usage: self
                .usage
                .unwrap_or_else(|| estimate::usage(request, &message)),
            usage_estimated: self.usage.is_none(),
            message,
            finish,
            model: "scripted".to_owned(),
        })
    }
}

/// The error of this code, as [`LlmError::code`] spells it.
fn error(code: &str, retry: Option<u32>, message: Option<String>) -> Result<LlmError, String> {
    let message = || message.unwrap_or_else(|| "as scripted".to_owned());
    Ok(match code {
        "denied" => LlmError::Denied(Denial::NotGranted(message())),
        "budget-exhausted" => LlmError::BudgetExhausted,
        "rate-limited" => LlmError::RateLimited(retry),
        "unavailable" => LlmError::Unavailable(message()),
        "timeout" => LlmError::Timeout,
        "invalid" => LlmError::Invalid(message()),
        "context-too-long" => LlmError::ContextTooLong,
        "cancelled" => LlmError::Cancelled,
        other => return Err(format!("`{other}` is not the code of an error")),
    })
}

/// A call without an id is numbered behind the calls of the conversation, so
/// that no two in it are the same. Arguments given as text are taken as they
/// are, also if they are no JSON.
fn tool_calls(calls: &[Call], request: &Request) -> Vec<Part> {
    let parts = request.messages.iter().flat_map(|message| &message.content);
    let before = parts.filter(|part| matches!(part, Part::Call(_))).count();
    let call = |(index, call): (usize, &Call)| {
        let number = before + index + 1;
        Part::Call(ToolCall {
            id: call.id.clone().unwrap_or_else(|| format!("call-{number}")),
            name: call.name.clone(),
            arguments: match &call.arguments {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        })
    };
    calls.iter().enumerate().map(call).collect()
}
