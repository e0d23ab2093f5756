//! `hotcell eval`: tasks of the user's own, with their right answers, through any
//! workflows, with the benchmark's metrics and report.
//!
//! Each workflow is an arm, all on the same tasks. `tasks` reads the file, `judge`
//! says what is right, `arms` what is compared, `rounds` has the trials done, `trial`
//! and `study` put down what came of them. What that is worth is
//! `hotcell-measure`'s; `gates` holds it against what was asked, `written` and
//! `summary` tell it.

mod arms;
mod gates;
mod judge;
mod rounds;
mod study;
mod summary;
mod tasks;
mod trial;
mod written;

use std::path::PathBuf;

use clap::Args;
use hotcell_measure::{Findings, analyse};
use tokio::time::Instant;

use crate::command::{Exit, Output, Problem};
use crate::run::Places;
use crate::screen;
use gates::Gates;
use judge::{Judge, Rule};
use rounds::{Rounds, Stage};
use study::Circumstances;
use written::Folder;

#[derive(Args)]
pub(crate) struct EvalArgs {
    /// The tasks, one JSON object a line: `{"input": {…}, "gold": {…}}`, with an `id`
    /// and a `set` if you like
    #[arg(value_name = "FILE")]
    tasks: PathBuf,
    /// A workflow to try: a folder with a `workflow.yaml`, or the file. Again for each
    /// other one; its own `input` is not read
    #[arg(long = "workflow", value_name = "DIR", required = true)]
    workflows: Vec<PathBuf>,
    /// The host file: models and prices [default: `host.toml` beside each workflow]
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,
    /// The policy file: grants [default: `policy.toml` beside each workflow]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What the alias `default` means: another alias, or
    /// `openai@http://127.0.0.1:8080/v1#NAME`, or `openai-responses`, `anthropic`, `gemini`, `ollama`
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Price of that model: micro-dollars for a million input and output tokens
    #[arg(long, value_name = "IN,OUT", requires = "model")]
    price: Option<String>,
    /// The fields of an answer that must be right [default: all that the gold has]
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    fields: Vec<String>,
    /// How a field is compared: exact, case-insensitive, numeric, fuzzy, fuzzy:0.9 or
    /// set [default: exact]. Again for each other field
    #[arg(long = "match", value_name = "FIELD=HOW")]
    rules: Vec<Rule>,
    /// A field that says yes or no, for balanced accuracy and Matthews' coefficient
    #[arg(long, value_name = "FIELD")]
    label: Option<String>,
    /// How often each task is tried, for pass@k and pass^k; a simulated model gets
    /// another seed each time
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// Tasks worked on at once: 1 to 5000
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=5000))]
    concurrency: u16,
    /// Only the first N tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// The workflow that costs are multiples of [default: the first of several]
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    #[command(flatten)]
    gates: Gates,
    /// Where report.json, report.md, report.html and trials.jsonl are written
    #[arg(long, value_name = "DIR", default_value = "eval")]
    out: PathBuf,
    #[command(flatten)]
    places: Places,
    /// Keep nothing of the runs: they cannot be shown or replayed
    #[arg(long)]
    ephemeral: bool,
}

pub(crate) fn eval(args: &EvalArgs, output: Output) -> Result<Exit, Problem> {
    let wrong = |problems| Problem::new(Exit::Files, problems);
    let bytes = tasks::read(&args.tasks).map_err(|problem| wrong(problem.into()))?;
    let limit = args
        .limit
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let tasks = tasks::tasks(&args.tasks, &bytes, limit).map_err(wrong)?;
    let label = args.label.as_deref();
    let judge = Judge::new(&args.fields, &args.rules, label, &args.tasks, &tasks).map_err(wrong)?;
    let arms = arms::arms(args)?;
    let baseline = arms::baseline(args.baseline.as_deref(), &arms)?;
    // A slip in its name must not cost the results of a paid evaluation.
    let folder = Folder::open(&args.out)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::failed)?;
    let stage = Stage {
        tasks: &tasks,
        judge: &judge,
        arms: &arms,
        seeds: args.seeds,
        concurrency: usize::from(args.concurrency),
        cache: args.places.cache(),
        keep: (!args.ephemeral).then(|| args.places.state()),
    };
    let started = Instant::now();
    let rounds = runtime.block_on(stage.run())?;
    let circumstances = Circumstances {
        file: &args.tasks,
        bytes: &bytes,
        tasks: &tasks,
        limited: args.limit.is_some(),
        arms: &arms,
        seeds: args.seeds,
        baseline,
        wall: started.elapsed(),
    };
    conclude(args, &circumstances, rounds, &folder, output)
}

/// Computes, writes and tells what came of the trials.
fn conclude(
    args: &EvalArgs,
    circumstances: &Circumstances<'_>,
    rounds: Rounds,
    folder: &Folder,
    output: Output,
) -> Result<Exit, Problem> {
    let stopped = rounds.stopped;
    let unfinished = rounds.unfinished();
    let study = circumstances.study(rounds);
    folder.trials(&study)?;
    if study.trials.is_empty() {
        screen::note(
            "stopped before any workflow had tried every task: there is nothing to report",
        );
        return Ok(Exit::Interrupted);
    }
    let mut findings = analyse(&study).map_err(Problem::failed)?;
    args.gates.judge(&mut findings);
    let json = folder.report(&findings)?;
    match output.json {
        true => {
            screen::json(json.trim_end());
            for line in gates::unmet(&findings) {
                screen::note(&line);
            }
        }
        false => {
            screen::result(&summary::render(&findings, screen::colours()));
            screen::note(&folder.told());
        }
    }
    let exit = match () {
        () if stopped => Exit::Interrupted,
        () if unfinished > 0 => Exit::Unfinished,
        () if !gates::met(&findings) => Exit::GateNotMet,
        () if !any_success(&findings) => Exit::NothingSucceeded,
        () => Exit::Done,
    };
    match exit {
        Exit::Interrupted => screen::note("stopped: told is what all workflows had tried"),
        Exit::Unfinished => screen::note(&format!(
            "{unfinished} trials stopped before their end and count as wrong: `hotcell runs` \
             lists them, `hotcell resume` goes on with them"
        )),
        Exit::NothingSucceeded => screen::note("not one trial succeeded"),
        _ => {}
    }
    Ok(exit)
}

/// Whether any run came to its end as it should.
fn any_success(findings: &Findings) -> bool {
    let mut arms = findings.pattern_results.iter();
    arms.any(|arm| arm.overall.statuses.contains_key("success"))
}
