//! An agent that does what its record says, one thing after another, and tells what
//! came of each: a script is worth more to a test than a clever agent.

use std::fmt::Display;

use hotcell_sdk::memory::{self, Expect};
use hotcell_sdk::{Agent, Answer, Failure, Task};
use serde::Deserialize;
use serde_json::{Value, json};

struct Keeper;

#[derive(Deserialize)]
struct Script {
    #[serde(rename = "do")]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    /// Namespace and key.
    Get(String, String),
    /// Namespace, key, value and the version that must be there.
    Set(String, String, Value, Option<u64>),
    Delete(String, String),
    /// Namespace, prefix and the most.
    Keys(String, String, u32),
    /// Namespace, question and the most.
    Search(String, String, u32),
    /// Writes again and again under new keys until it is refused; tells how often
    /// it was not.
    Fill(String, Value),
}

impl Agent for Keeper {
    type Input = Script;
    type Output = Value;

    fn run(task: Task<Script>) -> Result<Answer<Value>, Failure> {
        let said: Vec<Value> = task.input.steps.into_iter().map(act).collect();
        Ok(Answer::new(json!({ "said": said })))
    }
}

hotcell_sdk::export!(agent: Keeper);

fn act(step: Step) -> Value {
    match step {
        Step::Get(namespace, key) => match memory::get::<Value>(&namespace, &key) {
            Ok(Some(entry)) => json!({
                "value": entry.value,
                "version": entry.version,
                "origin": entry.origin,
                "trust": format!("{:?}", entry.trust),
            }),
            Ok(None) => Value::Null,
            Err(error) => failed(error),
        },
        Step::Set(namespace, key, value, expected) => {
            let expect = match expected {
                None => Expect::Anything,
                Some(0) => Expect::Nothing,
                Some(version) => Expect::Version(version),
            };
            told(memory::set(&namespace, &key, &value, expect))
        }
        Step::Delete(namespace, key) => told(memory::delete(&namespace, &key)),
        Step::Keys(namespace, prefix, most) => told(memory::keys(&namespace, &prefix, most)),
        Step::Search(namespace, question, most) => {
            let found = memory::search(&namespace, &question, most);
            told(found.map(|found| found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()))
        }
        Step::Fill(namespace, value) => {
            let mut kept = 0;
            loop {
                let key = format!("fill-{kept}");
                match memory::set(&namespace, &key, &value, Expect::Nothing) {
                    Ok(_) => kept += 1,
                    Err(error) => return json!([kept, failed(error)]),
                }
            }
        }
    }
}

fn told<T: Into<Value>>(result: Result<T, memory::Error>) -> Value {
    result.map_or_else(failed, Into::into)
}

fn failed(error: impl Display) -> Value {
    json!({ "failed": error.to_string() })
}
