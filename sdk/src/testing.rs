//! A scripted host for native tests, so that a plugin can be tested with
//! `cargo test` and without a sandbox. Not there in a component.
//!
//! Outside of [`Host::run`] there is a host that offers nothing: models, memory
//! and the like are denied, no tool is listed, log lines are dropped.
//!
//! ```
//! use hotcell_sdk::llm::Request;
//! use hotcell_sdk::testing::Host;
//!
//! let ran = Host::new().answer_text("4").run(|| {
//!     Request::new("default").user("What is 2 + 2?").complete_json::<u32>()
//! });
//! assert_eq!(ran.result.map(|json| json.value), Ok(4));
//! assert_eq!(ran.requests.len(), 1);
//! ```

mod kept;
pub(crate) mod script;

use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use crate::context::Info;
use crate::llm::{self, Request, Response};
use crate::log::Level;
use crate::tool::{Function, ToolCall};
use crate::{Model, Tool, delegate, tools};
use script::State;

/// What the host will answer.
#[derive(Default)]
pub struct Host {
    state: State,
}

/// What a plugin did on a scripted host.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ran<R> {
    /// What the closure returned.
    pub result: R,
    /// The model calls, in order.
    pub requests: Vec<Request>,
    /// The tool calls, in order.
    pub calls: Vec<ToolCall>,
    /// The log lines, in order.
    pub log: Vec<(Level, String)>,
}

impl Host {
    /// A host that offers nothing yet.
    pub fn new() -> Host {
        Host::default()
    }

    /// The next model call gets this answer. When all answers are used up and
    /// there is no [`Host::model`], the model is [`llm::Error::Unavailable`].
    pub fn answer(mut self, answer: Result<Response, llm::Error>) -> Host {
        self.state.answers.push_back(answer);
        self
    }

    /// Model calls beyond the scripted answers are answered by a model plugin.
    pub fn model<M: Model>(mut self) -> Host {
        self.state.model = Some(M::complete);
        self
    }

    /// The next model call gets this text.
    pub fn answer_text(self, text: &str) -> Host {
        self.answer(Ok(Response::of_text("scripted", text)))
    }

    /// The next model call gets this JSON.
    pub fn answer_json(self, value: &Value) -> Host {
        self.answer(Response::of_json("scripted", value))
    }

    /// The next model call gets a wish for these tools: names and arguments.
    pub fn answer_calls(self, calls: &[(&str, Value)]) -> Host {
        let call = |(at, (name, arguments)): (usize, &(&str, Value))| ToolCall {
            id: format!("wish-{at}"),
            name: (*name).to_owned(),
            arguments: arguments.to_string(),
        };
        let calls = calls.iter().enumerate().map(call).collect();
        self.answer(Ok(Response::of_calls("scripted", calls)))
    }

    /// Offers one function as a tool.
    pub fn function(mut self, function: Function) -> Host {
        self.state.offer(function);
        self
    }

    /// Offers all functions of a tool plugin.
    pub fn tool<T: Tool>(self) -> Host {
        T::functions().into_iter().fold(self, Host::function)
    }

    /// Offers a tool that always ends in this error.
    pub fn failing_tool(mut self, name: &str, error: tools::Error) -> Host {
        self.state.offer_failure(name, error);
        self
    }

    /// Offers a secret as a handle.
    pub fn handle(mut self, name: &str) -> Host {
        self.state.secrets.insert(name.to_owned(), None);
        self
    }

    /// Offers a secret whose value may be revealed.
    pub fn secret(mut self, name: &str, value: &str) -> Host {
        let value = Some(value.to_owned());
        self.state.secrets.insert(name.to_owned(), value);
        self
    }

    /// Lends a namespace of stored values, for reading and writing. A search in it
    /// counts words.
    pub fn memory(mut self, namespace: &str) -> Host {
        self.state.kept.lend(namespace);
        self
    }

    /// Offers an agent that may be asked: this is what it answers.
    pub fn agent(
        mut self,
        name: &str,
        answer: impl Fn(&delegate::Request) -> Result<Value, delegate::Error> + 'static,
    ) -> Host {
        let answer = move |request: &delegate::Request| Ok(answer(request)?.to_string());
        self.state.agents.push((name.to_owned(), Rc::new(answer)));
        self
    }

    /// The plugin's configuration.
    pub fn config(mut self, config: &Value) -> Host {
        self.state.config = Some(config.to_string());
        self
    }

    /// Who is running, for whom.
    pub fn info(mut self, info: Info) -> Host {
        self.state.info = info;
        self
    }

    /// Runs something on this host.
    pub fn run<R>(self, f: impl FnOnce() -> R) -> Ran<R> {
        let (result, state) = script::with(self.state, f);
        Ran {
            result,
            requests: state.requests,
            calls: state.calls,
            log: state.log,
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("answers", &self.state.answers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Denial, Failure, context, log, memory};

    #[test]
    fn without_a_script_nothing_is_offered() {
        let denied = llm::Error::Denied(Denial::Unavailable);
        assert_eq!(Request::new("default").user("?").complete(), Err(denied));
        assert!(tools::list().is_empty());
        let entry = memory::get::<Value>("n", "k");
        assert_eq!(entry, Err(memory::Error::Denied(Denial::Unavailable)));
        assert_eq!(context::config::<Value>(), Ok(serde_json::json!({})));
        log::info("dropped");
    }

    #[test]
    fn a_secret_is_a_handle_unless_its_value_may_be_revealed() {
        use crate::secrets::Secret;

        let denied = |what: &str| Denial::NotGranted(format!("secrets {what}"));
        assert_eq!(Secret::open("a").err(), Some(Denial::Unavailable));
        let ran = Host::new().handle("a").secret("b", "value").run(|| {
            let open = |name| Secret::open(name).map(|it| (it.placeholder(), it.reveal()));
            [open("a"), open("b"), open("c")]
        });
        let text = |text: &str| text.to_owned();
        assert_eq!(
            ran.result,
            [
                Ok((text("{{secret:a}}"), Err(denied("reveal a")))),
                Ok((text("{{secret:b}}"), Ok(text("value")))),
                Err(denied("c")),
            ]
        );
    }

    #[test]
    fn a_model_plugin_answers_when_the_scripted_answers_are_used_up() {
        struct Echo;

        impl Model for Echo {
            fn complete(request: Request) -> Result<Response, llm::Error> {
                log::info("asked");
                Ok(Response::of_text("echo", request.model))
            }
        }

        let ask = || {
            Request::new("default")
                .user("?")
                .complete()
                .map(|answer| answer.text())
        };
        let ran = Host::new()
            .answer_text("scripted")
            .model::<Echo>()
            .run(|| [ask(), ask()]);
        assert_eq!(
            ran.result,
            [Ok("scripted".to_owned()), Ok("default".to_owned())]
        );
        assert_eq!(ran.log.len(), 1);
        let over = Host::new().run(ask).result;
        assert!(matches!(over, Err(llm::Error::Unavailable(_))), "{over:?}");
    }

    #[test]
    fn values_are_kept_by_version_where_a_namespace_is_lent() {
        use memory::{Error, Expect};

        let ran = Host::new().memory("notes").run(|| {
            let set = |value: u32, expect| memory::set("notes", "k", &value, expect);
            assert_eq!(set(1, Expect::Nothing), Ok(1));
            assert_eq!(set(2, Expect::Nothing), Err(Error::VersionConflict(1)));
            assert_eq!(set(2, Expect::Version(1)), Ok(2));
            let kept = memory::get::<u32>("notes", "k").unwrap().unwrap();
            assert_eq!((kept.value, kept.version), (2, 2));
            assert_eq!(memory::delete("notes", "k"), Ok(()));
            assert_eq!(set(3, Expect::Nothing), Ok(3));
            memory::set("notes", "late", &"Overdue invoices", Expect::Anything).unwrap();
            assert_eq!(memory::keys("notes", "", 1), Ok(vec!["k".to_owned()]));
            let found = memory::search("notes", "invoices overdue", 9).unwrap();
            assert_eq!(found, [("late".to_owned(), 1.0)]);
            memory::get::<u32>("other", "k")
        });
        let denied = Error::Denied(Denial::NotGranted("memory other".to_owned()));
        assert_eq!(ran.result, Err(denied));
    }

    #[test]
    fn an_agent_that_is_offered_answers() {
        let ask = |agent: &str| {
            let request = delegate::Request::new(agent, "double", &21);
            request.and_then(delegate::ask::<u32>)
        };
        let double = |request: &delegate::Request| {
            let number: u32 = serde_json::from_str(&request.input).unwrap();
            Ok((number * 2).into())
        };
        let ran = Host::new()
            .agent("calculator", double)
            .run(|| [ask("calculator"), ask("nobody")]);
        let unknown = Err(delegate::Error::UnknownAgent);
        assert_eq!(ran.result, [Ok(42), unknown]);
        let denied = Err(delegate::Error::Denied(Denial::Unavailable));
        assert_eq!(Host::new().run(|| ask("calculator")).result, denied);
    }

    #[test]
    fn a_script_ends_with_its_run() {
        let ran = Host::new().config(&serde_json::json!(7)).run(|| {
            log::warn("seven");
            context::config::<u32>()
        });
        assert_eq!(ran.result, Ok(7));
        assert_eq!(ran.log, [(Level::Warn, "seven".to_owned())]);
        assert!(matches!(
            context::config::<u32>(),
            Err(Failure::Permanent(_))
        ));
    }
}
