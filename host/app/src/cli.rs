//! What was typed, and which command is meant.

use clap::{Parser, Subcommand};
use hotcell_runtime::compile::WORKER;

use crate::command::{EXITS, Exit, Output, Problem};
use crate::{
    advise, approvals, audit, bench, build, cancel, check, costs, data, eval, fork, inspect,
    policy, replay, resume, run, runs, screen, show, telemetry, tools, worker,
};

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

#[derive(Subcommand)]
enum Command {
    /// Run a workflow over its records
    Run(run::RunArgs),
    /// Go on with runs that a host left unfinished
    Resume(resume::ResumeArgs),
    /// List the runs that are kept, verify or forget them
    Runs(runs::RunsArgs),
    /// Tell what a run did: steps, tries, gates, effects, costs, transitions
    Show(show::ShowArgs),
    /// Tell what the kept runs have cost, by day, agent, model or workflow
    Costs(costs::CostsArgs),
    /// Execute runs once more from the journal alone: are they identical?
    Replay(replay::ReplayArgs),
    /// Begin another run where one was, with another input or another component
    Fork(fork::ForkArgs),
    /// End a run without doing it
    Cancel(cancel::CancelArgs),
    /// Say yes or no to what plugins ask humans to allow
    Approvals(approvals::ApprovalsArgs),
    /// Print what all kept runs add up to, as Prometheus reads it
    Metrics(telemetry::MetricsArgs),
    /// Say who did what, with which secret, and what it cost
    Audit(audit::AuditArgs),
    /// Find out everything that can be known without running
    Check(check::CheckArgs),
    /// Check what is granted, ask who may do what, find the lines that are missing
    Policy(policy::PolicyArgs),
    /// List the tools of the host file's servers, or pin what they say of themselves
    Tools(tools::ToolsArgs),
    /// Build plugins from source to components
    Build(build::BuildArgs),
    /// Tell what a plugin is: world, imports, requested grants, digest, sizes
    Inspect(inspect::InspectArgs),
    /// Make the example data
    Data(data::DataArgs),
    /// Say which pattern to use, from what was measured
    Advise(advise::AdviseArgs),
    /// Measure the host itself
    Bench(bench::BenchArgs),
    /// Try workflows on tasks of your own, whose right answers you know
    Eval(eval::EvalArgs),
    /// Print the versions of Hotcell and of what it speaks
    Version,
    /// Compile one component from standard input to standard output
    #[command(name = WORKER, hide = true)]
    CompileWorker(worker::WorkerArgs),
}

pub(crate) fn dispatch(cli: Cli) -> Result<Exit, Problem> {
    let output = cli.output;
    match cli.command {
        Command::Run(args) => run::run(args, output),
        Command::Resume(args) => resume::resume(&args, output),
        Command::Runs(args) => runs::runs(&args, output),
        Command::Show(args) => show::show(&args, output),
        Command::Costs(args) => costs::costs(&args, output),
        Command::Replay(args) => replay::replay(&args, output),
        Command::Fork(args) => fork::fork(&args, output),
        Command::Cancel(args) => cancel::cancel(&args, output),
        Command::Approvals(args) => approvals::approvals(&args, output),
        Command::Metrics(args) => telemetry::metrics(&args, output),
        Command::Audit(args) => audit::audit(&args, output),
        Command::Check(args) => check::check(&args, output),
        Command::Policy(args) => policy::policy(&args, output),
        Command::Tools(args) => tools::tools(&args, output),
        Command::Build(args) => build::command(&args, output),
        Command::Inspect(args) => inspect::inspect(&args, output),
        Command::Data(args) => data::command(&args, output),
        Command::Advise(args) => advise::advise(&args, output),
        Command::Bench(args) => bench::bench(&args, output),
        Command::Eval(args) => eval::eval(&args, output),
        Command::CompileWorker(args) => worker::work(&args),
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
