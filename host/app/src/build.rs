//! From a plugin's crate to its component, with the author's own cargo.
//!
//! Plugins are built for `wasm32-unknown-unknown`, linked as components: they
//! import nothing but the contract. A crate that needs WASI's clocks or output
//! says `target = "wasm32-wasip2"` under `[package.metadata.hotcell]`. Building
//! runs the crate's build scripts and macros on this machine, outside any
//! sandbox: build only source you would compile anyway, and take strangers'
//! plugins as `.wasm`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::Deserialize;

use crate::command::{Exit, Output, Problem};
use crate::screen;

/// The target of sealed plugins.
const SEALED: &str = "wasm32-unknown-unknown";

#[derive(Args)]
pub(crate) struct BuildArgs {
    /// Folders of plugin crates
    #[arg(required = true)]
    crates: Vec<PathBuf>,
    /// Copy the components into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Builds and says where the components are.
pub(crate) fn command(args: &BuildArgs, output: Output) -> Result<Exit, Problem> {
    let built = build(&args.crates)?;
    let mut paths = Vec::new();
    for folder in &args.crates {
        let Some(path) = built.get(folder) else {
            continue;
        };
        paths.push(match &args.out {
            None => path.clone(),
            Some(out) => copy(path, out)?,
        });
    }
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    match output.json {
        true => screen::json(&serde_json::json!(paths).to_string()),
        false => screen::result(&paths.join("\n")),
    }
    Ok(Exit::Done)
}

fn copy(component: &Path, folder: &Path) -> Result<PathBuf, Problem> {
    let name = component
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('_', "-");
    let to = folder.join(name);
    let copy = || {
        std::fs::create_dir_all(folder)?;
        std::fs::copy(component, &to)
    };
    copy().map_err(|e| Problem::failed(format!("cannot write `{}`: {e}", to.display())))?;
    Ok(to)
}

/// A crate as `cargo metadata` tells it.
struct Crate {
    folder: PathBuf,
    workspace: PathBuf,
    target_dir: PathBuf,
    package: String,
    component: String,
    target: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    metadata: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// Builds the crates in these folders; the components by folder. One cargo call
/// for each workspace and target.
pub(crate) fn build(folders: &[PathBuf]) -> Result<BTreeMap<PathBuf, PathBuf>, Problem> {
    let mut groups: BTreeMap<(PathBuf, String), Vec<Crate>> = BTreeMap::new();
    for folder in folders {
        let crate_ = describe(folder)?;
        let key = (crate_.workspace.clone(), crate_.target.clone());
        groups.entry(key).or_default().push(crate_);
    }
    let mut built = BTreeMap::new();
    for ((workspace, target), crates) in groups {
        ensure_target(&workspace, &target)?;
        cargo_build(&workspace, &target, &crates)?;
        for crate_ in crates {
            let name = format!("{}.wasm", crate_.component);
            let path = crate_.target_dir.join(&target).join("release").join(name);
            built.insert(crate_.folder, path);
        }
    }
    Ok(built)
}

fn describe(folder: &Path) -> Result<Crate, Problem> {
    let refuse = |why: String, help: &'static str| {
        let shown = folder.display();
        Problem::new(
            Exit::Plugin,
            miette::miette!(help = help, "cannot build `{shown}`: {why}"),
        )
    };
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(refuse(
            "there is no `Cargo.toml` in it".to_owned(),
            "`source` must be the folder of a plugin crate, or a `.wasm` file",
        ));
    }
    let output = Command::new(cargo())
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(&manifest)
        .output()
        .map_err(|e| {
            refuse(
                e.to_string(),
                "install Rust with rustup, so that `cargo` is found",
            )
        })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(refuse(text, "`cargo metadata` must work in that folder"));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|e| refuse(format!("`cargo metadata`: {e}"), "is this a recent cargo?"))?;
    let wanted = manifest.canonicalize().unwrap_or(manifest);
    let mut packages = metadata.packages.into_iter();
    let package = packages
        .find(|p| {
            p.manifest_path
                .canonicalize()
                .is_ok_and(|path| path == wanted)
        })
        .ok_or_else(|| {
            refuse(
                "it holds no package".to_owned(),
                "name the plugin's own folder",
            )
        })?;
    let is_component = |t: &&Target| t.crate_types.iter().any(|kind| kind == "cdylib");
    let component = package.targets.iter().find(is_component).ok_or_else(|| {
        refuse(
            "its library is no `cdylib`".to_owned(),
            "add `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]` to its Cargo.toml",
        )
    })?;
    let target = package
        .metadata
        .as_ref()
        .and_then(|m| m.get("hotcell")?.get("target")?.as_str());
    Ok(Crate {
        folder: folder.to_owned(),
        workspace: metadata.workspace_root,
        // Beside the host's own files, so that the two builds never wait for
        // one another's lock.
        target_dir: metadata.target_directory.join("guests"),
        component: component.name.replace('-', "_"),
        package: package.name,
        target: target.unwrap_or(SEALED).to_owned(),
    })
}

/// Installs the target through rustup when it is missing.
fn ensure_target(folder: &Path, target: &str) -> Result<(), Problem> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(folder)
        .output()
        .map_err(|e| no_target(target, &e.to_string()))?;
    let libdir = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    screen::note(&format!(
        "installing the Rust target {target}: rustup target add {target}"
    ));
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| no_target(target, &format!("rustup cannot be run: {e}")))?;
    match added.status.success() {
        true => Ok(()),
        false => Err(no_target(
            target,
            String::from_utf8_lossy(&added.stderr).trim(),
        )),
    }
}

fn no_target(target: &str, why: &str) -> Problem {
    let report = miette::miette!(
        help = format!("install it by hand: `rustup target add {target}`"),
        "plugins need the Rust target `{target}`, which cannot be installed: {why}"
    );
    Problem::new(Exit::Plugin, report)
}

fn cargo_build(workspace: &Path, target: &str, crates: &[Crate]) -> Result<(), Problem> {
    let names: Vec<_> = crates.iter().map(|c| c.package.as_str()).collect();
    let Some(first) = crates.first() else {
        return Ok(());
    };
    screen::note(&format!("building {}", names.join(", ")));
    let mut command = Command::new(cargo());
    command
        .args(["build", "--release", "--target", target, "--target-dir"])
        .arg(&first.target_dir)
        .current_dir(workspace)
        .stdin(Stdio::null())
        // Small, whole-program, one unit: what a plugin ships. Set here, so that
        // a plugin needs no profile of its own.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        // The component linker ships with rustc; only this target needs telling.
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
            "wasm-component-ld",
        )
        // Flags for the host's own build are not the plugins'.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    for name in &names {
        command.args(["--package", name]);
    }
    // Where somebody watches, cargo shows its own progress.
    let watched = screen::watched();
    command.stderr(if watched {
        Stdio::inherit()
    } else {
        Stdio::piped()
    });
    let output = command
        .output()
        .map_err(|e| cargo_failed(&names, &cargo_not_run(&e)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(cargo_failed(
        &names,
        if watched { "see above" } else { text.trim() },
    ))
}

fn cargo_not_run(error: &io::Error) -> String {
    format!("cargo cannot be run: {error}")
}

fn cargo_failed(names: &[&str], why: &str) -> Problem {
    let report = miette::miette!(
        help = "the plugin's source does not build; its author's `cargo build` says the same",
        "cannot build {}: {why}",
        names.join(", ")
    );
    Problem::new(Exit::Plugin, report)
}

/// The cargo that runs us, when one does.
#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
