//! What every command shares: how much it says, which workflow it is about, how
//! it ends and what the exit code then says.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Report;

/// The exit codes, for `--help`; the numbers are in [`Exit::code`].
pub(crate) const EXITS: &str = "\
Exit codes:
  0    done; whether the answers are right is a result, not an exit code
  1    Hotcell itself failed
  2    the command line is not understood
  3    a workflow, host, policy or data file is wrong
  4    a plugin cannot be built or loaded
  5    the run ended, and not one record succeeded
  6    the run ended, and the input has records that could not be run
  7    a replay is not what was recorded
  8    runs stopped before their end; `hotcell resume` goes on with them
  9    a gate of an evaluation is not met
  130  stopped by Ctrl-C; what had finished was reported";

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
    Diverged,
    Unfinished,
    GateNotMet,
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
            Exit::Diverged => 7,
            Exit::Unfinished => 8,
            Exit::GateNotMet => 9,
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

impl WorkflowArgs {
    /// This workflow with the files beside it.
    pub(crate) fn of(workflow: &Path) -> WorkflowArgs {
        WorkflowArgs {
            workflow: workflow.to_owned(),
            host: None,
            policy: None,
            model: None,
            price: None,
            record: None,
            replay: None,
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
    /// `openai@http://127.0.0.1:8080/v1#NAME`; also `openai-responses@`, `anthropic@`,
    /// `gemini@`, `ollama@`
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Price of that model: micro-dollars for a million input and output tokens
    #[arg(long, value_name = "IN,OUT", requires = "model")]
    pub(crate) price: Option<String>,
    /// Record here what models on servers are asked and answer; a file for each alias
    /// beside it if there are several
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,
    /// Ask no server: answer from what `--record` has written
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
}
