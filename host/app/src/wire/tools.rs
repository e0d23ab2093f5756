//! The servers of tools in a host file, connected.

use std::collections::BTreeSet;
use std::sync::Arc;

use hotcell_broker::tool::ToolProvider;
use hotcell_broker::tool::credential::Credential;
use hotcell_broker::tool::http::{HttpTools, Server};

use super::model::key;
use crate::command::{Exit, Problem};
use crate::manifest::Checked;
use crate::manifest::tools::{Credentials, Site, ToolServer};

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
pub(super) fn connect(checked: &Checked) -> Result<Vec<Arc<dyn ToolProvider>>, Problem> {
    let granted = granted(checked);
    let servers = checked.host.tools.iter();
    let servers = servers.filter(|(name, _)| granted.contains(name.as_str()));
    servers.map(|(name, server)| one(name, server)).collect()
}

fn one(name: &str, server: &ToolServer) -> Result<Arc<dyn ToolProvider>, Problem> {
    match server {
        ToolServer::Http {
            site, operations, ..
        } => {
            let server = at(name, site)?;
            let tools = HttpTools::new(server, operations.clone())
                .map_err(|e| unusable(name, &e.to_string(), "mend its description"))?;
            Ok(Arc::new(tools))
        }
    }
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
