//! What was typed, what is meant, and what the exit code says.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use miette::Report;

use crate::{bench, build, check, data, inspect, run, screen};

const EXITS: &str = "\
Exit codes:
  0    done; whether the answers are right is a result, not an exit code
  1    Hotcell itself failed
  2    the command line is not understood
  3    a workflow, host, policy or data file is wrong
  4    a plugin cannot be built or loaded
  5    the run ended, and not one record succeeded
  6    the run ended, and the input has records that could not be run
  130  stopped by Ctrl-C; what had finished was reported";

/// Runs untrusted AI agents, validators and tools as WebAssembly components:
/// sandboxed, granted, metered.
#[derive(Parser)]
#[command(name = "hotcell", version, after_help = EXITS, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    command: Command,
}

/// How much is said, and in which form.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print nothing but the result and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more: what plugins log, what was compiled
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run a workflow over its records
    Run(run::RunArgs),
    /// Find out everything that can be known without running
    Check(check::CheckArgs),
    /// Build plugins from source to components
    Build(build::BuildArgs),
    /// Tell what a plugin is: world, imports, requested grants, digest, sizes
    Inspect(inspect::InspectArgs),
    /// Make the example data
    Data(data::DataArgs),
    /// Measure the host itself
    Bench(bench::BenchArgs),
    /// Print the versions of Hotcell and of what it speaks
    Version,
}

/// What an exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    CommandLine,
    Files,
    Plugin,
    NothingSucceeded,
    BadRecords,
    Interrupted,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            // Mostly clap's.
            Exit::CommandLine => 2,
            Exit::Files => 3,
            Exit::Plugin => 4,
            Exit::NothingSucceeded => 5,
            Exit::BadRecords => 6,
            Exit::Interrupted => 130,
        }
    }
}

/// Why a command ended early, and with which exit code.
pub(crate) struct Problem {
    pub(crate) exit: Exit,
    pub(crate) report: Report,
}

impl Problem {
    pub(crate) fn new(exit: Exit, report: impl Into<Report>) -> Problem {
        Problem {
            exit,
            report: report.into(),
        }
    }

    /// A failure of ours, or of the machine's.
    pub(crate) fn failed(what: impl std::fmt::Display) -> Problem {
        Problem::new(Exit::Failed, miette::miette!("{what}"))
    }
}

pub(crate) fn dispatch(cli: Cli) -> Result<Exit, Problem> {
    let output = cli.output;
    match cli.command {
        Command::Run(args) => run::run(args, output),
        Command::Check(args) => check::check(&args, output),
        Command::Build(args) => build::command(&args, output),
        Command::Inspect(args) => inspect::inspect(&args, output),
        Command::Data(args) => data::command(&args, output),
        Command::Bench(args) => bench::bench(&args, output),
        Command::Version => {
            let contract = hotcell_runtime::manifest::CONTRACT;
            let version = env!("CARGO_PKG_VERSION");
            screen::result(&match output.json {
                true => serde_json::json!({"hotcell": version, "contract": contract}).to_string(),
                false => format!("hotcell {version}, contract {contract}"),
            });
            Ok(Exit::Done)
        }
    }
}

/// Which workflow, with which models and grants.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorkflowArgs {
    /// A folder with a `workflow.yaml`, or the file
    pub(crate) workflow: PathBuf,
    /// The host file: models and prices [default: `host.toml` beside the workflow]
    #[arg(long, value_name = "FILE")]
    pub(crate) host: Option<PathBuf>,
    /// The policy file: grants [default: `policy.toml` beside the workflow]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// What the alias `default` means: another alias, or
    /// `openai@http://127.0.0.1:8080/v1#NAME`
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Price of that model: micro-dollars for a million input and output tokens
    #[arg(long, value_name = "IN,OUT", requires = "model")]
    pub(crate) price: Option<String>,
}
