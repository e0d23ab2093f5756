//! The engine and the two bounds on what runs at once.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hotcell_broker::store::artifacts::{Artifacts, ArtifactsError};
use hotcell_broker::{Broker, Caller, llm, tool};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::bindings::capability;
use crate::bindings::types::Subject;
use crate::cell::{self, Ask, End, State, Told};
use crate::compile::Compiler;
use crate::imports::llm::{error_to_host, request_to_guest, response_to_host, spec_to_host};
use crate::imports::tools::call_to_guest;
use crate::manifest::Kind;
use crate::plugin::Plugin;
use crate::settings::{self, Settings, TICK};
use crate::tape::Tape;
use crate::task::{Ballot, Decision, Output, Task, Verdict};
use crate::wasi;

/// The runtime cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// wasmtime refused the configuration, most often because the machine has
    /// not the address space for the pool.
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    /// The folder of compiled components cannot be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactsError),
}

/// Loads plugins. One for each process.
pub struct Runtime {
    pub(crate) engine: Engine,
    /// Two linkers: a component that imports no WASI is linked without it.
    pub(crate) sealed: Linker<State>,
    pub(crate) with_wasi: Linker<State>,
    pub(crate) artifacts: Option<Artifacts>,
    /// Part of every artefact's name: code compiled by another engine, or with
    /// other settings, has another name.
    pub(crate) engine_hash: u64,
    pub(crate) compiler: Compiler,
    pub(crate) max_memory_mib: u32,
    pub(crate) compiled: AtomicU64,
    cells: u32,
    leaf_cells: u32,
}

impl Runtime {
    /// Sets up the sandbox. Reserves address space for the pool, not memory.
    pub fn new(settings: &Settings) -> Result<Runtime, StartError> {
        let start = |error: wasmtime::Error| StartError::Engine(format!("{error:#}"));
        let engine = settings::engine(settings).map_err(start)?;
        let mut sealed = Linker::new(&engine);
        link(&mut sealed).map_err(start)?;
        let mut with_wasi = sealed.clone();
        wasi::add_to_linker(&mut with_wasi).map_err(start)?;
        let artifacts = settings
            .artifacts
            .as_deref()
            .map(Artifacts::open)
            .transpose()?;
        tick(&engine).map_err(|error| StartError::Engine(error.to_string()))?;
        Ok(Runtime {
            engine_hash: engine_hash(&engine),
            compiler: settings.compiler.clone(),
            sealed,
            with_wasi,
            artifacts,
            max_memory_mib: settings.max_memory_mib,
            compiled: AtomicU64::new(0),
            cells: settings.cells,
            leaf_cells: settings.leaf_cells,
            engine,
        })
    }

    /// The bounded way to call plugins.
    pub fn cells(&self, tape: Option<Tape>) -> Cells {
        let bound = |count: u32| Arc::new(Semaphore::new(count.max(1) as usize));
        Cells {
            roots: bound(self.cells),
            leaves: bound(self.leaf_cells),
            tape,
        }
    }
}

/// Names an engine: equal when it loads what the other compiled.
pub(crate) fn engine_hash(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Links every capability; which of them a component may import its world
/// decides, before this.
fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime::component::HasSelf;
    type D = HasSelf<State>;
    capability::context::add_to_linker::<State, D>(linker, |state| state)?;
    capability::log::add_to_linker::<State, D>(linker, |state| state)?;
    capability::types::add_to_linker::<State, D>(linker, |state| state)?;
    capability::llm::add_to_linker::<State, D>(linker, |state| state)?;
    capability::tools::add_to_linker::<State, D>(linker, |state| state)?;
    capability::memory::add_to_linker::<State, D>(linker, |state| state)?;
    capability::delegate::add_to_linker::<State, D>(linker, |state| state)?;
    capability::approval::add_to_linker::<State, D>(linker, |state| state)?;
    capability::secrets::add_to_linker::<State, D>(linker, |state| state)?;
    crate::bindings::types::add_to_linker::<State, D>(linker, |state| state)
}

/// The clock of deadlines: a thread of its own, which a guest cannot starve. It
/// ends with the engine.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let run = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("hotcell-epoch".to_owned())
        .spawn(run)?;
    Ok(())
}

/// Calls plugins, each in a cell of its own. Cheap to clone.
///
/// Agents, validators and aggregators wait for a place among the roots; tools
/// and models, which only ever run on behalf of those and call nobody, among
/// the leaves. A root that waits for a leaf can therefore never be waited for
/// by one.
#[derive(Clone)]
pub struct Cells {
    roots: Arc<Semaphore>,
    leaves: Arc<Semaphore>,
    tape: Option<Tape>,
}

impl Cells {
    /// Asks an agent.
    pub async fn run(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
        task: Task,
    ) -> End<Output> {
        let told = self
            .call(plugin, broker, caller, Ask::Run(task.into()))
            .await;
        told.map(|told| match told {
            Told::Output(output) => End::Done(output.into()),
            _ => unexpected(),
        })
    }

    /// Asks a validator.
    pub async fn check(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
        task: Task,
        output: Output,
    ) -> End<Verdict> {
        let subject = Subject {
            task: task.into(),
            output: output.into(),
        };
        let told = self.call(plugin, broker, caller, Ask::Check(subject)).await;
        told.map(|told| match told {
            Told::Verdict(verdict) => End::Done(verdict.into()),
            _ => unexpected(),
        })
    }

    /// Asks an aggregator.
    pub async fn decide(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
        ballots: Vec<Ballot>,
    ) -> End<Decision> {
        let ballots = ballots.into_iter().map(Into::into).collect();
        let told = self
            .call(plugin, broker, caller, Ask::Decide(ballots))
            .await;
        told.map(|told| match told {
            Told::Decision(decision) => End::Done(decision.into()),
            _ => unexpected(),
        })
    }

    /// Asks a tool what it offers.
    pub(crate) async fn specs(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
    ) -> End<Vec<tool::ToolSpec>> {
        let told = self.call(plugin, broker, caller, Ask::Specs).await;
        told.map(|told| match told {
            Told::Specs(specs) => End::Done(specs.into_iter().map(spec_to_host).collect()),
            _ => unexpected(),
        })
    }

    /// Asks a tool to do something.
    pub(crate) async fn call_tool(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
        call: tool::ToolCall,
    ) -> End<tool::ToolOutput> {
        let told = self
            .call(plugin, broker, caller, Ask::Call(call_to_guest(call)))
            .await;
        told.map(|told| match told {
            Told::Called(output) => End::Done(tool::ToolOutput {
                content: output.content,
                is_error: output.is_error,
            }),
            _ => unexpected(),
        })
    }

    /// Asks a model.
    pub(crate) async fn complete(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
        request: llm::Request,
    ) -> End<Result<llm::Completion, llm::LlmError>> {
        let ask = Ask::Complete(request_to_guest(request));
        let told = self.call(plugin, broker, caller, ask).await;
        told.map(|told| match told {
            Told::Completion(answer) => {
                End::Done(answer.map(response_to_host).map_err(error_to_host))
            }
            _ => unexpected(),
        })
    }

    async fn call(&self, plugin: &Plugin, broker: &Broker, caller: Caller, ask: Ask) -> End<Told> {
        let places = match plugin.manifest.kind {
            Kind::Tool | Kind::Model => &self.leaves,
            Kind::Agent | Kind::Validator | Kind::Aggregator => &self.roots,
        };
        let cancel = caller.cancel.clone();
        let place = tokio::select! {
            biased;
            () = cancel.cancelled() => return End::Cancelled,
            place = tokio::time::timeout_at(caller.deadline, places.acquire()) => place,
        };
        match place {
            Err(_) => End::Deadline,
            Ok(Err(_)) => End::Host("the host is stopping".to_owned()),
            Ok(Ok(_place)) => cell::call(plugin, broker, caller, self.tape.as_ref(), ask).await,
        }
    }
}

fn unexpected<T>() -> End<T> {
    End::Host("a plugin told something it was not asked".to_owned())
}
