//! Questions as a person reads them.

use std::collections::BTreeMap;
use std::fmt::Write;

use hotcell_broker::approval::Shown;
use hotcell_broker::approval::queue::{Asked, Seen};
use hotcell_broker::approval::shown;
use hotcell_broker::text;
use serde_json::{Value, json};

use crate::moment;
use crate::report::{table as new_table, usd};

/// The longest cell of a table, and the longest line of a guest's words.
const SHOWN: usize = 64;
const WORDS: usize = 2048;

/// What waits, one line each, those of one plugin and action together.
pub(super) fn table(seen: &[Seen], now_unix_ms: u64) -> String {
    let mut table = new_table();
    table.set_header([
        "id",
        "plugin",
        "action",
        "record",
        "amount",
        "risk",
        "state",
        "until (UTC)",
    ]);
    let mut groups: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut sorted: Vec<&Seen> = seen.iter().collect();
    sorted.sort_by_key(|it| {
        (
            &it.asked.bound.agent,
            &it.asked.bound.action,
            it.asked.at_unix_ms,
        )
    });
    for Seen { id, asked, state } in sorted {
        let bound = &asked.bound;
        *groups.entry((&bound.agent, &bound.action)).or_default() += 1;
        table.add_row([
            id.chars().take(8).collect(),
            text::line(&bound.agent, SHOWN),
            text::line(&bound.action, SHOWN),
            text::line(&bound.task, SHOWN),
            asked.ask.amount_micros.map_or(String::new(), usd),
            asked.risk.score.to_string(),
            (*state).to_owned(),
            moment::shown(until(asked)),
        ]);
    }
    let groups = groups.into_iter().map(|((agent, action), n)| {
        format!(
            "{n} of {} for {}",
            text::line(agent, SHOWN),
            text::line(action, SHOWN)
        )
    });
    let groups: Vec<String> = groups.collect();
    format!(
        "{table}\n{}; it is {} UTC. `hotcell approvals show ID` shows what exactly is asked",
        groups.join(", "),
        moment::shown(now_unix_ms)
    )
}

fn until(asked: &Asked) -> u64 {
    asked.at_unix_ms.saturating_add(asked.open_ms)
}

/// All of one question. `full` leaves nothing out.
pub(super) fn render(seen: &Seen, full: bool) -> String {
    let Seen { id, asked, state } = seen;
    let (bound, ask) = (&asked.bound, &asked.ask);
    let Shown {
        arguments,
        left_out,
        hosts,
        hidden,
    } = shown(&ask.arguments, full);
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<12} {value}");
    };
    let words = |text: &str| text::line(text, WORDS);
    line("id", id);
    line("state", state);
    line(
        "plugin",
        &format!("{} {}", words(&bound.agent), bound.component),
    );
    line("wants to", &words(&bound.action));
    line(
        "because",
        &format!("{} (the plugin's words)", words(&ask.reason)),
    );
    line(
        "amount",
        &ask.amount_micros.map_or("not given".to_owned(), usd),
    );
    line(
        "for good",
        if ask.irreversible {
            "yes, it cannot be taken back"
        } else {
            "no"
        },
    );
    line(
        "data",
        &ask.classification
            .as_deref()
            .map_or("not given".to_owned(), words),
    );
    let because = asked.risk.because.iter();
    let because = because.map(|(why, points)| format!("{points} {}", words(why)));
    let because: Vec<String> = because.collect();
    line(
        "risk",
        &format!("{} of 100: {}", asked.risk.score, because.join(", ")),
    );
    line(
        "run",
        &format!("{}, of the tenant {}", bound.run, words(&bound.tenant)),
    );
    line("record", &words(&bound.task));
    line(
        "step",
        &format!("{}, try {}", words(&bound.step), bound.attempt),
    );
    line("started by", &words(&asked.started_by));
    line("asked", &format!("{} UTC", moment::shown(asked.at_unix_ms)));
    line("until", &format!("{} UTC", moment::shown(until(asked))));
    if let Some(decided) = &asked.decided {
        let said = if decided.approved { "yes" } else { "no" };
        let claims = decided.claims.as_ref();
        let claims = claims.map_or(String::new(), |it| {
            format!(", who says to be {}", words(it))
        });
        let comment = decided.comment.as_ref();
        let comment = comment.map_or(String::new(), |it| format!(": {}", words(it)));
        line(
            "answer",
            &format!("{said}, by {}{claims}{comment}", words(&decided.by)),
        );
    }
    line("digest", &bound.arguments);
    for host in &hosts {
        let other = host.starts_with("xn--") || host.contains(".xn--");
        let other = if other {
            " (not what it looks like)"
        } else {
            ""
        };
        line("host", &format!("{}{other}", words(host)));
    }
    if hidden {
        line(
            "beware",
            "there are characters in it that are not seen or turn the order round",
        );
    }
    if left_out > 0 {
        line(
            "beware",
            &format!("{left_out} bytes of the arguments are left out: see `--full`"),
        );
    }
    let _ = write!(out, "arguments\n{arguments}");
    out
}

/// One question for programs.
pub(super) fn one(seen: &Seen) -> Value {
    let shown = shown(&seen.asked.ask.arguments, true);
    json!({
        "id": seen.id,
        "state": seen.state,
        "hosts": shown.hosts,
        "hidden_characters": shown.hidden,
        "question": seen.asked,
    })
}

/// Many for programs.
pub(super) fn json(seen: &[Seen]) -> Value {
    let all: Vec<Value> = seen.iter().map(one).collect();
    json!({ "format": "hotcell.approvals/1", "questions": all })
}
