//! `hotcell tools`: what the servers of the host file offer, and the digest under
//! which they say it.

use std::fmt::Write;

use clap::{Args, Subcommand};
use hotcell_broker::text;
use hotcell_broker::tool::ToolSpec;
use serde_json::json;

use crate::command::{Exit, Output, Problem, WorkflowArgs};
use crate::manifest::tools::ToolServer;
use crate::wire::tools::{Started, start};
use crate::{screen, wire};

/// The longest description that is shown, in bytes.
const SHOWN: usize = 2_000;

#[derive(Args)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show each server's tools, with every word that a model would read
    List(WorkflowArgs),
    /// Print the lines of the host file that hold servers to what they say now
    Pin(WorkflowArgs),
}

pub(crate) fn tools(args: &ToolsArgs, output: Output) -> Result<Exit, Problem> {
    let (What::List(workflow) | What::Pin(workflow)) = &args.what;
    let mut checked = wire::read(workflow)?;
    for server in checked.host.tools.values_mut() {
        // What it says now is the question, whatever was pinned.
        if let (What::Pin(_), ToolServer::Mcp(mcp)) = (&args.what, server) {
            mcp.digest = None;
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    let text = runtime.block_on(async {
        let mut out = String::new();
        let mut all = Vec::new();
        let egress = std::sync::Arc::default();
        for (name, server) in &checked.host.tools {
            let started = start(name, server, &egress).await?;
            match &args.what {
                What::List(_) if output.json => all.push(as_json(name, server, &started)),
                What::List(_) => list(&mut out, name, server, &started),
                What::Pin(_) => all.extend(pin(&mut out, name, &started)),
            }
        }
        Ok::<_, Problem>(match output.json {
            true => json!(all).to_string(),
            false => out,
        })
    })?;
    match output.json {
        true => screen::json(&text),
        false if text.is_empty() => screen::note("the host file has no such servers of tools"),
        false => screen::result(text.trim_end()),
    }
    Ok(Exit::Done)
}

fn list(out: &mut String, name: &str, server: &ToolServer, started: &Started) {
    let (kind, place) = (server.kind(), text::line(&server.place(), SHOWN));
    let _ = writeln!(out, "{name}: {kind}, {place}");
    if let Some(digest) = started.digest {
        let pinned = match server {
            ToolServer::Mcp(mcp) if mcp.digest.is_some() => "pinned",
            _ => "not pinned",
        };
        let _ = writeln!(out, "  {digest}, {pinned}");
    }
    for spec in started.provider.specs() {
        let _ = writeln!(out, "  {} ({})", spec.name, effect(spec));
        // A stranger's words, hence through the gate.
        let _ = writeln!(out, "    {}", text::line(&spec.description, SHOWN));
    }
}

fn effect(spec: &ToolSpec) -> String {
    let word = serde_json::to_value(spec.effect).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

fn as_json(name: &str, server: &ToolServer, started: &Started) -> serde_json::Value {
    json!({
        "server": name,
        "kind": server.kind(),
        "place": server.place(),
        "digest": started.digest.map(|it| it.to_string()),
        "tools": started.provider.specs(),
    })
}

fn pin(out: &mut String, name: &str, started: &Started) -> Option<serde_json::Value> {
    let digest = started.digest?;
    let _ = writeln!(out, "[tools.{name}]\ndigest = \"{digest}\"");
    Some(json!({"server": name, "digest": digest.to_string()}))
}
