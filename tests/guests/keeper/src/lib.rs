//! An agent that does what its record says, one thing after another, and tells what
//! came of each: a script is worth more to a test than a clever agent.

use std::fmt::Display;

use hotcell_sdk::delegate::{self, Request};
use hotcell_sdk::llm;
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
    /// A question for the model.
    Model(String),
    /// Agent and input.
    Ask(String, Value),
    /// All at once.
    AskAll(Vec<(String, Value)>),
    /// The first asks the second to ask the third and so on, round and round.
    Chain(Vec<String>),
    /// Each asks so many of these, who each do the same.
    Bomb(String, u32),
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
        Step::Model(question) => match llm::Request::new("default").user(question).complete() {
            Ok(answer) => answer.text().into(),
            Err(error) => failed(error),
        },
        Step::Ask(agent, input) => ask(&agent, &input),
        Step::AskAll(asks) => {
            let requests = asks
                .iter()
                .map(|(agent, input)| Request::new(agent, "do", input));
            match requests.collect() {
                Ok(requests) => answers(requests).into(),
                Err(error) => failed(error),
            }
        }
        Step::Chain(mut agents) => {
            let next = agents.remove(0);
            agents.push(next.clone());
            ask(&next, &json!({ "do": [{ "chain": agents }] }))
        }
        Step::Bomb(agent, width) => {
            let input = json!({ "do": [{ "bomb": [agent, width] }] });
            let requests = (0..width).map(|_| Request::new(&agent, "do", &input));
            match requests.collect() {
                Ok(requests) => {
                    let answers = answers(requests);
                    let failed = |it: &&Value| it.get("failed").is_some();
                    json!({ "failed": answers.iter().filter(failed).count() })
                }
                Err(error) => failed(error),
            }
        }
    }
}

fn ask(agent: &str, input: &Value) -> Value {
    let answer = Request::new(agent, "do", input).and_then(delegate::ask::<Value>);
    answer.unwrap_or_else(failed)
}

fn answers(requests: Vec<Request>) -> Vec<Value> {
    let answers = delegate::ask_all::<Value>(requests).into_iter();
    answers.map(|it| it.unwrap_or_else(failed)).collect()
}

fn told<T: Into<Value>>(result: Result<T, memory::Error>) -> Value {
    result.map_or_else(failed, Into::into)
}

fn failed(error: impl Display) -> Value {
    json!({ "failed": error.to_string() })
}
