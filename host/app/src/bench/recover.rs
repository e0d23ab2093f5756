//! `hotcell bench recover`: thousands of runs that a host left in the middle: how
//! long until another one has its journal open, knows where each of them is, and
//! has all of them at their end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotcell_store::journal::{Entry, Filter, Head, Journal, Record as Line, RunRow, Sync};
use hotcell_workflow::engine::history::{BEGUN, EVENT, History};
use hotcell_workflow::engine::{Engine, Job, told};
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::durable::{expect, kept};
use super::host::{self, Host, STEPS};
use super::sheet::{Figures, Goal, Times, size, table, time};
use crate::command::Problem;
use crate::{screen, wire};

/// So many runs are put into the journal, or go on, side by side.
const AT_ONCE: usize = 256;

/// So many runs are executed again at most: the rate does not change with more.
const REPLAYED: usize = 1_000;

/// The name of the journal on its disk.
const NAME: &str = "recover";

/// The kinds of records that a run of the measured workflow has.
const KINDS: [&str; 5] = [BEGUN, EVENT, "audit", "effect.intent", "effect.result"];

#[derive(Args)]
pub(crate) struct RecoverArgs {
    /// An agent that asks a model once for the kind `ask`: a crate's folder or a
    /// component
    #[arg(long, value_name = "PATH", default_value = "tests/guests/probe")]
    plugin: PathBuf,
    /// How many runs were left
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// The disk: a folder on it [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Serialize)]
pub(crate) struct Recover {
    file_system: String,
    runs: u32,
    /// Records of each of them, and bytes of all.
    records: usize,
    bytes: u64,
    /// Until the journal is open and its unfinished runs are listed: a host can
    /// answer for them.
    listed_ms: f64,
    /// Until every history is read, verified and fed to its machine: each run
    /// knows what is missing.
    read_ms: f64,
    /// Until all of them have ended, with what was missing done.
    ended_ms: f64,
    /// A step without a journal: the baseline.
    step: Times,
    /// A step executed again from the journal.
    replayed_step: Times,
    replayed_steps_per_second: f64,
}

pub(crate) fn recover(args: &RecoverArgs) -> Result<Recover, Problem> {
    let bytes = host::component(&args.plugin)?;
    let disk = Disk::new(args.state.as_deref())?;
    host::block_on(measure(args, &bytes, &disk))
}

async fn measure(args: &RecoverArgs, bytes: &[u8], disk: &Disk) -> Result<Recover, String> {
    let host = Host::quick(bytes, 64)?;
    let engine = || host.engine("ask", STEPS);
    screen::note(&format!("leaving {} runs in the middle", args.runs));
    let left = leave(args.runs, disk, engine()?).await?;
    let size = disk.size(NAME);

    let started = Instant::now();
    let journal = disk.durable(NAME)?;
    let open = Filter {
        open: true,
        ..Filter::default()
    };
    let rows = journal.reader().runs(&open).map_err(text)?;
    let listed = started.elapsed();
    let plan = Arc::new(host.plan("ask", STEPS));
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        let history = history(&journal, row)?;
        let report = told(&plan, &row.run, &history);
        if report.status != "running" {
            return Err(format!("a run that was left is {}", report.status));
        }
        jobs.push(Job::Resume(host::record_of(&row.run)));
    }
    let read = started.elapsed();
    let engine = Arc::new(kept(engine()?, &journal));
    let reports = engine
        .run_all(jobs, AT_ONCE, &CancellationToken::new(), |_| {})
        .await;
    let ended = started.elapsed();
    if let Some(bad) = reports.iter().find(|report| report.status != "success") {
        return Err(format!("a run ended as {}: {:?}", bad.status, bad.error));
    }
    let (step, replayed) = replay(&engine, &host, &journal, &rows).await?;
    let rate = 1e9 / replayed.p50_ns.max(1) as f64;
    Ok(Recover {
        file_system: disk.file_system(),
        runs: args.runs,
        records: left,
        bytes: size,
        listed_ms: ms(listed),
        read_ms: ms(read),
        ended_ms: ms(ended),
        step,
        replayed_step: replayed,
        replayed_steps_per_second: rate,
    })
}

/// Leaves so many runs in the middle: the records of a real one, cut off while its
/// sixth step has its answer and has not used it. Says how many records each has.
async fn leave(runs: u32, disk: &Disk, engine: Engine) -> Result<usize, String> {
    let whole = disk.journal("whole", Sync::Off)?;
    let record = host::fresh_record();
    let run = record.run.clone();
    expect(&kept(engine, &whole), record).await?;
    let lines = whole.reader().records(&run).map_err(text)?;
    let answers = lines.iter().enumerate();
    let mut answers = answers.filter(|(_, line)| line.kind == "effect.result");
    let (cut, _) = answers
        .nth(STEPS as usize / 2)
        .ok_or("a run of the measured workflow asks no model")?;
    let lines = Arc::new(lines.into_iter().take(cut + 1).collect::<Vec<_>>());
    // How it came there is not measured, so nothing is synced.
    let journal = disk.journal(NAME, Sync::Off)?;
    let (mut writing, mut left) = (JoinSet::new(), runs);
    while left > 0 || !writing.is_empty() {
        if left > 0 && writing.len() < AT_ONCE {
            left -= 1;
            writing.spawn(write(journal.clone(), Arc::clone(&lines)));
        } else if let Some(written) = writing.join_next().await {
            written.map_err(text)??;
        }
    }
    Ok(lines.len())
}

async fn write(journal: Journal, lines: Arc<Vec<Line>>) -> Result<(), String> {
    let head = Head {
        run: wire::new_id(),
        tenant: "bench".to_owned(),
        workflow: "bench".to_owned(),
        task: "bench".to_owned(),
        created_unix_ms: 0,
        parent: None,
    };
    let entry = |line: &Line| -> Result<Entry, String> {
        let kind = KINDS.into_iter().find(|kind| *kind == line.kind);
        let kind = kind.ok_or_else(|| format!("records of kind `{}` are new here", line.kind))?;
        let body: Value = serde_json::from_str(&line.body).map_err(text)?;
        Ok(Entry::new(kind, line.at_unix_ms, &body))
    };
    let entries = lines.iter().map(entry).collect::<Result<_, _>>()?;
    let written = journal.begin(head).append(entries).await;
    written.map(drop).map_err(text)
}

fn history(journal: &Journal, row: &RunRow) -> Result<History, String> {
    let records = journal.reader().records(&row.run).map_err(text)?;
    History::of(&records).map_err(text)
}

/// How long a step takes that was never kept, and one that is executed again.
async fn replay(
    engine: &Engine,
    host: &Host,
    journal: &Journal,
    rows: &[RunRow],
) -> Result<(Times, Times), String> {
    let fresh = host.engine("ask", STEPS)?;
    let (mut steps, mut replayed) = (Vec::new(), Vec::new());
    for row in rows.iter().take(REPLAYED) {
        let started = Instant::now();
        expect(&fresh, host::fresh_record()).await?;
        steps.push(started.elapsed() / STEPS);
        let started = Instant::now();
        let again = engine.replay(&row.run, &history(journal, row)?).await;
        let again = again.map_err(text)?;
        replayed.push(started.elapsed() / STEPS);
        if again.divergence.is_some() || again.executed != u64::from(STEPS) {
            return Err(format!("a replay went another way: {again:?}"));
        }
    }
    let steps = Times::new(steps, None);
    let replayed = Times::new(replayed, Some(&steps));
    Ok((steps, replayed))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Figures for Recover {
    fn render(&self) -> String {
        let (runs, records) = (self.runs, self.records);
        let mut text = format!(
            "disk      {}\nleft      {runs} runs of {records} records, {} in all\n",
            self.file_system,
            size(self.bytes)
        );
        let row = |name: &str, ms: f64| {
            let each = ms * 1e6 / f64::from(runs.max(1));
            [name.to_owned(), time((ms * 1e6) as u64), time(each as u64)]
        };
        let rows = [
            row("open, and all are listed", self.listed_ms),
            row("every history is read", self.read_ms),
            row("all have ended", self.ended_ms),
        ];
        text.push_str(&table(["until", "all", "a run"], rows));
        let rows = [
            ("not kept (baseline)", &self.step),
            ("executed again", &self.replayed_step),
        ];
        let rows = rows.map(|(name, times)| {
            let ratio = format!("{:.1}", times.ratio);
            [
                name.to_owned(),
                time(times.p50_ns),
                time(times.p99_ns),
                ratio,
            ]
        });
        text.push_str(&table(["a step", "P50", "P99", "ratio"], rows));
        let rate = self.replayed_steps_per_second;
        text.push_str(&format!("executed again: {rate:.0} steps a second\n"));
        text
    }

    fn goals(&self) -> Vec<Goal> {
        Vec::new()
    }
}
