//! What a run is made of, in the form that its journal keeps: the checked plan,
//! each plugin by its digest with its configuration and limits, and where the
//! files were that say which models and grants there are today.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hotcell_runtime::broker::Policy;
use hotcell_runtime::broker::policy::TENANT;
use hotcell_runtime::manifest::Limits;
use hotcell_workflow::engine::history::History;
use hotcell_workflow::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::command::{Exit, Problem, WorkflowArgs};
use crate::manifest::Checked;
use crate::manifest::reader::Named;
use crate::manifest::workflow::Plugin;
use crate::state::State;
use crate::wire;

/// The form. A greater number is not read.
const FORMAT: u32 = 1;

/// What a run is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    format: u32,
    pub(crate) plan: Plan,
    /// By name.
    pub(crate) plugins: BTreeMap<String, Pinned>,
    /// Which of them offer tools.
    pub(crate) tools: Vec<String>,
    pub(crate) files: FilesUsed,
    #[serde(default)]
    pub(crate) under: Under,
}

/// On whose behalf a run is, and under which policy it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Under {
    /// The tenant; empty for the usual one.
    pub(crate) tenant: String,
    /// Digest of the policy file; empty without one.
    pub(crate) policy: String,
}

impl Under {
    pub(crate) fn of(policy: &Policy) -> Under {
        Under {
            tenant: policy.tenant().to_owned(),
            policy: policy.digest.clone(),
        }
    }

    pub(crate) fn tenant(&self) -> &str {
        match self.tenant.as_str() {
            "" => TENANT,
            tenant => tenant,
        }
    }

    /// Refuses to go on with a run under a policy of somebody else's.
    pub(crate) fn expect(&self, policy: &Policy) -> Result<(), Problem> {
        if self.tenant() == policy.tenant() {
            return Ok(());
        }
        let help = "go on with it under a policy of the tenant that it was begun for";
        let report = miette::miette!(
            help = help,
            "the run is of the tenant `{}`, the policy of `{}`",
            self.tenant(),
            policy.tenant()
        );
        Err(Problem::new(Exit::Files, report))
    }
}

/// A plugin as it was when the run began.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pinned {
    /// SHA-256 of the component, in hex.
    pub(crate) digest: String,
    /// Its configuration (JSON text).
    pub(crate) config: String,
    pub(crate) limits: Limits,
}

/// Where models and grants are looked up when a run goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilesUsed {
    pub(crate) workflow: PathBuf,
    pub(crate) host: Option<PathBuf>,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) model: Option<String>,
    pub(crate) price: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<PathBuf>,
}

impl Definition {
    pub(crate) fn new(
        plan: Plan,
        plugins: BTreeMap<String, Pinned>,
        tools: Vec<String>,
        files: FilesUsed,
        under: Under,
    ) -> Definition {
        Definition {
            format: FORMAT,
            plan,
            plugins,
            tools,
            files,
            under,
        }
    }

    /// The definition of a run.
    pub(crate) fn of(history: &History) -> Result<Definition, Problem> {
        Definition::parse(&history.begun.definition)
    }

    pub(crate) fn parse(text: &str) -> Result<Definition, Problem> {
        let refuse = |why: String| Problem::failed(format!("what the run is made of: {why}"));
        let definition: Definition =
            serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        match definition.format {
            FORMAT => Ok(definition),
            other => Err(refuse(format!(
                "written as format {other}; this Hotcell reads {FORMAT}"
            ))),
        }
    }

    pub(crate) fn text(&self) -> Result<String, Problem> {
        serde_json::to_string(self).map_err(Problem::failed)
    }
}

impl FilesUsed {
    /// What was named on the command line, found again from any folder.
    pub(crate) fn of(args: &WorkflowArgs) -> FilesUsed {
        let whole = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        FilesUsed {
            workflow: whole(&args.workflow),
            host: args.host.as_ref().map(whole),
            policy: args.policy.as_ref().map(whole),
            model: args.model.clone(),
            price: args.price.clone(),
            record: args.record.as_ref().map(whole),
            replay: args.replay.as_ref().map(whole),
        }
    }

    pub(crate) fn args(&self) -> WorkflowArgs {
        WorkflowArgs {
            workflow: self.workflow.clone(),
            host: self.host.clone(),
            policy: self.policy.clone(),
            model: self.model.clone(),
            price: self.price.clone(),
            record: self.record.clone(),
            replay: self.replay.clone(),
        }
    }
}

impl Definition {
    /// Puts another component in the place of a plugin's: `NAME=FILE`.
    pub(crate) fn replace(&mut self, change: &str, state: &State) -> Result<(), Problem> {
        let wrong = |why: String, help: String| {
            let report = miette::miette!(help = help, "`--plugin {change}`: {why}");
            Problem::new(Exit::CommandLine, report)
        };
        let Some((name, file)) = change.split_once('=') else {
            let help = "write `--plugin NAME=FILE.wasm`".to_owned();
            return Err(wrong("there is no `=` in it".to_owned(), help));
        };
        let known: Vec<&str> = self.plugins.keys().map(String::as_str).collect();
        let help = format!("its plugins are {}", known.join(", "));
        let Some(pinned) = self.plugins.get_mut(name) else {
            return Err(wrong(format!("the run has no plugin `{name}`"), help));
        };
        let bytes = wire::read_component(Path::new(file))?;
        pinned.digest = state.keep(&bytes)?.hex();
        Ok(())
    }

    /// The files of today with the plugins of then.
    pub(crate) fn pin(&self, mut checked: Checked, state: &State) -> Result<Checked, Problem> {
        let spot = checked
            .workflow
            .plugins
            .values()
            .next()
            .map(|plugin| plugin.named.spot.clone());
        let Some(spot) = spot else {
            return Err(Problem::failed("the workflow names no plugin any more"));
        };
        let named = |name: &String| Named {
            name: name.clone(),
            spot: spot.clone(),
        };
        let mut plugins = BTreeMap::new();
        for (name, pinned) in &self.plugins {
            let config = serde_json::from_str(&pinned.config).map_err(Problem::failed)?;
            let plugin = Plugin {
                named: named(name),
                source: state.component(&pinned.digest),
                config,
                limits: pinned.limits,
            };
            plugins.insert(name.clone(), plugin);
        }
        checked.workflow.plugins = plugins;
        checked.workflow.tools = self.tools.iter().map(named).collect();
        Ok(checked)
    }
}
