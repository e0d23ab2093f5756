//! What the journal knows of one attempt, read back and checked.

use std::collections::BTreeMap;

use serde_json::Value;
use store::journal::{Entry, Record};

use super::record::{
    Ask, BadRecord, Delta, INTENT, Intent, Opaque, Outcome, READ, REFUSED, RESOLVED, RESULT, Read,
    Refused, Resolution, Resolved, TOLD, Unrecorded, Version, body, key,
};
use super::slip::denial;
use crate::llm::Request;
use crate::meter::{Meter, Refusal};
use crate::tool::EffectKind;
use crate::{Access, Capability, Denial, store, text};

/// What the journal has of one attempt: its calls by number, and its reads.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Step and number; none before the first record.
    of: Option<(String, u32)>,
    pub(super) calls: BTreeMap<u32, Call>,
    pub(super) reads: Vec<(String, Value)>,
    pub(super) opaque: bool,
    /// Whether there were more reads than are recorded.
    pub(super) full: bool,
}

/// What is known of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// The last one, if it was made again.
    pub(super) intent: Option<Intent>,
    pub(super) end: Option<CallEnd>,
    /// Decided since the last intent.
    pub(super) resolved: Option<Resolution>,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) enum CallEnd {
    Made(Outcome),
    Refused(Refused),
}

impl Call {
    /// Its question in words.
    pub(super) fn told(&self) -> String {
        match (&self.intent, &self.end) {
            (Some(intent), _) => intent.ask.told(),
            (None, Some(CallEnd::Refused(refused))) => {
                // It was written through the gate, by whoever wrote it.
                text::line(&refused.told, TOLD)
            }
            (None, _) => String::new(),
        }
    }
}

impl Known {
    /// Adds a record, in the order of the journal. False if it is not of a kind
    /// that belongs here; an error if it does not fit what came before.
    pub fn add(&mut self, record: &Record) -> Result<bool, BadRecord> {
        let Some(key) = key(record)? else {
            return Ok(false);
        };
        let bad = |why: &str| BadRecord::new(record, why);
        if *self.of.get_or_insert_with(|| key.clone()) != key {
            return Err(bad("it belongs to another attempt"));
        }
        match record.kind.as_str() {
            INTENT => {
                let intent: Intent = body(record)?;
                self.fits(&intent).map_err(bad)?;
                let call = self.calls.entry(intent.call).or_default();
                if call.end.is_some() || call.intent.is_some() != intent.repeats {
                    return Err(bad("an intent of a call that has one already, or had none"));
                }
                // What was decided was about the intent before.
                call.resolved = None;
                call.intent = Some(intent);
            }
            RESULT => {
                let outcome: Outcome = body(record)?;
                let call = self.calls.get_mut(&outcome.call);
                let Some(call) = call.filter(|it| it.intent.is_some() && it.end.is_none()) else {
                    return Err(bad("a result that no intent waits for"));
                };
                let asked = call.intent.as_ref().map(|intent| intent.ask.capability());
                if asked != Some(outcome.answer.capability()) {
                    return Err(bad("the answer is of another capability than the question"));
                }
                if outcome.outcome != outcome.answer.outcome() {
                    return Err(bad("`outcome` is not the word for its answer"));
                }
                call.end = Some(CallEnd::Made(outcome));
            }
            REFUSED => {
                let refused: Refused = body(record)?;
                let call = self.calls.entry(refused.call).or_default();
                if call.end.is_some() {
                    return Err(bad("a refusal of a call that has ended"));
                }
                call.end = Some(CallEnd::Refused(refused));
            }
            RESOLVED => {
                let resolved: Resolved = body(record)?;
                let call = self.calls.get_mut(&resolved.call);
                let Some(call) = call.filter(|it| it.intent.is_some() && it.end.is_none()) else {
                    return Err(bad("a decision about a call that is not in doubt"));
                };
                call.resolved = Some(resolved.how);
            }
            READ => {
                let read: Read = body(record)?;
                if u32::try_from(self.reads.len()) != Ok(read.read) {
                    return Err(bad("a read out of its order"));
                }
                self.reads.push((read.what, read.value));
            }
            _ => {
                let opaque: Opaque = body(record)?;
                self.opaque = true;
                self.full |= opaque.why == Unrecorded::Reads;
            }
        }
        Ok(true)
    }

    /// Sorts the records of a run by attempts; records of other kinds are left
    /// out.
    pub fn sort(records: &[Record]) -> Result<BTreeMap<(String, u32), Known>, BadRecord> {
        let mut all: BTreeMap<(String, u32), Known> = BTreeMap::new();
        for record in records {
            if let Some(key) = key(record)? {
                all.entry(key).or_default().add(record)?;
            }
        }
        Ok(all)
    }

    /// Whether something was not recorded: see [`super::AttemptLog::opaque`].
    pub fn opaque(&self) -> bool {
        self.opaque
    }

    /// Puts the effects of an attempt that ended before into the meter, as they
    /// were, and what it was refused for want of a grant. `plugin` asked for them.
    pub fn tell(&self, plugin: &str, meter: &Meter) {
        for call in self.calls.values() {
            match (&call.intent, &call.end) {
                (Some(intent), Some(CallEnd::Made(outcome))) => {
                    meter.effect(outcome.effect(plugin, intent.sequence, intent.ask.resource()));
                }
                (_, Some(CallEnd::Refused(refused))) => {
                    let Some(denial @ Denial::NotGranted(what)) = denial(&refused.answer) else {
                        continue;
                    };
                    // "llm default": what it was not granted.
                    let resource = what.split_once(' ').map_or("", |(_, resource)| resource);
                    let access = Access {
                        plugin,
                        capability: refused.answer.capability(),
                        resource,
                    };
                    meter.refusal(Refusal::new(access, denial));
                }
                _ => {}
            }
        }
    }

    /// Whether the journal has nothing of the attempt.
    pub fn is_empty(&self) -> bool {
        self.of.is_none()
    }

    /// The request of a model call, whole again.
    pub fn request(&self, call: u32) -> Option<Request> {
        let Delta { base, rest } = self.delta(call)?;
        let mut request = rest.clone();
        let (mut messages, mut tools) = (Vec::new(), Vec::new());
        let mut next = *base;
        let mut need = base.map_or((0, 0), |base| (base.messages, base.tools));
        // Each base was made before its call, which `fits` has checked.
        while need != (0, 0) {
            let before = self.delta(next?.call)?;
            let held = before
                .base
                .map_or((0, 0), |base| (base.messages, base.tools));
            let own = (need.0.saturating_sub(held.0), need.1.saturating_sub(held.1));
            messages.push(before.rest.messages.get(..own.0)?);
            tools.push(before.rest.tools.get(..own.1)?);
            need = (need.0.min(held.0), need.1.min(held.1));
            next = before.base;
        }
        let messages = messages.into_iter().rev().flatten().cloned();
        request.messages.splice(..0, messages);
        let tools = tools.into_iter().rev().flatten().cloned();
        request.tools.splice(..0, tools);
        Some(request)
    }

    fn delta(&self, call: u32) -> Option<&Delta> {
        match &self.calls.get(&call)?.intent.as_ref()?.ask {
            Ask::Llm(delta) => Some(delta),
            _ => None,
        }
    }

    /// Whether what an intent rests on is there.
    fn fits(&self, intent: &Intent) -> Result<(), &'static str> {
        let Ask::Llm(delta) = &intent.ask else {
            return Ok(());
        };
        match delta.base {
            Some(base) if base.call >= intent.call || self.delta(base.call).is_none() => {
                Err("it begins like a call that was not made before it")
            }
            _ => Ok(()),
        }
    }
}

/// A call that was to be made, and of which the journal does not say what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The step's path.
    pub step: String,
    /// The try of the step.
    pub attempt: u32,
    /// The number of the call in it.
    pub call: u32,
    /// Of which capability.
    pub capability: Capability,
    /// The alias or the tool's name, in the guest's words.
    pub resource: String,
    /// What its intent said about repeating it.
    pub effect: EffectKind,
}

impl Doubt {
    /// The record that decides it.
    pub fn resolve(&self, how: Resolution, at_unix_ms: u64) -> Entry {
        let body = Resolved {
            v: Version,
            step: self.step.clone(),
            attempt: self.attempt,
            call: self.call,
            how,
        };
        Entry::new(RESOLVED, at_unix_ms, &body)
    }
}

/// The calls of a run that are in doubt and undecided, those that may be
/// repeated without asking included: which of them need an answer depends on
/// what the tools are today. An attempt that was stopped leaves such calls as
/// well; whoever knows that it has ended leaves its doubts alone.
pub fn doubts(records: &[Record]) -> Result<Vec<Doubt>, BadRecord> {
    let mut doubts = Vec::new();
    for ((step, attempt), known) in Known::sort(records)? {
        let open = known.calls.iter().filter(|(_, call)| call.end.is_none());
        let open = open.filter(|(_, call)| call.resolved.is_none());
        let open = open.filter_map(|(number, call)| Some((*number, call.intent.as_ref()?)));
        doubts.extend(open.map(|(call, intent)| Doubt {
            step: step.clone(),
            attempt,
            call,
            capability: intent.ask.capability(),
            resource: intent.ask.resource().to_owned(),
            effect: intent.effect,
        }));
    }
    Ok(doubts)
}
