//! The one door to the host. Inside a cell the calls go to the imports of the
//! component; natively, where there is no host, they go to the scripted one of
//! [`crate::testing`].
//!
//! Only what a plugin calls here ends up among its imports.

#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::script::*;

#[cfg(target_family = "wasm")]
mod wasm {
    use crate::llm::{Chunk, Error, Request, Response};
    use crate::log::Level;
    use crate::tool::{ToolCall, ToolOutput, ToolSpec};
    use crate::wit::agent::hotcell::capability as wit;
    use crate::{approval, context, delegate, memory, tools};

    pub(crate) fn complete(request: &Request) -> Result<Response, Error> {
        let answer = wit::llm::complete(&request.clone().into());
        answer.map(Response::from).map_err(Error::from)
    }

    pub(crate) fn complete_all(requests: &[&Request]) -> Vec<Result<Response, Error>> {
        let requests: Vec<_> = requests.iter().map(|r| Request::clone(r).into()).collect();
        let answers = wit::llm::complete_all(&requests).into_iter();
        answers
            .map(|a| a.map(Response::from).map_err(Error::from))
            .collect()
    }

    pub(crate) fn embed(model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        wit::llm::embed(model, texts).map_err(Error::from)
    }

    pub(crate) struct Completion(wit::llm::Completion);

    impl Completion {
        pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Error> {
            self.0
                .next()
                .map(|chunk| chunk.map(Chunk::from))
                .map_err(Error::from)
        }
    }

    pub(crate) fn start(request: &Request) -> Result<Completion, Error> {
        wit::llm::start(&request.clone().into())
            .map(Completion)
            .map_err(Error::from)
    }

    pub(crate) fn tools() -> Vec<ToolSpec> {
        wit::tools::list().into_iter().map(ToolSpec::from).collect()
    }

    pub(crate) fn call_tool(call: ToolCall) -> Result<ToolOutput, tools::Error> {
        let output = wit::tools::call(&call.into());
        output.map(ToolOutput::from).map_err(tools::Error::from)
    }

    pub(crate) fn call_tools(calls: Vec<ToolCall>) -> Vec<Result<ToolOutput, tools::Error>> {
        let calls: Vec<_> = calls.into_iter().map(Into::into).collect();
        let outputs = wit::tools::call_all(&calls).into_iter();
        outputs
            .map(|o| o.map(ToolOutput::from).map_err(tools::Error::from))
            .collect()
    }

    pub(crate) fn info() -> context::Info {
        wit::context::current().into()
    }

    pub(crate) fn random() -> u64 {
        wit::context::random()
    }

    pub(crate) fn config() -> String {
        wit::context::config()
    }

    pub(crate) fn log(level: Level, message: &str, fields: &[(String, String)]) {
        wit::log::emit(level.into(), message, fields);
    }

    pub(crate) fn progress(done: u32, total: u32, note: &str) {
        wit::log::progress(done, total, note);
    }

    pub(crate) fn memory_get(
        namespace: &str,
        key: &str,
    ) -> Result<Option<memory::Entry<String>>, memory::Error> {
        let entry = wit::memory::get(namespace, key);
        entry
            .map(|e| e.map(memory::Entry::from))
            .map_err(memory::Error::from)
    }

    pub(crate) fn memory_set(
        namespace: &str,
        key: &str,
        value: &str,
        expected: Option<u64>,
    ) -> Result<u64, memory::Error> {
        wit::memory::set(namespace, key, value, expected).map_err(memory::Error::from)
    }

    pub(crate) fn memory_delete(namespace: &str, key: &str) -> Result<(), memory::Error> {
        wit::memory::delete(namespace, key).map_err(memory::Error::from)
    }

    pub(crate) fn memory_keys(
        namespace: &str,
        prefix: &str,
        limit: u32,
    ) -> Result<Vec<String>, memory::Error> {
        wit::memory::keys(namespace, prefix, limit).map_err(memory::Error::from)
    }

    pub(crate) fn memory_search(
        namespace: &str,
        query: &str,
        limit: u32,
    ) -> Result<Vec<(String, f32)>, memory::Error> {
        wit::memory::search(namespace, query, limit).map_err(memory::Error::from)
    }

    pub(crate) fn delegate(request: delegate::Request) -> Result<String, delegate::Error> {
        wit::delegate::ask(&request.into()).map_err(delegate::Error::from)
    }

    pub(crate) fn delegate_all(
        requests: Vec<delegate::Request>,
    ) -> Vec<Result<String, delegate::Error>> {
        let requests: Vec<_> = requests.into_iter().map(Into::into).collect();
        let answers = wit::delegate::ask_all(&requests).into_iter();
        answers
            .map(|answer| answer.map_err(delegate::Error::from))
            .collect()
    }

    pub(crate) fn approval(
        request: approval::Request,
    ) -> Result<approval::Decision, approval::Error> {
        let decision = wit::approval::ask(&request.into());
        decision
            .map(approval::Decision::from)
            .map_err(approval::Error::from)
    }

    pub(crate) struct Secret(wit::secrets::Secret);

    impl Secret {
        pub(crate) fn name(&self) -> String {
            self.0.name()
        }

        pub(crate) fn placeholder(&self) -> String {
            self.0.placeholder()
        }

        pub(crate) fn reveal(&self) -> Result<String, crate::Denial> {
            self.0.reveal().map_err(Into::into)
        }
    }

    pub(crate) fn secret(name: &str) -> Result<Secret, crate::Denial> {
        wit::secrets::open(name).map(Secret).map_err(Into::into)
    }
}
