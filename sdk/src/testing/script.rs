//! What stands in for the imports of a component in native code: the same
//! functions as `import::wasm`, answered from a script on the current thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::kept::Kept;
use crate::llm::{Chunk, Error, Request, Response};
use crate::log::Level;
use crate::tool::{Effect, Function, ToolCall, ToolOutput, ToolSpec};
use crate::{Denial, Failure, approval, context, delegate, memory, tools};

pub(crate) type Agent = Rc<dyn Fn(&delegate::Request) -> Result<String, delegate::Error>>;
type Tool = Rc<dyn Fn(ToolCall) -> Result<ToolOutput, tools::Error>>;

/// The script and what has happened so far.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) scripted: bool,
    pub(crate) answers: VecDeque<Result<Response, Error>>,
    pub(crate) model: Option<fn(Request) -> Result<Response, Error>>,
    pub(crate) config: Option<String>,
    pub(crate) info: context::Info,
    pub(crate) requests: Vec<Request>,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) log: Vec<(Level, String)>,
    /// By name; with a value if that may be revealed.
    pub(crate) secrets: BTreeMap<String, Option<String>>,
    pub(crate) kept: Kept,
    pub(crate) agents: Vec<(String, Agent)>,
    tools: Vec<(ToolSpec, Tool)>,
    drawn: u64,
}

impl State {
    pub(crate) fn offer(&mut self, function: Function) {
        let spec = function.spec().clone();
        let run = move |call| {
            function.call(call).map_err(|failure| match failure {
                Failure::InvalidInput(text) => tools::Error::InvalidArguments(text),
                failure => tools::Error::Failed(failure.to_string()),
            })
        };
        self.tools.push((spec, Rc::new(run)));
    }

    pub(crate) fn offer_failure(&mut self, name: &str, error: tools::Error) {
        let spec = ToolSpec {
            name: name.to_owned(),
            description: "Fails.".to_owned(),
            input_schema: r#"{"type":"object"}"#.to_owned(),
            output_schema: None,
            effect: Effect::ReadOnly,
        };
        self.tools
            .push((spec, Rc::new(move |_| Err(error.clone()))));
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Runs something with this script in place of the one before. When it panics,
/// the script stays: the thread is a test's, and the test is over.
pub(crate) fn with<R>(state: State, f: impl FnOnce() -> R) -> (R, State) {
    let before = STATE.replace(State {
        scripted: true,
        ..state
    });
    let result = f();
    (result, STATE.replace(before))
}

fn state<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

pub(crate) fn complete(request: &Request) -> Result<Response, Error> {
    let (scripted, model) = state(|state| {
        if !state.scripted {
            return (Some(Err(Error::Denied(Denial::Unavailable))), None);
        }
        state.requests.push(request.clone());
        (state.answers.pop_front(), state.model)
    });
    // The model runs outside of the borrow: it may use the host itself.
    match (scripted, model) {
        (Some(answer), _) => answer,
        (None, Some(model)) => model(request.clone()),
        (None, None) => Err(Error::Unavailable("the script is over".to_owned())),
    }
}

pub(crate) fn complete_all(requests: &[&Request]) -> Vec<Result<Response, Error>> {
    requests.iter().map(|request| complete(request)).collect()
}

pub(crate) fn embed(_: &str, _: &[String]) -> Result<Vec<Vec<f32>>, Error> {
    Err(Error::Denied(Denial::Unavailable))
}

pub(crate) struct Completion(VecDeque<Chunk>);

impl Completion {
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Error> {
        Ok(self.0.pop_front())
    }
}

pub(crate) fn start(request: &Request) -> Result<Completion, Error> {
    let response = complete(request)?;
    let text = Chunk::Text(response.text());
    Ok(Completion([text, Chunk::Done(Box::new(response))].into()))
}

pub(crate) fn tools() -> Vec<ToolSpec> {
    let mut specs: Vec<ToolSpec> =
        state(|state| state.tools.iter().map(|(spec, _)| spec.clone()).collect());
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    specs
}

pub(crate) fn call_tool(call: ToolCall) -> Result<ToolOutput, tools::Error> {
    // The tool runs outside of the borrow: it may use the host itself.
    let tool = state(|state| {
        state.calls.push(call.clone());
        state
            .tools
            .iter()
            .find(|(spec, _)| spec.name == call.name)
            .map(|(_, tool)| tool.clone())
    });
    match tool {
        Some(tool) => tool(call),
        None => Err(tools::Error::Unknown),
    }
}

pub(crate) fn call_tools(calls: Vec<ToolCall>) -> Vec<Result<ToolOutput, tools::Error>> {
    calls.into_iter().map(call_tool).collect()
}

pub(crate) fn info() -> context::Info {
    state(|state| state.info.clone())
}

/// SplitMix64 from zero: the same numbers in every run.
pub(crate) fn random() -> u64 {
    state(|state| {
        state.drawn = state.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state.drawn ^ (state.drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

pub(crate) fn config() -> String {
    state(|state| state.config.clone().unwrap_or_else(|| "{}".to_owned()))
}

pub(crate) fn log(level: Level, message: &str, fields: &[(String, String)]) {
    let mut line = message.to_owned();
    for (name, value) in fields {
        line.push_str(&format!(" {name}={value}"));
    }
    state(|state| state.log.push((level, line)));
}

pub(crate) fn progress(done: u32, total: u32, note: &str) {
    state(|state| {
        state
            .log
            .push((Level::Info, format!("{done}/{total} {note}")))
    });
}

pub(crate) fn memory_get(
    namespace: &str,
    key: &str,
) -> Result<Option<memory::Entry<String>>, memory::Error> {
    state(|state| state.kept.get(namespace, key))
}

pub(crate) fn memory_set(
    namespace: &str,
    key: &str,
    value: &str,
    expected: Option<u64>,
) -> Result<u64, memory::Error> {
    state(|state| state.kept.set(namespace, key, value, expected))
}

pub(crate) fn memory_delete(namespace: &str, key: &str) -> Result<(), memory::Error> {
    state(|state| state.kept.delete(namespace, key))
}

pub(crate) fn memory_keys(
    namespace: &str,
    prefix: &str,
    limit: u32,
) -> Result<Vec<String>, memory::Error> {
    state(|state| state.kept.keys(namespace, prefix, limit))
}

pub(crate) fn memory_search(
    namespace: &str,
    query: &str,
    limit: u32,
) -> Result<Vec<(String, f32)>, memory::Error> {
    state(|state| state.kept.search(namespace, query, limit))
}

pub(crate) fn delegate(request: delegate::Request) -> Result<String, delegate::Error> {
    // The agent runs outside of the borrow: it may use the host itself.
    let (offered, agent) = state(|state| {
        let agents = state.agents.iter();
        let found = agents.rev().find(|(name, _)| *name == request.agent);
        (
            !state.agents.is_empty(),
            found.map(|(_, agent)| agent.clone()),
        )
    });
    match agent {
        Some(agent) => agent(&request),
        None if offered => Err(delegate::Error::UnknownAgent),
        None => Err(delegate::Error::Denied(Denial::Unavailable)),
    }
}

pub(crate) fn delegate_all(
    requests: Vec<delegate::Request>,
) -> Vec<Result<String, delegate::Error>> {
    requests.into_iter().map(delegate).collect()
}

pub(crate) fn approval(_: approval::Request) -> Result<approval::Decision, approval::Error> {
    Err(approval::Error::Denied(Denial::Unavailable))
}

/// A handle on this host.
pub(crate) struct Secret {
    name: String,
    value: Option<String>,
}

impl Secret {
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn placeholder(&self) -> String {
        format!("{{{{secret:{}}}}}", self.name)
    }

    pub(crate) fn reveal(&self) -> Result<String, Denial> {
        let denied = || Denial::NotGranted(format!("secrets reveal {}", self.name));
        self.value.clone().ok_or_else(denied)
    }
}

pub(crate) fn secret(name: &str) -> Result<Secret, Denial> {
    let known = state(|state| state.secrets.get(name).cloned());
    match known {
        Some(value) => Ok(Secret {
            name: name.to_owned(),
            value,
        }),
        None if state(|state| state.scripted) => Err(Denial::NotGranted(format!("secrets {name}"))),
        None => Err(Denial::Unavailable),
    }
}
