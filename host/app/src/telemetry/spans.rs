//! From a report to spans: the run, in it the tries of its steps, in them their
//! calls. Pure.
//!
//! A report has durations and an order, no moments. So spans are laid out one after
//! another, and each says so: how long is measured, when is not.

use std::time::Duration;

use hotcell_broker::{Capability, text};
use hotcell_workflow::engine::Report;

use super::sample::Names;

/// The longest name that leaves.
const LONG: usize = 96;

/// What a span has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
}

/// One span of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// Whether somebody outside was called.
    pub(crate) client: bool,
    /// Its place in the list; the first has none.
    pub(crate) parent: Option<usize>,
    /// After the beginning of the run.
    pub(crate) start: Duration,
    pub(crate) took: Duration,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    /// A stable word for what went wrong.
    pub(crate) failed: Option<String>,
}

/// The spans of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trace {
    pub(crate) run: String,
    pub(crate) spans: Vec<Span>,
}

pub(crate) fn of(report: &Report, names: &Names) -> Trace {
    let simulated = report.simulated_time();
    let took = Duration::from_micros(match simulated {
        true => report.latency_micros,
        false => report.wall_micros,
    });
    let good = ["success", "partial_success", "fallback"].contains(&report.status);
    let mut spans = vec![Span {
        name: format!("invoke_workflow {}", word(&names.workflow)),
        client: false,
        parent: None,
        start: Duration::ZERO,
        took,
        attributes: vec![
            (
                "gen_ai.operation.name",
                Value::Text("invoke_workflow".to_owned()),
            ),
            ("gen_ai.workflow.name", Value::Text(word(&names.workflow))),
            ("hotcell.run", Value::Text(word(&report.run))),
            ("hotcell.status", Value::Text(report.status.to_owned())),
            ("hotcell.simulated_time", Value::Flag(simulated)),
            ("hotcell.laid_out", Value::Flag(true)),
        ],
        failed: (!good).then(|| match &report.error {
            Some(trouble) => word(&trouble.code),
            None => report.status.to_owned(),
        }),
    }];
    let mut at = Duration::ZERO;
    for attempt in &report.attempts {
        let of = |step: &str, number: u32| step == attempt.step && number == attempt.attempt;
        let cells = report.records.cells.iter();
        let cell = cells.clone().find(|cell| of(&cell.step, cell.attempt));
        let effects = report.records.effects.iter();
        let effects: Vec<_> = effects.filter(|it| of(&it.step, it.attempt)).collect();
        let called: Duration = effects.iter().map(|effect| effect.took).sum();
        let took = cell.map_or(Duration::ZERO, |cell| cell.wall).max(called);
        let plugin = cell.map(|cell| cell.plugin.as_str());
        let plugin = plugin.or_else(|| effects.first().map(|effect| effect.plugin.as_str()));
        let agent = word(plugin.unwrap_or("unknown"));
        let place = spans.len();
        spans.push(Span {
            name: format!("invoke_agent {agent}"),
            client: false,
            parent: Some(0),
            start: at,
            took,
            attributes: vec![
                (
                    "gen_ai.operation.name",
                    Value::Text("invoke_agent".to_owned()),
                ),
                ("gen_ai.agent.name", Value::Text(agent)),
                ("hotcell.step", Value::Text(word(&attempt.step))),
                ("hotcell.attempt", Value::Number(u64::from(attempt.attempt))),
            ],
            failed: (attempt.outcome != "ok").then(|| word(&attempt.outcome)),
        });
        let mut inside = at;
        for effect in effects {
            let (name, mut attributes) = match effect.capability {
                Capability::Llm => {
                    let model = word(names.model(&effect.resource));
                    let usage = effect.usage;
                    let mut attributes = vec![
                        ("gen_ai.operation.name", Value::Text("chat".to_owned())),
                        ("gen_ai.request.model", Value::Text(model.clone())),
                        (
                            "gen_ai.usage.input_tokens",
                            Value::Number(usage.input_tokens),
                        ),
                        (
                            "gen_ai.usage.output_tokens",
                            Value::Number(usage.output_tokens),
                        ),
                        (
                            "gen_ai.usage.cache_read.input_tokens",
                            Value::Number(usage.cached_input_tokens),
                        ),
                        ("hotcell.cost_micros", Value::Number(effect.cost_micros)),
                    ];
                    if let Some(origin) = effect.origin {
                        let origin = format!("{origin:?}").to_ascii_lowercase();
                        attributes.push(("hotcell.origin", Value::Text(origin)));
                    }
                    (format!("chat {model}"), attributes)
                }
                Capability::Tools => {
                    let tool = word(&effect.resource);
                    let attributes = vec![
                        (
                            "gen_ai.operation.name",
                            Value::Text("execute_tool".to_owned()),
                        ),
                        ("gen_ai.tool.name", Value::Text(tool.clone())),
                    ];
                    (format!("execute_tool {tool}"), attributes)
                }
                other => {
                    let capability = Value::Text(other.name().to_owned());
                    let attributes = vec![("hotcell.capability", capability)];
                    (format!("hotcell {}", other.name()), attributes)
                }
            };
            attributes.push((
                "hotcell.sequence",
                Value::Number(u64::from(effect.sequence)),
            ));
            let bad = effect.outcome != "ok";
            spans.push(Span {
                name,
                client: true,
                parent: Some(place),
                start: inside,
                took: effect.took,
                attributes,
                failed: bad.then(|| effect.outcome.to_owned()),
            });
            inside = inside.saturating_add(effect.took);
        }
        at = at.saturating_add(took);
    }
    Trace {
        run: report.run.clone(),
        spans,
    }
}

fn word(text: &str) -> String {
    text::line(text, LONG)
}
