//! `hotcell check`: everything that can be known without running. Builds
//! nothing: of a plugin in source it reads the manifest, of a component the
//! bytes.

mod shape;

use std::path::Path;

use clap::Args;
use hotcell_broker::{Access, Capability, policy, text};
use hotcell_runtime::manifest::{self, Kind, Manifest};
use hotcell_workflow::diagram::diagram;
use hotcell_workflow::schema::Schema;
use serde_json::json;

use crate::command::{Exit, Output, Problem, WorkflowArgs};
use crate::manifest::Checked;
use crate::manifest::records::load_records;
use crate::{run, screen, wire};

/// The longest name of a resource that is shown.
const SHOWN: usize = 160;

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    /// Show the workflow as a Mermaid diagram.
    #[arg(long)]
    mermaid: bool,
}

pub(crate) fn check(args: &CheckArgs, output: Output) -> Result<Exit, Problem> {
    let checked = wire::read(&args.workflow)?;
    wire::lend(
        &checked,
        &wire::default_cache(),
        Some(&wire::default_state()),
    )?;
    let workflow = &checked.workflow;
    let input = &workflow.input;
    let records = load_records(&input.file, &input.id)
        .map_err(|problem| Problem::new(Exit::Files, problem))?;
    run::gold(&checked)?;
    let mut manifests = Vec::new();
    for (name, plugin) in &workflow.plugins {
        let manifest = manifest_of(&plugin.source)?;
        wire::expect_name(name, &manifest.name, &plugin.source)?;
        let schemas = [
            ("input", &manifest.input_schema),
            ("output", &manifest.output_schema),
        ];
        for (side, schema) in schemas {
            Schema::new(name, side, schema.as_deref())
                .map_err(|e| Problem::new(Exit::Plugin, miette::miette!("{e}")))?;
        }
        manifests.push(manifest);
    }
    let kind_of = |name: &str| manifests.iter().find(|m| m.name == name).map(|m| m.kind);
    for role in &workflow.roles {
        if let Some(kind) = kind_of(&role.named.name) {
            wire::expect_role(role, kind)?;
        }
    }
    for (alias, model) in &checked.host.models {
        if let Some(source) = wire::plugin_of(model) {
            let manifest = manifest_of(source)?;
            let role = format!("`plugin` of the model `{alias}`");
            wire::expect_kind(&manifest.name, manifest.kind, Kind::Model, &role)?;
        }
    }
    for alias in wire::granted_aliases(&checked) {
        if let Some(model) = checked.host.models.get(alias) {
            wire::connect(alias, model)?;
        }
    }
    let mut warnings: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
    for warning in &checked.warnings {
        screen::warning(warning.clone());
    }
    for text in ungranted(&checked, &manifests) {
        screen::note(&format!("note: {text}"));
        warnings.push(text);
    }
    for bad in &records.bad {
        let text = format!("record {} will not be run: {}", bad.index, bad.why);
        screen::note(&format!("note: {text}"));
        warnings.push(text);
    }
    let plan = &workflow.plan;
    let shape = shape::of(&plan.pattern);
    for text in &shape.remarks {
        screen::note(&format!("note: {text}"));
        warnings.push(text.clone());
    }
    if args.mermaid && !output.json {
        screen::result(diagram(&plan.pattern).trim_end());
        return Ok(Exit::Done);
    }
    match output.json {
        true => {
            let told = json!({
                "workflow": plan.name,
                "records": records.good.len(),
                "plugins": manifests,
                "warnings": warnings,
                "shape": shape.told,
                "mermaid": args.mermaid.then(|| diagram(&plan.pattern)),
            });
            screen::json(&told.to_string());
        }
        false => screen::result(&format!(
            "{}: {}, {}, {}; {}{}",
            plan.name,
            many(plan.pattern.steps().len(), "step"),
            many(workflow.plugins.len(), "plugin"),
            many(records.good.len(), "record"),
            match warnings.len() {
                0 => "nothing to remark".to_owned(),
                n => many(n, "remark"),
            },
            shape.lines,
        )),
    }
    Ok(Exit::Done)
}

/// So many of them, in words.
fn many(count: usize, what: &str) -> String {
    let more = if count == 1 { "" } else { "s" };
    format!("{count} {what}{more}")
}

/// What plugins ask for and the policy does not grant. No error: a plugin may be
/// meant to do without.
fn ungranted(checked: &Checked, manifests: &[Manifest]) -> Vec<String> {
    let mut notes = Vec::new();
    for manifest in manifests {
        for request in &manifest.requests {
            let access = Access {
                plugin: &manifest.name,
                capability: request.capability,
                resource: &request.resource,
            };
            if policy::decide(&checked.policy.policy, access).is_err() {
                // The author's word, hence through the gate.
                let resource = &text::line(access.resource, SHOWN);
                let line = policy::line_that_allows(Access { resource, ..access });
                let what = format!("{} `{resource}`", request.capability.name());
                notes.push(format!(
                    "`{}` asks for {what}, which is not granted; policy.toml would with: {line}",
                    manifest.name
                ));
            }
            let tools = checked.workflow.tools.is_empty();
            if request.capability == Capability::Tools && tools {
                notes.push(format!(
                    "`{}` asks for a tool; the run has none",
                    manifest.name
                ));
            }
        }
    }
    notes
}

/// A plugin's manifest without building it.
fn manifest_of(source: &Path) -> Result<Manifest, Problem> {
    if !source.is_dir() {
        let bytes = wire::read_component(source)?;
        return hotcell_runtime::inspect(&bytes)
            .map(|inspection| inspection.manifest)
            .map_err(|error| wire::not_a_plugin(source, &error));
    }
    let path = source.join("hotcell.toml");
    let refuse = |why: String| {
        let help = "every plugin has a `hotcell.toml` beside its Cargo.toml";
        let report = miette::miette!(help = help, "`{}`: {why}", path.display());
        Problem::new(Exit::Plugin, report)
    };
    let bytes = std::fs::read(&path).map_err(|e| refuse(e.to_string()))?;
    manifest::parse(&bytes).map_err(|e| refuse(e.to_string()))
}
