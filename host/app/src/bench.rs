//! `hotcell bench`: the host's own speed, memory and limits, measured here and
//! now. One file for each measurement; what all of them say and how they compare
//! is in `sheet`, the host they measure in `host`.
//!
//! Every figure stands beside a baseline of the same run, because machines
//! differ and are noisy: compare the ratios.

mod broker;
mod compute;
mod density;
mod disk;
mod durable;
mod host;
mod limits;
mod load;
mod neighbours;
mod recover;
mod runaway;
mod sheet;
mod step;

use clap::{Args, Subcommand};

use crate::agentarch::{AgentarchArgs, agentarch};
use crate::command::{Exit, Output, Problem};

#[derive(Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Five patterns and a single agent on 300 tasks: success, errors that spread,
    /// latency, cost, with honest statistics
    Agentarch(Box<AgentarchArgs>),
    /// One step of the sequential engine, against a call on a live instance
    Step(step::StepArgs),
    /// Whether a call may be made, what it can cost set aside, and the call itself
    /// through the broker and without it
    Broker(broker::BrokerArgs),
    /// Computing natively and in a cell, with each meter on and off
    Compute(compute::ComputeArgs),
    /// Thousands of agents waiting for a model: memory, mappings, time
    Density(density::DensityArgs),
    /// Steps that survive a loss of power, many runs at once, against the same
    /// without a journal
    Durable(durable::DurableArgs),
    /// Guests that run into each limit: how far over it bites, and what that costs
    Limits(limits::LimitsArgs),
    /// Until a plugin is ready: compiled, cached, and beside another tenant's bombs
    Load(load::LoadArgs),
    /// A good agent alone, and beside hostile ones of another tenant
    Neighbours(neighbours::NeighboursArgs),
    /// Thousands of runs that were left in the middle: until they are listed,
    /// known, and at their end
    Recover(recover::RecoverArgs),
    /// Endless loops with deadlines, many at once: how late each is stopped
    Runaway(runaway::RunawayArgs),
}

pub(crate) fn bench(args: &BenchArgs, output: Output) -> Result<Exit, Problem> {
    match &args.what {
        What::Agentarch(args) => agentarch(args, output),
        What::Step(args) => sheet::print(&step::step(args)?, output),
        What::Broker(args) => sheet::print(&broker::broker(args)?, output),
        What::Compute(args) => sheet::print(&compute::compute(args)?, output),
        What::Density(args) => sheet::print(&density::density(args)?, output),
        What::Durable(args) => sheet::print(&durable::durable(args)?, output),
        What::Limits(args) => sheet::print(&limits::limits(args)?, output),
        What::Load(args) => sheet::print(&load::load(args)?, output),
        What::Neighbours(args) => sheet::print(&neighbours::neighbours(args)?, output),
        What::Recover(args) => sheet::print(&recover::recover(args)?, output),
        What::Runaway(args) => sheet::print(&runaway::runaway(args)?, output),
    }
}
