//! The hostile corpus: strangers' components at their worst, one folder for each
//! case, and one oracle over all of them. See `README.md` beside this file.
//!
//! `cargo test --test hostile` runs every case alone, sixteen at once and many
//! times over, then once more for each guard with that guard turned off, when it
//! must fail. `-- X01` runs one case, `-- --scale 4` makes the generated ones
//! larger, `-- guard` runs the guards alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says loudly that it failed"
)]

mod call;
mod canary;
mod case;
mod crowd;
mod fixture;
mod guard;
mod guest;
mod loading;
mod made_cells;
mod made_load;
mod made_words;
mod neighbour;
mod net;
mod oracle;
mod proofs;
mod said;
mod storm;
mod yard;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// How large generated attacks are: 1 in CI.
fn scale(arguments: &mut Vec<String>) -> u32 {
    let Some(at) = arguments.iter().position(|it| it == "--scale") else {
        return 1;
    };
    let scale = arguments.get(at + 1).and_then(|it| it.parse().ok());
    arguments.drain(at..(at + 2).min(arguments.len()));
    scale.expect("--scale takes a number")
}

fn main() -> ExitCode {
    let mut arguments = canary::plant();
    let scale = scale(&mut arguments);
    let mut arguments = Arguments::from_iter(arguments);
    // The oracle looks at the whole process, so one case at a time.
    arguments.test_threads = Some(1);
    oracle::count_panics();
    let wanted = |name: &str| match &arguments.filter {
        Some(filter) => name.contains(filter.as_str()),
        None => true,
    };
    let cases = case::all(scale, wanted);
    let guards = guard::proofs(&cases);
    let trials = cases.into_iter().map(|case| {
        let name = case.name();
        // For the rest of the process, as its guests are.
        let case: &'static case::Case = Box::leak(Box::new(case));
        Trial::test(name, move || yard::trial(case).map_err(Into::into))
    });
    let trials = trials.chain(proofs::all()).chain(guards).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
