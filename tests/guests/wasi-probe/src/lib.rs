//! An agent built for `wasm32-wasip2`: it reports what it can see of the world.

#[cfg(target_family = "wasm")]
mod files;
#[cfg(target_family = "wasm")]
mod waiting;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Read;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hotcell_sdk::{Agent, Answer, Failure, Task};
use serde_json::{Value, json};

struct WasiProbe;

impl Agent for WasiProbe {
    type Input = Value;
    type Output = Value;

    #[expect(
        clippy::disallowed_methods,
        reason = "looking is what this guest is for"
    )]
    #[expect(
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "standard output is a log here"
    )]
    fn run(task: Task<Value>) -> Result<Answer<Value>, Failure> {
        #[cfg(target_family = "wasm")]
        if let Some(came) = files::run(&task.kind).or_else(|| waiting::run(&task.kind)) {
            return came.map(Answer::new);
        }
        let _ = task;
        println!("to standard output");
        eprintln!("to standard \u{1b}[31merror");
        let mut input = String::new();
        let read = std::io::stdin().read_to_string(&mut input).unwrap_or(0);
        let started = Instant::now();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Answer::new(json!({
            "arguments": std::env::args().count(),
            "variables": std::env::vars().count(),
            "input_bytes": read,
            "now_ms": now.as_millis() as u64,
            "coarse": now.subsec_nanos().is_multiple_of(1_000_000) && started.elapsed().subsec_nanos().is_multiple_of(1_000_000),
            "random": RandomState::new().hash_one(1),
        })))
    }
}

hotcell_sdk::export!(agent: WasiProbe);
