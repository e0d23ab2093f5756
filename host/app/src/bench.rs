//! `hotcell bench`: the host's own speed and memory.

use clap::{Args, Subcommand};

use crate::cli::{Exit, Output, Problem};

#[derive(Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One step of the sequential engine: fresh cell, warm call, memory in flight
    Step,
}

pub(crate) fn bench(args: &BenchArgs, _output: Output) -> Result<Exit, Problem> {
    match args.what {
        What::Step => Err(Problem::failed("not measured yet")),
    }
}
