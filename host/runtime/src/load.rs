//! Loading: from bytes to a plugin, through the check, the compiler or the
//! artefacts, and the linker.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::component::Component;

use crate::compile::{CompileError, CompileLimits};
use crate::manifest::Limits;
use crate::plugin::{CallLimits, LoadError, Plugin, Pre, inspect};
use crate::runtime::Runtime;

impl Runtime {
    /// Checks, compiles or takes from the cache, and links. `limits` are the
    /// operator's; what they leave open the manifest's suggestion fills.
    /// `config` is the JSON object the plugin will see. Blocks: compiling takes
    /// 0.1 s to several seconds.
    pub fn load(&self, bytes: &[u8], limits: Limits, config: &str) -> Result<Plugin, LoadError> {
        let inspection = inspect(bytes)?;
        let limits = CallLimits::resolve(
            limits.or(inspection.manifest.limits),
            self.max_memory_mib,
            self.room,
        )
        .map_err(LoadError::Limits)?;
        let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
        let component = self.component(bytes, &inspection.digest.hex())?;
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

    fn component(&self, bytes: &[u8], digest: &str) -> Result<Component, LoadError> {
        let name = format!("{digest}-{:016x}", self.engine_hash);
        let stored = self
            .artifacts
            .as_ref()
            .and_then(|artifacts| artifacts.get(&name));
        if let Some(component) = stored.and_then(|artifact| self.revive(&artifact)) {
            return Ok(component);
        }
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let artifact = self
            .compiler
            .compile(&self.engine, bytes, CompileLimits::default())?;
        if let Some(artifacts) = &self.artifacts {
            // A full disk costs the next start some seconds, not this one.
            drop(artifacts.put(&name, &artifact));
        }
        self.revive(&artifact).ok_or_else(|| {
            LoadError::Compile(CompileError::Worker("its code cannot be loaded".to_owned()))
        })
    }

    /// Compiled code made ready to run; none when another engine made it.
    fn revive(&self, artifact: &[u8]) -> Option<Component> {
        // SAFETY: deserialising runs native code, so the bytes must be what
        // `precompile_component` gave us. They come from the line above, or from
        // `Artifacts`, which gives back only bytes sealed with this host's key.
        #[expect(unsafe_code, reason = "the only way to load compiled code; see SAFETY")]
        unsafe { Component::deserialize(&self.engine, artifact) }.ok()
    }
}
