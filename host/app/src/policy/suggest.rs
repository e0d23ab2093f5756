//! `hotcell policy suggest`: what a run was refused, as the policy that would have
//! allowed it. For a person to read: a plugin that asks is no reason to grant.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use hotcell_broker::policy::line_that_allows;
use hotcell_broker::{Access, Capability, text};
use hotcell_runtime::manifest::is_name;
use serde::Deserialize;
use serde_json::json;
use toml::{Table, Value};

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, find};
use crate::manifest::policy::PolicyFile;
use crate::screen;
use crate::state::State;

/// The largest file of results that is read: 256 MiB.
const MAX_RESULTS: u64 = 256 * 1024 * 1024;

#[derive(Args)]
pub(super) struct SuggestArgs {
    /// The run: its id, the beginning or the end of it, or a record's id. What is
    /// kept has refused calls; refused requests and folders are in results alone
    #[arg(required_unless_present = "results")]
    run: Option<String>,
    /// The results that `hotcell run --out` has written, instead of a run that is kept
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    results: Option<PathBuf>,
    /// The policy to add to [default: the one that the run was begun with]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// One thing that was refused and can be granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refused {
    plugin: String,
    capability: Capability,
    resource: String,
}

/// As results have it; whatever else is there does not matter.
#[derive(Deserialize)]
struct ResultsFile {
    refusals: Vec<ResultsRefusal>,
}

#[derive(Deserialize)]
struct ResultsRefusal {
    plugin: String,
    capability: Capability,
    resource: String,
    allow_with: Option<String>,
}

pub(super) fn suggest(args: &SuggestArgs, output: Output) -> Result<Exit, Problem> {
    let (refused, policy) = match (&args.results, &args.run) {
        (Some(results), _) => (of_results(results)?, None),
        (None, Some(run)) => of_run(args, run)?,
        (None, None) => return Err(Problem::failed("neither a run nor results")),
    };
    let policy = args.policy.clone().or(policy);
    let present = match &policy {
        Some(path) => present(path)?,
        None => Table::new(),
    };
    let (text, left) = merged(&refused, &present);
    if output.json {
        let refused = refused.iter().map(|it| {
            json!({ "plugin": it.plugin, "capability": it.capability, "resource": it.resource })
        });
        let told = json!({
            "refused": refused.collect::<Vec<_>>(),
            "toml": text,
            "instead_of": policy,
        });
        screen::json(&told.to_string());
        return Ok(Exit::Done);
    }
    if refused.is_empty() {
        screen::note("nothing was refused that a policy could allow");
        return Ok(Exit::Done);
    }
    for it in &left {
        let resource = text::line(&it.resource, 160);
        screen::note(&format!("`{resource}` is no name that a policy can grant"));
    }
    let changed = refused.iter().any(|it| present.contains_key(&it.plugin));
    if let Some(path) = policy.filter(|_| changed) {
        let path = path.display();
        screen::note(&format!(
            "instead of the parts of `{path}` with these names:"
        ));
    }
    screen::note("read it first: that a plugin asks is no reason to grant");
    screen::result(text.trim_end());
    Ok(Exit::Done)
}

fn of_run(args: &SuggestArgs, run: &str) -> Result<(BTreeSet<Refused>, Option<PathBuf>), Problem> {
    let state = State::at(args.state.as_deref());
    let reader = state.read()?;
    let kept = Kept::read(&state, &reader, find(&state, &reader, run)?)?;
    let report = kept.report();
    let refusals = report.records.refusals.iter().map(|(refusal, _)| refusal);
    let refusals = refusals.filter(|refusal| refusal.allow_with.is_some());
    let refused = refusals.map(|refusal| Refused {
        plugin: refusal.plugin.clone(),
        capability: refusal.capability,
        resource: refusal.resource.clone(),
    });
    let files = &kept.definition.files;
    let beside = || {
        let folder = match files.workflow.is_dir() {
            true => Some(files.workflow.as_path()),
            false => files.workflow.parent(),
        };
        folder.map(|folder| folder.join("policy.toml"))
    };
    let policy = files.policy.clone().or_else(beside);
    Ok((refused.collect(), policy.filter(|path| path.exists())))
}

fn of_results(path: &Path) -> Result<BTreeSet<Refused>, Problem> {
    let shown = path.display();
    let wrong = |why: String| {
        let help = "name a file that `hotcell run --out` has written";
        let report = miette::miette!(help = help, "cannot read `{shown}`: {why}");
        Problem::new(Exit::Files, report)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let read = file.take(MAX_RESULTS + 1).read_to_end(&mut bytes);
    read.map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > MAX_RESULTS {
        return Err(wrong("it has more than 256 MiB".to_owned()));
    }
    let results: ResultsFile =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let refusals = results.refusals.into_iter();
    // What is pasted is made anew from the names, never from the file's own words.
    let refusals = refusals.filter(|it| it.allow_with.is_some() && is_name(&it.plugin));
    let refused = refusals.map(|it| Refused {
        resource: text::line(&it.resource, 256),
        plugin: it.plugin,
        capability: it.capability,
    });
    Ok(refused.collect())
}

/// The parts of a policy by plugin, as they are written. It is a good policy.
fn present(path: &Path) -> Result<Table, Problem> {
    let file = PolicyFile::alone(path).map_err(|problems| Problem::new(Exit::Files, problems))?;
    let root: Table = toml::from_str(&file.text).map_err(Problem::failed)?;
    Ok(match root.get("plugin") {
        Some(Value::Table(plugins)) => plugins.clone(),
        _ => Table::new(),
    })
}

/// The parts of the plugins that were refused something, with what they were
/// refused; and what no policy can name.
fn merged<'a>(refused: &'a BTreeSet<Refused>, present: &Table) -> (String, Vec<&'a Refused>) {
    let (mut out, mut left) = (String::new(), Vec::new());
    let plugins: BTreeSet<&str> = refused.iter().map(|it| it.plugin.as_str()).collect();
    for plugin in plugins {
        let mut part = match present.get(plugin) {
            Some(Value::Table(part)) => part.clone(),
            _ => Table::new(),
        };
        for it in refused.iter().filter(|it| it.plugin == plugin) {
            match grant(it) {
                Some(grant) => add(&mut part, grant),
                None => left.push(it),
            }
        }
        let _ = writeln!(out, "[plugin.{plugin}]");
        for (key, value) in &part {
            let _ = writeln!(out, "{key} = {value}");
        }
        out.push('\n');
    }
    (out, left)
}

/// The grant that would have allowed it, unless it is nothing that can be named.
fn grant(refused: &Refused) -> Option<Table> {
    let line = line_that_allows(Access {
        plugin: &refused.plugin,
        capability: refused.capability,
        resource: &refused.resource,
    });
    // A guest chose the words: what reads otherwise than it is written is none.
    let (_, grant) = line.split_once("] ")?;
    let table: Table = toml::from_str(grant).ok()?;
    (table.len() == 1 && !refused.resource.contains('*')).then_some(table)
}

/// Adds what is not there. Lists are joined, and in lists of tables those that
/// are about the same thing.
fn add(to: &mut Table, from: Table) {
    for (key, value) in from {
        match (to.get_mut(&key), value) {
            (Some(Value::Array(have)), Value::Array(more)) => {
                for item in more {
                    join(have, item);
                }
            }
            (Some(_), _) => {}
            (None, value) => {
                to.insert(key, value);
            }
        }
    }
}

/// What a table in a list is about.
const ABOUT: [&str; 3] = ["origin", "at", "namespace"];

fn join(have: &mut Vec<Value>, item: Value) {
    if have.contains(&item) {
        return;
    }
    let about = |value: &Value| ABOUT.iter().find_map(|key| value.get(key).cloned());
    let same = about(&item).and_then(|what| {
        have.iter_mut()
            .find(|other| about(other).as_ref() == Some(&what))
    });
    match (same, item) {
        (Some(Value::Table(same)), Value::Table(mut item)) => {
            // Both mean `GET` and `HEAD` where they name no methods.
            for table in [&mut *same, &mut item] {
                if table.contains_key("origin") && !table.contains_key("methods") {
                    let usual = ["GET", "HEAD"].map(|it| Value::String(it.to_owned()));
                    table.insert("methods".to_owned(), Value::Array(usual.into()));
                }
            }
            add(same, item);
        }
        (_, item) => have.push(item),
    }
}
