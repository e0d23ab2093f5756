//! `hotcell run`: a workflow over all its records.

use std::convert::Infallible;
use std::error::Error;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hotcell_broker::text;
use hotcell_workflow::engine::{Job, Report};
use indicatif::ProgressBar;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Exit, Output, Problem, WorkflowArgs};
use crate::definition::FilesUsed;
use crate::manifest::Checked;
use crate::manifest::records::{Records, load_records};
use crate::results::{Facts, Results};
use crate::score::Gold;
use crate::state::{State, halted};
use crate::watch::Watch;
use crate::wire::{self, Assembly, Keep, Options};
use crate::{report, screen, timeline};

/// So many runs that have not ended are told of one by one.
const OPEN: usize = 20;

/// What another process writes into the journal to end a run.
pub(crate) const CANCEL: &str = "cancel";

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    told: Told,
    /// Records worked on at once: 1 to 5000
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=5000))]
    concurrency: u16,
    /// Only the first N records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Write every value that is handed to a plugin here, one JSON line each
    #[arg(long, value_name = "FILE")]
    tape: Option<PathBuf>,
    /// Write what runs do here while they do it, one JSON line for each event
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
    /// Keep nothing of the runs: they cannot be resumed, shown or replayed
    #[arg(long)]
    ephemeral: bool,
}

/// How the results are told.
#[derive(Args)]
pub(crate) struct Told {
    /// Write the machine-readable result here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw the run of this record after the report: steps, tries, effects
    #[arg(long, value_name = "RECORD")]
    show: Option<String>,
}

/// Where the host keeps what is its own.
#[derive(Args)]
pub(crate) struct Places {
    /// Where runs are kept [default: the user's folder for state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where compiled plugins are kept [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Places {
    pub(crate) fn state(&self) -> State {
        State::at(self.state.as_deref())
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(wire::default_cache)
    }
}

impl Told {
    /// A path with a slip in it must not cost the results of a paid run.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let Some(path) = &self.out else { return Ok(()) };
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let wrong = |e| Problem::failed(format!("cannot write `{}`: {e}", path.display()));
        opened.map(drop).map_err(wrong)
    }
}

pub(crate) fn run(args: RunArgs, output: Output) -> Result<Exit, Problem> {
    let checked = wire::read(&args.workflow)?;
    for warning in &checked.warnings {
        screen::warning(warning.clone());
    }
    let input = &checked.workflow.input;
    let mut records = load_records(&input.file, &input.id)
        .map_err(|problem| Problem::new(Exit::Files, problem))?;
    if let Some(limit) = args.limit {
        let first = |index: usize| (index as u64) < limit;
        records.good.retain(|record| first(record.index));
        records.bad.retain(|record| first(record.index));
    }
    let gold = gold(&checked)?;
    // It listens and reports. Guests have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    runtime.block_on(go(&args, &checked, records, gold, output))
}

async fn go(
    args: &RunArgs,
    checked: &Checked,
    records: Records,
    gold: Option<Gold>,
    output: Output,
) -> Result<Exit, Problem> {
    args.told.check()?;
    let keep = match args.ephemeral {
        true => None,
        false => {
            let state = args.places.state();
            Some(Keep {
                journal: state.own(false)?,
                files: FilesUsed::of(&args.workflow),
                state,
            })
        }
    };
    let (teller, watch) = Watch::new(args.events.as_deref())?;
    let options = Options {
        concurrency: usize::from(args.concurrency),
        cache: args.places.cache(),
        keep,
        pinned: None,
        tape: args.tape.clone(),
        teller,
        bench: None,
    };
    let assembly = wire::assemble(checked, &options).await?;
    screen::detail(&format!("compiled {} components", assembly.compiled));
    for model in &assembly.models {
        screen::note(&format!("model {}: {}", model.alias, model.what));
    }
    let batch = wire::new_id();
    let starts = records.good.iter().map(wire::start_record).collect();
    let jobs = assembly.engine.enlist(starts, &batch).await;
    let jobs = jobs.map_err(|halt| halted(&halt))?;
    let started = Instant::now();
    let (reports, cancelled) = work(&assembly, jobs, options.concurrency, watch).await?;
    let facts = Facts {
        checked,
        assembly: &assembly,
        records: &records,
        gold: gold.as_ref(),
        wall: started.elapsed(),
        concurrency: options.concurrency,
    };
    tell(&facts, &reports, &args.told, output, cancelled)
}

/// Does these jobs with a bar and an ear for Ctrl-C. Says whether they were cut
/// short.
pub(crate) async fn work(
    assembly: &Assembly,
    jobs: Vec<Job>,
    concurrency: usize,
    mut watch: Watch,
) -> Result<(Vec<Report>, bool), Problem> {
    let cancel = CancellationToken::new();
    let listener = on_interrupt(cancel.clone())?;
    let bar = screen::bar(jobs.len());
    let reports = perform(assembly, jobs, concurrency, &mut watch, &bar, &cancel).await;
    watch.finish();
    bar.finish_and_clear();
    listener.abort();
    Ok((reports, cancel.is_cancelled()))
}

/// Does these jobs, which may be some of many that one bar and one listener are for.
pub(crate) async fn perform(
    assembly: &Assembly,
    jobs: Vec<Job>,
    concurrency: usize,
    watch: &mut Watch,
    bar: &ProgressBar,
    cancel: &CancellationToken,
) -> Vec<Report> {
    let ended = |report: &Report| {
        let task = text::line(&report.task, text::LINE);
        for line in &report.records.log {
            let who = format!("{task} {} {}.{}", line.plugin, line.step, line.attempt);
            bar.suspend(|| screen::detail(&format!("{who}: {}", line.text)));
        }
        bar.inc(1);
    };
    let engine = Arc::clone(&assembly.engine);
    let beside = async {
        // Both go on for as long as there may be anything to hear.
        tokio::join!(heed(assembly), watch.follow(bar)).0
    };
    let reports = tokio::select! {
        reports = engine.run_all(jobs, concurrency, cancel, ended) => reports,
        never = beside => match never {},
    };
    bar.suspend(|| warn(assembly));
    reports
}

/// Warns of accounts that run low, once for each line of the policy and mark.
fn warn(assembly: &Assembly) {
    for alert in assembly.ledger.alerts().take_new() {
        screen::warning(miette::miette!(
            severity = miette::Severity::Warning,
            help =
                "what does not fit in the rest is refused; raise it in the policy if that is right",
            "{} % is spent of what the policy allows: {}",
            alert.percent,
            alert.line
        ));
    }
}

/// Tells what came of it, in the forms that were asked for.
pub(crate) fn tell(
    facts: &Facts<'_>,
    reports: &[Report],
    told: &Told,
    output: Output,
    cancelled: bool,
) -> Result<Exit, Problem> {
    let results = Results::new(facts, reports);
    let text = serde_json::to_string_pretty(&results).map_err(Problem::failed)?;
    if let Some(path) = &told.out {
        std::fs::write(path, format!("{}\n", text::json(&text)))
            .map_err(|e| Problem::failed(format!("cannot write `{}`: {e}", path.display())))?;
    }
    match output.json {
        true => screen::json(&text),
        false => screen::result(&report::render(&results, screen::colours())),
    }
    if let Some(task) = &told.show {
        match reports.iter().find(|report| report.task == *task) {
            Some(report) if !output.json => screen::result(&timeline::render(report)),
            Some(_) => {}
            None => screen::note(&format!("no record `{task}` was run, so it is not shown")),
        }
    }
    for line in open(reports) {
        screen::note(&line);
    }
    let exit = exit(&results, cancelled);
    if exit != Exit::Done {
        screen::note(&ending(&results, exit));
    }
    Ok(exit)
}

/// Does what other processes ask of this one, while it works.
async fn heed(assembly: &Assembly) -> Infallible {
    let mut look = tokio::time::interval(Duration::from_millis(200));
    loop {
        look.tick().await;
        warn(assembly);
        let Some(journal) = &assembly.journal else {
            continue;
        };
        // Runs hear of a journal that fails, and end.
        for asked in journal.asked().await.unwrap_or_default() {
            if asked.what == CANCEL {
                screen::note(&format!("{} is cancelled, as was asked", asked.run));
                assembly.engine.cancel(&asked.run);
            }
        }
    }
}

/// Has Ctrl-C end what this token stands for, until the listener is aborted.
pub(crate) fn on_interrupt(cancel: CancellationToken) -> Result<JoinHandle<()>, Problem> {
    let interrupts = Interrupts::register().map_err(Problem::failed)?;
    Ok(tokio::spawn(listen(interrupts, cancel)))
}

/// The first Ctrl-C ends the runs, the second ends the process.
async fn listen(mut interrupts: Interrupts, cancel: CancellationToken) {
    interrupts.next().await;
    screen::note("stopping; press Ctrl-C again to stop at once");
    cancel.cancel();
    interrupts.next().await;
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Every Ctrl-C from its registration on: one that comes before the first run
/// has started is not lost either.
#[cfg(unix)]
struct Interrupts(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Interrupts {
    fn register() -> std::io::Result<Interrupts> {
        let kind = tokio::signal::unix::SignalKind::interrupt();
        tokio::signal::unix::signal(kind).map(Interrupts)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(windows)]
struct Interrupts(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Interrupts {
    fn register() -> std::io::Result<Interrupts> {
        tokio::signal::windows::ctrl_c().map(Interrupts)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}

fn exit(results: &Results, cancelled: bool) -> Exit {
    if cancelled {
        Exit::Interrupted
    } else if results.totals.unfinished() > 0 {
        Exit::Unfinished
    } else if results.totals.success == 0 {
        Exit::NothingSucceeded
    } else if !results.bad_records.is_empty() {
        Exit::BadRecords
    } else {
        Exit::Done
    }
}

/// For each run that has not ended: why, and which command decides.
fn open(reports: &[Report]) -> Vec<String> {
    let line = |report: &Report| {
        let run = &report.run;
        let what = match report.status {
            "in_doubt" => format!(
                "`hotcell resume {run} --in-doubt repeat` makes the call again, `--in-doubt fail` \
                 tells the plugin that it failed"
            ),
            "waiting" => format!(
                "`hotcell approvals list` says what is asked, `hotcell approvals approve` or `reject` \
                 answers, `hotcell resume {run}` goes on then"
            ),
            "diverged" => format!(
                "it does something else than before the host was gone: `hotcell cancel {run}`, \
                 and run it again"
            ),
            "interrupted" | "running" => format!("`hotcell resume {run}` goes on with it"),
            _ => return None,
        };
        let task = text::line(&report.task, text::LINE);
        let why = report.error.as_ref().map_or("", |error| &error.message);
        let why = text::line(why, text::LINE);
        Some(format!("{task} is {}: {why}; {what}", report.status))
    };
    let mut lines: Vec<String> = reports.iter().filter_map(line).collect();
    let more = lines.len().saturating_sub(OPEN);
    if more > 0 {
        lines.truncate(OPEN);
        lines.push(format!("and {more} more: `hotcell runs`"));
    }
    lines
}

fn ending(results: &Results, exit: Exit) -> String {
    let totals = &results.totals;
    match exit {
        Exit::Interrupted => {
            format!(
                "stopped: {} of {} records finished",
                totals.finished(),
                totals.records
            )
        }
        Exit::Unfinished => format!(
            "{} of {} records stopped before their end: `hotcell resume` goes on with them, \
             `--in-doubt` decides what becomes of calls in doubt",
            totals.unfinished(),
            totals.records
        ),
        Exit::NothingSucceeded => "not one record succeeded".to_owned(),
        _ => format!(
            "{} records of the input could not be run",
            results.bad_records.len()
        ),
    }
}

/// The right answers, where the workflow names some.
pub(crate) fn gold(checked: &Checked) -> Result<Option<Gold>, Problem> {
    let Some(spec) = &checked.workflow.score else {
        return Ok(None);
    };
    let shown = spec.gold.display();
    let wrong = |why: String| {
        let report = miette::miette!(help = "see `score` in the workflow", "`{shown}`: {why}");
        Problem::new(Exit::Files, report)
    };
    let text = std::fs::read_to_string(&spec.gold).map_err(|e| wrong(e.to_string()))?;
    Gold::parse(&text, &spec.fields, spec.group_by.as_deref())
        .map(Some)
        .map_err(|e| match e.source() {
            None => wrong(e.to_string()),
            Some(cause) => wrong(format!("{e}: {cause}")),
        })
}
