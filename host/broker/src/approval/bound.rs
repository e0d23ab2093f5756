//! What exactly a decision is about.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Digest;

use super::ApprovalAsk;
use crate::{Caller, store};

/// What a decision is about: it holds for this call and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// On whose behalf.
    pub tenant: String,
    /// The run.
    pub run: String,
    /// The record it works on.
    pub task: String,
    /// The step's path.
    pub step: String,
    /// The try of the step.
    pub attempt: u32,
    /// The number of the call in it.
    pub call: u32,
    /// The plugin's name.
    pub agent: String,
    /// The plugin's digest.
    pub component: String,
    /// What it wants to do.
    pub action: String,
    /// SHA-256 of the arguments as [`canonical`] writes them.
    pub arguments: String,
}

/// Why a decision is not about what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("approval.invalid: {}", self.why())]
pub enum Invalid {
    /// It is about another tenant's run.
    Tenant,
    /// About another run.
    Run,
    /// About another call of the run.
    Call,
    /// About another plugin.
    Agent,
    /// About another version of it.
    Component,
    /// About another action.
    Action,
    /// About other arguments.
    Arguments,
    /// Its time is over.
    Expired,
    /// It was used.
    Used,
}

impl Invalid {
    fn why(self) -> &'static str {
        match self {
            Invalid::Tenant => "it was given to another tenant",
            Invalid::Run => "it was given to another run",
            Invalid::Call => "it was given for another call of this run",
            Invalid::Agent => "it was given to another plugin",
            Invalid::Component => "it was given to another version of this plugin",
            Invalid::Action => "it was given for another action",
            Invalid::Arguments => "it was given for other arguments",
            Invalid::Expired => "its time is over",
            Invalid::Used => "it was used",
        }
    }
}

impl Bound {
    /// What a call of a plugin would be bound to.
    pub fn new(caller: &Caller, call: u32, component: &str, ask: &ApprovalAsk) -> Option<Bound> {
        Some(Bound {
            tenant: caller.tenant.clone(),
            run: caller.run.clone(),
            task: caller.task.clone(),
            step: caller.step.clone(),
            attempt: caller.attempt,
            call,
            agent: caller.plugin.clone(),
            component: component.to_owned(),
            action: ask.action.clone(),
            arguments: Digest::of(canonical(&ask.arguments)?.as_bytes()).to_string(),
        })
    }

    /// Short enough to type, and of no other call: 80 bits of the digest of all of it.
    pub fn id(&self) -> String {
        // Plain data; it cannot fail.
        let all = serde_json::to_vec(self).unwrap_or_default();
        Digest::of(&all).hex().chars().take(20).collect()
    }

    /// The first thing in which a decision for `self` is not one for `other`.
    pub fn covers(&self, other: &Bound) -> Result<(), Invalid> {
        let place = |it: &Bound| (it.step.clone(), it.attempt, it.call, it.task.clone());
        let table = [
            (self.tenant == other.tenant, Invalid::Tenant),
            (self.run == other.run, Invalid::Run),
            (self.agent == other.agent, Invalid::Agent),
            (self.component == other.component, Invalid::Component),
            (self.action == other.action, Invalid::Action),
            (self.arguments == other.arguments, Invalid::Arguments),
            (place(self) == place(other), Invalid::Call),
        ];
        let wrong = table.into_iter().find(|(same, _)| !same);
        wrong.map_or(Ok(()), |(_, why)| Err(why))
    }
}

/// JSON with its keys in order and no blanks, so that the same arguments have the
/// same digest however they are written. None if it is no JSON, or has a key twice:
/// of two values one would not be shown.
pub fn canonical(json: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    // What is read keeps the last of two; what was written then was longer.
    if keys_in(json) != keys_of(&value) {
        return None;
    }
    let mut out = String::new();
    write(&value, &mut out);
    Some(out)
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// How many keys a text of valid JSON has: a colon outside of a string follows each.
fn keys_in(json: &str) -> usize {
    let (mut keys, mut inside, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => keys += 1,
            _ => {}
        }
    }
    keys
}

fn keys_of(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.len() + fields.values().map(keys_of).sum::<usize>(),
        Value::Array(items) => items.iter().map(keys_of).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        Bound {
            tenant: "t".to_owned(),
            run: "r".to_owned(),
            task: "k".to_owned(),
            step: "s".to_owned(),
            attempt: 1,
            call: 0,
            agent: "a".to_owned(),
            component: "sha256:1".to_owned(),
            action: "pay".to_owned(),
            arguments: "sha256:2".to_owned(),
        }
    }

    #[test]
    fn a_decision_is_about_one_call_and_no_other() {
        type Change = fn(&mut Bound);
        let table: [(Change, Invalid); 10] = [
            (|it| it.tenant.push('x'), Invalid::Tenant),
            (|it| it.run.push('x'), Invalid::Run),
            (|it| it.agent.push('x'), Invalid::Agent),
            (|it| it.component.push('x'), Invalid::Component),
            (|it| it.action.push('x'), Invalid::Action),
            (|it| it.arguments.push('x'), Invalid::Arguments),
            (|it| it.step.push('x'), Invalid::Call),
            (|it| it.attempt = 2, Invalid::Call),
            (|it| it.call = 1, Invalid::Call),
            (|it| it.task.push('x'), Invalid::Call),
        ];
        assert_eq!(bound().covers(&bound()), Ok(()));
        for (change, why) in table {
            let mut other = bound();
            change(&mut other);
            assert_eq!(bound().covers(&other), Err(why));
            assert_ne!(bound().id(), other.id());
        }
    }

    #[test]
    fn the_same_arguments_are_the_same_however_they_are_written() {
        let table = [
            (
                r#"{"b": [1, {"d":2,"c":"x:\"y"}], "a":null}"#,
                Some(r#"{"a":null,"b":[1,{"c":"x:\"y","d":2}]}"#),
            ),
            (r#""\u0061""#, Some(r#""a""#)),
            (" 1 ", Some("1")),
            (r#"{"to":"a","to":"b"}"#, None),
            (r#"[{"x":{"to":"a","to":"b"}}]"#, None),
            ("{", None),
            ("", None),
        ];
        for (json, expected) in table {
            assert_eq!(canonical(json).as_deref(), expected, "{json}");
        }
    }
}
