//! What was typed, and what it means: presets, defaults, and what does not go
//! together.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hotcell_measure::cost::Prices;
use hotcell_measure::trial::{Mode, Price};

use super::arms::{Component, Pattern, Wanted};
use super::rates::SCALE;
use crate::command::{Exit, Problem};
use crate::data::suite::Set;
use crate::data::suite::select::Strategy;
use crate::manifest::endpoint::{ModelChoice, choose};
use crate::manifest::host::{ApiKey, Provider};

/// The most a demonstration may cost, in micro-dollars: 3 dollars.
const DEMO_MICROS: u64 = 3_000_000;

/// The most a full run may cost, in micro-dollars: 60 dollars.
const FULL_MICROS: u64 = 60_000_000;

/// Whose price the simulated model has unless somebody says otherwise.
const PRICED_AS: &str = "gpt-4-turbo";

#[derive(Args)]
pub(crate) struct AgentarchArgs {
    /// Which patterns [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    patterns: Vec<Pattern>,
    /// Only tasks of these sets [default: all]
    #[arg(long, value_name = "SET", value_delimiter = ',')]
    pub(super) sets: Vec<Set>,
    /// How many of the 300 tasks [default: 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=300))]
    tasks: Option<u64>,
    /// Under how many seeds each task is tried; 0 only sees whether every arm solves every task
    /// when nothing goes wrong [default: 8 simulated, 1 otherwise]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(0..=1_000))]
    seeds: Option<u64>,
    /// The first seed; it also makes the data and chooses the tasks
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    pub(super) seed: u64,
    /// How tasks are chosen when there are fewer than 300
    #[arg(long, value_name = "HOW", default_value = "random")]
    pub(super) strategy: Strategy,
    /// Where answers come from
    #[arg(long, value_name = "MODE", default_value = "sim")]
    mode: ModeArg,
    /// The model of the modes `live`, `record` and `replay`: `openai@URL#NAME`
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Its price: micro-dollars for a million input and output tokens
    #[arg(long, value_name = "IN,OUT", requires = "model")]
    price: Option<String>,
    /// The model of the price table that the simulated one is priced as
    #[arg(long, value_name = "NAME", default_value = PRICED_AS)]
    priced_as: String,
    /// A JSON file with prices beside those of the table
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Never spend more than this, over all calls together
    #[arg(long, value_name = "USD")]
    budget_usd: Option<f64>,
    /// Tasks, seeds and budget at once: `demo` is 30 tasks in 3 stages for 3 dollars at most,
    /// `full` all 300 for 60
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,
    /// By what the simulated rates of wrong content are multiplied [default: the fitted number]
    #[arg(long, value_name = "X")]
    scale: Option<f64>,
    /// Correlations of voters' mistakes, simulated
    #[arg(
        long,
        value_name = "RHO",
        value_delimiter = ',',
        default_value = "0,0.3,0.6"
    )]
    rho: Vec<f64>,
    /// Into how many stages the work is cut: 7 or 3, the main one first [default: 7]
    #[arg(long, value_name = "N", value_delimiter = ',',
          value_parser = clap::builder::PossibleValuesParser::new(["7", "3"]))]
    stages: Vec<String>,
    /// Try every pattern without each of these as well
    #[arg(long, value_name = "COMPONENT", value_delimiter = ',')]
    without: Vec<Component>,
    /// The main arms alone: no other correlations, no adaptive vote
    #[arg(long)]
    main_only: bool,
    /// Trials at once in each arm
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) concurrency: u16,
    /// Where everything is written: report, trials, data, workflows. What is there already of the
    /// same benchmark is not done again
    #[arg(long, value_name = "DIR", default_value = "agentarch")]
    pub(super) out: PathBuf,
    /// Where recordings are [default: `cassettes` in the folder of `--out`]
    #[arg(long, value_name = "DIR")]
    pub(super) cassettes: Option<PathBuf>,
    /// Do everything again and compare with the report in `--out`, byte for byte
    #[arg(long)]
    pub(super) verify: bool,
    /// The course's own three files in a folder: audited, and worked on instead of the 300 tasks
    #[arg(long, value_name = "DIR")]
    pub(super) compat: Option<PathBuf>,
    /// The folder with the plugins, as crates or as components
    #[arg(long, value_name = "DIR", default_value = "plugins")]
    pub(super) plugins: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// A simulated model: the reference solver with faults
    Sim,
    /// A real model, and every call is written down
    Record,
    /// What was written down, without any network
    Replay,
    /// A real model
    Live,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Preset {
    Demo,
    Full,
}

/// A model that is not simulated.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Endpoint {
    /// How it is spoken to.
    pub(super) protocol: &'static str,
    pub(super) base_url: String,
    pub(super) name: String,
    /// The environment variable with the key, if one is needed.
    pub(super) key: Option<String>,
    pub(super) price: Price,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) wanted: Wanted,
    pub(super) tasks: usize,
    pub(super) seeds: Vec<u64>,
    pub(super) mode: Mode,
    /// None where the model is simulated.
    pub(super) endpoint: Option<Endpoint>,
    /// The name and price that the model goes by.
    pub(super) priced_as: (String, Price),
    /// In micro-dollars.
    pub(super) budget: Option<u64>,
    /// The fitted number, unless somebody wants another.
    pub(super) scale: f64,
}

fn wrong(what: &str, help: &'static str) -> Problem {
    Problem::new(Exit::CommandLine, miette::miette!(help = help, "{what}"))
}

fn endpoint(model: &str, price: Option<&str>) -> Result<Endpoint, Problem> {
    let choice = choose(model, price).map_err(|e| Problem::new(Exit::CommandLine, e))?;
    let ModelChoice::Server(model) = choice else {
        let help = "write it as `openai@http://127.0.0.1:11434/v1#NAME`";
        return Err(wrong("`--model` names no server", help));
    };
    let Provider::Remote {
        protocol,
        endpoint,
        model: name,
        api_key,
        ..
    } = model.provider
    else {
        return Err(Problem::failed("a server that is none"));
    };
    let key = match api_key {
        Some(ApiKey::Env(variable)) => Some(variable),
        Some(ApiKey::File(_)) | None => None,
    };
    Ok(Endpoint {
        protocol: protocol.word(),
        base_url: endpoint.base_url,
        name,
        key,
        price: Price {
            input_micros_per_mtok: model.price.input_micros_per_mtok,
            output_micros_per_mtok: model.price.output_micros_per_mtok,
        },
    })
}

impl AgentarchArgs {
    /// What it comes to.
    pub(super) fn settings(&self) -> Result<Settings, Problem> {
        let mode = match self.mode {
            ModeArg::Sim => Mode::Sim,
            ModeArg::Record => Mode::Record,
            ModeArg::Replay => Mode::Replay,
            ModeArg::Live => Mode::Live,
        };
        let preset = |demo: u64, full: u64| {
            self.preset.map(|preset| match preset {
                Preset::Demo => demo,
                Preset::Full => full,
            })
        };
        let budget = match self.budget_usd {
            None => preset(DEMO_MICROS, FULL_MICROS),
            Some(usd) if usd > 0.0 && usd <= 1e6 => Some((usd * 1e6).floor() as u64),
            Some(_) => {
                return Err(wrong(
                    "`--budget-usd` is no amount",
                    "from 0.000001 to 1000000",
                ));
            }
        };
        let endpoint = match (mode, &self.model) {
            (Mode::Sim, None) => None,
            (Mode::Sim, Some(_)) => {
                let help = "say `--mode live` or `record` for a real one, or leave `--model` out";
                return Err(wrong("a simulated model has no `--model`", help));
            }
            (_, None) => {
                let help = "`--model openai@http://127.0.0.1:11434/v1#NAME`";
                return Err(wrong("this mode needs to know the model", help));
            }
            (_, Some(model)) => Some(endpoint(model, self.price.as_deref())?),
        };
        if matches!(mode, Mode::Live | Mode::Record) && budget.is_none() {
            let help = "`--budget-usd 3`, or `--preset demo` or `full`, which have one";
            return Err(wrong(
                "a real model costs money: say how much at most",
                help,
            ));
        }
        let rho_is_no_rate = |rho: &&f64| !(0.0..=1.0).contains(*rho);
        if self.rho.iter().any(|rho| rho_is_no_rate(&rho)) {
            return Err(wrong("`--rho` is no correlation", "from 0 to 1"));
        }
        let simulated = mode == Mode::Sim;
        let priced_as = match &endpoint {
            None => (self.priced_as.clone(), self.price_of(&self.priced_as)?),
            Some(endpoint) => (endpoint.name.clone(), endpoint.price),
        };
        let seeds = self.seeds.unwrap_or(if simulated { 8 } else { 1 });
        let stages = self.stages.iter().filter_map(|it| it.parse().ok());
        let mut stages: Vec<u32> = stages.collect();
        stages.dedup();
        if stages.is_empty() {
            stages.push(if self.preset == Some(Preset::Demo) {
                3
            } else {
                7
            });
        }
        let wanted = Wanted {
            patterns: match self.patterns.as_slice() {
                [] => Pattern::ALL.to_vec(),
                some => {
                    let mut some = some.to_vec();
                    some.sort_unstable();
                    some.dedup();
                    some
                }
            },
            stages,
            // What voters share is a dial of the simulator.
            rho: match simulated && !self.main_only {
                true => self.rho.clone(),
                false => Vec::new(),
            },
            without: self.without.clone(),
            adaptive: !self.main_only && self.preset.is_none(),
            gates: self.without.contains(&Component::Gates),
        };
        let tasks = self.tasks.or(preset(30, 300)).unwrap_or(300);
        Ok(Settings {
            wanted,
            tasks: usize::try_from(tasks).unwrap_or(usize::MAX),
            seeds: (0..seeds).map(|n| self.seed.wrapping_add(n)).collect(),
            mode,
            endpoint,
            priced_as,
            budget,
            scale: match self.scale {
                None => SCALE,
                Some(scale) if (0.0..=20.0).contains(&scale) => scale,
                Some(_) => return Err(wrong("`--scale` is out of range", "from 0 to 20")),
            },
        })
    }

    fn price_of(&self, name: &str) -> Result<Price, Problem> {
        let mut prices = Prices::course();
        if let Some(path) = &self.prices {
            let shown = path.display();
            let files = |why: String| {
                let report = miette::miette!(help = "see `--prices`", "`{shown}`: {why}");
                Problem::new(Exit::Files, report)
            };
            let text = std::fs::read_to_string(path).map_err(|e| files(e.to_string()))?;
            prices = prices.with(Prices::parse(&text).map_err(|e| files(e.to_string()))?);
        }
        prices.of(name).map_err(|error| {
            let known: Vec<_> = prices.iter().map(|(name, _)| format!("`{name}`")).collect();
            let help = format!(
                "known are {}; `--prices FILE` adds others",
                known.join(", ")
            );
            Problem::new(Exit::CommandLine, miette::miette!(help = help, "{error}"))
        })
    }
}
