//! `hotcell bench broker`: what it costs to ask whether a call may be made, to set
//! aside what it can cost, and to make it through the broker instead of without.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::join_all;
use hotcell_broker::ledger::{Alerts, Allowance, Caps, Hold, Ledger, Payer, Rules, Worth};
use hotcell_broker::llm::{LlmProvider, Message, Part, Request, ResponseFormat, Role};
use hotcell_broker::{Broker, Caller, Capability, Grants, Parts, Policy, Price, Route};
use hotcell_store::books::Books;
use serde::Serialize;

use super::disk::Disk;
use super::host::{self, Slow};
use super::sheet::{Figures, Goal, Times, table, time};
use crate::command::Problem;
use crate::wire;

/// So many plugins are in the policy, each with so many models and tools.
const PLUGINS: usize = 64;
const NAMES: usize = 16;

/// So many questions are asked between two looks at the clock.
const ASKED: u32 = 1_000;

/// So many reservations race for an account that holds a tenth of them.
const RACERS: u64 = 1_000;

/// The longest that an authorisation may take, in microseconds.
const AUTHORISED: f64 = 1.5;

#[derive(Args)]
pub(crate) struct BrokerArgs {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// The disk: a folder on it [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Serialize)]
pub(crate) struct Figured {
    file_system: String,
    /// A model call without the broker: the baseline.
    direct: Times,
    /// The same through the broker.
    broker: Times,
    /// And under a cap in memory.
    capped: Times,
    /// One question whether a model may be called.
    authorise_llm: Times,
    authorise_tool: Times,
    /// Until something is set aside and settled, in memory.
    memory: Times,
    /// The same on the disk, one after another.
    durable: Times,
    /// The same, 64 at once: for each of them.
    durable_64: Times,
    race: Race,
}

/// Many reservations at once, for an account that holds some of them.
#[derive(Serialize)]
struct Race {
    asked: u64,
    fit: u64,
    admitted: u64,
    /// Micro-dollars beyond the cap.
    overspent: u64,
    per_second: f64,
}

pub(crate) fn broker(args: &BrokerArgs) -> Result<Figured, Problem> {
    let disk = Disk::new(args.state.as_deref())?;
    host::block_on(measure(args, &disk))
}

async fn measure(args: &BrokerArgs, disk: &Disk) -> Result<Figured, String> {
    let memory = || Books::in_memory().map_err(|error| error.to_string());
    let plain = setup(None)?;
    let capped = setup(Some(ledger(&memory()?, u64::MAX)?))?;
    let direct = calls(args.rounds, &plain, Way::Direct, None).await?;
    let through = calls(args.rounds, &plain, Way::Broker, Some(&direct)).await?;
    let under_cap = calls(args.rounds, &capped, Way::Broker, Some(&direct)).await?;
    let in_memory = turns(args.rounds, 1, &ledger(&memory()?, u64::MAX)?, &direct).await?;
    let kept = Books::open(&disk.dir().join("books")).map_err(|error| error.to_string())?;
    let kept = ledger(&kept, u64::MAX)?;
    let durable = turns(args.rounds, 1, &kept, &direct).await?;
    let durable_64 = turns(args.rounds.div_ceil(64), 64, &kept, &direct).await?;
    let race = race(&memory()?).await?;
    Ok(Figured {
        file_system: disk.file_system(),
        authorise_llm: authorise(args.rounds, &plain, Capability::Llm, &direct)?,
        authorise_tool: authorise(args.rounds, &plain, Capability::Tools, &direct)?,
        direct,
        broker: through,
        capped: under_cap,
        memory: in_memory,
        durable,
        durable_64,
        race,
    })
}

/// A broker over a policy of some size, and somebody who asks it.
struct Setup {
    broker: Broker,
    caller: Caller,
    model: Arc<dyn LlmProvider>,
}

fn name(what: &str, number: usize) -> String {
    format!("{what}-{number}")
}

fn setup(ledger: Option<Ledger>) -> Result<Setup, String> {
    let names = |what: &str| (0..NAMES).map(|number| name(what, number)).collect();
    let grants = || Grants {
        llm: names("model"),
        tools: names("tool"),
        ..Grants::default()
    };
    let plugins = (0..PLUGINS).map(|number| (name("plugin", number), grants()));
    let model: Arc<dyn LlmProvider> = Arc::new(Slow::new(Duration::ZERO));
    let route = Route {
        provider: Arc::clone(&model),
        price: price(),
        timeout: host::LONG,
        max_output_tokens: None,
    };
    let parts = Parts {
        policy: Policy {
            plugin: plugins.collect(),
            ..Policy::default()
        },
        models: BTreeMap::from([(name("model", NAMES / 2), route)]),
        ledger,
        ..Parts::default()
    };
    Ok(Setup {
        broker: Broker::assemble(parts).map_err(|error| error.to_string())?,
        caller: Caller {
            plugin: name("plugin", PLUGINS / 2),
            ..host::caller()
        },
        model,
    })
}

fn price() -> Price {
    Price {
        input_micros_per_mtok: 150_000,
        output_micros_per_mtok: 600_000,
    }
}

fn ledger(books: &Books, cap: u64) -> Result<Ledger, String> {
    let usd = Allowance {
        micros: Some(cap),
        tokens: None,
    };
    let rules = Rules {
        tenant: Caps {
            run: usd,
            day: usd,
            ..Caps::default()
        },
        ..Rules::default()
    };
    let opened = Ledger::open(books.clone(), rules, wire::now_unix_ms(), Alerts::default());
    opened.map_err(|error| error.to_string())
}

#[derive(Clone, Copy)]
enum Way {
    Direct,
    Broker,
}

fn request() -> Request {
    Request {
        model: name("model", NAMES / 2),
        messages: vec![Message {
            role: Role::User,
            content: vec![Part::Text("x".repeat(2_000))],
        }],
        tools: Vec::new(),
        response_format: ResponseFormat::Text,
        max_tokens: Some(1_000),
        temperature: None,
        seed: None,
        stop: Vec::new(),
    }
}

/// Calls of a model that answers at once.
async fn calls(
    rounds: u32,
    setup: &Setup,
    way: Way,
    baseline: Option<&Times>,
) -> Result<Times, String> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let request = request();
        // An attempt has so many effects, and a meter as many records.
        let caller = Caller {
            sequence: Arc::default(),
            meter: Arc::default(),
            ..setup.caller.clone()
        };
        let started = Instant::now();
        match way {
            Way::Direct => {
                let answer = setup.model.complete(&setup.broker, &caller, &request).await;
                answer.result.map(drop).map_err(|error| error.to_string())?;
            }
            Way::Broker => {
                let answer = setup.broker.complete(&caller, request).await;
                answer.map(drop).map_err(|error| error.to_string())?;
            }
        }
        times.push(started.elapsed());
    }
    Ok(Times::new(times, baseline))
}

fn authorise(
    rounds: u32,
    setup: &Setup,
    capability: Capability,
    baseline: &Times,
) -> Result<Times, String> {
    let what = match capability {
        Capability::Llm => "model",
        _ => "tool",
    };
    let resource = name(what, NAMES / 3);
    let mut times = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        for _ in 0..ASKED {
            let access = std::hint::black_box(resource.as_str());
            let allowed = setup.broker.allow(&setup.caller, capability, access);
            allowed.map_err(|denial| denial.to_string())?;
        }
        times.push(started.elapsed() / ASKED);
    }
    Ok(Times::new(times, Some(baseline)))
}

fn payer(run: &str) -> Payer<'_> {
    Payer {
        run,
        tenant: "bench",
        plugin: "agent",
        behalf: &[],
        model: Some("model"),
        tool: None,
    }
}

/// So many calls at once set something aside and settle it; the time of each.
async fn turns(
    rounds: u32,
    at_once: usize,
    ledger: &Ledger,
    baseline: &Times,
) -> Result<Times, String> {
    let most = Worth {
        micros: 1_000,
        tokens: 2_000,
    };
    let mut times = Vec::new();
    for _ in 0..rounds {
        let turn = || async {
            let hold = ledger.reserve(payer("bench"), most).await;
            let hold = hold.map_err(|why| format!("{why:?}"))?;
            hold.settle(most).await.map_err(|error| error.to_string())
        };
        let started = Instant::now();
        let all = join_all((0..at_once).map(|_| turn())).await;
        all.into_iter().collect::<Result<(), String>>()?;
        let each = u32::try_from(at_once).unwrap_or(u32::MAX);
        times.push(started.elapsed() / each.max(1));
    }
    Ok(Times::new(times, Some(baseline)))
}

/// All reserve before any settles, on the threads of the runtime.
async fn race(books: &Books) -> Result<Race, String> {
    let each = Worth {
        micros: 1_000,
        tokens: 0,
    };
    let fit = RACERS / 10;
    let ledger = ledger(books, fit * each.micros)?;
    let started = Instant::now();
    let racers = (0..RACERS).map(|_| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.reserve(payer("race"), each).await.ok() })
    });
    let held: Vec<Hold> = join_all(racers)
        .await
        .into_iter()
        .filter_map(|joined| joined.ok().flatten())
        .collect();
    let took = started.elapsed();
    let admitted = held.len() as u64;
    for hold in held {
        hold.settle(each).await.map_err(|error| error.to_string())?;
    }
    let standings = ledger.shared("bench").map_err(|error| error.to_string())?;
    let over = standings.iter().map(|it| it.spent.saturating_sub(it.cap));
    Ok(Race {
        asked: RACERS,
        fit,
        admitted,
        overspent: over.sum(),
        per_second: RACERS as f64 / took.as_secs_f64(),
    })
}

impl Figures for Figured {
    fn render(&self) -> String {
        let row = |what: &str, times: &Times| {
            [
                what.to_owned(),
                time(times.p50_ns),
                time(times.p99_ns),
                format!("{:.2}", times.ratio),
            ]
        };
        let rows = [
            row("model call without the broker (baseline)", &self.direct),
            row("model call through the broker", &self.broker),
            row("the same under a cap, in memory", &self.capped),
            row("may it call this model", &self.authorise_llm),
            row("may it call this tool", &self.authorise_tool),
            row("set aside and settled, in memory", &self.memory),
            row("set aside and settled, on the disk", &self.durable),
            row("the same, 64 at once, for each", &self.durable_64),
        ];
        let Race {
            asked,
            fit,
            admitted,
            overspent,
            per_second,
        } = self.race;
        format!(
            "disk      {}\npolicy    {PLUGINS} plugins with {NAMES} models and {NAMES} tools each\n\n\
             {}\n{asked} reservations race for an account with room for {fit}: {admitted} admitted, \
             {overspent} micro-dollars beyond the cap, {per_second:.0} a second\n\n",
            self.file_system,
            table(["", "P50", "P99", "against the baseline"], rows)
        )
    }

    fn goals(&self) -> Vec<Goal> {
        let asked = |what: &str, times: &Times| {
            let micros = times.p50_ns as f64 / 1e3;
            Goal::at_most(format!("may it call this {what}"), micros, AUTHORISED, "µs")
        };
        let wrong = self.race.admitted.abs_diff(self.race.fit);
        vec![
            asked("model", &self.authorise_llm),
            asked("tool", &self.authorise_tool),
            Goal::at_most("beyond the cap", self.race.overspent as f64, 0.0, "µ$"),
            Goal::at_most("admitted wrongly", wrong as f64, 0.0, "calls"),
        ]
    }
}
