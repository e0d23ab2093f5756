//! The servers of tools in a host file, connected.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotcell_broker::egress::Egress;
use hotcell_broker::tool::ToolProvider;
use hotcell_broker::tool::credential::Credential;
use hotcell_broker::tool::http::{HttpTools, Server};
use hotcell_broker::tool::mcp::{McpConfig, McpError, McpTools, Reach};
use hotcell_store::Digest;

use super::model::key;
use crate::command::{Exit, Problem};
use crate::manifest::Checked;
use crate::manifest::tools::mcp::{self, Mcp};
use crate::manifest::tools::{Credentials, Site, ToolServer};
use crate::screen;

/// What to do about tools that cannot be offered side by side.
pub(super) const UNUSABLE: &str =
    "leave one of them out of `tools`, or give it another name or schema";

/// The servers that some plugin of the workflow may call. Others are not even
/// connected.
fn granted(checked: &Checked) -> BTreeSet<&str> {
    let grants = checked.policy.policy.plugin.iter();
    let of_workflow = grants.filter(|(name, _)| checked.workflow.plugins.contains_key(*name));
    of_workflow
        .flat_map(|(_, grants)| &grants.tools)
        .filter_map(|tool| tool.split_once('.'))
        .map(|(server, _)| server)
        .collect()
}

/// What the servers of the host file offer to the workflow.
pub(super) async fn connect(
    checked: &Checked,
    egress: &Arc<Egress>,
) -> Result<Vec<Arc<dyn ToolProvider>>, Problem> {
    let granted = granted(checked);
    let mut providers = Vec::new();
    for (name, server) in &checked.host.tools {
        if !granted.contains(name.as_str()) {
            continue;
        }
        if let ToolServer::Mcp(Mcp { digest: None, .. }) = server {
            screen::note(&format!(
                "what `{name}` says of its tools is not pinned; `hotcell tools pin` prints the line"
            ));
        }
        providers.push(start(name, server, egress).await?.provider);
    }
    Ok(providers)
}

/// A server that was started, or is known without.
pub(crate) struct Started {
    pub(crate) provider: Arc<dyn ToolProvider>,
    /// The digest of what it says of its tools, where that is somebody else's word.
    pub(crate) digest: Option<Digest>,
}

/// Starts or reaches a server, if it has to be.
pub(crate) async fn start(
    name: &str,
    server: &ToolServer,
    egress: &Arc<Egress>,
) -> Result<Started, Problem> {
    match server {
        ToolServer::Mcp(mcp) => {
            let config = McpConfig {
                name: name.to_owned(),
                reach: reach(name, mcp)?,
                timeout: mcp.timeout,
                most: mcp.most,
                effects: mcp.effects.clone(),
                digest: mcp.digest,
            };
            let tools = McpTools::start(config, egress).await.map_err(|error| {
                let help = match error {
                    McpError::Changed { .. } => CHANGED,
                    _ => "does it start by hand, and does it speak the protocol?",
                };
                let report = miette::miette!(
                    code = error.code(),
                    help = help,
                    "the tools `{name}` cannot be offered: {error}"
                );
                Problem::new(Exit::Files, report)
            })?;
            Ok(Started {
                digest: Some(tools.digest()),
                provider: Arc::new(tools),
            })
        }
        ToolServer::Http {
            site, operations, ..
        } => {
            let server = at(name, site)?;
            let tools = HttpTools::new(server, operations.clone())
                .map_err(|e| unusable(name, &e.to_string(), "mend its description"))?;
            Ok(Started {
                digest: None,
                provider: Arc::new(tools),
            })
        }
    }
}

const CHANGED: &str = "look at what it says now (`hotcell tools list`); if it may, write the line \
                       that `hotcell tools pin` prints";

fn reach(name: &str, mcp: &Mcp) -> Result<Reach, Problem> {
    Ok(match &mcp.reach {
        mcp::Reach::Http { site, path } => Reach::Http {
            server: at(name, site)?,
            path: path.clone(),
        },
        mcp::Reach::Program {
            command,
            environment,
            folder,
        } => {
            let (program, arguments) = command.split_first().unzip();
            let program = program.map(String::as_str).unwrap_or_default();
            let folder = folder.canonicalize().map_err(Problem::failed)?;
            Reach::Program {
                program: found(program, &folder).ok_or_else(|| {
                    let why = format!("there is no program `{program}`");
                    unusable(name, &why, "see `command` in the host file")
                })?,
                arguments: arguments.unwrap_or_default().to_vec(),
                environment: variables(name, environment)?,
                folder,
            }
        }
    })
}

/// Variables of our environment that a program may see.
#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
fn variables(server: &str, names: &[String]) -> Result<Vec<(String, String)>, Problem> {
    let of = |name: &String| match std::env::var(name) {
        Ok(value) => Ok((name.clone(), value)),
        Err(_) => {
            let why = format!("the environment variable `{name}` is not set");
            Err(unusable(
                server,
                &why,
                "set it, or leave it out of `environment`",
            ))
        }
    };
    names.iter().map(of).collect()
}

/// The program: a path from the host file's folder, or a name looked up where the
/// shell would.
#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
fn found(program: &str, folder: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(folder.join(program));
    }
    let places = std::env::var_os("PATH")?;
    let mut paths = std::env::split_paths(&places).map(|place| place.join(program));
    paths.find(|path| path.is_file())
}

fn at(name: &str, site: &Site) -> Result<Server, Problem> {
    let credential = site.credentials.as_ref().map(|it| credential(name, it));
    Ok(Server {
        origin: site.origin.clone(),
        addresses: site.addresses.clone(),
        credential: credential.transpose()?,
        timeout: site.timeout,
        most: site.most,
    })
}

fn credential(name: &str, written: &Credentials) -> Result<Credential, Problem> {
    let help = "see `credentials` in the host file";
    let secret = key(name, &written.key).map_err(|why| unusable(name, &why, help))?;
    let credential = Credential::new(&written.header, &written.value, secret);
    credential.map_err(|e| unusable(name, &e.to_string(), help))
}

fn unusable(name: &str, why: &str, help: &'static str) -> Problem {
    let report = miette::miette!(help = help, "the tools `{name}` cannot be offered: {why}");
    Problem::new(Exit::Files, report)
}
