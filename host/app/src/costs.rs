//! `hotcell costs`: what the runs that are kept have cost, by day, agent, model or
//! workflow, and what a success costs with all that failed beside it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use hotcell_broker::Capability;
use hotcell_broker::llm::Origin;
use hotcell_broker::meter::Effect;
use hotcell_broker::text;
use hotcell_store::journal::RunRow;
use serde::Serialize;

use crate::command::{Exit, Output, Problem};
use crate::kept::{Kept, all};
use crate::report::{right_align, table, usd};
use crate::state::State;
use crate::{moment, screen, wire};

/// The longest name that is shown.
const SHOWN: usize = 64;

#[derive(Args)]
pub(crate) struct CostsArgs {
    /// What the lines are
    #[arg(long, value_name = "WHAT", default_value = "day")]
    by: By,
    /// Only runs that began on this day (`2026-03-01`) or later, or in so many days
    /// (`30d`)
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// What the lines of the table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum By {
    /// Days on which runs began (UTC)
    Day,
    /// Plugins
    Agent,
    /// Models, by alias
    Model,
    /// Workflows
    Workflow,
}

/// What some runs have cost, or parts of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Sum {
    runs: u64,
    successes: u64,
    /// Calls of models, tools, servers and agents.
    calls: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost_micros: u64,
    /// Of that, what a simulation has cost: nobody pays it.
    simulated_micros: u64,
    /// What all of it comes to for each success, rounded up; none without one.
    cost_per_success_micros: Option<u64>,
}

impl Sum {
    fn effect(&mut self, effect: &Effect) {
        self.calls += 1;
        let usage = effect.usage;
        self.input_tokens = self.input_tokens.saturating_add(usage.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(usage.output_tokens);
        self.cost_micros = self.cost_micros.saturating_add(effect.cost_micros);
        if effect.origin == Some(Origin::Simulated) {
            self.simulated_micros = self.simulated_micros.saturating_add(effect.cost_micros);
        }
    }

    /// Adds what one run has cost.
    fn run(&mut self, part: &Sum, success: bool) {
        self.runs += 1;
        self.successes += u64::from(success);
        self.calls += part.calls;
        self.input_tokens = self.input_tokens.saturating_add(part.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(part.output_tokens);
        self.cost_micros = self.cost_micros.saturating_add(part.cost_micros);
        self.simulated_micros = self.simulated_micros.saturating_add(part.simulated_micros);
        let per_success = |successes| self.cost_micros.div_ceil(successes);
        self.cost_per_success_micros = (self.successes > 0).then(|| per_success(self.successes));
    }
}

/// What all lines are made of.
#[derive(Debug, Serialize)]
struct Costs {
    format: &'static str,
    by: By,
    lines: Vec<Line>,
    total: Sum,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    sum: Sum,
}

pub(crate) fn costs(args: &CostsArgs, output: Output) -> Result<Exit, Problem> {
    let since = since(args.since.as_deref())?;
    let state = State::at(args.state.as_deref());
    let mut lines = BTreeMap::new();
    let mut total = Sum::default();
    if state.exists() {
        let reader = state.read()?;
        let rows = all(&state, &reader)?.into_iter();
        for row in rows.filter(|row| row.created_unix_ms >= since) {
            let kept = Kept::read(&state, &reader, row)?;
            let effects = kept.report().records.effects;
            add(args.by, &kept.row, &effects, &mut lines, &mut total);
        }
    }
    let line = |(name, sum)| Line { name, sum };
    let costs = Costs {
        format: "hotcell.costs/1",
        by: args.by,
        lines: lines.into_iter().map(line).collect(),
        total,
    };
    match output.json {
        true => screen::json(&serde_json::to_string(&costs).map_err(Problem::failed)?),
        false if costs.lines.is_empty() => {
            let dir = state.dir().display();
            screen::note(&format!(
                "no such runs are kept in `{dir}`; `hotcell run` keeps them"
            ));
        }
        false => screen::result(&render(&costs)),
    }
    Ok(Exit::Done)
}

fn since(text: Option<&str>) -> Result<u64, Problem> {
    let Some(text) = text else { return Ok(0) };
    moment::parse(text, wire::now_unix_ms()).ok_or_else(|| {
        let report = miette::miette!(
            help = "a day such as `2026-03-01`, or a number of days such as `30d`",
            "`--since {text}` is no day"
        );
        Problem::new(Exit::CommandLine, report)
    })
}

/// Adds one run to the lines that it belongs to, and to the total.
fn add(
    by: By,
    row: &RunRow,
    effects: &[Effect],
    lines: &mut BTreeMap<String, Sum>,
    total: &mut Sum,
) {
    let success = row.status == "success";
    let mut parts: BTreeMap<String, Sum> = BTreeMap::new();
    let mut whole = Sum::default();
    let day = moment::shown(row.created_unix_ms);
    let day = day.split(' ').next().unwrap_or_default();
    for effect in effects {
        whole.effect(effect);
        let name = match by {
            By::Agent => &effect.plugin,
            By::Model if effect.capability == Capability::Llm => &effect.resource,
            _ => continue,
        };
        parts.entry(name.clone()).or_default().effect(effect);
    }
    match by {
        By::Day => drop(parts.insert(day.to_owned(), whole.clone())),
        By::Workflow => drop(parts.insert(row.workflow.clone(), whole.clone())),
        By::Agent | By::Model => {}
    }
    for (name, part) in parts {
        lines.entry(name).or_default().run(&part, success);
    }
    total.run(&whole, success);
}

fn render(costs: &Costs) -> String {
    let mut table = table();
    let first = match costs.by {
        By::Day => "day (UTC)",
        By::Agent => "agent",
        By::Model => "model",
        By::Workflow => "workflow",
    };
    table.set_header([
        first,
        "runs",
        "successes",
        "calls",
        "tokens in",
        "tokens out",
        "cost",
        "cost per success",
    ]);
    let lines = costs
        .lines
        .iter()
        .map(|line| (line.name.as_str(), &line.sum));
    for (name, sum) in lines.chain([("all", &costs.total)]) {
        table.add_row([
            text::line(name, SHOWN),
            sum.runs.to_string(),
            sum.successes.to_string(),
            sum.calls.to_string(),
            sum.input_tokens.to_string(),
            sum.output_tokens.to_string(),
            usd(sum.cost_micros),
            sum.cost_per_success_micros.map_or_else(String::new, usd),
        ]);
    }
    right_align(&mut table, 1);
    match costs.total.simulated_micros {
        0 => table.to_string(),
        micros => format!(
            "SIMULATED: {} of this comes from simulated models; nobody pays it\n{table}",
            usd(micros)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_pays_for_the_failures_beside_it() {
        let part = Sum {
            cost_micros: 50,
            ..Sum::default()
        };
        let mut sum = Sum::default();
        sum.run(&part, false);
        assert_eq!(sum.cost_per_success_micros, None);
        sum.run(&part, true);
        sum.run(&Sum::default(), true);
        sum.run(
            &Sum {
                cost_micros: 1,
                ..part.clone()
            },
            true,
        );
        assert_eq!((sum.runs, sum.successes, sum.cost_micros), (4, 3, 101));
        assert_eq!(sum.cost_per_success_micros, Some(34));
    }
}
