//! What holds wherever a step is written: the plugins there are, what steps have
//! unless they say otherwise, and who is named in which part.

use hotcell_runtime::manifest::{Kind as PluginKind, is_name};
use hotcell_workflow::breaker;
use hotcell_workflow::retry::Retry;

use crate::manifest::problem::{Problem, one_of};
use crate::manifest::reader::{Named, Reader};
use crate::manifest::tree::{Kind, Node};

/// A plugin that is named somewhere, and what it must be there.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// Its name and where that stands.
    pub(crate) named: Named,
    /// What kind of plugin the place takes.
    pub(crate) kind: PluginKind,
    /// The key of the place: `agent`, `gates`, …
    pub(crate) place: &'static str,
}

/// What a step has unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) retry: Retry,
    pub(super) breaker: breaker::Settings,
    pub(super) repairs: u32,
    pub(super) timeout_ms: Option<u64>,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            retry: Retry::default(),
            breaker: breaker::Settings::default(),
            // Without gates too: an answer off the agent's own schema is sent
            // back.
            repairs: 1,
            timeout_ms: None,
        }
    }
}

/// See the module.
pub(super) struct Scope<'n> {
    declared: Option<Vec<&'n str>>,
    pub(super) defaults: Defaults,
    /// How many workflows stand around this place, the outermost included.
    pub(super) depth: usize,
    /// Everybody who was named, in the order of the file.
    pub(super) roles: Vec<Role>,
}

impl<'n> Scope<'n> {
    /// With these plugins. While it is not clear what they are called, every
    /// reference would look wrong, and none is checked.
    pub(super) fn new(plugins: Option<&'n Node>) -> Scope<'n> {
        let declared = match plugins.map(|node| &node.kind) {
            Some(Kind::Table(entries)) if entries.iter().all(|(key, _)| is_name(&key.name)) => {
                Some(entries.iter().map(|(key, _)| key.name.as_str()).collect())
            }
            _ => None,
        };
        Scope {
            declared,
            defaults: Defaults::default(),
            depth: 1,
            roles: Vec::new(),
        }
    }

    /// The plugin that a node names.
    pub(super) fn plugin(
        &mut self,
        reader: &mut Reader,
        node: &Node,
        kind: PluginKind,
        place: &'static str,
    ) -> Option<Named> {
        let named = Named {
            name: reader.text(node, place)?,
            spot: reader.spot(&node.span),
        };
        self.take(reader, &named, kind, place);
        Some(named)
    }

    /// The plugins that a node lists.
    pub(super) fn plugins(
        &mut self,
        reader: &mut Reader,
        node: &Node,
        kind: PluginKind,
        place: &'static str,
    ) -> Vec<Named> {
        let all = reader.texts(node, place);
        for named in &all {
            self.take(reader, named, kind, place);
        }
        all
    }

    fn take(&mut self, reader: &mut Reader, named: &Named, kind: PluginKind, place: &'static str) {
        let role = Role {
            named: named.clone(),
            kind,
            place,
        };
        self.roles.push(role);
        let Some(names) = &self.declared else { return };
        if !names.contains(&named.name.as_str()) {
            let help = one_of(&named.name, "the plugins", names);
            let problem = Problem::new(format!("no plugin is called `{}`", named.name));
            reader.push(problem.at(&named.spot, "not under `plugins`").help(help));
        }
    }
}
