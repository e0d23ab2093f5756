//! An agent without a mind of its own: the model's answer says what it answers,
//! where it wants to go, what it plans or how it fails. With a scripted model a
//! story needs no plugin of its own.

use hotcell_sdk::llm::Request;
use hotcell_sdk::{Agent, Answer, Failure, Subtask, Task};
use serde::Deserialize;
use serde_json::{Value, json};

struct Actor;

/// What the model says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    value: Value,
    confidence: Option<f64>,
    next_state: Option<String>,
    #[serde(default)]
    plan: Vec<Planned>,
    /// It ends as a permanent failure with these words.
    fails: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    id: String,
    specialist: String,
    input: Value,
    #[serde(default)]
    after: Vec<String>,
}

impl Agent for Actor {
    type Input = Value;
    type Output = Value;

    fn run(task: Task<Value>) -> Result<Answer<Value>, Failure> {
        let previous = match task.has_previous() {
            true => task.previous()?,
            false => Value::Null,
        };
        // All it knows, so that a line of the script can be about any of it.
        let found: Vec<&str> = task.findings.iter().map(|it| it.message.as_str()).collect();
        let told = json!({
            "kind": task.kind,
            "input": task.input,
            "previous": previous,
            "round": task.iteration,
            "findings": found,
        });
        let response = Request::new("default").user(told.to_string()).complete()?;
        let line: Line = serde_json::from_str(&response.text()).map_err(Failure::permanent)?;
        if let Some(words) = line.fails {
            return Err(Failure::permanent(words));
        }
        let plan = line.plan.into_iter().map(|it| {
            let subtask = Subtask::new(it.id, it.specialist, it.input);
            it.after.into_iter().fold(subtask, Subtask::after)
        });
        let mut answer = Answer::new(line.value).plan(plan);
        if let Some(confidence) = line.confidence {
            answer = answer.confidence(confidence);
        }
        if let Some(state) = line.next_state {
            answer = answer.next_state(state);
        }
        Ok(answer)
    }
}

hotcell_sdk::export!(agent: Actor);
