//! `hotcell bench durable`: what it costs that every step survives a loss of
//! power, at several numbers of runs at once, against the same steps without a
//! journal; and how a journal grows with a conversation.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotcell_store::journal::{Journal, Sync};
use hotcell_workflow::engine::{Durable as Kept, Engine, Record};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::host::{self, Host, STEPS};
use super::sheet::{Figures, Goal, Times, size, table, time};
use crate::command::Problem;
use crate::screen;
use crate::state::clock;

/// A turn late in a conversation writes at most so much more than an early one.
const GROWTH: f64 = 1.5;

#[derive(Args)]
pub(crate) struct DurableArgs {
    /// An agent with the behaviours of `tests/guests/probe`: a crate's folder or
    /// a component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many runs are under way at once, one measurement each
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1,16,256,1024",
          value_parser = clap::value_parser!(u32).range(1..=5_000))]
    runs: Vec<u32>,
    /// How long each measurement takes
    #[arg(long, value_name = "S", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// How many turns the conversations have whose journals are weighed
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "10,50,100",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    turns: Vec<u32>,
    /// The disk: a folder on it [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Serialize)]
pub(crate) struct Durable {
    file_system: String,
    /// Until four kibibytes are on the disk, at the end of a file.
    sync: Times,
    /// And in its middle.
    sync_in_place: Times,
    levels: Vec<Level>,
    conversations: Vec<Conversation>,
}

/// So many runs at once.
#[derive(Serialize)]
struct Level {
    runs: u32,
    /// The baseline.
    without: Load,
    /// A journal that survives the end of the process.
    normal: Load,
    /// A journal that survives a loss of power.
    full: Load,
}

/// What came of one measurement.
#[derive(Serialize)]
struct Load {
    steps_per_second: f64,
    /// Of a step: a tenth of a run of ten.
    step: Times,
    /// Steps a second, against those without a journal.
    ratio: f64,
}

#[derive(Serialize)]
struct Conversation {
    turns: u32,
    bytes: u64,
    bytes_per_turn: f64,
}

pub(crate) fn durable(args: &DurableArgs) -> Result<Durable, Problem> {
    let bytes = host::component(&args.plugin)?;
    let disk = Disk::new(args.state.as_deref())?;
    host::block_on(measure(args, &bytes, &disk))
}

async fn measure(args: &DurableArgs, bytes: &[u8], disk: &Disk) -> Result<Durable, String> {
    let most = args.runs.iter().copied().max().unwrap_or(1);
    let host = Host::quick(bytes, most.max(64))?;
    let [longer, in_place] = disk.syncs()?;
    let sync = Times::new(longer, None);
    let mut levels = Vec::new();
    for runs in &args.runs {
        let seconds = args.seconds;
        screen::note(&format!("{runs} runs at once, 3 × {seconds} s"));
        let journal = |name: &str, sync| disk.journal(&format!("{name}-{runs}"), sync);
        let without = load(host.engine("echo", STEPS)?, *runs, seconds, None).await?;
        let normal = journal("normal", Sync::Normal)?;
        let normal = kept(host.engine("echo", STEPS)?, &normal);
        let normal = load(normal, *runs, seconds, Some(&without)).await?;
        let full = journal("full", Sync::Full)?;
        let full = kept(host.engine("echo", STEPS)?, &full);
        let full = load(full, *runs, seconds, Some(&without)).await?;
        levels.push(Level {
            runs: *runs,
            without,
            normal,
            full,
        });
    }
    let journal = disk.durable("conversations")?;
    let mut conversations = Vec::new();
    for turns in &args.turns {
        let engine = kept(host.engine(&format!("converse-{turns}"), 1)?, &journal);
        let record = host::fresh_record();
        let run = record.run.clone();
        expect(&engine, record).await?;
        let row = journal.reader().run(&run).map_err(|e| e.to_string())?;
        conversations.push(Conversation {
            turns: *turns,
            bytes: row.bytes,
            bytes_per_turn: row.bytes as f64 / f64::from(*turns),
        });
    }
    Ok(Durable {
        file_system: disk.file_system(),
        sync_in_place: Times::new(in_place, Some(&sync)),
        sync,
        levels,
        conversations,
    })
}

/// An engine whose runs are kept in this journal.
pub(super) fn kept(engine: Engine, journal: &Journal) -> Engine {
    engine.durable(Kept {
        journal: journal.clone(),
        clock: clock(),
        definition: "bench".into(),
    })
}

/// One run, which must succeed.
pub(super) async fn expect(engine: &Engine, record: Record) -> Result<(), String> {
    let report = engine.run(record, CancellationToken::new()).await;
    match report.status {
        "success" => Ok(()),
        status => Err(format!("a run ended as {status}: {:?}", report.error)),
    }
}

/// So many runs at once, one after another, for so long.
async fn load(
    engine: Engine,
    runs: u32,
    seconds: u32,
    baseline: Option<&Load>,
) -> Result<Load, String> {
    let engine = Arc::new(engine);
    let started = Instant::now();
    let end = started + Duration::from_secs(seconds.into());
    let one = |engine: Arc<Engine>| async move {
        let mut times = Vec::new();
        while Instant::now() < end {
            let started = Instant::now();
            expect(&engine, host::fresh_record()).await?;
            times.push(started.elapsed() / STEPS);
        }
        Ok::<_, String>(times)
    };
    let all: Vec<_> = (0..runs)
        .map(|_| tokio::spawn(one(Arc::clone(&engine))))
        .collect();
    let mut times = Vec::new();
    for run in all {
        times.extend(run.await.map_err(|error| error.to_string())??);
    }
    let steps = times.len() as f64 * f64::from(STEPS);
    let steps_per_second = steps / started.elapsed().as_secs_f64();
    Ok(Load {
        steps_per_second,
        step: Times::new(times, baseline.map(|it| &it.step)),
        ratio: baseline.map_or(1.0, |it| steps_per_second / it.steps_per_second),
    })
}

impl Figures for Durable {
    fn render(&self) -> String {
        let [sync, in_place] = [&self.sync, &self.sync_in_place].map(|it| time(it.p50_ns));
        let mut text = format!(
            "disk      {}; until a write is durable: {sync} at the end of a file, {in_place} in \
             its middle (medians)\n",
            self.file_system
        );
        let rows = self.levels.iter().flat_map(|level| {
            let loads = [
                ("no journal (baseline)", &level.without),
                ("journal, process", &level.normal),
                ("journal, power", &level.full),
            ];
            loads.map(|(name, load)| {
                [
                    format!("{} runs, {name}", level.runs),
                    format!("{:.0}", load.steps_per_second),
                    time(load.step.p50_ns),
                    time(load.step.p99_ns),
                    format!("{:.2}", load.ratio),
                ]
            })
        });
        text.push_str(&table(["at once", "steps/s", "P50", "P99", "ratio"], rows));
        let rows = self.conversations.iter().map(|it| {
            [
                format!("{} turns", it.turns),
                size(it.bytes),
                format!("{:.0} B", it.bytes_per_turn),
            ]
        });
        text.push_str(&table(["conversation", "journal", "a turn"], rows));
        text.push_str(
            "a step is a tenth of a run of ten; a journal for the process is not synced\n",
        );
        text
    }

    fn goals(&self) -> Vec<Goal> {
        let (Some(first), Some(last)) = (self.conversations.first(), self.conversations.last())
        else {
            return Vec::new();
        };
        let growth = last.bytes_per_turn / first.bytes_per_turn;
        let what = format!("a turn of {} against one of {}", last.turns, first.turns);
        vec![Goal::at_most(what, growth, GROWTH, "×")]
    }
}
