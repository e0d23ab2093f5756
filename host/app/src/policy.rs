//! `hotcell policy`: is it well made, what does it allow and by which line, what
//! would a run that was refused have needed. Nothing is built, called or run.
//!
//! Whoever may read these files may ask. There are no roles over what an operator
//! does: this program has the rights of the person who starts it, and a second
//! policy about them would only repeat what the system's file rights decide.

mod explain;
mod suggest;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hotcell_broker::{Capability, text};
use serde_json::json;

use crate::command::{Exit, Output, Problem, WorkflowArgs};
use crate::manifest::policy::{Line, PolicyFile, lethal};
use crate::{screen, wire};

#[derive(Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read a policy and say what it grants, and what is odd about it
    Check(CheckArgs),
    /// May this plugin do that, and which line says so
    Explain(explain::ExplainArgs),
    /// The lines that a run would have needed that was refused something
    Suggest(suggest::SuggestArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// A workflow's folder or file, or a policy file (`.toml`)
    #[arg(default_value = ".")]
    of: PathBuf,
}

pub(crate) fn policy(args: &PolicyArgs, output: Output) -> Result<Exit, Problem> {
    match &args.command {
        Command::Check(args) => check(args, output),
        Command::Explain(args) => explain::explain(args, output),
        Command::Suggest(args) => suggest::suggest(args, output),
    }
}

/// The policy of a workflow, or of a file alone.
fn read(path: &Path) -> Result<(PolicyFile, Vec<crate::manifest::problem::Problem>), Problem> {
    if path.extension().is_some_and(|it| it == "toml") {
        let file =
            PolicyFile::alone(path).map_err(|problems| Problem::new(Exit::Files, problems))?;
        let warnings = lethal::warnings(&file);
        return Ok((file, warnings));
    }
    let checked = wire::read(&WorkflowArgs::of(path))?;
    Ok((checked.policy, checked.warnings))
}

fn check(args: &CheckArgs, output: Output) -> Result<Exit, Problem> {
    let (file, warnings) = read(&args.of)?;
    for warning in &warnings {
        screen::warning(warning.clone());
    }
    let policy = &file.policy;
    if output.json {
        let grant = |line: &Line| {
            let (number, _) = line.spot.line_and_column();
            json!({
                "plugin": line.plugin,
                "capability": line.capability,
                "resource": line.resource,
                "line": number,
            })
        };
        let told = json!({
            "tenant": policy.tenant(),
            "digest": policy.digest,
            "grants": file.lines.iter().map(grant).collect::<Vec<_>>(),
            "warnings": warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        screen::json(&told.to_string());
        return Ok(Exit::Done);
    }
    let mut out = format!("tenant {}, {}", policy.tenant(), policy.digest);
    for named in &file.plugins {
        let of = |line: &&Line| line.plugin == named.name;
        out += &format!("\n{}", named.name);
        for capability in Capability::ALL {
            let lines = file.lines.iter().filter(of);
            let lines = lines.filter(|line| line.capability == capability);
            let what: Vec<String> = lines.map(|line| text::line(&line.resource, 160)).collect();
            if !what.is_empty() {
                out += &format!("\n  {:<9} {}", capability.name(), what.join(", "));
            }
        }
    }
    screen::result(&out);
    Ok(Exit::Done)
}
