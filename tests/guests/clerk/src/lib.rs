//! An agent whose every call says by which record, step, try and call it is made,
//! so that whoever gets it can count. What came of them is its answer.

use hotcell_sdk::approval;
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
            Some("pay") => return Ok(Answer::new(pay(&task.input)?)),
            _ => return Err(Failure::permanent("the kind is none of this agent's")),
        };
        Ok(Answer::new(json!({ "said": said })))
    }
}

hotcell_sdk::export!(agent: Clerk);

/// Asks a human, and says what the answer was. It pays nothing.
fn pay(input: &Value) -> Result<Value, Failure> {
    let request = approval::Request::new("pay invoice", &input["pay"], "it is due")?;
    let request = match input["dollars"].as_u64() {
        Some(dollars) => request.amount_micros(dollars * 1_000_000),
        None => request,
    };
    match request.ask() {
        Ok(it) => Ok(json!({
            "approved": it.approved, "approver": it.approver, "comment": it.comment,
        })),
        Err(approval::Error::Cancelled) => Err(approval::Error::Cancelled.into()),
        Err(error) => Ok(json!({ "error": error.to_string() })),
    }
}

fn told(answer: Result<Response, Error>) -> String {
    match answer {
        Ok(response) => response.text(),
        Err(error) => error.to_string(),
    }
}
