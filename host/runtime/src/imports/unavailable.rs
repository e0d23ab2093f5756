//! What the contract declares and this host does not do. Each use is a typed
//! refusal that is counted like any other; no guest has to guess, and none is
//! refused at load for importing it.

use hotcell_broker::{self as host, Capability};

use super::llm::{denial, denial_to_host};
use crate::bindings::capability::types::Denial;
use crate::cell::State;

impl State {
    /// Refuses something that this host has not, granted or not.
    pub(super) fn refuse(
        &self,
        what: &'static str,
        capability: Capability,
        resource: &str,
    ) -> wasmtime::Result<Denial> {
        if let Some(reason) = self.recall::<Denial>(what)? {
            // Who had the grant for a capability that is offered was not refused
            // by policy, and that is not counted.
            let why = denial_to_host(reason.clone());
            if why != host::Denial::Unavailable || !capability.offered() {
                self.broker
                    .refused(&self.caller, capability, resource, &why);
            }
            return Ok(reason);
        }
        let reason = match self.broker.allow(&self.caller, capability, resource) {
            Err(reason) => denial(reason),
            Ok(()) => Denial::Unavailable,
        };
        Ok(self.read(what, reason))
    }
}
