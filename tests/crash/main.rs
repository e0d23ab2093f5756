//! What survives when the host is killed: the real command, a model server that
//! counts, and a journal that must agree with it.
//!
//! `cargo test --test crash` kills at every point and sixty times at random;
//! `-- D01` runs some cases, `-- --scale 17` kills a thousand times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod disk;
mod draws;
mod kills;
mod later;
mod ledger;
mod owners;
mod points;
mod preload;
mod provider;
mod scene;
mod tools;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// How many random kills, in parts of sixty: 1 in CI.
fn scale(arguments: &mut Vec<String>) -> u32 {
    let Some(at) = arguments.iter().position(|it| it == "--scale") else {
        return 1;
    };
    let scale = arguments.get(at + 1).and_then(|it| it.parse().ok());
    arguments.drain(at..(at + 2).min(arguments.len()));
    scale.expect("--scale takes a number")
}

/// A case that panics when it fails.
fn trial(name: impl Into<String>, case: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        case();
        Ok(())
    })
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().collect();
    let scale = scale(&mut arguments);
    let arguments = Arguments::from_iter(arguments);
    let trials = points::trials()
        .into_iter()
        .chain(kills::trials(scale))
        .chain(tools::trials())
        .chain(owners::trials())
        .chain(disk::trials())
        .chain(later::trials());
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
