//! `hotcell bench agentarch`: five ways of working together, and an agent that works
//! alone, on the same three hundred tasks.
//!
//! `arms` says what is compared, `files` which workflow each arm is, `rates` how the
//! simulated model errs. `runner` has the trials done, `trial` and `lineage` read
//! what happened out of the reports. What the trials are worth is `hotcell-measure`'s.

mod arms;
mod files;
mod lineage;
pub(crate) mod observer;
mod rates;
mod runner;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use hotcell_measure::trial::{Failed, Price, Trial};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Exit, Output, Problem};
use crate::data::suite::select::Strategy;
use crate::data::suite::{Set, Suite};
use crate::screen;
use crate::wire::{self, Options, Workshop};
use arms::{Component, Pattern, Wanted};
use rates::Rates;
use runner::{Done, Stage};

#[derive(Args)]
pub(crate) struct AgentarchArgs {
    /// Which patterns [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    patterns: Vec<Pattern>,
    /// Only tasks of these sets [default: all]
    #[arg(long, value_name = "SET", value_delimiter = ',')]
    sets: Vec<Set>,
    /// How many of the 300 tasks
    #[arg(long, value_name = "N", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=300))]
    tasks: u64,
    /// How many seeds: each task is tried once under each
    #[arg(long, value_name = "K", default_value_t = 8,
          value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// The first seed; it also chooses the tasks and makes the data
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    seed: u64,
    /// How tasks are chosen when there are fewer than 300
    #[arg(long, value_name = "HOW", default_value = "random")]
    strategy: Strategy,
    /// Correlations of voters' mistakes
    #[arg(
        long,
        value_name = "RHO",
        value_delimiter = ',',
        default_value = "0,0.3,0.6"
    )]
    rho: Vec<f64>,
    /// Into how many stages the work is cut: 7 or 3, the main one first
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "7",
          value_parser = clap::value_parser!(u32).range(3..=7))]
    stages: Vec<u32>,
    /// Try every pattern without these components as well
    #[arg(long, value_name = "COMPONENT", value_delimiter = ',')]
    without: Vec<Component>,
    /// Trials at once in each arm
    #[arg(long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
    /// Where everything is written: report, trials, data, workflows
    #[arg(long, value_name = "DIR", default_value = "agentarch")]
    out: PathBuf,
    /// The folder with the plugins, as crates or as components
    #[arg(long, value_name = "DIR", default_value = "plugins")]
    plugins: PathBuf,
}

pub(crate) fn agentarch(args: &AgentarchArgs, output: Output) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    runtime.block_on(go(args, output))
}

async fn go(args: &AgentarchArgs, _output: Output) -> Result<Exit, Problem> {
    let suite = Suite::generate(args.seed);
    let count = usize::try_from(args.tasks).unwrap_or(usize::MAX);
    let mut tasks = suite.select(count, args.strategy, args.seed);
    tasks.retain(|task| args.sets.is_empty() || args.sets.contains(&task.set));
    let arms = arms::arms(&Wanted {
        patterns: match args.patterns.as_slice() {
            [] => Pattern::ALL.to_vec(),
            some => some.to_vec(),
        },
        stages: args.stages.clone(),
        rho: args.rho.clone(),
        without: args.without.clone(),
        adaptive: true,
        gates: args.without.contains(&Component::Gates),
    });
    let seeds: Vec<u64> = (0..args.seeds).map(|n| args.seed.wrapping_add(n)).collect();
    let price = Price {
        input_micros_per_mtok: 10_000_000,
        output_micros_per_mtok: 30_000_000,
    };
    let rates = Rates::published(price, rates::SCALE);
    let plugins = std::path::absolute(&args.plugins).map_err(Problem::failed)?;
    let plugins = plugins.display().to_string();
    let cache = wire::default_cache();
    let concurrency = usize::from(args.concurrency);
    let options = Options {
        // Every arm has its trials in cells at the same time.
        concurrency: concurrency.saturating_mul(arms.len()),
        cache: cache.clone(),
        ..Options::default()
    };
    let workshop = Workshop::new(&options)?;
    let cancel = CancellationToken::new();
    let done = BTreeMap::new();
    let stage = Stage {
        workshop: &workshop,
        suite: &suite,
        tasks: &tasks,
        rates: &rates,
        seeds: &seeds,
        folder: &args.out,
        plugins: &plugins,
        cache: &cache,
        concurrency,
        cancel: &cancel,
        done: &done,
    };
    stage.write_data()?;
    let started = Instant::now();
    let all = arms.len() * tasks.len() * seeds.len();
    let bar = screen::bar(all);
    let (to, mut from) = mpsc::channel::<Done>(16);
    let stage = &stage;
    let working = arms.iter().map(|arm| {
        let to = to.clone();
        async move { (arm.id.clone(), stage.arm(arm, &to).await) }
    });
    let working = futures::future::join_all(working);
    drop(to);
    let collecting = async {
        let mut trials: Vec<Trial> = Vec::new();
        while let Some(done) = from.recv().await {
            bar.inc(done.trials.len() as u64);
            trials.extend(done.trials);
        }
        trials
    };
    let (ended, trials) = tokio::join!(working, collecting);
    bar.finish_and_clear();
    let failed: Vec<Failed> = ended
        .into_iter()
        .filter_map(|(arm, ended)| {
            let why = ended.err()?.report.to_string();
            Some(Failed { arm, why })
        })
        .collect();
    for failed in &failed {
        screen::note(&format!("{} failed: {}", failed.arm, failed.why));
    }
    for arm in &arms {
        let of: Vec<&Trial> = trials.iter().filter(|it| it.arm == arm.id).collect();
        let right = of.iter().filter(|it| it.right).count();
        let n = of.len().max(1) as f64;
        let hit: Vec<_> = of.iter().filter_map(|it| it.cascade.as_ref()).collect();
        let epi = hit.iter().map(|it| it.propagated.len()).sum::<usize>() as f64
            / hit.len().max(1) as f64;
        let cost: u64 = of.iter().map(|it| it.spent.cost_micros).sum();
        let calls: u64 = of.iter().map(|it| it.spent.calls).sum();
        let lat: u64 = of.iter().map(|it| it.latency_micros).sum();
        let tools = of
            .iter()
            .filter_map(|it| it.tools)
            .filter(|it| it.right)
            .count();
        screen::result(&format!(
            "{:24} {right}/{} {:.3} epi {epi:.2} over {} cost {:.5} calls {:.2} mean {:.1}s tools {tools}",
            arm.id,
            of.len(),
            right as f64 / n,
            hit.len(),
            cost as f64 / n / 1e6,
            calls as f64 / n,
            lat as f64 / n / 1e6
        ));
    }
    screen::note(&format!(
        "{} trials in {:.1} s",
        trials.len(),
        started.elapsed().as_secs_f64()
    ));
    Ok(Exit::Done)
}
