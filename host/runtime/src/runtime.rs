//! The engine, and the bounded way to call plugins.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hotcell_broker::bulkhead::{Bulkhead, Guest, Load, MAX_DEPTH, Place, Room, Saturated};
use hotcell_broker::store::artifacts::{Artifacts, ArtifactsError};
use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Broker, Caller, llm, tool};
use tokio::task::JoinHandle;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::bindings::capability;
use crate::bindings::types::Subject;
use crate::cell::{self, Ask, Shared, State, Told};
use crate::compile::{CompileError, CompileLimits, Compiler};
use crate::end::{End, Limit};
use crate::imports::llm::{error_to_host, request_to_guest, response_to_host, spec_to_host};
use crate::imports::tools::call_to_guest;
use crate::limits::Tenants;
use crate::plugin::Plugin;
use crate::preflight::{self, Shortage};
use crate::queue::Queue;
use crate::settings::{self, Settings, TICK};
use crate::tape::Tape;
use crate::task::{Ballot, Decision, Output, Task, Verdict};
use crate::threads::Threads;
use crate::turns::Turns;
use crate::wasi;

/// The runtime cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// wasmtime refused the configuration, most often because the machine has
    /// not the address space for the pool.
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    /// The machine has too little of something for these settings.
    #[error("{0}")]
    Machine(Shortage),
    /// A variable of the environment that would weaken the sandbox.
    #[error("`{0}` is set: it would have wasmtime read what strangers wrote for debuggers")]
    Variable(&'static str),
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
    pub(crate) compile: CompileLimits,
    pub(crate) queue: Queue<Result<Component, CompileError>>,
    pub(crate) max_memory_mib: u32,
    pub(crate) compiled: AtomicU64,
    pub(crate) room: Room,
    bulkhead: Bulkhead,
    tenants: Arc<Tenants>,
    turns: Arc<Turns>,
    threads: Arc<Threads>,
}

impl Runtime {
    /// Sets up the sandbox. Reserves address space for the pool, not memory.
    pub fn new(settings: &Settings) -> Result<Runtime, StartError> {
        let start = |error: wasmtime::Error| StartError::Engine(format!("{error:#}"));
        if let Some(variable) = preflight::variable() {
            return Err(StartError::Variable(variable));
        }
        if let Some(shortage) = preflight::shortage(settings) {
            return Err(StartError::Machine(shortage));
        }
        let engine = settings::engine(settings).map_err(start)?;
        preflight::engine(&engine).map_err(StartError::Engine)?;
        let mut sealed = Linker::new(&engine);
        link(&mut sealed).map_err(start)?;
        let mut with_wasi = sealed.clone();
        wasi::add_to_linker(&mut with_wasi).map_err(start)?;
        let artifacts = settings
            .artifacts
            .as_deref()
            .map(Artifacts::open)
            .transpose()?;
        let io = |error: std::io::Error| StartError::Engine(error.to_string());
        let turns = Turns::new(settings.turns);
        tick(&engine, &turns).map_err(io)?;
        Ok(Runtime {
            engine_hash: engine_hash(&engine),
            compiler: settings.compiler.clone(),
            compile: CompileLimits {
                images: settings.images(),
                ..settings.compile
            },
            queue: Queue::new(settings.compile_places),
            sealed,
            with_wasi,
            artifacts,
            max_memory_mib: settings.max_memory_mib,
            compiled: AtomicU64::new(0),
            room: settings.room,
            bulkhead: Bulkhead::new(settings.cells, settings.nested_cells),
            tenants: Arc::new(Tenants::new((settings.tenant_memory_mib as usize) << 20)),
            threads: Arc::new(Threads::new(settings.turns).map_err(io)?),
            turns,
            engine,
        })
    }

    /// The bounded way to call plugins.
    pub fn cells(&self, tape: Option<Tape>) -> Cells {
        Cells {
            bulkhead: self.bulkhead.clone(),
            tenants: Arc::clone(&self.tenants),
            turns: Arc::clone(&self.turns),
            threads: Arc::clone(&self.threads),
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
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime::component::HasSelf;
    type D = HasSelf<State>;
    capability::context::add_to_linker::<State, D>(linker, State::entered)?;
    capability::log::add_to_linker::<State, D>(linker, State::entered)?;
    capability::types::add_to_linker::<State, D>(linker, State::entered)?;
    capability::llm::add_to_linker::<State, D>(linker, State::entered)?;
    capability::tools::add_to_linker::<State, D>(linker, State::entered)?;
    capability::memory::add_to_linker::<State, D>(linker, State::entered)?;
    capability::delegate::add_to_linker::<State, D>(linker, State::entered)?;
    capability::approval::add_to_linker::<State, D>(linker, State::entered)?;
    capability::secrets::add_to_linker::<State, D>(linker, State::entered)?;
    crate::bindings::types::add_to_linker::<State, D>(linker, State::entered)
}

/// The clock of deadlines and turns: a thread of its own, which a guest cannot
/// starve. It ends with the engine.
pub(crate) fn tick(engine: &Engine, turns: &Arc<Turns>) -> std::io::Result<()> {
    let (engine, turns) = (engine.weak(), Arc::clone(turns));
    let run = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            turns.tick();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("hotcell-epoch".to_owned())
        .spawn(run)?;
    Ok(())
}

/// Calls plugins, each in a cell of its own, on the threads of guests. Cheap to
/// clone.
#[derive(Clone)]
pub struct Cells {
    bulkhead: Bulkhead,
    tenants: Arc<Tenants>,
    turns: Arc<Turns>,
    threads: Arc<Threads>,
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

    /// Asks a model for vectors.
    pub(crate) async fn embed(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        caller: Caller,
        texts: Vec<String>,
    ) -> End<Result<Vec<Vec<f32>>, llm::LlmError>> {
        let told = self.call(plugin, broker, caller, Ask::Embed(texts)).await;
        told.map(|told| match told {
            Told::Vectors(made) => End::Done(made.map_err(error_to_host)),
            _ => unexpected(),
        })
    }

    /// Puts work that calls plugins onto the threads of guests, where a guest that
    /// computes for long keeps nobody from listening.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.threads.handle().spawn(work)
    }

    /// How full the host is.
    pub fn load(&self) -> Load {
        self.bulkhead.load()
    }

    /// Boxed, and what is asked as well: a future keeps what it is called with
    /// beside what it makes of it, at each level, and thousands of them wait at a
    /// time. Without, `hotcell bench density` found 4.4 KiB more for each agent,
    /// 58.8 for 54.4.
    fn call<'a>(
        &'a self,
        plugin: &'a Plugin,
        broker: &'a Broker,
        caller: Caller,
        ask: Ask,
    ) -> Pin<Box<dyn Future<Output = End<Told>> + Send + 'a>> {
        let ask = Box::new(ask);
        Box::pin(async move {
            if caller.depth > MAX_DEPTH && Guard::Depth.on() {
                return End::Limit(Limit::Depth);
            }
            let parent = caller.parent.clone();
            let work = pin!(self.enter(plugin, broker, caller, ask));
            // Whoever made this call only waits for it.
            match parent {
                Some(parent) => parent.lend(work).await,
                None => work.await,
            }
        })
    }

    async fn enter(
        &self,
        plugin: &Plugin,
        broker: &Broker,
        mut caller: Caller,
        ask: Box<Ask>,
    ) -> End<Told> {
        let place = match self.place(plugin, &caller).await {
            Ok(place) => place,
            Err(end) => return end,
        };
        let shared = Shared {
            tape: self.tape.as_ref(),
            total: self.tenants.total(&caller.tenant),
            turns: &self.turns,
        };
        caller.parent = Some(place);
        cell::call(plugin, broker, caller, shared, ask).await
    }

    /// Waits for a place, no longer than the caller has time.
    async fn place(&self, plugin: &Plugin, caller: &Caller) -> Result<Place, End<Told>> {
        let guest = Guest {
            tenant: &caller.tenant,
            plugin: &plugin.manifest.name,
            depth: caller.depth,
            room: plugin.limits.room,
        };
        tokio::select! {
            biased;
            () = caller.cancel.cancelled() => Err(End::Cancelled),
            place = tokio::time::timeout_at(caller.deadline, self.bulkhead.enter(guest)) => {
                match place {
                    Err(_) => Err(End::Deadline),
                    Ok(Err(Saturated)) => Err(End::Saturated),
                    Ok(Ok(place)) => Ok(place),
                }
            }
        }
    }
}

fn unexpected<T>() -> End<T> {
    End::Host("a plugin told something it was not asked".to_owned())
}
