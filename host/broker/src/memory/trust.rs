//! At which level of trust a plugin writes. Pure: the policy in, a level out.
//!
//! A value that is kept outlives the run, and with it the moment at which anybody
//! could tell where its words came from. So the level is not what a plugin says of
//! its words but what its grants make possible.

use serde::{Deserialize, Serialize};

use super::grant::MemoryAccess;
use crate::Policy;

/// Whether the writer of a value could have heard it from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The writer had its task, models and values of its own, and nothing else.
    /// About the task itself this says nothing: whoever starts a run vouches for
    /// the record.
    Inside,
    /// The writer may pass on what strangers said: it reaches servers, tools,
    /// folders or other agents, or reads values that another plugin may write.
    Untrusted,
}

impl Trust {
    /// A stable word for tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Trust::Inside => "inside",
            Trust::Untrusted => "untrusted",
        }
    }
}

/// The level at which a plugin writes under this policy.
pub fn trust(policy: &Policy, plugin: &str) -> Trust {
    let Some(grants) = policy.plugin.get(plugin) else {
        return Trust::Inside;
    };
    let hears = !grants.http.is_empty()
        || !grants.tools.is_empty()
        || !grants.files.is_empty()
        || !grants.delegate.is_empty();
    let others_write = |namespace: &str| {
        let others = policy.plugin.iter().filter(|(name, _)| *name != plugin);
        let mut lent = others.flat_map(|(_, grants)| &grants.memory);
        lent.any(|it| it.namespace == namespace && it.access == MemoryAccess::Write)
    };
    let shares = grants.memory.iter().any(|it| others_write(&it.namespace));
    match hears || shares {
        true => Trust::Untrusted,
        false => Trust::Inside,
    }
}
