//! The command line of Hotcell: parse, do, exit.

mod advise;
mod agentarch;
mod approvals;
mod audit;
mod bench;
mod build;
mod cancel;
mod check;
mod cli;
mod command;
mod costs;
mod data;
mod definition;
mod eval;
mod findings;
mod folders;
mod fork;
mod inspect;
mod kept;
mod manifest;
mod moment;
mod operator;
mod policy;
mod replay;
mod report;
mod results;
mod resume;
mod run;
mod runs;
mod score;
mod screen;
mod show;
mod state;
mod timeline;
mod tools;
mod watch;
mod wire;
mod worker;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    screen::install(&cli.output);
    match cli::dispatch(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(problem) => {
            screen::problem(problem.report);
            ExitCode::from(problem.exit.code())
        }
    }
}
