//! An agent whose every call says by which record, step, try and call it is made,
//! so that whoever gets it can count. What came of them is its answer.

use hotcell_sdk::llm::{self, Error, Request, Response};
use hotcell_sdk::{Agent, Answer, Failure, Task, tools};
use serde_json::{Value, json};

struct Clerk;

impl Agent for Clerk {
    type Input = Value;
    type Output = Value;

    fn run(task: Task<Value>) -> Result<Answer<Value>, Failure> {
        let ask = |call: u32| {
            let (id, kind, round) = (&task.id, &task.kind, task.iteration);
            Request::new("default").user(format!("{id} {kind} {round} {call}"))
        };
        let said = match task.kind.split('-').next() {
            Some("ask") => vec![told(ask(0).complete()), told(ask(1).complete())],
            Some("both") => llm::complete_all(&[ask(0), ask(1)])
                .into_iter()
                .map(told)
                .collect(),
            Some("use") => {
                let name = task.kind.replacen("use-", "desk.", 1);
                let arguments = json!({ "for": task.id });
                vec![match tools::call::<Value>(&name, &arguments) {
                    Ok(value) => value.to_string(),
                    Err(tools::Error::Cancelled) => return Err(tools::Error::Cancelled.into()),
                    Err(error) => error.to_string(),
                }]
            }
            _ => return Err(Failure::permanent("the kind is none of this agent's")),
        };
        Ok(Answer::new(json!({ "said": said })))
    }
}

hotcell_sdk::export!(agent: Clerk);

fn told(answer: Result<Response, Error>) -> String {
    match answer {
        Ok(response) => response.text(),
        Err(error) => error.to_string(),
    }
}
