//! Files people write, turned into checked types, once: `workflow.yaml`,
//! `host.toml`, `policy.toml` and the records.
//!
//! Unknown keys are errors, every problem is shown at its place, and one look
//! finds as many problems as it can. Nothing here loads a plugin, calls a model or
//! reads the environment.

pub(crate) mod endpoint;
pub(crate) mod host;
mod money;
pub(crate) mod policy;
pub(crate) mod problem;
pub(crate) mod reader;
pub(crate) mod records;
mod source;
pub(crate) mod tools;
mod tree;
pub(crate) mod workflow;

use std::path::{Path, PathBuf};

use host::Host;
use hotcell_broker::Capability;
use policy::PolicyFile;
use problem::{Problem, Problems, Source, Spot, one_of};
use reader::Reader;
use tree::Node;
use workflow::Workflow;

#[cfg(test)]
mod tests;

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The workflow, or the folder that holds a `workflow.yaml`.
    pub(crate) workflow: PathBuf,
    /// The host file; `host.toml` beside the workflow when none is given.
    pub(crate) host: Option<PathBuf>,
    /// The policy; `policy.toml` beside the workflow when none is given.
    pub(crate) policy: Option<PathBuf>,
    /// Whether the workflow's own records have to be there. Not if it works on
    /// others.
    pub(crate) own_records: bool,
}

/// What the files say, checked against one another.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// The workflow.
    pub(crate) workflow: Workflow,
    /// The models; none without a host file.
    pub(crate) host: Host,
    /// The grants; none without a policy.
    pub(crate) policy: PolicyFile,
    /// Where these files are.
    pub(crate) files: Vec<PathBuf>,
    /// What is probably not meant, and stops nothing.
    pub(crate) warnings: Vec<Problem>,
}

/// Reads and checks the files.
pub(crate) fn check(files: &Files) -> Result<Checked, Problems> {
    let path = match files.workflow.is_dir() {
        true => files.workflow.join("workflow.yaml"),
        false => files.workflow.clone(),
    };
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut problems = Problems::default();
    let mut warnings = Vec::new();
    let workflow = load(&path, tree::yaml, files, workflow::read, &mut problems);
    let workflow = workflow.flatten();

    let mut beside = |given: &Option<PathBuf>, name: &str, without: &str| match given {
        Some(path) => Some(path.clone()),
        None => {
            let path = folder.join(name);
            let there = path.exists();
            if !there {
                let message = format!("there is no `{name}` beside the workflow: {without}");
                warnings.push(Problem::new(message).warning());
            }
            there.then_some(path)
        }
    };
    let host = beside(&files.host, "host.toml", "no models are offered");
    let policy = beside(&files.policy, "policy.toml", "nothing is granted");
    let all = [Some(path), host.clone(), policy.clone()];
    let host = match host {
        Some(path) => load(&path, tree::toml, files, host::read, &mut problems),
        None => Some(Host::default()),
    };
    let host = host.map(|mut host| {
        tools::complete(&mut host, &mut problems);
        host
    });
    let policy = match policy {
        Some(path) => policy::load(&path, &mut problems),
        None => Some(PolicyFile::default()),
    };
    match (workflow, host, policy) {
        (Some(workflow), Some(host), Some(policy)) if problems.is_empty() => {
            warn(&workflow, &host, &policy, &mut warnings);
            warnings.extend(policy::lethal::warnings(&policy));
            Ok(Checked {
                workflow,
                host,
                policy,
                files: all.into_iter().flatten().collect(),
                warnings,
            })
        }
        _ => Err(problems),
    }
}

/// Reads one file. Whatever is wrong with it joins the problems.
fn load<T>(
    path: &Path,
    parse: impl Fn(&Source) -> Result<Node, Problem>,
    files: &Files,
    read: impl Fn(&mut Reader, &Node) -> T,
    problems: &mut Problems,
) -> Option<T> {
    let source = match source::read(path, source::Links::Followed) {
        Ok(source) => source,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let base = path.parent().unwrap_or(Path::new(""));
    take(source, base, parse, files.own_records, read, problems)
}

/// Reads what has been read from one file.
fn take<T>(
    source: Source,
    base: &Path,
    parse: impl Fn(&Source) -> Result<Node, Problem>,
    own_records: bool,
    read: impl Fn(&mut Reader, &Node) -> T,
    problems: &mut Problems,
) -> Option<T> {
    let root = match parse(&source) {
        Ok(root) => root,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let mut reader = Reader::new(source, base, own_records);
    let read = read(&mut reader, &root);
    problems.extend_sorted(reader.problems());
    Some(read)
}

/// What the files say about one another that is probably a slip.
fn warn(workflow: &Workflow, host: &Host, policy: &PolicyFile, warnings: &mut Vec<Problem>) {
    let mut slip = |spot: &Spot, message: String, label: &str, help: String| {
        warnings.push(Problem::new(message).at(spot, label).help(help).warning());
    };
    let used = |name: &str| workflow.roles.iter().any(|role| role.named.name == name);
    for plugin in workflow
        .plugins
        .values()
        .filter(|plugin| !used(&plugin.named.name))
    {
        let message = format!("the plugin `{}` is never used", plugin.named.name);
        let help = "name it in a step or under `tools`, or leave it out";
        slip(
            &plugin.named.spot,
            message,
            "declared here",
            help.to_owned(),
        );
    }
    let plugins: Vec<&str> = workflow.plugins.keys().map(String::as_str).collect();
    for named in &policy.plugins {
        if !plugins.contains(&named.name.as_str()) {
            let help = one_of(&named.name, "the plugins of the workflow", &plugins);
            let message = format!("the workflow has no plugin `{}`", named.name);
            slip(&named.spot, message, "granted to nobody", help);
        }
    }
    let secrets: Vec<&str> = host.secrets.keys().map(String::as_str).collect();
    let used = policy
        .lines
        .iter()
        .filter(|line| line.capability == Capability::Secrets);
    for line in used {
        let name = line.resource.split(' ').next_back().unwrap_or_default();
        if !secrets.contains(&name) {
            let help = one_of(name, "the secrets", &secrets);
            let message = format!("the host has no secret `{name}`");
            let label = format!("grants `{}` nothing", line.plugin);
            slip(&line.spot, message, &label, help);
        }
    }
    let aliases: Vec<&str> = host.models.keys().map(String::as_str).collect();
    for named in &policy.models {
        if !aliases.contains(&named.name.as_str()) {
            let help = one_of(&named.name, "the models", &aliases);
            let message = format!("the host has no model `{}`", named.name);
            slip(&named.spot, message, "bounds nothing", help);
        }
    }
    let called = policy
        .lines
        .iter()
        .filter(|line| line.capability == Capability::Llm);
    for line in called {
        if !aliases.contains(&line.resource.as_str()) {
            let help = one_of(&line.resource, "the models", &aliases);
            let message = format!("the host has no model `{}`", line.resource);
            let label = format!("grants `{}` nothing", line.plugin);
            slip(&line.spot, message, &label, help);
        }
    }
}
