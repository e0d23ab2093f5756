//! Secrets that plugins may use, from where the host file says they are.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use hotcell_broker::egress::Egress;
use hotcell_broker::provider::secret::Secret;
use hotcell_broker::redact;
use hotcell_broker::secrets::vault::Vault;
use hotcell_broker::secrets::{Entry, SecretError, SecretSource, Secrets};

use crate::command::{Exit, Problem};
use crate::manifest::Checked;
use crate::manifest::host::secrets::Place;
use crate::manifest::host::{ApiKey, Model, Provider};
use file::InFile;

/// A value that does not change while this program runs.
struct Fixed(Secret);

#[async_trait]
impl SecretSource for Fixed {
    async fn read(&self, _: &Egress) -> Result<Secret, SecretError> {
        Ok(self.0.clone())
    }
}

/// The secrets that plugins of the workflow were granted; others are not even
/// looked for. All values are known when this returns, and a copy of this
/// program's memory cannot be had by the way of a crash any more.
pub(super) async fn connect(checked: &Checked, egress: &Egress) -> Result<Secrets, Problem> {
    let granted = granted(checked);
    let of_workflow = checked.host.secrets.iter();
    let mut entries = BTreeMap::new();
    for (name, secret) in of_workflow.filter(|(name, _)| granted.contains(*name)) {
        let source = source(name, &secret.at).map_err(|why| unusable(name, &why))?;
        let origins = secret.origins.clone();
        entries.insert(name.clone(), Entry { source, origins });
    }
    let keyed = checked.host.models.values().any(has_key);
    if keyed || !entries.is_empty() {
        keep_memory_private();
    }
    let secrets = Secrets::new(entries);
    let loaded = secrets.load(egress).await;
    loaded.map_err(|(name, error)| unusable(&name, &error.to_string()))?;
    Ok(secrets)
}

fn granted(checked: &Checked) -> BTreeSet<&String> {
    let of_workflow = |name: &String| checked.workflow.plugins.contains_key(name);
    let grants = checked.policy.policy.plugin.iter();
    grants
        .filter(|(name, _)| of_workflow(name))
        .flat_map(|(_, grants)| grants.secrets.iter().chain(&grants.secrets_reveal))
        .collect()
}

fn has_key(model: &Model) -> bool {
    matches!(&model.provider, Provider::Remote { api_key, .. } if api_key.is_some())
}

fn source(name: &str, place: &Place) -> Result<Arc<dyn SecretSource>, String> {
    Ok(match place {
        Place::Env(variable) => variable_or(variable)?,
        Place::File(path) => Arc::new(InFile::new(path)),
        Place::Vault {
            url,
            token,
            field,
            ttl,
        } => {
            let token = match token {
                ApiKey::Env(variable) => variable_or(variable)?,
                ApiKey::File(path) => Arc::new(InFile::new(path)),
            };
            let vault = Vault::new(name, url, token, field, *ttl);
            Arc::new(vault.map_err(|error| error.to_string())?)
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
fn variable_or(name: &str) -> Result<Arc<dyn SecretSource>, String> {
    let value = std::env::var(name);
    let value = value.map_err(|_| format!("the environment variable `{name}` is not set"))?;
    Ok(Arc::new(Fixed(Secret::new(value.trim()))))
}

fn unusable(name: &str, why: &str) -> Problem {
    let report = miette::miette!(
        help = "see `secrets` in the host file",
        "the secret `{name}` cannot be used: {why}"
    );
    Problem::new(Exit::Files, report)
}

/// A model's key is looked for like any other secret. What is too short for that is
/// what servers are given that want some key and check none.
pub(super) fn watch_key(alias: &str, key: &str) {
    let _too_short = redact::watch(&format!("{alias}-key"), key);
}

/// From here on there are no core dumps, and no other process of the same user may
/// look into this one's memory. A system that refuses is not asked twice: the
/// secrets are as safe as everything else of this user then.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{
            DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit,
        };

        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
