//! Secrets by name: where they are, who may use them, and where they may go.

use crate::control::Barred;
use crate::meter::Refusal;
use crate::recall::Question;
use crate::{Broker, Caller, text};

/// The longest text that a refusal repeats, in bytes.
const RESOURCE: usize = 256;

/// Why something is not sent, in words.
pub(crate) fn carries(name: &str) -> String {
    format!("it carries the secret `{name}`, which must not leave")
}

impl Broker {
    /// Refuses a question with a secret in it. That is recorded: the plugin was
    /// given the secret's value, and did not keep it.
    pub(crate) fn discreet(&self, caller: &Caller, question: Question<'_>) -> Result<(), Barred> {
        let Some(name) = question.carries() else {
            return Ok(());
        };
        caller.meter.refusal(Refusal {
            plugin: caller.plugin.clone(),
            capability: question.capability(),
            resource: text::line(question.resource(), RESOURCE),
            reason: carries(&name),
            allow_with: None,
        });
        Err(Barred::Secret(name))
    }
}
