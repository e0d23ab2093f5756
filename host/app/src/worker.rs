//! `hotcell compile-worker`: the child in which a stranger's component is
//! compiled. Not for people; the host starts it itself.

use clap::Args;
use hotcell_runtime::compile::{self, CompileLimits};

use crate::command::{Exit, Problem};
use crate::screen;

#[derive(Args)]
pub(crate) struct WorkerArgs {
    /// Processor time over all threads
    #[arg(long, value_name = "N")]
    cpu_seconds: u64,
    /// Address space
    #[arg(long, value_name = "N")]
    memory_mib: u64,
    /// Memories begin as images
    #[arg(long)]
    images: bool,
}

pub(crate) fn work(args: &WorkerArgs) -> Result<Exit, Problem> {
    let limits = CompileLimits {
        cpu_seconds: args.cpu_seconds,
        memory_mib: args.memory_mib,
        images: args.images,
        ..CompileLimits::default()
    };
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    if let Err(refusal) = compile::work(limits, input, output) {
        screen::note(&refusal.words);
        std::process::exit(refusal.code.into());
    }
    Ok(Exit::Done)
}
