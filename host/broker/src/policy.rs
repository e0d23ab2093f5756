//! What a plugin may do. Pure: data in, decision out.
//!
//! Everything is refused unless the operator's policy file grants it. A grant
//! is looked up at every call, never cached in a guest's cell, so that taking it
//! back takes effect at the next call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hotcell_store::guard::Guard;
use serde::{Deserialize, Serialize};

use crate::egress::origin::{HttpGrant, Origin, default_methods};
use crate::files::FileGrant;
use crate::memory::{MemoryAccess, MemoryGrant, access_and_namespace};

/// Why the host will not do what was asked; the guest sees these cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// No policy grants the named resource.
    NotGranted(String),
    /// The grant's time is over.
    Expired,
    /// The grant was taken back.
    Revoked,
    /// This host does not offer the capability.
    Unavailable,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::NotGranted(what) => write!(f, "`{what}` is not granted"),
            Denial::Expired => f.write_str("the grant has expired"),
            Denial::Revoked => f.write_str("the grant was revoked"),
            Denial::Unavailable => f.write_str("this host does not offer it"),
        }
    }
}

/// A capability that can be granted, as it is spelled in `policy.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Model calls; the resource is an alias.
    Llm,
    /// Tool calls; the resource is a tool's name.
    Tools,
    /// HTTP requests; the resource is an origin, with the method before it
    /// unless that is `GET`.
    Http,
    /// Files and folders; the resource is where the guest sees a folder.
    Files,
    /// Stored values; the resource is a namespace, with `write` before it for more
    /// than reading.
    Memory,
    /// Asking other agents; the resource is an agent. Not offered yet.
    Delegate,
    /// Asking a human; the resource is an action such as `pay invoice`.
    Approval,
    /// Secrets; the resource is a secret's name, behind `reveal ` when the value is
    /// asked for and not the handle.
    Secrets,
}

impl Capability {
    /// All of them, in the order tables show them.
    pub const ALL: [Capability; 8] = [
        Capability::Llm,
        Capability::Tools,
        Capability::Http,
        Capability::Files,
        Capability::Memory,
        Capability::Delegate,
        Capability::Approval,
        Capability::Secrets,
    ];

    /// The word used in WIT, TOML and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Llm => "llm",
            Capability::Tools => "tools",
            Capability::Http => "http",
            Capability::Files => "files",
            Capability::Memory => "memory",
            Capability::Delegate => "delegate",
            Capability::Approval => "approval",
            Capability::Secrets => "secrets",
        }
    }

    /// Whether this host has a provider for it. What it has not, it refuses
    /// with [`Denial::Unavailable`] whatever the policy says.
    pub fn offered(self) -> bool {
        matches!(
            self,
            Capability::Llm
                | Capability::Tools
                | Capability::Http
                | Capability::Files
                | Capability::Memory
                | Capability::Approval
                | Capability::Secrets
        )
    }
}

/// What one plugin may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Model aliases.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub llm: BTreeSet<String>,
    /// Tool names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<String>,
    /// Where HTTP requests may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// Folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
    /// Namespaces of stored values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryGrant>,
    /// Other agents.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub delegate: BTreeSet<String>,
    /// What the plugin may ask a human to allow.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approval: BTreeSet<String>,
    /// Secrets, as handles.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Secrets whose values it may be told.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets_reveal: BTreeSet<String>,
}

impl Grants {
    /// Whether a resource of a capability is granted.
    pub fn has(&self, capability: Capability, resource: &str) -> bool {
        match capability {
            Capability::Llm => self.llm.contains(resource),
            Capability::Tools => self.tools.contains(resource),
            Capability::Http => {
                let (method, origin) = method_and_origin(resource);
                Origin::parse(origin).is_ok_and(|origin| self.http(method, &origin).is_some())
            }
            Capability::Files => self.files.iter().any(|folder| folder.at == resource),
            Capability::Memory => {
                let (access, namespace) = access_and_namespace(resource);
                self.memory(access, namespace).is_some()
            }
            Capability::Delegate => self.delegate.contains(resource),
            Capability::Approval => self.approval.contains(resource),
            Capability::Secrets => match resource.strip_prefix(REVEAL) {
                Some(name) => self.secrets_reveal.contains(name),
                None => self.secrets.contains(resource),
            },
        }
    }

    /// The grant under which a namespace may be used so.
    pub(crate) fn memory(&self, access: MemoryAccess, namespace: &str) -> Option<&MemoryGrant> {
        let of_name = |it: &&MemoryGrant| it.namespace == namespace && it.allows(access);
        self.memory.iter().find(of_name)
    }

    /// The grant under which a request may be sent.
    fn http(&self, method: &str, origin: &Origin) -> Option<&HttpGrant> {
        self.http.iter().find(|grant| {
            (grant.origin == *origin && grant.methods.contains(method)) || !Guard::EgressAllow.on()
        })
    }
}

/// What stands before a secret's name when its value is asked for. No name has a
/// space.
const REVEAL: &str = "reveal ";

/// The resource that is the value of a secret.
pub fn reveal(name: &str) -> String {
    format!("{REVEAL}{name}")
}

/// `POST https://example.com` taken apart; `GET` when there is no method.
fn method_and_origin(resource: &str) -> (&str, &str) {
    resource.split_once(' ').unwrap_or(("GET", resource))
}

/// The operator's policy: grants by plugin name. A plugin that is not listed
/// has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// On whose behalf runs under it are; [`Policy::tenant`] has the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// SHA-256 of the file it was read from, `sha256:` and hex. Empty without a
    /// file.
    #[serde(skip)]
    pub digest: String,
    /// Grants by plugin name.
    #[serde(default)]
    pub plugin: BTreeMap<String, Grants>,
}

/// The tenant of a policy that names none.
pub const TENANT: &str = "local";

impl Policy {
    /// On whose behalf runs under this policy are.
    pub fn tenant(&self) -> &str {
        self.tenant.as_deref().unwrap_or(TENANT)
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// Who asks.
    pub plugin: &'a str,
    /// For which capability.
    pub capability: Capability,
    /// And which resource of it.
    pub resource: &'a str,
}

/// Whether policy allows an access. Deny by default.
pub fn decide(policy: &Policy, access: Access<'_>) -> Result<(), Denial> {
    if !access.capability.offered() {
        return Err(Denial::Unavailable);
    }
    let granted = policy
        .plugin
        .get(access.plugin)
        .is_some_and(|grants| grants.has(access.capability, access.resource));
    match granted {
        true => Ok(()),
        false => Err(not_granted(access)),
    }
}

fn not_granted(access: Access<'_>) -> Denial {
    Denial::NotGranted(format!("{} {}", access.capability.name(), access.resource))
}

/// The grant under which a plugin may send a request. Deny by default.
pub fn decide_http<'p>(
    policy: &'p Policy,
    plugin: &str,
    method: &str,
    origin: &Origin,
) -> Result<&'p HttpGrant, Denial> {
    let grants = policy.plugin.get(plugin);
    let grant = grants.and_then(|grants| grants.http(method, origin));
    grant.ok_or_else(|| {
        not_granted(Access {
            plugin,
            capability: Capability::Http,
            resource: &format!("{method} {origin}"),
        })
    })
}

/// The lines of `policy.toml` that would allow an access, for the operator.
pub fn line_that_allows(access: Access<'_>) -> String {
    let (plugin, capability) = (access.plugin, access.capability.name());
    match access.capability {
        Capability::Files => format!(
            "[plugin.{plugin}] {capability} = [{{ path = \"FOLDER\", at = {:?} }}]",
            access.resource
        ),
        Capability::Http => {
            let (method, origin) = method_and_origin(access.resource);
            let methods = match default_methods().contains(method) {
                true => String::new(),
                false => format!(", methods = [{method:?}]"),
            };
            format!("[plugin.{plugin}] {capability} = [{{ origin = {origin:?}{methods} }}]")
        }
        Capability::Memory => {
            let (wanted, namespace) = access_and_namespace(access.resource);
            let access = match wanted {
                MemoryAccess::Read => "",
                MemoryAccess::Write => ", access = \"write\"",
            };
            format!("[plugin.{plugin}] {capability} = [{{ namespace = {namespace:?}{access} }}]")
        }
        Capability::Secrets if access.resource.starts_with(REVEAL) => {
            let name = access.resource.strip_prefix(REVEAL).unwrap_or_default();
            format!("[plugin.{plugin}] secrets_reveal = [{name:?}]")
        }
        _ => format!("[plugin.{plugin}] {capability} = [{:?}]", access.resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &[(&str, Capability, &str)]) -> Policy {
        let mut policy = Policy::default();
        for (plugin, capability, resource) in text {
            let grants = policy.plugin.entry((*plugin).into()).or_default();
            match capability {
                Capability::Llm => grants.llm.insert((*resource).into()),
                Capability::Tools => grants.tools.insert((*resource).into()),
                Capability::Http => {
                    grants.http.push(HttpGrant {
                        origin: Origin::parse(resource).unwrap(),
                        methods: default_methods(),
                        addresses: Vec::new(),
                    });
                    true
                }
                other => panic!("no grants for {other:?}"),
            };
        }
        policy
    }

    #[test]
    fn nothing_is_allowed_that_is_not_listed() {
        use Capability::*;
        let policy = policy(&[
            ("a", Llm, "default"),
            ("b", Tools, "x.find"),
            ("b", Http, "https://x.test"),
        ]);
        let table = [
            ("a", Llm, "default", true),
            ("a", Llm, "other", false),
            ("a", Llm, "", false),
            ("a", Tools, "x.find", false),
            ("a", Tools, "default", false),
            ("b", Tools, "x.find", true),
            ("b", Tools, "x", false),
            ("b", Llm, "default", false),
            ("c", Llm, "default", false),
            ("b", Http, "https://x.test", true),
            ("b", Http, "GET https://x.test", true),
            ("b", Http, "HEAD https://x.test", true),
            ("b", Http, "POST https://x.test", false),
            ("b", Http, "get https://x.test", false),
            ("b", Http, "http://x.test", false),
            ("b", Http, "https://x.test:8443", false),
            ("b", Http, "https://y.x.test", false),
            ("b", Http, "https://x.test/", false),
            ("b", Http, "", false),
            ("a", Http, "https://x.test", false),
        ];
        for (plugin, capability, resource, allowed) in table {
            let access = Access {
                plugin,
                capability,
                resource,
            };
            assert_eq!(decide(&policy, access).is_ok(), allowed, "{access:?}");
        }
    }

    #[test]
    fn what_is_not_offered_is_unavailable_whatever_the_policy_says() {
        for capability in Capability::ALL.into_iter().filter(|c| !c.offered()) {
            let access = Access {
                plugin: "a",
                capability,
                resource: "x",
            };
            assert_eq!(decide(&Policy::default(), access), Err(Denial::Unavailable));
        }
    }

    #[test]
    fn a_refusal_tells_the_operator_the_line_that_would_allow_it() {
        let access = Access {
            plugin: "a",
            capability: Capability::Llm,
            resource: "m",
        };
        assert_eq!(line_that_allows(access), "[plugin.a] llm = [\"m\"]");
        let line = |resource| {
            line_that_allows(Access {
                plugin: "a",
                capability: Capability::Http,
                resource,
            })
        };
        assert_eq!(
            line("GET https://x.test"),
            "[plugin.a] http = [{ origin = \"https://x.test\" }]"
        );
        assert_eq!(
            line("POST https://x.test"),
            "[plugin.a] http = [{ origin = \"https://x.test\", methods = [\"POST\"] }]"
        );
    }
}
