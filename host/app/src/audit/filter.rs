//! Which records are meant.

use clap::Args;
use serde_json::Value;

use crate::command::{Exit, Problem};
use crate::{moment, wire};

/// All that are given must fit.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of this run, by its id or the beginning of it
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Of this case: the record that runs worked on
    #[arg(long, value_name = "CASE")]
    case: Option<String>,
    /// Of this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Of this capability: `llm`, `tools`, `http`, `approval`, …
    #[arg(long, value_name = "NAME")]
    capability: Option<String>,
    /// About this resource, or with this in its name
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// With this secret
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// With this outcome or decision: `ok`, `refused`, `timeout`, …
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// By this person: who started the run, or who decided
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Of this retention class: `operations`, `security`, `decisions`, `erasure`
    #[arg(long, value_name = "CLASS")]
    retention: Option<String>,
    /// Since this day (`2026-03-01`), or so many days ago (`30d`)
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
}

/// A filter whose dates are known.
pub(super) struct Ready<'a> {
    filter: &'a Filter,
    since_ms: u64,
}

impl Filter {
    pub(super) fn ready(&self) -> Result<Ready<'_>, Problem> {
        let since = |since: &String| {
            moment::parse(since, wire::now_unix_ms()).ok_or_else(|| {
                let report = miette::miette!(
                    help = "a day such as `2026-03-01`, or a number of days such as `30d`",
                    "`--since {since}` is no day"
                );
                Problem::new(Exit::CommandLine, report)
            })
        };
        Ok(Ready {
            since_ms: self.since.as_ref().map_or(Ok(0), since)?,
            filter: self,
        })
    }
}

impl Ready<'_> {
    pub(super) fn lets(&self, record: &Value) -> bool {
        let of = |key: &str| record.get(key).and_then(Value::as_str);
        let is = |wanted: &Option<String>, keys: &[&str]| {
            let is = |wanted: &String| keys.iter().any(|key| of(key) == Some(wanted));
            wanted.as_ref().is_none_or(is)
        };
        let Filter {
            run,
            case,
            plugin,
            capability,
            resource,
            secret,
            outcome,
            user,
            retention,
            since: _,
        } = self.filter;
        let begins = |run: &String| of("run_id").is_some_and(|it| it.starts_with(run.as_str()));
        let holds = |part: &String| of("resource").is_some_and(|it| it.contains(part.as_str()));
        let at = record.get("timestamp_ms").and_then(Value::as_u64);
        run.as_ref().is_none_or(begins)
            && resource.as_ref().is_none_or(holds)
            && is(case, &["case"])
            && is(plugin, &["agent_name"])
            && is(capability, &["capability"])
            && is(outcome, &["outcome", "decision"])
            && is(user, &["user", "decider"])
            && is(retention, &["retention"])
            && secret.as_ref().is_none_or(|name| with_secret(record, name))
            && at.unwrap_or_default() >= self.since_ms
    }
}

/// Whether a record is about a secret, or of something that one was used for.
fn with_secret(record: &Value, name: &str) -> bool {
    let of = |key: &str| record.get(key).and_then(Value::as_str);
    let used = record.get("secrets").and_then(Value::as_array);
    (of("capability") == Some("secrets") && of("resource") == Some(name))
        || used.is_some_and(|used| used.iter().any(|it| it.as_str() == Some(name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_asked_for_must_fit() {
        let record = json!({
            "run_id": "0191-a", "case": "c", "agent_name": "p", "capability": "tools",
            "resource": "bank.pay", "outcome": "ok", "user": "maria", "timestamp_ms": 1_000,
            "secrets": ["bank-key"],
        });
        let set = |key: &str, value: &str| {
            let value = Some(value.to_owned());
            let mut filter = Filter::default();
            let field = match key {
                "run" => &mut filter.run,
                "case" => &mut filter.case,
                "plugin" => &mut filter.plugin,
                "capability" => &mut filter.capability,
                "resource" => &mut filter.resource,
                "secret" => &mut filter.secret,
                "outcome" => &mut filter.outcome,
                "user" => &mut filter.user,
                _ => &mut filter.since,
            };
            *field = value;
            filter
        };
        let table = [
            ("run", "0191", true),
            ("run", "0192", false),
            ("case", "c", true),
            ("case", "d", false),
            ("plugin", "p", true),
            ("plugin", "q", false),
            ("capability", "tools", true),
            ("capability", "llm", false),
            ("resource", "pay", true),
            ("resource", "ship", false),
            ("secret", "bank-key", true),
            ("secret", "bank", false),
            ("outcome", "ok", true),
            ("outcome", "refused", false),
            ("user", "maria", true),
            ("user", "jo", false),
            ("since", "1970-01-01", true),
            ("since", "1970-01-02", false),
        ];
        for (key, value, lets) in table {
            let filter = set(key, value);
            let Ok(ready) = filter.ready() else {
                panic!("{key}");
            };
            assert_eq!(ready.lets(&record), lets, "{key} {value}");
        }
    }
}
