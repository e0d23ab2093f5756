//! From a report to numbers with labels. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotcell_broker::{Capability, text};
use hotcell_workflow::engine::Report;

/// So many values of one label are told apart: 64. Whoever chooses names must not
/// make new series without end.
pub(crate) const NAMES: usize = 64;

/// The longest value of a label, in bytes.
const LONG: usize = 96;

/// What is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Tokens,
    Calls,
    Workflow,
    Agent,
    Tool,
    Runs,
    Cost,
    Refusals,
}

/// How a metric is called and counted.
pub(crate) struct Described {
    /// The name in OpenTelemetry.
    pub(crate) name: &'static str,
    /// The name in Prometheus, without its unit or `_total`.
    pub(crate) page: &'static str,
    pub(crate) help: &'static str,
    pub(crate) unit: &'static str,
    /// The bounds of a histogram; a counter has none.
    pub(crate) bounds: &'static [f64],
}

/// Powers of four.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// From a hundredth of a second, doubled.
const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

impl Metric {
    pub(crate) const ALL: [Metric; 8] = [
        Metric::Tokens,
        Metric::Calls,
        Metric::Workflow,
        Metric::Agent,
        Metric::Tool,
        Metric::Runs,
        Metric::Cost,
        Metric::Refusals,
    ];

    pub(crate) fn described(self) -> Described {
        let of = |name, page, help, unit, bounds| Described {
            name,
            page,
            help,
            unit,
            bounds,
        };
        match self {
            Metric::Tokens => of(
                "gen_ai.client.token.usage",
                "gen_ai_client_token_usage",
                "Tokens of one model call",
                "{token}",
                &TOKENS,
            ),
            Metric::Calls => of(
                "gen_ai.client.operation.duration",
                "gen_ai_client_operation_duration",
                "Time of one model call",
                "s",
                &SECONDS,
            ),
            Metric::Workflow => of(
                "gen_ai.workflow.duration",
                "gen_ai_workflow_duration",
                "Time of one run",
                "s",
                &SECONDS,
            ),
            Metric::Agent => of(
                "gen_ai.invoke_agent.duration",
                "gen_ai_invoke_agent_duration",
                "Time of one try of a step",
                "s",
                &SECONDS,
            ),
            Metric::Tool => of(
                "gen_ai.execute_tool.duration",
                "gen_ai_execute_tool_duration",
                "Time of one tool call",
                "s",
                &SECONDS,
            ),
            Metric::Runs => of(
                "hotcell.runs",
                "hotcell_runs",
                "Runs by how they ended",
                "{run}",
                &[],
            ),
            Metric::Cost => of(
                "hotcell.cost",
                "hotcell_cost_microdollars",
                "Micro-dollars spent",
                "{microdollar}",
                &[],
            ),
            Metric::Refusals => of(
                "hotcell.refusals",
                "hotcell_refusals",
                "What plugins asked for and were not granted",
                "{refusal}",
                &[],
            ),
        }
    }
}

/// Names that a report does not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) workflow: String,
    /// What providers call the models, by alias.
    pub(crate) models: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn of_workflow(name: &str) -> Names {
        Names {
            workflow: name.to_owned(),
            models: BTreeMap::new(),
        }
    }

    pub(crate) fn model<'a>(&'a self, alias: &'a str) -> &'a str {
        self.models.get(alias).map_or(alias, String::as_str)
    }
}

/// Names and values, sorted by name.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) metric: Metric,
    pub(crate) value: f64,
    pub(crate) labels: Labels,
}

/// Numbers, with labels that are bounded over all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    pub(crate) list: Vec<Sample>,
    seen: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Samples {
    /// Adds what one run did.
    pub(crate) fn add(&mut self, report: &Report, names: &Names) {
        let workflow = ("gen_ai.workflow.name", names.workflow.as_str());
        let ended = ("hotcell.status", report.status);
        self.put(Metric::Runs, 1.0, &[workflow, ended]);
        let took = match report.simulated_time() {
            true => report.latency_micros,
            false => report.wall_micros,
        };
        self.put(
            Metric::Workflow,
            seconds(Duration::from_micros(took)),
            &[workflow, ended],
        );
        for effect in &report.records.effects {
            let took = seconds(effect.took);
            let error = (
                "error.type",
                if effect.outcome == "ok" {
                    ""
                } else {
                    effect.outcome
                },
            );
            match effect.capability {
                Capability::Llm => {
                    let model = ("gen_ai.request.model", names.model(&effect.resource));
                    let chat = ("gen_ai.operation.name", "chat");
                    self.put(Metric::Calls, took, &[model, chat, error]);
                    let usage = effect.usage;
                    for (kind, tokens) in [
                        ("input", usage.input_tokens),
                        ("output", usage.output_tokens),
                    ] {
                        let kind = ("gen_ai.token.type", kind);
                        self.put(Metric::Tokens, tokens as f64, &[model, chat, kind]);
                    }
                    self.put(Metric::Cost, effect.cost_micros as f64, &[model]);
                }
                Capability::Tools => {
                    let tool = ("gen_ai.tool.name", effect.resource.as_str());
                    self.put(Metric::Tool, took, &[tool, error]);
                }
                _ => {}
            }
        }
        for cell in &report.records.cells {
            let is_try = |it: &hotcell_workflow::engine::Attempt| {
                it.step == cell.step && it.attempt == cell.attempt
            };
            if report.attempts.iter().any(is_try) {
                let agent = ("gen_ai.agent.name", cell.plugin.as_str());
                let error = (
                    "error.type",
                    if cell.outcome == "ok" {
                        ""
                    } else {
                        cell.outcome
                    },
                );
                self.put(Metric::Agent, seconds(cell.wall), &[agent, error]);
            }
        }
        for (refusal, count) in report.records.refusals.iter() {
            let plugin = ("gen_ai.agent.name", refusal.plugin.as_str());
            let capability = ("hotcell.capability", refusal.capability.name());
            self.put(Metric::Refusals, count as f64, &[plugin, capability]);
        }
    }

    /// One number; labels without a value are left out.
    fn put(&mut self, metric: Metric, value: f64, labels: &[(&'static str, &str)]) {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let mut labels: Labels = labels
            .map(|(name, value)| (*name, self.bounded(name, value)))
            .collect();
        labels.sort();
        self.list.push(Sample {
            metric,
            value,
            labels,
        });
    }

    fn bounded(&mut self, name: &'static str, value: &str) -> String {
        let value = text::line(value, LONG);
        let seen = self.seen.entry(name).or_default();
        if !seen.contains(&value) {
            if seen.len() >= NAMES {
                return "other".to_owned();
            }
            seen.insert(value.clone());
        }
        value
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests;
