//! An agent that computes and asks nobody: what computing costs in a cell.

#![allow(missing_docs, reason = "a guest for the benchmark")]

mod compute;

use hotcell_sdk::{Agent, Answer, Failure, Task};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Order {
    kernel: String,
    rounds: u32,
}

/// What came out, so that nothing is optimised away and both sides can be
/// compared.
#[derive(Serialize)]
struct Sum {
    sum: String,
}

struct Kernels;

impl Agent for Kernels {
    type Input = Order;
    type Output = Sum;

    fn run(task: Task<Order>) -> Result<Answer<Sum>, Failure> {
        let Order { kernel, rounds } = task.input;
        match compute::run(&kernel, rounds) {
            Some(sum) => Ok(Answer::new(Sum {
                sum: sum.to_string(),
            })),
            None => Err(Failure::InvalidInput(format!("no kernel `{kernel}`"))),
        }
    }
}

hotcell_sdk::export!(agent: Kernels);
