//! `hotcell inspect`: what a plugin is, told from its bytes alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use hotcell_runtime::Inspection;
use hotcell_runtime::broker::text;
use hotcell_runtime::world::Standing;
use serde_json::json;

use crate::command::{Exit, Output, Problem};
use crate::{build, screen, wire};

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// A component (`.wasm`), or the folder of a plugin crate, which is built first
    plugin: PathBuf,
}

pub(crate) fn inspect(args: &InspectArgs, output: Output) -> Result<Exit, Problem> {
    let (path, inspection) = read(&args.plugin).inspect_err(|problem| {
        if let (true, Some(code)) = (output.json, problem.report.code()) {
            let error = json!({"code": code.to_string(), "message": problem.report.to_string()});
            screen::json(&json!({ "error": error }).to_string());
        }
    })?;
    match output.json {
        true => screen::json(&json(&path, &inspection).to_string()),
        false => screen::result(&render(&path, &inspection)),
    }
    Ok(Exit::Done)
}

fn read(plugin: &Path) -> Result<(PathBuf, Inspection), Problem> {
    let path = match plugin.is_dir() {
        true => {
            let built = build::build(&[plugin.to_owned()])?;
            built
                .into_values()
                .next()
                .unwrap_or_else(|| plugin.to_owned())
        }
        false => plugin.to_owned(),
    };
    let bytes = wire::read_component(&path)?;
    let inspection =
        hotcell_runtime::inspect(&bytes).map_err(|error| wire::not_a_plugin(&path, &error))?;
    Ok((path, inspection))
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Always => "always granted",
        Standing::NeedsGrant => "needs a grant",
        Standing::Unavailable => "not offered by this host: every call is refused as `unavailable`",
        Standing::Wasi => "harmless part of WASI: coarse, seeded, bounded",
    }
}

fn render(path: &Path, inspection: &Inspection) -> String {
    let (manifest, surface) = (&inspection.manifest, &inspection.surface);
    let mut out = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<12}{value}");
    };
    // The author's words, hence through the gate.
    let said = |words: &str| text::line(words, 400);
    row(
        "plugin",
        format!("{} {}", manifest.name, said(&manifest.version)),
    );
    row("about", said(&manifest.description));
    row(
        "world",
        format!(
            "hotcell:plugin/{}-world, contract {}",
            manifest.kind, manifest.contract
        ),
    );
    row("digest", inspection.digest.to_string());
    let modules = inspection.core_modules;
    row(
        "size",
        format!("{} bytes, {modules} core modules", inspection.bytes),
    );
    row("file", path.display().to_string());
    row(
        "authority",
        match surface.is_sealed() {
            true => "sealed: imports the contract and nothing else".to_owned(),
            false => "imports a part of WASI besides the contract".to_owned(),
        },
    );
    for port in &surface.imports {
        let functions = port.functions.join(", ");
        let standing = port.standing.map(standing).unwrap_or_default();
        row(
            "import",
            format!("{} ({functions}): {standing}", port.interface),
        );
    }
    for port in &surface.exports {
        row(
            "export",
            format!(
                "{} ({})",
                said(&port.interface),
                said(&port.functions.join(", "))
            ),
        );
    }
    for request in &manifest.requests {
        let (capability, resource) = (request.capability.name(), said(&request.resource));
        row(
            "requests",
            format!("{capability} `{resource}`: {}", said(&request.reason)),
        );
    }
    if manifest.requests.is_empty() {
        row("requests", "nothing".to_owned());
    }
    let limits = [
        manifest.limits.fuel.map(|fuel| format!("{fuel} fuel")),
        manifest
            .limits
            .memory_mib
            .map(|mib| format!("{mib} MiB memory")),
        manifest.limits.deadline_ms.map(|ms| format!("{ms} ms")),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    row(
        "suggests",
        if limits.is_empty() {
            "no limits".to_owned()
        } else {
            limits.join(", ")
        },
    );
    out.trim_end().to_owned()
}

fn json(path: &Path, inspection: &Inspection) -> serde_json::Value {
    json!({
        "file": path,
        "digest": inspection.digest,
        "bytes": inspection.bytes,
        "core_modules": inspection.core_modules,
        "world": format!("hotcell:plugin/{}-world", inspection.manifest.kind),
        "sealed": inspection.surface.is_sealed(),
        "imports": inspection.surface.imports,
        "exports": inspection.surface.exports,
        "manifest": inspection.manifest,
    })
}
