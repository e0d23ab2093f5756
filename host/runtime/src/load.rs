//! Loading: from bytes to a plugin, through the check, the line of those who
//! wait for the compiler or the artefacts, and the linker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hotcell_broker::text;
use tokio::time::Instant;
use wasmtime::component::Component;

use crate::compile::{CompileError, CompileLimits, Exceeded};
use crate::manifest::Limits;
use crate::plugin::{CallLimits, LoadError, Plugin, Pre, inspect};
use crate::queue::Patience;
use crate::runtime::Runtime;

/// Whose plugins are loaded where there is one operator and nobody else.
pub const LOCAL: &str = "local";

/// Any upload is ready or refused within this time, waiting for the compiler
/// included.
pub const LOAD_WITHIN: Duration = Duration::from_secs(15);

/// Of which this much is for ending a compiler that is late.
const ENDING: Duration = Duration::from_millis(500);

/// A compilation that has less than this left is not started: it would be
/// refused for what others did.
const LEAST: Duration = Duration::from_secs(5);

impl Runtime {
    /// Checks, compiles or takes from the cache, and links. `limits` are the
    /// operator's; what they leave open the manifest's suggestion fills.
    /// `config` is the JSON object the plugin will see. Blocks: compiling takes
    /// 0.1 s to several seconds, waiting for it up to [`LOAD_WITHIN`].
    pub fn load(&self, bytes: &[u8], limits: Limits, config: &str) -> Result<Plugin, LoadError> {
        self.load_for(LOCAL, bytes, limits, config)
    }

    /// The same for one of many tenants, who wait for the compiler in a line of
    /// their own each.
    pub fn load_for(
        &self,
        tenant: &str,
        bytes: &[u8],
        limits: Limits,
        config: &str,
    ) -> Result<Plugin, LoadError> {
        let loaded = self.read_and_link(tenant, bytes, limits, config);
        give_back();
        loaded
    }

    fn read_and_link(
        &self,
        tenant: &str,
        bytes: &[u8],
        limits: Limits,
        config: &str,
    ) -> Result<Plugin, LoadError> {
        let started = Instant::now();
        let inspection = inspect(bytes)?;
        let limits = CallLimits::resolve(
            limits.or(inspection.manifest.limits),
            self.max_memory_mib,
            self.room,
        )
        .map_err(LoadError::Limits)?;
        let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
        let component = self.component(tenant, bytes, &inspection.digest.hex(), started)?;
        let linker = if inspection.surface.is_sealed() {
            &self.sealed
        } else {
            &self.with_wasi
        };
        let pre = linker.instantiate_pre(&component).map_err(link)?;
        let pre = Pre::new(inspection.manifest.kind, pre).map_err(link)?;
        Ok(Plugin {
            manifest: inspection.manifest,
            digest: inspection.digest,
            limits,
            config: Arc::from(config),
            component,
            pre,
        })
    }

    /// How many components had to be compiled since the start. A second start
    /// over the same artefacts compiles none.
    pub fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    /// How many uploads wait for the compiler.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    fn component(
        &self,
        tenant: &str,
        bytes: &[u8],
        digest: &str,
        started: Instant,
    ) -> Result<Component, LoadError> {
        let name = format!("{digest}-{:016x}", self.engine_hash);
        if let Some(component) = self.stored(&name) {
            return Ok(component);
        }
        let ends = started + (LOAD_WITHIN - ENDING);
        let patience = Patience {
            place: ends - LEAST,
            result: ends,
        };
        // Somebody else may have compiled it since.
        let compile = || match self.stored(&name) {
            Some(component) => Ok(component),
            None => self.compile(bytes, &name, ends),
        };
        // Who had little time left was late; another may have more.
        let shared = |result: &Result<Component, CompileError>| {
            !matches!(result, Err(CompileError::Limit(Exceeded::Wall(_))))
        };
        let component = self.queue.work(tenant, &name, patience, compile, shared);
        Ok(component.map_err(LoadError::Queue)??)
    }

    /// What is among the artefacts, if it is ours and of this engine.
    fn stored(&self, name: &str) -> Option<Component> {
        let artifact = self.artifacts.as_ref()?.get(name)?;
        self.revive(&artifact).ok()
    }

    fn compile(&self, bytes: &[u8], name: &str, ends: Instant) -> Result<Component, CompileError> {
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let left = ends.saturating_duration_since(Instant::now());
        let limits = CompileLimits {
            wall: self.compile.wall.min(left),
            ..self.compile
        };
        let artifact = self.compiler.compile(&self.engine, bytes, limits)?;
        if let Some(artifacts) = &self.artifacts {
            // A full disk costs the next start some seconds, not this one.
            drop(artifacts.put(name, &artifact));
        }
        // It is ours and whole: what the engine does not take of it is more than
        // its pool has for one component.
        self.revive(&artifact).map_err(|error| {
            CompileError::Unsupported(text::line(&format!("{error:#}"), text::LINE))
        })
    }

    /// Compiled code made ready to run.
    fn revive(&self, artifact: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: deserialising runs native code, so the bytes must be what
        // `precompile_component` gave us. They come from the compiler, or from
        // `Artifacts`, which gives back only bytes sealed with this host's key.
        #[expect(unsafe_code, reason = "the only way to load compiled code; see SAFETY")]
        unsafe {
            Component::deserialize(&self.engine, artifact)
        }
    }
}

/// Returns to the system what the allocator keeps of freed memory. Reading a
/// component makes and drops as many small objects as a stranger likes, a million
/// names of cases for one; the allocator would keep their pages for the process's
/// life. It takes microseconds when there is little to give back, and a load takes
/// milliseconds at least.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: takes a number and touches free memory of the allocator alone, under
    // its own locks.
    #[expect(unsafe_code, reason = "the allocator offers it to C; see SAFETY")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators do so by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
