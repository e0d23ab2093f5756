//! Components: where they come from, and why one is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotcell_broker::text;
use hotcell_runtime::compile::CompileError;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::{LoadError, MAX_COMPONENT_BYTES, Plugin, Runtime};

use crate::build;
use crate::command::{Exit, Problem};
use crate::screen;

/// Components by source: built for folders, themselves for files.
pub(super) fn components(sources: &[&Path]) -> Result<BTreeMap<PathBuf, PathBuf>, Problem> {
    let folders: BTreeSet<&Path> = sources
        .iter()
        .copied()
        .filter(|path| path.is_dir())
        .collect();
    let folders: Vec<_> = folders.into_iter().map(Path::to_owned).collect();
    if folders.is_empty() {
        Ok(BTreeMap::new())
    } else {
        build::build(&folders)
    }
}

/// The component of a source.
pub(super) fn component_of<'a>(
    components: &'a BTreeMap<PathBuf, PathBuf>,
    source: &'a Path,
) -> &'a Path {
    components.get(source).map_or(source, PathBuf::as_path)
}

/// The bytes of a component's file, never more than the host would look at.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, Problem> {
    let shown = path.display();
    let size = std::fs::metadata(path).map(|m| m.len());
    let bytes = match size {
        Ok(size) if size > MAX_COMPONENT_BYTES as u64 => {
            return Err(not_a_plugin(path, &LoadError::TooLarge(size as usize)));
        }
        _ => std::fs::read(path),
    };
    bytes.map_err(|error| {
        let report = miette::miette!(
            help = "check the path; in a workflow it is the plugin's `source`",
            "cannot read the plugin `{shown}`: {error}"
        );
        Problem::new(Exit::Plugin, report)
    })
}

/// Why a file is not a plugin, and what to do.
pub(crate) fn not_a_plugin(path: &Path, error: &LoadError) -> Problem {
    let help = match error {
        LoadError::CoreModule => "link it as a component: `hotcell build FOLDER` does",
        LoadError::Precompiled => "ask its author for the component, the `.wasm` before compiling",
        LoadError::NoManifest | LoadError::Manifests(_) => {
            "`hotcell_sdk::export!` embeds `hotcell.toml`; other toolchains add it as a section"
        }
        LoadError::World(_) => "build it against the contract in `wit/`",
        LoadError::Manifest(_) => "mend its `hotcell.toml` and build it again",
        LoadError::TooMuch(_) | LoadError::Compile(CompileError::Limit(_)) => {
            "no honest plugin we know needs so much; ask its author"
        }
        LoadError::Compile(CompileError::Worker(_)) => "this is Hotcell's own failure",
        LoadError::Queue(_) => "wait for the others, or load it first",
        LoadError::Limits(_) => "set `limits` for it in the workflow",
        _ => "is this the right file, and is it whole?",
    };
    let text = text::line(&error.to_string(), text::LINE);
    let report = miette::miette!(
        code = error.code(),
        help = help,
        "`{}` cannot be loaded: {text}",
        path.display()
    );
    Problem::new(Exit::Plugin, report)
}

/// Loads a plugin.
pub(super) fn load(
    runtime: &Runtime,
    path: &Path,
    bytes: &[u8],
    limits: Limits,
    config: &str,
) -> Result<Arc<Plugin>, Problem> {
    let plugin = runtime.load(bytes, limits, config);
    let plugin = plugin.map_err(|error| not_a_plugin(path, &error))?;
    screen::detail(&format!("loaded {} {}", path.display(), plugin.digest));
    Ok(Arc::new(plugin))
}
