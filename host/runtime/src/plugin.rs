//! From bytes to a plugin that can be called: check, compile or take from the
//! cache, link once.
//!
//! Nothing of the plugin runs here, and nothing is compiled before its bytes,
//! its manifest and its surface have been checked. Compiled code offered from
//! outside is refused: running it would be running native code.

use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::bulkhead::Room;
use hotcell_broker::store::Digest;
use hotcell_broker::store::guard::Guard;
use hotcell_broker::text;
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::{agent, aggregator, model, tool, validator};
use crate::cell::State;
use crate::compile::{CompileError, Exceeded};
use crate::manifest::{self, Kind, Limits, Manifest, ManifestError, SECTION};
use crate::precheck::{self, PrecheckError, TooMuch};
use crate::queue::SentAway;
use crate::settings::{DEFAULT_DEADLINE_MS, DEFAULT_FUEL, DEFAULT_MEMORY_MIB, MAX_COMPONENT_BYTES};
use crate::world::{self, Surface, WorldError};

/// Why bytes are not a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// More than [`MAX_COMPONENT_BYTES`].
    #[error("it has {0} bytes; at most {MAX_COMPONENT_BYTES} are read")]
    TooLarge(usize),
    /// Not WebAssembly.
    #[error("it is not WebAssembly: it does not start with `\\0asm`")]
    NotWasm,
    /// A core module.
    #[error("it is a core module, not a component")]
    CoreModule,
    /// Compiled ahead of time by somebody.
    #[error(
        "it is compiled native code; a plugin must be a component, which this host compiles itself"
    )]
    Precompiled,
    /// Cut off, damaged or using what is switched off.
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    /// More of something than this host compiles.
    #[error("it has too many {0}")]
    TooMuch(#[from] TooMuch),
    /// No manifest inside.
    #[error("it has no manifest: the custom section `{SECTION}` is missing")]
    NoManifest,
    /// More than one.
    #[error("it has {0} manifests (custom sections `{SECTION}`); there must be one")]
    Manifests(usize),
    /// A bad one.
    #[error("its manifest is not usable: {}", text::line(&.0.to_string(), text::LINE))]
    Manifest(#[from] ManifestError),
    /// It does not keep to its world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A limit that this host does not give.
    #[error("{0}")]
    Limits(String),
    /// It cannot be compiled.
    #[error("it cannot be compiled: {0}")]
    Compile(#[from] CompileError),
    /// Too many others are waiting to be compiled.
    #[error("it was not compiled: {0}; try again later")]
    Queue(SentAway),
    /// It cannot be linked.
    #[error("it cannot be linked: {0}")]
    Link(String),
}

impl LoadError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            LoadError::Empty
            | LoadError::TooLarge(_)
            | LoadError::NotWasm
            | LoadError::CoreModule => "load.kind",
            LoadError::Precompiled => "load.precompiled",
            LoadError::Invalid(_) => "load.invalid",
            LoadError::TooMuch(TooMuch {
                what: precheck::INSTANCES,
                ..
            }) => "load.too-many-instances",
            LoadError::TooMuch(_) => "load.too-much",
            LoadError::NoManifest | LoadError::Manifests(_) | LoadError::Manifest(_) => {
                "load.manifest"
            }
            LoadError::World(WorldError::Undecodable(_)) => "load.invalid",
            LoadError::World(WorldError::Contract(_)) => "load.host",
            LoadError::World(error) if error.denies() => "load.denied-import",
            LoadError::World(_) => "load.world",
            LoadError::Limits(_) => "load.limits",
            LoadError::Compile(error) => match error {
                CompileError::Invalid(_) => "load.invalid",
                CompileError::Feature(_) => "load.feature-disabled",
                CompileError::Unsupported(_) => "load.unsupported",
                CompileError::Limit(Exceeded::Output(_)) => "load.artifact-limit",
                CompileError::Limit(_) => "load.compile-limit",
                CompileError::Worker(_) => "load.host",
            },
            LoadError::Queue(_) => "load.queue-full",
            LoadError::Link(_) => "load.link",
        }
    }
}

impl From<PrecheckError> for LoadError {
    fn from(error: PrecheckError) -> LoadError {
        match error {
            PrecheckError::TooMuch(much) => LoadError::TooMuch(much),
            PrecheckError::Invalid(error) => invalid(&error),
        }
    }
}

/// What a parser says, which may quote names out of the component.
fn invalid(error: &wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid(text::line(&error.to_string(), text::LINE))
}

/// What can be told about a component without running or compiling it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: usize,
    /// Core modules inside.
    pub core_modules: usize,
    /// What it says about itself.
    pub manifest: Manifest,
    /// What it imports and exports.
    pub surface: Surface,
}

/// Checks everything that can be checked without compiling.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadError> {
    let (section, core_modules) = find_manifest(bytes)?;
    precheck::check(bytes)?;
    let manifest = manifest::parse(section)?;
    let surface = world::check(bytes, manifest.kind)?;
    Ok(Inspection {
        digest: Digest::of(bytes),
        bytes: bytes.len(),
        core_modules,
        manifest,
        surface,
    })
}

/// The manifest's bytes, and how many core modules there are. Rust plugins carry
/// the section in their core module, other toolchains at the top: both count.
fn find_manifest(bytes: &[u8]) -> Result<(&[u8], usize), LoadError> {
    match bytes {
        [] => return Err(LoadError::Empty),
        _ if bytes.len() > MAX_COMPONENT_BYTES => return Err(LoadError::TooLarge(bytes.len())),
        _ if Guard::Precompiled.on() && Engine::detect_precompiled(bytes).is_some() => {
            return Err(LoadError::Precompiled);
        }
        _ if !bytes.starts_with(b"\0asm") => return Err(LoadError::NotWasm),
        _ => {}
    }
    let mut found = Vec::new();
    let mut core_modules = 0;
    for (at, payload) in Parser::new(0).parse_all(bytes).enumerate() {
        match payload.map_err(|error| invalid(&error))? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if at == 0 => {
                return Err(LoadError::CoreModule);
            }
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => core_modules += 1,
            Payload::CustomSection(section) if section.name() == SECTION => {
                found.push(section.data());
            }
            _ => {}
        }
    }
    match found.as_slice() {
        [] => Err(LoadError::NoManifest),
        [section] => Ok((section, core_modules)),
        many => Err(LoadError::Manifests(many.len())),
    }
}

/// The limits of one call, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Instructions, roughly.
    pub fuel: u64,
    /// Bytes of memories and tables together.
    pub memory: usize,
    /// Wall clock, host calls included.
    pub deadline: Duration,
    /// How many calls of it may be under way and may wait.
    pub room: Room,
}

impl CallLimits {
    /// The operator's numbers, else the manifest's, else the defaults; refused
    /// above what the host's pool can give.
    pub(crate) fn resolve(
        limits: Limits,
        max_memory_mib: u32,
        room: Room,
    ) -> Result<CallLimits, String> {
        limits.check()?;
        let memory_mib = limits.memory_mib.unwrap_or(DEFAULT_MEMORY_MIB);
        if memory_mib > max_memory_mib {
            return Err(format!(
                "`limits.memory_mib` is {memory_mib}; this host gives at most {max_memory_mib}"
            ));
        }
        Ok(CallLimits {
            fuel: limits.fuel.unwrap_or(DEFAULT_FUEL),
            memory: (memory_mib as usize) << 20,
            deadline: Duration::from_millis(limits.deadline_ms.unwrap_or(DEFAULT_DEADLINE_MS)),
            room: Room {
                concurrency: limits.concurrency.unwrap_or(room.concurrency),
                queue: limits.queue.unwrap_or(room.queue),
            },
        })
    }
}

/// A component linked for its kind: instantiating it is all that is left.
pub(crate) enum Pre {
    Agent(agent::AgentWorldPre<State>),
    Validator(validator::ValidatorWorldPre<State>),
    Tool(tool::ToolWorldPre<State>),
    Aggregator(aggregator::AggregatorWorldPre<State>),
    Model(model::ModelWorldPre<State>),
}

impl Pre {
    pub(crate) fn new(kind: Kind, pre: InstancePre<State>) -> wasmtime::Result<Pre> {
        Ok(match kind {
            Kind::Agent => Pre::Agent(agent::AgentWorldPre::new(pre)?),
            Kind::Validator => Pre::Validator(validator::ValidatorWorldPre::new(pre)?),
            Kind::Tool => Pre::Tool(tool::ToolWorldPre::new(pre)?),
            Kind::Aggregator => Pre::Aggregator(aggregator::AggregatorWorldPre::new(pre)?),
            Kind::Model => Pre::Model(model::ModelWorldPre::new(pre)?),
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Pre::Agent(_) => Kind::Agent,
            Pre::Validator(_) => Kind::Validator,
            Pre::Tool(_) => Kind::Tool,
            Pre::Aggregator(_) => Kind::Aggregator,
            Pre::Model(_) => Kind::Model,
        }
    }
}

/// A plugin ready to be called.
pub struct Plugin {
    /// What it says about itself.
    pub manifest: Manifest,
    /// Which bytes it is.
    pub digest: Digest,
    /// What one call may use.
    pub limits: CallLimits,
    pub(crate) config: Arc<str>,
    pub(crate) component: Component,
    pub(crate) pre: Pre,
}

impl Plugin {
    pub(crate) fn engine(&self) -> &Engine {
        self.component.engine()
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.manifest.name, self.digest.short())
    }
}
